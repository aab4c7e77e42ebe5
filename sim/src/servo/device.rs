//! One STS3215: what it answers and what a write makes it do.
//! Owns its registers, motor, protections and the faults that befall it alone; the line it hangs
//! on, and when its answers are sent, are [`super::bank`]'s.

use super::memory::{Memory, Span};
use super::model::Model;
use super::motor::{DAMPING, Motor, NOMINAL_VOLTS, Orders, Power, STALL_TORQUE, STIFFNESS};
use super::packet::Instruction;
use super::protection::{Bounds, Burden, Protection};
use super::registers as reg;
use crate::{Drive, Motion};

/// How long a servo says nothing after its power came back.
const BOOT_NS: u64 = 10_000_000;
/// The encoder reading that a re-zero makes of the present position.
const CENTRE: f64 = 2048.0;
/// Counts in a turn, after which the encoder begins again.
const TURN: f64 = 4096.0;

/// How a servo was mounted and set up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Setup {
    /// What it is.
    pub model: Model,
    /// Joint it moves.
    pub name: String,
    /// Bus id.
    pub id: u8,
    /// Encoder counts at joint angle zero.
    pub encoder_at_zero: i32,
    /// What its homing offset register holds, counts.
    pub homing_offset: i32,
    /// Lowest goal, counts.
    pub range_min: u16,
    /// Highest goal, counts.
    pub range_max: u16,
    /// As it comes out of its box: rate and return delay are the factory's.
    pub fresh: bool,
    /// Bits a second it was set to; 1 Mbaud when `None`.
    pub baud: Option<u32>,
}

/// One servo of the bank.
#[derive(Debug, Clone)]
pub struct StsServo {
    name: String,
    pub(super) memory: Memory,
    pub(super) motor: Motor,
    pub(super) protection: Protection,
    staged: Option<(u8, Vec<u8>)>,
    pub(super) afflictions: Afflictions,
    boots_until_ns: u64,
    /// Whole turns of the encoder, counts, that position and goal are short of: it knows its place
    /// in a turn alone. Fixed while torque is on.
    turns: f64,
}

/// What faults do to one servo.
#[derive(Debug, Clone, Default)]
pub(super) struct Afflictions {
    /// Answers nothing before this time.
    pub(super) silent_until_ns: u64,
    /// Answers zeros before this time.
    pub(super) zeros_until_ns: u64,
    /// Answers this many times late, by this many ns.
    pub(super) late: Option<(u32, u64)>,
    /// Answers under another servo's id.
    pub(super) answers_as: Option<u8>,
    /// Counts added to the reported position.
    pub(super) jump: i32,
    /// Jammed before this time.
    pub(super) jammed_until_ns: u64,
    pub(super) runs_until_ns: u64,
}

impl StsServo {
    /// A servo on which id, homing and range were set, and unless it is fresh its rate too and the
    /// factory's 500 µs return delay taken away. A rate it does not know leaves the factory's.
    #[must_use]
    pub fn new(setup: &Setup) -> StsServo {
        let mut memory = Memory::factory();
        memory.set(reg::ID, u16::from(setup.id));
        if !setup.fresh {
            memory.set(reg::RETURN_DELAY, 0);
            if let Some(code) = setup.baud.and_then(reg::baud_code) {
                memory.set(reg::BAUD, code);
            }
        }
        memory.set_signed(reg::HOMING_OFFSET, setup.homing_offset);
        memory.set(reg::MIN_POSITION, setup.range_min);
        memory.set(reg::MAX_POSITION, setup.range_max);
        memory.save();
        memory.power_up();
        StsServo {
            name: setup.name.clone(),
            memory,
            motor: Motor::new(setup.encoder_at_zero),
            protection: Protection::default(),
            staged: None,
            afflictions: Afflictions::default(),
            boots_until_ns: 0,
            turns: 0.0,
        }
    }

    /// Joint it moves.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id it goes by on the line.
    #[must_use]
    pub fn id(&self) -> u8 {
        self.afflictions
            .answers_as
            .unwrap_or(self.memory.get(reg::ID) as u8)
    }

    /// Its registers.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Bits a second it speaks.
    #[must_use]
    pub fn baud(&self) -> u32 {
        reg::baud_of(self.memory.get(reg::BAUD)).unwrap_or(1_000_000)
    }

    /// ns between a request and the answer, as the register asks.
    #[must_use]
    pub fn return_delay_ns(&self) -> u64 {
        u64::from(self.memory.get(reg::RETURN_DELAY)) * 2_000
    }

    /// Whether it listens at `now_ns`.
    #[must_use]
    pub fn awake(&self, now_ns: u64) -> bool {
        now_ns >= self.boots_until_ns
    }

