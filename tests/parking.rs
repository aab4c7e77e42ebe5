//! Putting the arm away on the simulated bus: where it ends up, that it is let go there and does
//! not fall, and what interrupts it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::motion::settle;
use common::{Controller, Sim, output, send_signal, surehand};
use rustix::process::Signal;

const POSE: [f64; 4] = [0.0, -1.7, 1.6, 1.2];

/// The quick cell with a place to be put away, and what follows the end of a run.
fn cell(sim: &Sim, folder: &Path, at_exit: &str) -> PathBuf {
    let path = sim.cell("quick.toml", folder);
    let mut text = std::fs::read_to_string(&path).unwrap();
    let [pan, lift, elbow, wrist] = POSE;
    text.push_str(&format!(
        "\n[parking]\npose = {{ shoulder_pan = {pan:?}, shoulder_lift = {lift:?}, \
         elbow_flex = {elbow:?}, wrist_flex = {wrist:?} }}\nat_exit = \"{at_exit}\"\n"
    ));
    std::fs::write(&path, text).unwrap();
    path
}

/// A controller that swings the pan joint to the other side.
fn moving(sim: &Sim, cell: &Path) -> Controller {
    let job = if sim.positions()[0] > 0.0 {
        "right"
    } else {
        "left"
    };
    let mut controller = Controller::run(cell, &["--job", job]);
    controller.events.wait_mode("running");
    std::thread::sleep(Duration::from_millis(700));
    controller
}

fn torques(sim: &Sim) -> Vec<bool> {
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    let on = joints.iter().map(|joint| joint["torque_enabled"] == true);
    on.collect()
}

fn away_from_pose(sim: &Sim) -> f64 {
    let positions = sim.positions();
    let away = positions
        .iter()
        .zip(POSE)
        .map(|(at, pose)| (at - pose).abs());
    away.fold(0.0, f64::max)
}

#[test]
fn a_moving_arm_is_put_away_and_lies_where_it_was_put() {
    let sim = Sim::start(70);
    let folder = tempfile::tempdir().unwrap();
    let cell = cell(&sim, folder.path(), "hold");
    let mut controller = moving(&sim, &cell);
    assert_eq!(controller.verb("park"), 0);
    controller.events.wait_mode("parking");
    controller.events.wait_mode("stopped");
    settle();
    assert!(torques(&sim).iter().all(|on| !on), "it is let go");
    let before = away_from_pose(&sim);
    assert!(before < 0.06, "{before} rad from its pose");
    std::thread::sleep(Duration::from_millis(1000));
    let after = away_from_pose(&sim);
    assert!(after < before + 0.06, "it fell: {before} {after}");
    let status = controller.status();
    assert!(
        status["cause"].as_str().unwrap().contains("parked"),
        "{status}"
    );
    assert_eq!(controller.verb("start"), 2, "latched");
    for verb in ["reset", "enable", "start"] {
        assert_eq!(controller.verb(verb), 0, "{verb}");
    }
    controller.wait_status("running again", |s| s["mode"] == "running");
}

#[test]
fn the_end_of_a_run_puts_the_arm_away_and_a_second_signal_changes_nothing() {
    let sim = Sim::start(71);
    let folder = tempfile::tempdir().unwrap();
    let cell = cell(&sim, folder.path(), "park");
    let mut controller = moving(&sim, &cell);
    assert!(send_signal(controller.runner_pid, Signal::INT));
    controller.events.wait_mode("parking");
    assert!(send_signal(controller.runner_pid, Signal::INT));
    let exit = controller.events.wait_exit(Duration::from_secs(30));
    assert_eq!(exit.code(), Some(1), "ended by the operator");
    assert!(torques(&sim).iter().all(|on| !on));
    assert!(away_from_pose(&sim) < 0.06, "{}", away_from_pose(&sim));
    assert!(
        !send_signal(controller.guard_pid, Signal::CONT),
        "the guard has ended"
    );
}

#[test]
fn estop_and_the_runners_death_stop_it_on_the_way_and_it_holds() {
    let sim = Sim::start(72);
    let folder = tempfile::tempdir().unwrap();
    let cell = cell(&sim, folder.path(), "park");
    for kill in [false, true] {
        let mut controller = moving(&sim, &cell);
        assert_eq!(controller.verb("park"), 0);
        controller.events.wait_mode("parking");
        std::thread::sleep(Duration::from_millis(600));
        if kill {
            assert!(send_signal(controller.runner_pid, Signal::KILL));
        } else {
            assert_eq!(controller.verb("estop"), 0);
        }
        let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
        let cause = status["cause"].as_str().unwrap();
        let expected = if kill {
            "runner died"
        } else {
            "operator asked"
        };
        assert!(cause.contains(expected), "{cause}");
        settle();
        assert!(torques(&sim).iter().all(|on| *on), "it holds");
        assert!(away_from_pose(&sim) > 0.1, "it stopped on the way");
        assert_eq!(controller.verb("shutdown"), 0);
        drop(controller);
    }
}

#[test]
fn a_park_pose_that_is_none_is_refused_with_its_key() {
    let sim = Sim::start(73);
    let folder = tempfile::tempdir().unwrap();
    let path = cell(&sim, folder.path(), "park");
    let good = std::fs::read_to_string(&path).unwrap();
    let cases = [
        (
            "shoulder_lift = -1.7",
            "shoulder_lift = -3.0",
            "outside the joint's limits",
        ),
        ("shoulder_lift = -1.7", "neck = 0.0", "no such joint"),
        ("at_exit = \"park\"", "at_exit = \"fall\"", "at_exit"),
    ];
    for (from, to, what) in cases {
        std::fs::write(&path, good.replace(from, to)).unwrap();
        let mut command = surehand();
        let output = output(command.arg("run").arg(&path).args(["--job", "left"]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains(what) || said.contains("unknown variant"),
            "{said}"
        );
        assert_eq!(said.trim().lines().count(), 1, "{said}");
    }
}
