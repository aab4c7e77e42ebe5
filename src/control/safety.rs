//! Emergency stops, enabling switches and hold-to-run: what they stop, what they refuse, and what
//! becomes of motor power.
//!
//! Owns whether this run is a held one and when the holder was last heard. Never changes the
//! mode: that is the core's.
//!
//! Real time: no allocation, lock, log or clock.

use std::time::Duration;

use crate::control::config::CoreConfig;
use crate::control::io::{Inputs, Relay, SafetyInputs};
use crate::control::monitor::millis;
use crate::messages::{Cause, Mode, Refusal, Rung};
use crate::units::MonoTime;

impl SafetyInputs {
    /// What stops the arm in every mode, and keeps it stopped.
    #[must_use]
    pub(crate) fn stop(&self) -> Option<Cause> {
        let pressed = self.pressed.map(|input| Cause::EmergencyStop { input });
        pressed.or(self.broken.map(|input| Cause::InputBroken { input }))
    }

    /// # Errors
    /// While an emergency stop is pressed or an input is broken.
    pub(crate) fn may_reset(&self) -> Result<(), Refusal> {
        match (self.pressed, self.broken) {
            (Some(input), _) => Err(Refusal::Pressed { input }),
            (None, Some(input)) => Err(Refusal::InputBroken { input }),
            (None, None) => Ok(()),
        }
    }

    /// # Errors
    /// As [`SafetyInputs::may_reset`], and while an enabling switch is not held.
    pub(crate) fn may_move(&self) -> Result<(), Refusal> {
        self.may_reset()?;
        self.not_enabled
            .map_or(Ok(()), |input| Err(Refusal::NotEnabled { input }))
    }
}

/// Whether a run goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Run {
    /// Until it is stopped.
    #[default]
    Free,
    /// As long as an operator holds it.
    Held,
}

impl Run {
    /// A cell that moves only while it is held is put away only while it is held, too.
    pub(crate) fn of_parking(config: &CoreConfig) -> Run {
        if config.hold_to_run {
            Run::Held
        } else {
            Run::Free
        }
    }
}

/// What is known of the holder, and of motor power.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Safety {
    run: Run,
    heard_at: Option<MonoTime>,
    /// Time the loop itself was held up since the holder was last heard.
    held_up: Duration,
    relay: Relay,
    /// An input has stopped the arm since the last reset.
    stopped: bool,
}

impl Safety {
    /// Takes in who holds the arm in this tick, after `missed` ticks in a row.
    pub(crate) fn hear(&mut self, inputs: &Inputs<'_>, period: Duration) {
        let missed = period * inputs.missed;
        self.held_up = match inputs.hold {
            same if same == self.heard_at => self.held_up + missed,
            // A hold-up from before the holder was heard is no excuse for silence after.
            Some(heard_at) => missed.min(Duration::from_nanos(inputs.now.since(heard_at))),
            None => Duration::ZERO,
        };
        self.heard_at = inputs.hold;
        self.stopped |= inputs.safety.stop().is_some();
    }

    /// What ends a run because somebody let go.
    #[must_use]
    pub(crate) fn let_go(&self, inputs: &Inputs<'_>, config: &CoreConfig) -> Option<Cause> {
        let switch = inputs.safety.not_enabled;
        let switch = switch.map(|input| Cause::NotEnabled { input });
        let lost = self.run == Run::Held && !self.is_held(inputs.now, config);
        switch.or(lost.then(|| Cause::HoldLost {
            silent_ms: self
                .heard_at
                .map_or(0, |heard_at| millis(inputs.now.since(heard_at))),
        }))
    }

    /// The holder is given the loop's own time: a machine that held up everybody has held up the
    /// holder too.
    fn is_held(&self, now: MonoTime, config: &CoreConfig) -> bool {
        let patience = (config.hold + self.held_up).as_nanos();
        self.heard_at
            .is_some_and(|heard_at| u128::from(now.since(heard_at)) <= patience)
    }

    /// Whether a run of this kind may begin.
    ///
    /// # Errors
    /// When an input forbids motion, or nobody holds what must be held.
    pub(crate) fn may_run(
        &self,
        run: Run,
        inputs: &Inputs<'_>,
        config: &CoreConfig,
    ) -> Result<(), Refusal> {
        inputs.safety.may_move()?;
        match run {
            Run::Free if config.hold_to_run => Err(Refusal::HoldNeeded),
            Run::Held if !self.is_held(inputs.now, config) => Err(Refusal::HoldNeeded),
            Run::Free | Run::Held => Ok(()),
        }
    }

    /// Whether the arm may be put away.
    ///
    /// # Errors
    /// As [`Safety::may_run`].
    pub(crate) fn may_park(&self, inputs: &Inputs<'_>, config: &CoreConfig) -> Result<(), Refusal> {
        self.may_run(Run::of_parking(config), inputs, config)
    }

    /// The same on nobody's word: what an input has stopped goes nowhere by itself.
    #[must_use]
    pub(crate) fn may_park_by_itself(&self, inputs: &Inputs<'_>, config: &CoreConfig) -> bool {
        !self.stopped && self.may_park(inputs, config).is_ok()
    }

    /// A run of this kind begins or, as `Free`, is over.
    pub(crate) fn set_run(&mut self, run: Run) {
        self.run = run;
    }

    /// Motor power in this tick: a pressed emergency stop takes it once the arm stands, and a
    /// joint that nothing else stops takes it at once.
    pub(crate) fn relay(&mut self, mode: Mode, rung: Rung, inputs: &SafetyInputs) -> Relay {
        if rung == Rung::CutPower || mode == Mode::Stopped && inputs.pressed.is_some() {
            self.relay = Relay::Drop;
        }
        self.relay
    }

    /// A deliberate reset gives motor power back; what the relay did until now.
    pub(crate) fn reset(&mut self) -> Relay {
        self.stopped = false;
        std::mem::take(&mut self.relay)
    }
}
