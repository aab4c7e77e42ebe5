//! The runner's lease: how long it may be silent, in the loop's own time.

use surehand::control::{Inputs, JointCommand, Link, Step};
use surehand::messages::{Cause, Mode};
use surehand::units::MonoTime;

use super::Observer;
use crate::motion::{Broken, broken};

impl Observer {
    /// Books when the runner was last heard, and how long the loop was held up since.
    pub(super) fn hear(&mut self, inputs: &Inputs<'_>) {
        let came = !matches!(self.link, Link::Up { .. }) && matches!(inputs.link, Link::Up { .. });
        if came {
            self.seen = 0;
        }
        let missed = self.config.period.as_nanos() as u64 * u64::from(inputs.missed);
        self.held_up = match inputs.link {
            link if link == self.link => self.held_up + missed,
            // Only what was missed since it spoke.
            Link::Up { heard_at } => missed.min(inputs.now.0.saturating_sub(heard_at.0)),
            Link::Absent | Link::Closed => 0,
        };
        self.link = inputs.link;
    }

    /// How long the runner is silent in the loop's own time, nanoseconds; `None` when it is gone.
    pub(super) fn silence(&self, now: MonoTime) -> Option<u64> {
        match self.link {
            Link::Up { heard_at } => Some(
                now.0
                    .saturating_sub(heard_at.0)
                    .saturating_sub(self.held_up),
            ),
            Link::Absent | Link::Closed => None,
        }
    }

    /// Whether the runner's lease still runs.
    pub(super) fn leased(&self, now: MonoTime) -> bool {
        self.silence(now)
            .is_some_and(|silence| u128::from(silence) <= self.config.lease.as_nanos())
    }

    /// The arm runs only while the runner's lease does, and never loses it early.
    pub(super) fn lease(
        &self,
        inputs: &Inputs<'_>,
        step: &Step<JointCommand>,
    ) -> Result<(), Broken> {
        if step.mode == Mode::Running && !self.leased(inputs.now) {
            return broken(
                "a runner that is dead or silent beyond its lease stops the arm",
                format!(
                    "{:?} at {:?}, held up for {} ns, the lease is {:?}",
                    inputs.link, inputs.now, self.held_up, self.config.lease
                ),
            );
        }
        let blamed = matches!(step.cause, Some(Cause::RunnerSilent { .. })) && self.cause.is_none();
        if blamed && self.leased(inputs.now) {
            return broken(
                "a lease that runs stops nothing",
                format!(
                    "{:?} at {:?}, held up for {} ns, the lease is {:?}",
                    inputs.link, inputs.now, self.held_up, self.config.lease
                ),
            );
        }
        Ok(())
    }
}
