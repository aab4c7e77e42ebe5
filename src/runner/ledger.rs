//! What is written down of all that the guard tells: the audit log, and the arm's service book.

use std::sync::Arc;

use super::service::Service;
use crate::messages::{FromGuard, RunnerReport};
use crate::record::audit::Audit;

/// Both.
#[derive(Debug)]
pub struct Ledger {
    pub(super) audit: Arc<Audit>,
    pub(super) service: Service,
}

impl Ledger {
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