    /// Whether a fault keeps it from answering at `now_ns`.
    #[must_use]
    pub fn mute(&self, now_ns: u64) -> bool {
        now_ns < self.afflictions.silent_until_ns
    }

    /// Error bits of its answers.
    #[must_use]
    pub fn error(&self) -> u8 {
        self.protection.bits()
    }

    /// Joint angle of the goal it holds, rad.
    #[must_use]
    pub fn goal(&self) -> f64 {
        self.motor.angle_of(goal(&self.memory, self.turns))
    }

    /// Temperature, °C.
    #[must_use]
    pub fn celsius(&self) -> f64 {
        self.protection.celsius()
    }

    /// Carries out a request to this servo alone. Gives the parameters of the answer, `None`
    /// where a servo says nothing. `everyone` tells that the request went to all.
    pub fn answer(&mut self, instruction: &Instruction, everyone: bool) -> Option<Vec<u8>> {
        let talks = self.memory.get(reg::STATUS_LEVEL) != 0;
        let params = match instruction {
            Instruction::Ping => Some(Vec::new()),
            Instruction::Read { address, len } => self.read(*address, *len),
            Instruction::Write { address, data } => {
                self.write(*address, data);
                talks.then(Vec::new)
            }
            Instruction::Stage { address, data } => {
                self.staged = Some((*address, data.clone()));
                self.memory.set(reg::STAGED, 1);
                talks.then(Vec::new)
            }
            Instruction::Action => {
                self.memory.set(reg::STAGED, 0);
                if let Some((address, data)) = self.staged.take() {
                    self.write(address, &data);
                }
                talks.then(Vec::new)
            }
            Instruction::SyncRead { .. } | Instruction::SyncWrite { .. } => None,
        };
        params.filter(|_| !everyone)
    }

    /// `len` bytes from `address`, `None` when there are no such registers.
    #[must_use]
    pub fn read(&self, address: u8, len: u8) -> Option<Vec<u8>> {
        self.memory.read(address, len).map(<[u8]>::to_vec)
    }

    /// A host's write, with all that it sets off.
    pub fn write(&mut self, address: u8, data: &[u8]) {
        let span = Span::of(address, data.len());
        let power = self.memory.get(reg::TORQUE_ENABLE);
        self.memory.write(address, data);
        if span.touches(reg::TORQUE_ENABLE) {
            match self.memory.get(reg::TORQUE_ENABLE) {
                0 => self.protection.torque_off(),
                1 | 2 => {}
                128 => {
                    self.memory.set(reg::TORQUE_ENABLE, power);
                    self.re_zero();
                }
                _ => self.memory.set(reg::TORQUE_ENABLE, power),
            }
        }
        if span.touches(reg::GOAL_POSITION) {
            self.clamp_goal();
            if self.memory.get(reg::TORQUE_ENABLE) == 0 {
                self.memory.set(reg::TORQUE_ENABLE, 1);
            }
        }
        if span.touches(reg::MIN_POSITION) || span.touches(reg::MAX_POSITION) {
            self.clamp_goal();
        }
    }

    /// Makes the present position read 2048 by a new homing offset, which is saved whatever the
    /// lock says.
    fn re_zero(&mut self) {
        let offset = (self.motor.actual().rem_euclid(TURN) - CENTRE).round() as i32;
        self.memory.set_signed(reg::HOMING_OFFSET, offset);
        self.memory.save_one(reg::HOMING_OFFSET);
        let jump = self.afflictions.jump;
        report(&self.motor, &mut self.memory, self.turns, jump);
    }

    fn clamp_goal(&mut self) {
        let low = i32::from(self.memory.get(reg::MIN_POSITION));
        let high = i32::from(self.memory.get(reg::MAX_POSITION));
        // Equal limits mean none: more than a turn.
        if low < high {
            let goal = self.memory.get_signed(reg::GOAL_POSITION);
            self.memory
                .set_signed(reg::GOAL_POSITION, goal.clamp(low, high));
        }
    }

    /// The power is cut and comes back: RAM registers are at their defaults, torque is off.
    pub fn reboot(&mut self, now_ns: u64) {
        self.memory.power_up();
        self.protection.power_up();
        self.staged = None;
        self.afflictions.jump = 0;
        self.boots_until_ns = now_ns + BOOT_NS;
        self.report(0.0);
    }

