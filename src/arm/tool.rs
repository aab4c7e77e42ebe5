//! Where the tool is: its point, and its tilt and roll in the plane the arm moves in.
//!
//! In the plane at the first joint's angle, with `outward` horizontal and away from the pan
//! axis, `up` and `side = up × outward`, approach axis `a` (the tool's z) and the tool's x:
//! `tilt = atan2(a·outward, −a·up)`, and with `u = outward·cos tilt + up·sin tilt`,
//! `roll = atan2(−x·side, −x·u)`. Both are independent of the first joint.
//!
//! Real time: arithmetic only.

use nalgebra::Vector3;

use super::chain::ChainPose;
use super::model::ArmModel;
use crate::messages::ToolSetpoint;
use crate::units::{JointVec, Rad};

/// Where the tool is with these joints: what inverse kinematics inverts. Tilt and roll lie in −π…π.
#[must_use]
pub fn tool_of(model: &ArmModel, joints: &JointVec<Rad>) -> ToolSetpoint {
    let angles = model.chain_of(joints);
    let pose = model.chain().forward(&angles);
    let attitude = Attitude::of(model, &pose, pan(&angles));
    ToolSetpoint {
        position: pose.tool.translation.into(),
        tilt: attitude.tilt,
        roll: attitude.roll,
        gripper: gripper_of(model, joints),
    }
}

/// The angle of the first joint, which turns the arm's plane.
#[must_use]
pub fn pan(angles: &JointVec<f64>) -> f64 {
    angles.get(0).unwrap_or_default()
}

/// The gripper's angle, zero for an arm without one.
#[must_use]
fn gripper_of(model: &ArmModel, joints: &JointVec<Rad>) -> f64 {
    let gripper = model.gripper().and_then(|gripper| joints.get(gripper));
    gripper.unwrap_or_default().0
}

/// The tool's tilt and roll, with the directions their derivatives need.
pub struct Attitude {
    /// Radians from straight down, outward positive.
    pub tilt: f64,
    /// Radians about the approach axis.
    pub roll: f64,
    outward: Vector3<f64>,
    up: Vector3<f64>,
    side: Vector3<f64>,
    approach: Vector3<f64>,
    x: Vector3<f64>,
}

impl Attitude {
    /// Of a pose of `model`'s chain with its first joint at `pan` radians.
    #[must_use]
    pub fn of(model: &ArmModel, pose: &ChainPose, pan: f64) -> Attitude {
        let plane = model.plane();
        let (outward, up) = (plane.outward(pan), plane.up);
        let side = up.cross(&outward);
        let approach: Vector3<f64> = pose.tool.rotation.column(2).into();
        let x: Vector3<f64> = -pose.tool.rotation.column(0);
        let tilt = approach.dot(&outward).atan2(-approach.dot(&up));
        let u = outward * tilt.cos() + up * tilt.sin();
        Attitude {
            tilt,
            roll: x.dot(&side).atan2(x.dot(&u)),
            outward,
            up,
            side,
            approach,
            x,
        }
    }

    /// How tilt and roll change per radian about `axis`, a joint after the first.
    #[must_use]
    pub fn rates(&self, axis: &Vector3<f64>) -> (f64, f64) {
        let (out, up) = (
            self.approach.dot(&self.outward),
            self.approach.dot(&self.up),
        );
        let turned = axis.cross(&self.approach);
        let tilt_rate = (out * turned.dot(&self.up) - up * turned.dot(&self.outward))
            / (out * out + up * up).max(1e-9);
        let (sin, cos) = self.tilt.sin_cos();
        let u = self.outward * cos + self.up * sin;
        let u_rate = (self.up * cos - self.outward * sin) * tilt_rate;
        let x_rate = axis.cross(&self.x);
        let (along, across) = (self.x.dot(&u), self.x.dot(&self.side));
        let along_rate = x_rate.dot(&u) + self.x.dot(&u_rate);
        let across_rate = x_rate.dot(&self.side);
        let roll_rate = (along * across_rate - across * along_rate)
            / (along * along + across * across).max(1e-9);
        (tilt_rate, roll_rate)
    }
}
