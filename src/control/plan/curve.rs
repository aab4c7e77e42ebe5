//! A plan between its waypoints: a monotone cubic over plain numbers.
//!
//! Owns the interpolation and the numbers of each kind of waypoint. Never looks at an arm.
//!
//! Fritsch and Carlson's limit on the slopes keeps the curve within the range of its two
//! waypoints: what holds of every waypoint, a floor above all, holds all the way.

use crate::messages::{Plan, ToolPose, ToolSetpoint, Waypoints};
use crate::units::{JointVec, MonoTime};

/// Where the quaternion is among the numbers of a pose.
const QUATERNION: std::ops::Range<usize> = 3..7;

/// A place on the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Where.
    pub(super) numbers: JointVec<f64>,
    /// How it changes, a second; at the end how it got there.
    pub(super) rates: JointVec<f64>,
}

/// The numbers of the plan at `now`; before its first waypoint the first, after its last the last.
pub(super) fn at(plan: &Plan, now: MonoTime) -> JointVec<f64> {
    place(plan, now).numbers
}

/// As [`at`], of a time in seconds since the plan's start, and how they change.
pub(super) fn along(plan: &Plan, secs: f64) -> Place {
    place(plan, plan.start.offset_secs(secs))
}

fn place(plan: &Plan, now: MonoTime) -> Place {
    let step = u64::from(plan.step_ns.max(1));
    let since = now.since(plan.start);
    let last = plan.waypoints.len().saturating_sub(1);
    let index = usize::try_from(since / step).unwrap_or(usize::MAX);
    let into = u32::try_from(since % step).unwrap_or(plan.step_ns);
    let step_secs = f64::from(plan.step_ns.max(1)) * 1e-9;
    if last == 0 {
        let numbers = waypoint(plan, 0);
        return Place {
            numbers,
            rates: numbers.map(|_| 0.0),
        };
    }
    if index < last {
        return between(
            plan,
            index,
            f64::from(into) / f64::from(plan.step_ns),
            step_secs,
        );
    }
    between(plan, last - 1, 1.0, step_secs)
}

/// A share of the way from waypoint `index` to the next, which is there.
fn between(plan: &Plan, index: usize, share: f64, step_secs: f64) -> Place {
    let turned = matches!(plan.waypoints, Waypoints::Pose(_));
    let beside = |numbers: JointVec<f64>, other: &JointVec<f64>| {
        if turned {
            same_side(numbers, other)
        } else {
            numbers
        }
    };
    let from = waypoint(plan, index);
    let to = beside(waypoint(plan, index + 1), &from);
    let way = from.zip_with(&to, |from, to| to - from);
    let way_before = index.checked_sub(1).map_or(way, |index| {
        beside(waypoint(plan, index), &from).zip_with(&from, |a, b| b - a)
    });
    let after = (index + 2 < plan.waypoints.len()).then(|| waypoint(plan, index + 2));
    let way_after = after.map_or(way, |after| to.zip_with(&beside(after, &to), |a, b| b - a));
    let leave = way_before.zip_with(&way, slope);
    let arrive = way.zip_with(&way_after, slope);
    let slopes = leave.zip_with(&arrive, |leave, arrive| (leave, arrive));
    let ends = from.zip_with(&to, |from, to| (from, to));
    Place {
        numbers: ends.zip_with(&slopes, |(from, to), (leave, arrive)| {
            hermite(from, leave, to, arrive, share)
        }),
        rates: ends.zip_with(&slopes, |(from, to), (leave, arrive)| {
            let (s, way) = (share, to - from);
            let rate = 6.0 * way * s * (1.0 - s)
                + leave * (1.0 - s) * (1.0 - 3.0 * s)
                + arrive * s * (3.0 * s - 2.0);
            rate / step_secs
        }),
    }
}

/// A pose with the one of its two quaternions that is on the side of `other`'s: both are the
/// same turn, and the way between two on one side is the short one.
fn same_side(mut pose: JointVec<f64>, other: &JointVec<f64>) -> JointVec<f64> {
    let apart = |numbers: &JointVec<f64>| {
        let both = numbers.iter().zip(other).take(QUATERNION.end);
        let products = both.skip(QUATERNION.start).map(|(a, b)| a * b);
        products.sum::<f64>()
    };
    if apart(&pose) < 0.0
        && let Some(quaternion) = pose.as_mut_slice().get_mut(QUATERNION)
    {
        for number in quaternion {
            *number = -*number;
        }
    }
    pose
}

/// The cubic from `from` to `to` with these slopes per unit of `share` (0…1).
pub(super) fn hermite(from: f64, leave: f64, to: f64, arrive: f64, share: f64) -> f64 {
    let (s, rest) = (share, 1.0 - share);
    from * rest * rest * (1.0 + 2.0 * s) + leave * s * rest * rest + to * s * s * (3.0 - 2.0 * s)
        - arrive * s * s * rest
}

/// The slope at a waypoint between two ways: their mean, no steeper than keeps the curve
/// monotone, and level where it turns back.
fn slope(before: f64, after: f64) -> f64 {
    if before * after <= 0.0 {
        return 0.0;
    }
    let most = 3.0 * before.abs().min(after.abs());
    ((before + after) / 2.0).max(-most).min(most)
}

/// Waypoint `index` as plain numbers; the nearest one when there is none.
pub(super) fn waypoint(plan: &Plan, index: usize) -> JointVec<f64> {
    let index = index.min(plan.waypoints.len().saturating_sub(1));
    match &plan.waypoints {
        Waypoints::Tool(points) => points.get(index).map_or_else(JointVec::default, |point| {
            let [x, y, z] = point.position;
            [x, y, z, point.tilt, point.roll, point.gripper]
                .into_iter()
                .collect()
        }),
        Waypoints::Pose(points) => points.get(index).map_or_else(JointVec::default, |point| {
            let ([x, y, z], [i, j, k, w]) = (point.position, point.quaternion);
            [x, y, z, i, j, k, w, point.gripper].into_iter().collect()
        }),
        Waypoints::Joint(points) => points
            .get(index)
            .map_or_else(JointVec::default, |point| point.map(|rad| rad.0)),
    }
}

/// The setpoint that these numbers are.
pub(super) fn setpoint(numbers: &JointVec<f64>) -> ToolSetpoint {
    match *numbers.as_slice() {
        [x, y, z, tilt, roll, gripper] => ToolSetpoint {
            position: [x, y, z],
            tilt,
            roll,
            gripper,
        },
        _ => ToolSetpoint::default(),
    }
}

/// The pose that these numbers are, its quaternion of whatever length.
pub(super) fn pose(numbers: &JointVec<f64>) -> ToolPose {
    match *numbers.as_slice() {
        [x, y, z, i, j, k, w, gripper] => ToolPose {
            position: [x, y, z],
            quaternion: [i, j, k, w],
            gripper,
        },
        _ => ToolPose::default(),
    }
}

/// The gripper's angle among the numbers of a setpoint or a pose: the last.
pub(super) fn gripper(numbers: &JointVec<f64>) -> f64 {
    numbers.as_slice().last().copied().unwrap_or_default()
}
