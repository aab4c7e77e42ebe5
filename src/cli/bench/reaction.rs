//! From a picture to the first goal on the wire that used it.
//!
//! Owns the run: guard, cameras and planner as a job has them, on the simulated arm, whose wire log
//! and pictures' time stamps are the measure. The time of an inference is taken off each sample, so
//! that what is left is what the controller adds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::simulator::request;
use super::super::{Failure, run::socket_path};
use super::{ANSWER, BRING_UP, times};
use crate::cell::CameraSource;
use crate::messages::{Mode, Request, RunnerReport};
use crate::realtime;
use crate::runner::arms::CellLink;
use crate::runner::guard_process::{Boot, GuardProcess, GuardSpec};
use crate::runner::link::GuardLink;
use crate::runner::planner::{Planner, SentPlan, Task};
use crate::runner::{Setup, start_planner};
use crate::stats::Times;
use crate::units::MonoTime;

/// How long the arm may take to its start.
const THERE: Duration = Duration::from_secs(10);
/// How often the simulator's wire log is read: it holds some seconds.
const READ_WIRE: Duration = Duration::from_secs(2);

/// Runs the policy of `setup` for `time` on the simulated arm at `port`.
pub(super) fn measure(
    setup: &Setup,
    port: &Path,
    http: &str,
    time: Duration,
    ended: &dyn Fn() -> bool,
) -> Result<Value, Failure> {
    let spec = GuardSpec {
        cell: setup.cell.file.clone(),
        port: Some(port.to_owned()),
        socket: socket_path(None, &format!("bench-{}", std::process::id()))?,
        frozen: None,
        tool_speed: None,
    };
    let mut guard = GuardProcess::start(&spec, Boot::Fresh).map_err(Failure::hardware)?;
    let link = guard
        .connect(&RunnerReport::default(), None, BRING_UP)
        .map_err(Failure::hardware)?;
    let link = Arc::new(link);
    let measured = follow(setup, &link, http, time, ended);
    // A guard that is gone already has nothing left to be asked.
    let _ = link.request(Request::Shutdown, ANSWER);
    guard.wait_end(BRING_UP);
    measured
}

fn follow(
    setup: &Setup,
    link: &Arc<GuardLink>,
    http: &str,
    time: Duration,
    ended: &dyn Fn() -> bool,
) -> Result<Value, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Failure::hardware)?;
    let (policy, _) = setup.load_policy_with(setup.cell.inference.backend)?;
    let (sent, plans) = channel();
    let shared = CellLink::new(vec![Arc::clone(link)]).share();
    let planner = start_planner(setup, policy, &shared, &runtime, None, Some(sent))?;
    super::engage(link, &[Request::Reset, Request::Enable, Request::Start])?;
    planner.set(Task::GoTo(setup.start_poses()?));
    wait(THERE, ended, || planner.progress().arrived)?;
    let stamps = Stamps::watch(setup)?;
    let wire = watch(&planner, link, http, time, ended)?;
    drop(planner);
    let plans: Vec<SentPlan> = plans.try_iter().collect();
    let (mut whole, mut added, mut from_camera) = (Times::new(), Times::new(), Times::new());
    for plan in &plans {
        // The guard takes plans in once it has read the servos: the first tick in which the last of
        // them answered later than the plan was sent has it.
        let used = wire.iter().find(|goal| goal.answered >= plan.sent_at);
        let Some(goal) = used else { continue };
        let taken = goal.written.since(plan.newest_at);
        whole.record(taken);
        added.record(taken.saturating_sub(plan.inference_ns));
        if let Some(exposed) = stamps.before(plan.newest_at) {
            let taken = goal.written.since(exposed);
            from_camera.record(taken.saturating_sub(plan.inference_ns));
        }
    }
    Ok(json!({
        "plans": plans.len(),
        "goal_ms": times(&whole.percentiles(), 1e-3),
        "less_inference_ms": times(&added.percentiles(), 1e-3),
        "from_the_shutter_less_inference_ms": times(&from_camera.percentiles(), 1e-3),
    }))
}

