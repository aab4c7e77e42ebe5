//! How long a policy takes to answer, and how long it may.
//!
//! Owns the measurement and the rule. A plan is stamped with the moment its pictures were taken: one
//! that comes too late is refused, and one that comes after the last has run out leaves the arm
//! without.

use std::time::{Duration, Instant};

use super::chunks::SPARE;
use super::setup::Setup;
use crate::messages::Percentiles;
use crate::policy::package::Model;
use crate::policy::{Policy, PolicyError};
use crate::stats::Times;

/// Inferences that are measured.
pub const RUNS: u32 = 200;
/// The same of a server, which others may be waiting for.
const SERVER_RUNS: u32 = 20;

/// How many inferences of `policy` are measured.
#[must_use]
pub fn runs(policy: &Policy) -> u32 {
    match policy.package().model {
        Model::Graph(_) => RUNS,
        Model::Server(_) => SERVER_RUNS,
    }
}

/// Runs `policy` [`runs`] times on grey pictures, after warming up; microseconds.
///
/// # Errors
/// When the graph can't be run.
pub fn measure(policy: &mut Policy) -> Result<Percentiles, PolicyError> {
    policy.warm_up()?;
    let mut measured = Times::new();
    for _ in 0..runs(policy) {
        let began = Instant::now();
        policy.rehearse()?;
        measured.record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(measured.percentiles())
}

impl Setup {
    /// The longest an inference of `policy` may take: no plan may be older than the cell allows when
    /// it arrives, nor may the one before have run out.
    #[must_use]
    pub fn inference_deadline(&self, policy: &Policy) -> Duration {
        let package = policy.package();
        let timing = &package.robot.timing;
        let span = (package.waypoints() as f64 - 1.0 + timing.first_step) / timing.rate_hz;
        let left = (span - SPARE.as_secs_f64()).max(0.0);
        let control = &self.cell.control;
        control.max_plan_age.min(Duration::from_secs_f64(left))
    }
}
