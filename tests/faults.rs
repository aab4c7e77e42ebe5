//! Broken cameras, servos and policies: each ends in a hold with the right cause.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Controller, Sim};
use serde_json::{Value, json};

/// A controller that runs the standing policy at its start pose.
fn working(sim: &Sim, folder: &std::path::Path) -> Controller {
    let cell = sim.cell("calm.toml", folder);
    let mut controller = Controller::run(&cell, &["--job", "left"]);
    controller.events.wait_mode("running");
    std::thread::sleep(Duration::from_millis(500));
    controller
}

/// A cell that a fault has stopped.
struct Stopped {
    controller: Controller,
    sim: Sim,
    /// The status after the stop.
    status: Value,
    /// Holds the controller's socket.
    _folder: tempfile::TempDir,
}

/// Injects `fault` while the arm runs.
fn stopped_by(fault: &Value, seed: u64) -> Stopped {
    let sim = Sim::start(seed);
    let folder = tempfile::tempdir().unwrap();
    let controller = working(&sim, folder.path());
    sim.fault(fault);
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    Stopped {
        controller,
        sim,
        status,
        _folder: folder,
    }
}

fn cause(status: &Value) -> &str {
    status["cause"].as_str().unwrap_or_default()
}

fn holds(sim: &Sim) {
    std::thread::sleep(Duration::from_millis(300));
    let before = sim.positions();
    std::thread::sleep(Duration::from_millis(300));
    let after = sim.positions();
    for (a, b) in before.iter().zip(&after) {
        assert!((a - b).abs() < 0.01, "{before:?} {after:?}");
    }
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    assert!(joints.iter().all(|joint| joint["torque_enabled"] == true));
}

#[test]
fn nan_from_the_policy_stops_the_arm_and_never_reaches_the_wire() {
    let sim = Sim::start(11);
    let folder = tempfile::tempdir().unwrap();
    let cell = sim.cell("calm.toml", folder.path());
    let controller = Controller::run(&cell, &["--job", "nan"]);
    let status = controller.wait_status("stopped by it", |s| {
        s["mode"] == "stopped" && cause(s).contains("NaN")
    });
    assert!(status["remedy"].as_str().unwrap().contains("policy"));
    holds(&sim);
}

#[test]
fn a_frozen_camera_stops_the_arm() {
    let fault = json!({"fault": "camera_freeze", "camera": "wrist", "for_ms": 3000});
    let stopped = stopped_by(&fault, 12);
    assert!(
        cause(&stopped.status).contains("camera wrist repeats"),
        "{}",
        stopped.status
    );
    holds(&stopped.sim);
}

#[test]
fn a_black_camera_stops_the_arm() {
    let fault = json!({"fault": "camera_black", "camera": "overhead", "for_ms": 3000});
    let stopped = stopped_by(&fault, 13);
    assert!(
        cause(&stopped.status).contains("camera overhead"),
        "{}",
        stopped.status
    );
    holds(&stopped.sim);
}

#[test]
fn a_silent_servo_stops_the_others() {
    let fault = json!({"fault": "silence", "id": 3, "for_ms": 1500});
    let stopped = stopped_by(&fault, 14);
    assert!(
        cause(&stopped.status).contains("elbow_flex did not answer"),
        "{}",
        stopped.status
    );
    assert_eq!(
        stopped.controller.verb("reset"),
        2,
        "the cause is still present"
    );
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(stopped.controller.verb("reset"), 0);
    holds(&stopped.sim);
}

#[test]
fn an_overloaded_servo_stops_the_arm() {
    let stopped = stopped_by(&json!({"fault": "overload", "id": 2}), 15);
    assert!(
        cause(&stopped.status).contains("shoulder_lift reports overload"),
        "{}",
        stopped.status
    );
}

#[test]
fn a_servo_that_restarts_stops_the_arm_and_is_fenced_in_again() {
    let stopped = stopped_by(&json!({"fault": "brownout", "id": 3}), 19);
    let text = cause(&stopped.status);
    assert!(
        text.contains("elbow_flex has restarted") || text.contains("elbow_flex did not answer"),
        "{text}"
    );
    std::thread::sleep(Duration::from_millis(1000));
    // Its limits are back without anybody having asked, so the cause is gone.
    assert_eq!(stopped.controller.verb("reset"), 0);
    holds(&stopped.sim);
}

#[test]
fn an_unplugged_port_is_a_stop_and_replugging_moves_nothing_until_the_operator_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::named(16, &folder.path().join("arm"));
    let controller = working(&sim, folder.path());
    sim.fault(&json!({"fault": "unplug"}));
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    assert!(cause(&status).contains("serial port"), "{status}");
    assert_ne!(controller.verb("reset"), 0, "it is still away");
    sim.wait_still();
    let stands = sim.positions();
    sim.fault(&json!({"fault": "replug"}));
    let status = controller.wait_status("taken up", |s| cause(s).contains("is there again"));
    assert_eq!(status["mode"], "stopped");
    assert_eq!(status["latched"], true);
    holds(&sim);
    for (before, now) in stands.iter().zip(sim.positions()) {
        assert!((before - now).abs() < 0.01, "{before} {now}");
    }
    assert_eq!(controller.verb("reset"), 0);
    assert_eq!(controller.verb("start"), 0);
    controller.wait_status("running", |s| s["mode"] == "running");

    // One that is unplugged while the arm stands stopped for something else is taken up as well.
    assert_eq!(controller.verb("estop"), 0);
    controller.wait_status("stopped", |s| s["mode"] == "stopped");
    sim.fault(&json!({"fault": "unplug"}));
    std::thread::sleep(Duration::from_millis(300));
    assert_ne!(controller.verb("reset"), 0, "there is no port");
    sim.fault(&json!({"fault": "replug"}));
    controller.wait_status("taken up", |s| cause(s).contains("is there again"));
    assert_eq!(controller.verb("reset"), 0);
}

#[test]
fn dropped_and_damaged_replies_are_counted_and_survived() {
    let sim = Sim::start(17);
    let folder = tempfile::tempdir().unwrap();
    let controller = working(&sim, folder.path());
    sim.fault(&json!({"fault": "drop", "rate": 0.02}));
    sim.fault(&json!({"fault": "corrupt", "rate": 0.02}));
    std::thread::sleep(Duration::from_secs(2));
    sim.clear_faults();
    let status = controller.status();
    let errors = &status["bus"]["errors"];
    assert!(errors["timeouts"].as_u64().unwrap() > 0, "{errors}");
    assert!(errors["checksum"].as_u64().unwrap() > 0, "{errors}");
    // Three in a row from one servo may happen by chance and is then a stop with that cause.
    assert!(
        status["mode"] == "running" || cause(&status).contains("did not answer"),
        "{status}"
    );
}

#[test]
fn a_late_reply_never_leaves_the_loop_a_cycle_behind() {
    let sim = Sim::start(18);
    let folder = tempfile::tempdir().unwrap();
    let controller = working(&sim, folder.path());
    sim.fault(&json!({"fault": "delay_reply", "id": 4, "ms": 80, "count": 1}));
    std::thread::sleep(Duration::from_millis(500));
    sim.wait_still();
    let truth = sim.state();
    let status = controller.status();
    for (joint, truth) in status["joints"]
        .as_array()
        .unwrap()
        .iter()
        .zip(truth["joints"].as_array().unwrap())
    {
        assert_eq!(joint["name"], truth["name"]);
        let (seen, is) = (
            joint["position"].as_f64().unwrap(),
            truth["position"].as_f64().unwrap(),
        );
        assert!((seen - is).abs() < 0.01, "{joint} {truth}");
    }
}
