//! What happens on the wire when somebody dies, freezes or asks for a stop, in whole processes
//! at many phases of a move. Bounds are generous where the machine may stall everyone; the
//! median is held to the bound of the design.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::braking::then_standing;
use common::motion::{
    COUNT, STOPPING, assert_stands_held_and_latched, first_slower_ms, moving, settle,
};
use common::{Sim, now_ns, send_signal};
use rustix::process::Signal;
use serde_json::Value;

fn summary(what: &str, mut ms: Vec<f64>) -> f64 {
    ms.sort_by(f64::total_cmp);
    let median = ms[ms.len() / 2];
    println!(
        "{what}: p50 {median:.1} ms, max {:.1} ms of {}",
        ms[ms.len() - 1],
        ms.len()
    );
    median
}

#[test]
fn a_killed_runner_stops_the_arm() {
    let sim = Sim::start(1);
    let folder = tempfile::tempdir().unwrap();
    let mut reactions = Vec::new();
    for index in 0..10 {
        let controller = moving(&sim, folder.path(), index);
        let since = now_ns() - 400_000_000;
        let killed = now_ns();
        assert!(send_signal(controller.runner_pid, Signal::KILL));
        settle();
        reactions.push(first_slower_ms(&sim.goals(since), killed));
        let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
        assert_stands_held_and_latched(&sim, &status, "runner died");
        assert_eq!(controller.verb("shutdown"), 0);
    }
    assert!(reactions.iter().all(|ms| *ms < 100.0), "{reactions:?}");
    assert!(summary("runner killed", reactions) < 15.0);
}

#[test]
fn a_frozen_runner_stops_the_arm_and_moves_nothing_when_it_wakes() {
    let sim = Sim::start(2);
    let folder = tempfile::tempdir().unwrap();
    let mut reactions = Vec::new();
    for index in 0..6 {
        let controller = moving(&sim, folder.path(), index);
        let since = now_ns() - 400_000_000;
        let frozen = now_ns();
        assert!(send_signal(controller.runner_pid, Signal::STOP));
        settle();
        reactions.push(first_slower_ms(&sim.goals(since), frozen));
        let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
        assert_stands_held_and_latched(&sim, &status, "silent");
        let standing = sim.goals(now_ns() - 50_000_000).pop().unwrap();
        assert!(send_signal(controller.runner_pid, Signal::CONT));
        settle();
        let later = sim.goals(now_ns() - 50_000_000).pop().unwrap();
        assert_eq!(standing.counts, later.counts, "it moved after waking");
        assert_eq!(controller.verb("shutdown"), 0);
    }
    assert!(reactions.iter().all(|ms| *ms < 150.0), "{reactions:?}");
    assert!(summary("runner frozen", reactions) < 45.0);
}

#[test]
fn a_killed_guard_leaves_a_safe_goal_and_is_replaced_latched() {
    let sim = Sim::start(3);
    let folder = tempfile::tempdir().unwrap();
    let mut gaps = Vec::new();
    for index in 0..6 {
        let mut controller = moving(&sim, folder.path(), index);
        let old = controller.guard_pid;
        let before = sim.positions();
        let killed = now_ns();
        assert!(send_signal(old, Signal::KILL));
        let replaced = controller
            .events
            .wait("a new guard", |e| e["event"] == "guard_replaced");
        let status = controller.wait_status("replaced", |s| {
            s["guard_pid"] == replaced["guard_pid"] && s["mode"] == "stopped"
        });
        settle();
        let goals = sim.goals(killed);
        let first = goals
            .iter()
            .find(|g| g.t_ns > killed + 10_000_000)
            .expect("the new guard writes goals");
        gaps.push((first.t_ns - killed) as f64 * 1e-6);
        assert_stands_held_and_latched(&sim, &status, "replaced");
        let travel = (sim.positions()[0] - before[0]).abs();
        // What it covered before the kill reached it, and the stopping distance after.
        assert!(travel < STOPPING + 0.05, "it travelled {travel} rad");
        drop(controller);
    }
    assert!(gaps.iter().all(|ms| *ms < 1500.0), "{gaps:?}");
    assert!(summary("guard killed, port held again", gaps) < 500.0);
}

#[test]
fn a_frozen_guard_is_killed_and_replaced() {
    let sim = Sim::start(4);
    let folder = tempfile::tempdir().unwrap();
    let mut controller = moving(&sim, folder.path(), 1);
    let old = controller.guard_pid;
    assert!(send_signal(old, Signal::STOP));
    let replaced = controller
        .events
        .wait("a new guard", |e| e["event"] == "guard_replaced");
    assert_ne!(replaced["guard_pid"], old);
    assert!(!send_signal(old, Signal::CONT), "the old guard is gone");
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    settle();
    assert_stands_held_and_latched(&sim, &status, "replaced");
}

#[test]
fn signals_and_estop_stop_the_arm_with_torque_on() {
    let sim = Sim::start(5);
    let folder = tempfile::tempdir().unwrap();
    for (index, signal) in [Signal::INT, Signal::TERM, Signal::HUP]
        .into_iter()
        .enumerate()
    {
        let mut controller = moving(&sim, folder.path(), index as u64);
        let since = now_ns() - 400_000_000;
        let told = now_ns();
        assert!(send_signal(controller.runner_pid, signal));
        let exit = controller.events.wait_exit(Duration::from_secs(30));
        assert_eq!(exit.code(), Some(1), "stopped by the operator");
        assert!(first_slower_ms(&then_standing(sim.goals(since)), told) < 150.0);
        assert!(
            !send_signal(controller.guard_pid, Signal::CONT),
            "the guard has ended"
        );
        let state = sim.state();
        let joints = state["joints"].as_array().unwrap();
        assert!(joints.iter().all(|joint| joint["torque_enabled"] == true));
    }
    let controller = moving(&sim, folder.path(), 5);
    let since = now_ns() - 400_000_000;
    let asked = now_ns();
    assert_eq!(controller.verb("estop"), 0);
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    settle();
    assert!(first_slower_ms(&sim.goals(since), asked) < 300.0);
    assert_stands_held_and_latched(&sim, &status, "operator");
    assert_eq!(controller.verb("start"), 2, "a latched arm does not start");
    assert_eq!(controller.verb("reset"), 0);
    let standing = sim.positions();
    settle();
    let after = sim.positions();
    assert!(
        (standing[0] - after[0]).abs() < 4.0 * COUNT,
        "reset moves nothing"
    );
    assert_eq!(controller.verb("start"), 0);
    controller.wait_status("running again", |s| s["mode"] == "running");
}

#[test]
fn shutdown_ends_a_running_controller_and_nothing_comes_back() {
    let sim = Sim::start(6);
    let folder = tempfile::tempdir().unwrap();
    let mut controller = moving(&sim, folder.path(), 2);
    assert_eq!(controller.verb("shutdown"), 0);
    let exit = controller.events.wait_exit(Duration::from_secs(30));
    assert_eq!(exit.code(), Some(1), "an operator ended it");
    let replaced = |event: &Value| event["event"] == "guard_replaced";
    assert!(!controller.events.seen.iter().any(replaced));
    assert!(!send_signal(controller.guard_pid, Signal::CONT));
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    assert!(joints.iter().all(|joint| joint["torque_enabled"] == true));
}
