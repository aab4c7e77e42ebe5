//! The arm as a policy meets it: names, units and where its tool is.
//!
//! Owns only the questions; whoever owns calibration and kinematics answers them.

use super::package::Units;
use crate::messages::ToolSetpoint;
use crate::units::{JointVec, Rad};

/// What a policy must know of an arm.
pub trait Embodiment: Send + Sync {
    /// The joints' names in the arm's order, the gripper last.
    fn joints(&self) -> &[String];

    /// Where the tool is at these joint positions, the gripper's included; `None` when they are
    /// not this arm's.
    fn tool_of(&self, joints: &JointVec<Rad>) -> Option<ToolSetpoint>;

    /// `angle` of joint `index` in `units`.
    fn to_units(&self, index: usize, angle: Rad, units: Units) -> f64;

    /// The angle of joint `index` that is `value` in `units`.
    fn from_units(&self, index: usize, value: f64, units: Units) -> Rad;
}
