//! `surehand trace`: a simulated arm traces a path of its tool, measured by ground truth.
//!
//! Owns the run and the report. The guard follows the path through the same plans that a policy's
//! are; where the tool really was is the simulator's to say, which the controller never asks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::run::{socket_path, stop_on_signals};
use super::simulator::{Simulator, find_up, request};
use super::{Exit, Failure, Outcome, output};
use crate::arm::ArmModel;
use crate::cell::Overrides;
use crate::messages::{MAX_MESSAGE, Mode, Plan, Request, RunnerReport, Telemetry};
use crate::realtime;
use crate::runner::Setup;
use crate::runner::guard_process::{Boot, GuardProcess, GuardSpec};
use crate::runner::link::GuardLink;
use crate::runner::moves::joint_move;
use crate::units::{JointVec, MonoTime, Rad};

mod course;
mod errors;

use course::Course;
use errors::Errors;

/// How long the guard may take to answer, and to come up.
const ANSWER: Duration = Duration::from_secs(2);
const BRING_UP: Duration = Duration::from_secs(10);
/// From a plan's making to its beginning: the arm joins the path at rest, seconds.
const AHEAD: f64 = 0.15;
/// How long the arm comes to rest before it sets out, seconds.
const REST: f64 = 1.0;
/// Looks at the arm, a second.
const LOOKS: f64 = 100.0;

#[derive(clap::Args)]
pub(super) struct Args {
    /// What to trace.
    #[arg(value_enum, default_values_t = [Which::Circle, Which::FlyBy])]
    paths: Vec<Which>,
    /// The mean speed of the tool, metres a second.
    #[arg(long, default_value_t = 0.08, value_parser = speed)]
    speed: f64,
    /// The cell file.
    #[arg(long, value_name = "FILE")]
    cell: Option<PathBuf>,
}

/// The paths by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// A circle 10 cm across.
    Circle,
    /// An arc that comes within a millimetre of where the arm is stretched, a singular posture.
    FlyBy,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.005..=1.0).contains(&speed) {
        Ok(speed)
    } else {
        Err("give 0.005 to 1 m/s".into())
    }
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let cell = match &args.cell {
        Some(cell) => cell.clone(),
        None => find_up(Path::new("cells/sim.toml"))?,
    };
    let told = stop_on_signals()?;
    let ended = || told.flag.load(std::sync::atomic::Ordering::Relaxed);
    let sim = Simulator::start(0, &cell)?;
    let overrides = Overrides {
        port: Some(sim.ready.pty.clone()),
        camera_host: Some(sim.ready.http.clone()),
        frozen: None,
    };
    let setup = Setup::load(&cell, None, &overrides)?;
    let spec = GuardSpec {
        cell: setup.cell.file.clone(),
        port: Some(sim.ready.pty.clone()),
        socket: socket_path(None, &format!("trace-{}", std::process::id()))?,
        frozen: None,
        tool_speed: None,
    };
    let mut guard = GuardProcess::start(&spec, Boot::Fresh).map_err(Failure::hardware)?;
    let report = RunnerReport::default();
    let link = guard
        .connect(&report, None, BRING_UP)
        .map_err(Failure::hardware)?;
    let mut tracer = Tracer {
        setup: &setup,
        link: &link,
        http: &sim.ready.http,
        plans: 0,
        bytes: vec![0; MAX_MESSAGE],
        ended: &ended,
    };
    let traced = tracer.trace_all(args, json);
    // A guard that is gone already has nothing left to be asked.
    let _ = link.request(Request::Shutdown, ANSWER);
    guard.wait_end(BRING_UP);
    drop(sim);
    traced
}

/// One arm and who watches it.
struct Tracer<'a> {
    setup: &'a Setup,
    link: &'a GuardLink,
    http: &'a str,
    plans: u64,
    bytes: Vec<u8>,
    ended: &'a dyn Fn() -> bool,
}

/// Where the tool was at one moment.
struct Look {
    at: MonoTime,
    /// Of the joints as commanded, as on the wire, and of the arm.
    command: [f64; 3],
    wire: [f64; 3],
    arm: [f64; 3],
    /// Behind the plan as the guard says, seconds.
    lag: f64,
}

