//! A plan as plain numbers at any moment, in the way the guard leads the arm along it.
//!
//! Owns the numbers of each kind of waypoint and how two sets of them are mixed. Between waypoints
//! it is the monotone cubic of Fritsch and Carlson that the guard follows, so that a plan which is
//! sampled anew at other times stays the same plan. Never extrapolates.

use std::f64::consts::PI;

use crate::messages::{MAX_WAYPOINTS, Plan, ToolPose, ToolSetpoint, Waypoints};
use crate::units::{JointVec, MonoTime, Rad};

/// The numbers of one waypoint, at most those of a pose.
pub(super) type Numbers = JointVec<f64>;

/// What the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// x, y, z, tilt, roll, gripper.
    Tool,
    /// x, y, z, quaternion x, y, z, w, gripper.
    Pose,
    /// An angle a joint.
    Joint,
}

/// Which numbers of a setpoint are angles that count modulo a turn.
const TURNS: std::ops::Range<usize> = 3..5;
/// Where the quaternion is among the numbers of a pose.
const QUATERNION: std::ops::Range<usize> = 3..7;

/// How far apart two sets of numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Apart {
    /// The largest difference of an angle, radians.
    pub angle: f64,
    /// Of the tool point, metres.
    pub distance: f64,
}

impl Apart {
    /// The farther of the two, of each kind.
    #[must_use]
    pub fn max(self, other: Apart) -> Apart {
        Apart {
            angle: self.angle.max(other.angle),
            distance: self.distance.max(other.distance),
        }
    }
}

/// A plan's curve.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Track {
    pub(super) id: u64,
    pub(super) kind: Kind,
    start: MonoTime,
    step_ns: u32,
    points: Vec<Numbers>,
    /// When the pictures behind each waypoint were taken.
    seen: Vec<MonoTime>,
    /// It is executed in this many times the policy's own time.
    times: f64,
}

impl Track {
    /// The curve of `plan`; `None` of one without waypoints or time between them.
    pub(super) fn of(plan: &Plan) -> Option<Track> {
        let (kind, points): (Kind, Vec<Numbers>) = match &plan.waypoints {
            Waypoints::Tool(points) => (Kind::Tool, points.iter().map(of_setpoint).collect()),
            Waypoints::Pose(points) => (Kind::Pose, points.iter().map(of_pose).collect()),
            Waypoints::Joint(points) => {
                let numbers = points.iter().map(|point| point.map(|rad| rad.0));
                (Kind::Joint, numbers.collect())
            }
        };
        (!points.is_empty() && plan.step_ns > 0).then(|| Track {
            id: plan.id,
            kind,
            start: plan.start,
            step_ns: plan.step_ns,
            seen: vec![plan.captured_at; points.len()],
            points,
            times: 1.0,
        })
    }

    /// Says of each waypoint when the pictures behind it were taken.
    pub(super) fn set_seen(&mut self, seen: Vec<MonoTime>) {
        self.seen = seen;
    }

    /// Makes its waypoints due at other times, `times` as far apart as the policy has them.
    pub(super) fn set_times(&mut self, start: MonoTime, step_ns: u32, times: f64) {
        (self.start, self.step_ns, self.times) = (start, step_ns.max(1), times);
    }

    /// When it is executed, seen from `now`, what the policy has at `due`.
    pub(super) fn when(&self, due: MonoTime, now: MonoTime) -> MonoTime {
        if self.times == 1.0 {
            due
        } else {
            now.offset_secs(due.secs_from(now) * self.times)
        }
    }

    /// When its last waypoint is due in the policy's time, seen from `now`.
    pub(super) fn end_seen_from(&self, now: MonoTime) -> MonoTime {
        if self.times == 1.0 {
            self.end()
        } else {
            now.offset_secs(self.end().secs_from(now) / self.times)
        }
    }

    /// When its last waypoint is due.
    pub(super) fn end(&self) -> MonoTime {
        let last = self.points.len().saturating_sub(1) as u64;
        MonoTime(self.start.0 + last * u64::from(self.step_ns))
    }

    /// How many waypoints it has.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// Waypoint `index`.
    pub(super) fn point(&self, index: usize) -> Option<&Numbers> {
        self.points.get(index)
    }

