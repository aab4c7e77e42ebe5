//! The observer's books of emergency stops, enabling switches, holders and motor power.
//!
//! Never asks the code under test whether it was right.

use surehand::control::{CoreConfig, Inputs, JointCommand, Relay, Step, TorqueAct};
use surehand::messages::{Mode, Request, Rung};
use surehand::units::MonoTime;

use crate::motion::{Broken, broken};

/// What was pressed, held and granted.
#[derive(Debug, Default)]
pub(crate) struct Touch {
    /// This motion began as a held one.
    held: bool,
    heard_at: Option<MonoTime>,
    /// Time the loop was held up since the holder was last heard, nanoseconds.
    held_up: u64,
    /// An input has stopped the arm, and nobody has asked for a reset since.
    stopped: bool,
    relay: Relay,
}

impl Touch {
    /// Takes in one tick, before which the mode was `before`.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub(crate) fn check(
        &mut self,
        before: Mode,
        inputs: &Inputs<'_>,
        step: &Step<JointCommand>,
        config: &CoreConfig,
    ) -> Result<(), Broken> {
        let moves = |mode| matches!(mode, Mode::Running | Mode::Parking);
        let granted = |wanted: Request| {
            let mut answers = step.answers.iter().flatten();
            answers.any(|answer| *answer == Ok(wanted))
        };
        let safety = inputs.safety;
        let stop = safety.pressed.is_some() || safety.broken.is_some();
        let says = || format!("{safety:?}, and it is {}", step.mode);
        if stop && !matches!(step.mode, Mode::Stopped | Mode::Stopping) {
            return broken("a pressed or broken stop stops the arm at once", says());
        }
        if stop && granted(Request::Reset) {
            return broken("a reset is refused while a stop is pressed", says());
        }
        let enabled = safety.not_enabled.is_none();
        if !enabled && (moves(step.mode) || step.torque == TorqueAct::Enable) {
            return broken("nothing moves without its enabling switch", says());
        }
        self.hold(before, inputs, step, config, granted(Request::StartHeld))?;
        let asked = |wanted: Request| inputs.signals.requests.contains(&wanted);
        let by_itself =
            before != Mode::Parking && step.mode == Mode::Parking && !granted(Request::Park);
        if by_itself && self.stopped && !asked(Request::Reset) {
            return broken(
                "what an input has stopped goes nowhere by itself",
                format!("from {before} to {}", step.mode),
            );
        }
        self.stopped = stop || self.stopped && !asked(Request::Reset);
        self.power(inputs, step, asked(Request::Reset))
    }

    /// Held motion lasts as long as its holder, and only held motion is where it must be.
    fn hold(
        &mut self,
        before: Mode,
        inputs: &Inputs<'_>,
        step: &Step<JointCommand>,
        config: &CoreConfig,
        started: bool,
    ) -> Result<(), Broken> {
        let missed = config.period.as_nanos() as u64 * u64::from(inputs.missed);
        self.held_up = match inputs.hold {
            same if same == self.heard_at => self.held_up + missed,
            Some(at) => missed.min(inputs.now.0.saturating_sub(at.0)),
            None => 0,
        };
        self.heard_at = inputs.hold;
        let runs = step.mode == Mode::Running;
        self.held = runs && (started || self.held && before == Mode::Running);
        let moves = runs || step.mode == Mode::Parking;
        let must = self.held || moves && config.hold_to_run;
        let silence = inputs.hold.map(|at| inputs.now.0.saturating_sub(at.0));
        let patience = config.hold.as_nanos() as u64 + self.held_up;
        if must && silence.is_none_or(|silence| silence > patience) {
            return broken(
                "a held run ends with its holder",
                format!("{silence:?} ns of silence in {}", step.mode),
            );
        }
        if runs && config.hold_to_run && !self.held {
            return broken(
                "where it must be held, only a held run runs",
                format!("{before}"),
            );
        }
        Ok(())
    }

    /// Motor power goes with a pressed stop when the arm stands, and comes back with a reset.
    fn power(
        &mut self,
        inputs: &Inputs<'_>,
        step: &Step<JointCommand>,
        asked: bool,
    ) -> Result<(), Broken> {
        let before = std::mem::replace(&mut self.relay, step.relay);
        let pressed = inputs.safety.pressed.is_some() && step.mode == Mode::Stopped;
        let takes = pressed || step.rung == Rung::CutPower;
        let told = || format!("{before:?}, then {:?} in {}", step.relay, step.mode);
        match (before, step.relay) {
            (_, Relay::Hold) if takes => broken(
                "a stop that is pressed or comes to nothing takes motor power",
                told(),
            ),
            (Relay::Hold, Relay::Drop) if !takes => broken(
                "motor power goes for nothing less, and for a press at a standstill",
                told(),
            ),
            (Relay::Drop, Relay::Hold) if !asked => {
                broken("motor power comes back with a reset", told())
            }
            _ => Ok(()),
        }
    }
}
