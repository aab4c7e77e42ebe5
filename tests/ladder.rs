//! What comes after a stop that does not suffice, and how a stop is confirmed, on the simulated
//! bus in whole processes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::motion::{moving, settle};
use common::{Controller, Sim};
use serde_json::{Value, json};

fn stopped(controller: &Controller) -> Value {
    controller.wait_status("stopped", |s| s["mode"] == "stopped")
}

fn alarms(status: &Value) -> String {
    let alarms = status["alarms"].as_array().unwrap();
    let lines = alarms.iter().filter_map(Value::as_str);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_stop_is_confirmed_by_every_servo_and_one_that_is_silent_is_named() {
    let sim = Sim::start(80);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 1);
    assert_eq!(controller.verb("estop"), 0);
    stopped(&controller);
    let confirmed = |s: &Value| s["stop"]["not_confirmed"] == json!([]);
    controller.wait_status("confirmed", confirmed);
    sim.fault(&json!({"fault": "silence", "id": 5}));
    let named = |s: &Value| s["stop"]["not_confirmed"] == json!(["wrist_roll"]);
    let status = controller.wait_status("named", named);
    assert!(alarms(&status).contains("not confirmed by wrist_roll"));
    sim.clear_faults();
    controller.wait_status("confirmed again", confirmed);
}

#[test]
fn a_blocked_joint_is_pushed_no_more_and_has_its_torque_lowered_until_a_reset() {
    let sim = Sim::start(81);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 2);
    sim.fault(&json!({"fault": "stall", "id": 1}));
    let status = stopped(&controller);
    let cause = status["cause"].as_str().unwrap();
    assert!(cause.contains("shoulder_pan"), "{cause}");
    settle();
    let joint = |sim: &Sim| sim.state()["joints"][0].clone();
    let pan = joint(&sim);
    let push = pan["goal"].as_f64().unwrap() - pan["position"].as_f64().unwrap();
    assert!(push.abs() < 0.01, "it still pushes: {pan}");
    // Its torque limit (register 48) was written, and only to a half.
    let limits = torque_limits(&sim, 1);
    assert_eq!(limits.last(), Some(&500), "{limits:?}");
    sim.clear_faults();
    assert_eq!(controller.verb("reset"), 0);
    settle();
    let limits = torque_limits(&sim, 1);
    assert_eq!(limits.last(), Some(&1000), "{limits:?}");
}

/// What servo `id` was told of its torque limit in the last seconds, register 48.
fn torque_limits(sim: &Sim, id: u8) -> Vec<u16> {
    let wire = common::get(&sim.http, "/wire?since_ns=0");
    let mut limits = Vec::new();
    for frame in wire.as_array().unwrap() {
        let hex = frame["hex"].as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap())
            .collect();
        // A sync write of two bytes from address 48: id, low, high for each servo.
        if frame["dir"] == "host" && bytes.len() > 8 && bytes[4..7] == [0x83, 48, 2] {
            let entries = bytes[7..bytes.len() - 1].chunks_exact(3);
            let own = entries.filter(|entry| entry[0] == id);
            limits.extend(own.map(|entry| u16::from_le_bytes([entry[1], entry[2]])));
        }
    }
    limits
}

#[test]
fn a_joint_that_drives_on_costs_the_arm_its_torque() {
    let sim = Sim::start(82);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 3);
    sim.fault(&json!({"fault": "runaway", "id": 5}));
    let status = controller.wait_status("let go", |s| s["stop"]["rung"] == "let_go");
    assert_eq!(status["mode"], "stopped");
    assert_eq!(status["stop"]["drove_on"], json!(["wrist_roll"]));
    assert!(alarms(&status).contains("wrist_roll drove on after the stop"));
    std::thread::sleep(Duration::from_millis(300));
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    assert!(joints.iter().all(|joint| joint["torque_enabled"] == false));
}

#[test]
fn a_hot_servo_is_an_alarm_and_less_speed_before_it_is_a_stop() {
    let sim = Sim::start(83);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 4);
    sim.fault(&json!({"fault": "overheat", "id": 3, "celsius": 60.0}));
    let status = controller.wait_status("eased", |s| s["ease"].as_f64() < Some(0.7));
    assert!(
        alarms(&status).contains("of its speed"),
        "{}",
        alarms(&status)
    );
    assert_ne!(status["mode"], "stopped");
    sim.fault(&json!({"fault": "overheat", "id": 3, "celsius": 68.0}));
    let status = stopped(&controller);
    assert!(status["cause"].as_str().unwrap().contains("elbow_flex"));
}
