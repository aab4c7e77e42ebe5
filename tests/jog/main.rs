//! A person's hand on the arm: `surehand jog` in a terminal, against the simulated arm.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod koch;
#[path = "../bringup/terminal.rs"]
mod terminal;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Sim, output, request, surehand};
use rustix::process::Signal;
use serde_json::{Value, json};
use terminal::Terminal;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two repeats of a held key.
const REPEAT: Duration = Duration::from_millis(30);

struct Bench {
    sim: Sim,
    _folder: tempfile::TempDir,
    cell: PathBuf,
    socket: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        let sim = Sim::start(5);
        let folder = tempfile::tempdir().unwrap();
        let cell = sim.cell_of_its_own("calm.toml", folder.path());
        Bench::of(sim, folder, cell)
    }

    fn of(sim: Sim, folder: tempfile::TempDir, cell: PathBuf) -> Bench {
        let socket = folder.path().join("jog.sock");
        Bench {
            sim,
            _folder: folder,
            cell,
            socket,
        }
    }

    fn folder(&self) -> &Path {
        self.cell.parent().unwrap()
    }

    fn args(&self) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (cell, socket) = (text(&self.cell), text(&self.socket));
        ["jog", &cell, "--socket", &socket]
            .map(str::to_owned)
            .into()
    }

    /// `surehand jog` with torque on.
    fn jog(&self) -> Terminal {
        let args = self.args();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut terminal = Terminal::run(&args);
        terminal.see("switches torque on");
        terminal.press("\r");
        terminal.see("torque is on");
        terminal
    }

    fn at(&self, joint: usize) -> f64 {
        self.sim.positions()[joint]
    }

    fn tool(&self) -> Vec<f64> {
        let state = self.sim.state();
        let position = state["tool"]["position"].as_array().unwrap().clone();
        position.iter().map(|it| it.as_f64().unwrap()).collect()
    }

    fn hands(&self, act: &Value) {
        request(&self.sim.http, "POST", "/hands", &act.to_string()).expect("hands can do that");
    }

    /// Holds `key` as a terminal repeats it, until `enough`.
    fn hold(&self, terminal: &mut Terminal, key: &str, enough: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough() {
            terminal.press(key);
            std::thread::sleep(REPEAT);
            assert!(Instant::now() < deadline, "{}", terminal.shown());
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A guard that a failed test has left behind.
        output(surehand().args(["shutdown", "--socket"]).arg(&self.socket));
    }
}

#[test]
fn a_joint_moves_while_its_key_is_held_and_stands_when_it_is_let_go() {
    let bench = Bench::new();
    let mut terminal = bench.jog();
    let before = bench.at(0);
    bench.hold(&mut terminal, "q", || bench.at(0) > before + 0.1);
    terminal.see("shoulder_pan stands");
    bench.sim.wait_still();
    let there = bench.at(0);
    bench.hold(&mut terminal, "a", || bench.at(0) < there - 0.05);
    terminal.see("shoulder_pan stands");
    terminal.ctrl_c();
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());

    // It is written down as any run is.
    let lines = common::log::lines(&bench.folder().join("runs"));
    common::log::assert_in_order(&lines);
    let (first, last) = (&lines[0], lines.last().unwrap());
    assert_eq!(
        (&first["event"], &first["job"]),
        (&json!("start"), &json!("jog"))
    );
    assert_eq!(
        (&last["event"], &last["how"]),
        (&json!("end"), &json!("told to end"))
    );
    let modes = lines.iter().filter(|line| line["event"] == "mode");
    assert!(
        modes.filter(|line| line["mode"] == "running").count() >= 2,
        "{lines:#?}"
    );
    // And counted in the arm's service book, to the joint that moved.
    let args = ["service", bench.cell.to_str().unwrap(), "--json"];
    let book: Value = serde_json::from_slice(&output(surehand().args(args)).stdout).unwrap();
    let counted = |joint: &str, key: &str| book["joints"][joint][key].as_f64().unwrap();
    assert!(counted("shoulder_pan", "travelled_rad") > 0.15, "{book:#}");
    assert!(counted("wrist_roll", "travelled_rad") < 0.05, "{book:#}");
    assert_eq!(book["joints"]["shoulder_pan"]["starts"], 1, "{book:#}");
}

#[test]
fn one_press_is_one_small_step() {
    let bench = Bench::new();
    let mut terminal = bench.jog();
    let before = bench.at(0);
    terminal.press("q");
    terminal.see("shoulder_pan stands");
    bench.sim.wait_still();
    let way = bench.at(0) - before;
    assert!((0.002..0.04).contains(&way), "{way}");
}

