//! The arm behind the serial port, as the loop uses it.
//!
//! Owns the bus and the time each exchange may take. Errors of a write are counted by the bus and
//! show in the next readings; a tick never waits longer than its share.
//!
//! Real time: reading and writing neither allocate nor log; opening does.

use std::time::Duration;

use super::audit::{Audit, Finding};
use super::watchdogs::Watchdogs;
use super::{Boot, GuardError, settings};
use crate::bus::map::map;
use crate::bus::register::Torque as WireTorque;
use crate::bus::{
    Bus, FoundServo, HeldGoal, Port, RawReading, Ready, ServoSettings, Timeouts, TorqueError,
    TorqueFault,
};
use crate::cell::{Arm, Cell};
use crate::control::{JointCommand, JointReading, Torque};
use crate::messages::BusErrors;
use crate::realtime;
use crate::units::{JointSet, JointVec, MonoTime, Rad};

/// What a servo and an adapter take to answer, above the time of the bytes.
const ANSWER: Duration = Duration::from_micros(500);
/// Share of a period that reading may take.
const READ_SHARE: f64 = 0.75;
/// Switching torque on reads back every servo; it happens while the arm stands.
const TORQUE_ON: Duration = Duration::from_millis(40);
/// One lost reply of all these is no reason to stay limp.
const TORQUE_TRIES: u32 = 4;

/// How far a load may pull a joint off its goal, radians.
const SAG: f64 = 0.05;

/// Every so many ticks without another question a servo is asked for supply and temperature, where
/// they are not in every reading: an error of either is in each of its answers.
const HEALTH_EVERY: usize = 3;
/// A changed torque limit is written this often: one lost write must not pass for a restart.
const EASE_WRITES: u8 = 3;

/// What the servos did before they were brought into service.
pub(super) struct Held {
    pub(super) torque: Torque,
    /// The goals of those that hold, where they could be read.
    pub(super) goals: JointVec<Option<Rad>>,
}

/// The arm's bus in service.
pub(super) struct ArmPort {
    bus: Bus<Ready>,
    audit: Audit,
    watchdogs: Watchdogs,
    /// What each servo has while nothing is eased.
    settings: JointVec<Option<ServoSettings>>,
    /// Joints with a share of their torque, and how often that is still to be written.
    eased: JointSet,
    ease_writes: u8,
    /// Whose supply and temperature are asked for next, where they are not in every reading.
    health_turn: usize,
    read_ns: u64,
    /// What asking one servo takes.
    question_ns: u64,
    period_ns: u64,
}

impl ArmPort {
    /// Opens the port and brings the servos into service. A fresh start refuses an arm with
    /// problems; a takeover holds on to what is there.
    ///
    /// # Errors
    /// One line naming port or servo and remedy. No torque was switched on.
    pub(super) fn open(cell: &Cell, arm: &Arm, boot: Boot) -> Result<(ArmPort, Held), GuardError> {
        let hardware = |error: &dyn std::fmt::Display| GuardError::Hardware(error.to_string());
        let servo_settings = settings::servo_settings(cell, arm)?;
        let port =
            Port::open(&cell.bus.port, cell.bus.baud, cell.bus.family).map_err(|e| hardware(&e))?;
        let found = Bus::new(port, arm.calibration.clone()).find();
        let names = arm.calibration.joints().iter();
        let names = names.map(|joint| (joint.name(), joint.id()));
        let servo_settings = match settings::watched(cell, names, found.servos(), &servo_settings) {
            Ok(watched) => watched,
            Err(problem) if boot == Boot::Fresh => return Err(hardware(&problem)),
            Err(problem) => {
                tracing::error!("taking over an arm with a problem: {problem}");
                servo_settings
            }
        };
        let goals = match boot {
            // What another program has told them is no goal of this controller's.
            Boot::Fresh => JointVec::default(),
            Boot::Replacing | Boot::Replugged => held_goals(found.servos(), arm),
        };
        let mut bus = match boot {
            Boot::Fresh => found.ready(&servo_settings),
            Boot::Replacing | Boot::Replugged => {
                for problem in found.problems() {
                    tracing::error!("taking over an arm with a problem: {problem}");
                }
                found.adopt(&servo_settings)
            }
        }
        .map_err(|e| hardware(&e))?;
        let watched = bus.watched();
        if cell.bus.shared_replies {
            bus.share_replies();
        }
        let seconds = bus.seconds();
        let torque = match bus.torque() {
            WireTorque::On => Torque::On,
            WireTorque::Off => Torque::Off,
        };
        let period_ns = realtime::nanos(settings::period(cell));
        let port = ArmPort {
            bus,
            audit: Audit::new(arm.model.len()),
            watchdogs: Watchdogs::new(watched),
            settings: servo_settings.iter().copied().map(Some).collect(),
            eased: JointSet::default(),
            ease_writes: 0,
            health_turn: 0,
            read_ns: (period_ns as f64 * READ_SHARE) as u64,
            // Both servos of a joint are asked together.
            question_ns: question(cell, if seconds > 0 { 2 } else { 1 }),
            period_ns,
        };
        Ok((port, Held { torque, goals }))
    }

