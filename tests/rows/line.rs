//! Lines and servos that lie, fall silent or flood: rows 25 to 38 and 43, but for what is only
//! struck and measured.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::motion::{moving, settle};
use crate::common::{Frame, Sim, now_ns, output, send_signal, surehand};
use crate::processes::assert_no_jump;
use crate::strike::holds;

/// What the guard sees is what is.
fn assert_right_values(sim: &Sim, status: &Value) {
    let truth = sim.positions();
    for (joint, truth) in status["joints"].as_array().unwrap().iter().zip(truth) {
        let seen = joint["position"].as_f64().unwrap();
        assert!((seen - truth).abs() < 0.02, "{joint} is at {truth}");
    }
}

#[test]
fn a_flood_of_noise_gives_right_values_or_a_stop() {
    let sim = Sim::start(61);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 4);
    let since = now_ns();
    sim.fault(&json!({"fault": "noise", "rate": 0.5}));
    std::thread::sleep(Duration::from_millis(1500));
    sim.clear_faults();
    sim.wait_still();
    let status = controller.status();
    assert!(status["bus"]["errors"]["stray_bytes"].as_u64().unwrap() > 0);
    assert_right_values(&sim, &status);
    assert_no_jump(&sim.goals(since));
}

#[test]
fn dropped_replies_give_right_values_or_a_stop() {
    let sim = Sim::start(63);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 4);
    let since = now_ns();
    sim.fault(&json!({"fault": "drop", "rate": 0.2}));
    std::thread::sleep(Duration::from_millis(1500));
    sim.clear_faults();
    sim.wait_still();
    let status = controller.status();
    assert!(status["bus"]["errors"]["timeouts"].as_u64().unwrap() > 50);
    let cause = status["cause"].as_str().unwrap_or_default();
    assert!(
        status["mode"] == "running" || cause.contains("did not answer"),
        "{status}"
    );
    assert_right_values(&sim, &status);
    assert_no_jump(&sim.goals(since));
}

#[test]
fn a_second_controller_is_told_that_the_port_is_taken() {
    let sim = Sim::start(62);
    let folder = tempfile::tempdir().unwrap();
    let first = moving(&sim, folder.path(), 5);
    let (code, said) = refused(&sim, folder.path());
    assert_eq!(code, Some(3));
    assert!(said.contains("in use"), "{said}");
    assert_ne!(first.status()["mode"], "stopped", "the first goes on");
}

/// Runs a controller that should not come up; its exit code and what it said.
fn refused(sim: &Sim, folder: &std::path::Path) -> (Option<i32>, String) {
    let cell = sim.cell("calm.toml", folder);
    let output = output(
        surehand()
            .args([
                "run", "--json", "--job", "left", "--linger", "0", "--socket",
            ])
            .arg(folder.join("refused.sock"))
            .arg(&cell),
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn an_arm_that_does_not_answer_as_it_should_is_not_started() {
    let sim = Sim::start(64);
    let folder = tempfile::tempdir().unwrap();
    for (fault, word) in [
        (json!({"fault": "silence", "id": 3}), "elbow_flex"),
        (json!({"fault": "zeros", "id": 2}), "shoulder_lift"),
        (
            json!({"fault": "duplicate_id", "id": 2, "as": 3}),
            "shoulder_lift",
        ),
        (json!({"fault": "latency", "ms": 16}), "latency_timer"),
    ] {
        let since = now_ns();
        sim.fault(&fault);
        let (code, said) = refused(&sim, folder.path());
        sim.clear_faults();
        assert_eq!(code, Some(3), "{fault}: {said}");
        assert!(said.contains(word), "{fault}: {said}");
        assert_eq!(sim.goals(since), [], "no goal was written");
    }
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    assert!(joints.iter().all(|joint| joint["torque_enabled"] == false));
}

#[test]
fn an_echoing_adapter_makes_no_difference() {
    let sim = Sim::start(65);
    let folder = tempfile::tempdir().unwrap();
    sim.fault(&json!({"fault": "echo", "on": true}));
    let controller = moving(&sim, folder.path(), 6);
    let status = controller.status();
    assert_eq!(status["mode"], "running", "{status}");
    assert_eq!(controller.verb("pause"), 0);
    sim.wait_still();
    assert_right_values(&sim, &controller.status());
}

#[test]
fn a_line_that_takes_no_bytes_is_a_stop_and_comes_back_in_step() {
    let sim = Sim::start(66);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 7);
    // The far end stands still: after a while the port takes nothing more.
    assert!(send_signal(sim.pid(), Signal::STOP));
    std::thread::sleep(Duration::from_millis(2500));
    let status = controller.status();
    assert!(send_signal(sim.pid(), Signal::CONT));
    assert_eq!(status["mode"], "stopped");
    let cause = status["cause"].as_str().unwrap();
    // Its cameras stand still with it.
    let told = ["did not answer", "delivers no frames"];
    assert!(told.iter().any(|told| cause.contains(told)), "{cause}");
    settle();
    holds(&sim);
    controller.wait_status("reset", |_| controller.verb("reset") == 0);
    let bad = |sim: &Sim| sim.state()["wire"]["bad_frames"].as_u64().unwrap();
    let before = bad(&sim);
    assert_eq!(controller.verb("start"), 0);
    sim.wait_still();
    assert_eq!(bad(&sim), before, "the line is in step again");
    assert_right_values(&sim, &controller.status());
}

/// The requests of the host that write, as instruction, address and bytes.
fn writes(frames: &[Frame]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    let host = frames.iter().filter(|frame| frame.from_host);
    host.filter_map(|frame| {
        let (instruction, rest) = frame.bytes.get(4..)?.split_first()?;
        let (address, bytes) = rest.split_first()?;
        // Ping, read and sync read write nothing.
        (!matches!(instruction, 1 | 2 | 0x82)).then_some((*instruction, *address, bytes))
    })
}

#[test]
fn nothing_but_torque_goals_and_the_fence_is_ever_written() {
    let sim = Sim::start(67);
    let folder = tempfile::tempdir().unwrap();
    let since = now_ns();
    let controller = moving(&sim, folder.path(), 8);
    // A reboot is where a write of settings would be most tempting.
    sim.fault(&json!({"fault": "brownout", "id": 3}));
    controller.wait_status("stopped", |s| s["mode"] == "stopped");
    settle();
    controller.wait_status("reset", |_| controller.verb("reset") == 0);
    assert_eq!(controller.verb("release"), 0);
    settle();
    let frames = sim.wire(since);
    let mut seen = 0;
    for (instruction, address, bytes) in writes(&frames) {
        seen += 1;
        let frame = format!("{instruction:#x} to {address}: {bytes:02x?}");
        // Write or sync write of torque, acceleration, goal, speed or torque limit, all in RAM.
        assert!(matches!(instruction, 3 | 0x83), "{frame}");
        assert!(matches!(address, 40 | 41 | 42 | 46 | 48), "{frame}");
        if address == 40 {
            // One value, or a length and pairs of id and value; then the checksum.
            let values: Vec<u8> = match instruction {
                3 => vec![bytes[0]],
                _ => bytes[1..bytes.len() - 1]
                    .chunks(2)
                    .map(|entry| entry[1])
                    .collect(),
            };
            assert!(values.iter().all(|value| *value <= 1), "{frame}");
        }
    }
    assert!(seen > 100, "{seen} writes");
    assert!(
        !frames
            .iter()
            .any(|frame| frame.from_host && frame.bytes.get(4) == Some(&0x06))
    );
}
