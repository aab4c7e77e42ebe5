//! Which plans may be followed, by the rules of the cell.
//!
//! Arithmetic on a plan alone, worked out anew. Never calls the code under test.

use surehand::control::CoreConfig;
use surehand::messages::{Plan, Waypoints};
use surehand::units::MonoTime;

use crate::motion::{Broken, broken};

/// A plan may be stamped while the tick that takes it in is under way, nanoseconds.
const STAMPED_LATE: u64 = 20_000_000;

/// Whether a plan may be admitted at `now` by the rules of the cell, when `seen` was the highest
/// id before.
///
/// # Errors
/// When it may not.
pub(crate) fn admissible(
    plan: &Plan,
    now: MonoTime,
    seen: u64,
    started_at: MonoTime,
    config: &CoreConfig,
) -> Result<(), Broken> {
    let rules = &config.plans;
    let joints = config.model.len();
    let count = match &plan.waypoints {
        Waypoints::Joint(points) => points.iter().all(|point| point.len() == joints),
        Waypoints::Tool(_) | Waypoints::Pose(_) => true,
    };
    let age = u128::from(now.0.saturating_sub(plan.captured_at.0));
    let wait = u128::from(plan.start.0.saturating_sub(now.0));
    let why = if plan.waypoints.is_empty() || plan.step_ns == 0 {
        "it is empty"
    } else if !numbers(plan).all(f64::is_finite) {
        "it holds no numbers"
    } else if !count {
        "it has another number of joints"
    } else if plan.id <= seen {
        "its id was seen"
    } else if age > rules.max_age.as_nanos() + 1_000 {
        "it is stale"
    } else if plan.captured_at < started_at {
        "it is from before the start"
    } else if plan.captured_at.0 > now.0 + STAMPED_LATE + 1_000 {
        "its frames are from the future"
    } else if wait > rules.max_lead.as_nanos() + 1_000 {
        "it begins too far ahead"
    } else if end(plan) <= u128::from(now.0) {
        "it is over"
    } else if !turned(plan) {
        "a quaternion is not of unit length"
    } else if !within(plan, config) {
        "it leaves the limits"
    } else {
        return Ok(());
    };
    broken(
        "only a plan that is right in every way is admitted",
        format!("plan {} was, though {why}", plan.id),
    )
}

/// Whether every turn is one.
fn turned(plan: &Plan) -> bool {
    let Waypoints::Pose(points) = &plan.waypoints else {
        return true;
    };
    points.iter().all(|point| {
        let squares: f64 = point.quaternion.iter().map(|number| number * number).sum();
        (squares.sqrt() - 1.0).abs() < 1.1e-3
    })
}

fn within(plan: &Plan, config: &CoreConfig) -> bool {
    let slack = config.plans.limit_slack.0;
    let limits = config.model.limits();
    match &plan.waypoints {
        Waypoints::Joint(points) => points.iter().all(|point| {
            point.iter().zip(limits).all(|(at, limits)| {
                at.0 >= limits.lower.0 - slack && at.0 <= limits.upper.0 + slack
            })
        }),
        Waypoints::Tool(_) | Waypoints::Pose(_) => true,
    }
}

/// When the last waypoint is due, nanoseconds.
pub(crate) fn end(plan: &Plan) -> u128 {
    let steps = plan.waypoints.len().saturating_sub(1) as u128;
    let end = u128::from(plan.start.0) + steps * u128::from(plan.step_ns);
    end.min(u128::from(u64::MAX))
}

/// All its numbers.
pub(crate) fn numbers(plan: &Plan) -> impl Iterator<Item = f64> {
    let (joints, tools, poses) = match &plan.waypoints {
        Waypoints::Joint(points) => (points.as_slice(), [].as_slice(), [].as_slice()),
        Waypoints::Tool(points) => ([].as_slice(), points.as_slice(), [].as_slice()),
        Waypoints::Pose(points) => ([].as_slice(), [].as_slice(), points.as_slice()),
    };
    let joints = joints.iter().flatten().map(|rad| rad.0);
    let tools = tools.iter().flat_map(|point| {
        let [x, y, z] = point.position;
        [x, y, z, point.tilt, point.roll, point.gripper]
    });
    let poses = poses.iter().flat_map(|point| {
        let ([x, y, z], [i, j, k, w]) = (point.position, point.quaternion);
        [x, y, z, i, j, k, w, point.gripper]
    });
    joints.chain(tools).chain(poses)
}
