//! When a policy is asked for its next chunk.
//!
//! Owns the latencies of the last inferences and the rule. Never reads a clock.

use std::collections::VecDeque;
use std::time::Duration;

use crate::realtime;
use crate::units::MonoTime;

/// How much earlier than its latency asks for a plan is asked for: a new picture of every camera
/// must come first, and the plan must reach the guard.
pub const SPARE: Duration = Duration::from_millis(70);
/// Inferences that are remembered: one that took long is forgotten with time.
const REMEMBERED: usize = 64;

/// The rate of a policy, and how long it lately took to answer.
#[derive(Debug, Clone)]
pub struct Pace {
    every: Option<Duration>,
    lately: VecDeque<Duration>,
}

impl Pace {
    /// Asked again after `every`; with `None` only when the last plan runs out.
    #[must_use]
    pub fn new(every: Option<Duration>) -> Pace {
        Pace {
            every,
            lately: VecDeque::with_capacity(REMEMBERED),
        }
    }

    /// Notes an inference that took `latency`.
    pub fn note(&mut self, latency: Duration) {
        if self.lately.len() == REMEMBERED {
            self.lately.pop_front();
        }
        self.lately.push_back(latency);
    }

    /// How long an inference takes, the slowest twentieth of the last ones left out.
    #[must_use]
    pub fn latency(&self) -> Duration {
        let mut sorted: Vec<Duration> = self.lately.iter().copied().collect();
        sorted.sort_unstable();
        let index = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
        sorted.get(index).copied().unwrap_or_default()
    }

    /// When it is asked again after being asked at `asked`: at its rate, but early enough for the
    /// next plan to be there before the last one runs out at `runs_out`.
    #[must_use]
    pub fn next(&self, asked: MonoTime, runs_out: MonoTime) -> MonoTime {
        let ahead = realtime::nanos(self.latency() + SPARE);
        let in_time = runs_out.0.saturating_sub(ahead).max(asked.0);
        let at_its_rate = self.every.map(|every| asked.0 + realtime::nanos(every));
        MonoTime(at_its_rate.map_or(in_time, |rate| rate.min(in_time)))
    }

    /// When it must be asked again after being asked at `asked`, for the next plan to be there when the
    /// actions that are meant to be executed are done at `done`; no sooner than one `step` later.
    #[must_use]
    pub fn executed(&self, asked: MonoTime, done: MonoTime, step: Duration) -> MonoTime {
        let ahead = realtime::nanos(self.latency() + SPARE);
        let earliest = asked.0 + realtime::nanos(step);
        MonoTime(done.0.saturating_sub(ahead).max(earliest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> MonoTime {
        MonoTime(ms * 1_000_000)
    }

    fn after(latency_ms: u64, every: Option<u64>) -> Pace {
        let mut pace = Pace::new(every.map(Duration::from_millis));
        pace.note(Duration::from_millis(latency_ms));
        pace
    }

    #[test]
    fn the_next_plan_is_asked_for_before_the_last_one_runs_out() {
        let pace = after(100, Some(500));
        // A chunk of three seconds is renewed at the policy's rate.
        assert_eq!(pace.next(ms(1000), ms(4000)), ms(1500));
        // One of 400 ms so early that 100 ms of inference and a picture fit in.
        assert_eq!(pace.next(ms(1000), ms(1400)), ms(1230));
        // One that is as good as over at once.
        assert_eq!(pace.next(ms(1000), ms(1100)), ms(1000));
        assert_eq!(pace.next(ms(1000), ms(900)), ms(1000));
    }

    #[test]
    fn the_next_plan_is_there_when_the_actions_to_be_executed_are_done() {
        let (pace, step) = (after(100, None), Duration::from_millis(50));
        // Eight steps of 50 ms.
        assert_eq!(pace.executed(ms(1000), ms(1400), step), ms(1230));
        // One step, which is over before an answer can be there.
        assert_eq!(pace.executed(ms(1000), ms(1050), step), ms(1050));
    }

    #[test]
    fn chunks_that_are_appended_are_asked_for_when_the_last_runs_out() {
        assert_eq!(after(100, None).next(ms(1000), ms(4000)), ms(3830));
    }

    #[test]
    fn one_stall_among_many_does_not_make_a_policy_a_slow_one() {
        let mut pace = after(2500, None);
        assert_eq!(pace.latency(), Duration::from_millis(2500));
        (0..40).for_each(|_| pace.note(Duration::from_millis(30)));
        assert_eq!(pace.latency(), Duration::from_millis(30));
        (0..8).for_each(|_| pace.note(Duration::from_millis(90)));
        assert_eq!(pace.latency(), Duration::from_millis(90));
    }
}