impl Tracer<'_> {
    fn trace_all(&mut self, args: &Args, json: bool) -> Outcome {
        for request in [Request::Reset, Request::Enable, Request::Start] {
            let began = Instant::now();
            while let Err(refusal) = self.link.request(request, ANSWER) {
                if began.elapsed() > ANSWER {
                    return Err(Failure::hardware(format!(
                        "the guard refused to {}: {refusal:?}",
                        request.word()
                    )));
                }
            }
        }
        let mut reports = Vec::new();
        for which in &args.paths {
            let Some((name, errors)) = self.trace(*which, args.speed)? else {
                return Ok(Exit::Operator);
            };
            if !json {
                output::line_out(&errors.line(name));
            }
            reports.push(errors.document(name));
        }
        if json {
            output::json(&json!({"speed_m_s": args.speed, "paths": reports}));
        }
        Ok(Exit::Done)
    }

    /// Traces one path; `None` when an operator wanted an end.
    fn trace(
        &mut self,
        which: Which,
        speed: f64,
    ) -> Result<Option<(&'static str, Errors)>, Failure> {
        let model = &self.setup.arm.model;
        let start = self
            .setup
            .cell
            .start_pose(&self.setup.job, &self.setup.arm)
            .map_err(Failure::configuration)?;
        let (name, course) = match which {
            Which::Circle => ("circle", Course::circle(model, &start, speed)),
            Which::FlyBy => ("fly-by", Course::fly_by(model, &start, speed)),
        };
        let course = course.ok_or_else(|| {
            Failure::configuration(format!(
                "the {name} can't be traced from the start pose of job `{}`: it is out of the arm's reach, or the arm's first joint is not upright; give another start",
                self.setup.job.name
            ))
        })?;
        let first = course.joints_at_start(model, &start).ok_or_else(|| {
            Failure::configuration(format!("the {name} begins out of the arm's reach"))
        })?;
        if !self.go_to(&first)? {
            return Ok(None);
        }
        self.plans += 1;
        let now = realtime::now();
        let plan = course.plan(self.plans, now, now.offset_secs(AHEAD));
        let (begin, end) = (plan.start, plan.end());
        self.send(plan);
        let mut looks = Vec::new();
        while realtime::now() < end.offset_secs(-0.05) {
            if (self.ended)() {
                return Ok(None);
            }
            let tick = self.running()?;
            looks.push(self.look(model, &tick)?);
            std::thread::sleep(Duration::from_secs_f64(1.0 / LOOKS));
        }
        // Before the plan runs out, which is a stop.
        let there = self.running()?.command;
        self.stand(&there);
        Ok(Some((name, Errors::of(&course, &looks, begin))))
    }

    /// Moves all joints to `pose` and comes to rest there; whether nobody wanted an end.
    fn go_to(&mut self, pose: &JointVec<Rad>) -> Result<bool, Failure> {
        self.plans += 1;
        let from = self.latest()?.command;
        let limits = self.setup.arm.model.limits();
        let going = joint_move(self.plans, realtime::now(), &from, pose, limits);
        let there = going.end;
        self.send(going.plan);
        while realtime::now() < there {
            std::thread::sleep(Duration::from_millis(20));
            if (self.ended)() {
                return Ok(false);
            }
            self.running()?;
        }
        let rested = there.offset_secs(REST);
        while realtime::now() < rested {
            self.stand(pose);
            std::thread::sleep(Duration::from_millis(100));
            self.running()?;
        }
        Ok(true)
    }

    fn stand(&mut self, pose: &JointVec<Rad>) {
        self.plans += 1;
        self.send(crate::runner::moves::stand(
            self.plans,
            realtime::now(),
            pose,
        ));
    }

    fn send(&mut self, plan: Plan) {
        self.link.send_plan(plan, &mut self.bytes);
    }

    fn latest(&self) -> Result<Telemetry, Failure> {
        let lost = || Failure::hardware("the guard says nothing; its own message is above");
        self.link.latest().ok_or_else(lost)
    }

    /// The latest tick, of an arm that runs.
    fn running(&self) -> Result<Telemetry, Failure> {
        let tick = self.latest()?;
        let why = match (tick.mode, tick.cause, tick.refused) {
            (_, Some(cause), _) => cause.text(&crate::messages::Names::NONE),
            (Mode::Running, None, Some((plan, refusal))) if plan == self.plans => {
                format!("a plan was refused: {refusal:?}")
            }
            (Mode::Running, None, _) => return Ok(tick),
            (mode, None, _) => format!("it is {mode:?}"),
        };
        Err(Failure {
            line: format!("the arm stopped on its way: {why}"),
            exit: Exit::SafeStop,
        })
    }

    fn look(&self, model: &ArmModel, tick: &Telemetry) -> Result<Look, Failure> {
        let state = request(self.http, "GET", "/state", "").map_err(Failure::hardware)?;
        let odd = || Failure::hardware("the simulator's /state lacks what a trace needs");
        let number = |value: &Value| value.as_f64().ok_or_else(odd);
        let goals = state["joints"].as_array().ok_or_else(odd)?;
        let goals: JointVec<Rad> = goals
            .iter()
            .map(|joint| number(&joint["goal"]).map(Rad))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .collect();
        let tool = &state["tool"]["position"];
        let at = state["t_ns"].as_u64().ok_or_else(odd)?;
        Ok(Look {
            at: MonoTime(at),
            command: model.forward(&tick.command).tool.translation.into(),
            wire: model.forward(&goals).tool.translation.into(),
            arm: [number(&tool[0])?, number(&tool[1])?, number(&tool[2])?],
            lag: tick.plan_lag,
        })
    }
}
