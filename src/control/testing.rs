//! What the tests of this folder share.

pub(crate) mod arms;

use std::time::Duration;

use crate::arm::{ArmModel, ArmSpec, JointSpec};
use crate::control::{
    Core, CoreConfig, Inputs, JointCommand, JointReading, Link, SafetyInputs, Signals, Step,
    Torque, TorqueAct,
};
use crate::messages::{Cause, Mode, Plan, Refusal, Request, Waypoints};
use crate::so101;
use crate::units::{Celsius, JointVec, MonoTime, Rad, RadPerSec, RadPerSec2, RadPerSec3, Volts};

/// The SO-101 with moderate limits.
pub(crate) fn so101() -> ArmModel {
    so101_with("base", &so101::NAMES)
}

/// These joints of the SO-101, of which the last is the gripper, on its link `base`.
pub(crate) fn so101_with(base: &str, names: &[&str]) -> ArmModel {
    let spec = ArmSpec {
        joints: names
            .iter()
            .map(|name| JointSpec {
                name: (*name).into(),
                velocity: RadPerSec(3.0),
                acceleration: RadPerSec2(15.0),
                jerk: RadPerSec3(1500.0),
                lower: None,
                upper: None,
            })
            .collect(),
        gripper: Some("gripper".into()),
        base_link: base.into(),
        tool_link: "grasp_frame".into(),
    };
    let text = include_str!("../../urdf/so101.urdf");
    ArmModel::parse("so101.urdf", text, &spec).unwrap()
}

/// Joint angles.
pub(crate) fn joints<const N: usize>(angles: [f64; N]) -> JointVec<Rad> {
    angles.into_iter().map(Rad).collect()
}

/// Ticks of the rig, nanoseconds.
pub(crate) const PERIOD_NS: u64 = 5_000_000;

/// A core with an arm of lagging servos, in virtual time. Holds every tick to the
/// invariants.
pub(crate) struct Rig {
    pub(crate) core: Core,
    pub(crate) now: MonoTime,
    /// Where the joints are.
    pub(crate) positions: JointVec<f64>,
    velocities: JointVec<f64>,
    goals: Option<JointVec<Rad>>,
    /// Joints that can't be moved.
    pub(crate) blocked: Option<usize>,
    /// What the runner's link looks like; the default is one heard in this tick.
    pub(crate) link: Option<Link>,
    /// The emergency stops and enabling switches.
    pub(crate) safety: SafetyInputs,
    /// When an operator who holds the arm running was last heard.
    pub(crate) hold: Option<MonoTime>,
    /// Offered in the next tick.
    pub(crate) plan: Option<Plan>,
    plans: u64,
    torque: bool,
}

