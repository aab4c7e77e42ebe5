//! What a run writes into its audit log about itself, and what it is held to before it begins.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::job::{End, Event, Why};
use super::ledger::Ledger;
use super::setup::{ArmSetup, RunError, Setup};
use super::{Approval, Options, Summary};
use crate::approval::{Drift, Identity, IdentityError, Lock};
use crate::cell::{Arm, Cell};
use crate::messages::Names;
use crate::record::audit::{Audit, Labels};
use crate::record::{folder, users};

/// Why there is no run when the guard has told it to the terminal alone.
pub(super) const SAID_ITSELF: &str = "the guard did not come up and has said why";

/// The log of a run, and what it runs with.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) audit: Arc<Audit>,
    /// The same log and each arm's service book for what its guard tells, in the cell's order.
    pub(super) arms: Vec<Arc<Ledger>>,
    identity: Identity,
}

impl Books {
    /// Begins the log, and refuses what was not approved.
    ///
    /// # Errors
    /// When the run can't be recorded, a file can't be read, or something differs from the lock.
    pub(super) fn open(setup: &Setup, options: &Options) -> Result<Books, RunError> {
        let configuration = |error: String| RunError::Configuration(error);
        let cell = &setup.cell;
        let identity = identity(setup).map_err(|e| configuration(e.to_string()))?;
        let lock = Lock::read(&cell.file).map_err(|error| configuration(error.to_string()));
        let approved = lock.as_ref().ok().and_then(Option::as_ref);
        let beside = folder::beside(&cell.file);
        let runs = options.runs.as_deref().unwrap_or(&beside);
        let start = start(setup, options, &identity, approved);
        let mut labels = setup.arms.iter().map(|arm| labels(setup, arm));
        let first = labels.next().unwrap_or_default();
        let audit = Audit::begin(runs, &setup.job.name, first, &start)
            .map_err(|error| configuration(error.to_string()))?;
        let beside: Vec<Arc<Audit>> = labels.map(|it| Arc::new(audit.beside(it))).collect();
        let audit = Arc::new(audit);
        let audits = [vec![Arc::clone(&audit)], beside].concat();
        let arms = setup.arms.iter().zip(audits);
        let arms = arms.map(|(arm, audit)| Ok(Arc::new(Ledger::open(audit, arm)?)));
        let books = Books {
            arms: arms.collect::<Result<_, RunError>>()?,
            audit,
            identity,
        };
        let held = lock.and_then(|lock| books.hold_to(setup, options.approval, lock));
        held.inspect_err(|error| books.refused(error))?;
        Ok(books)
    }

    fn hold_to(
        &self,
        setup: &Setup,
        approval: Approval,
        lock: Option<Lock>,
    ) -> Result<(), RunError> {
        let file = &setup.cell.file;
        let Some(lock) = lock else {
            return match approval {
                Approval::IfLocked => Ok(()),
                Approval::Required => Err(RunError::Configuration(format!(
                    "{}: it is not there and --locked was given; have the cell approved with `surehand lock {}`",
                    Lock::path(file).display(),
                    file.display()
                ))),
            };
        };
        let drift = lock.drift(&self.identity, file, Some(&setup.job.name));
        let all: Vec<String> = drift.iter().map(Drift::to_string).collect();
        let Some(first) = all.first() else {
            return Ok(());
        };
        self.audit.add("drift", &json!({"differs": all}));
        Err(RunError::Configuration(match all.len() - 1 {
            0 => first.clone(),
            more => format!(
                "{first} ({more} more, see `surehand check {}`)",
                file.display()
            ),
        }))
    }

    /// Everything is up, and still what it was when it was looked at.
    ///
    /// # Errors
    /// When somebody edited a file meanwhile: parts of the controller may have read either.
    pub(super) fn still(&self, setup: &Setup) -> Result<(), RunError> {
        let now = identity(setup).map_err(|error| RunError::Configuration(error.to_string()))?;
        match now.changed_since(&self.identity) {
            None => Ok(()),
            Some(what) => Err(RunError::Configuration(format!(
                "{}: {what} changed while the controller came up; start it again",
                setup.cell.file.display()
            ))),
        }
    }

    /// Makes this the run that `surehand log` shows.
    pub(super) fn make_latest(&self, options: &Options) {
        self.audit.make_latest();
        if let Some(sockets) = options.socket.parent() {
            // A convenience: the log can be named as well.
            let _ = folder::point(&sockets.join(folder::LATEST), self.audit.folder());
        }
    }

    /// The files of the run, each with its hash; `cells` are the cell file and those of its arms.
    pub(super) fn files<'a>(
        &self,
        cells: impl IntoIterator<Item = &'a Path>,
    ) -> Vec<(std::path::PathBuf, String)> {
        let files = self.identity.files.values();
        let mut files: Vec<_> = files
            .map(|print| (print.path.clone(), print.sha256.clone()))
            .collect();
        // The whole of it: an edit of what is no limit is worth a line, too.
        for cell in cells {
            if let Ok(sha256) = crate::approval::sha256_of(cell) {
                files.push((cell.to_owned(), sha256));
            }
        }
        files
    }

    /// The run did not begin.
    pub(super) fn refused(&self, error: &RunError) {
        end(&self.audit, "refused", error);
        self.audit.close();
    }
}

/// The last line of a run. Whoever stops the arm on a signal holds the log to the end of the process.
pub(super) fn ended(audit: &Audit, outcome: &Result<Summary, RunError>) {
    tell_end(audit, outcome);
    audit.close();
}

