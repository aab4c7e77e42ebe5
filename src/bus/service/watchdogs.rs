//! The servos' own watchdogs over the bus: asked, and set right when they have tripped.
//!
//! Real time: no allocation, lock or log below this line. Never decides when.

use super::{Bus, GoalError, Ready};
use crate::bus::dynamixel::register as dynamixel;
use crate::bus::map::map;
use crate::bus::register::{Block, RamRegister, Torque};
use crate::bus::settings::ServoSettings;
use crate::bus::transaction::Answer;
use crate::control::JointCommand;
use crate::units::{JointSet, JointVec, MonoTime};

/// What bus watchdogs say; one that could not be asked is in neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watchdogs {
    /// They have tripped.
    pub tripped: JointSet,
    /// They have not.
    pub well: JointSet,
}

impl Bus<Ready> {
    /// The bus watchdogs and what they are set to, where there are any.
    pub(super) fn watchdogs(&self) -> Option<(RamRegister, JointVec<i32>)> {
        let register = map(self.family()).watchdog?;
        let settings = self.state().settings.iter();
        Some((register, settings.map(ServoSettings::watchdog).collect()))
    }

    /// Joints whose bus watchdog is in use.
    #[must_use]
    pub fn watched(&self) -> JointSet {
        let mut watched = JointSet::default();
        for (joint, settings) in self.state().settings.iter().enumerate() {
            if settings.watchdog() > 0 {
                watched.insert(joint);
            }
        }
        watched
    }

    /// What the bus watchdogs of `joints` say.
    pub fn ask_watchdogs(&mut self, joints: JointSet, deadline: MonoTime) -> Watchdogs {
        let all = *self.ids();
        let ids: JointVec<u8> = joints.iter().filter_map(|joint| all.get(joint)).collect();
        let mut said = Watchdogs::default();
        if ids.is_empty() {
            return said;
        }
        let block = Block::of(dynamixel::BUS_WATCHDOG);
        let answers = self.line().sync_read(&ids, block, deadline);
        for (joint, answer) in joints.iter().zip(&answers) {
            let Answer::Data { bytes, .. } = answer else {
                continue;
            };
            match block.get(bytes.as_slice(), dynamixel::BUS_WATCHDOG) {
                Some(dynamixel::TRIPPED) => said.tripped.insert(joint),
                Some(_) => said.well.insert(joint),
                None => {}
            }
        }
        said
    }

    /// Sets right the bus watchdogs of `joints`, which have tripped: off, then the torque limit and
    /// the goal of `command`, then on again. For an arm that stands, within a tick; ask
    /// [`Bus::ask_watchdogs`] again after it.
    ///
    /// # Errors
    /// As [`Bus::write_goals`].
    pub fn clear_watchdogs(
        &mut self,
        joints: JointSet,
        command: &JointCommand,
        deadline: MonoTime,
    ) -> Result<(), GoalError> {
        let Some((watchdog, set)) = self.watchdogs() else {
            return Ok(());
        };
        let goals = self.goals(command)?;
        let map = map(self.family());
        let torque: JointVec<i32> =
            (self.state().settings.iter().map(ServoSettings::torque)).collect();
        // A goal is written only where torque is meant to be on.
        let goals = (self.state().torque == Torque::On).then_some(goals);
        let steps = [
            Some((watchdog, set.map(|_| 0))),
            Some((map.torque, torque)),
            goals.map(|goals| (map.goal_position, goals)),
            Some((watchdog, set)),
        ];
        let ids = *self.ids();
        for (register, values) in steps.into_iter().flatten() {
            let of = |joint| ids.get(joint).zip(values.get(joint));
            let pairs = joints.iter().filter_map(of);
            self.line().write_each(register, pairs, deadline)?;
        }
        Ok(())
    }
}
