//! `surehand check`: all that can be known of a cell or a package without moving, a line each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) mod latency;
mod live;
pub(super) mod server;

use serde_json::json;

use super::{Exit, Outcome, output};
use crate::approval::{Identity, Lock, LockError};
use crate::cell::{Cell, JobSection, Overrides, PolicySection};
use crate::policy::finding::{Finding, Findings, Severity};
use crate::policy::{Embodiment, Package, familiarity, fits, package};
use crate::runner::{PolicyArm, overridden, remote};
use latency::Measured;
use server::Asked;

#[derive(clap::Args)]
#[group(required = true)]
pub(super) struct Args {
    /// The cell file.
    cell: Option<PathBuf>,
    /// A policy package by itself.
    #[arg(long, value_name = "DIR")]
    package: Option<PathBuf>,
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let mut findings = Vec::new();
    let mut measured = Vec::new();
    let mut servers = Vec::new();
    if let Some(dir) = &args.package {
        findings.extend(package::check(dir));
    }
    if let Some(cell) = &args.cell {
        (servers, measured) = check_cell(cell, &mut findings);
    }
    let ok = findings.iter().all(|f| f.severity != Severity::Error);
    if json {
        let inference: Vec<_> = measured.iter().map(Measured::json).collect();
        let servers: Vec<_> = servers.iter().map(Asked::json).collect();
        output::json(&json!({
            "ok": ok,
            "findings": findings,
            "servers": servers,
            "inference": inference,
        }));
    } else {
        for server in &servers {
            output::line_out(&server.line());
        }
        for measured in &measured {
            output::line_out(&measured.line());
        }
        for finding in &findings {
            output::line_out(&finding.to_string());
        }
        output::line_out(if ok {
            "ok: nothing found that keeps it from running"
        } else {
            "not ok: see the errors above"
        });
    }
    Ok(if ok { Exit::Done } else { Exit::Configuration })
}

pub(super) fn error(place: &Path, what: impl std::fmt::Display, remedy: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        place: place.display().to_string(),
        what: what.to_string(),
        remedy: remedy.into(),
    }
}

fn check_cell(path: &Path, findings: &mut Vec<Finding>) -> (Vec<Asked>, Vec<Measured>) {
    let cell = match Cell::load(path, &Overrides::default()) {
        Ok(cell) => cell,
        Err(problem) => {
            findings.push(Finding {
                severity: Severity::Error,
                place: problem.place,
                what: problem.what,
                remedy: "mend the cell file".into(),
            });
            return (Vec::new(), Vec::new());
        }
    };
    if !cell.bus.port.exists() {
        findings.push(error(
            &cell.bus.port,
            "the serial port is not there",
            "connect and power the arm, or correct `bus.port`",
        ));
    }
    for input in &cell.inputs {
        for path in input
            .lines
            .paths()
            .into_iter()
            .filter(|path| !path.exists())
        {
            findings.push(error(
                path,
                format!("input {} is not there", input.name),
                "connect it, or correct its table under `inputs`",
            ));
        }
    }
    if cell.inference.held_up.is_some() {
        findings.push(Finding {
            severity: Severity::Warning,
            place: path.display().to_string(),
            what: "`inference.held_up` makes inference slower on purpose".into(),
            remedy: "remove it when the trial is over".into(),
        });
    }
    let wrong = check_files(&cell);
    let broken = wrong.iter().any(|f| f.severity == Severity::Error);
    findings.extend(wrong);
    findings.extend(check_lock(&cell));
    if broken {
        return (Vec::new(), Vec::new());
    }
    live::check(&cell, findings);
    let mut servers = server::ask(&cell, findings);
    let measured = latency::measure(&cell, &mut servers, findings);
    (servers, measured)
}

/// What differs from what was approved.
pub(super) fn check_lock(cell: &Cell) -> Vec<Finding> {
    let lock = match Lock::read(&cell.file) {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            return vec![Finding {
                severity: Severity::Warning,
                place: Lock::path(&cell.file).display().to_string(),
                what: "nobody has approved this cell: any package, URDF, calibration and limits run in it".into(),
                remedy: format!(
                    "look at them and approve them with `surehand lock {}`",
                    cell.file.display()
                ),
            }];
        }
        Err(LockError::File { path, error: why }) => {
            return vec![error(&path, why, "make it readable")];
        }
        Err(LockError::Damaged { path, why }) => {
            let remedy = "look at what it should hold and approve it anew with `surehand lock`";
            return vec![error(&path, why, remedy)];
        }
    };
    let identity = match Identity::of(cell, &cell.jobs) {
        Ok(identity) => identity,
        Err(unread) => {
            let remedy = "mend the cell file or the file it names";
            return vec![error(&unread.path, unread.why, remedy)];
        }
    };
    let drift = lock.drift(&identity, &cell.file, None);
    let findings = drift.iter();
    findings
        .map(|drift| error(&drift.path, &drift.what, &drift.remedy))
        .collect()
}

/// A policy of single actions must be asked as often as it was in training.
fn pace(package: &Package, job: &JobSection) -> Option<Finding> {
    let hz = package.pace_hz()?;
    let far = (job.plan_hz / hz - 1.0).abs() > 0.1;
    far.then(|| Finding {
        severity: Severity::Warning,
        place: format!("jobs.{}.plan_hz", job.name),
        what: format!(
            "the policy gives one action at a time, {hz} a second, and is asked {} times",
            job.plan_hz
        ),
        remedy: format!("set `plan_hz = {hz}`"),
    })
}

/// What is wrong with the files that a cell names.
pub(super) fn check_files(cell: &Cell) -> Vec<Finding> {
    const MEND: &str = "mend the cell file or the file it names";
    let path = &cell.file;
    let mut findings = Vec::new();
    let arm = match cell.load_arm() {
        Ok(arm) => arm,
        Err(problem) => {
            findings.push(error(path, problem, MEND));
            return findings;
        }
    };
    for narrowed in &arm.narrowed {
        findings.push(Finding {
            severity: Severity::Warning,
            place: cell.arm.calibration.display().to_string(),
            what: narrowed.to_string(),
            remedy: "calibrate it over its whole range, or narrow its limits in the cell file"
                .into(),
        });
    }
    let embodiment: Arc<dyn Embodiment> = Arc::new(PolicyArm(arm.clone()));
    let cameras: Vec<&str> = cell.cameras.iter().map(|c| c.name.as_str()).collect();
    for job in &cell.jobs {
        let start = match cell.start_pose(job, &arm) {
            Ok(start) => Some(start),
            Err(problem) => {
                findings.push(error(path, problem, MEND));
                None
            }
        };
        let package = match &job.policy {
            PolicySection::Package(folder) => {
                let problems = package::check(folder);
                let broken = problems.iter().any(|f| f.severity == Severity::Error);
                findings.extend(problems);
                (!broken).then(|| Package::load(folder).ok()).flatten()
            }
            PolicySection::Remote(server) => remote::package(cell, &job.name, server)
                .map_err(|problem| findings.push(error(path, problem, MEND)))
                .ok(),
        };
        if let Some(package) = package {
            findings.extend(pace(&package, job));
            findings.extend(overridden(&package, job));
            let unfit = fits(&package, &embodiment, &cameras);
            if let (Some(start), true) = (start, unfit.is_empty()) {
                let mut strange = Findings::default();
                familiarity::at_start(&package, &embodiment, &start, &mut strange);
                findings.extend(strange.into_vec());
            }
            findings.extend(unfit);
        }
    }
    findings
}
