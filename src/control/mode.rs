//! Which mode follows from which event.
//!
//! ```text
//!             reset (cause gone)      enable (goal = measured)       start (new job)
//!  Stopped ─────────────────► Idle ─────────────────► Holding ─────────────────► Running
//!   ▲   │ reset, torque on     ▲ │                      ▲ ▲ ▲                        │
//!   │   └──────────────────────┼─┼──────────────────────┘ │ │                        │
//!   │ at rest                  └─┼────── release ─────────┘ └──── pause ─────────────┤
//!   │                            │ trip, stop (limp: at rest already)                │
//!   ├────────────────────────────┘                                                   │
//!  Stopping ◄──── trip, stop: from Holding, Running and Parking ─────────────────────┘
//!
//!  Parking: from Holding and Running when an operator asks, from Stopped (torque on) when the cell
//!  says so for this kind of stop; arrived, with torque off ─► Stopped
//! ```
//!
//! What is not drawn is refused, or leaves the mode as it is. `models/guard.pml` is the model of
//! this machine between two processes that may die and freeze.
//!
//! Owns the table and nothing else: whether a cause is gone, whether the arm stands and what
//! happens to torque are the core's to know.

use crate::messages::{Mode, Refusal};

/// Whether the servos hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Torque {
    /// Limp: no goal may be written, as that would switch torque on.
    #[default]
    Off,
    /// Holding or moving.
    On,
}

/// What can change the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// An operator clears the latch, and the cause is gone.
    Reset,
    /// An operator switches torque on, and every joint was just read.
    Enable,
    /// An operator starts a job.
    Start,
    /// An operator lets the arm decelerate and hold, without a latch.
    Pause,
    /// Somebody asks for a stop, or for the guard to end.
    Stop,
    /// An operator switches torque off, and the command stands.
    Release,
    /// Something is wrong.
    Trip,
    /// The arm came to rest.
    AtRest,
    /// The arm is to go to its park pose and let go there: stop category 1.
    Park,
    /// It stands at its park pose, and torque is off.
    Parked,
}

