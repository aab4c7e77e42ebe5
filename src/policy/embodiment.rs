//! The arm, or the arms, as a policy meets them: names, units and where a tool is.
//!
//! Owns only the questions; whoever owns calibration and kinematics answers them.

use super::package::Units;
use crate::messages::ToolSetpoint;
use crate::units::Rad;

/// What a policy must know of an arm, or of several whose joints follow each other.
///
/// An answer that can't be given is NaN: it never reaches a plan.
pub trait Embodiment: Send + Sync {
    /// The joints' names in the arm's order, the gripper last; arm after arm.
    fn joints(&self) -> &[String];

    /// How many of the joints are each arm's, in their order. One arm has them all.
    fn arms(&self) -> Vec<usize> {
        vec![self.joints().len()]
    }

    /// Where the tool is at these joint positions, the gripper's included; `None` when they are
    /// not this arm's, and of several arms, which have no one tool.
    fn tool_of(&self, joints: &[Rad]) -> Option<ToolSetpoint>;

    /// `angle` of joint `index` in `units`.
    fn value_of(&self, index: usize, angle: Rad, units: Units) -> f64;

    /// The angle of joint `index` that is `value` in `units`.
    fn angle_of(&self, index: usize, value: f64, units: Units) -> Rad;
}

/// Whether each joint is an arm's gripper, in the joints' order.
pub(super) fn grippers(arm: &dyn Embodiment) -> Vec<bool> {
    let arms = arm.arms().into_iter();
    arms.flat_map(|joints| (1..=joints).map(move |joint| joint == joints))
        .collect()
}

/// The index of the joint called `name`.
pub(super) fn index_of(arm: &dyn Embodiment, name: &str) -> Option<usize> {
    arm.joints().iter().position(|joint| joint == name)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::arm::calibration::{Calibration, JointSpan};
    use crate::arm::conventions::Convention;
    use std::sync::Arc;

    struct TestArm {
        names: Vec<String>,
        calibration: Calibration,
    }

    impl TestArm {
        fn convention(&self, index: usize, units: Units) -> Convention {
            match (units, index + 1 == self.names.len()) {
                (Units::Si, _) => Convention::Radians,
                (_, true) => Convention::Percent,
                (Units::Degrees, false) => Convention::Degrees,
                (Units::Percent, false) => Convention::Symmetric,
            }
        }
    }

    impl Embodiment for TestArm {
        fn joints(&self) -> &[String] {
            &self.names
        }

        fn tool_of(&self, joints: &[Rad]) -> Option<ToolSetpoint> {
            let angle = |index: usize| joints.get(index).map(|angle| angle.0);
            Some(ToolSetpoint {
                position: [angle(0)?, angle(1)?, 0.1],
                tilt: 0.0,
                roll: 0.5,
                gripper: joints.last()?.0,
            })
        }

        fn value_of(&self, index: usize, angle: Rad, units: Units) -> f64 {
            let joint = &self.calibration.joints()[index];
            self.convention(index, units).value(joint, angle)
        }

        fn angle_of(&self, index: usize, value: f64, units: Units) -> Rad {
            let joint = &self.calibration.joints()[index];
            let angle = self.convention(index, units).angle(joint, value);
            angle.unwrap_or(Rad(f64::NAN))
        }
    }

    /// An arm with these joints, the last one its gripper; ranges are 1000…3000 about angle 0,
    /// and the tool is at the angles of the first two joints.
    pub(in crate::policy) fn arm(names: &[&str]) -> Arc<dyn Embodiment> {
        let joints: Vec<String> = names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let id = index + 1;
                format!(
                    r#""{name}": {{"id": {id}, "drive_mode": 0, "homing_offset": 0,
                       "range_min": 1000, "range_max": 3000}}"#
                )
            })
            .collect();
        let half = 1000.0 * std::f64::consts::TAU / 4096.0;
        let spans: Vec<JointSpan<'_>> = names
            .iter()
            .map(|name| JointSpan {
                name,
                lower: Rad(-half),
                upper: Rad(half),
            })
            .collect();
        let text = format!("{{{}}}", joints.join(","));
        Arc::new(TestArm {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            calibration: Calibration::parse(&text, "test.json", &spans).unwrap(),
        })
    }
}
