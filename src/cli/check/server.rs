//! Whether the policy servers of a cell's jobs are there, and what they say of themselves.

use serde_json::{Value, json};

use crate::cell::{Cell, JobSection, PolicySection};
use crate::policy::backend::{Health, health};
use crate::policy::finding::{Finding, Severity};
use crate::policy::server::Address;

/// One job's server, asked how it is.
pub(in crate::cli) struct Asked {
    pub(in crate::cli) job: String,
    server: String,
    /// Whether it is worth speaking to.
    pub(in crate::cli) there: bool,
    /// What it says of itself, once it was spoken to.
    pub(in crate::cli) says: Option<String>,
}

impl Asked {
    pub(in crate::cli) fn json(&self) -> Value {
        json!({
            "job": self.job,
            "server": self.server,
            "there": self.there,
            "says": self.says,
        })
    }

    /// One line on what it says.
    pub(in crate::cli) fn line(&self) -> String {
        let Asked { job, server, .. } = self;
        match &self.says {
            Some(says) => format!("job {job}: {server} is there and says {says}"),
            None => format!("job {job}: {server} was not spoken to"),
        }
    }
}

/// Asks the server of every job that has one; a finding for each that does not answer.
pub(in crate::cli) fn ask(cell: &Cell, findings: &mut Vec<Finding>) -> Vec<Asked> {
    let asked = |job: &JobSection| match &job.policy {
        PolicySection::Package(_) => None,
        PolicySection::Remote(remote) => Some((job.name.clone(), remote.server.clone())),
    };
    let mut all = Vec::new();
    for (job, server) in cell.jobs.iter().filter_map(asked) {
        let mut found = |severity, what: String, remedy: &str| {
            findings.push(Finding {
                severity,
                place: format!("jobs.{job}.remote.server"),
                what,
                remedy: remedy.into(),
            });
        };
        // An address that is none is told when the cell's files are looked at.
        let Ok(address) = Address::parse(&server) else {
            continue;
        };
        let there = match health(&address) {
            Health::Well => true,
            Health::Other(line) => {
                found(
                    Severity::Warning,
                    format!("{server}/healthz answers {line:?}"),
                    "make sure that it is an openpi policy server",
                );
                true
            }
            Health::Unreachable(why) => {
                found(
                    Severity::Error,
                    format!("{server} is not there: {why}"),
                    "start the server, or correct its address; nothing of it could be checked",
                );
                false
            }
        };
        found(
            Severity::Warning,
            "what this server runs can't be approved: its model may be another one tomorrow".into(),
            "have whoever runs the server say when its model changes",
        );
        all.push(Asked {
            job,
            server,
            there,
            says: None,
        });
    }
    all
}
