//! A plan of the tool as a path for the kinematics: a pose for every second since its start.
//!
//! Owns what a setpoint means as a pose. Never moves anything.
//!
//! Real time: arithmetic only.

use nalgebra::{Quaternion, UnitQuaternion};
use surehand_kinematics::Frame;
use surehand_kinematics::streaming::{Path, Waypoint};

use super::curve;
use crate::arm::ArmModel;
use crate::arm::tool::pose_of;
use crate::messages::{Plan, Waypoints};
use crate::units::JointVec;

/// Over twice this time the path's tangent is taken, seconds.
const BESIDE: f64 = 1e-4;

/// A plan of the tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct ToolPath<'a> {
    pub(super) plan: &'a Plan,
    pub(super) model: &'a ArmModel,
    /// Whether the arm reaches back over its pan axis: a setpoint does not say.
    pub(super) back: bool,
}

impl ToolPath<'_> {
    /// The pose that `numbers` of the plan ask for; that of the base for those that are none.
    pub(super) fn pose(&self, numbers: &JointVec<f64>) -> Frame {
        let pose = match &self.plan.waypoints {
            Waypoints::Tool(_) => pose_of(self.model, &curve::setpoint(numbers), self.back),
            Waypoints::Pose(_) => {
                let point = curve::pose(numbers);
                let [x, y, z, w] = point.quaternion;
                let turn = UnitQuaternion::try_new(Quaternion::new(w, x, y, z), 1e-6);
                turn.map(|turn| Frame {
                    rotation: turn.to_rotation_matrix().into_inner(),
                    translation: point.position.into(),
                })
            }
            Waypoints::Joint(_) => None,
        };
        pose.unwrap_or(Frame::IDENTITY)
    }

    /// The gripper's angle `secs` after the plan's start.
    pub(super) fn gripper(&self, secs: f64) -> f64 {
        curve::gripper(&curve::along(self.plan, secs).numbers)
    }
}

impl Path for ToolPath<'_> {
    fn at(&self, along: f64) -> Waypoint {
        let place = curve::along(self.plan, along);
        let beside = |secs: f64| {
            let numbers = place
                .numbers
                .zip_with(&place.rates, |at, rate| at + rate * secs);
            self.pose(&numbers)
        };
        let tangent = beside(-BESIDE).way_to(&beside(BESIDE)) / (2.0 * BESIDE);
        Waypoint {
            pose: self.pose(&place.numbers),
            tangent,
        }
    }

    fn end(&self) -> f64 {
        self.plan.end().secs_from(self.plan.start)
    }
}
