//! What the guard told in the last seconds, to be asked about any moment in them.
//!
//! A policy needs joints and command at the time its pictures were taken, not when they arrived.

use std::collections::VecDeque;

use crate::messages::Telemetry;
use crate::units::{JointVec, MonoTime, Rad};

/// Joints at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointSample {
    /// The moment.
    pub at: MonoTime,
    /// Measured positions.
    pub measured: JointVec<Rad>,
    /// Commanded positions.
    pub command: JointVec<Rad>,
}

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
        let after = self.ring.partition_point(|t| t.at <= at);
        let before = self.ring.get(after.checked_sub(1)?)?;
        match self.ring.get(after) {
            Some(next) => {
                let span = next.at.since(before.at).max(1) as f64;
                let share = at.since(before.at) as f64 / span;
                let mix = |a: Rad, b: Rad| Rad(a.0 + (b.0 - a.0) * share);
                Some(JointSample {
                    at,
                    measured: before.measured.zip_with(&next.measured, mix),
                    command: before.command.zip_with(&next.command, mix),
                })
            }
            None => (at.since(before.at) <= 50_000_000).then_some(JointSample {
                at,
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