    /// Where it is at `at`, between its first waypoint and its last.
    pub(super) fn at(&self, at: MonoTime) -> Option<Numbers> {
        let (index, share) = self.place(at)?;
        let from = *self.points.get(index)?;
        let Some(to) = self.beside(index + 1, &from) else {
            return Some(from);
        };
        let way = from.zip_with(&to, |from, to| to - from);
        let before = index.checked_sub(1).and_then(|it| self.beside(it, &from));
        let before = before.map_or(way, |before| before.zip_with(&from, |a, b| b - a));
        let after = self.beside(index + 2, &to);
        let after = after.map_or(way, |after| to.zip_with(&after, |a, b| b - a));
        let slopes = (before.zip_with(&way, slope)).zip_with(&way.zip_with(&after, slope), pair);
        let ends = from.zip_with(&to, pair);
        Some(ends.zip_with(&slopes, |(from, to), (leave, arrive)| {
            hermite(from, leave, to, arrive, share)
        }))
    }

    /// When the pictures were taken that what it says of `at` came from.
    pub(super) fn seen_at(&self, at: MonoTime) -> Option<MonoTime> {
        let (index, share) = self.place(at)?;
        let index = if share > 0.0 { index + 1 } else { index };
        self.seen.get(index).or(self.seen.last()).copied()
    }

    fn place(&self, at: MonoTime) -> Option<(usize, f64)> {
        if at < self.start || at > self.end() {
            return None;
        }
        let (since, step) = (at.since(self.start), u64::from(self.step_ns));
        let index = usize::try_from(since / step).ok()?;
        Some((index, (since % step) as f64 / step as f64))
    }

    /// Waypoint `index`, its quaternion on the side of `other`'s.
    fn beside(&self, index: usize, other: &Numbers) -> Option<Numbers> {
        let numbers = *self.points.get(index)?;
        Some(match self.kind {
            Kind::Pose => same_side(numbers, other),
            Kind::Tool | Kind::Joint => numbers,
        })
    }
}

fn pair(a: f64, b: f64) -> (f64, f64) {
    (a, b)
}

/// A weighted mean of `numbers` and `others`, of which `share` (0…1) is `others`'.
pub(super) fn mix(kind: Kind, numbers: &Numbers, others: &Numbers, share: f64) -> Numbers {
    let others = near(kind, others, numbers);
    let mixed = numbers.zip_with(&others, |a, b| a + (b - a) * share);
    match kind {
        Kind::Pose => of_unit_length(mixed),
        Kind::Tool | Kind::Joint => mixed,
    }
}

/// `numbers` with whole turns and the quaternion's sign chosen so that they are near `other`.
pub(super) fn near(kind: Kind, numbers: &Numbers, other: &Numbers) -> Numbers {
    let mut numbers = *numbers;
    match kind {
        Kind::Joint => {}
        Kind::Tool => {
            let pairs = numbers.iter_mut().zip(other).enumerate();
            let far = |number: f64, other: f64| (number - other).abs() > PI;
            for (_, (number, other)) in pairs.filter(|(index, _)| TURNS.contains(index)) {
                if far(*number, *other) {
                    let (sine, cosine) = (*number - other).sin_cos();
                    *number = other + sine.atan2(cosine);
                }
            }
        }
        Kind::Pose => numbers = same_side(numbers, other),
    }
    numbers
}

/// How far `numbers` are from `others`.
pub(super) fn apart(kind: Kind, numbers: &Numbers, others: &Numbers) -> Apart {
    let others = near(kind, others, numbers);
    let differences = numbers.zip_with(&others, |a, b| b - a);
    let length = |range: std::ops::Range<usize>| {
        let squares = differences.as_slice().get(range).unwrap_or_default();
        squares.iter().map(|it| it * it).sum::<f64>().sqrt()
    };
    let largest = |from: usize| {
        let angles = differences.iter().skip(from);
        angles.fold(0.0, |largest: f64, it| largest.max(it.abs()))
    };
    match kind {
        Kind::Joint => Apart {
            angle: largest(0),
            distance: 0.0,
        },
        Kind::Tool => Apart {
            angle: largest(TURNS.start),
            distance: length(0..3),
        },
        Kind::Pose => Apart {
            // The angle of a turn between two unit quaternions by their chord.
            angle: (4.0 * (length(QUATERNION) / 2.0).min(1.0).asin()).max(largest(QUATERNION.end)),
            distance: length(0..3),
        },
    }
}

/// The waypoints that `points` are, at most as many as a plan holds.
pub(super) fn waypoints(kind: Kind, points: &[Numbers]) -> Waypoints {
    let points = points.iter().take(MAX_WAYPOINTS);
    match kind {
        Kind::Joint => Waypoints::Joint(points.map(|point| point.map(Rad)).collect()),
        Kind::Tool => Waypoints::Tool(points.map(setpoint).collect()),
        Kind::Pose => Waypoints::Pose(points.map(pose).collect()),
    }
}

