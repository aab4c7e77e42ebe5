//! `surehand check`: all that can be known of a cell or a package without moving, a line each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) mod latency;
mod live;
pub(super) mod server;

use serde_json::json;

use super::{Exit, Outcome, output};
use crate::approval::{Identity, IdentityError, Lock, LockError};
use crate::cell::{
    Arm, Cell, CellError, JobSection, Overrides, PolicySection, TwoArms, start_poses,
};
use crate::policy::finding::{Finding, Findings, Severity};
use crate::policy::{Embodiment, Package, familiarity, fits, package};
use crate::runner::{PolicyArms, overridden, remote};
use crate::units::Rad;
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
    let unread = |problem: CellError| Finding {
        severity: Severity::Error,
        place: problem.place,
        what: problem.what,
        remedy: "mend the cell file".into(),
    };
    match TwoArms::load(path) {
        Ok(Some(two)) => check_two(&two, findings),
        Ok(None) => match Cell::load(path, &Overrides::default()) {
            Ok(cell) => check_arms(&cell, &[("", &cell)], check_lock(&cell), findings),
            Err(problem) => {
                findings.push(unread(problem));
                (Vec::new(), Vec::new())
            }
        },
        Err(problem) => {
            findings.push(unread(problem));
            (Vec::new(), Vec::new())
        }
    }
}

/// A cell of two arms: each as it is by itself, and what they share.
fn check_two(two: &TwoArms, findings: &mut Vec<Finding>) -> (Vec<Asked>, Vec<Measured>) {
    let Some(shared) = two.shared() else {
        return (Vec::new(), Vec::new());
    };
    let arms = names_and_cells(two);
    for (name, cell) in &arms {
        let space = &cell.workspace;
        if space.walls.is_none() && space.planes.is_empty() && space.keep_out.is_empty() {
            findings.push(Finding {
                severity: Severity::Warning,
                place: cell.file.display().to_string(),
                what: format!("nothing keeps arm {name} out of the other's reach: neither guard knows where the other arm is"),
                remedy: "give it `workspace.walls`, `planes` or `keep_out` that end before the other's reach, or let both work there on purpose".into(),
            });
        }
    }
    let identity = Identity::of_several(&shared, &shared.jobs, arms.iter().copied());
    let lock = lock_against(&shared.file, identity);
    check_arms(&shared, &arms, lock, findings)
}

/// The arms of a cell of two.
pub(super) fn names_and_cells(two: &TwoArms) -> Vec<(&str, &Cell)> {
    let arms = two.arms.iter();
    arms.map(|arm| (arm.name.as_str(), &arm.cell)).collect()
}

/// A cell that has `shared` in common for `arms`, each with its name.
fn check_arms(
    shared: &Cell,
    arms: &[(&str, &Cell)],
    lock: Vec<Finding>,
    findings: &mut Vec<Finding>,
) -> (Vec<Asked>, Vec<Measured>) {
    for (_, cell) in arms {
        check_wires(cell, findings);
    }
    if shared.inference.held_up.is_some() {
        findings.push(Finding {
            severity: Severity::Warning,
            place: shared.file.display().to_string(),
            what: "`inference.held_up` makes inference slower on purpose".into(),
            remedy: "remove it when the trial is over".into(),
        });
    }
    let wrong = check_files(shared, arms);
    let broken = wrong.iter().any(|f| f.severity == Severity::Error);
    findings.extend(wrong);
    findings.extend(lock);
    if broken {
        return (Vec::new(), Vec::new());
    }
    live::check(shared, findings);
    let mut servers = server::ask(shared, findings);
    let measured = latency::measure(shared, &mut servers, findings);
    (servers, measured)
}

/// What an arm is plugged into.
fn check_wires(cell: &Cell, findings: &mut Vec<Finding>) {
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
}

/// What differs from what was approved.
pub(super) fn check_lock(cell: &Cell) -> Vec<Finding> {
    lock_against(&cell.file, Identity::of(cell, &cell.jobs))
}

/// What of `identity`, that of the cell in `file`, differs from what was approved.
fn lock_against(file: &Path, identity: Result<Identity, IdentityError>) -> Vec<Finding> {
    let lock = match Lock::read(file) {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            return vec![Finding {
                severity: Severity::Warning,
                place: Lock::path(file).display().to_string(),
                what: "nobody has approved this cell: any package, URDF, calibration and limits run in it".into(),
                remedy: format!(
                    "look at them and approve them with `surehand lock {}`",
                    file.display()
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
    let identity = match identity {
        Ok(identity) => identity,
        Err(unread) => {
            let remedy = "mend the cell file or the file it names";
            return vec![error(&unread.path, unread.why, remedy)];
        }
    };
    let drift = lock.drift(&identity, file, None);
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

/// What is wrong with the files that `cell` names, and those of its `arms`, each with its name; the
/// only one has none.
pub(super) fn check_files(cell: &Cell, arms: &[(&str, &Cell)]) -> Vec<Finding> {
    const MEND: &str = "mend the cell file or the file it names";
    let path = &cell.file;
    let (mut findings, mut loaded) = (Vec::new(), Vec::new());
    for (name, own) in arms {
        match own.load_arm() {
            Ok(arm) => {
                findings.extend(arm.narrowed.iter().map(|narrowed| {
                    Finding {
                    severity: Severity::Warning,
                    place: own.arm.calibration.display().to_string(),
                    what: narrowed.to_string(),
                    remedy:
                        "calibrate it over its whole range, or narrow its limits in the cell file"
                            .into(),
                }
                }));
                loaded.push((*name, arm));
            }
            Err(problem) => findings.push(error(&own.file, problem, MEND)),
        }
    }
    if loaded.len() < arms.len() {
        return findings;
    }
    let all: Vec<(&str, &Arm)> = loaded.iter().map(|(name, arm)| (*name, arm)).collect();
    let embodiment: Arc<dyn Embodiment> = Arc::new(PolicyArms::new(all.iter().copied()));
    let cameras: Vec<&str> = cell.cameras.iter().map(|c| c.name.as_str()).collect();
    for job in &cell.jobs {
        let start = match all.as_slice() {
            [("", only)] => cell.start_pose(job, only).map(|pose| vec![pose]),
            several => start_poses(path, job, several),
        };
        let start = match start {
            Ok(start) => Some(start.iter().flatten().copied().collect::<Vec<Rad>>()),
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
