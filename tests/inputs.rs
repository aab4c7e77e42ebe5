//! Emergency stops, enabling switches, hold-to-run and the relay, in whole processes with contacts
//! that are files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::motion::{assert_stands_held_and_latched, first_slower_ms, settle};
use common::{Controller, Sim, now_ns, output, send_signal, surehand};
use rustix::process::Signal;
use serde_json::Value;

const STOP: &str = "
[inputs.red_button]
kind = \"simulated\"
role = \"emergency_stop\"
lines = [\"stop_a\", \"stop_b\"]
";
const PEDAL: &str = "
[inputs.pedal]
kind = \"simulated\"
role = \"enabling\"
lines = [\"pedal\"]
";

/// An arm, and the contacts of its cell.
struct Workcell {
    sim: Sim,
    folder: tempfile::TempDir,
}

impl Workcell {
    /// With closed contacts.
    fn new(seed: u64) -> Workcell {
        let cell = Workcell {
            sim: Sim::start(seed),
            folder: tempfile::tempdir().unwrap(),
        };
        for contact in ["stop_a", "stop_b", "pedal"] {
            cell.set(contact, "closed");
        }
        cell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a contact say something, from one moment to the next.
    fn set(&self, contact: &str, says: &str) {
        let new = self.path("new");
        std::fs::write(&new, says).unwrap();
        std::fs::rename(new, self.path(contact)).unwrap();
    }

    fn press(&self) {
        self.set("stop_a", "open");
        self.set("stop_b", "open");
    }

    fn release(&self) {
        self.set("stop_a", "closed");
        self.set("stop_b", "closed");
    }

    /// The cell's file with `more` in it.
    fn file(&self, more: &str) -> PathBuf {
        let file = self.sim.cell("quick.toml", self.folder.path());
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + more).unwrap();
        file
    }

    /// The job that leads away from where the arm is.
    fn job(&self) -> &'static str {
        if self.sim.positions()[0] > 0.0 {
            "right"
        } else {
            "left"
        }
    }

    fn run(&self, file: &Path) -> Controller {
        Controller::run(file, &["--job", self.job()])
    }

    /// A controller in full motion, in the part of its move where it only gets faster.
    fn moving(&self, more: &str, index: u64) -> Controller {
        let mut controller = self.run(&self.file(more));
        controller.events.wait_mode("running");
        std::thread::sleep(phase(index));
        controller
    }

    /// Does something to a moving arm; the milliseconds to the first goal that slows down.
    fn react(&self, act: impl FnOnce()) -> f64 {
        let since = now_ns() - 400_000_000;
        let struck = now_ns();
        act();
        settle();
        first_slower_ms(&self.sim.goals(since), struck)
    }

    /// Waits until the arm stands latched for `cause`.
    fn stands(&self, controller: &Controller, cause: &str) -> Value {
        let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
        assert_stands_held_and_latched(&self.sim, &status, cause);
        status
    }
}

fn phase(index: u64) -> Duration {
    Duration::from_millis(600 + index * 97 % 250)
}

/// What a verb says on standard error, and its code.
fn verb(controller: &Controller, words: &[&str]) -> (i32, String) {
    let mut command = surehand();
    command.args(words).arg("--socket").arg(&controller.socket);
    let output = output(&mut command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), said)
}

fn median(what: &str, mut ms: Vec<f64>) -> f64 {
    ms.sort_by(f64::total_cmp);
    let median = ms[ms.len() / 2];
    println!("{what}: p50 {median:.1} ms, all {ms:.1?}");
    median
}

#[test]
fn a_pressed_emergency_stop_stops_the_arm_until_it_is_released_and_reset() {
    let cell = Workcell::new(71);
    let mut reactions = Vec::new();
    for index in 0..8 {
        let controller = cell.moving(STOP, index);
        reactions.push(cell.react(|| cell.press()));
        let status = cell.stands(&controller, "emergency stop red_button is pressed");
        assert_eq!(status["inputs"][0]["name"], "red_button");
        assert_eq!(status["inputs"][0]["level"], "open");
        let (code, said) = verb(&controller, &["reset"]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("red_button is pressed"), "{said}");
        cell.release();
        settle();
        let status = controller.status();
        assert_eq!(status["mode"], "stopped", "a release is no reset");
        assert_eq!(status["inputs"][0]["level"], "closed");
        assert_eq!(controller.verb("reset"), 0);
        assert_eq!(controller.status()["mode"], "holding");
        assert_eq!(controller.verb("shutdown"), 0);
    }
    assert!(reactions.iter().all(|ms| *ms < 100.0), "{reactions:?}");
    // 10 to the first goal that brakes, and 5 to the one after, which shows it.
    assert!(median("emergency stop", reactions) < 15.0);
}

