//! An arm, its control core and a runner in virtual time.
//!
//! Owns the clock. The policy says where to be from the time alone, so that what its chunks disagree
//! by is exactly what it was told to; the servos are where they are told to be.

use std::time::Duration;

use surehand::arm::{ArmModel, ArmSpec, JointSpec};
use surehand::cell::Joining;
use surehand::control::{
    Core, CoreConfig, Inputs, JointReading, Link, SafetyInputs, Signals, Torque,
};
use surehand::messages::{Cause, Mode, Plan, Refusal, Request, Waypoints};
use surehand::runner::chunks::{Chunks, Pace, Rules};
use surehand::units::{Celsius, JointVec, MonoTime, Rad, RadPerSec, RadPerSec2, RadPerSec3, Volts};

use crate::delays::Delay;
use crate::so101;

pub const TICK: Duration = Duration::from_millis(5);
/// The limits of every joint.
pub const VELOCITY: f64 = 2.0;
pub const ACCELERATION: f64 = 12.0;
pub const JERK: f64 = 2000.0;
/// Pictures come this often, and this long after they were taken.
const PICTURES_NS: u64 = 33_333_333;
const PICTURE_LATENCY_NS: u64 = 20_000_000;
/// The policy's rate.
pub const STEP_NS: u32 = 33_333_333;

/// How a run is done.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    pub rules: Rules,
    /// Time between two chunks, where they are not appended.
    pub every: Duration,
    /// Steps of a chunk.
    pub steps: usize,
    /// By how much successive chunks disagree about the first joint, radians.
    pub disagree: f64,
    /// The guard's own cross-fade.
    pub crossfade: Duration,
    /// How long the inference of chunk `n` takes.
    pub delay: Delay,
    pub secs: f64,
}

impl Script {
    pub fn of(joining: Joining) -> Script {
        Script {
            rules: Rules {
                joining,
                horizon: 10,
                ensemble_m: 0.01,
            },
            every: Duration::from_millis(200),
            steps: 50,
            disagree: 0.1,
            crossfade: Duration::from_millis(100),
            delay: |_| Duration::ZERO,
            secs: 20.0,
        }
    }
}

/// One tick of a run.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    pub at: MonoTime,
    pub mode: Mode,
    pub cause: Option<Cause>,
    /// Of the first joint.
    pub command: f64,
    /// The plan that the core follows, and when it runs out.
    pub plan: u64,
    pub plan_end: MonoTime,
    pub refused: Option<(u64, Refusal)>,
}

/// What came of a run.
pub struct Run {
    pub ticks: Vec<Tick>,
    /// The plans in the order they were sent, each with when it was.
    pub sent: Vec<(MonoTime, Plan)>,
    /// Chunks that came after their last step.
    pub late: u64,
    /// When each inference ended.
    pub asked: u64,
}

/// Where the policy wants the first joint at `at`, without what its chunks disagree by.
pub fn nominal(at: MonoTime) -> f64 {
    0.3 * (1.2 * at.0 as f64 * 1e-9).sin()
}

fn arm() -> ArmModel {
    let joint = |name: &str| JointSpec {
        name: name.into(),
        velocity: RadPerSec(VELOCITY),
        acceleration: RadPerSec2(ACCELERATION),
        jerk: RadPerSec3(JERK),
        lower: None,
        upper: None,
    };
    let spec = ArmSpec {
        joints: so101::NAMES.into_iter().map(joint).collect(),
        gripper: Some("gripper".into()),
        base_link: "base".into(),
        tool_link: "grasp_frame".into(),
    };
    ArmModel::parse("so101.urdf", include_str!("../../urdf/so101.urdf"), &spec).unwrap()
}

/// An inference that is going on.
struct Thinking {
    chunk: Plan,
    asked: MonoTime,
    done: MonoTime,
}

struct Rig {
    core: Core,
    now: MonoTime,
    joints: JointVec<Rad>,
    run: Run,
}

/// Runs `script`.
pub fn run(script: &Script) -> Run {
    let mut config = CoreConfig::new(arm(), TICK);
    config.plans.crossfade = script.crossfade;
    config.plans.max_age = Duration::from_millis(300);
    let begin = MonoTime(1_000_000_000_000);
    let joints = [0.0, -0.4, 0.5, 1.2, 1.5, 0.2].into_iter().map(Rad);
    let mut rig = Rig {
        core: Core::new(config, Cause::Boot, Torque::Off).unwrap(),
        now: begin,
        joints: joints.collect(),
        run: Run {
            ticks: Vec::new(),
            sent: Vec::new(),
            late: 0,
            asked: 0,
        },
    };
    rig.tick(None, None);
    for request in [Request::Reset, Request::Enable, Request::Start] {
        rig.tick(Some(request), None);
    }
    let pace = match script.rules.joining {
        Joining::Append => None,
        Joining::CrossFade | Joining::Ensemble => Some(script.every),
    };
    let (mut chunks, mut pace) = (Chunks::new(script.rules), Pace::new(pace));
    let started = rig.now;
    let (mut next_at, mut seen) = (rig.now, rig.now);
    let mut thinking: Option<Thinking> = None;
    let mut offered = None;
    while rig.now.secs_from(begin) < script.secs {
        if let Some(done) = thinking.take_if(|it| it.done <= rig.now) {
            let captured = done.chunk.captured_at;
            pace.note(Duration::from_nanos(done.done.since(done.asked)));
            let runs_out = match chunks.join(done.chunk, done.done) {
                Some(joined) => {
                    rig.run.sent.push((done.done, joined.plan.clone()));
                    let end = joined.plan.end();
                    offered = Some(joined.plan);
                    end
                }
                None => {
                    rig.run.late += 1;
                    done.done
                }
            };
            (seen, next_at) = (captured, pace.next(done.asked, runs_out));
        }
        let picture = picture(rig.now);
        let running = rig
            .run
            .ticks
            .last()
            .is_some_and(|it| it.mode == Mode::Running);
        if thinking.is_none()
            && running
            && rig.now >= next_at
            && picture > seen
            && picture > started
        {
            rig.run.asked += 1;
            let id = rig.run.asked;
            let asked = rig.now;
            thinking = Some(Thinking {
                chunk: rig.chunk(script, id, picture),
                asked,
                done: MonoTime(asked.0 + (script.delay)(id).as_nanos() as u64),
            });
        }
        rig.tick(None, offered.take().as_ref());
        if let Some((id, _)) = rig.run.ticks.last().and_then(|it| it.refused) {
            chunks.refused(id);
        }
    }
    rig.run
}

