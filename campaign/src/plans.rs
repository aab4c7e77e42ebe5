//! Plans as a policy might make them: good ones, greedy ones and broken ones.
//!
//! Owns the ways in which a plan can be wrong. Knows nothing of what becomes of it.

use nalgebra::UnitQuaternion;
use surehand::arm::ArmModel;
use surehand::arm::tool::{pose_of, tool_of};
use surehand::messages::{MAX_WAYPOINTS, Plan, ToolPose, ToolSetpoint, Waypoints};
use surehand::units::{JointVec, MonoTime, Rad};
use surehand_kinematics::Frame;

use crate::rng::Rng;

/// How a plan goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    NotANumber,
    Empty,
    TooFewJoints,
    OldId,
    Stale,
    FromTheFuture,
    TooEarly,
    Over,
    ZeroStep,
    Teleport,
    BeyondLimits,
    EndOfTime,
}

const FLAWS: [Flaw; 12] = [
    Flaw::NotANumber,
    Flaw::Empty,
    Flaw::TooFewJoints,
    Flaw::OldId,
    Flaw::Stale,
    Flaw::FromTheFuture,
    Flaw::TooEarly,
    Flaw::Over,
    Flaw::ZeroStep,
    Flaw::Teleport,
    Flaw::BeyondLimits,
    Flaw::EndOfTime,
];

/// What a policy is like.
#[derive(Debug, Clone)]
pub struct Policy {
    rng: Rng,
    /// Share of plans for the tool.
    tool: f64,
    /// Share of plans with a flaw.
    flawed: f64,
    /// How far it goes in one plan, as a share of what its joints can do in that time.
    greed: f64,
    waypoints: f64,
    step_ns: f64,
}

impl Policy {
    /// Some policy.
    #[must_use]
    pub fn new(mut rng: Rng) -> Policy {
        Policy {
            tool: rng.pick([0.0, 0.0, 0.0, 0.1, 0.5]),
            flawed: rng.pick([0.0, 0.01, 0.03, 0.1]),
            greed: rng.scale(0.2, 2.0),
            waypoints: rng.scale(6.0, 60.0),
            step_ns: rng.scale(10e6, 60e6),
            rng,
        }
    }

    /// How long its plans are, about, nanoseconds.
    #[must_use]
    pub fn plan_ns(&self) -> f64 {
        self.waypoints * self.step_ns
    }

    /// A plan with this id from where the arm is, made at `now`.
    pub fn plan(
        &mut self,
        id: u64,
        now: MonoTime,
        model: &ArmModel,
        command: &JointVec<Rad>,
    ) -> Plan {
        let count = (self.waypoints * self.rng.between(0.5, 1.5)) as usize;
        let count = count.clamp(2, MAX_WAYPOINTS);
        let step_ns = self.step_ns * self.rng.between(0.8, 1.2);
        let tool = self.rng.chance(self.tool);
        let waypoints = if tool {
            // Every waypoint is solved at admission: a few suffice.
            self.tool_points(count.min(12), model, command)
        } else {
            self.joint_points(count, step_ns * 1e-9, model, command)
        };
        let old = self.rng.millis(0.1, 140.0);
        let ahead = self.rng.between(-0.05e9, 0.05e9) as i64;
        let mut plan = Plan {
            id,
            captured_at: MonoTime(now.0 - old),
            start: MonoTime(now.0.saturating_add_signed(ahead)),
            step_ns: step_ns as u32,
            waypoints,
        };
        if self.rng.chance(self.flawed) {
            self.spoil(&mut plan, now);
        }
        plan
    }

    /// A swing towards somewhere, one waypoint after the other.
    fn joint_points(
        &mut self,
        count: usize,
        step: f64,
        model: &ArmModel,
        command: &JointVec<Rad>,
    ) -> Waypoints {
        let secs = step * (count - 1) as f64;
        let edge = self.rng.chance(0.1);
        let mut swings = JointVec::<(f64, f64)>::default();
        for (from, limits) in command.iter().zip(model.limits()) {
            let reach = self.greed * limits.velocity.0 * secs;
            let to = if edge {
                self.rng.pick([limits.lower.0, limits.upper.0])
            } else {
                self.rng
                    .between(limits.lower.0 - 0.05, limits.upper.0 + 0.05)
            };
            // A policy knows the limits; the arm may stand outside them.
            let from = from.0.clamp(limits.lower.0, limits.upper.0);
            let way = (to - from).clamp(-reach, reach);
            // As many as the arm has joints.
            let _ = swings.push((from, way));
        }
        // Smooth, straight or nervous.
        let smooth = self.rng.chance(0.7);
        let shake = if self.rng.chance(0.2) { 0.05 } else { 0.0 };
        let points = (0..count).map(|index| {
            let share = index as f64 / (count - 1) as f64;
            let share = if smooth {
                share * share * (3.0 - 2.0 * share)
            } else {
                share
            };
            let shake = if shake > 0.0 {
                self.rng.between(-shake, shake)
            } else {
                0.0
            };
            swings.map(|(from, way)| Rad(from + way * share + shake))
        });
        Waypoints::Joint(points.collect())
    }