#[test]
fn a_broken_wire_stops_the_arm() {
    let cell = Workcell::new(72);
    let mut reactions = Vec::new();
    for index in 0..4 {
        let controller = cell.moving(STOP, index);
        let wire = cell.path("stop_a");
        reactions.push(cell.react(|| std::fs::remove_file(wire).unwrap()));
        cell.stands(&controller, "red_button has a broken wire");
        let (code, said) = verb(&controller, &["reset"]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("red_button has a broken wire"), "{said}");
        cell.release();
        settle();
        let (code, said) = verb(&controller, &["reset"]);
        assert_eq!(
            code,
            0,
            "the wire is mended: {said} {}",
            controller.status()
        );
        assert_eq!(controller.verb("shutdown"), 0);
    }
    assert!(reactions.iter().all(|ms| *ms < 100.0), "{reactions:?}");
    assert!(median("broken wire", reactions) < 15.0);
}

#[test]
fn channels_that_disagree_stop_the_arm_until_both_were_seen_to_open() {
    let cell = Workcell::new(73);
    let controller = cell.moving(STOP, 1);
    let reaction = cell.react(|| cell.set("stop_b", "open"));
    assert!(reaction < 100.0, "{reaction}");
    cell.stands(&controller, "red_button is pressed");
    assert_eq!(controller.status()["inputs"][0]["level"], "broken");
    cell.set("stop_b", "closed");
    settle();
    let (code, said) = verb(&controller, &["reset"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("channels disagree"), "{said}");
    cell.press();
    settle();
    cell.release();
    settle();
    assert_eq!(controller.verb("reset"), 0);
}

#[test]
fn an_enabling_switch_that_is_let_go_stops_the_arm() {
    let cell = Workcell::new(74);
    let controller = cell.moving(PEDAL, 2);
    let reaction = cell.react(|| cell.set("pedal", "open"));
    assert!(reaction < 100.0, "{reaction}");
    println!("enabling switch let go: {reaction:.1} ms");
    cell.stands(&controller, "enabling switch pedal was let go");
    assert_eq!(controller.verb("reset"), 0);
    let (code, said) = verb(&controller, &["start"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("enabling switch pedal is not held"), "{said}");
    cell.set("pedal", "closed");
    settle();
    assert_eq!(controller.verb("start"), 0);
    assert_eq!(controller.status()["mode"], "running");
}

#[test]
fn a_job_waits_for_its_enabling_switch() {
    let cell = Workcell::new(75);
    cell.set("pedal", "open");
    let controller = cell.run(&cell.file(PEDAL));
    let status = controller.wait_status("idle", |s| s["mode"] == "idle");
    assert_eq!(status["inputs"][0]["level"], "open");
    cell.set("pedal", "closed");
    settle();
    assert_eq!(controller.verb("enable"), 0);
    assert_eq!(controller.verb("start"), 0);
}

/// `surehand start --hold`, killed when dropped.
struct Hold(Child);

impl Hold {
    fn start(controller: &Controller) -> Hold {
        let mut command = surehand();
        command.args(["start", "--hold", "--json", "--socket"]);
        command.arg(&controller.socket).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Hold(command.spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        assert!(send_signal(self.0.id(), signal));
    }

    fn code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_held_run_lasts_as_long_as_its_holder() {
    let cell = Workcell::new(76);
    let file = cell.file("");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("[loop]\n", "[loop]\nhold_to_run = true\n");
    std::fs::write(&file, text).unwrap();

    let (mut killed, mut frozen) = (Vec::new(), Vec::new());
    for index in 0..6 {
        let controller = cell.run(&file);
        controller.wait_status("holding", |s| s["mode"] == "holding");
        let (code, said) = verb(&controller, &["start"]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("start --hold"), "{said}");
        let hold = Hold::start(&controller);
        controller.wait_status("running", |s| s["mode"] == "running");
        std::thread::sleep(phase(index));
        if index % 2 == 0 {
            killed.push(cell.react(|| hold.signal(Signal::KILL)));
            cell.stands(&controller, "the operator who held the arm running is gone");
        } else {
            frozen.push(cell.react(|| hold.signal(Signal::STOP)));
            cell.stands(
                &controller,
                "the operator who held the arm running was silent",
            );
            let standing = cell.sim.positions();
            hold.signal(Signal::CONT);
            settle();
            let moved = cell.sim.positions()[0] - standing[0];
            assert!(moved.abs() < 0.01, "it moved when its holder woke");
        }
        assert_eq!(controller.verb("shutdown"), 0);
    }
    let all = killed.iter().chain(&frozen);
    assert!(all.clone().all(|ms| *ms < 200.0), "{killed:?} {frozen:?}");
    assert!(median("holder killed", killed) < 20.0);
    // From the freeze; the last heartbeat was up to 25 ms before it.
    assert!(median("holder frozen", frozen) < 105.0);
}

#[test]
fn letting_go_pauses_and_holding_again_goes_on() {
    let cell = Workcell::new(77);
    let controller = cell.moving("", 3);
    assert_eq!(controller.verb("pause"), 0);
    let mut hold = Hold::start(&controller);
    controller.wait_status("running", |s| s["mode"] == "running");
    let mut other = Hold::start(&controller);
    assert_eq!(other.code(), Some(2), "one holds");
    hold.signal(Signal::INT);
    assert_eq!(hold.code(), Some(1));
    let status = controller.wait_status("holding", |s| s["mode"] == "holding");
    assert_eq!(status["latched"], false);
    let mut hold = Hold::start(&controller);
    controller.wait_status("running", |s| s["mode"] == "running");
    assert_eq!(controller.verb("estop"), 0);
    assert_eq!(hold.code(), Some(1), "an operator stopped it");
}

/// How often a line changes in a quarter of a second.
fn changes(path: &Path) -> u32 {
    let level = || std::fs::read_to_string(path).unwrap_or_default();
    let (mut last, mut count) = (level(), 0);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(250) {
        let now = level();
        count += u32::from(now != last);
        last = now;
        std::thread::sleep(Duration::from_micros(500));
    }
    count
}

#[test]
fn the_relay_is_pumped_while_the_guard_lives_and_not_for_a_pressed_emergency_stop() {
    let cell = Workcell::new(78);
    let more = format!("{STOP}\n[relay]\nkind = \"simulated\"\nline = \"relay\"\n");
    let controller = cell.moving(&more, 0);
    let relay = cell.path("relay");
    let beats = changes(&relay);
    println!("the relay was toggled {beats} times in 250 ms");
    // 50 where nobody holds guard or test up.
    assert!((5..=55).contains(&beats), "{beats}");
    cell.press();
    cell.stands(&controller, "red_button");
    settle();
    assert_eq!(changes(&relay), 0, "motor power is gone");
    assert_eq!(std::fs::read_to_string(&relay).unwrap(), "0");
    cell.release();
    settle();
    assert_eq!(changes(&relay), 0, "a release gives no power");
    assert_eq!(controller.verb("reset"), 0);
    assert!(changes(&relay) > 5, "a reset does");
    assert!(send_signal(controller.runner_pid, Signal::KILL));
    assert!(changes(&relay) > 5, "the guard lives on");
    assert!(send_signal(controller.guard_pid, Signal::KILL));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(changes(&relay), 0, "nobody pumps it");
}

#[test]
fn a_contact_that_can_not_be_read_is_told_in_one_line_and_nothing_is_switched_on() {
    let cell = Workcell::new(79);
    let kinds = [
        (
            "kind = \"modem\"\nlines = [\"dcd\"]",
            "it has no modem lines",
        ),
        (
            "kind = \"modem\"\nport = \"/dev/no-such-port\"\nlines = [\"dcd\"]",
            "can't be opened",
        ),
        (
            "kind = \"gpio\"\nchip = \"/dev/no-such-chip\"\nlines = [4]",
            "line 4 can't be had",
        ),
        (
            "kind = \"hid\"\ndevice = \"/dev/input/by-id/no-such\"\nlines = [304]",
            "connect it",
        ),
        (
            "kind = \"simulated\"\nlines = [\"no-such\"]",
            "write `closed` into it",
        ),
    ];
    for (table, wanted) in kinds {
        let file = cell.file(&format!(
            "\n[inputs.red_button]\nrole = \"emergency_stop\"\n{table}\n"
        ));
        let mut command = surehand();
        command
            .arg("run")
            .arg(&file)
            .args(["--job", "left", "--socket"]);
        let output = output(command.arg(cell.path("bad.sock")));
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<_> = said
            .lines()
            .filter(|l| l.starts_with("surehand: "))
            .collect();
        assert_eq!(said.len(), 1, "one line: {said:?}");
        assert_eq!(output.status.code(), Some(3), "{said:?}");
        assert!(said[0].contains("input red_button"), "{said:?}");
        assert!(said[0].contains(wanted), "{wanted}: {said:?}");
    }
    for joint in cell.sim.state()["joints"].as_array().unwrap() {
        assert_eq!(joint["torque_enabled"], false, "{joint}");
    }
}
