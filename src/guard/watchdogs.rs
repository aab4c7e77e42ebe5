//! Which bus watchdogs are asked next whether they have tripped, and which have.
//!
//! A third of them is asked in each tick, so that one that trips is found within three ticks. Owns
//! the turn; never touches the bus.
//!
//! Real time: no allocation, lock, log or clock.

use crate::bus::Watchdogs as Said;
use crate::units::JointSet;

/// Ticks in which all are asked once.
const TICKS: usize = 3;

/// The turn.
#[derive(Debug, Default)]
pub(super) struct Watchdogs {
    /// Those in use, in thirds.
    turns: [JointSet; TICKS],
    turn: usize,
    tripped: JointSet,
}

impl Watchdogs {
    /// Of the joints of `watched`.
    pub(super) fn new(watched: JointSet) -> Watchdogs {
        let mut turns = [JointSet::default(); TICKS];
        for (joint, turn) in watched.iter().zip((0..TICKS).cycle()) {
            if let Some(turn) = turns.get_mut(turn) {
                turn.insert(joint);
            }
        }
        Watchdogs {
            turns,
            ..Watchdogs::default()
        }
    }

    /// Those to ask in this tick; one that has tripped is asked in each.
    pub(super) fn next(&mut self) -> JointSet {
        self.turn = (self.turn + 1) % TICKS;
        let turn = self.turns.get(self.turn).copied().unwrap_or_default();
        turn.union(self.tripped)
    }

    /// Takes note of what they say.
    pub(super) fn note(&mut self, said: Said) {
        said.tripped.iter().for_each(|it| self.tripped.insert(it));
        said.well.iter().for_each(|it| self.tripped.remove(it));
    }

    /// Those that have tripped and were not seen well since.
    pub(super) fn all_tripped(&self) -> JointSet {
        self.tripped
    }

    /// The first of them.
    pub(super) fn tripped(&self) -> Option<u8> {
        let joint = self.tripped.iter().next()?;
        u8::try_from(joint).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(joints: &[usize]) -> JointSet {
        let mut set = JointSet::default();
        joints.iter().for_each(|joint| set.insert(*joint));
        set
    }

    #[test]
    fn every_watchdog_is_asked_within_three_ticks() {
        let mut watchdogs = Watchdogs::new(set(&[0, 1, 2, 4, 5]));
        let asked: Vec<Vec<usize>> = (0..3).map(|_| watchdogs.next().iter().collect()).collect();
        assert_eq!(asked, [vec![1, 5], vec![2], vec![0, 4]]);
        assert!(Watchdogs::new(JointSet::default()).next().is_empty());
    }

    #[test]
    fn one_that_has_tripped_is_asked_until_it_is_well() {
        let mut watchdogs = Watchdogs::new(set(&[0, 1, 2]));
        watchdogs.note(Said {
            tripped: set(&[2]),
            well: set(&[1]),
        });
        assert_eq!(watchdogs.tripped(), Some(2));
        assert!((0..3).all(|_| watchdogs.next().contains(2)));
        watchdogs.note(Said::default());
        assert_eq!(watchdogs.tripped(), Some(2), "no answer says nothing");
        watchdogs.note(Said {
            tripped: JointSet::default(),
            well: set(&[2]),
        });
        assert_eq!(watchdogs.tripped(), None);
    }
}
