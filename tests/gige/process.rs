//! A cell with a GigE Vision camera: looked at by `check`, run, and stopped when it is lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::common::{Controller, Sim, output, surehand};
use crate::{Fake, SERIAL};

/// The cell for `sim` with the fake camera in place of that at the wrist.
fn cell(sim: &Sim, folder: &Path, more: &str) -> PathBuf {
    let cell = sim.cell("quick.toml", folder);
    let text = std::fs::read_to_string(&cell).unwrap();
    let url = format!("url = \"http://{}/cameras/wrist.mjpg\"", sim.http);
    assert!(text.contains(&url));
    let camera = format!(
        "gige = \"127.0.0.1\"\nserial = \"{SERIAL}\"\npixels = \"BayerRG8\"\nrate_hz = 30\n\
         packet_bytes = 9000\nmax_age_ms = 400\n{more}"
    );
    std::fs::write(&cell, text.replace(&url, &camera)).unwrap();
    cell
}

fn checked(cell: &Path) -> Vec<String> {
    let ended = output(surehand().arg("check").arg(cell).arg("--json"));
    let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let findings = said["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["where"] == "cameras")
        .map(|finding| finding["what"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn check_looks_through_it_and_tells_what_is_set_wrong() {
    let _fake = Fake::start(SERIAL, 0);
    let sim = Sim::start(71);
    let folder = tempfile::tempdir().unwrap();
    let said = checked(&cell(&sim, folder.path(), ""));
    assert!(said.is_empty(), "{said:?}");
    let wrong = cell(&sim, folder.path(), "controls = { GainRaw = 11 }");
    let said = checked(&wrong);
    println!("{said:?}");
    assert!(
        matches!(said.as_slice(), [one] if one.contains("GainRaw goes from 0 to 10")),
        "{said:?}"
    );
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn a_run_is_led_by_its_pictures_and_stops_when_they_end() {
    let fake = Fake::start(SERIAL, 0);
    let sim = Sim::start(72);
    let folder = tempfile::tempdir().unwrap();
    let cell = cell(&sim, folder.path(), "");
    let controller = Controller::run(&cell, &["--job", "left"]);
    controller.wait_status("led by the policy", |s| {
        s["policy"]["inference_ms"]["p50"].as_f64() > Some(0.0)
    });
    std::thread::sleep(Duration::from_secs(4));
    let status = controller.status();
    assert_eq!(status["mode"], "running", "{status}");
    drop(fake);
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    let cause = status["cause"].as_str().unwrap();
    println!("{cause}");
    assert!(cause.contains("wrist"), "{cause}");
    sim.wait_still();
}
