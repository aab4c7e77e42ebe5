//! When the guard's loop wakes: its own row of deadlines, and a machine that holds it up.
//!
//! The row is the guard's real one. Holds it to the rule that a missed tick is counted and skipped,
//! never caught up. Never reads a clock: the machine's time is made here.

use std::time::Duration;

use surehand::units::MonoTime;

use crate::fault::Fault;
use crate::motion::{Broken, broken};
use crate::pace::Pace;
use crate::rng::Rng;

/// The share of a period that a tick's own work takes.
const WORK: f64 = 0.3;

/// The loop's time.
#[derive(Debug)]
pub(crate) struct Beat {
    rng: Rng,
    pace: Pace,
    period: u64,
    /// The slot of a deadline is the number of periods since this one's.
    first: u64,
    slot: Option<u64>,
    /// When the tick before was done.
    done: u64,
    /// How late the loop wakes at most when all is well, nanoseconds.
    jitter: f64,
    hog: f64,
    hog_until: u64,
    hold_up: u64,
}

impl Beat {
    /// A row that begins at `now`.
    pub(crate) fn new(mut rng: Rng, now: u64, period: Duration) -> Beat {
        let nanos = period.as_nanos() as u64;
        Beat {
            jitter: rng.pick([0.0, 20e3, 300e3]),
            rng,
            pace: Pace::new(MonoTime(now), period),
            period: nanos,
            first: now,
            slot: None,
            done: now,
            hog: 0.0,
            hog_until: 0,
            hold_up: 0,
        }
    }

    /// A fault strikes at `now`; those that are not the machine's pass by.
    pub(crate) fn strike(&mut self, fault: Fault, now: u64) {
        match fault {
            Fault::HoldUp { span } => self.hold_up = span,
            Fault::Hog { most, span } => {
                self.hog = most as f64;
                self.hog_until = now + span;
            }
            _ => {}
        }
    }

    /// The next wake-up: when it is, and how many ticks were missed.
    ///
    /// # Errors
    /// When a tick is caught up, or one that was missed is not counted.
    pub(crate) fn next(&mut self) -> Result<(MonoTime, u32), Broken> {
        let deadline = self.pace.deadline().0;
        let mut late = self.rng.between(0.0, self.jitter) as u64;
        if deadline < self.hog_until && self.rng.chance(0.2) {
            late += self.rng.between(0.0, self.hog) as u64;
        }
        late += std::mem::take(&mut self.hold_up);
        let now = (deadline + late).max(self.done);
        self.done = now + (WORK * self.period as f64) as u64;
        let wake = self.pace.woke(MonoTime(now), 0);
        let slot = (now - self.first) / self.period;
        let before = self.slot.replace(slot).unwrap_or(0);
        let passed = slot.saturating_sub(before);
        if passed != u64::from(wake.missed) + 1 {
            return broken(
                "a missed tick is counted and skipped, never caught up",
                format!(
                    "{passed} periods after the tick before, {} counted as missed, {} ns late",
                    wake.missed, wake.late
                ),
            )
            .map(|()| (MonoTime(now), 0));
        }
        Ok((MonoTime(now), wake.missed))
    }

    /// The row begins anew at `now`, as when torque came on.
    pub(crate) fn restart(&mut self, now: u64) {
        self.pace.restart(MonoTime(now));
        self.first = now;
        self.slot = None;
        self.done = now;
    }
}
