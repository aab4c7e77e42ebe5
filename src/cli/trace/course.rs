//! What is traced: a path of the tool, and when each place of it is due.
//!
//! Owns the shapes. Every place keeps the tilt and roll that the tool has at the start, so that
//! an arm of five joints can do the whole pose.

use nalgebra::{UnitQuaternion, Vector3};
use surehand_kinematics::{Chain, Frame, Limits, Model, Options, Solver, Task};

use crate::arm::ArmModel;
use crate::arm::geometry::{ArmChain, array, whatever_size};
use crate::arm::tool::{pose_of, tool_of};
use crate::messages::{MAX_WAYPOINTS, Plan, ToolPose, ToolSetpoint, Waypoints};
use crate::units::{JointVec, MonoTime, Rad};

/// Radius of the circle, metres.
const RADIUS: f64 = 0.05;
/// The fly-by: from side to side by this angle about the pan axis, from this far inside the
/// farthest reach to this near to it, metres.
const SIDE: f64 = 0.4;
const INSIDE: f64 = 0.04;
const NEAREST: f64 = 0.001;
/// How far the reach is looked for, metres, and how often the search halves it.
const FARTHEST: f64 = 1.0;
const HALVINGS: u32 = 30;
/// Steps on the way; the other waypoints of a plan are for standing at its end.
const STEPS: usize = 110;
/// Points that a distance is measured to.
const POINTS: usize = 4000;

/// A path of the tool.
#[derive(Debug, Clone)]
pub(super) struct Course {
    shape: Shape,
    poses: Vec<ToolPose>,
    /// How long it takes, seconds.
    pub(super) secs: f64,
    /// Places close together, with the share of the way at each.
    points: Vec<(f64, Vector3<f64>)>,
}

/// A place for every share of the way, 0 to 1.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Level, from its outermost place on.
    Circle {
        centre: Vector3<f64>,
        out: Vector3<f64>,
        side: Vector3<f64>,
    },
    /// An arc about the pan axis that bulges to the edge of reach.
    FlyBy {
        pan: Vector3<f64>,
        out: Vector3<f64>,
        side: Vector3<f64>,
        height: f64,
        reach: f64,
    },
}

impl Shape {
    fn at(&self, share: f64) -> Vector3<f64> {
        match *self {
            Shape::Circle { centre, out, side } => {
                let (sine, cosine) = (share * std::f64::consts::TAU).sin_cos();
                centre + (out * cosine + side * sine) * RADIUS
            }
            Shape::FlyBy {
                pan,
                out,
                side,
                height,
                reach,
            } => {
                let (sine, cosine) = ((2.0 * share - 1.0) * SIDE).sin_cos();
                let bulge = (share * std::f64::consts::PI).sin().powi(2);
                let radius = reach - NEAREST - INSIDE * (1.0 - bulge);
                pan + (out * cosine + side * sine) * radius + Vector3::z() * height
            }
        }
    }
}

impl Course {
    /// A level circle about where the tool is with `start`.
    pub(super) fn circle(model: &ArmModel, start: &JointVec<Rad>, speed: f64) -> Option<Course> {
        let tool = tool_of(model, start)?;
        let plane = model.plane()?;
        let at = Vector3::from(tool.position);
        let out = flat(at - plane.pan_origin).try_normalize(1e-6)?;
        let shape = Shape::Circle {
            centre: at,
            out,
            side: Vector3::z().cross(&out),
        };
        Course::of(shape, &tool, model, start, speed)
    }

