//! The makers' own drivers against the simulated arm, where Python has them (`pip install
//! feetech-servo-sdk dynamixel-sdk`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::path::Path;
use std::process::Command;

use common::Sim;
use surehand_sim::servo::Model;

/// Runs `script` on an arm with these servos, if Python has `module`.
fn drive(module: &str, package: &str, script: &str, servos: Option<Model>) {
    let importable = Command::new("python3")
        .args(["-c", &format!("import {module}")])
        .output()
        .is_ok_and(|output| output.status.success());
    if !importable {
        eprintln!(
            "SKIPPED: python3 has no module {module}, so this maker's driver was not tried; \
             pip install {package}"
        );
        return;
    }
    let sim = Sim::with(servos);
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/third_party")
        .join(script);
    let output = Command::new("python3")
        .arg(script)
        .arg(sim.link())
        .arg(sim.running.http().to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn feetechs_driver_finds_nothing_amiss() {
    drive("scservo_sdk", "feetech-servo-sdk", "scservo.py", None);
}

#[test]
fn dynamixels_driver_finds_nothing_amiss() {
    let servos = Some(Model::Xl430W250);
    drive("dynamixel_sdk", "dynamixel-sdk", "dynamixel.py", servos);
}