fn wait(most: Duration, ended: &dyn Fn() -> bool, done: impl Fn() -> bool) -> Result<(), Failure> {
    let began = Instant::now();
    while !done() && !ended() {
        if began.elapsed() > most {
            return Err(Failure::hardware("the arm does not get to its start"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Lets the policy work for `time`; the goals on the wire meanwhile.
fn watch(
    planner: &Planner,
    link: &GuardLink,
    http: &str,
    time: Duration,
    ended: &dyn Fn() -> bool,
) -> Result<Vec<Goal>, Failure> {
    planner.set(Task::Policy);
    let (began, mut since) = (Instant::now(), realtime::now());
    let mut wire = Vec::new();
    while began.elapsed() < time && !ended() {
        std::thread::sleep(READ_WIRE.min(time));
        if let Some(tick) = link.latest().filter(|tick| tick.mode != Mode::Running) {
            let why = tick
                .cause
                .map(|cause| cause.text(&crate::messages::Names::NONE));
            return Err(Failure::hardware(format!(
                "the arm stopped while its reaction was measured: {}",
                why.unwrap_or_default()
            )));
        }
        let until = realtime::now();
        let path = format!("/wire?since_ns={}", since.0);
        let frames = request(http, "GET", &path, "").map_err(Failure::hardware)?;
        wire.extend(goals(&frames).into_iter().filter(|goal| goal.tick >= since));
        // A tick that was under way is read again, whole.
        since = MonoTime(until.0.saturating_sub(50_000_000)).max(since);
    }
    planner.set(Task::Stand);
    wire.sort_by_key(|goal: &Goal| goal.written);
    wire.dedup();
    Ok(wire)
}

/// Goals of all joints on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Goal {
    /// When its tick asked where the joints are.
    tick: MonoTime,
    /// When the last frame before it was on the wire.
    answered: MonoTime,
    /// When it was on the wire.
    written: MonoTime,
}

/// The goal writes among the frames that the simulator logged.
fn goals(frames: &Value) -> Vec<Goal> {
    let mut goals = Vec::new();
    let mut asked = None;
    for frame in frames.as_array().into_iter().flatten() {
        let (Some(at), Some(hex)) = (frame["t_ns"].as_u64(), frame["hex"].as_str()) else {
            continue;
        };
        let at = MonoTime(at);
        let said = (frame["dir"] == "host").then(|| instruction(hex)).flatten();
        match said {
            Some(Instruction::Positions) => asked = Some((at, at)),
            Some(Instruction::Goals) => goals.extend(asked.take().map(|(tick, answered)| Goal {
                tick,
                answered,
                written: at,
            })),
            None => {
                if let Some((_, answered)) = &mut asked {
                    *answered = at;
                }
            }
        }
    }
    goals
}

enum Instruction {
    Positions,
    Goals,
}

/// What a frame from the host, in hexadecimal, asks for: a sync read of where the joints are or a
/// sync write of goals, of either family. Instruction and register are where the makers' manuals
/// have them.
fn instruction(hex: &str) -> Option<Instruction> {
    if hex.starts_with("fffffd00") {
        match hex.get(14..20)? {
            "827e00" | "8a7e00" => Some(Instruction::Positions),
            "837400" => Some(Instruction::Goals),
            _ => None,
        }
    } else {
        match hex.get(8..12)? {
            "8238" => Some(Instruction::Positions),
            "832a" => Some(Instruction::Goals),
            _ => None,
        }
    }
}

/// When the simulator's cameras took their pictures, by the header that comes with each.
struct Stamps(Vec<Arc<Mutex<Vec<MonoTime>>>>);

impl Stamps {
    /// Listens to every camera of `setup` until the simulator ends.
    fn watch(setup: &Setup) -> Result<Stamps, Failure> {
        let mut all = Vec::new();
        for camera in &setup.cell.cameras {
            let CameraSource::Stream { url, .. } = &camera.source else {
                return Err(Failure::configuration(format!(
                    "camera {} is a device; this is measured with the simulator's",
                    camera.name
                )));
            };
            let rest = url.trim_start_matches("http://");
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let mut stream = TcpStream::connect(host).map_err(Failure::hardware)?;
            write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
                .map_err(Failure::hardware)?;
            let stamps = Arc::new(Mutex::new(Vec::new()));
            all.push(Arc::clone(&stamps));
            // Ends with the simulator.
            std::thread::spawn(move || listen(stream, &stamps));
        }
        Ok(Stamps(all))
    }

    /// When the newest picture that had arrived at `at` was taken.
    fn before(&self, at: MonoTime) -> Option<MonoTime> {
        let each = self.0.iter().filter_map(|stamps| {
            let stamps = stamps.lock().ok()?;
            stamps.iter().copied().filter(|stamp| *stamp <= at).max()
        });
        each.max()
    }
}

fn listen(mut stream: TcpStream, stamps: &Mutex<Vec<MonoTime>>) {
    const HEADER: &[u8] = b"X-Timestamp: ";
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        kept.extend_from_slice(piece.get(..read).unwrap_or_default());
        while let Some(found) = kept.windows(HEADER.len()).position(|it| it == HEADER) {
            let rest = kept.split_off(found + HEADER.len());
            let Some(end) = rest.iter().position(|byte| *byte == b'\r') else {
                // The rest of it is on its way.
                kept.extend_from_slice(&rest);
                break;
            };
            let text = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
            if let (Ok(secs), Ok(mut stamps)) = (text.parse::<f64>(), stamps.lock()) {
                stamps.push(MonoTime::default().offset_secs(secs));
            }
            kept = rest;
        }
        let beyond = kept.len().saturating_sub(64);
        kept.drain(..beyond);
    }
}