    /// Past where the arm is stretched, at the height that the tool has with `start`.
    pub(super) fn fly_by(model: &ArmModel, start: &JointVec<Rad>, speed: f64) -> Option<Course> {
        let tool = tool_of(model, start)?;
        let plane = model.plane()?;
        let at = Vector3::from(tool.position);
        let pan = plane.pan_origin - Vector3::z() * plane.pan_origin.z;
        let out = flat(at - pan).try_normalize(1e-6)?;
        let here = flat(at - pan).norm();
        // The farthest that the tool gets outward as it is turned.
        let (mut inside, mut outside) = (here, FARTHEST);
        for _ in 0..HALVINGS {
            let middle = (inside + outside) / 2.0;
            let position = pan + out * middle + Vector3::z() * at.z;
            let there = ToolSetpoint {
                position: position.into(),
                ..tool
            };
            if solve(model, &pose_of(model, &there, false)?, start).is_some() {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        let shape = Shape::FlyBy {
            pan,
            out,
            side: Vector3::z().cross(&out),
            height: at.z,
            reach: inside,
        };
        Course::of(shape, &tool, model, start, speed)
    }

    /// `shape` at a mean of `speed`; `None` when a place of it is out of reach.
    fn of(
        shape: Shape,
        tool: &ToolSetpoint,
        model: &ArmModel,
        start: &JointVec<Rad>,
        speed: f64,
    ) -> Option<Course> {
        let place = |index: usize| {
            let share = index as f64 / POINTS as f64;
            (share, shape.at(share))
        };
        let points: Vec<_> = (0..=POINTS).map(place).collect();
        let ways = points.windows(2).map(|pair| match pair {
            [(_, from), (_, to)] => (to - from).norm(),
            _ => 0.0,
        });
        let secs = ways.sum::<f64>() / speed;
        let mut poses = Vec::with_capacity(STEPS + 1);
        let mut joints = *start;
        for index in 0..=STEPS {
            let share = eased(index as f64 / STEPS as f64);
            let there = ToolSetpoint {
                position: shape.at(share).into(),
                ..*tool
            };
            let pose = pose_of(model, &there, false)?;
            joints = solve(model, &pose, &joints)?;
            let turn = UnitQuaternion::from_matrix(&pose.rotation);
            poses.push(ToolPose {
                position: there.position,
                quaternion: turn.coords.into(),
                gripper: tool.gripper,
            });
        }
        Some(Course {
            shape,
            poses,
            secs,
            points,
        })
    }

    /// The joints for its first place, beside `near`.
    pub(super) fn joints_at_start(
        &self,
        model: &ArmModel,
        near: &JointVec<Rad>,
    ) -> Option<JointVec<Rad>> {
        let first = self.poses.first()?;
        let pose = Frame::from_quaternion(first.position, first.quaternion)?;
        solve(model, &pose, near)
    }

    /// All of it as one plan that begins at `start`.
    pub(super) fn plan(&self, id: u64, now: MonoTime, start: MonoTime) -> Plan {
        let last = self.poses.last().copied().unwrap_or_default();
        let standing = std::iter::repeat(last);
        Plan {
            id,
            captured_at: now,
            start,
            step_ns: (self.secs * 1e9 / STEPS as f64) as u32,
            waypoints: Waypoints::Pose(
                (self.poses.iter().copied().chain(standing))
                    .take(MAX_WAYPOINTS)
                    .collect(),
            ),
        }
    }

    /// Where the tool is due `secs` after the start.
    pub(super) fn due(&self, secs: f64) -> Vector3<f64> {
        self.shape.at(eased((secs / self.secs).clamp(0.0, 1.0)))
    }

    /// How far `point` is from the path, metres.
    pub(super) fn distance(&self, point: &Vector3<f64>) -> f64 {
        let lines = self.points.windows(2).map(|pair| match pair {
            [(_, from), (_, to)] => {
                let way = to - from;
                let share = (point - from).dot(&way) / way.norm_squared();
                (point - from - way * share.clamp(0.0, 1.0)).norm()
            }
            _ => f64::INFINITY,
        });
        lines.fold(f64::INFINITY, f64::min)
    }
}

/// From rest to rest (minimum jerk).
fn eased(s: f64) -> f64 {
    s * s * s * (10.0 - 15.0 * s + 6.0 * s * s)
}

fn flat(way: Vector3<f64>) -> Vector3<f64> {
    Vector3::new(way.x, way.y, 0.0)
}

/// The joints beside `near` that bring the tool to `pose`; `None` when there are none.
fn solve(model: &ArmModel, pose: &Frame, near: &JointVec<Rad>) -> Option<JointVec<Rad>> {
    fn solved<const N: usize>(
        chain: &Chain<N>,
        model: &ArmModel,
        pose: &Frame,
        near: &JointVec<f64>,
    ) -> Option<JointVec<f64>> {
        let limits = model.chain_limits();
        let of = |number: fn(&crate::arm::JointLimits) -> f64| -> [f64; N] {
            array(&limits.iter().map(number).collect::<JointVec<f64>>())
        };
        let arm = Model {
            names: std::array::from_fn(|_| String::new()),
            chain: *chain,
            limits: Limits {
                lower: of(|limits| limits.lower.0),
                upper: of(|limits| limits.upper.0),
                velocity: of(|limits| limits.velocity.0),
            },
        };
        let options = Options {
            starts: 0,
            branches: 1,
            // What an attitude in the arm's plane leaves open, and no more.
            tolerance: surehand_kinematics::Residual {
                position: 1e-5,
                angle: 2e-3,
            },
            ..Options::default()
        };
        let solver = Solver::new(&arm, Task::Pose, options).ok()?;
        let answer = solver.solve(pose, Some(&array(near))).ok()?;
        let met = answer.unreached.is_none();
        met.then(|| answer.joints.into_iter().collect())
    }
    let from = model.chain_of(near);
    let angles = whatever_size!(ArmChain, model.chain(), chain => {
        solved(chain, model, pose, &from)
    })?;
    Some(model.with_chain(near, &angles))
}
