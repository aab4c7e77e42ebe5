//! Faults struck while the arm moves at full speed, each measured on the wire from the injection
//! to the first goal that slows down.
//!
//! Every row is run once, at one phase, with room for a busy machine. The table of reactions at
//! many phases is printed by `cargo test --test fault_rows -- --ignored --nocapture`;
//! SUREHAND_TRIALS says how many (20 when left out).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::motion::{STOPPING, assert_stands_held_and_latched, first_slower_ms, moving, settle};
use common::{Sim, now_ns, send_signal};
use rustix::process::Signal;
use serde_json::{Value, json};

/// What the arm is struck with.
enum Blow {
    /// A fault of bus or servos.
    Fault(Value),
    /// A signal to the runner.
    Runner(Signal),
}

/// One kind of fault, and what must come of it.
struct Row {
    name: &'static str,
    blow: Blow,
    /// Part of the cause that is told.
    cause: &'static str,
    /// Milliseconds to the first goal that slows down, on a machine that holds nobody up.
    bound: f64,
}

fn rows() -> Vec<Row> {
    let row = |name, blow, cause, bound| Row {
        name,
        blow,
        cause,
        bound,
    };
    let fault = Blow::Fault;
    vec![
        row(
            "runner killed",
            Blow::Runner(Signal::KILL),
            "runner died",
            15.0,
        ),
        row(
            "runner aborts",
            Blow::Runner(Signal::ABORT),
            "runner died",
            15.0,
        ),
        row("runner frozen", Blow::Runner(Signal::STOP), "silent", 45.0),
        row(
            "servo silent",
            fault(json!({"fault": "silence", "id": 2})),
            "shoulder_lift did not answer",
            40.0,
        ),
        row(
            "two servos with one id",
            fault(json!({"fault": "duplicate_id", "id": 2, "as": 3})),
            "did not answer",
            40.0,
        ),
        row(
            "overload latched",
            fault(json!({"fault": "overload", "id": 4})),
            "wrist_flex reports overload",
            20.0,
        ),
        row(
            "over-temperature",
            fault(json!({"fault": "overheat", "id": 3, "celsius": 78.0})),
            "elbow_flex",
            40.0,
        ),
        row(
            "under-voltage",
            fault(json!({"fault": "voltage", "volts": 5.0})),
            "5.0 V",
            40.0,
        ),
        row(
            "encoder jumps",
            fault(json!({"fault": "encoder_jump", "id": 2, "counts": 800})),
            "shoulder_lift",
            15.0,
        ),
    ]
}

/// Strikes at phase `index`; milliseconds to the first goal that slows down.
fn react(row: &Row, index: u64, strict: bool) -> f64 {
    let sim = Sim::start(100 + index);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), index, strict);
    let since = now_ns() - 200_000_000;
    let struck = now_ns();
    match &row.blow {
        Blow::Fault(fault) => sim.fault(fault),
        Blow::Runner(signal) => assert!(send_signal(controller.runner_pid, *signal)),
    }
    settle();
    let reaction = first_slower_ms(&sim.goals(since), struck);
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    let cause = status["cause"].as_str().unwrap_or_default();
    assert!(cause.contains(row.cause), "{}: {cause}", row.name);
    match &row.blow {
        Blow::Runner(_) => assert_stands_held_and_latched(&sim, &status, row.cause),
        Blow::Fault(_) => {
            assert_eq!(status["latched"], true);
            assert!(status["remedy"].as_str().is_some_and(|r| !r.is_empty()));
        }
    }
    reaction
}

#[test]
fn every_fault_in_motion_slows_the_arm_down_and_is_named() {
    for (index, row) in (0..).zip(rows()) {
        let reaction = react(&row, index, false);
        // The cell of the tests lets bus and loop be held up for 150 ms.
        assert!(reaction < row.bound + 200.0, "{}: {reaction} ms", row.name);
    }
}

#[test]
fn guard_and_runner_killed_together_leave_an_arm_that_stops_by_itself() {
    let sim = Sim::start(60);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 3, false);
    let before = sim.positions();
    assert!(send_signal(controller.runner_pid, Signal::KILL));
    assert!(send_signal(controller.guard_pid, Signal::KILL));
    settle();
    let after = sim.positions();
    // What it covered before the signals arrived, and the stopping distance.
    let travel = (after[0] - before[0]).abs();
    assert!(travel < STOPPING + 0.05, "it travelled {travel} rad");
    settle();
    assert!((sim.positions()[0] - after[0]).abs() < 0.01);
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    assert!(joints.iter().all(|joint| joint["torque_enabled"] == true));
}

#[test]
fn a_flood_of_noise_gives_right_values_or_a_stop() {
    let sim = Sim::start(61);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 4, false);
    sim.fault(&json!({"fault": "noise", "rate": 0.5}));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    sim.clear_faults();
    sim.wait_still();
    let status = controller.status();
    assert!(status["bus"]["errors"]["stray_bytes"].as_u64().unwrap() > 0);
    let truth = sim.positions();
    for (joint, truth) in status["joints"].as_array().unwrap().iter().zip(truth) {
        let seen = joint["position"].as_f64().unwrap();
        assert!((seen - truth).abs() < 0.02, "{joint} is at {truth}");
    }
}

#[test]
fn a_second_controller_is_told_that_the_port_is_taken() {
    let sim = Sim::start(62);
    let folder = tempfile::tempdir().unwrap();
    let first = moving(&sim, folder.path(), 5, false);
    let cell = sim.cell("calm.toml", folder.path());
    let second = common::surehand()
        .args(["run", "--json", "--job", "left", "--socket"])
        .arg(folder.path().join("second.sock"))
        .arg(&cell)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use") || said.contains("busy"), "{said}");
    assert_ne!(first.status()["mode"], "stopped", "the first goes on");
}

#[test]
#[ignore = "takes minutes: prints the table of reactions"]
fn table() {
    let trials = std::env::var("SUREHAND_TRIALS").ok();
    let trials: u64 = trials.and_then(|text| text.parse().ok()).unwrap_or(20);
    println!("| fault in motion | bound, ms | p50 | p99 | max | of |");
    println!("|---|---|---|---|---|---|");
    for row in rows() {
        let mut all: Vec<f64> = (0..trials).map(|index| react(&row, index, true)).collect();
        all.sort_by(f64::total_cmp);
        let at = |share: f64| all[((all.len() - 1) as f64 * share).round() as usize];
        println!(
            "| {} | {} | {:.1} | {:.1} | {:.1} | {} |",
            row.name,
            row.bound,
            at(0.5),
            at(0.99),
            at(1.0),
            all.len()
        );
    }
}