fn of_setpoint(point: &ToolSetpoint) -> Numbers {
    let [x, y, z] = point.position;
    [x, y, z, point.tilt, point.roll, point.gripper]
        .into_iter()
        .collect()
}

fn of_pose(point: &ToolPose) -> Numbers {
    let ([x, y, z], [i, j, k, w]) = (point.position, point.quaternion);
    [x, y, z, i, j, k, w, point.gripper].into_iter().collect()
}

fn setpoint(numbers: &Numbers) -> ToolSetpoint {
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

fn pose(numbers: &Numbers) -> ToolPose {
    match *numbers.as_slice() {
        [x, y, z, i, j, k, w, gripper] => ToolPose {
            position: [x, y, z],
            quaternion: [i, j, k, w],
            gripper,
        },
        _ => ToolPose::default(),
    }
}

/// A pose with the one of its two quaternions that is on the side of `other`'s.
fn same_side(mut pose: Numbers, other: &Numbers) -> Numbers {
    let both = pose.iter().zip(other).take(QUATERNION.end);
    let products = both.skip(QUATERNION.start).map(|(a, b)| a * b);
    if products.sum::<f64>() < 0.0
        && let Some(quaternion) = pose.as_mut_slice().get_mut(QUATERNION)
    {
        quaternion.iter_mut().for_each(|number| *number = -*number);
    }
    pose
}

/// A pose with a quaternion of length one, as long as it has any.
fn of_unit_length(mut pose: Numbers) -> Numbers {
    if let Some(quaternion) = pose.as_mut_slice().get_mut(QUATERNION) {
        let length = quaternion.iter().map(|it| it * it).sum::<f64>().sqrt();
        if length > 0.0 {
            quaternion.iter_mut().for_each(|number| *number /= length);
        }
    }
    pose
}

/// The cubic from `from` to `to` with these slopes per unit of `share` (0…1).
fn hermite(from: f64, leave: f64, to: f64, arrive: f64, share: f64) -> f64 {
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
    ((before + after) / 2.0).clamp(-most, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(waypoints: Waypoints) -> Plan {
        Plan {
            id: 1,
            captured_at: MonoTime(0),
            start: MonoTime(100),
            step_ns: 10,
            waypoints,
        }
    }

    fn joints(values: &[f64]) -> Waypoints {
        let points = values.iter().map(|value| JointVec::repeat(Rad(*value), 1));
        Waypoints::Joint(points.collect())
    }

    #[test]
    fn a_track_passes_its_waypoints_and_says_nothing_beyond_them() {
        let track = Track::of(&plan(joints(&[0.0, 1.0, 3.0]))).unwrap();
        let at = |ns| track.at(MonoTime(ns)).map(|numbers| numbers.as_slice()[0]);
        assert_eq!(
            (at(100), at(110), at(120)),
            (Some(0.0), Some(1.0), Some(3.0))
        );
        assert_eq!((at(99), at(121)), (None, None));
        assert!((0.4..0.6).contains(&at(105).unwrap()));
    }

    #[test]
    fn a_roll_is_mixed_the_short_way_round() {
        let setpoint = |roll: f64| Numbers::from_slice(&[0.1, 0.0, 0.2, 0.0, roll, 0.5]).unwrap();
        let mixed = mix(Kind::Tool, &setpoint(3.1), &setpoint(-3.1), 0.5);
        assert!((mixed.as_slice()[4] - PI).abs() < 1e-9);
        let far = apart(Kind::Tool, &setpoint(3.1), &setpoint(-3.1));
        assert!(far.angle < 0.1 && far.distance == 0.0, "{far:?}");
    }

    #[test]
    fn a_mixed_pose_is_still_a_turn_whichever_sign_its_quaternions_have() {
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let pose = |[i, j, k, w]: [f64; 4]| {
            Numbers::from_slice(&[0.1, 0.0, 0.2, i, j, k, w, 0.5]).unwrap()
        };
        let (one, other) = (pose([0.0, 0.0, 0.0, 1.0]), pose([0.0, 0.0, -half, -half]));
        let mixed = mix(Kind::Pose, &one, &other, 0.5);
        let length: f64 = mixed.as_slice()[3..7].iter().map(|n| n * n).sum();
        assert!((length - 1.0).abs() < 1e-12);
        assert!(mixed.as_slice()[5] > 0.3, "the short way: {mixed:?}");
        let far = apart(Kind::Pose, &one, &other);
        assert!(
            (far.angle - std::f64::consts::FRAC_PI_2).abs() < 1e-9,
            "{far:?}"
        );
    }
}
