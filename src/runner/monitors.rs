//! What is watched of a running policy, and what is done when it is beyond its limit.
//!
//! Owns which of it is raised. Never stops an arm: it warns, slows plans down or asks for a pause.
//! Time is an argument.

use std::time::Duration;

use crate::cell::{WatchRule, WatchSection};
use crate::messages::{Raised, Then, Watch};
use crate::realtime;
use crate::units::MonoTime;

/// What was beyond its limit stays raised until it was within for this long.
const CLEARED: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct Watched {
    rule: WatchRule,
    /// Its worst value, and when it was last beyond.
    raised: Option<(f64, MonoTime)>,
}

/// The monitors of one job.
#[derive(Debug, Clone)]
pub struct Monitors {
    all: Vec<Watched>,
}

impl Monitors {
    /// Nothing is raised yet.
    #[must_use]
    pub fn new(section: &WatchSection) -> Monitors {
        let watched = |rule: &WatchRule| Watched {
            rule: *rule,
            raised: None,
        };
        Monitors {
            all: section.rules.iter().map(watched).collect(),
        }
    }

    /// Nothing is raised any more.
    pub fn restart(&mut self) {
        self.all.iter_mut().for_each(|it| it.raised = None);
    }

    /// Notes that `what` is `value` at `now`; tells it when that raises it.
    pub fn note(&mut self, what: Watch, value: f64, now: MonoTime) -> Option<Raised> {
        let watched = self.all.iter_mut().find(|it| it.rule.what == what)?;
        let WatchRule { limit, then, .. } = watched.rule;
        if then == Then::Off || !value.is_finite() {
            return None;
        }
        if what.beyond(value, limit) {
            let before = watched.raised.map(|(worst, _)| worst);
            let worse = before.is_none_or(|before| what.beyond(value, before));
            let worst = before.filter(|_| !worse).unwrap_or(value);
            watched.raised = Some((worst, now));
            return before.is_none().then_some(Raised {
                what,
                value,
                limit,
                then,
            });
        }
        let over = |(_, last): &(f64, MonoTime)| now.since(*last) < realtime::nanos(CLEARED);
        watched.raised = watched.raised.filter(over);
        None
    }

    /// All that is raised.
    pub fn raised(&self) -> impl Iterator<Item = Raised> {
        self.all.iter().filter_map(|watched| {
            let WatchRule { what, limit, then } = watched.rule;
            let (value, _) = watched.raised?;
            Some(Raised {
                what,
                value,
                limit,
                then,
            })
        })
    }

    /// Whether plans are to take longer.
    #[must_use]
    pub fn slow(&self) -> bool {
        self.raised().any(|raised| raised.then >= Then::Slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> MonoTime {
        MonoTime(ms * 1_000_000)
    }

    fn monitors(what: Watch, limit: f64, then: Then) -> Monitors {
        Monitors::new(&WatchSection {
            rules: vec![WatchRule { what, limit, then }],
        })
    }

    #[test]
    fn what_is_beyond_its_limit_is_told_once_and_kept_for_a_while() {
        let mut monitors = monitors(Watch::Apart, 0.2, Then::Slow);
        assert_eq!(monitors.note(Watch::Apart, 0.1, ms(0)), None);
        let told = monitors.note(Watch::Apart, 0.3, ms(100)).unwrap();
        assert_eq!((told.value, told.then), (0.3, Then::Slow));
        assert_eq!(monitors.note(Watch::Apart, 0.4, ms(200)), None);
        assert_eq!(monitors.raised().next().unwrap().value, 0.4, "the worst");
        assert!(monitors.slow());
        monitors.note(Watch::Apart, 0.1, ms(900));
        assert!(monitors.slow(), "not yet");
        monitors.note(Watch::Apart, 0.1, ms(1300));
        assert_eq!(monitors.raised().next(), None);
        assert!(
            monitors.note(Watch::Apart, 0.3, ms(1400)).is_some(),
            "again"
        );
    }

    #[test]
    fn too_little_contrast_is_beyond_its_limit_and_what_is_off_never() {
        let mut low = monitors(Watch::Blank, 0.01, Then::Warn);
        assert_eq!(low.note(Watch::Blank, 0.3, ms(0)), None);
        assert!(low.note(Watch::Blank, 0.001, ms(1)).is_some());
        assert!(!low.slow());
        let mut off = monitors(Watch::Age, 1.0, Then::Off);
        assert_eq!(off.note(Watch::Age, 1e9, ms(0)), None);
        assert_eq!(off.note(Watch::State, 1e9, ms(0)), None, "not watched");
    }
}
