//! Where the tool is: its point, and its tilt and roll in the plane the arm moves in.
//!
//! Owns setpoints of the tool and what they are of a pose. Real time: arithmetic only.

use surehand_kinematics::Frame;

use super::model::ArmModel;
use super::plane::Attitude;
use crate::messages::ToolSetpoint;
use crate::units::{JointVec, Rad};

/// Where the tool is with these joints: what [`pose_of`] inverts. Tilt and roll lie in −π…π.
/// `None` of an arm that has no plane to measure them in.
#[must_use]
pub fn tool_of(model: &ArmModel, joints: &JointVec<Rad>) -> Option<ToolSetpoint> {
    let angles = model.chain_of(joints);
    let tool = model.chain().tool(&angles);
    let Attitude { tilt, roll } = model.plane()?.attitude(&tool, pan(&angles));
    Some(ToolSetpoint {
        position: tool.translation.into(),
        tilt,
        roll,
        gripper: gripper_of(model, joints),
    })
}

/// The pose that `setpoint` asks for, of an arm that reaches back over its pan axis or not;
/// `None` of an arm that has no plane to measure tilt and roll in.
#[must_use]
pub fn pose_of(model: &ArmModel, setpoint: &ToolSetpoint, back: bool) -> Option<Frame> {
    let attitude = Attitude {
        tilt: setpoint.tilt,
        roll: setpoint.roll,
    };
    Some((model.plane()?).pose(setpoint.position.into(), attitude, back))
}

/// Whether an arm with these joints reaches back over its pan axis.
#[must_use]
pub fn reaches_back(model: &ArmModel, joints: &JointVec<Rad>) -> bool {
    let angles = model.chain_of(joints);
    let tool = model.chain().tool(&angles);
    (model.plane()).is_some_and(|plane| plane.reaches_back(&tool, pan(&angles)))
}

/// The angle of the first joint, which turns the arm's plane.
fn pan(angles: &JointVec<f64>) -> f64 {
    angles.get(0).unwrap_or_default()
}

/// The gripper's angle, zero for an arm without one.
#[must_use]
pub fn gripper_of(model: &ArmModel, joints: &JointVec<Rad>) -> f64 {
    let gripper = model.gripper().and_then(|gripper| joints.get(gripper));
    gripper.unwrap_or_default().0
}
