//! What a policy that looks at several moments has seen lately.
//!
//! Owns the choice which of it is shown: for each moment a step of the policy's time apart, what was
//! captured nearest to it. At an episode's beginning that is the first observation again and again.

use std::collections::VecDeque;

use crate::units::MonoTime;

/// One moment: the rows of all inputs that show moments.
#[derive(Debug, Default)]
struct Moment {
    at: MonoTime,
    rows: Vec<Vec<f32>>,
}

/// The last moments, oldest first. Buffers are reused.
#[derive(Debug)]
pub(super) struct Moments {
    ring: VecDeque<Moment>,
    spare: Vec<Moment>,
    shown: usize,
    step_ns: u64,
}

impl Moments {
    /// Shows `shown` of them, `step_ns` apart.
    pub(super) fn new(shown: usize, step_ns: u64) -> Moments {
        Moments {
            ring: VecDeque::new(),
            spare: Vec::new(),
            shown: shown.max(1),
            step_ns: step_ns.max(1),
        }
    }

    /// How many are shown.
    pub(super) fn shown(&self) -> usize {
        self.shown
    }

    /// Whether one at `at` would add something: much more often than the policy steps does not.
    pub(super) fn wants(&self, at: MonoTime) -> bool {
        let last = self.ring.back();
        last.is_none_or(|last| at.0 >= last.at.0 + self.step_ns / 4)
    }

    /// Whether the newest is that of `at`.
    pub(super) fn has(&self, at: MonoTime) -> bool {
        self.ring.back().is_some_and(|last| last.at == at)
    }

    /// Buffers for a moment.
    pub(super) fn blank(&mut self) -> Vec<Vec<f32>> {
        self.spare.pop().map(|it| it.rows).unwrap_or_default()
    }

    /// Adds the newest moment, and lets go of what is too old to be shown.
    pub(super) fn push(&mut self, at: MonoTime, rows: Vec<Vec<f32>>) {
        self.ring.push_back(Moment { at, rows });
        let span = self.step_ns * self.shown as u64;
        while self.ring.len() > 1
            && self
                .ring
                .front()
                .is_some_and(|oldest| oldest.at.0 + span < at.0)
        {
            self.spare.extend(self.ring.pop_front());
        }
    }

    /// Forgets all: what was before a stop is not the past of what comes after it.
    pub(super) fn clear(&mut self) {
        self.spare.extend(self.ring.drain(..));
    }

    /// The rows shown for input `slot`, oldest first.
    pub(super) fn rows(&self, slot: usize) -> impl Iterator<Item = &[f32]> {
        let newest = self.ring.back().map_or(0, |newest| newest.at.0);
        (0..self.shown).rev().filter_map(move |ago| {
            let wanted = newest.saturating_sub(self.step_ns * ago as u64);
            let nearest = self
                .ring
                .iter()
                .min_by_key(|moment| moment.at.0.abs_diff(wanted))?;
            nearest.rows.get(slot).map(Vec::as_slice)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn shown(moments: &Moments) -> Vec<f32> {
        moments.rows(0).map(|row| row[0]).collect()
    }

    fn push(moments: &mut Moments, ms: u64) {
        let at = MonoTime(ms * MS);
        assert!(moments.wants(at));
        moments.push(at, vec![vec![ms as f32]]);
    }

    #[test]
    fn the_first_observation_is_repeated_until_there_are_others() {
        let mut moments = Moments::new(3, 100 * MS);
        push(&mut moments, 1000);
        assert_eq!(shown(&moments), [1000.0, 1000.0, 1000.0]);
        push(&mut moments, 1100);
        assert_eq!(shown(&moments), [1000.0, 1000.0, 1100.0]);
        push(&mut moments, 1200);
        assert_eq!(shown(&moments), [1000.0, 1100.0, 1200.0]);
    }

    #[test]
    fn a_faster_camera_shows_moments_at_the_policy_s_rate() {
        let mut moments = Moments::new(2, 100 * MS);
        for ms in (1000..2000).step_by(33) {
            push(&mut moments, ms);
        }
        // The newest is at 1990: nearest to 1890 is 1891.
        assert_eq!(shown(&moments), [1891.0, 1990.0]);
        assert!(moments.ring.len() < 10, "what is too old is gone");
        assert!(!moments.wants(MonoTime(2000 * MS)));
    }

    #[test]
    fn after_a_gap_or_a_stop_nothing_old_is_taken_for_the_moment_before() {
        let mut moments = Moments::new(2, 100 * MS);
        push(&mut moments, 1000);
        push(&mut moments, 1180);
        // 1000 is 80 ms off the wanted 1080, 1180 itself 100 ms.
        assert_eq!(shown(&moments), [1000.0, 1180.0]);
        push(&mut moments, 1700);
        assert_eq!(shown(&moments), [1700.0, 1700.0]);
        moments.clear();
        push(&mut moments, 1800);
        assert_eq!(shown(&moments), [1800.0, 1800.0]);
    }
}