#[test]
fn the_tool_is_led_along_a_line_and_the_rest_of_it_stays() {
    let bench = Bench::new();
    // Where the tool has room on all sides.
    for (joint, to) in [
        ("shoulder_lift", -0.6),
        ("elbow_flex", 0.6),
        ("wrist_flex", 1.0),
    ] {
        bench.hands(&json!({"hands": "turn", "joint": joint, "to": to}));
    }
    bench.sim.wait_joint(1, |at, _| (at + 0.6).abs() < 0.02);
    bench.sim.wait_joint(2, |at, _| (at - 0.6).abs() < 0.02);
    let mut terminal = bench.jog();
    bench.hands(&json!({"hands": "let_go"}));
    terminal.press("\t");
    terminal.see("the keys move the tool");
    bench.sim.wait_still();
    let before = bench.tool();
    bench.hold(&mut terminal, "w", || bench.tool()[1] > before[1] + 0.02);
    terminal.see("y stands");
    bench.sim.wait_still();
    let after = bench.tool();
    for axis in [0, 2] {
        let off = (after[axis] - before[axis]).abs();
        assert!(off < 0.006, "{before:?} {after:?}");
    }
}

#[test]
fn space_stops_and_only_a_deliberate_act_leads_on() {
    let bench = Bench::new();
    let mut terminal = bench.jog();
    let before = bench.at(0);
    bench.hold(&mut terminal, "q", || bench.at(0) > before + 0.03);
    terminal.press(" ");
    terminal.see("stopped by an operator");
    bench.sim.wait_still();
    terminal.press("q");
    terminal.see("press Enter first");
    terminal.press("\r");
    terminal.see("torque is on");
    let before = bench.at(0);
    bench.hold(&mut terminal, "q", || bench.at(0) > before + 0.03);
}

#[test]
fn a_joint_is_led_to_its_limit_and_no_farther() {
    let bench = Bench::new();
    let mut terminal = bench.jog();
    for _ in 0..2 {
        terminal.press("+");
    }
    // The gripper opens.
    bench.hold(&mut terminal, "y", || bench.at(5) > 1.74533 - 0.03);
    terminal.see("gripper is at its limit");
    bench.sim.wait_still();
    assert!(bench.at(5) < 1.75, "{}", bench.at(5));
}

#[test]
fn a_terminal_that_is_lost_stops_the_arm_and_ends_the_guard() {
    let bench = Bench::new();
    let mut terminal = bench.jog();
    let before = bench.at(0);
    bench.hold(&mut terminal, "q", || bench.at(0) > before + 0.03);
    terminal.close();
    bench.sim.wait_still();
    let deadline = Instant::now() + PATIENCE;
    while common::status(&bench.socket).is_some() {
        assert!(Instant::now() < deadline, "the guard stays");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_jog_that_freezes_or_dies_stops_the_arm_and_the_next_takes_it_over() {
    let bench = Bench::new();
    let mut terminal = bench.jog();
    let before = bench.at(0);
    bench.hold(&mut terminal, "q", || bench.at(0) > before + 0.03);
    common::send_signal(terminal.pid(), Signal::STOP);
    bench.sim.wait_still();
    let status = common::status(&bench.socket).unwrap();
    assert_eq!(status["mode"], "stopped", "{status:#}");
    common::send_signal(terminal.pid(), Signal::KILL);
    drop(terminal);
    // The guard holds the arm; another jog leads on.
    let args = bench.args();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut terminal = Terminal::run(&args);
    terminal.see("taken over");
    terminal.press("\r");
    terminal.see("torque is on");
    let before = bench.at(0);
    bench.hold(&mut terminal, "a", || bench.at(0) < before - 0.03);
    terminal.ctrl_c();
    terminal.end();
}

#[test]
fn a_terminal_that_can_be_drawn_on_shows_joints_limits_and_the_tool() {
    let bench = Bench::new();
    let args = bench.args();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut terminal = Terminal::run_as("xterm", &args);
    for shown in [
        "jog calm: stopped: press Enter",
        "q a   shoulder_pan",
        "-110.0° … 110.0°",
        "tilt",
    ] {
        terminal.see(shown);
    }
    terminal.press("\r");
    terminal.see("jog calm: holding");
    // A terminal that tells when a key is let go: the press moves, the release stops.
    let before = bench.at(0);
    terminal.press("\x1b[?15u\x1b[113u");
    terminal.see("▸ q a   shoulder_pan");
    while bench.at(0) < before + 0.005 {
        terminal.press("\x1b[113;1:2u");
        std::thread::sleep(REPEAT);
    }
    terminal.press("\x1b[113;1:3u");
    terminal.see("shoulder_pan stands");
    terminal.press("\x1b[99;5u");
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());
    terminal.see("\x1b[?1049l");
}
