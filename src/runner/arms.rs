//! The guards of all arms of a cell, as the runner speaks to them at once.
//!
//! Owns the order of the arms. Which arm is lost, replaced or stopped is decided elsewhere.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::history::JointSample;
use super::link::GuardLink;
use crate::messages::{Cause, Plan, RunnerReport, Telemetry};
use crate::units::MonoTime;

/// Connections that may be replaced together with the guards behind them.
pub type SharedLink = Arc<Mutex<Arc<CellLink>>>;

/// The connections to the guards of a cell, in the order of its arms.
#[derive(Debug)]
pub struct CellLink {
    arms: Vec<Arc<GuardLink>>,
}

impl CellLink {
    /// Of the arms behind `arms`.
    #[must_use]
    pub fn new(arms: Vec<Arc<GuardLink>>) -> CellLink {
        CellLink { arms }
    }

    /// What a planner and all who watch the arms share.
    #[must_use]
    pub fn share(self) -> SharedLink {
        Arc::new(Mutex::new(Arc::new(self)))
    }

    /// Each arm's.
    #[must_use]
    pub fn arms(&self) -> &[Arc<GuardLink>] {
        &self.arms
    }

    /// The same, but `link` to arm `index`.
    #[must_use]
    pub fn with(&self, index: usize, link: Arc<GuardLink>) -> CellLink {
        let mut arms = self.arms.clone();
        if let Some(slot) = arms.get_mut(index) {
            *slot = link;
        }
        CellLink { arms }
    }

    /// The newest tick of each arm; `None` before all have told one.
    #[must_use]
    pub fn latest(&self) -> Option<Vec<Telemetry>> {
        self.arms.iter().map(|arm| arm.latest()).collect()
    }

    /// The joints of each arm at `at`.
    #[must_use]
    pub fn joints_at(&self, at: MonoTime) -> Option<Vec<JointSample>> {
        self.arms.iter().map(|arm| arm.joints_at(at)).collect()
    }

    /// Offers each arm its plan.
    pub fn send_plans(&self, plans: Vec<Plan>, bytes: &mut [u8]) {
        for (arm, plan) in self.arms.iter().zip(plans) {
            arm.send_plan(plan, bytes);
        }
    }

    /// Tells all guards to stop for something only the runner can see.
    pub fn trip(&self, cause: Cause) {
        self.arms.iter().for_each(|arm| arm.trip(cause));
    }

    /// Asks all for a pause without waiting for the answers.
    pub fn pause(&self) {
        self.arms.iter().for_each(|arm| arm.pause());
    }

    /// Tells all guards to end, which begins with a stop, without waiting for their answers.
    pub fn end(&self) {
        self.arms.iter().for_each(|arm| arm.end());
    }

    /// What is told with each heartbeat.
    pub fn report(&self, change: impl Fn(&mut RunnerReport)) {
        self.arms.iter().for_each(|arm| arm.report(&change));
    }

    /// Waits for the next word from the first guard, at most `timeout`: all tell every tick.
    pub fn wait_news(&self, timeout: Duration) {
        if let Some(first) = self.arms.first() {
            first.wait_news(timeout);
        }
    }
}
