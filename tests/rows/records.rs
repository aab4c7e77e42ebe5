//! What is written down of a run, and what becomes of it when the disk takes nothing: rows 49, 50.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use surehand::messages::{FromGuard, Request};

use crate::common::log::{assert_in_order, lines, wait};
use crate::common::motion::moving;
use crate::common::operator::Operator;
use crate::common::{Controller, Sim, now_ns, output, send_signal, surehand};

fn events<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[test]
fn who_did_what_and_what_came_of_it_is_in_the_log() {
    let sim = Sim::start(80);
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let mut controller = moving(&sim, folder.path(), 1);
    let ana = Operator::named(&controller.socket, "ana");
    let ben = Operator::named(&controller.socket, "ben");
    ana.send(Request::Release);
    assert!(matches!(ana.answer(), Some(FromGuard::Refused(_))));
    ben.send(Request::Pause);
    assert!(matches!(ben.answer(), Some(FromGuard::Held(_))));
    // A stop without a word of who it is from.
    assert_eq!(controller.verb("estop"), 0);
    controller.wait_status("stopped", |s| s["mode"] == "stopped");
    controller.wait_status("reset", |_| controller.verb("reset") == 0);
    assert!(send_signal(controller.guard_pid, Signal::KILL));
    controller
        .events
        .wait("a new guard", |e| e["event"] == "guard_replaced");
    wait(&runs, "of the new guard's stop", |line| {
        line["cause"] == "the guard was lost and has been replaced"
    });
    assert!(send_signal(controller.runner_pid, Signal::TERM));
    controller.events.wait_exit(Duration::from_secs(20));

    let lines = lines(&runs);
    assert_in_order(&lines);
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert_eq!(first["event"], "start");
    assert_eq!(first["sha256"]["cell"].as_str().unwrap().len(), 64);
    assert_eq!(first["sha256"]["files"].as_object().unwrap().len(), 4);
    assert_eq!(first["pid"], controller.runner_pid);
    assert_eq!(last["event"], "end");
    assert_eq!(last["how"], "told to end");

    let uid = rustix::process::geteuid().as_raw();
    let requests = events(&lines, "request");
    assert!(requests.iter().all(|line| line["uid"] == uid));
    let asked = |what: &str, by: Option<&str>| {
        let found = requests
            .iter()
            .find(|line| line["request"] == what && line["by"].as_str() == by);
        *found.unwrap_or_else(|| panic!("{what} by {by:?}: {requests:#?}"))
    };
    let release = asked("release", Some("ana"));
    assert_eq!(release["answer"], "refused");
    assert_eq!(release["pid"], std::process::id());
    let pause = asked("pause", Some("ben"));
    assert_eq!(pause["why"], "ana holds control");
    let estop = asked("estop", None);
    assert_eq!(estop["answer"], "done");
    assert_eq!(asked("start", first["session"].as_str())["as"], "runner");
    let stops = events(&lines, "stop");
    assert!(stops[0]["cause"].as_str().unwrap().contains("asked for a"));
    assert!(stops[0]["measured"]["shoulder_pan"].is_number());
    assert!(stops[0]["seq"].as_u64() > estop["seq"].as_u64());
    let modes = events(&lines, "mode");
    for mode in ["running", "stopping", "stopped", "idle"] {
        assert!(modes.iter().any(|line| line["mode"] == mode), "{modes:#?}");
    }
    for line in modes {
        assert_eq!(line["cause"].is_null(), line["remedy"].is_null(), "{line}");
        assert!(line["ticks_unheard"].is_null(), "{line}");
    }
    assert_eq!(
        events(&lines, "guard_lost")[0]["guard_pid"],
        controller.guard_pid
    );
    assert_eq!(events(&lines, "guard_replaced").len(), 1);

    // The same for a person, and as it stands.
    let log = |json: &[&str]| {
        let told = output(surehand().arg("log").args(json).arg(folder.path()));
        assert_eq!(told.status.code(), Some(0));
        String::from_utf8(told.stdout).unwrap()
    };
    let told = log(&[]);
    for words in [
        "release by ana",
        "refused",
        "estop by",
        "guard_lost",
        "told to end",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let file = std::fs::read_to_string(runs.join("latest/audit.jsonl")).unwrap();
    assert_eq!(log(&["--json"]), file);
}

#[test]
fn a_log_that_was_cut_off_is_read_as_far_as_it_goes() {
    let sim = Sim::start(81);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 2);
    let read = || {
        let told = output(surehand().arg("log").arg(folder.path()));
        assert_eq!(told.status.code(), Some(0));
        String::from_utf8(told.stdout).unwrap()
    };
    let told = read();
    assert!(told.contains("the run goes on"), "{told}");
    assert!(send_signal(controller.runner_pid, Signal::KILL));
    controller.wait_status("stopped", |s| s["mode"] == "stopped");
    let log = folder.path().join("runs/latest/audit.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.ends_with('\n'), "a kill tears no line");
    std::fs::write(&log, &text[..text.len() - 20]).unwrap();
    let told = read();
    assert!(told.contains("are no line"), "{told}");
    assert!(told.contains("mode      holding"), "{told}");
    assert!(told.contains("there is no end"), "{told}");
}

/// A disk of a few megabytes; unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`, and why, where this user may mount none.
    fn mount() -> Option<Disk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = output(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
                .arg(folder.path()),
        );
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr);
            println!("skipped: no disk can be mounted here: {}", why.trim());
            return None;
        }
        Some(Disk(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no byte.
    fn fill(&self) {
        let filled = std::fs::write(self.path().join("filling"), vec![0; 8 << 20]);
        assert!(filled.is_err(), "8 MiB fit on 3 MiB");
    }

    fn clear(&self) {
        std::fs::remove_file(self.path().join("filling")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        output(Command::new("umount").arg("-l").arg(self.0.path()));
    }
}

/// Runs a job that should not begin; what it said in its one line.
fn refused(cell: &Path, runs: &Path) -> String {
    let ended = output(
        surehand()
            .args(["run", "--job", "left", "--linger", "0", "--socket"])
            .arg(cell.with_file_name("refused.sock"))
            .arg("--runs")
            .arg(runs)
            .arg(cell),
    );
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 1, "{said}");
    said
}

fn nothing_has_moved(sim: &Sim, since: u64) {
    assert_eq!(sim.goals(since), []);
    let state = sim.state();
    let joints = state["joints"].as_array().unwrap();
    assert!(joints.iter().all(|joint| joint["torque_enabled"] == false));
}

#[test]
fn a_full_disk_stops_no_running_job_and_lets_no_new_one_begin() {
    let Some(disk) = Disk::mount() else { return };
    let sim = Sim::start(82);
    let folder = tempfile::tempdir().unwrap();
    let cell = sim.cell("quick.toml", folder.path());
    let runs = disk.path().join("runs");
    let place = runs.display().to_string();
    let mut controller = Controller::run(&cell, &["--job", "left", "--runs", &place]);
    controller.events.wait_mode("running");
    disk.fill();
    // Enough to say for what is left of the last page to be full.
    for _ in 0..20 {
        assert_eq!(controller.verb("pause"), 0);
        assert_eq!(controller.verb("start"), 0);
    }
    let status = controller.wait_status("told of the log", |s| s["log"]["error"].is_string());
    assert_eq!(status["mode"], "running", "{status}");
    assert!(status["log"]["waiting"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(status["log"]["lost"], 0);
    let alarms = status["alarms"].to_string();
    assert!(alarms.contains("audit log can't be written"), "{alarms}");
    let said = controller.events.said();
    let told = said.matches("the audit log can't be written").count();
    assert_eq!(told, 1, "{said}");

    // A second run finds the port taken; its place on the disk is looked at before.
    let line = refused(&cell, &runs);
    assert!(line.contains(&place) && line.contains("--runs"), "{line}");
    assert!(line.contains("make room"), "{line}");
    assert_eq!(controller.status()["mode"], "running");

    disk.clear();
    controller.wait_status("written again", |s| s["log"]["error"].is_null());
    assert!(send_signal(controller.runner_pid, Signal::TERM));
    controller.events.wait_exit(Duration::from_secs(20));
    let lines = lines(&runs);
    assert_in_order(&lines);
    assert_eq!(events(&lines, "lost"), Vec::<&Value>::new());
    let pauses = events(&lines, "request");
    let pauses = pauses.iter().filter(|line| line["request"] == "pause");
    assert_eq!(pauses.count(), 20);
    assert_eq!(lines[lines.len() - 1]["event"], "end");
}

#[test]
fn a_job_that_cannot_be_recorded_does_not_begin() {
    let sim = Sim::start(83);
    let folder = tempfile::tempdir().unwrap();
    let cell = sim.cell("quick.toml", folder.path());
    let since = now_ns();
    // Root writes where nobody may: a file in the folder's place keeps everybody out.
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    for runs in [
        file.as_path(),
        Path::new("/proc/nowhere"),
        Path::new("/sys"),
    ] {
        let line = refused(&cell, runs);
        assert!(line.contains(&runs.display().to_string()), "{line}");
        assert!(line.contains("can't be recorded"), "{line}");
    }
    if let Some(disk) = Disk::mount() {
        disk.fill();
        let line = refused(&cell, disk.path());
        assert!(line.contains("make room"), "{line}");
        assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 1);
    }
    nothing_has_moved(&sim, since);
}
