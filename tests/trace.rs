//! `surehand trace`: the simulated arm keeps its tool to a path, and says by how much it missed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use serde_json::Value;

#[test]
fn a_circle_and_a_fly_by_are_traced_and_measured() {
    let output = common::output(
        common::surehand()
            .args(["trace", "--json"])
            .current_dir(common::root()),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let paths = report["paths"].as_array().unwrap();
    let names: Vec<&str> = paths
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["circle", "fly-by"]);
    for path in paths {
        let number = |of: &str, key: &str| path[of][key].as_f64().unwrap();
        assert!(path["looks"].as_u64().unwrap() > 50, "{path}");
        // What is commanded keeps to the path; the wire counts in steps of 1.5 mrad, and the arm
        // sinks under its own weight.
        assert!(number("commanded", "rms_mm") < 0.2, "{path}");
        assert!(number("commanded", "max_mm") < 1.0, "{path}");
        assert!(number("wire", "rms_mm") < 0.5, "{path}");
        assert!(number("arm", "max_mm") < 40.0, "{path}");
        assert!(number("arm", "rms_mm") > number("wire", "rms_mm"), "{path}");
        assert!(path["late_ms"].as_f64().unwrap() < 500.0, "{path}");
    }
}
