//! Whether a plan may be followed: its numbers, its times, its limits, and whether it can be.
//!
//! Owns the rules of admission; a plan passes them all or is refused whole. Never keeps a plan.

use nalgebra::{Rotation3, UnitQuaternion};
use surehand_kinematics::streaming::Residual;

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
/// The same of an arm that can't be turned at will, and so need not be.
const NEARLY_TURNED: f64 = 5e-3;
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

    /// Neither from the command to what is due now, nor from waypoint to waypoint, may the arm
    /// have to jump; and a tool must be able to go all the way. Waypoints already past and the
    /// gripper, which may step, are left out.
    ///
    /// A waypoint of the tool that is missed by no more than the rules allow becomes what can be
    /// done of it, so that the path is one that can be kept to.
    pub(super) fn seam(&self, plan: &mut Plan, back: bool) -> Result<(), Refusal> {
        let step_secs = f64::from(plan.step_ns) * 1e-9;
        let due = curve::at(plan, self.now);
        let mut joints = self.present;
        let of_tool = !matches!(plan.waypoints, Waypoints::Joint(_));
        if of_tool {
            let tool = self.model.chain().tool(&self.model.chain_of(&self.present));
            let distance = (self.path(plan, back).pose(&due).translation - tool.translation).norm();
            if distance > self.rules.seam_metres {
                return Err(Refusal::SeamTooFar {
                    waypoint: 0,
                    distance,
                });
            }
        }
        self.step(0, &self.path(plan, back), &due, &mut joints, 0.0)?;
        // Two that are past still have a say in how the curve passes between the next.
        let past = self.now.offset_secs(-2.0 * step_secs);
        for index in 0..plan.waypoints.len() {
            let point = curve::waypoint(plan, index);
            if plan.due(index) > self.now {
                let path = self.path(plan, back);
                let met = self.step(number(index), &path, &point, &mut joints, step_secs)?;
                if of_tool && !met {
                    self.amend(plan, index, &joints);
                }
            } else if of_tool && plan.due(index) >= past {
                let pose = self.path(plan, back).pose(&point);
                let (angles, residual) = self.leader.reach(&self.model.chain_of(&joints), &pose);
                if !self.met(&residual) {
                    let there = self.model.with_chain(&joints, &angles);
                    self.amend(plan, index, &there);
                }
            }
        }
        Ok(())
    }

    fn path<'b>(&'b self, plan: &'b Plan, back: bool) -> ToolPath<'b> {
        ToolPath {
            plan,
            model: self.model,
            back,
        }
    }

    /// Whether `point` can be reached from `joints` within `secs`, which go there; and whether all
    /// of it is met.
    fn step(
        &self,
        waypoint: u8,
        path: &ToolPath<'_>,
        point: &JointVec<f64>,
        joints: &mut JointVec<Rad>,
        secs: f64,
    ) -> Result<bool, Refusal> {
        let (next, met) = match &path.plan.waypoints {
            Waypoints::Joint(_) => (point.map(Rad), true),
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
        Ok(met)
    }

    /// The joints beside `from` for `point` of a plan of the tool, and whether they meet it; `None`
    /// when it is missed by more than the rules allow.
    fn reach(
        &self,
        path: &ToolPath<'_>,
        point: &JointVec<f64>,
        from: &JointVec<Rad>,
    ) -> Option<(JointVec<Rad>, bool)> {
        let target = path.pose(point);
        let (angles, residual) = self.leader.reach(&self.model.chain_of(from), &target);
        let joints = self.model.with_chain(from, &angles);
        let off = match &path.plan.waypoints {
            Waypoints::Tool(_) => self.tilted(path, point, &joints)?,
            // Of an arm that can't be turned at will as much is asked as is left to it.
            Waypoints::Pose(_) | Waypoints::Joint(_) if self.leader.takes_any_pose() => {
                residual.angle
            }
            Waypoints::Pose(_) | Waypoints::Joint(_) => 0.0,
        };
        // Not a number is not within.
        let within =
            residual.position <= self.rules.reach_metres && off <= self.rules.reach_angle.0;
        within.then_some((joints, self.met(&residual)))
    }

    fn met(&self, residual: &Residual) -> bool {
        let angle = if self.leader.takes_any_pose() {
            MET.1
        } else {
            NEARLY_TURNED
        };
        residual.position <= MET.0 && residual.angle <= angle
    }

    /// Makes waypoint `index` of the tool what it is with `joints`.
    fn amend(&self, plan: &mut Plan, index: usize, joints: &JointVec<Rad>) {
        match &mut plan.waypoints {
            Waypoints::Tool(points) => {
                if let Some(point) = points.get_mut(index)
                    && let Some(is) = tool_of(self.model, joints)
                {
                    point.position = is.position;
                    // Whole turns stay: the curve goes from number to number.
                    point.tilt -= turn(point.tilt - is.tilt);
                    point.roll -= turn(point.roll - is.roll);
                }
            }
            Waypoints::Pose(points) => {
                if let Some(point) = points.get_mut(index) {
                    let is = self.model.chain().tool(&self.model.chain_of(joints));
                    let rotation = Rotation3::from_matrix_unchecked(is.rotation);
                    point.position = is.translation.into();
                    point.quaternion = UnitQuaternion::from_rotation_matrix(&rotation)
                        .coords
                        .into();
                }
            }
            Waypoints::Joint(_) => {}
        }
    }

    /// By how much tilt or roll are off with `joints`, whichever is more, radians.
    fn tilted(
        &self,
        path: &ToolPath<'_>,
        point: &JointVec<f64>,
        joints: &JointVec<Rad>,
    ) -> Option<f64> {
        let (wanted, is) = (curve::setpoint(point), tool_of(path.model, joints)?);
        let off = |wanted: f64, is: f64| turn(wanted - is).abs();
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

/// An angle without whole turns, −π…π.
fn turn(angle: f64) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    sine.atan2(cosine)
}

fn number(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX)
}
