//! The bus in service: read, write, torque on, torque off, and a look at what a servo holds.
//!
//! Real time: no allocation, lock or log below this line. Owns what is believed about torque, so
//! that no goal goes to an arm meant to be limp (a goal write switches torque on). Never decides a
//! motion.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod audit;
mod reading;
mod shadows;
mod watchdogs;

pub use audit::HeldGoal;
pub use reading::{Health, RawReading, Reading};
pub use shadows::Second;
pub use watchdogs::Watchdogs;

use super::bringup::{Bus, Ready};
use super::dynamixel::register as dynamixel;
use super::dynamixel::status::ALERT;
use super::frames::ReplyFrames;
use super::map::map;
use super::register::{Block, RamRegister, Register, Torque};
use super::scan::Frames;
use super::settings::ServoSettings;
use super::transaction::{Answer, PortFault, WriteError};
use crate::arm::Family;
use crate::arm::calibration::OutsideRange;
use crate::control::{JointCommand, JointReading, ReadFault};
use crate::messages::BusErrors;
use crate::units::{JointVec, MonoTime};
use audit::check;

/// Why no goal was written to any servo.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum GoalError {
    /// The arm is meant to be limp, and a goal would switch torque on.
    #[error("torque is off: a goal would switch it on")]
    TorqueOff,
    /// Not one goal for each joint.
    #[error("{received} goals for {expected} joints")]
    JointCount {
        /// Joints.
        expected: usize,
        /// Goals.
        received: usize,
    },
    /// A goal that its servo may not have.
    #[error("joint {joint}: {source}")]
    OutsideRange {
        /// Index in the arm's order.
        joint: usize,
        /// The goal and the range.
        source: OutsideRange,
    },
    /// The write failed.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a servo does not hold what it was told, or can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TorqueFault {
    /// It could not be read back.
    Unread(ReadFault),
    /// A register holds something else.
    Differs {
        /// Address of the register.
        address: u16,
        /// As written.
        expected: i32,
        /// As read back.
        found: i32,
    },
}

/// Why torque was not switched on, or settings were not taken.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TorqueError {
    /// The goals could not be written.
    #[error(transparent)]
    Goal(#[from] GoalError),
    /// A write failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Reading back failed.
    #[error("joint {joint} did not take what it was told ({fault:?})")]
    NotTaken {
        /// Index in the arm's order.
        joint: usize,
        /// What came back.
        fault: TorqueFault,
    },
}

impl Bus<Ready> {
    /// Reads every servo: position, velocity, load, voltage, temperature, error bits.
    ///
    /// A servo that alerts is asked for its hardware error as well, once.
    pub fn read(&mut self, deadline: MonoTime) -> JointVec<RawReading> {
        let (ids, block) = (*self.ids(), map(self.family()).present);
        let frames = self.state().frames.now();
        let answers = self.line().sync_read_in(frames, &ids, block, deadline);
        let missing = |answer: &Answer| matches!(answer, Answer::Missing(_));
        let broken = answers.iter().any(missing);
        self.state_mut().frames.note(broken);
        let mut readings: JointVec<RawReading> = answers
            .iter()
            .zip(&self.state().readings)
            .map(|(answer, reading)| RawReading::from_answer(*reading, answer))
            .collect();
        self.name_alerts(&mut readings, deadline);
        self.with_seconds(&mut readings);
        readings
    }

    /// Asks one servo for its supply and temperature, where a tick does not read them of all.
    /// `servo` counts in the arm's order and on through second servos, modulo the number of all.
    pub fn ask_health(&mut self, servo: usize, deadline: MonoTime) {
        let joints = self.ids().len();
        let joint = servo.checked_rem(joints + self.seconds()).unwrap_or(0);
        if let Some(second) = joint.checked_sub(joints) {
            return self.ask_second(second, deadline);
        }
        let (Some(block), Some(id)) = (map(self.family()).health, self.ids().get(joint)) else {
            return;
        };
        let ids = JointVec::repeat(id, 1);
        let answers = self.line().sync_read(&ids, block, deadline);
        let answer = answers.get(0).unwrap_or_default();
        if let Some(reading) = self.state_mut().readings.as_mut_slice().get_mut(joint)
            && matches!(answer, Answer::Data { .. })
        {
            reading.health = Health::from_answer(&answer);
        }
    }

    /// Adds to each alert the hardware error that it is for.
    fn name_alerts(&mut self, readings: &mut JointVec<RawReading>, deadline: MonoTime) {
        let ids = *self.ids();
        for (joint, reading) in readings.iter_mut().enumerate() {
            let RawReading::Fresh { errors, .. } = reading else {
                continue;
            };
            if *errors & ALERT == 0 || self.family() == Family::Feetech {
                continue;
            }
            let known = self.state().hardware.get(joint).unwrap_or(0);
            let bits = match ids.get(joint) {
                Some(id) if known == 0 => self.hardware_error(id, deadline),
                Some(_) | None => known,
            };
            *errors |= bits;
            if let Some(held) = self.state_mut().hardware.as_mut_slice().get_mut(joint) {
                *held = bits;
            }
        }
    }

