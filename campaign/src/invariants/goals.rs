//! The goals of each tick: one for every joint, each as its own books allow it.

use surehand::control::{JointCommand, Measured, Step, Torque, TorqueAct};
use surehand::messages::Mode;
use surehand::units::{JointVec, Rad};

use super::{FOLLOWING_SHARE, Observer};
use crate::law::Law;
use crate::motion::{Broken, Held, Motion, Move, broken};
use crate::room::Goals;

impl Observer {
    /// The servos hold `goals` before the first tick.
    pub(crate) fn holding(mut self, goals: &JointVec<Option<Rad>>) -> Observer {
        let gripper = self.config.model.gripper();
        for (joint, (motion, goal)) in self.motions.iter_mut().zip(goals).enumerate() {
            let most = if gripper == Some(joint) {
                f64::INFINITY
            } else {
                motion.lead() * FOLLOWING_SHARE
            };
            motion.holding(goal.map(|goal| Held { goal: goal.0, most }));
        }
        self
    }

    /// Every joint has its goal in every tick while the arm holds, each as its own books allow.
    pub(super) fn goals(
        &mut self,
        step: &Step<JointCommand>,
        believed: Option<&JointVec<Measured>>,
    ) -> Result<(), Broken> {
        let (Some(command), Some(believed)) = (&step.command, believed) else {
            if self.torque == Torque::On && self.motions.iter().any(|m| m.goal().is_some()) {
                return broken(
                    "an arm that holds is given its goals every tick",
                    format!("none in {}", step.mode),
                );
            }
            self.motions.iter_mut().for_each(Motion::limp);
            if self.torque == Torque::Off {
                self.motions.iter_mut().for_each(|it| it.holding(None));
            }
            self.room.forget();
            return Ok(());
        };
        let goals = command.positions();
        if goals.len() != self.motions.len() {
            return broken(
                "there is a goal for every joint",
                format!("{} goals", goals.len()),
            );
        }
        if step.torque == TorqueAct::Enable {
            self.motions.iter_mut().for_each(|motion| {
                motion.limp();
                motion.holding(None);
            });
        }
        let driven =
            (step.mode == Mode::Running && self.plan.is_some()) || step.mode == Mode::Parking;
        let joints = self.motions.iter_mut().zip(&goals).zip(believed);
        for (joint, ((motion, goal), measured)) in joints.enumerate() {
            let tick = Move {
                goal: goal.0,
                measured: measured.position.0,
                encoder: self.health.encoder(joint),
                // The push is taken off what blocked a joint.
                driven: driven || (step.mode == Mode::Stopping && step.eased.contains(joint)),
            };
            motion.step(&tick).map_err(|found| Broken {
                detail: format!("joint {joint}: {}", found.detail),
                ..found
            })?;
        }
        let gripper = self.config.model.gripper();
        let mut motions = self.motions.iter().enumerate();
        self.room.step(&Goals {
            model: &self.config.model,
            goals: &goals,
            pulled: motions.any(|(joint, motion)| gripper != Some(joint) && motion.pulled()),
        })
    }

    /// A stop ends.
    pub(super) fn stops(&mut self, step: &Step<JointCommand>) -> Result<(), Broken> {
        if step.mode != Mode::Stopping {
            self.stopping = 0;
            return Ok(());
        }
        self.stopping += 1;
        let limits = self.config.model.limits().iter();
        let longest = limits.map(|limits| Law::of(limits).stopping_secs());
        let brake = longest.fold(0.0, f64::max);
        // Taking the push off a blocked joint is one more move.
        let moves = if step.eased.is_empty() { 1.0 } else { 3.0 };
        let secs = moves * brake + self.config.monitors.settle.as_secs_f64();
        let patience = secs / self.config.period.as_secs_f64() + 5.0;
        if f64::from(self.stopping) > patience {
            return broken(
                "a stop ends",
                format!("{} ticks, {patience} allowed", self.stopping),
            );
        }
        Ok(())
    }
}
