//! One fault struck while the arm moves at speed: how, what must come of it, and how soon the first
//! braking goal was on the wire.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use surehand::messages::Request;

use crate::common::braking::{QUICK, first_braking_ns, then_standing};
use crate::common::motion::{Patience, assert_stands_held_and_latched, moving_in, settle};
use crate::common::operator::Operator;
use crate::common::threads::Held;
use crate::common::{Controller, Servos, Sim, now_ns, send_signal};

/// What the arm is struck with.
#[derive(Debug, Clone)]
pub enum Blow {
    /// A fault of line, servos or cameras; effective when the simulator says so.
    Fault(Value),
    /// A signal to the runner.
    Runner(Signal),
    /// A signal to the guard.
    Guard(Signal),
    /// The guard is stopped for [`Patience::STALL`], or for this long where the arm has the
    /// patience of a real one; counted from its waking.
    StallGuard(Duration),
    /// The runner's thread of this name is stopped.
    HoldThread(&'static str),
    /// The runner gets no more memory from the system; counted from its death.
    NoMemory,
    /// A request straight to the guard.
    Ask(Request),
}

/// Makes each allocation of some size ask the system for memory, instead of the heap.
const HUNGRY: &[(&str, &str)] = &[
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_TOP_PAD_", "0"),
    ("MALLOC_TRIM_THRESHOLD_", "0"),
    ("MALLOC_MMAP_THRESHOLD_", "1024"),
];

/// How the arm is moving when it is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// On a plan of the runner, to a start pose.
    ToStart,
    /// On the plans of a policy that swings the pan joint, in the middle of a swing.
    Policy,
    /// The same, at the end of a swing.
    Turning,
}

/// What the arm does after the braking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Stands with torque on, latched.
    Latched,
    /// Stopped and latched; servos may have failed.
    Stopped,
    /// Stands without a latch.
    Holding,
    /// The controller has ended; the servos hold.
    Ended,
    /// Stopped and latched, without a port to write goals to.
    PortLost,
    /// A new guard holds the port, latched; counted to its first goal.
    Replaced,
}

/// What came of a strike.
#[derive(Debug)]
pub enum Reaction {
    /// Milliseconds to the first braking goal.
    Braked(f64),
    /// The arm had stopped for something else, told here, before it could stop for the strike.
    Elsewise(String),
}

impl Reaction {
    /// Milliseconds, of an arm that nothing else may stop.
    pub fn milliseconds(self) -> f64 {
        match self {
            Reaction::Braked(ms) => ms,
            Reaction::Elsewise(cause) => panic!("the arm stopped for something else: {cause}"),
        }
    }
}

/// One kind of fault, and what must come of it.
#[derive(Debug, Clone)]
pub struct Strike {
    pub name: &'static str,
    pub blow: Blow,
    pub motion: Motion,
    /// Part of the cause that is told.
    pub cause: &'static str,
    /// Milliseconds to the first braking goal, on a machine that holds nobody up.
    pub bound: f64,
    pub after: After,
    pub servos: Servos,
}

impl Strike {
    pub fn new(name: &'static str, blow: Blow, cause: &'static str, bound: f64) -> Strike {
        Strike {
            name,
            blow,
            motion: Motion::ToStart,
            cause,
            bound,
            after: After::Latched,
            servos: Servos::Feetech,
        }
    }

    pub fn while_it(self, motion: Motion) -> Strike {
        Strike { motion, ..self }
    }

    pub fn on(self, servos: Servos) -> Strike {
        Strike { servos, ..self }
    }

    /// An arm to strike.
    pub fn arm(&self, seed: u64) -> Sim {
        Sim::with(seed, self.servos)
    }

    pub fn then(self, after: After) -> Strike {
        Strike { after, ..self }
    }

    /// Strikes at phase `index`.
    pub fn react(&self, sim: &Sim, index: u64, strict: bool) -> Reaction {
        let folder = tempfile::tempdir().unwrap();
        let patience = match self.blow {
            _ if strict => Patience::Real,
            Blow::StallGuard(_) => Patience::Short,
            _ => Patience::Long,
        };
        let mut controller = match self.motion {
            Motion::ToStart => {
                let environment = match self.blow {
                    Blow::NoMemory => HUNGRY,
                    _ => &[],
                };
                moving_in(sim, folder.path(), index, patience, environment)
            }
            Motion::Policy => swinging(sim, folder.path(), index, patience, true),
            Motion::Turning => swinging(sim, folder.path(), index, patience, false),
        };
        let since = now_ns() - 400_000_000;
        let (struck, held) = self.strike(sim, &controller, strict);
        let first = if self.after == After::PortLost {
            // No goal can be written any more: what counts is when the guard has stopped.
            controller.events.wait_mode("stopping");
            now_ns()
        } else if self.after == After::Replaced {
            controller
                .events
                .wait("a new guard", |e| e["event"] == "guard_replaced");
            settle();
            let goals = sim.goals(struck);
            // What the old one had sent may still have been on its way.
            let mut gaps = goals.iter().map(|goal| goal.t_ns);
            let fresh = gaps.find(|t_ns| *t_ns > struck + 10_000_000);
            fresh.expect("the new guard writes goals")
        } else {
            std::thread::sleep(Duration::from_secs_f64(self.bound * 1e-3));
            settle();
            if let Some(cause) = self.something_else(&controller) {
                return Reaction::Elsewise(cause);
            }
            let mut goals = sim.goals(since);
            if self.after == After::Ended {
                goals = then_standing(goals);
            }
            let moving = goals.first().map(|goal| goal.counts[0])
                != goals
                    .iter()
                    .rfind(|goal| goal.t_ns < struck)
                    .map(|goal| goal.counts[0]);
            assert!(moving, "{}: it stood before it was struck", self.name);
            let first = first_braking_ns(&goals, struck, QUICK);
            first.unwrap_or_else(|| panic!("{}: no goal ever braked: {goals:?}", self.name))
        };
        self.afterwards(sim, &mut controller);
        drop(held);
        Reaction::Braked((first - struck) as f64 * 1e-6)
    }

