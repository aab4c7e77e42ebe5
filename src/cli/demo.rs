//! `surehand demo`: a simulated cell and the pick-and-place job, end to end.
//!
//! The simulator is a child process on a fresh pty; the controller runs against it through the
//! same path as `run`. Success is judged here from the simulator's ground truth, which the
//! controller never sees.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::run::{Voice, socket_path, stop_on_signals};
use super::{Exit, Failure, Outcome, output};
use crate::cell::Overrides;
use crate::runner::job::Judge;
use crate::runner::{Options, Runner, Setup};

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
}

pub(super) fn run(args: &Args, socket: Option<PathBuf>, json: bool) -> Outcome {
    let cell = match &args.cell {
        Some(cell) => cell.clone(),
        None => find_up(Path::new("cells/sim.toml"))?,
    };
    let told_to_end = stop_on_signals()?;
    let sim = Simulator::start(args.seed)?;
    let overrides = Overrides {
        port: Some(sim.ready.pty.clone()),
        camera_host: Some(sim.ready.http.clone()),
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
    };
    let runner = Runner::start(&setup, &options)?;
    let voice = Voice::new(json, &setup);
    voice.ready(
        &runner,
        &options,
        json!({"pty": sim.ready.pty, "http": sim.ready.http, "sim_pid": sim.child.id()}),
    );
    if !json && !args.headless {
        output::line_out(&format!("watch it: http://{}/", sim.ready.http));
    }
    let mut judge = SimJudge {
        http: sim.ready.http.clone(),
        seed: args.seed,
        looked_at: Instant::now(),
    };
    let summary = runner.run(&mut judge, &told_to_end, &mut |event| voice.event(&event))?;
    voice.done(&summary);
    drop(sim);
    let tally = summary.tally;
    let wanted = (f64::from(tally.episodes) * SUCCESS_SHARE).ceil();
    Ok(match voice.exit(&summary.end) {
        Exit::Done if f64::from(tally.succeeded) < wanted => Exit::JobFailed,
        exit => exit,
    })
}

/// `relative` below the working directory, or beside any folder above the program itself.
fn find_up(relative: &Path) -> Result<PathBuf, Failure> {
    let exe = std::env::current_exe().unwrap_or_default();
    std::iter::once(PathBuf::new())
        .chain(exe.ancestors().skip(1).map(Path::to_owned))
        .map(|folder| folder.join(relative))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Failure::configuration(format!(
                "{} is not here; run the demo from the project's folder, or name a cell with --cell",
                relative.display()
            ))
        })
}

#[derive(Debug, Deserialize)]
struct Ready {
    pty: PathBuf,
    http: String,
}

/// The simulator as a child; it ends when this is dropped.
struct Simulator {
    child: Child,
    ready: Ready,
}

impl Simulator {
    fn start(seed: u64) -> Result<Simulator, Failure> {
        let failed = |what: String| Failure::hardware(format!("the simulator {what}"));
        let exe = std::env::current_exe().map_err(|e| failed(format!("has no program: {e}")))?;
        // A group of its own: a Ctrl-C in the terminal must not take the arm's servos away while
        // the arm is being stopped.
        let mut child = Command::new(exe)
            .args(["sim", "--end-with-parent", "--seed", &seed.to_string()])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("could not be started: {error}")))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            // An error leaves the line empty, which is told below.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        match serde_json::from_str(&line) {
            Ok(ready) => Ok(Simulator { child, ready }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed("did not come up; its own message is above".into()))
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(3) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

/// One request to the simulator on this machine.
fn request(host: &str, method: &str, path: &str, body: &str) -> Result<Value, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the simulator at {host}{path}: {error}");
    let mut stream = TcpStream::connect(host).map_err(|e| failed(&e))?;
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .map_err(|e| failed(&e))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .map_err(|e| failed(&e))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| failed(&e))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.starts_with("HTTP/1.1 2") {
        return Err(failed(&head.lines().next().unwrap_or("no answer")));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(body).map_err(|e| failed(&e))
}
