//! The guards of a cell under the runner's watch.
//!
//! Owns the replacing of a lost one, and what they are together. Never decides what a job does about it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::arms::{CellLink, SharedLink};
use super::guard_process::{GuardError, GuardProcess};
use super::job::{Arm, Event, Seen, Why};
use super::ledger::Ledger;
use super::link::{GuardLink, GuardState};
use super::{TAKE_OVER, bond};
use crate::messages::{Cause, Mode, RunnerReport, together};

/// The guards under watch: a lost one is replaced.
pub(super) struct WatchedArms<'a> {
    /// In the order of the cell's arms, as what is written down of them.
    pub(super) guards: &'a mut [GuardProcess],
    pub(super) ledgers: &'a [Arc<Ledger>],
    pub(super) link: &'a SharedLink,
    pub(super) report: &'a mut RunnerReport,
}

impl WatchedArms<'_> {
    fn current(&self) -> Arc<CellLink> {
        Arc::clone(&self.link.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state of the guard of arm `index`; a lost one is replaced, and its new process id given.
    fn look(&mut self, index: usize, link: &GuardLink) -> Result<Looked, GuardError> {
        let (Some(guard), Some(ledger)) = (self.guards.get_mut(index), self.ledgers.get(index))
        else {
            return Ok(Looked::Up);
        };
        let audit = &ledger.audit;
        let lost = match link.guard() {
            GuardState::Up => return Ok(Looked::Up),
            GuardState::Gone if guard.ended_in_order() => return Ok(Looked::Ended),
            lost @ (GuardState::Gone | GuardState::Frozen) => lost,
        };
        tracing::error!("the guard is {lost:?}; replacing it");
        let how = format!("{lost:?}").to_lowercase();
        let pid = link.guard_pid;
        audit.add_of_arm("guard_lost", json!({"guard_pid": pid, "how": how}));
        guard.replace()?;
        audit.guard_replaced();
        let fresh = guard.connect(&ledger.report(self.report), Some(ledger), TAKE_OVER)?;
        let pid = fresh.guard_pid;
        audit.add_of_arm("guard_replaced", json!({"guard_pid": pid}));
        let cell = self.current().with(index, Arc::new(fresh));
        bond::tie(&cell);
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(cell);
        Ok(Looked::Replaced(pid))
    }
}

/// What was seen of one guard.
enum Looked {
    Up,
    Ended,
    Replaced(u32),
}

impl Arm for WatchedArms<'_> {
    fn observe(&mut self, events: &mut dyn FnMut(Event)) -> Result<Seen, String> {
        let cell = self.current();
        cell.wait_news(Duration::from_millis(20));
        let health = self
            .ledgers
            .first()
            .map_or(self.report.log, |ledger| ledger.audit.health());
        if health != self.report.log {
            self.report.log = health;
            cell.report(|report| report.log = health);
        }
        for (ledger, link) in self.ledgers.iter().zip(cell.arms()) {
            link.report(|report| report.service = ledger.service.due());
        }
        let mut replaced = None;
        for (arm, link) in cell.arms().iter().enumerate() {
            match self.look(arm, link).map_err(|error| error.to_string())? {
                Looked::Up => {}
                Looked::Ended => return Ok(Seen::Ended),
                Looked::Replaced(pid) => {
                    events(Event::GuardReplaced { arm, pid });
                    replaced = Some(arm);
                }
            }
        }
        if let Some(arm) = replaced {
            let cause = Cause::GuardReplaced;
            return Ok(Seen::At(Mode::Stopped, Some(Why { arm, cause })));
        }
        // A guard that has not spoken yet is latched.
        let seen = cell.arms().iter().map(|arm| {
            let latest = arm.latest();
            latest.map_or((Mode::Stopped, None), |tick| (tick.mode, tick.cause))
        });
        let (mode, why) = together(seen);
        Ok(Seen::At(mode, why.map(|(arm, cause)| Why { arm, cause })))
    }

    fn episode(&mut self, index: u32) {
        self.report.episode = index;
        self.current().report(|report| report.episode = index);
    }
}