    /// What it asks of its joint during the next `dt` seconds.
    pub fn drive(&mut self, now_ns: u64, volts: f64, dt: f64) -> Drive {
        self.motor.jam(now_ns < self.afflictions.jammed_until_ns);
        self.motor.run_away(now_ns < self.afflictions.runs_until_ns);
        let allowed = self
            .memory
            .get(reg::TORQUE_LIMIT)
            .min(self.memory.get(reg::MAX_TORQUE));
        let mut limit = f64::from(allowed) / 1000.0;
        if self
            .protection
            .any_of(self.memory.get(reg::UNLOAD_CONDITION) as u8)
        {
            limit = limit.min(f64::from(self.memory.get(reg::PROTECTIVE_TORQUE)) / 100.0);
        }
        let mut orders = orders(&self.memory, limit);
        orders.goal += self.turns;
        self.motor.drive(&orders, volts, dt)
    }

    /// Takes in what the physics made of it.
    pub fn sense(&mut self, motion: Motion, volts: f64, dt: f64) {
        self.motor.sense(motion, dt);
        let torque = self.motor.torque();
        let burden = Burden {
            torque,
            load: torque.abs() / (STALL_TORQUE * volts / NOMINAL_VOLTS).max(f64::EPSILON),
            amps: self.motor.amps(),
            volts,
        };
        self.protection.update(&bounds(&self.memory), burden, dt);
        self.report(volts);
    }

    fn report(&mut self, volts: f64) {
        if self.memory.get(reg::TORQUE_ENABLE) == 0 {
            let offset = f64::from(self.memory.get_signed(reg::HOMING_OFFSET));
            self.turns = ((self.motor.actual() - offset).round() / TURN).floor() * TURN;
        }
        let jump = self.afflictions.jump;
        report(&self.motor, &mut self.memory, self.turns, jump);
        let tenths = (volts * 10.0).round() as i32;
        self.memory.set_signed(reg::PRESENT_VOLTAGE, tenths);
        let celsius = self.protection.celsius().round() as i32;
        self.memory.set_signed(reg::PRESENT_TEMPERATURE, celsius);
        self.memory
            .set(reg::STATUS, u16::from(self.protection.bits()));
    }
}

/// The goal in the turn the joint is in, actual counts.
fn goal(memory: &Memory, turns: f64) -> f64 {
    let counts = memory.get_signed(reg::GOAL_POSITION) + memory.get_signed(reg::HOMING_OFFSET);
    f64::from(counts) + turns
}

/// What the registers order, with `limit` of the stall torque.
pub(super) fn orders(memory: &Memory, limit: f64) -> Orders {
    let share = |gain: reg::Register| f64::from(memory.get(gain)) / f64::from(gain.initial);
    let accelerations = [reg::ACCELERATION, reg::MAX_ACCELERATION].map(|it| memory.get(it));
    let least = accelerations.into_iter().filter(|limit| *limit > 0).min();
    let speed = memory.get_signed(reg::GOAL_VELOCITY).unsigned_abs();
    let dead_zone = |zone| f64::from(memory.get(zone));
    Orders {
        power: match memory.get(reg::TORQUE_ENABLE) {
            0 => Power::Off,
            2 => Power::Damping,
            _ => Power::On,
        },
        goal: goal(memory, 0.0),
        speed: (speed > 0).then(|| f64::from(speed)),
        acceleration: least.map(|limit| f64::from(limit) * 100.0),
        stiffness: STIFFNESS * share(reg::P_GAIN),
        damping: DAMPING * share(reg::D_GAIN),
        dead_zone: (
            dead_zone(reg::DEAD_ZONE_FORWARD),
            dead_zone(reg::DEAD_ZONE_BACKWARD),
        ),
        limit,
    }
}

/// Writes the present registers: the position within a turn, to which `jump` counts are added.
pub(super) fn report(motor: &Motor, memory: &mut Memory, turns: f64, jump: i32) {
    let present = motor.actual() - f64::from(memory.get_signed(reg::HOMING_OFFSET));
    let within = (present.round() as i32).rem_euclid(TURN as i32);
    memory.set_signed(reg::PRESENT_POSITION, within + jump);
    memory.set_signed(reg::PRESENT_VELOCITY, motor.speed().round() as i32);
    let load = motor.torque() / STALL_TORQUE;
    memory.set_signed(reg::PRESENT_LOAD, (load * 1000.0).round() as i32);
    let amps = motor.amps().copysign(load);
    memory.set_signed(reg::PRESENT_CURRENT, (amps / 0.0065).round() as i32);
    let moving = motor.travels(goal(memory, turns));
    memory.set(reg::MOVING, u16::from(moving));
}

