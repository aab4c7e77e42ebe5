//! Plans the runner makes itself: going to a start pose, and standing still.

use std::time::Duration;

use heapless::Vec;

use crate::arm::JointLimits;
use crate::messages::{MAX_WAYPOINTS, Plan, Waypoints};
use crate::units::{JointVec, MonoTime, Rad};

/// A move is planned at this share of the joints' limits: the guard's limiter keeps room to
/// catch up.
const SHARE: f64 = 0.5;
/// Time between waypoints of a short move.
const STEP_NS: u32 = 20_000_000;
/// How long a standing plan lasts.
const STANDING_SECS: f64 = 0.5;
/// The longest one: a step's nanoseconds must fit.
const LONGEST_SECS: f64 = 4.0;

/// A plan and when it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// What to send.
    pub plan: Plan,
    /// When the last waypoint is due.
    pub end: MonoTime,
}

/// A smooth move of all joints from `from` to `to`, beginning at `now` (minimum-jerk profile:
/// position share `10 s³ − 15 s⁴ + 6 s⁵`, whose peak speed is 1.875 and peak acceleration 5.774
/// in units of way and duration).
#[must_use]
pub fn joint_move(
    id: u64,
    now: MonoTime,
    from: &JointVec<Rad>,
    to: &JointVec<Rad>,
    limits: &JointVec<JointLimits>,
) -> Move {
    let duration = from
        .iter()
        .zip(to)
        .zip(limits)
        .map(|((from, to), limits)| {
            let way = (to.0 - from.0).abs();
            let by_speed = 1.875 * way / (SHARE * limits.velocity.0);
            let by_acceleration = (5.774 * way / (SHARE * limits.acceleration.0)).sqrt();
            by_speed.max(by_acceleration)
        })
        .fold(0.1, f64::max);
    // Long moves get longer steps: a plan has a fixed number of waypoints, and some must be left
    // for standing at the end.
    let standing = (STANDING_SECS * 1e9 / f64::from(STEP_NS)) as usize;
    let room = (MAX_WAYPOINTS - standing - 1) as f64;
    let step_ns = f64::from(STEP_NS).max(duration * 1e9 / room).ceil();
    let steps = (duration * 1e9 / step_ns).ceil() as usize;
    let points: Vec<JointVec<Rad>, MAX_WAYPOINTS> = (0..=steps + standing)
        .take(MAX_WAYPOINTS)
        .map(|index| {
            let s = (index as f64 / steps as f64).min(1.0);
            let share = s * s * s * (10.0 - 15.0 * s + 6.0 * s * s);
            from.zip_with(to, |a, b| Rad(a.0 + (b.0 - a.0) * share))
        })
        .collect();
    Move {
        end: now.offset_secs(duration),
        plan: plan(id, now, step_ns as u32, points),
    }
}

/// Standing at `pose` for half a second, to be renewed before it runs out.
#[must_use]
pub fn stand(id: u64, now: MonoTime, pose: &JointVec<Rad>) -> Plan {
    stand_for(id, now, pose, Duration::from_secs_f64(STANDING_SECS))
}

/// Standing at `pose` for `time`, at most four seconds.
#[must_use]
pub fn stand_for(id: u64, now: MonoTime, pose: &JointVec<Rad>, time: Duration) -> Plan {
    let steps = 2;
    let points = std::iter::repeat_n(*pose, steps + 1).collect();
    let time = time.as_secs_f64().clamp(STANDING_SECS, LONGEST_SECS);
    let step_ns = (time * 1e9 / steps as f64) as u32;
    plan(id, now, step_ns, points)
}

fn plan(id: u64, now: MonoTime, step_ns: u32, points: Vec<JointVec<Rad>, MAX_WAYPOINTS>) -> Plan {
    Plan {
        id,
        captured_at: now,
        start: now,
        step_ns,
        waypoints: Waypoints::Joint(points),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{RadPerSec, RadPerSec2, RadPerSec3};

    fn limits() -> JointVec<JointLimits> {
        JointVec::repeat(
            JointLimits {
                lower: Rad(-3.0),
                upper: Rad(3.0),
                velocity: RadPerSec(2.0),
                acceleration: RadPerSec2(10.0),
                jerk: RadPerSec3(500.0),
            },
            2,
        )
    }

    #[test]
    fn a_move_ends_at_its_goal_within_the_limits() {
        let from = JointVec::from_slice(&[Rad(-2.5), Rad(0.0)]).unwrap();
        let to = JointVec::from_slice(&[Rad(2.5), Rad(0.1)]).unwrap();
        let motion = joint_move(1, MonoTime(1_000_000_000), &from, &to, &limits());
        let Waypoints::Joint(points) = &motion.plan.waypoints else {
            panic!("a joint move has joint waypoints");
        };
        assert_eq!(points.first(), Some(&from));
        assert_eq!(points.last(), Some(&to));
        assert!(motion.plan.end() >= motion.end);
        let step = f64::from(motion.plan.step_ns) * 1e-9;
        for pair in points.windows(2) {
            let speed = (pair[1].get(0).unwrap().0 - pair[0].get(0).unwrap().0) / step;
            assert!(speed.abs() <= 1.0 + 1e-9, "{speed}");
        }
    }

    #[test]
    fn a_move_to_where_the_arm_is_stands() {
        let pose = JointVec::repeat(Rad(0.3), 2);
        let motion = joint_move(1, MonoTime(0), &pose, &pose, &limits());
        let Waypoints::Joint(points) = &motion.plan.waypoints else {
            panic!("a joint move has joint waypoints");
        };
        assert!(points.iter().all(|point| *point == pose));
    }
}
