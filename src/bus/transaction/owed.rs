//! Answers that servos still owe: asked for, not come in time, and perhaps to come among the
//! answers to a later request.
//!
//! Real time: no allocation, lock, log or clock.

use std::time::Duration;

use super::answer::Collection;
use crate::units::{MAX_JOINTS, MonoTime};

/// How long after a miss the answer may still turn up.
const LATE: Duration = Duration::from_millis(250);
/// Servos kept in mind: those of the loop's read, and as many asked otherwise.
const ROOM: usize = 2 * MAX_JOINTS;

#[derive(Debug, Clone, Copy)]
struct Debt {
    id: u8,
    answers: u8,
    until: MonoTime,
}

/// Who owes how many answers; too many rather than too few, as one may have been lost.
#[derive(Debug, Default)]
pub(super) struct Owed {
    debts: heapless::Vec<Debt, ROOM>,
    /// Whose last answer asked for did not come until now.
    silent: heapless::Vec<u8, ROOM>,
    /// Whether the answers to the last request were doubted.
    doubted: bool,
}

impl Owed {
    /// Servo `id` did not answer.
    pub(super) fn missed(&mut self, id: u8, now: MonoTime) {
        if self.silent.is_full() {
            self.silent.remove(0);
        }
        let _ = self.silent.push(id);
        self.debts.retain(|debt| debt.until > now);
        let late = u64::try_from(LATE.as_nanos()).unwrap_or(u64::MAX);
        let until = MonoTime(now.0.saturating_add(late));
        match self.debts.iter_mut().find(|debt| debt.id == id) {
            Some(debt) => {
                debt.answers = debt.answers.saturating_add(1);
                debt.until = until;
            }
            None => {
                // With no room for more the oldest is forgotten.
                if self.debts.is_full() {
                    self.debts.remove(0);
                }
                let answers = 1;
                let _ = self.debts.push(Debt { id, answers, until });
            }
        }
    }

    /// An answer of servo `id` to a request of before has come.
    pub(super) fn came(&mut self, id: u8) {
        for debt in self.debts.iter_mut().filter(|debt| debt.id == id) {
            debt.answers = debt.answers.saturating_sub(1);
        }
        self.debts.retain(|debt| debt.answers > 0);
        self.silent.retain(|silent| *silent != id);
    }

    /// What servo `id` owed does not come any more.
    pub(super) fn forgive(&mut self, id: u8) {
        self.debts.retain(|debt| debt.id != id);
    }

    /// Forgets what came so far, when those who answered all owed an answer: it was to a request
    /// of before.
    pub(super) fn settle(&mut self, collection: &mut Collection, ids: &[u8], now: MonoTime) {
        if collection.heard(ids).all(|id| self.by(id, now)) {
            for id in collection.heard(ids) {
                self.came(id);
            }
            collection.begin_again();
        }
    }

    /// As [`Owed::settle`], of a request that is over: when not all answered, and those who did were
    /// all silent the last time, their answers were to the request before.
    ///
    /// That of one request only: a servo that stays silent makes every round one of these, and where
    /// two in a row come in time the line is not late.
    pub(super) fn settle_last(&mut self, collection: &mut Collection, ids: &[u8]) {
        let (mut heard, mut late) = (0, true);
        for id in collection.heard(ids) {
            heard += 1;
            late &= self.silent.contains(&id);
        }
        self.doubted = late && !self.doubted && (1..ids.len()).contains(&heard);
        if self.doubted {
            for id in collection.heard(ids) {
                self.came(id);
            }
            collection.begin_again();
        }
        self.silent.retain(|silent| !ids.contains(silent));
    }

    /// Whether servo `id` may still answer a request of before.
    pub(super) fn by(&self, id: u8, now: MonoTime) -> bool {
        let mut debts = self.debts.iter();
        debts.any(|debt| debt.id == id && debt.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: MonoTime = MonoTime(10_000_000);
    const LATER: MonoTime = MonoTime(300_000_000);

    #[test]
    fn each_answer_that_comes_pays_for_one_that_did_not() {
        let mut owed = Owed::default();
        owed.missed(4, MonoTime(0));
        owed.missed(4, MonoTime(5_000_000));
        owed.missed(6, MonoTime(5_000_000));
        owed.came(4);
        assert!(owed.by(4, SOON) && owed.by(6, SOON) && !owed.by(5, SOON));
        owed.came(4);
        assert!(!owed.by(4, SOON) && owed.by(6, SOON));
        owed.came(5);
    }

    #[test]
    fn what_has_not_come_for_long_is_lost() {
        let mut owed = Owed::default();
        owed.missed(4, MonoTime(0));
        assert!(owed.by(4, SOON) && !owed.by(4, LATER));
        for id in 10..40 {
            owed.missed(id, SOON);
        }
        assert!(!owed.by(10, SOON) && owed.by(39, SOON));
    }
}
