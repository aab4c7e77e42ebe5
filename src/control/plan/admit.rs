//! Whether a plan may be followed: its numbers, its times, its limits, and whether it can be.
//!
//! Owns the rules of admission; a plan passes them all or is refused whole. Never keeps a plan.

use nalgebra::{Rotation3, UnitQuaternion};

use super::curve;
use super::path::ToolPath;
use crate::arm::ArmModel;
use crate::arm::tool::tool_of;
use crate::control::config::PlanRules;
use crate::control::leader::Leader;
use crate::control::monitor::millis;
use crate::messages::{Plan, Refusal, Waypoints};
use crate::units::{JointVec, MonoTime, Rad};

/// A plan may be stamped while the tick that takes it in is already under way.
const TICK_SECS: f64 = 0.02;
/// A waypoint missed by no more is met, metres and radians.
const MET: (f64, f64) = (5e-6, 2e-5);
/// A quaternion's length may be off by this.
const UNIT: f64 = 1e-3;

/// What a plan is held to.
pub(super) struct Admission<'a> {
    pub(super) rules: &'a PlanRules,
    pub(super) model: &'a ArmModel,
    pub(super) leader: &'a Leader,
    pub(super) now: MonoTime,
    /// The command.
    pub(super) present: JointVec<Rad>,
    /// Frames from before are not this job's.
    pub(super) started_at: MonoTime,
}

/// How a plan that may be followed can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Every waypoint can be met.
    Met,
    /// One is missed, by no more than the rules allow.
    Nearly,
}

