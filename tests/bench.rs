//! `surehand bench` measures with the real parts and says so in one document.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use serde_json::Value;

#[test]
fn bench_measures_every_part_and_leaves_nothing_behind() {
    let output = common::output(
        common::surehand()
            .args(["bench", "--for", "1", "--json"])
            .current_dir(common::root()),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["tick"]["count"].as_u64().unwrap() > 100, "{report}");
    assert!(report["tick"]["lateness_us"]["p999"].is_number());
    let bus = report["bus"]["cycle_us"]["p50"].as_f64().unwrap();
    let wire = report["bus"]["wire_us"].as_f64().unwrap();
    assert!(
        bus > 0.5 * wire,
        "a cycle is no faster than its bytes: {report}"
    );
    assert!(report["ik"]["success"].as_f64().unwrap() > 0.99, "{report}");
    let models = report["inference"].as_array().unwrap();
    assert!(models.iter().any(|one| one["backend"] == "builtin"));
    assert!(
        models
            .iter()
            .all(|one| one["ms"]["p50"].as_f64() > Some(0.0))
    );
}
