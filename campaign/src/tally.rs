//! What a campaign has been through, counted.
//!
//! Owns sums that do not depend on the order of scenarios. Never judges.

use std::collections::BTreeMap;

use surehand::control::{JointCommand, Step};
use surehand::messages::Mode;

/// The modes, in the order they are declared.
pub const MODES: [Mode; 6] = [
    Mode::Stopped,
    Mode::Idle,
    Mode::Holding,
    Mode::Running,
    Mode::Stopping,
    Mode::Parking,
];

/// Counts of one scenario, or of many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Scenarios done.
    pub scenarios: u64,
    /// Simulated time, nanoseconds.
    pub nanos: u64,
    /// Ticks done.
    pub ticks: u64,
    /// Ticks in each of [`MODES`].
    pub modes: [u64; MODES.len()],
    /// Plans admitted.
    pub plans: u64,
    /// Plans refused while running.
    pub refused: u64,
    /// Cores that took over from another.
    pub takeovers: u64,
    /// How often each cause stopped the arm.
    pub causes: BTreeMap<String, u64>,
    /// Everything that was put out; of many scenarios the sum.
    pub digest: u64,
    plan: u64,
}

impl Tally {
    /// Takes in a tick, before which the mode was `before`.
    pub(crate) fn note(&mut self, before: Mode, step: &Step<JointCommand>) {
        self.modes[step.mode as usize] += 1;
        if step.mode == Mode::Running {
            self.refused += u64::from(step.refused.is_some());
        }
        if step.plan_id != self.plan {
            self.plan = step.plan_id;
            self.plans += u64::from(step.plan_id != 0);
        }
        if let Some(cause) = step.cause
            && !before.latched()
        {
            *self.causes.entry(kind(&cause)).or_default() += 1;
        }
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Tally) {
        self.scenarios += other.scenarios;
        self.nanos += other.nanos;
        self.ticks += other.ticks;
        for (count, other) in self.modes.iter_mut().zip(other.modes) {
            *count += other;
        }
        self.plans += other.plans;
        self.refused += other.refused;
        self.takeovers += other.takeovers;
        self.digest = self.digest.wrapping_add(other.digest);
        for (cause, count) in &other.causes {
            *self.causes.entry(cause.clone()).or_default() += count;
        }
    }

    /// The share of its ticks in each mode.
    pub fn shares(&self) -> impl Iterator<Item = (Mode, f64)> {
        let ticks = self.ticks.max(1) as f64;
        MODES
            .into_iter()
            .zip(self.modes.map(|count| count as f64 / ticks))
    }

    /// Simulated hours.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.nanos as f64 / 3.6e12
    }
}

/// The name of a cause's kind, without its numbers.
fn kind(cause: &impl std::fmt::Debug) -> String {
    let text = format!("{cause:?}");
    let name = text.split(|c: char| !c.is_alphanumeric()).next();
    name.unwrap_or_default().to_owned()
}
