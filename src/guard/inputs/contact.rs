//! From what one or two channels say to what their contact says.
//!
//! Open counts at once; closed when it has lasted. Two channels that disagree for too long are
//! broken, until both have been seen open: pressing and releasing the input shows that it works.
//! Never touches a device.
//!
//! Real time: no allocation, lock, log or clock.

use crate::messages::Level;
use crate::units::MonoTime;

/// How a contact is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// The second channel says the opposite of the first.
    pub(super) antivalent: bool,
    /// How long the channels may disagree, nanoseconds.
    pub(super) disagree_ns: u64,
    /// How long the contact must be closed before it counts, nanoseconds.
    pub(super) debounce_ns: u64,
}

/// One contact.
#[derive(Debug)]
pub(super) struct Contact {
    rules: Rules,
    differs_since: Option<MonoTime>,
    /// The channels disagreed for too long.
    contradicts: bool,
    closed_since: Option<MonoTime>,
}

/// Both channels together.
enum Both {
    Agree(Level),
    Differ,
}

impl Contact {
    pub(super) fn new(rules: Rules) -> Contact {
        Contact {
            rules,
            differs_since: None,
            contradicts: false,
            // What is seen first counts at once: a guard comes up latched.
            closed_since: Some(MonoTime(0)),
        }
    }

    /// What the contact says at `now`.
    pub(super) fn observe(&mut self, now: MonoTime, first: Level, second: Option<Level>) -> Level {
        let level = match self.both(first, second) {
            Both::Agree(level) => {
                self.differs_since = None;
                // Both channels were able to open.
                self.contradicts &= level != Level::Open;
                level
            }
            Both::Differ => {
                let since = *self.differs_since.get_or_insert(now);
                self.contradicts |= now.since(since) > self.rules.disagree_ns;
                Level::Open
            }
        };
        match level {
            Level::Closed if !self.contradicts => {
                let since = *self.closed_since.get_or_insert(now);
                if now.since(since) >= self.rules.debounce_ns {
                    Level::Closed
                } else {
                    Level::Open
                }
            }
            Level::Closed | Level::Open | Level::Broken => {
                self.closed_since = None;
                if self.contradicts {
                    Level::Broken
                } else {
                    level
                }
            }
        }
    }

    fn both(&self, first: Level, second: Option<Level>) -> Both {
        let Some(second) = second else {
            return Both::Agree(first);
        };
        let second = match (second, self.rules.antivalent) {
            (Level::Closed, true) => Level::Open,
            (Level::Open, true) => Level::Closed,
            (second, _) => second,
        };
        match (first, second) {
            (Level::Broken, _) | (_, Level::Broken) => Both::Agree(Level::Broken),
            (first, second) if first == second => Both::Agree(first),
            (_, _) => Both::Differ,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Broken, Closed, Open};

    const MS: u64 = 1_000_000;

    /// What a contact says at each of these milliseconds.
    fn says(rules: Rules, seen: &[(u64, Level, Option<Level>)]) -> Vec<Level> {
        let mut contact = Contact::new(rules);
        seen.iter()
            .map(|(ms, first, second)| contact.observe(MonoTime((1000 + ms) * MS), *first, *second))
            .collect()
    }

    fn rules() -> Rules {
        Rules {
            antivalent: false,
            disagree_ns: 50 * MS,
            debounce_ns: 20 * MS,
        }
    }

    #[test]
    fn open_counts_at_once_and_closed_when_it_has_lasted() {
        let seen = [
            (0, Closed, None),
            (25, Open, None),
            (30, Closed, None),
            (35, Open, None),
            (40, Closed, None),
            (55, Closed, None),
            (60, Closed, None),
        ];
        let said = [Closed, Open, Open, Open, Open, Open, Closed];
        assert_eq!(says(rules(), &seen), said);
    }

    #[test]
    fn what_can_not_be_read_is_broken_and_closes_only_after_a_while() {
        let seen = [
            (0, Closed, None),
            (25, Broken, None),
            (30, Closed, None),
            (50, Closed, None),
        ];
        assert_eq!(says(rules(), &seen), [Closed, Broken, Open, Closed]);
    }

    #[test]
    fn channels_that_disagree_are_open_at_once_and_broken_until_both_have_opened() {
        let seen = [
            (0, Closed, Some(Closed)),
            (25, Open, Some(Closed)),
            (75, Open, Some(Closed)),
            (80, Open, Some(Closed)),
            // One that closes again has not shown that the other can open.
            (85, Closed, Some(Closed)),
            (150, Closed, Some(Closed)),
            (155, Open, Some(Open)),
            (160, Closed, Some(Closed)),
            (180, Closed, Some(Closed)),
        ];
        let said = [
            Closed, Open, Open, Broken, Broken, Broken, Open, Open, Closed,
        ];
        assert_eq!(says(rules(), &seen), said);
    }

    #[test]
    fn channels_may_open_one_after_the_other() {
        let seen = [
            (0, Closed, Some(Closed)),
            (25, Closed, Some(Open)),
            (60, Open, Some(Open)),
            (65, Closed, Some(Open)),
            (100, Closed, Some(Closed)),
            (120, Closed, Some(Closed)),
        ];
        let said = [Closed, Open, Open, Open, Open, Closed];
        assert_eq!(says(rules(), &seen), said);
    }

    #[test]
    fn one_broken_channel_breaks_the_contact() {
        assert_eq!(says(rules(), &[(0, Open, Some(Broken))]), [Broken]);
        assert_eq!(says(rules(), &[(0, Broken, Some(Closed))]), [Broken]);
    }

    #[test]
    fn an_antivalent_channel_says_the_opposite() {
        let rules = Rules {
            antivalent: true,
            ..rules()
        };
        let seen = [
            (0, Closed, Some(Open)),
            (25, Open, Some(Closed)),
            (30, Closed, Some(Closed)),
            (85, Closed, Some(Closed)),
            (90, Closed, Some(Broken)),
            (95, Open, Some(Closed)),
        ];
        let said = [Closed, Open, Open, Broken, Broken, Open];
        assert_eq!(says(rules, &seen), said);
    }
}
