//! What the runner watches of its policy: said, slowed down for, held for.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Controller, Sim, log};

/// A cell whose policy sways, watched by `rules`.
fn cell(sim: &Sim, folder: &Path, rules: &str) -> PathBuf {
    let cell = sim.cell("quick.toml", folder);
    let text = std::fs::read_to_string(&cell).unwrap();
    let text = text
        .replacen("tests/packages/hold\"", "tests/packages/sway\"", 1)
        .replacen("shoulder_pan = 1.4", "shoulder_pan = -0.3", 1)
        .replacen("wrist_roll = 0.0", "wrist_roll = 1.2", 1)
        // A busy host holds pictures up, too.
        .replace("height = 96", "height = 96\nmax_age_ms = 400");
    std::fs::write(&cell, format!("{text}\n[watch]\n{rules}\n")).unwrap();
    cell
}

fn watched<'a>(status: &'a Value, what: &str) -> Option<&'a Value> {
    let all = status["watch"].as_array()?;
    all.iter().find(|raised| raised["what"] == what)
}

fn alarmed(status: &Value, text: &str) -> bool {
    let alarms = status["alarms"].as_array().unwrap();
    alarms.iter().any(|it| it.as_str().unwrap().contains(text))
}

#[test]
fn pictures_that_repeat_are_said_while_the_arm_goes_on() {
    let sim = Sim::start(70);
    let folder = tempfile::tempdir().unwrap();
    let rules = "repeated_pictures = { limit = 0 }";
    let cell = cell(&sim, folder.path(), rules);
    let controller = Controller::run(&cell, &["--job", "left"]);
    controller.wait_status("led by the policy", |s| {
        s["policy"]["inference_ms"]["p50"].as_f64() > Some(0.0)
    });
    sim.fault(&json!({"fault": "camera_freeze", "camera": "wrist", "for_ms": 45}));
    let status = controller.wait_status("said", |s| watched(s, "repeated_pictures").is_some());
    assert_eq!(status["mode"], "running", "{status}");
    assert!(alarmed(&status, "repeated a picture"), "{status}");
    controller.wait_status("over", |s| watched(s, "repeated_pictures").is_none());
    let lines = log::lines(&folder.path().join("runs"));
    assert!(
        lines.iter().any(|line| line["event"] == "watch"),
        "{lines:?}"
    );
}

#[test]
fn an_arm_that_is_held_for_what_its_policy_sees_waits_for_an_operator() {
    let sim = Sim::start(71);
    let folder = tempfile::tempdir().unwrap();
    // No picture has so much.
    let rules = "contrast = { limit = 0.9, then = \"hold\" }";
    let cell = cell(&sim, folder.path(), rules);
    let controller = Controller::run(&cell, &["--job", "left"]);
    let status = controller.wait_status("held", |s| s["mode"] == "holding" && alarmed(s, "paused"));
    assert_eq!(watched(&status, "contrast").unwrap()["then"], "hold");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(controller.status()["mode"], "holding");
    assert_eq!(controller.verb("start"), 0);
    controller.wait_status("going on", |s| s["mode"] == "running");
}

#[test]
fn a_plan_that_is_slowed_down_takes_twice_the_time() {
    let speed = |then: &str| {
        let sim = Sim::start(72);
        let folder = tempfile::tempdir().unwrap();
        let rules = format!("contrast = {{ limit = 0.9, then = \"{then}\" }}");
        let cell = cell(&sim, folder.path(), &rules);
        let controller = Controller::run(&cell, &["--job", "left"]);
        controller.wait_status("watched", |s| watched(s, "contrast").is_some());
        // The speed of the swing, where it is steady.
        let since = crate::common::now_ns();
        std::thread::sleep(std::time::Duration::from_secs(6));
        assert_eq!(controller.status()["mode"], "running");
        let goals = sim.goals(since);
        let mut steps: Vec<f64> = (goals.windows(20))
            .map(|some| f64::from(some[19].counts[0] - some[0].counts[0]).abs())
            .collect();
        steps.sort_by(f64::total_cmp);
        steps[steps.len() * 9 / 10]
    };
    let (usual, slowed) = (speed("warn"), speed("slow"));
    let share = slowed / usual;
    assert!((0.3..0.75).contains(&share), "{slowed} of {usual} counts");
}
