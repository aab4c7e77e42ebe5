//! One servo of the X series: what it answers, what a write makes it do, and how it looks after
//! itself. Owns its registers, motor, shutdown, bus watchdog and the faults that befall it alone;
//! the line it hangs on, and when its answers are sent, are [`crate::servo::bank`]'s.

use super::memory::Memory;
use super::packet::Instruction;
use super::registers::{self as reg, Make, error};
use crate::servo::device::{Afflictions, Setup};
use crate::servo::model::Model;
use crate::servo::motor::{DAMPING, Motor, NOMINAL_VOLTS, Orders, Power, STALL_TORQUE, STIFFNESS};
use crate::servo::protection::{Bounds, Burden, Protection};
use crate::servo::registers::error as hardware;
use crate::{Drive, Motion};

/// How long a servo says nothing after its power came back.
const BOOT_NS: u64 = 10_000_000;
/// ns in a unit of the bus watchdog.
const WATCHDOG_UNIT_NS: u64 = 20_000_000;
/// The bus watchdog's value once it has tripped.
const TRIPPED: i32 = 0xFF;
/// Counts/s in a unit of a velocity.
const VELOCITY_UNIT: f64 = 0.229 * 4096.0 / 60.0;
/// Counts/s² in a unit of an acceleration.
const ACCELERATION_UNIT: f64 = 214.577 * 4096.0 / 3600.0;
/// Homing offsets beyond this are none in mode 3, counts.
const MAX_OFFSET: i32 = 1024;
/// Counts in a turn.
const TURN: f64 = 4096.0;
/// Gains of an XL430, at which the position loop is as stiff and as damped as the motor model says.
const GAINS: (f64, f64) = (640.0, 4000.0);
/// Overload: more than this share of the stall torque for so many seconds.
const OVERLOAD: (f64, f64) = (0.8, 2.0);
/// The hardware errors that are simulated.
const SIMULATED: u8 = hardware::VOLTAGE | hardware::OVERHEAT | hardware::OVERLOAD;

/// What a servo says of a request: an error, and bytes when they were asked for.
pub type Answer = (u8, Vec<u8>);

/// One servo of the bank.
#[derive(Debug, Clone)]
pub struct XServo {
    name: String,
    model: Model,
    make: Make,
    memory: Memory,
    pub(in crate::servo) motor: Motor,
    pub(in crate::servo) protection: Protection,
    staged: Option<(u16, Vec<u8>)>,
    pub(in crate::servo) afflictions: Afflictions,
    boots_until_ns: u64,
    /// When an instruction was last heard, or the bus watchdog set.
    heard_ns: u64,
    /// Stands where it stopped, whatever its goal: it was stopped by its bus watchdog and has had
    /// no goal since.
    stopped: bool,
    /// Its goal is to become where it is: power has just come on.
    fresh: bool,
    /// Whole turns of the encoder, counts, that it has not counted: at power-up it knows its place
    /// in a turn alone.
    turns: f64,
}

impl XServo {
    /// A servo on which id, homing and range were set, and unless it is fresh its rate too (1 Mbaud
    /// when not told another that it knows) and the factory's 500 µs return delay taken away.
    #[must_use]
    pub fn new(setup: &Setup) -> XServo {
        let mut memory = Memory::factory(setup.model);
        memory.set(reg::ID, i32::from(setup.id));
        if !setup.fresh {
            let code = setup.baud.and_then(reg::baud_code);
            memory.set(reg::BAUD, code.unwrap_or(reg::ONE_MEGABAUD));
            memory.set(reg::RETURN_DELAY, 0);
        }
        memory.set(reg::HOMING_OFFSET, setup.homing_offset);
        memory.set(reg::MIN_POSITION, i32::from(setup.range_min));
        memory.set(reg::MAX_POSITION, i32::from(setup.range_max));
        memory.save();
        memory.power_up();
        XServo {
            name: setup.name.clone(),
            model: setup.model,
            make: reg::make_of(setup.model),
            memory,
            motor: Motor::new(setup.encoder_at_zero),
            protection: Protection::default(),
            staged: None,
            afflictions: Afflictions::default(),
            boots_until_ns: 0,
            heard_ns: 0,
            stopped: false,
            fresh: true,
            turns: 0.0,
        }
    }

    /// Joint it moves.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id in its registers.
    #[must_use]
    pub fn own_id(&self) -> u8 {
        self.memory.get(reg::ID) as u8
    }

