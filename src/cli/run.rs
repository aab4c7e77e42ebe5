//! `surehand run`: the controller in the foreground with one job.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;

use super::{Exit, Failure, Outcome, output};
use crate::cell::Overrides;
use crate::messages::channel::socket_folder;
use crate::messages::{Cause, Names};
use crate::runner::job::{End, Event, NoJudge};
use crate::runner::{Approval, Options, RunError, Runner, Setup, Stopper, Summary};

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
    let setup = Setup::load(&args.cell, args.job.as_deref(), &Overrides::default())?;
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
    voice.ready(&runner, &options, json!({"pty": setup.cell.bus.port}));
    let summary = runner.run(&mut NoJudge, &told.flag, &mut |event| voice.event(&event))?;
    voice.done(&summary);
    Ok(voice.exit(&summary.end))
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

/// Tells a person or a program what happens.
pub(super) struct Voice {
    json: bool,
    joints: Vec<String>,
    cameras: Vec<String>,
    inputs: Vec<String>,
    server: String,
}

impl Voice {
    pub(super) fn new(json: bool, setup: &Setup) -> Voice {
        Voice {
            json,
            joints: setup.joint_names(),
            cameras: setup.cell.cameras.iter().map(|c| c.name.clone()).collect(),
            inputs: setup.cell.inputs.iter().map(|i| i.name.clone()).collect(),
            server: setup.job.server().unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn ready(&self, runner: &Runner, options: &Options, more: serde_json::Value) {
        if self.json {
            let mut event = json!({
                "event": "ready",
                "guard_pid": runner.guard_pid(),
                "runner_pid": std::process::id(),
                "socket": options.socket,
            });
            if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
                event.extend(more.clone());
            }
            output::json(&event);
        } else {
            output::line_out(&format!(
                "ready; stop the arm with Ctrl-C here or `surehand estop` anywhere (guard {})",
                runner.guard_pid()
            ));
        }
    }

    pub(super) fn cause(&self, cause: &Cause) -> String {
        let joints: Vec<&str> = self.joints.iter().map(String::as_str).collect();
        let cameras: Vec<&str> = self.cameras.iter().map(String::as_str).collect();
        let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
        cause.text(&Names {
            joints: &joints,
            cameras: &cameras,
            inputs: &inputs,
            backend: &self.server,
        })
    }

    pub(super) fn event(&self, event: &Event) {
        if self.json {
            output::json(&match event {
                Event::Mode(mode, cause) => json!({
                    "event": "mode",
                    "mode": mode.word(),
                    "cause": cause.as_ref().map(|cause| self.cause(cause)),
                    "remedy": cause.as_ref().map(Cause::remedy),
                }),
                Event::GuardReplaced(pid) => json!({"event": "guard_replaced", "guard_pid": pid}),
                Event::Episode {
                    index,
                    success,
                    seconds,
                } => json!({
                    "event": "episode",
                    "index": index,
                    "success": success,
                    "seconds": seconds,
                }),
            });
            return;
        }
        match event {
            Event::Mode(mode, Some(cause)) => output::line_out(&format!(
                "{mode}: {}\n  what to do: {}",
                self.cause(cause),
                cause.remedy()
            )),
            Event::Mode(mode, None) => output::line_out(mode.word()),
            Event::GuardReplaced(pid) => {
                output::line_out(&format!(
                    "the guard was replaced; the new one is process {pid}"
                ));
            }
            Event::Episode {
                index,
                success,
                seconds,
            } => {
                let verdict = match success {
                    Some(true) => "done",
                    Some(false) => "failed",
                    None => "over",
                };
                output::line_out(&format!(
                    "episode {:>3}: {verdict} in {seconds:.1} s",
                    index + 1
                ));
            }
        }
    }

    pub(super) fn done(&self, summary: &Summary) {
        let tally = &summary.tally;
        let status = summary.status.as_deref();
        let missed = status.map(|s| s.missed);
        if self.json {
            let times = |p: &crate::messages::Percentiles| json!({"p50": p.p50, "p99": p.p99, "p999": p.p999, "max": p.max});
            output::json(&json!({
                "event": "done",
                "episodes": tally.episodes,
                "succeeded": tally.succeeded,
                "missed": missed,
                "stops": tally.stops,
                "ticks": status.map(|s| s.ticks),
                "lateness_us": status.map(|s| times(&s.lateness_us)),
                "bus_us": status.map(|s| times(&s.bus_us)),
                "decide_us": status.map(|s| times(&s.decide_us)),
                "inference_ms": status.and_then(|s| s.runner.as_ref()).map(|r| times(&r.inference_ms)),
                "backend": status.and_then(|s| s.runner.as_ref()).map(|r| r.backend.as_str()),
                "realtime": status.map(|s| s.granted.realtime()),
            }));
            return;
        }
        if tally.judged > 0 {
            output::line_out(&format!(
                "{} of {} episodes succeeded; {} stops",
                tally.succeeded, tally.episodes, tally.stops
            ));
        } else {
            output::line_out(&format!(
                "{} episodes; {} stops",
                tally.episodes, tally.stops
            ));
        }
        if let Some(status) = status {
            output::line_out(&format!(
                "{} ticks at {:.0} Hz, {} missed; late p50 {:.0} µs, p99 {:.0}, max {:.0}; bus p99 {:.0} µs{}",
                status.ticks,
                status.rate_hz,
                status.missed,
                status.lateness_us.p50,
                status.lateness_us.p99,
                status.lateness_us.max,
                status.bus_us.p99,
                if status.granted.realtime() {
                    ""
                } else {
                    "; NOT real time"
                },
            ));
            if let Some(runner) = &status.runner {
                output::line_out(&format!(
                    "inference on {}: p50 {:.1} ms, p99 {:.1}, max {:.1}",
                    runner.backend,
                    runner.inference_ms.p50,
                    runner.inference_ms.p99,
                    runner.inference_ms.max
                ));
            }
        }
    }

    pub(super) fn exit(&self, end: &End) -> Exit {
        match end {
            End::Finished => Exit::Done,
            End::Told
            | End::Stopped(Cause::OperatorStop | Cause::Shutdown | Cause::Signal | Cause::Parked) => {
                Exit::Operator
            }
            End::Stopped(_) => Exit::SafeStop,
        }
    }
}
