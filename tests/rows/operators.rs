//! Operators, modes and control: rows 43 to 52, but for what is only struck and measured.

use std::time::Duration;

use surehand::messages::{FromGuard, Refusal, Request, name};

use crate::common::log::wait;
use crate::common::motion::moving;
use crate::common::operator::Operator;
use crate::common::{Sim, now_ns, output, send_signal, surehand};
use crate::processes::assert_no_jump;
use rustix::process::Signal;

#[test]
fn a_moving_arm_is_neither_released_nor_enabled_anew() {
    let sim = Sim::start(70);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 1);
    let since = now_ns();
    let operator = Operator::connect(&controller.socket);
    for request in [
        Request::Release,
        Request::Enable,
        Request::Reset,
        Request::Start,
    ] {
        operator.send(request);
        let refused = FromGuard::Refused(Refusal::WrongMode);
        assert_eq!(operator.answer(), Some(refused), "{request:?}");
    }
    assert_eq!(controller.status()["mode"], "running");
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    assert!(joints.iter().all(|joint| joint["torque_enabled"] == true));
    assert_no_jump(&sim.goals(since));
}

#[test]
fn a_limit_edited_while_running_changes_nothing() {
    let sim = Sim::start(71);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 2);
    let cell = folder.path().join("quick.toml");
    let text = std::fs::read_to_string(&cell).unwrap();
    let before = controller.status();
    std::fs::write(&cell, text.replace("velocity = 3.0", "velocity = 0.1")).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let after = controller.status();
    let joints = |status: &serde_json::Value| status["joints"].as_array().unwrap().clone();
    for (before, after) in joints(&before).iter().zip(joints(&after)) {
        for key in ["lower", "upper", "stopping_distance"] {
            assert_eq!(before[key], after[key]);
        }
    }
    assert_eq!(after["mode"], "running");
    // Somebody else starts the same cell, and is refused.
    let second = output(
        surehand()
            .args(["run", "--job", "left", "--socket"])
            .arg(&controller.socket)
            .arg(&cell),
    );
    assert_eq!(second.status.code(), Some(3), "{second:?}");
    // Nor does it with the guard that takes over, and the edit is told.
    assert!(send_signal(controller.guard_pid, Signal::KILL));
    let replaced = controller.wait_status("replaced", |status| {
        status["guard_pid"] != controller.guard_pid && status["mode"] == "stopped"
    });
    for (before, after) in joints(&before).iter().zip(joints(&replaced)) {
        assert_eq!(before["stopping_distance"], after["stopping_distance"]);
    }
    std::thread::sleep(Duration::from_millis(1500));
    let said = controller.events.said();
    assert!(
        said.contains("quick.toml was edited while the arm runs"),
        "{said}"
    );
    let edited = wait(&folder.path().join("runs"), "of the edit", |line| {
        line["event"] == "edited"
    });
    assert!(edited["file"].as_str().unwrap().ends_with("quick.toml"));
    assert_ne!(edited["sha256"], edited["begun_with"]);
}

#[test]
fn the_second_who_commands_is_told_who_holds_control() {
    let sim = Sim::start(72);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 3);
    let ana = Operator::named(&controller.socket, "ana");
    let ben = Operator::named(&controller.socket, "ben");
    // Verbs of an operator work on a running job.
    ana.send(Request::Pause);
    assert_eq!(ana.answer(), Some(FromGuard::Done(Request::Pause)));
    ben.send(Request::Start);
    assert_eq!(ben.answer(), Some(FromGuard::Held(name("ana"))));
    // So is one who types a command, in one line with the name.
    let typed = output(
        surehand()
            .args(["start", "--socket"])
            .arg(&controller.socket),
    );
    assert_eq!(typed.status.code(), Some(2));
    let said = String::from_utf8_lossy(&typed.stderr);
    assert!(said.contains("ana holds control"), "{said}");
    assert_eq!(controller.status()["mode"], "holding");
    ana.send(Request::Start);
    assert_eq!(ana.answer(), Some(FromGuard::Done(Request::Start)));
    // A stop is everybody's.
    ben.send(Request::Stop);
    assert_eq!(ben.answer(), Some(FromGuard::Done(Request::Stop)));
    controller.wait_status("stopped", |s| s["mode"] == "stopped");
    // Control ends by itself.
    std::thread::sleep(Duration::from_millis(3100));
    ben.send(Request::Reset);
    assert_eq!(ben.answer(), Some(FromGuard::Done(Request::Reset)));
}

#[test]
fn idle_connections_never_keep_a_stop_out() {
    let sim = Sim::start(73);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 4);
    let crowd: Vec<Operator> = (0..20)
        .map(|_| Operator::silent(&controller.socket))
        .collect();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(controller.verb("estop"), 0);
    controller.wait_status("stopped", |s| s["mode"] == "stopped");
    drop(crowd);
}
