//! Whether anybody still needs this guard.
//!
//! A guard outlives its runner because it holds the arm up. One that has never held it would only
//! keep the port from the next.
//!
//! Real time: arithmetic only.

use crate::control::{Link, TorqueAct};
use crate::messages::Mode;
use crate::units::MonoTime;

/// How long a guard that holds nothing waits for a runner, nanoseconds.
const PATIENCE: u64 = 10_000_000_000;

/// The watch over a guard that nobody may need.
#[derive(Debug)]
pub(super) struct Vigil {
    /// Torque was switched on by this guard, or found on.
    holds: bool,
    alone_since: MonoTime,
}

impl Vigil {
    /// Begins at `now`; `holds` when it took over an arm with torque on.
    #[must_use]
    pub(super) fn new(holds: bool, now: MonoTime) -> Vigil {
        Vigil {
            holds,
            alone_since: now,
        }
    }

    /// Takes in what a tick was about to do with the torque.
    pub(super) fn note(&mut self, torque: TorqueAct) {
        self.holds |= torque == TorqueAct::Enable;
    }

    /// Whether the guard has waited long enough, at `now`, for somebody who does not come.
    pub(super) fn is_over(&mut self, link: Link, mode: Mode, now: MonoTime) -> bool {
        if self.holds || mode != Mode::Stopped || matches!(link, Link::Up { .. }) {
            self.alone_since = now;
        }
        now.since(self.alone_since) > PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Link = Link::Up {
        heard_at: MonoTime(0),
    };

    fn at(seconds: u64) -> MonoTime {
        MonoTime(seconds * 1_000_000_000)
    }

    #[test]
    fn a_guard_that_holds_nothing_and_has_no_runner_is_over_after_a_while() {
        let mut vigil = Vigil::new(false, at(0));
        vigil.note(TorqueAct::Keep);
        assert!(!vigil.is_over(Link::Absent, Mode::Stopped, at(9)));
        assert!(!vigil.is_over(UP, Mode::Stopped, at(100)), "it is needed");
        assert!(!vigil.is_over(Link::Closed, Mode::Stopped, at(109)));
        assert!(vigil.is_over(Link::Closed, Mode::Stopped, at(111)));
    }

    #[test]
    fn a_guard_that_has_held_the_arm_stays_for_ever() {
        for mut vigil in [Vigil::new(true, at(0)), Vigil::new(false, at(0))] {
            vigil.note(TorqueAct::Enable);
            vigil.note(TorqueAct::Release);
            assert!(!vigil.is_over(Link::Closed, Mode::Stopped, at(10_000)));
        }
    }
}
