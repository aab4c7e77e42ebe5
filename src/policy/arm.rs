//! The arm as a policy meets it: names, units and where its tool is.
//!
//! Owns the choice of convention for each joint. Where the tool is is answered by a function
//! that whoever owns kinematics gives.

use super::package::Units;
use crate::arm::calibration::{Calibration, JointCalibration};
use crate::arm::conventions::Convention;
use crate::messages::ToolSetpoint;
use crate::units::{JointVec, Rad};

/// Where the tool is with these joints, the gripper's included.
pub type ToolOf = Box<dyn Fn(&JointVec<Rad>) -> ToolSetpoint + Send + Sync>;

/// What a policy must know of an arm.
pub struct Arm {
    joints: Vec<JointCalibration>,
    gripper: Option<usize>,
    tool_of: ToolOf,
}

impl Arm {
    /// The arm that `calibration` describes, in its order of joints; `gripper` is the index of
    /// the joint that is no part of the chain.
    #[must_use]
    pub fn new(calibration: &Calibration, gripper: Option<usize>, tool_of: ToolOf) -> Arm {
        Arm {
            joints: calibration.joints().to_vec(),
            gripper,
            tool_of,
        }
    }

    /// How many joints there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.joints.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.joints.is_empty()
    }

    /// The index of the joint called `name`.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        self.joints.iter().position(|joint| joint.name() == name)
    }

    /// The joints' names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.joints.iter().map(JointCalibration::name)
    }

    /// `names`, for one line of an error.
    pub(super) fn names_text(&self) -> String {
        self.names().collect::<Vec<_>>().join(", ")
    }

    /// Where the tool is; `None` unless there is a finite angle for every joint.
    pub(super) fn tool_of(&self, joints: &JointVec<Rad>) -> Option<ToolSetpoint> {
        let usable = joints.len() == self.len() && joints.iter().all(|angle| angle.0.is_finite());
        usable.then(|| (self.tool_of)(joints))
    }

    /// `angle` of joint `index` in `units`.
    pub(super) fn value_of(&self, index: usize, angle: Rad, units: Units) -> Option<f64> {
        let joint = self.joints.get(index)?;
        Some(self.convention(index, units).value(joint, angle))
    }

    /// The angle of joint `index` that is `value` in `units`.
    pub(super) fn angle_of(&self, index: usize, value: f64, units: Units) -> Option<Rad> {
        let joint = self.joints.get(index)?;
        self.convention(index, units).angle(joint, value)
    }

    fn convention(&self, index: usize, units: Units) -> Convention {
        let gripper = self.gripper == Some(index);
        match units {
            Units::Si => Convention::Radians,
            Units::Degrees | Units::Percent if gripper => Convention::Percent,
            Units::Degrees => Convention::Degrees,
            Units::Percent => Convention::Symmetric,
        }
    }
}

/// A function is no text.
impl std::fmt::Debug for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arm")
            .field("joints", &self.joints)
            .field("gripper", &self.gripper)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::arm::calibration::JointSpan;

    /// Two body joints and a gripper, ranges 1000…3000; the tool is at the joints' angles.
    pub(in crate::policy) fn small_arm() -> Arm {
        arm(&["pan", "lift", "gripper"])
    }

    /// An arm with these joints, the last one its gripper.
    pub(in crate::policy) fn arm(names: &[&str]) -> Arm {
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
        let calibration = Calibration::parse(&text, "test.json", &spans).unwrap();
        Arm::new(
            &calibration,
            Some(names.len() - 1),
            Box::new(|joints| {
                let angle = |index| joints.get(index).map_or(0.0, |angle| angle.0);
                ToolSetpoint {
                    position: [angle(0), angle(1), 0.1],
                    tilt: 0.0,
                    roll: 0.5,
                    gripper: joints.as_slice().last().map_or(0.0, |angle| angle.0),
                }
            }),
        )
    }

    #[test]
    fn the_gripper_has_units_of_its_own() {
        let arm = small_arm();
        let value = |index, units| arm.value_of(index, Rad(0.0), units).unwrap();
        assert!(value(0, Units::Percent).abs() < 1e-9);
        assert!((value(2, Units::Percent) - 50.0).abs() < 1e-9);
        assert!((value(2, Units::Degrees) - 50.0).abs() < 1e-9);
        assert_eq!(value(2, Units::Si), 0.0);
        assert_eq!(arm.angle_of(0, f64::NAN, Units::Percent), None);
        assert_eq!(arm.value_of(3, Rad(0.0), Units::Si), None);
    }
}
