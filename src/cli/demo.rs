//! `surehand demo`: a simulated cell and the pick-and-place job, end to end.
//!
//! The simulator is a child process on a fresh pty; the controller runs against it through the
//! same path as `run`. Success is judged here from the simulator's ground truth, which the
//! controller never sees.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::run::{socket_path, stop_on_signals};
use super::simulator::{Simulator, find_up, request};
use super::voice::Voice;
use super::{Exit, Outcome, output};
use crate::cell::Overrides;
use crate::runner::job::Judge;
use crate::runner::{Approval, Options, Runner, Setup};

/// The job has succeeded when at least this share of the episodes has.
const SUCCESS_SHARE: f64 = 0.8;
/// How long a stopped arm waits for an operator when nobody sits there.
const HEADLESS_LINGER: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many episodes.
    #[arg(long, default_value_t = 5)]
    episodes: u32,
    /// Seed of the placements.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Nobody watches: print no link, and end by itself after a safe stop.
    #[arg(long)]
    headless: bool,
    /// The cell file.
    #[arg(long, value_name = "FILE")]
    cell: Option<PathBuf>,
    /// Where the run is recorded; `runs` beside the cell file when left out.
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

pub(super) fn run(args: &Args, socket: Option<PathBuf>, json: bool) -> Outcome {
    let cell = match &args.cell {
        Some(cell) => cell.clone(),
        None => find_up(Path::new("cells/sim.toml"))?,
    };
    let told = stop_on_signals()?;
    let sim = Simulator::start(args.seed, &cell)?;
    let overrides = Overrides {
        port: Some(sim.ready.pty.clone()),
        camera_host: Some(sim.ready.http.clone()),
        frozen: None,
    };
    let setup = Setup::load(&cell, None, &overrides)?;
    let options = Options {
        socket: match socket {
            Some(path) => path,
            None => socket_path(None, &format!("demo-{}", std::process::id()))?,
        },
        port: Some(sim.ready.pty.clone()),
        episodes: Some(args.episodes),
        time: None,
        linger: args.headless.then_some(HEADLESS_LINGER),
        runs: args.runs.clone(),
        approval: Approval::IfLocked,
    };
    let runner = Runner::start(&setup, &options)?;
    told.stop_first(runner.stopper());
    let voice = Voice::new(json, &setup);
    voice.ready(
        &runner,
        &options,
        json!({"pty": sim.ready.pty, "http": sim.ready.http, "sim_pid": sim.pid()}),
    );
    if !json && !args.headless {
        output::line_out(&format!("watch it: http://{}/", sim.ready.http));
    }
    let mut judge = SimJudge {
        http: sim.ready.http.clone(),
        seed: args.seed,
        looked_at: Instant::now(),
    };
    let summary = runner.run(&mut judge, &told.flag, &mut |event| voice.event(&event))?;
    voice.done(&summary);
    drop(sim);
    let tally = summary.tally;
    let wanted = (f64::from(tally.episodes) * SUCCESS_SHARE).ceil();
    Ok(match voice.exit(&summary.end) {
        Exit::Done if f64::from(tally.succeeded) < wanted => Exit::JobFailed,
        exit => exit,
    })
}

/// Judges by the simulator's ground truth.
struct SimJudge {
    http: String,
    seed: u64,
    looked_at: Instant,
}

impl Judge for SimJudge {
    fn begin(&mut self, index: u32) -> Result<(), String> {
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(u64::from(index));
        let body = json!({"seed": seed}).to_string();
        request(&self.http, "POST", "/episode", &body).map(|_| ())
    }

    fn verdict(&mut self) -> Option<bool> {
        // Ten looks a second are enough to see a cube in a bin.
        if self.looked_at.elapsed() < Duration::from_millis(100) {
            return None;
        }
        self.looked_at = Instant::now();
        let state = request(&self.http, "GET", "/state", "").ok()?;
        (state.get("success") == Some(&Value::Bool(true))).then_some(true)
    }

    fn timed_out(&self) -> Option<bool> {
        Some(false)
    }
}