    fn tool_points(
        &mut self,
        count: usize,
        model: &ArmModel,
        command: &JointVec<Rad>,
    ) -> Waypoints {
        // Its arm has a first joint that is upright.
        let from = tool_of(model, command).unwrap_or_default();
        let mut drift = || self.rng.between(-0.06, 0.06) * self.greed;
        let way = [drift(), drift(), drift()];
        let (tilt, roll, gripper) = (2.0 * drift(), 2.0 * drift(), 2.0 * drift());
        let points = (0..count).map(|index| {
            let share = index as f64 / (count - 1) as f64;
            let [x, y, z] = from.position;
            ToolSetpoint {
                position: [x + way[0] * share, y + way[1] * share, z + way[2] * share],
                tilt: from.tilt + tilt * share,
                roll: from.roll + roll * share,
                gripper: from.gripper + gripper * share,
            }
        });
        if self.rng.chance(0.5) {
            return Waypoints::Tool(points.collect());
        }
        let poses = points.map(|point| {
            let pose = pose_of(model, &point, false).unwrap_or(Frame::IDENTITY);
            let turn = UnitQuaternion::from_matrix(&pose.rotation);
            // Both quaternions of a turn are the same one.
            let side = if self.rng.chance(0.5) { 1.0 } else { -1.0 };
            ToolPose {
                position: point.position,
                quaternion: turn.coords.map(|number| side * number).into(),
                gripper: point.gripper,
            }
        });
        Waypoints::Pose(poses.collect())
    }

    fn spoil(&mut self, plan: &mut Plan, now: MonoTime) {
        let rng = &mut self.rng;
        match rng.pick(FLAWS) {
            Flaw::NotANumber => {
                let number = rng.pick([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
                let at = rng.below(plan.waypoints.len());
                change(&mut plan.waypoints, at, |_| number, rng);
            }
            Flaw::Empty => plan.waypoints = Waypoints::Joint(Default::default()),
            Flaw::TooFewJoints => {
                if let Waypoints::Joint(points) = &mut plan.waypoints {
                    let at = rng.below(points.len());
                    points[at] = points[at].iter().take(5).copied().collect();
                }
            }
            Flaw::OldId => plan.id = plan.id.saturating_sub(1 + rng.below(3) as u64),
            Flaw::Stale => plan.captured_at = MonoTime(now.0 - rng.millis(100.0, 5000.0)),
            Flaw::FromTheFuture => {
                plan.captured_at = MonoTime(now.0 + rng.millis(1.0, 5000.0));
            }
            Flaw::TooEarly => plan.start = MonoTime(now.0 + rng.millis(10.0, 5000.0)),
            Flaw::Over => plan.start = MonoTime(now.0 - rng.millis(100.0, 9000.0)),
            Flaw::ZeroStep => plan.step_ns = rng.pick([0, 1, u32::MAX]),
            Flaw::Teleport => {
                let by = rng.pick([-3.1, -0.7, 0.7, 3.1]);
                let at = rng.below(plan.waypoints.len());
                change(&mut plan.waypoints, at, |number| number + by, rng);
            }
            Flaw::BeyondLimits => {
                let by = rng.pick([-0.2, -0.08, 0.08, 0.2, 1e300]);
                for at in 0..plan.waypoints.len() {
                    change(&mut plan.waypoints, at, |number| number + by, rng);
                }
            }
            Flaw::EndOfTime => plan.start = MonoTime(rng.pick([0, u64::MAX, u64::MAX / 2])),
        }
    }
}

/// Changes one number of waypoint `at`.
fn change(waypoints: &mut Waypoints, at: usize, to: impl Fn(f64) -> f64, rng: &mut Rng) {
    match waypoints {
        Waypoints::Joint(points) => {
            if let Some(point) = points.get_mut(at) {
                let joint = rng.below(point.len());
                for (index, rad) in point.iter_mut().enumerate() {
                    if index == joint {
                        rad.0 = to(rad.0);
                    }
                }
            }
        }
        Waypoints::Tool(points) => {
            if let Some(point) = points.get_mut(at) {
                let axis = rng.below(3);
                point.position[axis] = to(point.position[axis]);
            }
        }
        Waypoints::Pose(points) => {
            if let Some(point) = points.get_mut(at) {
                let number = rng.below(7);
                let mut numbers = point.position.iter_mut().chain(&mut point.quaternion);
                if let Some(number) = numbers.nth(number) {
                    *number = to(*number);
                }
            }
        }
    }
}
