//! What holds the arms of a cell together: when one stops, all stop.
//!
//! Owns what one arm's change of mode means to the others. It is passed on by the thread that hears
//! of it, to guards that know nothing of each other. With the runner dead nobody passes anything on,
//! and nothing needs to be: each guard stops its arm for the runner's death.

use super::arms::CellLink;
use super::link::{Afar, Listener};
use crate::messages::{Cause, Mode, Request, Telemetry, ToGuard};
use crate::units::MonoTime;

/// An arm that has run for so long was started after the others had been reset.
const SETTLED_NS: u64 = 100_000_000;
/// What an arm told longer ago may be from before its reset.
const RECENT_NS: u64 = 50_000_000;

/// What the other arms are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Stop,
    Pause,
    End,
}

/// What is known of one arm.
type Known = Option<(Mode, Option<Cause>)>;

/// What the others are told when an arm that was `before` is `now`, or its guard is lost.
fn word(before: Known, now: Known) -> Option<Word> {
    let Some((mode, cause)) = now else {
        // A guard that was told to end is gone when it has.
        return (!matches!(before, Some((_, Some(Cause::Shutdown | Cause::Signal)))))
            .then_some(Word::Stop);
    };
    let (was, _) = before?;
    match (was, mode) {
        (was, Mode::Stopped | Mode::Stopping) if !standing(was) => match cause {
            Some(Cause::Shutdown | Cause::Signal) => Some(Word::End),
            // It lies at its park pose; the others may be on their way to theirs.
            Some(Cause::Parked) if mode == Mode::Stopped => None,
            _ => Some(Word::Stop),
        },
        (Mode::Running, Mode::Holding) => Some(Word::Pause),
        _ => None,
    }
}

/// Ties the arms behind `cell` together. Connections made anew must be tied anew.
pub(super) fn tie(cell: &CellLink) {
    for (index, arm) in cell.arms().iter().enumerate() {
        let others = cell.arms().iter().enumerate();
        let others: Vec<Afar> = others
            .filter(|(other, _)| *other != index)
            .map(|(_, link)| link.afar())
            .collect();
        if !others.is_empty() {
            arm.listen(listener(arm.afar(), others));
        }
    }
}

fn listener(own: Afar, others: Vec<Afar>) -> Listener {
    let mut before: Known = None;
    let mut running_since = None;
    Box::new(move |telemetry: Option<&Telemetry>| {
        let now = telemetry.map(|tick| (tick.mode, tick.cause));
        if let Some(word) = word(before, now) {
            others.iter().for_each(|other| tell(other, word));
        }
        before = now.or(before);
        // It may have been started while another stood, or a word was lost.
        let running = telemetry.filter(|tick| tick.mode == Mode::Running);
        let Some(tick) = running else {
            running_since = None;
            return;
        };
        let since = running_since.get_or_insert(tick.at);
        if tick.at.since(*since) > SETTLED_NS && others.iter().any(|it| stands(it, tick.at)) {
            own.say(&ToGuard::Trip(Cause::OtherArm));
        }
    })
}

fn standing(mode: Mode) -> bool {
    matches!(mode, Mode::Stopped | Mode::Stopping)
}

/// Whether `other` is lost or is known to have stood at about `now`.
fn stands(other: &Afar, now: MonoTime) -> bool {
    let stood = |tick: Telemetry| standing(tick.mode) && now.since(tick.at) < RECENT_NS;
    other.lost() || other.latest().is_some_and(stood)
}

fn tell(other: &Afar, word: Word) {
    match word {
        Word::Stop => {
            other.say(&ToGuard::Trip(Cause::OtherArm));
            // On its way to the park pose a guard listens to operators alone.
            if other.latest().is_some_and(|it| it.mode == Mode::Parking) {
                other.say(&ToGuard::Request(Request::Stop));
            }
        }
        Word::Pause => other.say(&ToGuard::Request(Request::Pause)),
        Word::End => other.say(&ToGuard::Request(Request::Shutdown)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: Known = Some((Mode::Running, None));

    fn stopping(cause: Cause) -> Known {
        Some((Mode::Stopping, Some(cause)))
    }

    #[test]
    fn a_stop_of_one_arm_is_one_of_all_and_told_once() {
        let stop = stopping(Cause::PortLost);
        assert_eq!(word(RUNS, stop), Some(Word::Stop));
        assert_eq!(
            word(stop, Some((Mode::Stopped, Some(Cause::PortLost)))),
            None
        );
        assert_eq!(word(Some((Mode::Idle, None)), stop), Some(Word::Stop));
        let parking = Some((Mode::Parking, Some(Cause::Parked)));
        assert_eq!(word(parking, stop), Some(Word::Stop));
        assert_eq!(word(None, stop), None, "as it was found");
    }

    #[test]
    fn the_loss_of_a_guard_is_a_stop_but_when_it_was_told_to_end() {
        assert_eq!(word(RUNS, None), Some(Word::Stop));
        assert_eq!(word(None, None), Some(Word::Stop));
        assert_eq!(word(stopping(Cause::Shutdown), None), None);
    }

    #[test]
    fn a_pause_an_end_and_being_put_away_are_no_stop() {
        assert_eq!(word(RUNS, Some((Mode::Holding, None))), Some(Word::Pause));
        assert_eq!(word(RUNS, stopping(Cause::Shutdown)), Some(Word::End));
        let parked = Some((Mode::Stopped, Some(Cause::Parked)));
        assert_eq!(
            word(Some((Mode::Parking, Some(Cause::Parked))), parked),
            None
        );
        let reset = Some((Mode::Holding, None));
        assert_eq!(word(stopping(Cause::OperatorStop), reset), None);
    }
}