    /// Whether it obeys `id` without answering.
    #[must_use]
    pub fn shadows(&self, id: u8) -> bool {
        id <= 252 && self.memory.get(reg::SECONDARY_ID) == i32::from(id)
    }

    /// Bits a second it speaks.
    #[must_use]
    pub fn baud(&self) -> u32 {
        reg::baud_of(self.memory.get(reg::BAUD)).unwrap_or(57_600)
    }

    /// ns between a request and the answer, as the register asks.
    #[must_use]
    pub fn return_delay_ns(&self) -> u64 {
        self.memory.get(reg::RETURN_DELAY) as u64 * 2_000
    }

    /// Whether it listens at `now_ns`.
    #[must_use]
    pub fn awake(&self, now_ns: u64) -> bool {
        now_ns >= self.boots_until_ns
    }

    /// Hardware errors.
    #[must_use]
    pub fn hardware_error(&self) -> u8 {
        self.memory.get(reg::HARDWARE_ERROR) as u8
    }

    /// Joint angle of the goal it holds, rad.
    #[must_use]
    pub fn goal(&self) -> f64 {
        self.motor.angle_of(self.actual_goal())
    }

    /// Whether torque is on.
    #[must_use]
    pub fn torque_on(&self) -> bool {
        self.memory.get(reg::TORQUE_ENABLE) == 1
    }

    /// `len` bytes from `address`, `None` when there are no such registers.
    #[must_use]
    pub fn read(&self, address: u16, len: u16) -> Option<Vec<u8>> {
        self.memory.read(address, len)
    }

    /// Its supply while the arm's is this.
    pub(in crate::servo) fn volts(&self, arms: f64) -> f64 {
        let own = self.make.supply;
        own.map_or(arms, |own| own * arms / NOMINAL_VOLTS)
    }

    fn offset(&self) -> i32 {
        let offset = self.memory.get(reg::HOMING_OFFSET);
        let single = self.memory.get(reg::OPERATING_MODE) == 3;
        if single && offset.abs() > MAX_OFFSET {
            0
        } else {
            offset
        }
    }

    fn actual_goal(&self) -> f64 {
        f64::from(self.memory.get(reg::GOAL_POSITION) - self.offset()) + self.turns
    }

    /// An instruction has passed over the line, to whomever.
    pub fn hear(&mut self, now_ns: u64) {
        self.watch(now_ns);
        self.heard_ns = now_ns;
    }

    /// Lets the bus watchdog trip, if it is time.
    fn watch(&mut self, now_ns: u64) {
        let units = self.memory.get(reg::BUS_WATCHDOG);
        let on = self.torque_on() && (1..=127).contains(&units);
        let patience = units.unsigned_abs() as u64 * WATCHDOG_UNIT_NS;
        if on && now_ns.saturating_sub(self.heard_ns) > patience {
            self.trip();
        }
    }

    /// The bus watchdog trips.
    pub fn trip(&mut self) {
        self.memory.set(reg::BUS_WATCHDOG, TRIPPED);
        if self.make.watchdog_stops {
            self.motor.stop();
            self.stopped = true;
        }
    }

    /// Carries out a request to this servo alone. Gives error and parameters of the answer, `None`
    /// where a servo says nothing.
    pub fn answer(&mut self, instruction: &Instruction, now_ns: u64) -> Option<Answer> {
        let level = self.memory.get(reg::STATUS_LEVEL);
        let done = |outcome: Result<(), u8>| (outcome.err().unwrap_or(0), Vec::new());
        match instruction {
            Instruction::Ping => {
                let [low, high, ..] = self.memory.get(reg::MODEL).to_le_bytes();
                let firmware = self.memory.get(reg::FIRMWARE) as u8;
                Some((0, vec![low, high, firmware]))
            }
            Instruction::Read { address, len } => match self.memory.read(*address, *len) {
                Some(bytes) => Some((0, bytes)),
                None => Some((error::FAILED, Vec::new())),
            }
            .filter(|_| level > 0),
            Instruction::Write { address, data } => {
                let outcome = self.write(*address, data, now_ns);
                Some(done(outcome)).filter(|_| level > 1)
            }
            Instruction::Stage { address, data } => {
                self.staged = Some((*address, data.clone()));
                self.memory.set(reg::STAGED, 1);
                Some(done(Ok(()))).filter(|_| level > 1)
            }
            Instruction::Action => {
                self.memory.set(reg::STAGED, 0);
                let outcome = match self.staged.take() {
                    Some((address, data)) => self.write(address, &data, now_ns),
                    None => Err(error::INSTRUCTION),
                };
                Some(done(outcome)).filter(|_| level > 1)
            }
            Instruction::Reboot => {
                self.reboot(now_ns);
                Some(done(Ok(()))).filter(|_| level > 1)
            }
            Instruction::Reset { keep_id, keep_baud } => {
                self.reset(*keep_id, *keep_baud, now_ns);
                Some(done(Ok(()))).filter(|_| level > 1)
            }
            Instruction::Unknown => Some(done(Err(error::INSTRUCTION))).filter(|_| level > 1),
            Instruction::ReadEach { .. }
            | Instruction::ReadTogether { .. }
            | Instruction::WriteEach { .. } => None,
        }
    }