fn tell_end(audit: &Audit, outcome: &Result<Summary, RunError>) {
    let summary = match outcome {
        Ok(summary) => summary,
        Err(error) => return end(audit, "failed", error),
    };
    let (how, why) = match &summary.end {
        End::Finished => ("finished", None),
        End::Told => ("told to end", None),
        End::Stopped(why) => ("stopped", Some(*why)),
    };
    let of = |arm: usize| summary.statuses.get(arm).and_then(Option::as_deref);
    let status = of(0);
    let names = |why: Why| match of(why.arm) {
        Some(status) => status.with_names(|names| why.cause.text(names)),
        None => why.cause.text(&Names::NONE),
    };
    let tally = &summary.tally;
    audit.add(
        "end",
        &json!({
            "how": how,
            "why": why.map(names),
            "episodes": tally.episodes,
            "succeeded": (tally.judged > 0).then_some(tally.succeeded),
            "stops": tally.stops,
            "ticks": status.map(|status| status.ticks),
            "missed": status.map(|status| status.missed),
        }),
    );
}

fn end(audit: &Audit, how: &str, error: &RunError) {
    let why = match error {
        RunError::Configuration(_) | RunError::Hardware(_) => error.to_string(),
        RunError::Guard(_) => SAID_ITSELF.into(),
    };
    audit.add("end", &json!({"how": how, "why": why}));
}

/// What of a job's events the guard does not tell by itself.
pub(super) fn event(audit: &Audit, event: &Event) {
    if let Event::Episode {
        index,
        success,
        seconds,
    } = event
    {
        let seconds = (seconds * 1e3).round() / 1e3;
        audit.add(
            "episode",
            &json!({"index": index, "success": success, "seconds": seconds}),
        );
    }
}

/// What the cell runs with; of two arms, what each has by itself under its name.
fn identity(setup: &Setup) -> Result<Identity, IdentityError> {
    match setup.arms.as_slice() {
        [_] => Identity::of(&setup.cell, [&setup.job]),
        arms => Identity::of_several(
            &setup.cell,
            [&setup.job],
            arms.iter().map(|arm| (arm.name.as_str(), &arm.cell)),
        ),
    }
}

fn labels(setup: &Setup, arm: &ArmSetup) -> Labels {
    Labels {
        backend: setup.job.server().unwrap_or_default().to_owned(),
        ..names_of(&setup.cell, arm)
    }
}

/// What things of `arm` in `cell` are called.
fn names_of(cell: &Cell, arm: &ArmSetup) -> Labels {
    Labels {
        arm: arm.name.clone(),
        joints: arm.arm.model.names().to_vec(),
        cameras: cell.cameras.iter().map(|it| it.name.clone()).collect(),
        inputs: arm.cell.inputs.iter().map(|it| it.name.clone()).collect(),
        ..Labels::default()
    }
}

/// Begins the log, in `runs` or beside the cell file, and the service book of an arm that is led by
/// hand, as `job` says.
///
/// # Errors
/// When the log can't be written, or a file of the cell not be read.
pub(super) fn by_hand(
    cell: &Cell,
    arm: &Arm,
    job: &str,
    runs: Option<&Path>,
) -> Result<Ledger, RunError> {
    let configuration = |error: &dyn std::fmt::Display| RunError::Configuration(error.to_string());
    let identity = Identity::of(cell, []).map_err(|error| configuration(&error))?;
    let port = cell.bus.port.display().to_string();
    let start = Value::from(beginning(cell, job, &port, &identity));
    let only = ArmSetup {
        name: String::new(),
        cell: cell.clone(),
        arm: arm.clone(),
    };
    let labels = names_of(cell, &only);
    let beside = folder::beside(&cell.file);
    let audit = Audit::begin(runs.unwrap_or(&beside), job, labels, &start)
        .map_err(|error| configuration(&error))?;
    Ledger::open(Arc::new(audit), &only)
}

fn start(setup: &Setup, options: &Options, identity: &Identity, lock: Option<&Lock>) -> Value {
    let ports: Vec<String> = match &options.port {
        Some(port) => vec![port.display().to_string()],
        None => setup
            .arms
            .iter()
            .map(|arm| arm.cell.bus.port.display().to_string())
            .collect(),
    };
    let ports = ports.join(", ");
    let mut start = beginning(&setup.cell, &setup.job.name, &ports, identity);
    let approved = lock.map(|lock| json!({"by": lock.approved_by, "at": lock.approved_at}));
    start.insert("approved".into(), approved.into());
    start.insert("noise_seed".into(), setup.job.noise_seed.into());
    start.into()
}

/// Who begins `job` in `cell`, and with what.
fn beginning(cell: &Cell, job: &str, ports: &str, identity: &Identity) -> Map<String, Value> {
    let files = identity.files.iter();
    let files: Map<String, Value> = files
        .map(|(key, print)| (key.clone(), print.sha256.clone().into()))
        .collect();
    let file = std::path::absolute(&cell.file).unwrap_or_else(|_| cell.file.clone());
    let members = [
        ("surehand", json!(env!("CARGO_PKG_VERSION"))),
        ("cell", json!(cell.name)),
        ("file", json!(file)),
        ("job", json!(job)),
        ("port", json!(ports)),
        ("user", json!(users::own())),
        ("uid", json!(rustix::process::geteuid().as_raw())),
        (
            "session",
            json!(crate::messages::channel::own_name().as_str()),
        ),
        ("pid", json!(std::process::id())),
        ("boot", json!(boot())),
        (
            "sha256",
            json!({"cell": identity.cell_sha256(), "files": files}),
        ),
    ];
    members
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}

/// Which boot of the machine the monotonic clock counts from.
fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}