/// What its protections allow.
pub(super) fn bounds(memory: &Memory) -> Bounds {
    let get = |register| f64::from(memory.get(register));
    Bounds {
        celsius: get(reg::MAX_TEMPERATURE),
        load: get(reg::OVERLOAD_TORQUE) / 100.0,
        load_secs: get(reg::PROTECTION_TIME) * 0.01,
        amps: get(reg::PROTECTION_CURRENT) * 0.0065,
        amps_secs: get(reg::OVER_CURRENT_TIME) * 0.01,
        volts: (get(reg::MIN_VOLTAGE) / 10.0, get(reg::MAX_VOLTAGE) / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servo() -> StsServo {
        let mut servo = StsServo::new(&Setup {
            name: "elbow_flex".into(),
            id: 3,
            encoder_at_zero: 2259,
            homing_offset: 212,
            range_min: 945,
            range_max: 3149,
            ..Setup::default()
        });
        servo.sense(Motion::default(), 7.4, 0.0025);
        servo
    }

    #[test]
    fn present_is_actual_less_the_homing_offset() {
        assert_eq!(servo().read(56, 2), Some(vec![0xFF, 0x07]));
    }

    #[test]
    fn the_position_begins_again_after_a_turn_and_a_goal_is_meant_in_the_turn_at_hand() {
        let mut servo = StsServo::new(&Setup {
            encoder_at_zero: 100,
            range_max: 4095,
            fresh: true,
            ..Setup::default()
        });
        let back = Motion {
            position: -0.5,
            ..Motion::default()
        };
        servo.sense(back, 7.4, 0.0025);
        // 100 − 326 counts
        assert_eq!(servo.memory.get_signed(reg::PRESENT_POSITION), 3870);
        assert_eq!(servo.read(7, 1), Some(vec![250]));
        servo.write(42, &3870u16.to_le_bytes());
        servo.sense(back, 7.4, 0.0025);
        assert!((servo.goal() + 0.5).abs() < 1e-3, "{}", servo.goal());
    }

    #[test]
    fn a_goal_write_switches_torque_on_again() {
        let mut servo = servo();
        servo.write(40, &[0]);
        servo.write(42, &[0x00, 0x08]);
        assert_eq!(servo.read(40, 1), Some(vec![1]));
    }

    #[test]
    fn goals_are_cut_to_the_position_limits() {
        let mut servo = servo();
        servo.write(42, &[0xFF, 0x0F]);
        assert_eq!(servo.memory.get_signed(reg::GOAL_POSITION), 3149);
        servo.write(42, &[0x0A, 0x80]);
        assert_eq!(servo.memory.get_signed(reg::GOAL_POSITION), 945);
    }

    #[test]
    fn torque_128_makes_this_place_the_centre_and_keeps_it() {
        let mut servo = servo();
        let turned = Motion {
            position: 0.5,
            ..Motion::default()
        };
        servo.sense(turned, 7.4, 0.0025);
        servo.write(40, &[128]);
        assert_eq!(servo.memory.get_signed(reg::PRESENT_POSITION), 2048);
        assert_eq!(servo.memory.get_signed(reg::HOMING_OFFSET), 537);
        assert_eq!(servo.memory.get(reg::TORQUE_ENABLE), 0);
        servo.reboot(0);
        assert_eq!(servo.memory.get_signed(reg::HOMING_OFFSET), 537);
    }

    #[test]
    fn a_reboot_loses_ram_and_keeps_eeprom() {
        let mut servo = servo();
        servo.write(41, &[20]);
        servo.write(42, &[0x00, 0x08]);
        servo.reboot(1_000);
        assert!(!servo.awake(2_000) && servo.awake(1_000 + BOOT_NS));
        assert_eq!(servo.read(40, 4), Some(vec![0, 0, 0, 0]));
        assert_eq!(servo.read(9, 2), Some(vec![0xB1, 0x03]));
    }

    #[test]
    fn a_staged_write_waits_for_its_action() {
        let mut servo = servo();
        servo.answer(
            &Instruction::Stage {
                address: 41,
                data: vec![7],
            },
            false,
        );
        assert_eq!(
            (servo.read(41, 1), servo.read(64, 1)),
            (Some(vec![0]), Some(vec![1]))
        );
        servo.answer(&Instruction::Action, true);
        assert_eq!(
            (servo.read(41, 1), servo.read(64, 1)),
            (Some(vec![7]), Some(vec![0]))
        );
    }

    #[test]
    fn an_overloaded_servo_drops_to_its_protective_torque() {
        let mut servo = servo();
        servo.write(42, &[0xFF, 0x07]);
        servo.protection.latch_overload();
        let drive = servo.drive(0, 7.4, 0.0025);
        assert!((drive.max_torque - 0.38).abs() < 1e-9);
        assert_eq!(servo.error(), reg::error::OVERLOAD);
        servo.write(40, &[0]);
        servo.write(40, &[1]);
        assert_eq!(servo.error(), 0);
        assert!(servo.drive(0, 7.4, 0.0025).max_torque > 1.8);
    }
}
