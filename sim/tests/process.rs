//! The simulator as a process: a real pty, real time, HTTP.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::time::{Duration, Instant};

use common::{PING_1, PONG_1, READ_ALL, Sim};

const SOON: Duration = Duration::from_secs(5);

/// Tries until `done`, which a busy machine may delay.
fn eventually<T>(mut done: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < end, "not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_ready_line_says_where_everything_is() {
    let sim = Sim::start();
    let ready: serde_json::Value = serde_json::from_str(&sim.running.ready()).unwrap();
    assert_eq!(ready["event"], "ready");
    assert_eq!(ready["pty"], sim.link().to_str().unwrap());
    assert_eq!(ready["http"], sim.running.http().to_string());
    assert_eq!(ready["cameras"], serde_json::json!(["overhead", "wrist"]));
}

#[test]
fn six_servos_answer_over_the_pty() {
    let sim = Sim::start();
    let mut port = sim.port();
    assert_eq!(port.ping(), PONG_1);
    let reply = port.ask(&READ_ALL, 84, SOON);
    assert_eq!(reply.len(), 84);
    for (i, frame) in reply.chunks(14).enumerate() {
        assert_eq!(frame[..4], [0xFF, 0xFF, i as u8 + 1, 10]);
    }
}

#[test]
fn a_client_may_close_the_port_and_come_back() {
    let sim = Sim::start();
    for _ in 0..5 {
        // What the last client left is thrown away when it is seen to be gone: a request that is sent
        // in that very moment goes with it, as on an adapter that is being opened.
        eventually(|| (sim.port().ping() == PONG_1).then_some(()));
    }
}

#[test]
fn an_exclusive_client_locks_nobody_out_for_good() {
    let sim = Sim::start();
    let mut port = sim.port();
    rustix::termios::ioctl_tiocexcl(port.file()).unwrap();
    assert_eq!(port.ping(), PONG_1);
    drop(port);
    eventually(|| {
        let mut port = common::Port::open(&sim.link()).ok()?;
        (port.ping() == PONG_1).then_some(())
    });
}

#[test]
fn what_a_client_left_unread_does_not_meet_the_next_one() {
    let sim = Sim::start();
    let mut port = sim.port();
    port.ask(&READ_ALL, 0, Duration::ZERO);
    drop(port);
    std::thread::sleep(Duration::from_millis(100));
    // Never an answer to the client of before.
    eventually(|| {
        let answer = sim.port().ping();
        assert!(answer.is_empty() || answer == PONG_1, "{answer:?}");
        (answer == PONG_1).then_some(())
    });
}

#[test]
fn the_link_goes_when_the_simulator_ends() {
    let sim = Sim::start();
    let link = sim.link();
    assert!(link.exists());
    drop(sim.running);
    assert!(std::fs::symlink_metadata(&link).is_err());
}

