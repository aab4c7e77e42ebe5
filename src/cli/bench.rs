//! `surehand bench`: how punctual this machine is, measured with the parts that run the arm.
//!
//! The real guard holds a simulated arm for a while and says what it measured; then the policy
//! leads it, and the way from a picture to a goal is timed; then inverse kinematics and inference, which
//! can be measured alone, of a cell whose cameras are not there. Nothing here is a limit: compare it with what
//! `cyclictest` measures in the same minutes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use surehand_kinematics::{Chain, Limits, Model, Options, SetupError, Solver, Task};

mod overhead;
mod reaction;

use super::run::{socket_path, stop_on_signals};
use super::simulator::{Simulator, find_up};
use super::{Exit, Failure, Outcome, output};
use crate::arm::ArmModel;
use crate::arm::geometry::{ArmChain, array, whatever_size};
use crate::cell::{BackendKind, Overrides};
use crate::messages::{Percentiles, Request, RunnerReport, Status};
use crate::runner::guard_process::{Boot, GuardProcess, GuardSpec};
use crate::runner::link::GuardLink;
use crate::runner::{Setup, latency};
use crate::stats::Times;
use crate::units::JointVec;

/// How long the guard may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the guard may take to come up.
const BRING_UP: Duration = Duration::from_secs(10);
/// Poses solved for.
const POSES: u32 = 2000;

#[derive(clap::Args)]
pub(super) struct Args {
    /// How long the guard is watched, seconds.
    #[arg(long = "for", value_name = "SECS", default_value_t = 10)]
    secs: u64,
    /// The cell file.
    #[arg(long, value_name = "FILE")]
    cell: Option<PathBuf>,
    /// Only inference of the cell's first job, through this program and by ONNX Runtime on its own:
    /// nothing else is started.
    #[arg(long)]
    inference: bool,
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let cell = match &args.cell {
        Some(cell) => cell.clone(),
        None => find_up(Path::new("cells/sim.toml"))?,
    };
    if args.inference {
        let setup = Setup::load(&cell, None, &Overrides::default())?;
        let report = json!({
            "inference": inference(&setup)?,
            "overhead": overhead::measure(&setup)?,
        });
        print(&report, json);
        return Ok(Exit::Done);
    }
    let told = stop_on_signals()?;
    let sim = Simulator::start(0, &cell)?;
    let overrides = Overrides {
        port: Some(sim.ready.pty.clone()),
        camera_host: Some(sim.ready.http.clone()),
        frozen: None,
    };
    let setup = Setup::load(&cell, None, &overrides)?;
    let ended = || told.flag.load(std::sync::atomic::Ordering::Relaxed);
    let status = hold(
        &setup,
        &sim.ready.pty,
        Duration::from_secs(args.secs),
        &ended,
    )?;
    let reaction = reaction::measure(
        &setup,
        &sim.ready.pty,
        &sim.ready.http,
        Duration::from_secs(args.secs),
        &ended,
    )?;
    drop(sim);
    if ended() {
        return Ok(Exit::Operator);
    }
    let report = json!({
        "tick": {
            "rate_hz": status.rate_hz,
            "count": status.ticks,
            "missed": status.missed,
            "lateness_us": times(&status.lateness_us, 1.0),
            "decide_us": times(&status.decide_us, 1.0),
            "realtime": status.granted.realtime(),
            "memory_locked": status.granted.memory_locked,
        },
        "bus": {"cycle_us": times(&status.bus_us, 1.0), "wire_us": wire_us(&setup)},
        "ik": kinematics(&setup.arm.model)?,
        "inference": inference(&setup)?,
        "overhead": overhead::measure(&setup)?,
        "reaction": reaction,
    });
    print(&report, json);
    Ok(Exit::Done)
}

fn print(report: &Value, json: bool) {
    if json {
        output::line_out(&report.to_string());
    } else {
        for (part, values) in report.as_object().into_iter().flatten() {
            output::line_out(&format!("{part}: {values}"));
        }
    }
}

