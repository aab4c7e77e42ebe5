//! `surehand check`: all that can be known of a cell or a package without moving, a line each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::{Exit, Outcome, output};
use crate::approval::{Identity, Lock, LockError};
use crate::cell::{Cell, Overrides};
use crate::policy::finding::{Finding, Severity};
use crate::policy::{Embodiment, Package, fits, package};
use crate::runner::PolicyArm;

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
    if let Some(dir) = &args.package {
        findings.extend(package::check(dir));
    }
    if let Some(cell) = &args.cell {
        findings.extend(check_cell(cell));
    }
    let ok = findings.iter().all(|f| f.severity != Severity::Error);
    if json {
        output::json(&json!({"ok": ok, "findings": findings}));
    } else {
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

fn check_cell(path: &Path) -> Vec<Finding> {
    let cell = match Cell::load(path, &Overrides::default()) {
        Ok(cell) => cell,
        Err(problem) => {
            return vec![Finding {
                severity: Severity::Error,
                place: problem.place,
                what: problem.what,
                remedy: "mend the cell file".into(),
            }];
        }
    };
    let mut findings = Vec::new();
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
    findings.extend(check_files(&cell));
    findings.extend(check_lock(&cell));
    findings
}

/// What differs from what was approved.
fn check_lock(cell: &Cell) -> Vec<Finding> {
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
        if let Err(problem) = cell.start_pose(job, &arm) {
            findings.push(error(path, problem, MEND));
        }
        let problems = package::check(&job.package);
        let broken = problems.iter().any(|f| f.severity == Severity::Error);
        findings.extend(problems);
        if !broken && let Ok(package) = Package::load(&job.package) {
            findings.extend(fits(&package, &embodiment, &cameras));
        }
    }
    findings
}
