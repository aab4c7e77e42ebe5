//! The demo as its user sees it: it starts by itself, and Ctrl-C ends all of it in order.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::Command;
use std::sync::MutexGuard;
use std::time::Duration;

use common::{Controller, Events, send_signal, surehand};
use rustix::process::Signal;

/// A demo under way, alone on the machine.
struct Demo {
    controller: Controller,
    ready: serde_json::Value,
    _turn: MutexGuard<'static, ()>,
}

fn demo(args: &[&str]) -> Demo {
    let turn = common::turn();
    let socket = std::env::temp_dir().join(format!(
        "surehand-demo-{}-{}.sock",
        std::process::id(),
        args.len()
    ));
    let mut command: Command = surehand();
    command
        .args(["demo", "--headless", "--json", "--socket"])
        .arg(&socket)
        .args(args);
    let controller = Controller::ready(Events::start(&mut command));
    let ready = controller.events.seen.last().cloned().unwrap();
    Demo {
        controller,
        ready,
        _turn: turn,
    }
}

#[test]
fn ctrl_c_ends_the_demo_in_order_and_leaves_nothing_behind() {
    let mut demo = demo(&["--episodes", "3"]);
    let (controller, ready) = (&mut demo.controller, &demo.ready);
    controller.events.wait_mode("running");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(send_signal(controller.runner_pid, Signal::INT));
    let exit = controller.events.wait_exit(Duration::from_secs(20));
    assert_eq!(exit.code(), Some(1), "stopped by the operator");
    let done = controller.events.seen.last().unwrap();
    assert_eq!(done["event"], "done");
    for key in ["guard_pid", "sim_pid"] {
        let pid = u32::try_from(ready[key].as_u64().unwrap()).unwrap();
        assert!(!send_signal(pid, Signal::CONT), "{key} still runs");
    }
    assert!(!controller.socket.exists(), "the socket is gone");
    let pty = ready["pty"].as_str().unwrap();
    assert!(!std::path::Path::new(pty).exists(), "the pty is gone");
}

#[test]
fn the_job_is_done_with_dynamixel_servos_as_well() {
    let cell = common::root().join("cells/sim-dynamixel.toml");
    let runs = tempfile::tempdir().unwrap();
    let folder = ["--runs", runs.path().to_str().unwrap()];
    let cell = ["--cell", cell.to_str().unwrap()];
    let episodes = ["--episodes", "2"];
    let mut demo = demo(&[cell, episodes, folder].concat());
    let controller = &mut demo.controller;
    let done = (controller.events).wait("done", |event| event["event"] == "done");
    assert_eq!(done["episodes"], 2, "{:?}", controller.events.seen);
    assert_eq!(done["succeeded"], 2, "{:?}", controller.events.seen);
    let exit = controller.events.wait_exit(Duration::from_secs(20));
    assert_eq!(exit.code(), Some(0), "{done}");
}
