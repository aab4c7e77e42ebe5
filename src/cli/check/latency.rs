//! Whether each job's policy answers in time on this machine.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::Asked;
use crate::cell::Cell;
use crate::policy::finding::{Finding, Severity};
use crate::runner::{Setup, latency};

/// One job's policy, measured.
pub(in crate::cli) struct Measured {
    pub(super) job: String,
    backend: String,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    worst: f64,
    runs: u32,
    deadline: Duration,
}

impl Measured {
    pub(super) fn json(&self) -> Value {
        json!({
            "job": self.job,
            "backend": self.backend,
            "runs": self.runs,
            "ms": {"p50": self.p50, "p99": self.p99, "max": self.worst},
            "deadline_ms": self.deadline.as_secs_f64() * 1e3,
        })
    }

    pub(in crate::cli) fn line(&self) -> String {
        format!(
            "job {}: inference on {} p50 {:.1} ms, worst of {} {:.1}, may take {:.0}",
            self.job,
            self.backend,
            self.p50,
            self.runs,
            self.worst,
            self.deadline.as_secs_f64() * 1e3,
        )
    }

    fn finding(&self) -> Option<Finding> {
        let deadline = self.deadline.as_secs_f64() * 1e3;
        let (severity, time) = if self.p50 > deadline {
            (Severity::Error, self.p50)
        } else if self.worst > deadline {
            (Severity::Warning, self.worst)
        } else {
            return None;
        };
        let share = if severity == Severity::Error {
            "half of its inferences take"
        } else {
            "the longest of its inferences took"
        };
        Some(Finding {
            severity,
            place: format!("jobs.{}", self.job),
            what: format!("{share} {time:.0} ms on {}, a plan may take {deadline:.0}", self.backend),
            remedy: "raise `loop.max_plan_age_ms` or `inference.threads`, or use a faster machine or a smaller model".into(),
        })
    }
}

/// Measures every job of `cell`; what can't be run is a finding.
pub(in crate::cli) fn measure(
    cell: &Cell,
    servers: &mut [Asked],
    findings: &mut Vec<Finding>,
) -> Vec<Measured> {
    let mut all = Vec::new();
    for job in &cell.jobs {
        let mut server = servers.iter_mut().find(|it| it.job == job.name);
        if server.as_ref().is_some_and(|server| !server.there) {
            continue;
        }
        match one(cell, &job.name) {
            Ok((measured, says)) => {
                if let Some(server) = &mut server {
                    server.says = Some(says);
                }
                findings.extend(measured.finding());
                all.push(measured);
            }
            Err(what) => findings.push(Finding {
                severity: Severity::Error,
                place: format!("jobs.{}", job.name),
                what,
                remedy: if server.is_some() {
                    "see what the server logs, and correct the job's `remote`".into()
                } else {
                    "export the package again, or install what runs it".into()
                },
            }),
        }
    }
    all
}

/// The measurement, and what runs it in its own words.
fn one(cell: &Cell, job: &str) -> Result<(Measured, String), String> {
    let setup = Setup::load_any(&cell.file, Some(job));
    let setup = setup.map_err(|error| error.to_string())?;
    let (mut policy, backend) = setup
        .load_policy_with(cell.inference.backend)
        .map_err(|error| error.to_string())?;
    let says = policy.backend().detail.clone();
    let measured = latency::measure(&mut policy).map_err(|error| error.to_string())?;
    let measured = Measured {
        job: job.to_owned(),
        backend,
        p50: measured.p50 * 1e-3,
        p99: measured.p99 * 1e-3,
        worst: measured.max * 1e-3,
        runs: latency::runs(&policy),
        deadline: setup.inference_deadline(&policy),
    };
    Ok((measured, says))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(p50: f64, worst: f64) -> Option<Severity> {
        let measured = Measured {
            job: "pick".into(),
            backend: "builtin".into(),
            p50,
            p99: worst,
            worst,
            runs: latency::RUNS,
            deadline: Duration::from_millis(300),
        };
        measured.finding().map(|finding| finding.severity)
    }

    #[test]
    fn late_inference_is_an_error_and_a_late_one_a_warning() {
        assert_eq!(of(20.0, 290.0), None);
        assert_eq!(of(20.0, 310.0), Some(Severity::Warning));
        assert_eq!(of(310.0, 400.0), Some(Severity::Error));
    }
}