#[test]
fn unplugging_hangs_up_and_replugging_serves_the_same_path() {
    let sim = Sim::start();
    let mut port = sim.port();
    assert_eq!(port.ping(), PONG_1);
    assert_eq!(sim.post("/faults", r#"{"fault": "unplug"}"#).status, 200);
    eventually(|| (!sim.link().exists()).then_some(()));
    use std::io::{Read, Write};
    assert!(port.file().write_all(&PING_1).is_err());
    assert!(matches!(port.file().read(&mut [0; 8]), Ok(0) | Err(_)));
    assert_eq!(sim.post("/faults", r#"{"fault": "replug"}"#).status, 200);
    eventually(|| {
        let mut port = common::Port::open(&sim.link()).ok()?;
        (port.ping() == PONG_1).then_some(())
    });
}

#[test]
fn the_state_is_as_the_contract_says() {
    let sim = Sim::start();
    sim.port().ping();
    let state = sim.get("/state").json();
    for key in ["name", "id", "position", "velocity", "goal"] {
        assert!(!state["joints"][5][key].is_null(), "{key}");
    }
    for key in ["torque_enabled", "temperature", "voltage"] {
        assert!(!state["joints"][0][key].is_null(), "{key}");
    }
    assert_eq!(state["joints"][5]["name"], "gripper");
    assert_eq!(state["tool"]["position"].as_array().unwrap().len(), 3);
    assert_eq!(state["tool"]["quaternion"].as_array().unwrap().len(), 4);
    assert_eq!(state["objects"][0]["name"], "cube");
    assert_eq!(state["objects"][0]["position"].as_array().unwrap().len(), 3);
    assert_eq!(state["wire"]["requests"], 1);
    assert_eq!(state["wire"]["replies"], 1);
    assert_eq!(state["wire"]["bad_frames"], 0);
    assert_eq!(state["success"], false);
    assert!(state["t_ns"].as_u64() > Some(0) && state["t"].is_f64());
}

#[test]
fn the_wire_log_shows_both_sides_in_time() {
    let sim = Sim::start();
    let mut port = sim.port();
    port.ping();
    let wire = sim.get("/wire?since_ns=0").json();
    assert_eq!(wire[0]["dir"], "host");
    assert_eq!(wire[0]["hex"], "ffff010201fb");
    assert_eq!(wire[1]["dir"], "servo");
    assert_eq!(wire[1]["hex"], "ffff010200fc");
    let first = wire[1]["t_ns"].as_u64().unwrap();
    assert!(first > wire[0]["t_ns"].as_u64().unwrap());
    port.ping();
    let later = sim.get(&format!("/wire?since_ns={first}")).json();
    assert_eq!(later.as_array().unwrap().len(), 2);
    assert_eq!(sim.get("/wire?when=0").status, 400);
}

#[test]
fn simulated_time_keeps_up_with_the_clock() {
    let sim = Sim::start();
    let at = |sim: &Sim| sim.get("/state").json()["t"].as_f64().unwrap();
    let (clock, before) = (Instant::now(), at(&sim));
    std::thread::sleep(Duration::from_secs(1));
    let passed = at(&sim) - before;
    assert!(
        (passed - clock.elapsed().as_secs_f64()).abs() < 0.25,
        "{passed}"
    );
}

#[test]
fn an_episode_places_the_cube_by_its_seed() {
    let sim = Sim::start();
    let place = |seed: u64| {
        let reply = sim.post("/episode", &format!(r#"{{"seed": {seed}}}"#));
        reply.json()["objects"][0]["position"].clone()
    };
    let first = place(11);
    assert_ne!(first, place(12));
    assert_eq!(first, place(11));
    let state = sim.get("/state").json();
    assert_eq!(state["episode_seed"], 11);
    let x = |v: &serde_json::Value| v[0].as_f64().unwrap();
    assert!((x(&state["objects"][0]["position"]) - x(&first)).abs() < 0.002);
    assert_eq!(sim.post("/episode", "7").status, 400);
}

#[test]
fn a_bad_fault_is_refused_with_one_line() {
    let sim = Sim::start();
    let reply = sim.post("/faults", r#"{"fault": "silence", "id": 44}"#);
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.json()["error"],
        "no servo has id 44; there are [1, 2, 3, 4, 5, 6]"
    );
}

#[test]
fn a_fault_lasts_until_faults_are_cleared() {
    let sim = Sim::start();
    let mut port = sim.port();
    sim.post("/faults", r#"{"fault": "silence", "id": 1}"#);
    assert!(port.ask(&PING_1, 6, Duration::from_millis(50)).is_empty());
    assert_eq!(sim.request("DELETE", "/faults", "").status, 200);
    assert_eq!(port.ping(), PONG_1);
}

#[test]
fn an_address_in_use_is_one_line_and_leaves_no_link() {
    let sim = Sim::start();
    let link = sim.dir.path().join("second");
    let error = surehand_sim::process::Running::start(&surehand_sim::process::SimOptions {
        pty: Some(link.clone()),
        http: sim.running.http(),
        ..Default::default()
    })
    .err()
    .unwrap();
    assert!(error.to_string().contains("give --http another address"));
    assert!(std::fs::symlink_metadata(&link).is_err());
}

/// The simulator in a process of its own.
fn spawn(sim: &std::path::Path, link: &std::path::Path) -> std::process::Child {
    let mut child = std::process::Command::new(sim)
        .arg(link)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = child.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    assert!(
        line.starts_with('{') && line.contains(r#""event":"ready""#),
        "{line}"
    );
    child
}

#[test]
fn sigterm_and_sigint_end_it_cleanly() {
    let tests = std::env::current_exe().unwrap();
    let sim = tests.ancestors().nth(2).unwrap().join("examples/sim");
    assert!(
        sim.exists(),
        "{} is missing: cargo build -p surehand-sim --example sim",
        sim.display()
    );
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("arm");
        let mut child = spawn(&sim, &link);
        assert_eq!(common::Port::open(&link).unwrap().ping(), PONG_1);
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, signal).unwrap();
        let status = eventually(|| child.try_wait().unwrap());
        assert!(status.success(), "{status}");
        assert!(std::fs::symlink_metadata(&link).is_err());
    }
}