    /// A host's write, with all that it sets off.
    ///
    /// # Errors
    /// The error of the status frame; nothing was written.
    pub fn write(&mut self, address: u16, data: &[u8], now_ns: u64) -> Result<(), u8> {
        let mut after = self.memory.clone();
        after.write(address, data)?;
        let changed = |register| {
            let (from, to) = (
                register_span(register),
                address..address + data.len() as u16,
            );
            from.start < to.end && to.start < from.end
        };
        let goals = [
            reg::GOAL_PWM,
            reg::GOAL_CURRENT,
            reg::GOAL_VELOCITY,
            reg::GOAL_POSITION,
        ];
        let tripped = self.memory.get(reg::BUS_WATCHDOG) == TRIPPED;
        // Through an indirect address as well.
        let moved = |register| after.get(register) != self.memory.get(register);
        if tripped && goals.into_iter().any(|goal| changed(goal) || moved(goal)) {
            return Err(error::RANGE);
        }
        if tripped && changed(reg::BUS_WATCHDOG) && after.get(reg::BUS_WATCHDOG) != 0 {
            return Err(error::RANGE);
        }
        let within = |goal, limit| after.get(goal).abs() <= after.get(limit);
        let position = after.get(reg::GOAL_POSITION);
        let inside = after.get(reg::MIN_POSITION)..=after.get(reg::MAX_POSITION);
        let single = after.get(reg::OPERATING_MODE) == 3;
        let beyond = changed(reg::GOAL_POSITION) && single && !inside.contains(&position)
            || changed(reg::GOAL_PWM) && !within(reg::GOAL_PWM, reg::PWM_LIMIT)
            || changed(reg::GOAL_CURRENT) && !within(reg::GOAL_CURRENT, reg::CURRENT_LIMIT)
            || changed(reg::GOAL_VELOCITY) && !within(reg::GOAL_VELOCITY, reg::VELOCITY_LIMIT);
        if beyond {
            return Err(error::LIMIT);
        }
        if changed(reg::TORQUE_ENABLE) && after.get(reg::TORQUE_ENABLE) == 1 && self.shut_down() {
            return Err(error::ACCESS);
        }
        if changed(reg::BUS_WATCHDOG) {
            self.heard_ns = now_ns;
        }
        self.stopped &= !changed(reg::GOAL_POSITION);
        self.fresh &= !changed(reg::GOAL_POSITION);
        self.memory = after;
        Ok(())
    }

    /// Whether a hardware error has taken the torque.
    fn shut_down(&self) -> bool {
        self.memory.get(reg::HARDWARE_ERROR) & self.memory.get(reg::SHUTDOWN) != 0
    }

    /// It starts anew: RAM registers are at their defaults, torque is off, errors are forgotten.
    pub fn reboot(&mut self, now_ns: u64) {
        self.memory.power_up();
        self.protection.power_up();
        self.staged = None;
        self.afflictions.jump = 0;
        self.boots_until_ns = now_ns + BOOT_NS;
        (self.stopped, self.fresh) = (false, true);
        self.turns = (self.motor.actual() / TURN).floor() * TURN;
        self.report(0.0, now_ns);
    }