/// When the newest picture at `now` was taken.
fn picture(now: MonoTime) -> MonoTime {
    MonoTime((now.0 - PICTURE_LATENCY_NS) / PICTURES_NS * PICTURES_NS)
}

impl Rig {
    /// Chunk `id`: odd and even ones disagree.
    fn chunk(&self, script: &Script, id: u64, captured_at: MonoTime) -> Plan {
        let start = MonoTime(captured_at.0 + u64::from(STEP_NS));
        let half = if id.is_multiple_of(2) { 0.5 } else { -0.5 };
        let points = (0..script.steps).map(|index| {
            let due = MonoTime(start.0 + index as u64 * u64::from(STEP_NS));
            let mut point = self.joints;
            point.as_mut_slice()[0] = Rad(nominal(due) + half * script.disagree);
            // The others stand.
            point
        });
        Plan {
            id,
            captured_at,
            start,
            step_ns: STEP_NS,
            waypoints: Waypoints::Joint(points.collect()),
        }
    }

    fn tick(&mut self, request: Option<Request>, plan: Option<&Plan>) {
        self.now = MonoTime(self.now.0 + TICK.as_nanos() as u64);
        let mut signals = Signals::default();
        if let Some(request) = request {
            signals.requests.push(request).unwrap();
        }
        let reading = |position| JointReading::Fresh {
            position,
            velocity: RadPerSec(0.0),
            load: 0.0,
            voltage: Volts(7.4),
            temperature: Celsius(30.0),
            errors: 0,
        };
        let step = self.core.tick(&Inputs {
            now: self.now,
            missed: 0,
            joints: self.joints.map(reading),
            restarted: None,
            watchdog: None,
            safety: SafetyInputs::default(),
            hold: None,
            link: Link::Up { heard_at: self.now },
            plan,
            signals,
        });
        if let Some(command) = &step.command {
            self.joints = command.positions();
        }
        self.run.ticks.push(Tick {
            at: self.now,
            mode: step.mode,
            cause: step.cause,
            command: self.joints.get(0).unwrap().0,
            plan: step.plan_id,
            plan_end: step.plan_end,
            refused: step.refused,
        });
    }
}

/// Speeds, accelerations and jerks of the first joint's commands.
pub fn rates(ticks: &[Tick]) -> [Vec<f64>; 3] {
    let dt = TICK.as_secs_f64();
    let differences = |values: &[f64]| -> Vec<f64> {
        let pairs = values.windows(2);
        pairs.map(|pair| (pair[1] - pair[0]) / dt).collect()
    };
    let commands: Vec<f64> = ticks.iter().map(|tick| tick.command).collect();
    let speeds = differences(&commands);
    let accelerations = differences(&speeds);
    let jerks = differences(&accelerations);
    [speeds, accelerations, jerks]
}

pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most: f64, it| most.max(it.abs()))
}

/// The root of the mean square.
pub fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|it| it * it).sum::<f64>() / values.len() as f64).sqrt()
}

impl Run {
    /// What the plan in force says of the first joint at each step of a grid, less what the policy
    /// itself moves by: its jumps from step to step are the seams.
    pub fn seams(&self) -> Vec<f64> {
        let mut executed = Vec::new();
        for (index, (sent, plan)) in self.sent.iter().enumerate() {
            let until = self
                .sent
                .get(index + 1)
                .map_or(plan.end(), |(next, _)| *next);
            let mut at = MonoTime(sent.0 / 1_000_000 * 1_000_000);
            while at < until.min(plan.end()) {
                if at >= plan.start.max(*sent) {
                    executed.push(place(plan, at) - nominal(at));
                }
                at = MonoTime(at.0 + 1_000_000);
            }
        }
        // One step of the policy apart, the grid being milliseconds.
        let step = (STEP_NS / 1_000_000) as usize;
        let pairs = executed.iter().zip(executed.iter().skip(step));
        pairs
            .map(|(before, after)| (after - before).abs())
            .collect()
    }
}

/// Straight lines between waypoints are near enough to tell a seam.
fn place(plan: &Plan, at: MonoTime) -> f64 {
    let Waypoints::Joint(points) = &plan.waypoints else {
        panic!("a plan of joints");
    };
    let since = at.since(plan.start) as f64 / f64::from(plan.step_ns);
    let index = (since as usize).min(points.len() - 2);
    let value = |index: usize| points[index].get(0).unwrap().0;
    value(index) + (value(index + 1) - value(index)) * (since - index as f64)
}
