//! A servo of either family, as the bank and the physics see it. Owns nothing: each family keeps
//! its own registers and manners.

use super::device::{Afflictions, Setup, StsServo};
use super::dynamixel::{self, XServo};
use super::model::{Model, Protocol};
use super::motor::Motor;
use super::protection::Protection;
use super::registers as sts;
use crate::{Drive, Motion};

/// One servo of the bank.
#[derive(Debug, Clone)]
pub enum Servo {
    /// Feetech's.
    Sts(Box<StsServo>),
    /// Dynamixel's.
    X(Box<XServo>),
}

/// Bits a second that a servo of `model` can be set to.
#[must_use]
pub fn rates(model: Model) -> &'static [u32] {
    match model.protocol() {
        Protocol::Feetech => &sts::RATES,
        Protocol::Dynamixel => &dynamixel::registers::RATES,
    }
}

impl Servo {
    /// The servo of a setup, just powered up.
    #[must_use]
    pub fn new(setup: &Setup) -> Servo {
        match setup.model.protocol() {
            Protocol::Feetech => Servo::Sts(Box::new(StsServo::new(setup))),
            Protocol::Dynamixel => Servo::X(Box::new(XServo::new(setup))),
        }
    }

    /// Joint it moves.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Servo::Sts(servo) => servo.name(),
            Servo::X(servo) => servo.name(),
        }
    }

    /// Id in its registers.
    #[must_use]
    pub fn own_id(&self) -> u8 {
        match self {
            Servo::Sts(servo) => servo.memory().get(sts::ID) as u8,
            Servo::X(servo) => servo.own_id(),
        }
    }

    /// Id it goes by on the line.
    #[must_use]
    pub fn id(&self) -> u8 {
        self.afflictions().answers_as.unwrap_or(self.own_id())
    }

    /// Bits a second it speaks.
    #[must_use]
    pub fn baud(&self) -> u32 {
        match self {
            Servo::Sts(servo) => servo.baud(),
            Servo::X(servo) => servo.baud(),
        }
    }

    /// ns between a request and the answer, as its register asks.
    #[must_use]
    pub fn return_delay_ns(&self) -> u64 {
        match self {
            Servo::Sts(servo) => servo.return_delay_ns(),
            Servo::X(servo) => servo.return_delay_ns(),
        }
    }

    /// Whether it listens at `now_ns`.
    #[must_use]
    pub fn awake(&self, now_ns: u64) -> bool {
        match self {
            Servo::Sts(servo) => servo.awake(now_ns),
            Servo::X(servo) => servo.awake(now_ns),
        }
    }

    /// Whether a fault keeps it from answering at `now_ns`.
    #[must_use]
    pub fn mute(&self, now_ns: u64) -> bool {
        now_ns < self.afflictions().silent_until_ns
    }

    /// What is wrong with it, as error bits.
    #[must_use]
    pub fn error(&self) -> u8 {
        match self {
            Servo::Sts(servo) => servo.error(),
            Servo::X(servo) => servo.hardware_error(),
        }
    }

    /// Joint angle of the goal it holds, rad.
    #[must_use]
    pub fn goal(&self) -> f64 {
        match self {
            Servo::Sts(servo) => servo.goal(),
            Servo::X(servo) => servo.goal(),
        }
    }

    /// Whether it drives its joint.
    #[must_use]
    pub fn torque_on(&self) -> bool {
        match self {
            Servo::Sts(servo) => servo.memory().get(sts::TORQUE_ENABLE) == 1,
            Servo::X(servo) => servo.torque_on(),
        }
    }

    /// Temperature, °C.
    #[must_use]
    pub fn celsius(&self) -> f64 {
        match self {
            Servo::Sts(servo) => servo.protection.celsius(),
            Servo::X(servo) => servo.protection.celsius(),
        }
    }

    /// `len` bytes from `address`, `None` when there are no such registers.
    #[must_use]
    pub fn read(&self, address: u16, len: u8) -> Option<Vec<u8>> {
        match self {
            Servo::Sts(servo) => servo.read(u8::try_from(address).ok()?, len),
            Servo::X(servo) => servo.read(address, u16::from(len)),
        }
    }

    /// Its EEPROM as the next power-up finds it.
    #[must_use]
    pub fn saved(&self) -> &[u8] {
        match self {
            Servo::Sts(servo) => servo.memory().saved(),
            Servo::X(servo) => servo.memory().saved(),
        }
    }

    pub(super) fn motor_mut(&mut self) -> &mut Motor {
        match self {
            Servo::Sts(servo) => &mut servo.motor,
            Servo::X(servo) => &mut servo.motor,
        }
    }

    /// Its moving part.
    #[must_use]
    pub fn motor(&self) -> &Motor {
        match self {
            Servo::Sts(servo) => &servo.motor,
            Servo::X(servo) => &servo.motor,
        }
    }

    pub(super) fn protection_mut(&mut self) -> &mut Protection {
        match self {
            Servo::Sts(servo) => &mut servo.protection,
            Servo::X(servo) => &mut servo.protection,
        }
    }

    pub(super) fn afflictions(&self) -> &Afflictions {
        match self {
            Servo::Sts(servo) => &servo.afflictions,
            Servo::X(servo) => &servo.afflictions,
        }
    }

    pub(super) fn afflictions_mut(&mut self) -> &mut Afflictions {
        match self {
            Servo::Sts(servo) => &mut servo.afflictions,
            Servo::X(servo) => &mut servo.afflictions,
        }
    }

    /// The power is cut and comes back.
    pub(super) fn reboot(&mut self, now_ns: u64) {
        match self {
            Servo::Sts(servo) => servo.reboot(now_ns),
            Servo::X(servo) => servo.reboot(now_ns),
        }
    }

    /// What of the arm's supply it gets: one with a supply of its own has another, which rises and
    /// falls with the arm's.
    fn volts(&self, arms: f64) -> f64 {
        match self {
            Servo::Sts(_) => arms,
            Servo::X(servo) => servo.volts(arms),
        }
    }

    /// What it asks of its joint during the next `dt` seconds.
    pub(super) fn drive(&mut self, now_ns: u64, volts: f64, dt: f64) -> Drive {
        let volts = self.volts(volts);
        match self {
            Servo::Sts(servo) => servo.drive(now_ns, volts, dt),
            Servo::X(servo) => servo.drive(now_ns, volts, dt),
        }
    }

    /// Takes in what the physics made of it.
    pub(super) fn sense(&mut self, motion: Motion, volts: f64, dt: f64, now_ns: u64) {
        let volts = self.volts(volts);
        match self {
            Servo::Sts(servo) => servo.sense(motion, volts, dt),
            Servo::X(servo) => servo.sense(motion, volts, dt, now_ns),
        }
    }
}