/// The mode after `event`, or why it can't be.
///
/// # Errors
/// [`Refusal::WrongMode`] when the request is not for this mode.
pub(crate) fn next(mode: Mode, event: Event, torque: Torque) -> Result<Mode, Refusal> {
    match (mode, event) {
        (Mode::Stopped, Event::Reset) => Ok(match torque {
            Torque::On => Mode::Holding,
            Torque::Off => Mode::Idle,
        }),
        (
            Mode::Stopped,
            Event::Stop | Event::Release | Event::Trip | Event::AtRest | Event::Parked,
        ) => Ok(Mode::Stopped),
        (Mode::Stopped, Event::Park) => match torque {
            Torque::On => Ok(Mode::Parking),
            Torque::Off => Err(Refusal::WrongMode),
        },
        (Mode::Stopped, Event::Enable | Event::Start | Event::Pause) => Err(Refusal::WrongMode),

        (Mode::Idle, Event::Enable) => Ok(Mode::Holding),
        (Mode::Idle, Event::Stop | Event::Trip) => Ok(Mode::Stopped),
        (Mode::Idle, Event::Release | Event::AtRest | Event::Parked) => Ok(Mode::Idle),
        (Mode::Idle, Event::Reset | Event::Start | Event::Pause | Event::Park) => {
            Err(Refusal::WrongMode)
        }

        (Mode::Holding, Event::Start) => Ok(Mode::Running),
        (Mode::Holding, Event::Enable | Event::Pause | Event::AtRest | Event::Parked) => {
            Ok(Mode::Holding)
        }
        (Mode::Holding, Event::Park) => Ok(Mode::Parking),
        (Mode::Holding, Event::Stop | Event::Trip) => Ok(Mode::Stopping),
        (Mode::Holding, Event::Release) => Ok(Mode::Idle),
        (Mode::Holding, Event::Reset) => Err(Refusal::WrongMode),

        (Mode::Running, Event::Pause) => Ok(Mode::Holding),
        (Mode::Running, Event::Stop | Event::Trip) => Ok(Mode::Stopping),
        (Mode::Running, Event::AtRest | Event::Parked) => Ok(Mode::Running),
        (Mode::Running, Event::Park) => Ok(Mode::Parking),
        (Mode::Running, Event::Reset | Event::Enable | Event::Start | Event::Release) => {
            Err(Refusal::WrongMode)
        }

        (Mode::Stopping, Event::AtRest) => Ok(Mode::Stopped),
        (Mode::Stopping, Event::Stop | Event::Trip | Event::Parked) => Ok(Mode::Stopping),
        (
            Mode::Stopping,
            Event::Reset
            | Event::Enable
            | Event::Start
            | Event::Pause
            | Event::Release
            | Event::Park,
        ) => Err(Refusal::WrongMode),

        (Mode::Parking, Event::Stop | Event::Trip) => Ok(Mode::Stopping),
        (Mode::Parking, Event::Parked) => Ok(Mode::Stopped),
        (Mode::Parking, Event::AtRest | Event::Park) => Ok(Mode::Parking),
        (
            Mode::Parking,
            Event::Reset | Event::Enable | Event::Start | Event::Pause | Event::Release,
        ) => Err(Refusal::WrongMode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table once more, written by hand from the rules: a mode, `=` for the same one, `.` for
    /// a refusal.
    const TABLE: &str = "
        mode     torque  reset    enable   start    pause    stop      release  trip      at_rest  park     parked
        stopped  off     idle     .        .        .        =         =        =         =        .        =
        stopped  on      holding  .        .        .        =         =        =         =        parking  =
        idle     off     .        holding  .        .        stopped   =        stopped   =        .        =
        idle     on      .        holding  .        .        stopped   =        stopped   =        .        =
        holding  off     .        =        running  =        stopping  idle     stopping  =        parking  =
        holding  on      .        =        running  =        stopping  idle     stopping  =        parking  =
        running  off     .        .        .        holding  stopping  .        stopping  =        parking  =
        running  on      .        .        .        holding  stopping  .        stopping  =        parking  =
        stopping off     .        .        .        .        =         .        =         stopped  .        =
        stopping on      .        .        .        .        =         .        =         stopped  .        =
        parking  off     .        .        .        .        stopping  .        stopping  =        =        stopped
        parking  on      .        .        .        .        stopping  .        stopping  =        =        stopped
    ";

    const MODES: [Mode; 6] = [
        Mode::Stopped,
        Mode::Idle,
        Mode::Holding,
        Mode::Running,
        Mode::Stopping,
        Mode::Parking,
    ];

    fn mode_of(word: &str) -> Mode {
        *MODES.iter().find(|mode| mode.word() == word).unwrap()
    }

    fn event_of(word: &str) -> Event {
        match word {
            "reset" => Event::Reset,
            "enable" => Event::Enable,
            "start" => Event::Start,
            "pause" => Event::Pause,
            "stop" => Event::Stop,
            "release" => Event::Release,
            "trip" => Event::Trip,
            "at_rest" => Event::AtRest,
            "park" => Event::Park,
            "parked" => Event::Parked,
            other => panic!("no event: {other}"),
        }
    }

    fn torque_of(word: &str) -> Torque {
        match word {
            "off" => Torque::Off,
            "on" => Torque::On,
            other => panic!("no torque: {other}"),
        }
    }

    #[test]
    fn every_mode_answers_every_event_as_the_table_says() {
        let mut rows = TABLE
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|row| !row.is_empty());
        let events = rows.next().unwrap().split_off(2);
        let mut seen = std::collections::HashSet::new();
        for row in rows {
            let (mode, torque) = (mode_of(row[0]), torque_of(row[1]));
            assert_eq!(row.len(), 2 + events.len(), "{mode}");
            for (word, cell) in events.iter().zip(&row[2..]) {
                let expected = match *cell {
                    "." => Err(Refusal::WrongMode),
                    "=" => Ok(mode),
                    other => Ok(mode_of(other)),
                };
                let found = next(mode, event_of(word), torque);
                assert_eq!(found, expected, "{mode}, {word}, torque {torque:?}");
                assert!(seen.insert((mode, *word, row[1])), "{mode}, {word} twice");
            }
        }
        assert_eq!(seen.len(), MODES.len() * 10 * 2, "a case is missing");
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Reset),
            Just(Event::Enable),
            Just(Event::Start),
            Just(Event::Pause),
            Just(Event::Stop),
            Just(Event::Release),
            Just(Event::Trip),
            Just(Event::AtRest),
            Just(Event::Park),
            Just(Event::Parked),
        ]
    }

    proptest! {
        #[test]
        fn after_a_trip_only_reset_then_start_leads_to_motion(
            from in prop_oneof![
                Just(Mode::Idle),
                Just(Mode::Holding),
                Just(Mode::Running),
                Just(Mode::Stopping),
                Just(Mode::Parking),
            ],
            events in prop::collection::vec((any_event(), any::<bool>()), 0..40),
        ) {
            let torque = |on: bool| if on { Torque::On } else { Torque::Off };
            let mut mode = next(from, Event::Trip, Torque::On).unwrap();
            let (mut was_reset, mut was_started) = (false, false);
            for (event, on) in events {
                let Ok(after) = next(mode, event, torque(on)) else { continue };
                match event {
                    Event::Reset => was_reset = true,
                    Event::Start => was_started = was_reset,
                    Event::Trip | Event::Stop => (was_reset, was_started) = (false, false),
                    _ => {}
                }
                mode = after;
                prop_assert!(mode != Mode::Running || (was_reset && was_started));
            }
        }
    }

    #[test]
    fn a_stop_is_never_refused() {
        for mode in MODES {
            let after = next(mode, Event::Stop, Torque::On).unwrap();
            assert!(matches!(after, Mode::Stopped | Mode::Stopping));
        }
    }
}
