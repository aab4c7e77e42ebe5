//! Absolute deadlines: when the next tick is due, how late it woke, what was missed.
//!
//! Real time: arithmetic only. Never catches up: a missed tick is counted and skipped.

use crate::units::MonoTime;

/// One wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wake {
    /// Nanoseconds after the deadline.
    pub(super) late: u64,
    /// Whole periods that passed without a tick.
    pub(super) missed: u32,
}

/// The row of deadlines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    next: MonoTime,
    period: u64,
    /// How long the machine has been suspended in all, as far as known, nanoseconds.
    asleep: Option<u64>,
}

impl Pace {
    /// The first deadline is one period after `now`.
    #[must_use]
    pub(super) fn new(now: MonoTime, period: std::time::Duration) -> Pace {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
        Pace {
            next: MonoTime(now.0 + period),
            period,
            asleep: None,
        }
    }

    /// Begins the row anew: the next deadline is one period after `now`.
    pub(super) fn restart(&mut self, now: MonoTime) {
        self.next = MonoTime(now.0 + self.period);
    }

    /// The deadline to sleep until.
    #[must_use]
    pub(super) fn deadline(&self) -> MonoTime {
        self.next
    }

    /// Takes in that the loop woke at `now`, and moves on to the first deadline after it. `asleep`
    /// is for how long the machine has been suspended in all, nanoseconds: its clock stood still
    /// meanwhile, and the ticks that fell into it were missed like others.
    pub(super) fn woke(&mut self, now: MonoTime, asleep: u64) -> Wake {
        let late = now.since(self.next);
        let missed = late / self.period;
        self.next = MonoTime(self.next.0 + (missed + 1) * self.period);
        let before = *self.asleep.get_or_insert(asleep);
        self.asleep = Some(before.max(asleep));
        let slept = asleep.saturating_sub(before) / self.period;
        Wake {
            late,
            missed: u32::try_from(missed + slept).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn missed_ticks_are_skipped_and_never_caught_up() {
        let mut pace = Pace::new(MonoTime(0), Duration::from_nanos(100));
        assert_eq!(pace.deadline(), MonoTime(100));
        let on_time = pace.woke(MonoTime(103), 0);
        assert_eq!(on_time, Wake { late: 3, missed: 0 });
        let held_up = pace.woke(MonoTime(455), 0);
        assert_eq!((held_up.late, held_up.missed), (255, 2));
        assert_eq!(pace.deadline(), MonoTime(500), "in step with the first one");
    }

    #[test]
    fn ticks_of_a_suspended_machine_are_missed_though_its_clock_stood_still() {
        let mut pace = Pace::new(MonoTime(0), Duration::from_nanos(100));
        // Suspended before the guard came up: none of its business.
        assert_eq!(pace.woke(MonoTime(100), 7_000).missed, 0);
        assert_eq!(pace.woke(MonoTime(200), 7_020).missed, 0);
        assert_eq!(pace.woke(MonoTime(300), 9_520).missed, 25);
        assert_eq!(pace.woke(MonoTime(400), 9_520).missed, 0);
        assert_eq!(pace.deadline(), MonoTime(500), "in step with the first one");
    }
}