    /// Reads all joints; waits at most its share of the period from `now`.
    pub(super) fn read(&mut self, now: MonoTime) -> JointVec<JointReading> {
        // A reading that waits for a servo leaves the time for a question: one that restarted in
        // the meantime must not be found only when all answer again. It ends a little late.
        let question = self.question_ns * 3 / 2;
        let least = self.read_ns * 5 / 8;
        let patience = self.read_ns.saturating_sub(question).max(least);
        let readings = self.bus.read(MonoTime(now.0 + patience));
        let readings = self.bus.in_joint_units(&readings);
        let deadline = MonoTime(now.0 + self.read_ns);
        self.ask_watchdogs(&readings, deadline);
        // A question without the time for its answer would have that answer come among the next
        // tick's, whose reading then waits for more of them, and leaves no time again.
        let in_time = deadline.since(realtime::now()) >= self.question_ns;
        self.audit.observe(&readings);
        if in_time {
            match self.audit.next() {
                Some(joint) => self.ask(joint, deadline),
                None => {
                    self.health_turn = self.health_turn.wrapping_add(1);
                    if self.health_turn.is_multiple_of(HEALTH_EVERY) {
                        let turn = self.health_turn / HEALTH_EVERY;
                        self.bus.ask_health(turn, deadline);
                    }
                }
            }
        }
        readings
    }

    /// A servo that restarted and does not yet hold what it was told again.
    pub(super) fn restarted(&self) -> Option<u8> {
        self.audit.restarted()
    }

    /// Asks those bus watchdogs whose turn it is; a servo that has just been silent is not waited
    /// for again.
    fn ask_watchdogs(&mut self, readings: &JointVec<JointReading>, deadline: MonoTime) {
        let mut asked = self.watchdogs.next();
        for (joint, reading) in readings.iter().enumerate() {
            if matches!(reading, JointReading::Missing(_)) {
                asked.remove(joint);
            }
        }
        if !asked.is_empty() {
            let said = self.bus.ask_watchdogs(asked, deadline);
            self.watchdogs.note(said);
        }
    }

    /// A servo whose bus watchdog has tripped.
    pub(super) fn tripped(&self) -> Option<u8> {
        self.watchdogs.tripped()
    }

    /// Sets right the bus watchdogs that have tripped, for an arm that stands at `command`.
    pub(super) fn clear_watchdogs(&mut self, command: &JointCommand) {
        let tripped = self.watchdogs.all_tripped();
        if !tripped.is_empty() {
            let deadline = self.deadline();
            // Whether it helped shows when they are asked again.
            let _ = self.bus.clear_watchdogs(tripped, command, deadline);
        }
    }

    /// Asks one servo whether it still holds what it was told. One that does not gets its limits
    /// back before the next goal, which would switch its torque on without them.
    fn ask(&mut self, joint: usize, deadline: MonoTime) {
        let finding = match self.bus.audit(joint, deadline) {
            Ok(HeldGoal::AsWritten) => Finding::Same,
            Ok(HeldGoal::Other) => Finding::OtherGoal,
            Err(TorqueError::NotTaken {
                fault: TorqueFault::Differs { .. },
                ..
            }) => Finding::Differs,
            Err(_) => Finding::Unknown,
        };
        self.audit.note(joint, finding);
        if finding == Finding::Differs {
            let deadline = self.deadline();
            // What does not arrive is found by the next question.
            let _ = self.bus.fence(deadline);
        }
    }

    /// Writes the goals. One that fails leaves the servos their last goals, which are safe stops.
    pub(super) fn write(&mut self, command: &JointCommand) {
        let deadline = self.deadline();
        let _ = self.bus.write_goals(command, deadline);
    }

    /// Torque on where the arm stands; whether every servo confirmed it.
    pub(super) fn torque_on(&mut self, command: &JointCommand) -> bool {
        (0..TORQUE_TRIES).any(|_| {
            let deadline = MonoTime(realtime::now().0 + realtime::nanos(TORQUE_ON));
            self.bus.torque_on(command, deadline).is_ok()
        })
    }