impl Admission<'_> {
    pub(super) fn times(&self, plan: &Plan) -> Result<(), Refusal> {
        let age = self.now.since(plan.captured_at);
        let stale = self.now.secs_from(plan.captured_at) > self.rules.max_age.as_secs_f64();
        if stale || plan.captured_at < self.started_at {
            return Err(Refusal::Stale {
                age_ms: millis(age),
            });
        }
        let wait = plan.start.secs_from(self.now);
        if plan.captured_at > self.now.offset_secs(TICK_SECS)
            || wait > self.rules.max_lead.as_secs_f64()
        {
            return Err(Refusal::Early);
        }
        if plan.end() <= self.now {
            return Err(Refusal::Late);
        }
        Ok(())
    }

    /// Joint waypoints, and every plan's gripper, inside the limits or nearly.
    pub(super) fn limits(&self, plan: &Plan) -> Result<(), Refusal> {
        let slack = self.rules.limit_slack.0;
        let outside = |joint: usize, angle: f64| {
            let limits = self.model.limits().get(joint).unwrap_or_default();
            angle < limits.lower.0 - slack || angle > limits.upper.0 + slack
        };
        for index in 0..plan.waypoints.len() {
            let point = curve::waypoint(plan, index);
            let joint = match &plan.waypoints {
                Waypoints::Joint(_) => {
                    let mut angles = point.iter().enumerate();
                    angles.position(|(joint, angle)| outside(joint, *angle))
                }
                Waypoints::Tool(_) | Waypoints::Pose(_) => {
                    let gripper = curve::gripper(&point);
                    self.model
                        .gripper()
                        .filter(|joint| outside(*joint, gripper))
                }
            };
            if let Some(joint) = joint {
                return Err(Refusal::OutsideLimits {
                    waypoint: number(index),
                    joint: number(joint),
                });
            }
        }
        Ok(())
    }

    /// Asks an arm that can't take any pose for no more of each turn than it can: the rest of it
    /// would only stand in the way of what follows.
    pub(super) fn turn(&self, plan: &mut Plan, back: bool) {
        if self.leader.takes_any_pose() || !matches!(plan.waypoints, Waypoints::Pose(_)) {
            return;
        }
        let mut angles = self.model.chain_of(&self.present);
        // Two that are past still have a say in how the curve passes between the next.
        let past = 2.0 * f64::from(plan.step_ns) * 1e-9;
        for index in 0..plan.waypoints.len() {
            if plan.due(index) < self.now.offset_secs(-past) {
                continue;
            }
            let path = ToolPath {
                plan,
                model: self.model,
                back,
            };
            let pose = path.pose(&curve::waypoint(plan, index));
            angles = self.leader.reach(&angles, &pose).0;
            let reached = self.model.chain().tool(&angles).rotation;
            let turn = Rotation3::from_matrix_unchecked(reached);
            if let Waypoints::Pose(points) = &mut plan.waypoints
                && let Some(point) = points.get_mut(index)
            {
                point.quaternion = UnitQuaternion::from_rotation_matrix(&turn).coords.into();
            }
        }
    }

    /// Neither from the command to what is due now, nor from waypoint to waypoint, may the arm
    /// have to jump; and a tool must be able to go all the way. Waypoints already past and the
    /// gripper, which may step, are left out.
    pub(super) fn seam(&self, path: &ToolPath<'_>) -> Result<Fit, Refusal> {
        let plan = path.plan;
        let step_secs = f64::from(plan.step_ns) * 1e-9;
        let due = curve::at(plan, self.now);
        let mut joints = self.present;
        if !matches!(plan.waypoints, Waypoints::Joint(_)) {
            let tool = self.model.chain().tool(&self.model.chain_of(&self.present));
            let distance = (path.pose(&due).translation - tool.translation).norm();
            if distance > self.rules.seam_metres {
                return Err(Refusal::SeamTooFar {
                    waypoint: 0,
                    distance,
                });
            }
        }
        let mut fit = self.step(0, path, &due, &mut joints, 0.0)?;
        for index in 0..plan.waypoints.len() {
            if plan.due(index) > self.now {
                let point = curve::waypoint(plan, index);
                let next = self.step(number(index), path, &point, &mut joints, step_secs)?;
                fit = if next == Fit::Met { fit } else { next };
            }
        }
        Ok(fit)
    }

    /// Whether `point` can be reached from `joints` within `secs`; `joints` go there.
    fn step(
        &self,
        waypoint: u8,
        path: &ToolPath<'_>,
        point: &JointVec<f64>,
        joints: &mut JointVec<Rad>,
        secs: f64,
    ) -> Result<Fit, Refusal> {
        let (next, fit) = match &path.plan.waypoints {
            Waypoints::Joint(_) => (point.map(Rad), Fit::Met),
            Waypoints::Tool(_) | Waypoints::Pose(_) => self
                .reach(path, point, joints)
                .ok_or(Refusal::Unreachable { waypoint })?,
        };
        let both = joints.iter().zip(&next).zip(self.model.limits());
        for (joint, ((from, to), limits)) in both.enumerate() {
            let distance = (to.0 - from.0).abs();
            let reach = self.rules.seam.0 + limits.velocity.0 * secs;
            if distance > reach && self.model.gripper() != Some(joint) {
                return Err(Refusal::SeamTooFar { waypoint, distance });
            }
        }
        *joints = next;
        Ok(fit)
    }

    /// The joints beside `from` for `point` of a plan of the tool; `None` when it is missed by
    /// more than the rules allow.
    fn reach(
        &self,
        path: &ToolPath<'_>,
        point: &JointVec<f64>,
        from: &JointVec<Rad>,
    ) -> Option<(JointVec<Rad>, Fit)> {
        let target = path.pose(point);
        let (angles, residual) = self.leader.reach(&self.model.chain_of(from), &target);
        let joints = self.model.with_chain(from, &angles);
        // Of an arm that can't be turned at will as much is asked as is left to it.
        let (angle, whole) = match &path.plan.waypoints {
            Waypoints::Tool(_) => (self.tilted(path, point, &joints)?, true),
            Waypoints::Pose(_) | Waypoints::Joint(_) => {
                (residual.angle, self.leader.takes_any_pose())
            }
        };
        let off = if whole { angle } else { 0.0 };
        // Not a number is not within.
        let within =
            residual.position <= self.rules.reach_metres && off <= self.rules.reach_angle.0;
        let turned = !self.leader.takes_any_pose() || residual.angle <= MET.1;
        let met = residual.position <= MET.0 && turned;
        let fit = if met { Fit::Met } else { Fit::Nearly };
        within.then_some((joints, fit))
    }

    /// By how much tilt or roll are off with `joints`, whichever is more, radians.
    fn tilted(
        &self,
        path: &ToolPath<'_>,
        point: &JointVec<f64>,
        joints: &JointVec<Rad>,
    ) -> Option<f64> {
        let (wanted, is) = (curve::setpoint(point), tool_of(path.model, joints)?);
        let off = |wanted: f64, is: f64| {
            let (sine, cosine) = (wanted - is).sin_cos();
            sine.atan2(cosine).abs()
        };
        Some(off(wanted.tilt, is.tilt).max(off(wanted.roll, is.roll)))
    }
}

/// Numbers that are some, as many as the arm has joints, and turns that are some.
pub(super) fn numbers(plan: &Plan, model: &ArmModel) -> Result<(), Refusal> {
    if plan.waypoints.is_empty() || plan.step_ns == 0 {
        return Err(Refusal::Empty);
    }
    for index in 0..plan.waypoints.len() {
        let point = curve::waypoint(plan, index);
        if point.iter().any(|number| !number.is_finite()) {
            return Err(Refusal::NotFinite);
        }
    }
    match &plan.waypoints {
        Waypoints::Tool(_) if model.plane().is_none() => Err(Refusal::NoTilt),
        Waypoints::Tool(_) => Ok(()),
        Waypoints::Pose(points) => {
            let length = |quaternion: &[f64; 4]| {
                let squares = quaternion.iter().map(|number| number * number);
                squares.sum::<f64>().sqrt()
            };
            let mut turns = points.iter().map(|point| length(&point.quaternion));
            match turns.position(|length| (length - 1.0).abs() > UNIT) {
                Some(index) => Err(Refusal::NotATurn {
                    waypoint: number(index),
                }),
                None => Ok(()),
            }
        }
        Waypoints::Joint(points) => match points.iter().find(|point| point.len() != model.len()) {
            Some(wrong) => Err(Refusal::WrongJointCount {
                expected: number(model.len()),
                received: number(wrong.len()),
            }),
            None => Ok(()),
        },
    }
}

fn number(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX)
}