    /// Why the arm has stopped, if it stopped for something else than this: the first cause of a
    /// stop is the one that is kept.
    fn something_else(&self, controller: &Controller) -> Option<String> {
        if !matches!(self.after, After::Latched | After::Stopped) {
            return None;
        }
        let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
        let cause = status["cause"].as_str().unwrap_or_default();
        (!cause.contains(self.cause)).then(|| cause.to_owned())
    }

    /// When it was struck, and what has to stay until the end.
    fn strike(&self, sim: &Sim, controller: &Controller, strict: bool) -> (u64, Option<Held>) {
        let pid = controller.runner_pid;
        match &self.blow {
            Blow::Fault(fault) => return (sim.fault(fault), None),
            Blow::Runner(signal) => {
                let struck = now_ns();
                assert!(send_signal(pid, *signal));
                return (struck, None);
            }
            Blow::Guard(signal) => {
                let struck = now_ns();
                assert!(send_signal(controller.guard_pid, *signal));
                return (struck, None);
            }
            Blow::StallGuard(stall) => {
                let stall = if strict { *stall } else { Patience::STALL };
                assert!(send_signal(controller.guard_pid, Signal::STOP));
                std::thread::sleep(stall);
                let struck = now_ns();
                assert!(send_signal(controller.guard_pid, Signal::CONT));
                return (struck, None);
            }
            Blow::HoldThread(name) => {
                let struck = now_ns();
                return (struck, Some(Held::thread(pid, name)));
            }
            Blow::NoMemory => {
                crate::common::threads::no_more_memory(pid);
            }
            Blow::Ask(request) => {
                let operator = Operator::connect(&controller.socket);
                let struck = now_ns();
                operator.send(*request);
                return (struck, None);
            }
        }
        (crate::common::threads::wait_death(pid), None)
    }

    fn afterwards(&self, sim: &Sim, controller: &mut Controller) {
        if self.after == After::Ended {
            let exit = controller.events.wait_exit(Duration::from_secs(30));
            assert_eq!(exit.code(), Some(1), "{}", self.name);
            return holds(sim);
        }
        if self.after == After::Holding {
            controller.wait_status("holding", |s| s["mode"] == "holding");
            return holds(sim);
        }
        let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
        let cause = status["cause"].as_str().unwrap_or_default();
        assert!(cause.contains(self.cause), "{}: {cause}", self.name);
        if self.after == After::Latched {
            assert_stands_held_and_latched(sim, &status, self.cause);
        } else {
            assert_eq!(status["latched"], true);
            assert!(status["remedy"].as_str().is_some_and(|r| !r.is_empty()));
        }
    }
}

/// Every servo holds and the arm stands.
pub fn holds(sim: &Sim) {
    let before = sim.positions();
    settle();
    let after = sim.positions();
    for (a, b) in before.iter().zip(&after) {
        assert!((a - b).abs() < 0.01, "{before:?} {after:?}");
    }
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    assert!(joints.iter().all(|joint| joint["torque_enabled"] == true));
}

/// A controller whose policy swings the pan joint: in the middle of a swing, or at its end.
pub fn swinging(
    sim: &Sim,
    folder: &Path,
    index: u64,
    patience: Patience,
    middle: bool,
) -> Controller {
    let cell = patience.cell(sim, folder);
    let text = std::fs::read_to_string(&cell).unwrap();
    let swing = text
        .replace("tests/packages/hold\"", "tests/packages/sway\"")
        .replace("shoulder_pan = 1.4", "shoulder_pan = 0.35")
        .replace("shoulder_pan = -1.4", "shoulder_pan = -0.35")
        .replace("wrist_roll = 0.0", "wrist_roll = 1.2");
    std::fs::write(&cell, swing).unwrap();
    let job = if index.is_multiple_of(2) {
        "left"
    } else {
        "right"
    };
    let mut controller = Controller::run(&cell, &["--job", job]);
    controller.events.wait_mode("running");
    // At the start pose, which is an end of the swing.
    sim.wait_joint(0, |pan, speed| pan.abs() > 0.33 && speed.abs() < 0.02);
    if !middle {
        sim.wait_joint(0, |pan, _| pan.abs() < 0.336);
        std::thread::sleep(Duration::from_millis(index % 66));
        return controller;
    }
    // From the end of the swing the joint gets faster until the middle.
    let wanted = 0.22 - 0.02 * (index % 8) as f64;
    sim.wait_joint(0, |pan, speed| pan.abs() < wanted && speed.abs() > 0.25);
    controller
}