    /// Torque off in place; whether every servo confirmed it.
    pub(super) fn torque_off(&mut self) -> bool {
        self.begin_to_confirm();
        (0..TORQUE_TRIES).any(|_| {
            let deadline = MonoTime(realtime::now().0 + realtime::nanos(TORQUE_ON));
            // Best effort: what the servos say counts.
            let _ = self.bus.torque_off(deadline);
            let held = self.bus.torque_held(deadline);
            held.iter().all(|held| *held == Some(false))
        })
    }

    /// Lets the joints of `eased` have `share` of their torque, and the others all of theirs.
    pub(super) fn ease(&mut self, eased: JointSet, share: f64) {
        if eased != self.eased {
            self.eased = eased;
            self.ease_writes = EASE_WRITES;
        }
        if self.ease_writes == 0 {
            return;
        }
        self.ease_writes -= 1;
        let deadline = self.deadline();
        for (joint, settings) in self.settings.iter().enumerate() {
            let Some(settings) = settings else { continue };
            let settings = if eased.contains(joint) {
                settings.eased(share)
            } else {
                *settings
            };
            // What does not arrive is written again, and found by the next question after that.
            let _ = self.bus.set(joint, settings, deadline);
        }
    }

    /// Every servo has to confirm anew that it holds what it was told.
    pub(super) fn begin_to_confirm(&mut self) {
        self.audit.begin_to_confirm();
    }

    /// Servos that have not confirmed since.
    pub(super) fn not_confirmed(&self) -> JointSet {
        self.audit.not_confirmed()
    }

    /// The serial port itself.
    pub(super) fn device(&self) -> &Port {
        self.bus.port()
    }

    pub(super) fn errors(&self) -> BusErrors {
        self.bus.errors()
    }

    fn deadline(&self) -> MonoTime {
        MonoTime(realtime::now().0 + self.period_ns)
    }
}

/// The goals to keep of an arm that is taken over. A joint farther off than a load pulls it pushes
/// against something, and is to stand where it is; a gripper may be closed on what it holds.
fn held_goals(servos: &[FoundServo], arm: &Arm) -> JointVec<Option<Rad>> {
    let servos = servos.iter().zip(arm.calibration.joints()).enumerate();
    let goals = servos.map(|(index, (servo, joint))| {
        let goal = joint.angle(servo.goal?);
        let RawReading::Fresh { position, .. } = servo.reading else {
            return None;
        };
        let off = (goal.0 - joint.angle(position).0).abs();
        let grips = arm.model.gripper() == Some(index);
        (grips || off <= SAG).then_some(goal)
    });
    goals.collect()
}

/// Nanoseconds that asking so many servos takes at most.
fn question(cell: &Cell, servos: usize) -> u64 {
    let family = cell.bus.family;
    let timeouts = Timeouts::new(family, cell.bus.baud, ANSWER);
    realtime::nanos(timeouts.sync_read(servos, map(family).control))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cell::Overrides;
    use crate::control::ReadFault;
    use crate::units::Counts;

    #[test]
    fn a_goal_is_kept_by_a_joint_that_hangs_from_it_and_by_a_grip_alone() {
        let cell = Cell::load(Path::new("cells/sim.toml"), &Overrides::default()).unwrap();
        let arm = cell.load_arm().unwrap();
        let at = |position: i32, goal: Option<i32>| FoundServo {
            model: None,
            firmware: None,
            reading: RawReading::Fresh {
                position: Counts(position),
                velocity: 0,
                load: 0,
                voltage: 74,
                temperature: 30,
                errors: 0,
            },
            health: None,
            torque_on: Some(goal.is_some()),
            goal: goal.map(Counts),
        };
        let silent = FoundServo {
            reading: RawReading::Missing(ReadFault::Timeout),
            ..at(0, Some(2000))
        };
        let servos = [
            at(2000, Some(2010)),
            at(2000, Some(2100)),
            at(2000, None),
            silent,
            at(2000, Some(1990)),
            at(2000, Some(2300)),
        ];
        let held = held_goals(&servos, &arm);
        let kept: Vec<bool> = held.iter().map(Option::is_some).collect();
        assert_eq!(kept, [true, false, false, false, true, true]);
        let joint = &arm.calibration.joints()[0];
        assert_eq!(held.get(0), Some(Some(joint.angle(Counts(2010)))));
    }
}