    /// The bits of a servo's hardware error register; none when it could not be asked.
    fn hardware_error(&mut self, id: u8, deadline: MonoTime) -> u8 {
        let block = Block::of(dynamixel::HARDWARE_ERROR);
        let ids = JointVec::repeat(id, 1);
        let answers = self.line().sync_read(&ids, block, deadline);
        let bits = answers.get(0).and_then(|answer| match answer {
            Answer::Data { bytes, .. } => block.get(bytes.as_slice(), dynamixel::HARDWARE_ERROR),
            Answer::Missing(_) => None,
        });
        bits.and_then(|bits| u8::try_from(bits).ok()).unwrap_or(0)
    }

    /// `readings` in joint units.
    #[must_use]
    pub fn in_joint_units(&self, readings: &JointVec<RawReading>) -> JointVec<JointReading> {
        readings
            .iter()
            .zip(self.calibration().joints())
            .map(|(reading, joint)| reading.in_joint_units(joint))
            .collect()
    }

    /// Writes the goals of all servos at once.
    ///
    /// # Errors
    /// When torque is off, a goal is outside its calibrated range, or the port fails. Nothing has
    /// been written then, and the servos hold their last goals.
    pub fn write_goals(
        &mut self,
        command: &JointCommand,
        deadline: MonoTime,
    ) -> Result<(), GoalError> {
        if self.state().torque == Torque::Off {
            return Err(GoalError::TorqueOff);
        }
        let goals = self.goals(command)?;
        self.write_all(map(self.family()).goal_position, &goals, deadline)?;
        self.state_mut().goals = goals;
        Ok(())
    }

    /// Writes the goals, reads them back, then switches torque on and reads that back. `command`
    /// must be where the arm stands.
    ///
    /// # Errors
    /// When anything of this fails. An arm that was limp before is limp again then.
    pub fn torque_on(
        &mut self,
        command: &JointCommand,
        deadline: MonoTime,
    ) -> Result<(), TorqueError> {
        let was_limp = self.state().torque == Torque::Off;
        let outcome = self.try_torque_on(command, deadline);
        match outcome {
            Ok(()) => self.state_mut().torque = Torque::On,
            // A goal may have gone out, and it may have switched torque on. The error that led
            // here is the one to tell.
            Err(_) if was_limp => {
                let _ = self.torque_off(deadline);
            }
            Err(_) => {}
        }
        outcome
    }

    fn try_torque_on(
        &mut self,
        command: &JointCommand,
        deadline: MonoTime,
    ) -> Result<(), TorqueError> {
        let goals = self.goals(command)?;
        self.write_all(map(self.family()).goal_position, &goals, deadline)?;
        self.state_mut().goals = goals;
        let register = map(self.family()).goal_position.register();
        self.read_back(register, &goals, deadline)?;
        let on = goals.map(|_| i32::from(Torque::On.byte()));
        let ids = *self.ids();
        self.line().write_torque(&ids, Torque::On, deadline)?;
        self.read_back(map(self.family()).torque_enable, &on, deadline)
    }

    /// Switches torque off: every servo by itself, whatever happens to the others, and as the last
    /// word a broadcast to all. No goal can follow until torque is switched on again.
    ///
    /// # Errors
    /// When the broadcast could not be sent.
    pub fn torque_off(&mut self, deadline: MonoTime) -> Result<(), WriteError> {
        self.state_mut().torque = Torque::Off;
        let ids = *self.ids();
        for id in &ids {
            // Best effort: the broadcast below reports a port that fails.
            let _ = self
                .line()
                .write_torque(&JointVec::repeat(*id, 1), Torque::Off, deadline);
        }
        self.line().broadcast_torque_off(deadline)
    }

    /// What was last asked for: on after [`Bus::torque_on`], off after [`Bus::torque_off`], and
    /// before that as the servos were found (on when any was).
    #[must_use]
    pub fn torque(&self) -> Torque {
        self.state().torque
    }

    /// Whether each servo's torque is on, as it says itself; `None` when it could not be asked.
    pub fn torque_held(&mut self, deadline: MonoTime) -> JointVec<Option<bool>> {
        let register = map(self.family()).torque_enable;
        let block = Block::of(register);
        let held = |answer: Answer| match answer {
            Answer::Data { bytes, .. } => block
                .get(bytes.as_slice(), register)
                .map(|value| value != 0),
            Answer::Missing(_) => None,
        };
        let mut all = self.sync_read(block, deadline).map(held);
        let (joints, ids) = self.second_ids();
        if !ids.is_empty() {
            let seconds = self.line().sync_read(&ids, block, deadline);
            for (joint, second) in joints.iter().zip(&seconds.map(held)) {
                if let Some(first) = all.as_mut_slice().get_mut(*joint) {
                    *first = match (*first, *second) {
                        (Some(false), Some(false)) => Some(false),
                        (Some(true), _) | (_, Some(true)) => Some(true),
                        (None, _) | (_, None) => None,
                    };
                }
            }
        }
        all
    }

