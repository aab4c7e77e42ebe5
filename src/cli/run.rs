//! `surehand run`: the controller in the foreground with one job.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::voice::Voice;
use super::{Exit, Failure, Outcome};
use crate::messages::channel::socket_folder;
use crate::runner::job::NoJudge;
use crate::runner::{Approval, ArmSetup, Options, RunError, Runner, Setup, Stopper};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The cell file.
    cell: PathBuf,
    /// Which job, when the cell has several.
    #[arg(long)]
    job: Option<String>,
    /// How many episodes; without an end when left out.
    #[arg(long)]
    episodes: Option<u32>,
    /// How long in all.
    #[arg(long = "for", value_name = "SECS")]
    secs: Option<f64>,
    /// After a safe stop, wait this long for `reset` and `start` before ending; for ever when
    /// left out.
    #[arg(long, value_name = "SECS")]
    linger: Option<f64>,
    /// Where the run is recorded; `runs` beside the cell file when left out.
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Refuse to run what nobody has approved with `surehand lock`.
    #[arg(long)]
    locked: bool,
}

pub(super) fn run(args: &Args, socket: Option<PathBuf>, json: bool) -> Outcome {
    let setup = Setup::load_any(&args.cell, args.job.as_deref())?;
    let options = Options {
        socket: socket_path(socket.as_deref(), &setup.cell.name)?,
        port: None,
        episodes: args.episodes,
        time: seconds("--for", args.secs)?,
        linger: seconds("--linger", args.linger)?,
        runs: args.runs.clone(),
        approval: if args.locked {
            Approval::Required
        } else {
            Approval::IfLocked
        },
    };
    let told = stop_on_signals()?;
    let runner = Runner::start(&setup, &options)?;
    told.stop_first(runner.stopper());
    let voice = Voice::new(json, &setup);
    voice.ready(&runner, &options, wires(&setup));
    let summary = runner.run(&mut NoJudge, &told.flag, &mut |event| voice.event(&event))?;
    voice.done(&summary);
    Ok(voice.exit(&summary.end))
}

/// Where the arm is plugged in; of two arms, where each is.
fn wires(setup: &Setup) -> Value {
    let port = |arm: &ArmSetup| (arm.name.clone(), json!(arm.cell.bus.port));
    match setup.arms.as_slice() {
        [_] => json!({"pty": setup.cell.bus.port}),
        arms => json!({"ptys": arms.iter().map(port).collect::<Map<String, Value>>()}),
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match error {
            RunError::Configuration(_) => Failure::configuration(error),
            RunError::Hardware(_) => Failure::hardware(error),
            // The guard has said why itself, and with which code.
            RunError::Guard(code) => Failure {
                line: String::new(),
                exit: match code {
                    Some(2) => Exit::Configuration,
                    _ => Exit::Hardware,
                },
            },
        }
    }
}

/// Seconds given on the command line.
pub(super) fn seconds(option: &str, value: Option<f64>) -> Result<Option<Duration>, Failure> {
    value
        .map(|secs| {
            Duration::try_from_secs_f64(secs).map_err(|error| {
                Failure::configuration(format!("{option} {secs} is no time in seconds: {error}"))
            })
        })
        .transpose()
}

/// The socket of the controller of cell `name`.
pub(super) fn socket_path(socket: Option<&Path>, name: &str) -> Result<PathBuf, Failure> {
    match socket {
        Some(path) => Ok(path.to_owned()),
        None => socket_folder()
            .map(|folder| folder.join(format!("{name}.sock")))
            .map_err(|error| {
                Failure::configuration(format!("no folder for the controller's socket: {error}"))
            }),
    }
}

/// What Ctrl-C, SIGTERM and SIGHUP do: set a flag, and tell the guard at once where there is one. A
/// second one does not shorten the stop.
pub(super) struct Told {
    /// Somebody wants the program to end.
    pub(super) flag: Arc<AtomicBool>,
    at_once: Arc<OnceLock<Stopper>>,
}

impl Told {
    /// From now on a signal goes to the guard as a stop, before anybody here has seen the flag.
    pub(super) fn stop_first(&self, stopper: Stopper) {
        // There is one runner in a program.
        let _ = self.at_once.set(stopper);
    }
}

pub(super) fn stop_on_signals() -> Result<Told, Failure> {
    let told = Told {
        flag: Arc::new(AtomicBool::new(false)),
        at_once: Arc::new(OnceLock::new()),
    };
    let (flag, at_once) = (Arc::clone(&told.flag), Arc::clone(&told.at_once));
    ctrlc::set_handler(move || {
        flag.store(true, Ordering::Relaxed);
        if let Some(stopper) = at_once.get() {
            stopper.end();
        }
    })
    .map_err(|error| Failure::configuration(format!("signals can't be caught: {error}")))?;
    Ok(told)
}
