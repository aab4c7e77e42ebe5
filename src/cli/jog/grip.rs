//! Whether the person still holds a key: what lets the arm move, and how long.
//!
//! A plain terminal tells only that bytes come: one when a key is pressed, then, after a quarter to
//! two thirds of a second, thirty a second while it is held. So one byte is good for one bounded step;
//! bytes that follow each other as repeats do hold the arm moving, and each only for [`LEASE`].
//! A terminal that tells when a key is let go moves the arm from the press on, for no longer than
//! a repeat may take to begin. Pure: time is an argument.

use crate::units::MonoTime;

use super::keys::{Act, Key};

/// Bytes no farther apart are a key held: faster than anybody taps, and slower than any terminal
/// repeats. Nanoseconds.
const REPEATS: u64 = 150_000_000;
/// How long each of them holds: two lost on a slow line do not stop the arm.
const LEASE: u64 = 200_000_000;
/// How long a press holds until its first repeat, of a key that tells when it is let go.
const FIRST: u64 = 700_000_000;

/// What the arm may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing.
    Open,
    /// One step along the axis of this key.
    Step(char),
    /// Move on along it.
    On(char),
}

/// The hand on the keys.
#[derive(Debug, Default)]
pub(super) struct Grip {
    key: Option<char>,
    heard_at: MonoTime,
    until: Option<MonoTime>,
    /// It has led where the arm can't go on: it means nothing until it is pressed anew.
    spent: Option<char>,
}

impl Grip {
    /// A key that means motion; every other one is [`Grip::open`]'s.
    pub(super) fn hear(&mut self, key: Key, act: Act, now: MonoTime) {
        let Key::Char(key) = key else {
            if act != Act::Released {
                self.open();
            }
            return;
        };
        if self
            .spent
            .take_if(|spent| *spent == key && act == Act::Typed)
            .is_some()
            && now.since(self.heard_at) <= LEASE
        {
            self.spent = Some(key);
            self.heard_at = now;
            return;
        }
        let same = self.key == Some(key);
        match act {
            Act::Typed if same && now.since(self.heard_at) <= REPEATS => {
                self.until = Some(MonoTime(now.0 + LEASE));
            }
            // Another key while one is held: nobody means both.
            Act::Typed | Act::Pressed if !same && self.until.is_some() => {
                self.open();
                return;
            }
            Act::Typed => self.until = None,
            Act::Pressed => self.until = Some(MonoTime(now.0 + FIRST)),
            Act::Repeated if same && self.until.is_some() => {
                self.until = Some(MonoTime(now.0 + LEASE));
            }
            // The rest of a key that no longer moves anything.
            Act::Repeated => return,
            Act::Released => {
                if same {
                    self.open();
                }
                return;
            }
        }
        self.key = Some(key);
        self.heard_at = now;
    }

    /// Lets go.
    pub(super) fn open(&mut self) {
        *self = Grip::default();
    }

    /// Lets go, and takes the repeats of the key that was held for nothing.
    pub(super) fn spend(&mut self) {
        *self = Grip {
            spent: self.key,
            heard_at: self.heard_at,
            ..Grip::default()
        };
    }

    /// What the arm may do at `now`.
    pub(super) fn holds(&mut self, now: MonoTime) -> Hold {
        match (self.key, self.until) {
            (None, _) => Hold::Open,
            (Some(key), None) => Hold::Step(key),
            (Some(key), Some(until)) if now <= until => Hold::On(key),
            (Some(_), Some(_)) => {
                self.open();
                Hold::Open
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime(1_000_000_000 + ms * 1_000_000)
    }

    fn typed(grip: &mut Grip, key: char, ms: u64) {
        grip.hear(Key::Char(key), Act::Typed, at(ms));
    }

    #[test]
    fn one_press_is_one_step_and_so_is_the_next() {
        let mut grip = Grip::default();
        typed(&mut grip, 'q', 0);
        assert_eq!(grip.holds(at(400)), Hold::Step('q'));
        typed(&mut grip, 'q', 500);
        assert_eq!(grip.holds(at(500)), Hold::Step('q'), "not a repeat yet");
    }

    #[test]
    fn repeats_hold_and_their_end_lets_go_in_a_fifth_of_a_second() {
        let mut grip = Grip::default();
        for ms in [0, 500, 533, 566, 600] {
            typed(&mut grip, 'q', ms);
        }
        assert_eq!(grip.holds(at(799)), Hold::On('q'));
        assert_eq!(grip.holds(at(801)), Hold::Open);
        assert_eq!(grip.holds(at(802)), Hold::Open, "and it stays so");
    }

    #[test]
    fn another_key_while_one_is_held_lets_go_of_both() {
        let mut grip = Grip::default();
        for ms in [0, 500, 533] {
            typed(&mut grip, 'q', ms);
        }
        typed(&mut grip, 'a', 560);
        assert_eq!(grip.holds(at(561)), Hold::Open);
        let mut grip = Grip::default();
        typed(&mut grip, 'q', 0);
        grip.hear(Key::Escape, Act::Typed, at(1));
        assert_eq!(grip.holds(at(2)), Hold::Open);
    }

    #[test]
    fn a_key_that_led_to_an_end_must_be_pressed_anew() {
        let mut grip = Grip::default();
        for ms in [0, 500, 533] {
            typed(&mut grip, 'q', ms);
        }
        grip.spend();
        for ms in [566, 600, 633] {
            typed(&mut grip, 'q', ms);
            assert_eq!(grip.holds(at(ms)), Hold::Open);
        }
        typed(&mut grip, 'q', 900);
        assert_eq!(grip.holds(at(900)), Hold::Step('q'));
        grip.spend();
        typed(&mut grip, 'a', 910);
        assert_eq!(grip.holds(at(910)), Hold::Step('a'), "the way back is free");
    }

    #[test]
    fn a_key_that_tells_its_end_moves_from_the_press_to_the_release() {
        let mut grip = Grip::default();
        let key = Key::Char('w');
        grip.hear(key, Act::Pressed, at(0));
        assert_eq!(grip.holds(at(650)), Hold::On('w'));
        grip.hear(key, Act::Repeated, at(660));
        assert_eq!(grip.holds(at(850)), Hold::On('w'));
        grip.hear(key, Act::Released, at(851));
        assert_eq!(grip.holds(at(851)), Hold::Open);
    }

    #[test]
    fn a_terminal_that_falls_silent_lets_go_even_where_a_release_would_be_told() {
        let mut grip = Grip::default();
        grip.hear(Key::Char('w'), Act::Pressed, at(0));
        assert_eq!(grip.holds(at(701)), Hold::Open);
        grip.hear(Key::Char('w'), Act::Repeated, at(702));
        assert_eq!(grip.holds(at(703)), Hold::Open, "it needs a new press");
    }
}
