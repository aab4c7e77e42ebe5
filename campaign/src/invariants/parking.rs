//! When the arm may be put away, and when it is.

use surehand::arm::AfterStop;
use surehand::control::{JointCommand, Step};
use surehand::messages::{Cause, Mode, Request};

use super::Observer;

impl Observer {
    /// Whether `step` may begin to put the arm away: somebody asked for it while it was not
    /// latched, or the cell has it follow this kind of stop.
    pub(super) fn may_park(&self, step: &Step<JointCommand>) -> bool {
        let Some(parking) = &self.config.parking else {
            return false;
        };
        let follows = match step.cause {
            Some(Cause::Parked) => {
                let mut answers = step.answers.iter().flatten();
                return answers.any(|it| *it == Ok(Request::Park));
            }
            Some(Cause::Shutdown | Cause::Signal) => parking.at_exit,
            Some(Cause::Overheat { .. }) => parking.when_hot,
            _ => AfterStop::Hold,
        };
        // Once it has stood latched, nothing moves it before a reset.
        let mut answers = step.answers.iter().flatten();
        let free = self.mode != Mode::Stopped || answers.any(|it| *it == Ok(Request::Reset));
        follows == AfterStop::Park && free
    }

    /// Whether the last goals were the park pose, and the arm was on its way there.
    pub(super) fn is_put_away(&self, step: &Step<JointCommand>) -> bool {
        let Some(parking) = &self.config.parking else {
            return false;
        };
        let mut joints = self.motions.iter().zip(&parking.pose);
        let there = joints.all(|(motion, pose)| match (motion.goal(), pose) {
            (Some(goal), Some(pose)) => (goal - pose.0).abs() < 2e-3,
            (goal, None) => goal.is_some(),
            (None, Some(_)) => false,
        });
        there && self.mode == Mode::Parking && step.mode == Mode::Stopped
    }
}
