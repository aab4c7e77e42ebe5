//! A policy that gives no more plans while the arm still has one.
//!
//! A server that is gone is no reason to stop in the middle of a plan that is good to its end: the
//! arm goes on to there, and is stopped for what is known to be wrong. Owns when that is. Never asks
//! the policy again: that is for the next episode.

use std::time::Duration;

use crate::messages::Cause;
use crate::realtime;
use crate::units::MonoTime;

/// The stop is asked for this long before the plan's end, where the guard would stop the arm for
/// the end alone.
const BEFORE: Duration = Duration::from_millis(20);
/// An answer is waited for no longer than until then, so that its lack is told in time.
const GIVE_UP: Duration = Duration::from_millis(30);

/// How the policy stands with its plans.
#[derive(Debug, Default)]
pub(super) struct Starving {
    /// When the plan that the arm has runs out.
    fed_until: MonoTime,
    cause: Option<Cause>,
}

impl Starving {
    /// The arm has a plan until `end`.
    pub(super) fn fed_until(&mut self, end: MonoTime) {
        self.fed_until = end;
    }

    /// No more plans will come, because of `cause`.
    pub(super) fn begin(&mut self, cause: Cause) {
        self.cause = Some(cause);
    }

    /// Whether no more plans will come.
    pub(super) fn is(&self) -> bool {
        self.cause.is_some()
    }

    /// Why the arm must stop, once its plan is as good as over.
    pub(super) fn over(&self, now: MonoTime) -> Option<Cause> {
        let over = now.0 + realtime::nanos(BEFORE) >= self.fed_until.0;
        self.cause.filter(|_| over)
    }

    /// How long an answer to a question at `now` may take.
    pub(super) fn patience(&self, now: MonoTime) -> Duration {
        let until = self.fed_until.0.saturating_sub(realtime::nanos(GIVE_UP));
        Duration::from_nanos(until.saturating_sub(now.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> MonoTime {
        MonoTime(ms * 1_000_000)
    }

    #[test]
    fn the_arm_goes_on_to_the_end_of_its_plan_and_is_stopped_for_what_is_wrong() {
        let mut starving = Starving::default();
        starving.fed_until(ms(1000));
        assert_eq!(starving.over(ms(2000)), None, "plans may still come");
        starving.begin(Cause::PolicyFailed);
        assert!(starving.is());
        assert_eq!(starving.over(ms(979)), None);
        assert_eq!(starving.over(ms(980)), Some(Cause::PolicyFailed));
    }

    #[test]
    fn an_answer_is_waited_for_until_just_before_the_plan_runs_out() {
        let mut starving = Starving::default();
        starving.fed_until(ms(1000));
        assert_eq!(starving.patience(ms(400)), Duration::from_millis(570));
        assert_eq!(starving.patience(ms(990)), Duration::ZERO);
    }
}
