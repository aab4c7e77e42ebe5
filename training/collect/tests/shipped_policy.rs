//! The shipped policy does its task from pictures, and not without them: in virtual time, the
//! same on every machine but for the rounding of its inference.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Episodes of the shipped policy that succeeded, of `episodes`.
fn succeeded(episodes: u32, cover: Option<&str>) -> u64 {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_surehand-collect"));
    command
        .args([
            "evaluate",
            "--package",
            "policies/pick_cube",
            "--seed",
            "41",
        ])
        .args(["--episodes", &episodes.to_string()])
        .current_dir(root);
    if let Some(camera) = cover {
        command.args(["--cover", camera]);
    }
    let output = command.output().expect("the evaluation runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(report["episodes"], episodes);
    report["succeeded"].as_u64().expect("a count")
}

#[test]
fn the_policy_places_cubes_that_it_sees() {
    // All of 100 were placed when the package was made.
    assert!(succeeded(6, None) >= 5);
}

#[test]
fn the_policy_places_nothing_with_the_wrist_camera_covered() {
    assert_eq!(succeeded(6, Some("wrist")), 0);
}

#[test]
fn the_policy_places_nothing_with_the_overhead_camera_covered() {
    assert_eq!(succeeded(6, Some("overhead")), 0);
}
