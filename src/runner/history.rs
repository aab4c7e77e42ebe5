//! What the guard told in the last seconds, to be asked about any moment in them.
//!
//! A policy needs joints and command at the time its pictures were taken, not when they arrived.

use std::collections::VecDeque;

use crate::messages::Telemetry;
use crate::units::{JointVec, MonoTime, Rad, RadPerSec};

/// Joints at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointSample {
    /// The moment.
    pub at: MonoTime,
    /// Measured positions.
    pub measured: JointVec<Rad>,
    /// Commanded positions.
    pub command: JointVec<Rad>,
    /// How fast the measured positions changed lately; 0 before there is a past.
    pub velocity: JointVec<RadPerSec>,
}

/// Joints at one moment, without a past.
struct Moment {
    measured: JointVec<Rad>,
    command: JointVec<Rad>,
}

/// The time over which a speed is measured: a count of a servo in one tick would be 0.3 rad/s.
const SPEED_NS: u64 = 25_000_000;

/// A ring of telemetry, oldest first.
#[derive(Debug)]
pub struct History {
    ring: VecDeque<Telemetry>,
    capacity: usize,
}

impl History {
    /// Keeps the last `capacity` ticks.
    #[must_use]
    pub fn new(capacity: usize) -> History {
        History {
            ring: VecDeque::with_capacity(capacity),
            capacity: capacity.max(2),
        }
    }

    /// Adds the newest tick.
    pub fn push(&mut self, telemetry: Telemetry) {
        if self.ring.len() == self.capacity {
            self.ring.pop_front();
        }
        self.ring.push_back(telemetry);
    }

    /// The newest tick.
    #[must_use]
    pub fn latest(&self) -> Option<&Telemetry> {
        self.ring.back()
    }

    /// Forgets everything: after a change of guard, old commands are no base for new actions.
    pub fn clear(&mut self) {
        self.ring.clear();
    }

    /// The joints at `at`, between the two ticks around it. `None` when `at` is before all that
    /// is kept, or more than 50 ms after the newest tick.
    #[must_use]
    pub fn at(&self, at: MonoTime) -> Option<JointSample> {
        let Moment { measured, command } = self.moment(at)?;
        let before = self.moment(MonoTime(at.0.saturating_sub(SPEED_NS)));
        let speed =
            |now: Rad, before: Rad| RadPerSec((now.0 - before.0) / (SPEED_NS as f64 * 1e-9));
        let velocity = match before {
            Some(before) => measured.zip_with(&before.measured, speed),
            None => measured.map(|_| RadPerSec(0.0)),
        };
        Some(JointSample {
            at,
            measured,
            command,
            velocity,
        })
    }

    fn moment(&self, at: MonoTime) -> Option<Moment> {
        let after = self.ring.partition_point(|t| t.at <= at);
        let before = self.ring.get(after.checked_sub(1)?)?;
        match self.ring.get(after) {
            Some(next) => {
                let span = next.at.since(before.at).max(1) as f64;
                let share = at.since(before.at) as f64 / span;
                let mix = |a: Rad, b: Rad| Rad(a.0 + (b.0 - a.0) * share);
                Some(Moment {
                    measured: before.measured.zip_with(&next.measured, mix),
                    command: before.command.zip_with(&next.command, mix),
                })
            }
            None => (at.since(before.at) <= 50_000_000).then_some(Moment {
                measured: before.measured,
                command: before.command,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Mode;

    fn tick(ms: u64, position: f64) -> Telemetry {
        Telemetry {
            tick: ms,
            at: MonoTime(ms * 1_000_000),
            mode: Mode::Running,
            cause: None,
            measured: JointVec::repeat(Rad(position), 2),
            command: JointVec::repeat(Rad(position + 1.0), 2),
            plan_id: 0,
            plan_end: MonoTime(0),
            plan_lag: 0.0,
            refused: None,
        }
    }

    #[test]
    fn joints_between_two_ticks_are_interpolated() {
        let mut history = History::new(10);
        history.push(tick(100, 0.0));
        history.push(tick(105, 1.0));
        let sample = history.at(MonoTime(101_000_000)).unwrap();
        assert!((sample.measured.get(1).unwrap().0 - 0.2).abs() < 1e-9);
        assert!((sample.command.get(0).unwrap().0 - 1.2).abs() < 1e-9);
    }

    #[test]
    fn a_speed_is_that_of_the_last_25_ms() {
        let mut history = History::new(10);
        for (ms, position) in [(100, 0.0), (110, 0.1), (120, 0.2), (130, 0.3)] {
            history.push(tick(ms, position));
        }
        let speed = |ms: u64| history.at(MonoTime(ms * 1_000_000)).unwrap().velocity;
        assert!((speed(130).get(0).unwrap().0 - 10.0).abs() < 1e-6);
        assert_eq!(speed(110).get(0).unwrap().0, 0.0, "no past");
    }

    #[test]
    fn a_moment_outside_what_is_kept_has_no_joints() {
        let mut history = History::new(2);
        for ms in [100, 105, 110] {
            history.push(tick(ms, 0.0));
        }
        assert!(history.at(MonoTime(101_000_000)).is_none(), "dropped");
        assert!(history.at(MonoTime(120_000_000)).is_some());
        assert!(history.at(MonoTime(200_000_000)).is_none(), "too new");
    }
}