    /// Writes acceleration, speed and torque limit of every servo and reads them back. After a
    /// servo has restarted this brings it back into the fence.
    ///
    /// # Errors
    /// When a servo does not take them.
    pub fn configure(&mut self, deadline: MonoTime) -> Result<(), TorqueError> {
        if let Some((register, values)) = self.watchdogs() {
            // One that has tripped lets no goal register be written before it is off, which the
            // torque limit is one of.
            self.write_all(register, &values.map(|_| 0), deadline)?;
        }
        for (register, values) in self.fence_values() {
            self.write_all(register, &values, deadline)?;
            self.read_back(register.register(), &values, deadline)?;
        }
        if let Some((register, values)) = self.watchdogs() {
            self.write_all(register, &values, deadline)?;
            self.read_back(register.register(), &values, deadline)?;
        }
        Ok(())
    }

    /// As [`Bus::configure`] without reading back: for within a tick, with [`Bus::audit`] after it.
    ///
    /// # Errors
    /// When the port fails.
    pub fn fence(&mut self, deadline: MonoTime) -> Result<(), WriteError> {
        for (register, values) in self.fence_values() {
            self.write_all(register, &values, deadline)?;
        }
        Ok(())
    }

    /// The registers that fence each servo in, and what they hold.
    fn fence_values(&self) -> [(RamRegister, JointVec<i32>); 3] {
        let of = |value: fn(&ServoSettings) -> i32| self.state().settings.iter().map(value);
        let map = map(self.family());
        [
            (map.acceleration, of(ServoSettings::acceleration).collect()),
            (map.velocity, of(ServoSettings::velocity).collect()),
            (map.torque, of(ServoSettings::torque).collect()),
        ]
    }

    /// Gives one servo other settings than it was brought into service with, and writes its torque
    /// limit: for within a tick, with [`Bus::audit`] after it.
    ///
    /// # Errors
    /// When the port fails.
    pub fn set(
        &mut self,
        joint: usize,
        settings: ServoSettings,
        deadline: MonoTime,
    ) -> Result<(), WriteError> {
        let (Some(id), Some(held)) = (
            self.ids().get(joint),
            self.state_mut().settings.get_mut(joint),
        ) else {
            return Ok(());
        };
        *held = settings;
        let pair = std::iter::once((id, settings.torque()));
        let register = map(self.family()).torque;
        self.line().write_each(register, pair, deadline)
    }

    /// Has all servos answer a tick's question in one frame, from firmware on that can.
    pub fn share_replies(&mut self) {
        self.state_mut().frames = ReplyFrames::of(Frames::Shared);
    }

    /// What has gone wrong on the wire so far.
    #[must_use]
    pub fn errors(&self) -> BusErrors {
        self.port().errors()
    }

    /// Throws away what came in while nobody listened.
    ///
    /// # Errors
    /// When the port fails.
    pub fn drain(&mut self) -> Result<(), PortFault> {
        self.line().drain()
    }

    fn goals(&self, command: &JointCommand) -> Result<JointVec<i32>, GoalError> {
        let joints = self.calibration().joints();
        let command = command.positions();
        if command.len() != joints.len() {
            return Err(GoalError::JointCount {
                expected: joints.len(),
                received: command.len(),
            });
        }
        let mut goals = JointVec::default();
        for (index, (angle, joint)) in command.iter().zip(joints).enumerate() {
            let goal = joint
                .goal(*angle)
                .map_err(|source| GoalError::OutsideRange {
                    joint: index,
                    source,
                })?;
            // As long as `command`, which is a vector of the same kind.
            let _ = goals.push(i32::from(goal.counts()));
        }
        Ok(goals)
    }

    fn write_all(
        &mut self,
        register: RamRegister,
        values: &JointVec<i32>,
        deadline: MonoTime,
    ) -> Result<(), WriteError> {
        let ids = *self.ids();
        let pairs = ids.iter().copied().zip(values.iter().copied());
        self.line().write_each(register, pairs, deadline)
    }

    fn read_back(
        &mut self,
        register: Register,
        expected: &JointVec<i32>,
        deadline: MonoTime,
    ) -> Result<(), TorqueError> {
        let block = Block::of(register);
        let firsts = self.sync_read(block, deadline);
        let (joints, ids) = self.second_ids();
        let seconds = match ids.is_empty() {
            true => JointVec::default(),
            false => self.line().sync_read(&ids, block, deadline),
        };
        let firsts = firsts.iter().enumerate();
        let seconds = joints.iter().copied().zip(&seconds);
        for (joint, answer) in firsts.chain(seconds) {
            match (answer, expected.get(joint)) {
                (Answer::Data { bytes, .. }, Some(expected)) => {
                    check(block, bytes.as_slice(), register, expected)
                }
                (Answer::Missing(fault), _) => Err(TorqueFault::Unread(*fault)),
                (Answer::Data { .. }, None) => Ok(()),
            }
            .map_err(|fault| TorqueError::NotTaken { joint, fault })?;
        }
        Ok(())
    }
}
