//! When torque may be on, come on and go.

use surehand::control::{JointCommand, Step, Torque, TorqueAct};
use surehand::messages::{Mode, Request};

use super::Observer;
use crate::motion::{Broken, broken};

impl Observer {
    /// No goal to a limp arm, and torque only as the mode has it.
    pub(super) fn torque(&mut self, step: &Step<JointCommand>) -> Result<(), Broken> {
        let asked = |wanted| {
            step.answers
                .iter()
                .flatten()
                .any(|answer| *answer == Ok(wanted))
        };
        match step.torque {
            TorqueAct::Keep => {}
            TorqueAct::Enable if asked(Request::Enable) => self.torque = Torque::On,
            TorqueAct::Release if asked(Request::Release) => self.torque = Torque::Off,
            TorqueAct::Release if self.is_put_away(step) => self.torque = Torque::Off,
            TorqueAct::Enable | TorqueAct::Release => {
                return broken(
                    "torque changes only on purpose",
                    format!("{:?} with {:?}", step.torque, step.answers),
                );
            }
        }
        if self.torque == Torque::Off && step.command.is_some() {
            return broken(
                "no goal goes to a limp arm: it would switch torque on",
                format!("in {}", step.mode),
            );
        }
        if step.torque == TorqueAct::Enable && step.command.is_none() {
            return broken("torque comes on with a goal", format!("in {}", step.mode));
        }
        let live = !matches!(step.mode, Mode::Idle | Mode::Stopped);
        let limp = step.mode == Mode::Idle;
        if (live && self.torque == Torque::Off) || (limp && self.torque == Torque::On) {
            return broken(
                "an arm that works holds, and an idle one does not",
                format!("torque is {:?} in {}", self.torque, step.mode),
            );
        }
        Ok(())
    }
}
