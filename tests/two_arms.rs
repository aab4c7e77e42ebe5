//! Two arms that one policy leads: what stops one stops both, and what an operator asks for is of both.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::motion::{assert_stands_held_and_latched, first_slower_ms, settle};
use common::operator::Operator;
use common::{Controller, Events, Sim, now_ns, output, send_signal, surehand};
use rustix::process::Signal;
use serde_json::{Value, json};
use surehand::messages::Request;

/// Trials of each fault.
const TRIALS: usize = 4;

/// Two simulated arms and the cell that is theirs.
struct Cell {
    left: Sim,
    right: Sim,
    file: PathBuf,
    folder: tempfile::TempDir,
}

impl Cell {
    fn new(seed: u64) -> Cell {
        let left = Sim::start(seed);
        let right = left.beside(seed + 1);
        let folder = tempfile::tempdir().unwrap();
        for (name, arm) in [("left", &left), ("right", &right)] {
            let own = folder.path().join(name);
            std::fs::create_dir(&own).unwrap();
            arm.cell("quick.toml", &own);
        }
        let file = left.cell("two-arms.toml", folder.path());
        Cell {
            left,
            right,
            file,
            folder,
        }
    }

    fn arms(&self) -> [&Sim; 2] {
        [&self.left, &self.right]
    }

    /// A controller whose arms both turn their pan joints at speed, for a while already.
    fn moving(&self, trial: usize) -> Controller {
        let side = if self.left.positions()[0] > 0.0 {
            "right"
        } else {
            "left"
        };
        let mut controller = Controller::run(&self.file, &["--job", side]);
        controller.events.wait_mode("running");
        std::thread::sleep(Duration::from_millis(620 + 37 * trial as u64));
        controller
    }

    /// That the arms stand, held and latched, and that `arm` stopped for `cause` and the other for it.
    fn assert_stopped(&self, status: &Value, arm: &str, cause: &str) {
        assert_eq!(status["mode"], "stopped", "{status:#}");
        assert_eq!(status["latched"], true);
        let text = status["cause"].as_str().unwrap();
        assert!(
            text.starts_with(&format!("{arm}: ")) && text.contains(cause),
            "{text}"
        );
        for (name, sim) in [("left", &self.left), ("right", &self.right)] {
            let cause = if name == arm { cause } else { "another arm" };
            assert_stands_held_and_latched(sim, &status["arms"][name], cause);
        }
    }
}

fn socket_of(controller: &Controller, arm: &str) -> PathBuf {
    let folder = controller.socket.with_extension("arms");
    folder.join(arm).with_extension("sock")
}

fn guard_of(status: &Value, arm: &str) -> u32 {
    let pid = status["arms"][arm]["guard_pid"].as_u64().unwrap();
    u32::try_from(pid).unwrap()
}

fn stopped(controller: &Controller) -> Value {
    let both = |s: &Value| {
        ["left", "right"]
            .iter()
            .all(|arm| s["arms"][arm]["mode"] == "stopped")
    };
    let status = controller.wait_status("stopped", both);
    settle();
    status
}

/// Milliseconds from `since` to the first goal that brakes, of `arm`.
fn slower_ms(arm: &Sim, since: u64) -> f64 {
    first_slower_ms(&arm.goals(since - 300_000_000), since)
}

/// Says what was measured, and holds its median and its largest to `bound` and three times that: the
/// two arms, their controller and the test share the machine's cores.
fn tell(what: &str, mut all: Vec<f64>, bound: f64) {
    all.sort_by(f64::total_cmp);
    println!("{what}: {all:.1?} ms");
    assert!(all[all.len() / 2] < bound, "{what}: {all:?}");
    assert!(all[all.len() - 1] < 3.0 * bound, "{what}: {all:?}");
}

