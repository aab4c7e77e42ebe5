//! How many ticks were missed lately.
//!
//! Owns ten seconds of counts, a second each. Real time: no allocation, lock, log or clock.

use crate::units::MonoTime;

/// Seconds looked back on.
const SECONDS: usize = 10;
const SECOND_NS: u64 = 1_000_000_000;

/// Ticks done and missed in the last ten seconds.
#[derive(Debug, Default)]
pub(super) struct Recent {
    seconds: [(u32, u32); SECONDS],
    /// The second that is being counted, since the clock's beginning.
    second: u64,
}

impl Recent {
    /// One tick at `now`, before which `missed` were missed.
    pub(super) fn record(&mut self, now: MonoTime, missed: u32) {
        let second = now.0 / SECOND_NS;
        let passed = second.saturating_sub(self.second).min(SECONDS as u64);
        for back in 0..passed {
            *self.slot(second - back) = (0, 0);
        }
        self.second = second;
        let (done, lost) = self.slot(second);
        *done += 1;
        *lost = lost.saturating_add(missed);
    }

    /// The share of ticks that were missed, 0…1.
    pub(super) fn missed_share(&self) -> f64 {
        let sum = |of: fn(&(u32, u32)) -> u32| -> f64 {
            self.seconds
                .iter()
                .map(|second| f64::from(of(second)))
                .sum()
        };
        let (done, missed) = (sum(|second| second.0), sum(|second| second.1));
        if missed == 0.0 {
            0.0
        } else {
            missed / (done + missed)
        }
    }

    fn slot(&mut self, second: u64) -> &mut (u32, u32) {
        &mut self.seconds[(second % SECONDS as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_ago_than_ten_seconds_is_forgotten() {
        let mut recent = Recent::default();
        let mut now = MonoTime(77 * SECOND_NS);
        let mut run = |recent: &mut Recent, ticks: u32, missed: u32| {
            for _ in 0..ticks {
                now = now.offset_secs(0.01);
                recent.record(now, missed);
            }
        };
        run(&mut recent, 500, 1);
        assert!((recent.missed_share() - 0.5).abs() < 1e-9);
        run(&mut recent, 450, 0);
        assert!(recent.missed_share() > 0.3);
        run(&mut recent, 1100, 0);
        assert_eq!(recent.missed_share(), 0.0);
        now = now.offset_secs(3600.0);
        recent.record(now, 3);
        assert!(
            (recent.missed_share() - 0.75).abs() < 1e-9,
            "an hour later only the last counts"
        );
    }
}
