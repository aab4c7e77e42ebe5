//! The vendor's own driver against the simulated arm, when Python has it (`pip install
//! feetech-servo-sdk`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::path::Path;
use std::process::Command;

use common::Sim;

#[test]
fn the_vendors_driver_finds_nothing_amiss() {
    let importable = Command::new("python3")
        .args(["-c", "import scservo_sdk"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !importable {
        eprintln!(
            "SKIPPED: python3 has no module scservo_sdk, so no third-party driver was tried; \
             pip install feetech-servo-sdk"
        );
        return;
    }
    let sim = Sim::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party/scservo.py");
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
