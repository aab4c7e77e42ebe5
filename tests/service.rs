//! The service book through the program: it grows with a run, tells what is due, and forgets nothing
//! that somebody notes in the meantime.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Controller, Sim, output, surehand};
use serde_json::Value;

const REMINDERS: &str = "
[service]
grease = { every_rad = 0.5, joint = \"shoulder_pan\", say = \"grease the gears\" }
horns = { every_hours = 500, say = \"check the screws of the horns\" }
";

/// A cell whose arm has a calibration, and so a book, of its own.
fn cell(sim: &Sim, folder: &Path) -> PathBuf {
    let cell = sim.cell_of_its_own("quick.toml", folder);
    let text = std::fs::read_to_string(&cell).unwrap();
    std::fs::write(&cell, text + REMINDERS).unwrap();
    cell
}

/// Runs `job` for some seconds, with `meanwhile` while it moves; what it said.
fn run(cell: &Path, job: &str, meanwhile: impl FnOnce(&Controller)) -> String {
    let mut controller = Controller::run(cell, &["--job", job, "--for", "4"]);
    controller.events.wait_mode("running");
    std::thread::sleep(Duration::from_secs(1));
    meanwhile(&controller);
    let ended = controller.events.wait_exit(Duration::from_secs(60));
    assert!(ended.success(), "{ended}: {}", controller.events.said());
    controller.events.said()
}

fn service(cell: &Path, args: &[&str]) -> (Option<i32>, Value, String) {
    let told = output(surehand().arg("service").arg(cell).arg("--json").args(args));
    let report = serde_json::from_slice(&told.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    (told.status.code(), report, said)
}

fn reminder<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut all = report["reminders"].as_array().unwrap().iter();
    all.find(|it| it["name"] == name).unwrap()
}

#[test]
fn a_book_grows_with_each_run_and_what_is_due_is_told_until_it_is_done() {
    let sim = Sim::start(90);
    let folder = tempfile::tempdir().unwrap();
    let cell = cell(&sim, folder.path());
    let (_, empty, _) = service(&cell, &[]);
    assert_eq!(reminder(&empty, "grease")["due"], false);

    let said = run(&cell, "left", |_| {});
    assert!(!said.contains("grease"), "nothing was due yet: {said}");
    let (_, first, _) = service(&cell, &[]);
    let pan = &first["joints"]["shoulder_pan"];
    let number = |joint: &Value, key: &str| joint[key].as_f64().unwrap();
    assert!(number(pan, "torque_s") > 3.0, "{pan}");
    assert!(number(pan, "motion_s") > 0.3, "{pan}");
    assert!((1.0..2.0).contains(&number(pan, "travelled_rad")), "{pan}");
    assert_eq!(pan["starts"], 1, "{pan}");
    let still = &first["joints"]["wrist_roll"];
    assert!(
        number(still, "motion_s") < number(pan, "motion_s"),
        "{still}"
    );
    assert_eq!(reminder(&first, "grease")["due"], true);
    assert_eq!(reminder(&first, "horns")["due"], false);

    let examined = output(surehand().arg("doctor").arg(&cell));
    let examined = String::from_utf8_lossy(&examined.stdout).into_owned();
    let due = examined
        .lines()
        .find(|line| line.contains("service grease"));
    assert!(due.unwrap().contains("--done grease"), "{examined}");

    let said = run(&cell, "right", |controller| {
        let status = controller.status();
        let due = status["service"].as_array().unwrap();
        assert_eq!(due.len(), 1, "{status}");
        assert_eq!(due[0]["say"], "grease the gears");
        let (code, report, said) = service(&cell, &["--done", "grease", "--by", "ana"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(reminder(&report, "grease")["due"], false);
    });
    assert!(said.contains("grease is due: grease the gears"), "{said}");
    let (_, second, _) = service(&cell, &[]);
    assert_eq!(reminder(&second, "grease")["done"]["by"], "ana");
    let pan = &second["joints"]["shoulder_pan"];
    let travelled = number(pan, "travelled_rad");
    assert!(travelled > 3.0, "there and back: {pan}");
    // The run wrote its hours after that, and they count anew.
    let used = number(reminder(&second, "grease"), "used");
    assert!((1.0..travelled - 0.5).contains(&used), "{second}");

    let (code, _, said) = service(&cell, &["--done", "oil"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("reminders are: grease, horns"), "{said}");
}
