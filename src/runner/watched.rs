//! The guards of a cell under the runner's watch.
//!
//! Owns the replacing of a lost one, or of one whose port is there again, and what they are together. Never decides what a job does about it.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::arms::{CellLink, SharedLink};
use super::guard_process::{Boot, GuardError, GuardProcess};
use super::job::{Arm, Event, Seen, Why};
use super::ledger::Ledger;
use super::link::{GuardLink, GuardState};
use super::replug::Replug;
use super::{TAKE_OVER, bond};
use crate::messages::{Cause, Mode, RunnerReport, together};

/// The guards under watch: a lost one is replaced.
pub(super) struct WatchedArms<'a> {
    /// In the order of the cell's arms, as what is written down of them.
    pub(super) guards: &'a mut [GuardProcess],
    pub(super) ports: &'a mut [Replug],
    pub(super) ledgers: &'a [Arc<Ledger>],
    pub(super) link: &'a SharedLink,
    pub(super) report: &'a mut RunnerReport,
}

impl WatchedArms<'_> {
    fn current(&self) -> Arc<CellLink> {
        Arc::clone(&self.link.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state of the guard of arm `index`; a lost one is replaced, and one whose port was unplugged
    /// while its arm stands, or stopped it, as soon as that is there again.
    fn look(&mut self, index: usize, link: &GuardLink) -> Result<Looked, GuardError> {
        let (Some(guard), Some(port), Some(ledger)) = (
            self.guards.get_mut(index),
            self.ports.get_mut(index),
            self.ledgers.get(index),
        ) else {
            return Ok(Looked::Up);
        };
        let audit = &ledger.audit;
        let pid = link.guard_pid;
        let boot = match link.guard() {
            GuardState::Up if !stopped(link) || !port.is_back(Instant::now()) => {
                return Ok(Looked::Up);
            }
            GuardState::Up => {
                tracing::info!("the serial port is there again; a new guard takes it up");
                audit.add_of_arm("port_back", json!({"guard_pid": pid}));
                Boot::Replugged
            }
            GuardState::Gone if guard.ended_in_order() => return Ok(Looked::Ended),
            lost @ (GuardState::Gone | GuardState::Frozen) => {
                tracing::error!("the guard is {lost:?}; replacing it");
                let how = format!("{lost:?}").to_lowercase();
                audit.add_of_arm("guard_lost", json!({"guard_pid": pid, "how": how}));
                Boot::Replacing
            }
        };
        guard.replace(boot)?;
        audit.guard_replaced();
        let fresh = guard.connect(&ledger.report(self.report), Some(ledger), TAKE_OVER)?;
        let pid = fresh.guard_pid;
        audit.add_of_arm("guard_replaced", json!({"guard_pid": pid}));
        port.opened();
        let cell = self.current().with(index, Arc::new(fresh));
        bond::tie(&cell);
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(cell);
        Ok(Looked::Replaced(pid, boot))
    }
}

/// Whether the arm behind `link` has stopped, for whatever reason: a stop before its port was lost
/// keeps its cause.
fn stopped(link: &GuardLink) -> bool {
    link.latest().is_some_and(|tick| tick.mode == Mode::Stopped)
}

/// What was seen of one guard.
enum Looked {
    Up,
    Ended,
    Replaced(u32, Boot),
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
                Looked::Replaced(pid, boot) => {
                    events(Event::GuardReplaced { arm, pid });
                    let cause = match boot {
                        Boot::Replugged => Cause::Replugged,
                        Boot::Fresh | Boot::Replacing => Cause::GuardReplaced,
                    };
                    replaced = Some(Why { arm, cause });
                }
            }
        }
        if replaced.is_some() {
            return Ok(Seen::At(Mode::Stopped, replaced));
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
