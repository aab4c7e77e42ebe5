//! `surehand jog`: a person moves the arm with keys, joint by joint or by its tool.
//!
//! Owns how it comes to a guard and leaves it. Every motion is a held run of the guard's, with its
//! limits: this program says that the arm is held only while its loop turns and a key is held, and
//! sends plans that end at rest by themselves. A program that dies or freezes, and a terminal that is
//! lost, stop the arm.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::operator::Guard;
use super::run::{Told, socket_path, stop_on_signals};
use super::{Failure, Outcome};
use crate::cell::{Arm, Cell, Overrides};
use crate::messages::{RunnerReport, name};
use crate::realtime;
use crate::runner::RunError;
use crate::runner::guard_process::{Boot, GuardProcess, GuardSpec};
use crate::runner::ledger::Ledger;
use crate::runner::link::GuardLink;

mod axes;
mod grip;
mod hand;
mod keys;
mod picture;
mod screen;
mod stroke;
mod strokes;

use axes::{Axes, REDUCED};
use hand::Hand;
use screen::Screen;

/// How long the guard may take to come up.
const BRING_UP: Duration = Duration::from_secs(10);
/// The least real-time priority keeps a busy machine from letting go.
const PRIORITY: i32 = 1;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The cell file.
    cell: PathBuf,
    /// Where what is done is recorded; `runs` beside the cell file when left out.
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

pub(super) fn run(args: &Args, socket: Option<&Path>, json: bool) -> Outcome {
    let cell = Cell::load(&args.cell, &Overrides::default()).map_err(Failure::configuration)?;
    let arm = cell.load_arm().map_err(Failure::configuration)?;
    let socket = socket_path(socket, &cell.name)?;
    let told = stop_on_signals()?;
    let screen = Screen::enter(json)?;
    let ledger = Arc::new(Ledger::by_hand(&cell, &arm, "jog", args.runs.as_deref())?);
    let outcome = lead(&cell, arm, &socket, &told, screen, &ledger);
    match &outcome {
        Ok(_) => ledger.end("told to end", None),
        Err(failure) => ledger.end("failed", Some(&failure.line)),
    }
    outcome
}

/// Comes to a guard, leads the arm until somebody ends it, and leaves the guard.
fn lead(
    cell: &Cell,
    arm: Arm,
    socket: &Path,
    told: &Told,
    mut screen: Screen,
    ledger: &Arc<Ledger>,
) -> Outcome {
    let report = RunnerReport {
        pid: std::process::id(),
        job: name("jog"),
        ..RunnerReport::default()
    };
    let (link, mut own) = reach(cell, socket, &report, ledger)?;
    ledger.ready(link.guard_pid);
    // Refused is fine: a machine that lets go too early is a stop.
    let _ = realtime::set_fifo(PRIORITY);
    screen.tell(
        "ready",
        &format!(
            "{}; the arm is as it was: Enter switches torque on where it stands",
            if own.is_some() {
                "the guard is up"
            } else {
                "taken over from a controller that has lost its runner"
            }
        ),
        json!({"guard_pid": link.guard_pid, "runner_pid": std::process::id(), "socket": socket}),
    );
    let operator = Guard::connect(socket)?;
    let mut hand = Hand::new(cell, Axes::of(arm.model), operator, &link, screen);
    let outcome = hand.until_the_end(told);
    hand.end(own.as_mut());
    outcome
}

/// Connects to a guard that has lost its runner, or starts one of its own, which keeps the whole arm
/// at reduced speed.
fn reach(
    cell: &Cell,
    socket: &Path,
    report: &RunnerReport,
    ledger: &Arc<Ledger>,
) -> Result<(GuardLink, Option<GuardProcess>), Failure> {
    match GuardLink::connect(socket, report.clone(), Some(Arc::clone(ledger))) {
        Ok(link) => return Ok((link, None)),
        Err(error) if error.kind() == std::io::ErrorKind::Other => {
            return Err(Failure::configuration(format!(
                "a controller of {} is running, and has not taken jog in: {error}; end it with `surehand shutdown`",
                cell.name
            )));
        }
        // Nobody listens.
        Err(_) => {}
    }
    let spec = GuardSpec {
        cell: cell.file.clone(),
        port: None,
        socket: socket.to_owned(),
        frozen: None,
        tool_speed: Some(REDUCED),
    };
    let mut guard = GuardProcess::start(&spec, Boot::Fresh).map_err(RunError::from)?;
    let link = guard
        .connect(report, Some(ledger), BRING_UP)
        .map_err(RunError::from)?;
    Ok((link, Some(guard)))
}
