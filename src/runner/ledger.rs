//! What is written down of all that the guard tells: the audit log, and the arm's service book.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::books;
use super::service::Service;
use super::setup::{ArmSetup, RunError};
use crate::cell::{Arm, Cell};
use crate::messages::{FromGuard, RunnerReport};
use crate::record::audit::Audit;

/// Both.
#[derive(Debug)]
pub struct Ledger {
    pub(super) audit: Arc<Audit>,
    pub(super) service: Service,
}

impl Ledger {
    /// Begins that of an arm which a person leads by hand, in a run of its own called `job` in `runs`,
    /// or beside the cell file.
    ///
    /// # Errors
    /// When it can't be recorded: the arm must not be moved.
    pub fn by_hand(
        cell: &Cell,
        arm: &Arm,
        job: &str,
        runs: Option<&Path>,
    ) -> Result<Ledger, RunError> {
        books::by_hand(cell, arm, job, runs)
    }

    /// The arm's book beside the log `audit`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn open(audit: Arc<Audit>, arm: &ArmSetup) -> Result<Ledger, RunError> {
        let service = Service::open(arm)
            .map_err(|error| RunError::Hardware(format!("no thread for the book: {error}")))?;
        Ok(Ledger { audit, service })
    }

    /// The arm is ready to be led: this run is the one that `surehand log` shows.
    pub fn ready(&self, guard_pid: u32) {
        self.audit.make_latest();
        self.audit.add("ready", &json!({"guard_pid": guard_pid}));
    }

    /// Writes the book, and the log's last line: how it ended, and why; nothing is known of a guard
    /// that has said it itself.
    pub fn end(&self, how: &str, why: Option<&str>) {
        self.service.save();
        let why = why.map(|why| {
            if why.is_empty() {
                books::SAID_ITSELF
            } else {
                why
            }
        });
        self.audit.add("end", &json!({"how": how, "why": why}));
        self.audit.close();
    }

    /// `report` with what is due at this arm.
    pub(super) fn report(&self, report: &RunnerReport) -> RunnerReport {
        RunnerReport {
            service: self.service.due(),
            ..report.clone()
        }
    }

    /// Takes in what the guard told; whoever calls goes on at once.
    pub(super) fn hear(&self, message: &FromGuard) {
        match message {
            FromGuard::Telemetry(telemetry) => self.audit.tick(telemetry),
            FromGuard::Asked(asked) => self.audit.asked(asked),
            FromGuard::Welcome { .. }
            | FromGuard::Refused(_)
            | FromGuard::Held(_)
            | FromGuard::Done(_)
            | FromGuard::Status(_) => {}
        }
        self.service.hear(message);
    }
}
