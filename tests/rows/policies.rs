//! Policies, cameras and kinematics that go wrong: rows 17 to 24, but for what is only struck and
//! measured.

use std::cell::RefCell;
use std::path::Path;

use serde_json::Value;

use crate::common::motion::COUNT;
use crate::common::{Controller, Sim, now_ns};
use crate::processes::assert_no_jump;
use crate::strike::holds;

/// A controller with another policy on the way from one side to the other.
fn with_policy(sim: &Sim, folder: &Path, package: &str, start: &str) -> Controller {
    let cell = sim.cell("quick.toml", folder);
    let text = std::fs::read_to_string(&cell).unwrap();
    let text = text
        .replace(
            "tests/packages/hold\"",
            &format!("tests/packages/{package}\""),
        )
        .replace("shoulder_pan = 1.4", &format!("shoulder_pan = {start}"))
        .replace("wrist_roll = 0.0", "wrist_roll = 1.2");
    std::fs::write(&cell, text).unwrap();
    Controller::run(&cell, &["--job", "left"])
}

fn stopped(controller: &Controller) -> Value {
    controller.wait_status("stopped by it", |s| {
        s["mode"] == "stopped" && s["episode"] == 0 && !s["cause"].is_null()
    })
}

#[test]
fn nan_in_the_middle_of_a_swing_never_reaches_the_wire() {
    let sim = Sim::start(40);
    let folder = tempfile::tempdir().unwrap();
    let since = now_ns();
    let controller = with_policy(&sim, folder.path(), "nan", "-0.3");
    let status = stopped(&controller);
    assert!(
        status["cause"].as_str().unwrap().contains("NaN"),
        "{status}"
    );
    assert!(status["remedy"].as_str().unwrap().contains("policy"));
    let pan = sim.positions()[0];
    assert!(
        (0.1..0.5).contains(&pan),
        "it swung up to where the NaN is: {pan}"
    );
    assert_no_jump(&sim.goals(since));
    holds(&sim);
}

#[test]
fn a_teleporting_target_never_makes_a_jump() {
    let sim = Sim::start(41);
    let folder = tempfile::tempdir().unwrap();
    let since = now_ns();
    let controller = with_policy(&sim, folder.path(), "teleport", "-0.3");
    let status = stopped(&controller);
    let cause = status["cause"].as_str().unwrap();
    assert!(
        cause.contains("from the present command") || cause.contains("outside"),
        "{cause}"
    );
    assert!(status["plan"]["refused"].as_u64().unwrap() > 0);
    assert_no_jump(&sim.goals(since));
    holds(&sim);
}

#[test]
fn actions_beyond_a_limit_never_leave_it() {
    let sim = Sim::start(42);
    let folder = tempfile::tempdir().unwrap();
    let controller = with_policy(&sim, folder.path(), "beyond", "1.4");
    let status = controller.wait_status("at its limit", |s| {
        let pan = &s["joints"][0];
        pan["clamped"].as_u64().unwrap() > 0 || s["mode"] == "stopped" && s["episode"] == 0
    });
    let upper = status["joints"][0]["upper"].as_f64().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(800));
    let status = controller.status();
    let pan = &status["joints"][0];
    assert!(pan["clamped"].as_u64().unwrap() > 0, "counted: {status}");
    for goals in [pan["command"].as_f64().unwrap(), sim.positions()[0]] {
        assert!(goals <= upper + 4.0 * COUNT, "{goals} is beyond {upper}");
    }
}

#[test]
fn poses_out_of_reach_slow_the_arm_down_and_never_take_it_beyond_its_limits() {
    let sim = Sim::start(44);
    let folder = tempfile::tempdir().unwrap();
    let since = now_ns();
    // Outward until the arm is stretched, a singular posture, and on.
    let controller = with_policy(&sim, folder.path(), "stretch", "0.0");
    controller.wait_status("on its way", |s| !s["plan"]["age_ms"].is_null());
    let looks = RefCell::new(Vec::new());
    let status = controller.wait_status("stopped by it", |s| {
        let tool = sim.state()["tool"]["position"].clone();
        let out = (0..2).map(|axis| tool[axis].as_f64().unwrap().powi(2));
        looks.borrow_mut().push(out.sum::<f64>().sqrt());
        s["mode"] == "stopped" && s["episode"] == 0 && !s["cause"].is_null()
    });
    let cause = status["cause"].as_str().unwrap();
    assert!(cause.contains("reach"), "{cause}");
    assert!(status["plan"]["refused"].as_u64().unwrap() > 0, "{status}");
    let looks = looks.into_inner();
    let first = looks.first().copied().unwrap();
    let farthest = looks.iter().copied().fold(0.0, f64::max);
    assert!(farthest > first + 0.04, "from {first} to {farthest} m");
    // It stands stretched out, as far as the last plan that could be done led it.
    assert!((0.3..0.45).contains(&farthest), "{farthest} m");
    assert_no_jump(&sim.goals(since));
    for joint in status["joints"].as_array().unwrap() {
        let number = |key: &str| joint[key].as_f64().unwrap();
        let (lower, upper) = (number("lower"), number("upper"));
        let command = number("command");
        assert!((lower..=upper).contains(&command), "{joint}");
        let measured = number("position");
        assert!((lower - 0.02..=upper + 0.02).contains(&measured), "{joint}");
    }
    holds(&sim);
}

#[test]
fn a_wall_in_the_way_stops_the_arm_before_it() {
    let sim = Sim::start(43);
    let folder = tempfile::tempdir().unwrap();
    let cell = sim.cell("quick.toml", folder.path());
    let text = std::fs::read_to_string(&cell).unwrap();
    let wall = "[workspace]\nwalls = { min = [-0.4, -0.15, -0.1], max = [0.6, 0.15, 0.6] }\n\
                link_radius_m = 0.02\nmargin_m = 0.005\n\n[cameras.overhead]";
    std::fs::write(&cell, text.replace("[cameras.overhead]", wall)).unwrap();
    // The start pose lies behind the wall.
    let controller = Controller::run(&cell, &["--job", "left"]);
    let status = stopped(&controller);
    let cause = status["cause"].as_str().unwrap();
    assert!(cause.contains("workspace"), "{cause}");
    holds(&sim);
    let tool = sim.state()["tool"]["position"][1].as_f64().unwrap();
    assert!(
        (0.02..0.15).contains(&tool.abs()),
        "the tool is at y = {tool} m"
    );
}