/// Lets a guard hold the arm at `port` for `time`; its status at the end.
fn hold(
    setup: &Setup,
    port: &Path,
    time: Duration,
    ended: &dyn Fn() -> bool,
) -> Result<Status, Failure> {
    let spec = GuardSpec {
        cell: setup.cell.file.clone(),
        port: Some(port.to_owned()),
        socket: socket_path(None, &format!("bench-{}", std::process::id()))?,
        frozen: None,
        tool_speed: None,
    };
    let mut guard = GuardProcess::start(&spec, Boot::Fresh).map_err(Failure::hardware)?;
    let report = RunnerReport::default();
    let link = guard
        .connect(&report, None, BRING_UP)
        .map_err(Failure::hardware)?;
    engage(&link, &[Request::Reset, Request::Enable])?;
    let began = Instant::now();
    while began.elapsed() < time && !ended() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = link.status(ANSWER);
    // A guard that is gone already has nothing left to be asked.
    let _ = link.request(Request::Shutdown, ANSWER);
    guard.wait_end(ANSWER);
    status
        .map(|status| *status)
        .ok_or_else(|| Failure::hardware("the guard gave no status; its own message is above"))
}

/// Asks the guard for `requests`, one after the other, each until it is granted.
fn engage(link: &GuardLink, requests: &[Request]) -> Result<(), Failure> {
    for request in requests {
        let began = Instant::now();
        while let Err(refusal) = link.request(*request, ANSWER) {
            if began.elapsed() > ANSWER {
                return Err(Failure::hardware(format!(
                    "the guard refused to {}: {refusal:?}",
                    request.word()
                )));
            }
        }
    }
    Ok(())
}

/// Time on the wire of one cycle: a sync read of eight bytes of each servo and a sync write of
/// two, ten bits a byte.
fn wire_us(setup: &Setup) -> f64 {
    let servos = setup.arm.model.len() as f64;
    let bytes = (8.0 + servos) + servos * 14.0 + (8.0 + 3.0 * servos);
    bytes * 10.0 * 1e6 / f64::from(setup.cell.bus.baud)
}

/// Inverse kinematics of poses that the arm has, from anywhere.
fn kinematics(model: &ArmModel) -> Result<Value, Failure> {
    let solved = whatever_size!(ArmChain, model.chain(), chain => solve(chain, model));
    let (measured, solved) = solved.map_err(Failure::configuration)?;
    Ok(json!({
        "solve_us": times(&measured.percentiles(), 1e-3),
        "success": f64::from(solved) / f64::from(POSES),
    }))
}

/// The times of all solves, and how many poses were met.
fn solve<const N: usize>(chain: &Chain<N>, model: &ArmModel) -> Result<(Times, u32), SetupError> {
    let limits = model.chain_limits();
    let of = |number: fn(&crate::arm::JointLimits) -> f64| -> [f64; N] {
        array(&limits.iter().map(number).collect::<JointVec<f64>>())
    };
    let model = Model {
        names: std::array::from_fn(|_| String::new()),
        chain: *chain,
        limits: Limits {
            lower: of(|limits| limits.lower.0),
            upper: of(|limits| limits.upper.0),
            velocity: of(|limits| limits.velocity.0),
        },
    };
    let solver = Solver::new(&model, Task::Pose, Options::default())?;
    let mut numbers = 1u64;
    let mut measured = Times::new();
    let mut solved = 0u32;
    for _ in 0..POSES {
        let joints = std::array::from_fn(|joint| {
            // A linear congruential step: spread out is enough.
            numbers = numbers
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let share = (numbers >> 11) as f64 / (1u64 << 53) as f64;
            let (lower, upper) = (model.limits.lower[joint], model.limits.upper[joint]);
            lower + share * (upper - lower)
        });
        let target = chain.pose(&joints);
        let began = Instant::now();
        let answer = solver.solve(&target, None);
        // In nanoseconds where the record has microseconds.
        measured.record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX) * 1000);
        solved += u32::from(answer.is_ok_and(|answer| answer.unreached.is_none()));
    }
    Ok((measured, solved))
}

/// Inference of the cell's first job on every backend there is.
fn inference(setup: &Setup) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for backend in [BackendKind::OnnxRuntime, BackendKind::BuiltIn] {
        let (mut policy, name) = match setup.load_policy_with(backend) {
            Ok(loaded) => loaded,
            Err(absent) => {
                tracing::info!("{absent}");
                continue;
            }
        };
        let measured = latency::measure(&mut policy).map_err(Failure::configuration)?;
        all.push(json!({
            "model": setup.job.name,
            "backend": name,
            "threads": setup.cell.inference.threads,
            "ms": times(&measured, 1e-3),
        }));
    }
    Ok(all)
}

fn times(percentiles: &Percentiles, scale: f64) -> Value {
    json!({
        "p50": percentiles.p50 * scale,
        "p99": percentiles.p99 * scale,
        "p999": percentiles.p999 * scale,
        "max": percentiles.max * scale,
    })
}