#[test]
fn one_policy_leads_two_arms_and_operators_speak_to_both() {
    let cell = Cell::new(901);
    let mut controller = Controller::run(&cell.file, &["--job", "sway"]);
    controller.events.wait_mode("running");
    let status = controller.wait_status("running", |s| s["mode"] == "running");
    let names: Vec<&str> = (status["joints"].as_array().unwrap().iter())
        .map(|joint| joint["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names.len(), names[0], names[11]),
        (12, "left_shoulder_pan", "right_gripper")
    );
    assert_eq!(status["job"], "sway");
    assert_eq!(status["runner_pid"], controller.runner_pid);
    assert_ne!(guard_of(&status, "left"), guard_of(&status, "right"));
    // Where the policy's part of each arm leads: one way round, and the other.
    for arm in cell.arms() {
        arm.wait_joint(0, |pan, _| pan > 0.25);
        arm.wait_joint(0, |pan, _| pan < -0.25);
    }
    for verb in ["pause", "start"] {
        assert_eq!(controller.verb(verb), 0, "{verb}");
        let mode = if verb == "pause" {
            "holding"
        } else {
            "running"
        };
        controller.wait_status(mode, |s| {
            s["mode"] == mode && s["arms"]["left"]["mode"] == s["arms"]["right"]["mode"]
        });
    }
    held_and_let_go(&controller);
    // The arm's own socket stands for the cell.
    let right = socket_of(&controller, "right");
    let ended = output(surehand().args(["estop", "--socket"]).arg(&right));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let status = stopped(&controller);
    for (name, arm) in [("left", &cell.left), ("right", &cell.right)] {
        let own = &status["arms"][name];
        let cause = own["cause"].as_str().unwrap();
        assert!(
            cause.contains("operator") || cause.contains("another arm"),
            "{cause}"
        );
        assert_stands_held_and_latched(arm, own, cause);
    }
    assert!(
        status["cause"].as_str().unwrap().contains("operator"),
        "{status:#}"
    );
    let text = output(
        surehand()
            .args(["status", "--socket"])
            .arg(&controller.socket),
    );
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for part in [
        "STOPPED",
        "left: STOPPED",
        "right: STOPPED",
        "left_elbow_flex",
        "right_gripper",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(controller.verb("start"), 2, "latched");
    assert_eq!(controller.verb("reset"), 0);
    assert_eq!(controller.verb("start"), 0);
    controller.wait_status("running", |s| s["mode"] == "running");
    assert_eq!(controller.verb("shutdown"), 0);
    let exit = controller.events.wait_exit(Duration::from_secs(20));
    assert_eq!(exit.code(), Some(1));
    let done = controller.events.seen.last().unwrap();
    assert!(done["arms"]["right"].is_object(), "{done}");
    for arm in cell.arms() {
        let joints = arm.state();
        let joints = joints["joints"].as_array().unwrap();
        assert!(joints.iter().all(|joint| joint["torque_enabled"] == true));
    }
    let log = std::fs::read_to_string(cell.folder.path().join("runs/latest/audit.jsonl")).unwrap();
    for arm in ["left", "right"] {
        let stop = |line: &&str| {
            line.contains("\"event\":\"stop\"") && line.contains(&format!("\"arm\":\"{arm}\""))
        };
        assert_eq!(
            log.lines().filter(stop).count(),
            2,
            "estop and shutdown of {arm}:\n{log}"
        );
    }
}

/// Both arms run for as long as one operator holds them.
fn held_and_let_go(controller: &Controller) {
    assert_eq!(controller.verb("pause"), 0);
    let mut command = surehand();
    command.args(["start", "--hold", "--json", "--socket"]);
    let mut hand = Events::start(command.arg(&controller.socket));
    hand.wait("held", |e| e["event"] == "held");
    controller.wait_status("held", |s| s["mode"] == "running");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(controller.status()["mode"], "running");
    assert!(send_signal(hand.pid(), Signal::INT));
    hand.wait("let_go", |e| e["event"] == "let_go");
    let holding = |s: &Value| {
        let own = |arm: &str| s["arms"][arm]["mode"] == "holding";
        own("left") && own("right")
    };
    controller.wait_status("let go", holding);
    assert_eq!(controller.verb("start"), 0);
    controller.wait_status("running", |s| s["mode"] == "running");
}

#[test]
fn a_stop_of_one_arm_stops_the_other() {
    let cell = Cell::new(911);
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for trial in 0..TRIALS {
        let controller = cell.moving(trial);
        // Nobody but the runner tells the right arm.
        let operator = Operator::connect(&socket_of(&controller, "left"));
        let since = now_ns();
        operator.send(Request::Stop);
        let status = stopped(&controller);
        cell.assert_stopped(&status, "left", "operator");
        own.push(slower_ms(&cell.left, since));
        other.push(slower_ms(&cell.right, since));
    }
    tell("estop at left: left", own, 30.0);
    tell("estop at left: right", other, 45.0);
}

#[test]
fn an_unplugged_port_of_one_arm_stops_the_other() {
    let mut other = Vec::new();
    for trial in 0..TRIALS {
        let cell = Cell::new(921 + 2 * trial as u64);
        let controller = cell.moving(trial);
        let since = cell.right.fault(&json!({"fault": "unplug"}));
        let status = controller.wait_status("stopped", |s| s["arms"]["left"]["mode"] == "stopped");
        settle();
        let text = status["cause"].as_str().unwrap();
        assert!(
            text.starts_with("right: ") && text.contains("port"),
            "{text}"
        );
        assert_stands_held_and_latched(&cell.left, &status["arms"]["left"], "another arm");
        other.push(slower_ms(&cell.left, since));
    }
    tell("right unplugged: left", other, 50.0);
}

#[test]
fn a_killed_guard_stops_both_arms_and_is_replaced_latched() {
    let cell = Cell::new(931);
    let mut other = Vec::new();
    for trial in 0..TRIALS {
        let mut controller = cell.moving(trial);
        let lost = guard_of(&controller.status(), "left");
        let since = now_ns();
        assert!(send_signal(lost, Signal::KILL));
        let replaced = controller
            .events
            .wait("guard_replaced", |e| e["event"] == "guard_replaced");
        assert_eq!(replaced["arm"], "left");
        let status = stopped(&controller);
        cell.assert_stopped(&status, "left", "replaced");
        assert_ne!(guard_of(&status, "left"), lost);
        other.push(slower_ms(&cell.right, since));
        if trial == 0 {
            assert_eq!(controller.verb("reset"), 0);
            assert_eq!(controller.verb("enable"), 0);
            assert_eq!(controller.verb("start"), 0);
            controller.wait_status("running", |s| s["mode"] == "running");
        }
    }
    tell("left guard killed: right", other, 45.0);
}

#[test]
fn a_frozen_guard_stops_the_other_arm_and_is_replaced() {
    let cell = Cell::new(941);
    let mut other = Vec::new();
    for trial in 0..2 {
        let mut controller = cell.moving(trial);
        let frozen = guard_of(&controller.status(), "right");
        let since = now_ns();
        assert!(send_signal(frozen, Signal::STOP));
        controller
            .events
            .wait("guard_replaced", |e| e["event"] == "guard_replaced");
        let status = stopped(&controller);
        assert!(
            status["cause"].as_str().unwrap().starts_with("right: "),
            "{status:#}"
        );
        other.push(slower_ms(&cell.left, since));
    }
    tell("right guard frozen: left", other, 300.0);
}

#[test]
fn a_killed_runner_stops_both_arms_and_an_estop_still_reaches_them() {
    let cell = Cell::new(951);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for trial in 0..TRIALS {
        let controller = cell.moving(trial);
        let since = now_ns();
        assert!(send_signal(controller.runner_pid, Signal::KILL));
        let status = stopped(&controller);
        for (name, arm) in [("left", &cell.left), ("right", &cell.right)] {
            assert_stands_held_and_latched(arm, &status["arms"][name], "runner died");
        }
        left.push(slower_ms(&cell.left, since));
        right.push(slower_ms(&cell.right, since));
        assert_eq!(controller.verb("estop"), 0, "guards need no runner for it");
    }
    tell("runner killed: left", left, 30.0);
    tell("runner killed: right", right, 30.0);
}

/// `surehand` with `args` and the cell; its code and its last words.
fn said(args: &[&str], cell: &Path) -> (Option<i32>, String) {
    let ended = output(surehand().args(args).arg(cell));
    let all = [ended.stdout, ended.stderr].concat();
    (
        ended.status.code(),
        String::from_utf8_lossy(&all).into_owned(),
    )
}

#[test]
fn a_cell_of_two_arms_is_checked_and_locked_as_one_and_brought_up_arm_by_arm() {
    let cell = Cell::new(961);
    let (code, text) = said(&["check"], &cell.file);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("nothing keeps arm left out"), "{text}");
    for command in ["jog", "calibrate", "doctor", "setup"] {
        let (code, text) = said(&[command], &cell.file);
        // A doctor that finds anything wrong says so with 3.
        let expected = if command == "doctor" { 3 } else { 2 };
        assert_eq!(code, Some(expected), "{command}: {text}");
        let right = cell.folder.path().join("right/quick.toml");
        let told = |line: &str| {
            line.contains("this is a cell of two arms") && line.contains(right.to_str().unwrap())
        };
        assert!(text.lines().any(told), "{command}: {text}");
    }
    let (code, text) = said(&["lock", "--by", "ana"], &cell.file);
    assert_eq!(code, Some(0), "{text}");
    // A limit of one arm's own is part of what was approved.
    let right = cell.folder.path().join("right/quick.toml");
    let own = std::fs::read_to_string(&right).unwrap();
    let faster = own.replace(
        "wrist_roll = { velocity = 3.0",
        "wrist_roll = { velocity = 3.5",
    );
    std::fs::write(&right, faster).unwrap();
    let (code, text) = said(&["run", "--job", "sway"], &cell.file);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("arms.right.limits.wrist_roll.velocity is 3.5"),
        "{text}"
    );
}
