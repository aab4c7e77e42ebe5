//! The operator who holds the arm running: at most one at a time.
//!
//! Owns which connection that is and when it was last heard. Never stops the arm: what silence
//! means is the core's to say.
//!
//! Real time: no allocation, lock, log or clock.

use crate::messages::{HOLD_EVERY, Refusal};
use crate::realtime::nanos;
use crate::units::MonoTime;

/// A holder who missed this many of its turns has let go: another may take over.
const MISSED_TURNS: u64 = 4;

/// Who holds, and when they last said so.
#[derive(Debug, Default)]
pub(super) struct Holder {
    holds: Option<(usize, MonoTime)>,
}

impl Holder {
    /// Connection `index` said at `sent_at` that it holds.
    ///
    /// # Errors
    /// When another one holds.
    pub(super) fn hold(
        &mut self,
        index: usize,
        sent_at: MonoTime,
        now: MonoTime,
    ) -> Result<(), Refusal> {
        // A stamp from the future gives no longer hold.
        let sent_at = sent_at.min(now);
        match &mut self.holds {
            Some((holder, heard_at)) if *holder == index => *heard_at = sent_at,
            Some((_, heard_at)) if now.since(*heard_at) <= MISSED_TURNS * nanos(HOLD_EVERY) => {
                return Err(Refusal::HeldByAnother);
            }
            Some(_) | None => self.holds = Some((index, sent_at)),
        }
        Ok(())
    }

    /// Whether connection `index` may start a held run.
    ///
    /// # Errors
    /// When nobody holds, or another one does.
    pub(super) fn may_start(&self, index: usize) -> Result<(), Refusal> {
        match self.holds {
            Some((holder, _)) if holder == index => Ok(()),
            Some(_) => Err(Refusal::HeldByAnother),
            None => Err(Refusal::HoldNeeded),
        }
    }

    /// Connection `index` closed.
    pub(super) fn left(&mut self, index: usize) {
        self.holds = self.holds.filter(|(holder, _)| *holder != index);
    }

    /// When the holder last said so; `None` when nobody holds.
    pub(super) fn heard_at(&self) -> Option<MonoTime> {
        self.holds.map(|(_, heard_at)| heard_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn one_holds_until_it_leaves_or_falls_silent() {
        let mut holder = Holder::default();
        assert_eq!(holder.may_start(3), Err(Refusal::HoldNeeded));
        let at = |ms: u64| MonoTime(ms * MS);
        assert_eq!(holder.hold(3, at(10), at(11)), Ok(()));
        assert_eq!(holder.hold(5, at(20), at(21)), Err(Refusal::HeldByAnother));
        assert_eq!(holder.may_start(3), Ok(()));
        assert_eq!(holder.may_start(5), Err(Refusal::HeldByAnother));
        assert_eq!(holder.heard_at(), Some(at(10)));
        holder.left(5);
        assert_eq!(holder.heard_at(), Some(at(10)), "another one's leaving");
        assert_eq!(holder.hold(5, at(120), at(121)), Ok(()), "it was silent");
        assert_eq!(
            holder.hold(3, at(122), at(123)),
            Err(Refusal::HeldByAnother)
        );
        holder.left(5);
        assert_eq!(holder.heard_at(), None);
    }

    #[test]
    fn a_stamp_from_the_future_counts_from_now() {
        let mut holder = Holder::default();
        holder
            .hold(0, MonoTime(900 * MS), MonoTime(5 * MS))
            .unwrap();
        assert_eq!(holder.heard_at(), Some(MonoTime(5 * MS)));
    }
}