impl Rig {
    /// Booted with torque off, the arm in a reachable pose.
    pub(crate) fn new() -> Rig {
        Rig::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut CoreConfig)) -> Rig {
        Rig::booted(Cause::Boot, Torque::Off, change)
    }

    pub(crate) fn booted(
        cause: Cause,
        torque: Torque,
        change: impl FnOnce(&mut CoreConfig),
    ) -> Rig {
        let mut config = CoreConfig::new(so101(), Duration::from_nanos(PERIOD_NS));
        change(&mut config);
        let velocities = JointVec::repeat(0.0, config.model.len());
        Rig {
            core: Core::new(config, cause, torque).unwrap(),
            now: MonoTime(1_000_000_000),
            positions: [0.1, -0.4, 0.5, 1.2, 1.5, 0.2].into_iter().collect(),
            velocities,
            goals: None,
            blocked: None,
            link: None,
            safety: SafetyInputs::default(),
            hold: None,
            plan: None,
            plans: 0,
            torque: torque == Torque::On,
        }
    }

    /// Reset, enabled, started, with nothing to follow yet.
    pub(crate) fn started() -> Rig {
        let mut rig = Rig::new();
        rig.start();
        rig
    }

    pub(crate) fn start(&mut self) {
        self.tick();
        for request in [Request::Reset, Request::Enable, Request::Start] {
            assert_eq!(self.ask(request), Ok(request));
        }
    }

    /// Started and in full motion.
    pub(crate) fn moving() -> Rig {
        let mut rig = Rig::started();
        rig.plan = Some(rig.sweep(1.0));
        rig.run(80);
        assert!(rig.speed() > 0.5, "{}", rig.speed());
        rig
    }

    /// A plan that swings all chain joints away over 1.2 s.
    pub(crate) fn sweep(&mut self, size: f64) -> Plan {
        let from = self.command();
        let to = joints([-1.0, 0.5, -0.4, -0.6, -1.2, 0.3]);
        let points = (0..=60).map(|index| {
            let share = (1.0 - (std::f64::consts::PI * f64::from(index) / 60.0).cos()) / 2.0;
            from.zip_with(&to, |from, to| Rad(from.0 + size * share * to.0))
        });
        self.plan_of(Waypoints::Joint(points.collect()), 20)
    }

    pub(crate) fn plan_of(&mut self, waypoints: Waypoints, step_ms: u32) -> Plan {
        self.plans += 1;
        Plan {
            id: self.plans,
            captured_at: self.now,
            start: self.now,
            step_ns: step_ms * 1_000_000,
            waypoints,
        }
    }

    /// The command, or where the arm is.
    pub(crate) fn command(&self) -> JointVec<Rad> {
        self.core
            .positions()
            .unwrap_or_else(|| self.positions.map(Rad))
    }

    /// The fastest joint.
    pub(crate) fn speed(&self) -> f64 {
        self.velocities
            .iter()
            .fold(0.0, |most, v| v.abs().max(most))
    }

    pub(crate) fn mode(&mut self) -> Mode {
        self.tick().mode
    }

    pub(crate) fn ask(&mut self, request: Request) -> Result<Request, Refusal> {
        let step = self.tick_with(|inputs| inputs.signals.requests.push(request).unwrap());
        step.answers[0].unwrap()
    }

    pub(crate) fn run(&mut self, ticks: usize) -> Step<JointCommand> {
        let mut last = None;
        for _ in 0..ticks {
            last = Some(self.tick());
        }
        last.unwrap()
    }

    pub(crate) fn tick(&mut self) -> Step<JointCommand> {
        self.tick_with(|_| {})
    }

    /// Ticks until `Stopped`, at most two seconds.
    pub(crate) fn until_stopped(&mut self) -> Step<JointCommand> {
        for _ in 0..400 {
            let step = self.tick();
            if step.mode == Mode::Stopped {
                return step;
            }
        }
        panic!("it does not stop");
    }

    /// One tick with inputs changed by `change`.
    pub(crate) fn tick_with(&mut self, change: impl FnOnce(&mut Inputs<'_>)) -> Step<JointCommand> {
        self.now = MonoTime(self.now.0 + PERIOD_NS);
        let plan = self.plan.take();
        let joints = self
            .positions
            .zip_with(&self.velocities, |position, velocity| JointReading::Fresh {
                position: Rad(position),
                velocity: RadPerSec(velocity),
                load: 0.0,
                voltage: Volts(7.4),
                temperature: Celsius(35.0),
                errors: 0,
            });
        let mut inputs = Inputs {
            now: self.now,
            missed: 0,
            joints,
            restarted: None,
            watchdog: None,
            safety: self.safety,
            hold: self.hold,
            link: self.link.unwrap_or(Link::Up { heard_at: self.now }),
            plan: plan.as_ref(),
            signals: Signals::default(),
        };
        change(&mut inputs);
        let step = self.core.tick(&inputs);
        self.obey(&step, &inputs);
        step
    }

    /// Holds the step to the invariants and moves the servos.
    fn obey(&mut self, step: &Step<JointCommand>, inputs: &Inputs<'_>) {
        match step.torque {
            TorqueAct::Keep => {}
            TorqueAct::Enable => self.torque = true,
            TorqueAct::Release => self.torque = false,
        }
        let latched = step.mode.latched();
        assert_eq!(latched, step.cause.is_some(), "cause {:?}", step.cause);
        if step.mode != Mode::Running {
            assert_eq!(step.plan_id, 0, "every stop empties plans");
        }
        if let Some(command) = &step.command {
            assert!(self.torque, "a goal is written to a limp arm");
            let model = self.core.config().model.clone();
            let readings = inputs.joints.iter();
            let all = command.positions();
            for ((goal, limits), reading) in all.iter().zip(model.limits()).zip(readings) {
                if let JointReading::Fresh { position, .. } = reading {
                    let ahead = (goal.0 - position.0).abs();
                    let lead = limits.stopping_distance().0;
                    let believed = self.core.measured().is_some_and(|all| {
                        all.iter().any(|measured| measured.position == *position)
                    });
                    assert!(!believed || ahead <= lead + 1e-9, "{ahead} ahead");
                }
                assert!(goal.0.is_finite());
            }
            self.goals = Some(all);
        }
        let secs = PERIOD_NS as f64 * 1e-9;
        let goals = self.goals.filter(|_| self.torque);
        for index in 0..self.positions.len() {
            let goal = goals.and_then(|goals| goals.get(index));
            let position = &mut self.positions.as_mut_slice()[index];
            // A position loop with 40 ms of lag, and a motor that has a top speed.
            let velocity = match goal {
                Some(goal) if self.blocked != Some(index) => {
                    ((goal.0 - *position) / 0.04).clamp(-4.7, 4.7)
                }
                _ => 0.0,
            };
            *position += velocity * secs;
            self.velocities.as_mut_slice()[index] = velocity;
        }
    }
}