    /// Its registers.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    fn reset(&mut self, keep_id: bool, keep_baud: bool, now_ns: u64) {
        let (id, baud) = (self.memory.get(reg::ID), self.memory.get(reg::BAUD));
        self.memory = Memory::factory(self.model);
        if keep_id {
            self.memory.set(reg::ID, id);
        }
        if keep_baud {
            self.memory.set(reg::BAUD, baud);
        }
        self.memory.save();
        self.reboot(now_ns);
    }

    fn orders(&self) -> Orders {
        let get = |register| f64::from(self.memory.get(register));
        let some = |value: f64| (value > 0.0).then_some(value);
        let mode = self.memory.get(reg::OPERATING_MODE);
        let pwm = get(reg::GOAL_PWM).abs() / 885.0;
        let current = match (mode, self.make.amps_unit) {
            (5, Some(unit)) => get(reg::GOAL_CURRENT).abs() * unit / self.make.stall_amps,
            _ => 1.0,
        };
        let on = self.torque_on() && (3..=5).contains(&mode);
        Orders {
            power: if on { Power::On } else { Power::Off },
            goal: if self.stopped {
                self.motor.profile().0
            } else {
                self.actual_goal()
            },
            speed: some(get(reg::PROFILE_VELOCITY) * VELOCITY_UNIT),
            acceleration: some(get(reg::PROFILE_ACCELERATION) * ACCELERATION_UNIT),
            stiffness: STIFFNESS * get(reg::P_GAIN) / GAINS.0,
            damping: DAMPING * get(reg::D_GAIN) / GAINS.1,
            dead_zone: (0.0, 0.0),
            limit: pwm.min(current).min(1.0),
        }
    }

    /// What it asks of its joint during the next `dt` seconds.
    pub fn drive(&mut self, now_ns: u64, volts: f64, dt: f64) -> Drive {
        self.watch(now_ns);
        self.motor.jam(now_ns < self.afflictions.jammed_until_ns);
        self.motor.run_away(now_ns < self.afflictions.runs_until_ns);
        let orders = self.orders();
        self.motor.drive(&orders, volts, dt)
    }

    /// Takes in what the physics made of it.
    pub fn sense(&mut self, motion: Motion, volts: f64, dt: f64, now_ns: u64) {
        self.motor.sense(motion, dt);
        let torque = self.motor.torque();
        let burden = Burden {
            torque,
            load: torque.abs() / (STALL_TORQUE * volts / NOMINAL_VOLTS).max(f64::EPSILON),
            amps: self.motor.amps(),
            volts,
        };
        let get = |register| f64::from(self.memory.get(register));
        let bounds = Bounds {
            celsius: get(reg::MAX_TEMPERATURE),
            load: OVERLOAD.0,
            load_secs: OVERLOAD.1,
            amps: f64::INFINITY,
            amps_secs: 0.0,
            volts: (get(reg::MIN_VOLTAGE) / 10.0, get(reg::MAX_VOLTAGE) / 10.0),
        };
        if dt > 0.0 {
            self.protection.update(&bounds, burden, dt);
        }
        // What was wrong once is remembered until it starts anew.
        let errors = self.hardware_error() | self.protection.bits() & SIMULATED;
        self.memory.set(reg::HARDWARE_ERROR, i32::from(errors));
        if self.shut_down() {
            self.memory.set(reg::TORQUE_ENABLE, 0);
        }
        self.report(volts, now_ns);
    }

    fn report(&mut self, volts: f64, now_ns: u64) {
        let present = self.motor.actual() - self.turns + f64::from(self.offset());
        let present = present.round() as i32 + self.afflictions.jump;
        if self.fresh && !self.torque_on() {
            self.memory.set(reg::GOAL_POSITION, present);
        }
        let load = self.motor.torque() / STALL_TORQUE;
        let full = self
            .make
            .amps_unit
            .map_or(1000.0, |unit| self.make.stall_amps / unit);
        let (profile, speed) = self.motor.profile();
        let travels = self.motor.travels(self.actual_goal());
        let celsius = self.protection.celsius().round();
        for (register, value) in [
            (reg::REALTIME_TICK, (now_ns / 1_000_000 % 32_768) as f64),
            (reg::MOVING, f64::from(u8::from(travels))),
            (reg::PRESENT_PWM, (load * 885.0).round()),
            (reg::PRESENT_LOAD, (load * full).round()),
            (
                reg::PRESENT_VELOCITY,
                (self.motor.speed() / VELOCITY_UNIT).round(),
            ),
            (reg::VELOCITY_TRAJECTORY, (speed / VELOCITY_UNIT).round()),
            (
                reg::POSITION_TRAJECTORY,
                profile.round() - self.turns + f64::from(self.offset()),
            ),
            (reg::PRESENT_VOLTAGE, (volts * 10.0).round()),
            (reg::PRESENT_TEMPERATURE, celsius),
        ] {
            self.memory.set(register, value as i32);
        }
        self.memory.set(reg::PRESENT_POSITION, present);
    }
}

fn register_span(register: reg::Register) -> std::ops::Range<u16> {
    register.address..register.address + u16::from(register.size)
}

#[cfg(test)]
mod tests;
