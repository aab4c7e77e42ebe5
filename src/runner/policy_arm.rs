//! The cell's arm as policies meet it: names, units and where its tool is.

use crate::arm::conventions::Convention;
use crate::arm::tool::tool_of;
use crate::cell::Arm;
use crate::messages::ToolSetpoint;
use crate::policy::Embodiment;
use crate::policy::package::Units;
use crate::units::{JointVec, Rad};

/// An arm that answers a policy's questions.
#[derive(Debug, Clone)]
pub struct PolicyArm(pub Arm);

impl PolicyArm {
    /// What `units` mean for joint `index`: the gripper's range is 0…100 in all but SI.
    fn convention(&self, index: usize, units: Units) -> Convention {
        let gripper = self.0.model.gripper() == Some(index);
        match (units, gripper) {
            (Units::Si, _) => Convention::Radians,
            (Units::Degrees | Units::Percent, true) => Convention::Percent,
            (Units::Degrees, false) => Convention::Degrees,
            (Units::Percent, false) => Convention::Symmetric,
        }
    }
}

impl Embodiment for PolicyArm {
    fn joints(&self) -> &[String] {
        self.0.model.names()
    }

    fn tool_of(&self, joints: &JointVec<Rad>) -> Option<ToolSetpoint> {
        let fits = joints.len() == self.0.model.len();
        fits.then(|| tool_of(&self.0.model, joints)).flatten()
    }

    fn value_of(&self, index: usize, angle: Rad, units: Units) -> f64 {
        let joint = self.0.calibration.joints().get(index);
        joint.map_or(f64::NAN, |joint| {
            self.convention(index, units).value(joint, angle)
        })
    }

    fn angle_of(&self, index: usize, value: f64, units: Units) -> Rad {
        let joint = self.0.calibration.joints().get(index);
        let angle = joint.and_then(|joint| self.convention(index, units).angle(joint, value));
        angle.unwrap_or(Rad(f64::NAN))
    }
}
