//! `surehand doctor`: what it says of a machine and of an arm, and what it writes when told to.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::motion::moving;
use common::{Sim, surehand};
use serde_json::{Value, json};

/// A machine without anything prepared, with an FTDI adapter as it comes from its maker.
fn unprepared() -> tempfile::TempDir {
    let machine = tempfile::tempdir().unwrap();
    let at = |path: &str| machine.path().join(path);
    let put = |path: &Path, text: &str| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let usb = at("sys/devices/usb1/1-1");
    let tty = usb.join("1-1:1.0/ttyUSB0");
    put(&usb.join("idVendor"), "0403\n");
    put(&usb.join("idProduct"), "6014\n");
    put(&usb.join("serial"), "FT4ABC\n");
    put(&usb.join("power/control"), "auto\n");
    put(&tty.join("latency_timer"), "16\n");
    put(&at("sys/devices/system/cpu/online"), "0-3\n");
    put(&at("dev/ttyUSB0"), "");
    std::fs::create_dir_all(at("sys/class/tty/ttyUSB0")).unwrap();
    let device = "../../../devices/usb1/1-1/1-1:1.0/ttyUSB0";
    symlink(device, at("sys/class/tty/ttyUSB0/device")).unwrap();
    machine
}

fn doctor(args: &[&str], answers: &str) -> Output {
    common::answered(surehand().arg("doctor").args(args), answers)
}

fn items(output: &Output) -> Vec<Value> {
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}; it said:\n{said}"));
    report["items"].as_array().unwrap().clone()
}

/// The items whose name begins so.
fn named<'a>(items: &'a [Value], name: &str) -> Vec<&'a Value> {
    let begins = |item: &&Value| item["item"].as_str().unwrap().starts_with(name);
    items.iter().filter(begins).collect()
}

fn rule(machine: &Path) -> PathBuf {
    machine.join("etc/udev/rules.d/70-surehand-ttyUSB0.rules")
}

#[test]
fn an_unprepared_machine_gets_its_rule_after_a_yes_and_only_then() {
    let machine = unprepared();
    let root = machine.path().to_str().unwrap();
    let looked = doctor(&["--root", root, "--json"], "");
    assert_eq!(looked.status.code(), Some(3));
    let found = items(&looked);
    let port = named(&found, "port");
    assert!(
        port.iter().any(
            |item| item["state"] == "error" && item["what"].as_str().unwrap().contains("16 ms")
        ),
        "{found:?}"
    );
    for item in &found {
        let good = item["state"] == "good";
        assert_eq!(good, item["remedy"].is_null(), "{item}");
    }
    let refused = doctor(&["--root", root, "--fix"], "n\n");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("left as it is"));
    assert!(!rule(machine.path()).exists());
    let agreed = doctor(&["--root", root, "--fix"], "y\n");
    assert!(String::from_utf8_lossy(&agreed.stderr).contains("udevadm control --reload"));
    let text = std::fs::read_to_string(rule(machine.path())).unwrap();
    assert!(text.contains("ATTR{latency_timer}=\"1\""), "{text}");
    let again = doctor(&["--root", root, "--fix"], "");
    assert!(String::from_utf8_lossy(&again.stderr).contains("nothing here is mended"));
}

#[test]
fn an_arm_in_order_is_told_servo_by_servo_and_nothing_moves() {
    let sim = Sim::start(70);
    let folder = tempfile::tempdir().unwrap();
    let cell = sim.cell("quick.toml", folder.path());
    let output = doctor(&[cell.to_str().unwrap(), "--json"], "");
    let found = items(&output);
    assert_eq!(output.status.code(), Some(0), "{found:#?}");
    assert_eq!(named(&found, "servo ").len(), 6, "{found:#?}");
    assert_eq!(named(&found, "camera ").len(), 2);
    assert!(named(&found, "policy").len() > 1, "one line a job");
    let asked = named(&found, "bus")[0]["what"].as_str().unwrap();
    assert!(asked.contains("1000 questions"), "{asked}");
    let wire = sim.state();
    assert_eq!(wire["wire"]["goal_writes"], 0);
    for joint in wire["joints"].as_array().unwrap() {
        assert_eq!(joint["torque_enabled"], false, "{joint}");
    }
}

#[test]
fn a_silent_servo_and_a_frozen_camera_are_named() {
    let sim = Sim::start(71);
    sim.fault(&json!({"fault": "silence", "id": 3, "for_ms": 600_000}));
    let folder = tempfile::tempdir().unwrap();
    let cell = sim.cell("quick.toml", folder.path());
    sim.fault(&json!({"fault": "camera_freeze", "camera": "wrist", "for_ms": 600_000}));
    let output = doctor(&[cell.to_str().unwrap(), "--json"], "");
    assert_eq!(output.status.code(), Some(3));
    let found = items(&output);
    let bus = named(&found, "bus")[0];
    assert_eq!(bus["state"], "error");
    assert!(
        bus["what"].as_str().unwrap().contains("elbow_flex"),
        "{bus}"
    );
    let cameras = named(&found, "camera");
    assert!(
        cameras
            .iter()
            .any(|item| item["state"] == "error" && item.to_string().contains("wrist")),
        "{cameras:?}"
    );
}

#[test]
fn an_arm_that_runs_is_left_alone() {
    let sim = Sim::start(72);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 0);
    let cell = folder.path().join("quick.toml");
    let output = doctor(&[cell.to_str().unwrap(), "--json"], "");
    let found = items(&output);
    let bus = named(&found, "bus")[0];
    assert_eq!(bus["state"], "warning");
    assert!(bus["what"].as_str().unwrap().contains("not looked at"));
    let port = named(&found, "port")[0];
    assert!(
        port["what"].as_str().unwrap().contains("surehand"),
        "{port}"
    );
    assert_eq!(controller.status()["mode"], "running");
}
