//! Policy packages as their users have them and as they get broken: what is said of each.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use surehand::policy::finding::{Finding, Severity};
use surehand::policy::package::{Package, check};

use common::{output, root, surehand};

/// What must be said of one package.
#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    /// Where each warning stands, when it is usable.
    warnings: Vec<String>,
    /// How the place of an error ends.
    #[serde(rename = "where")]
    place: Option<String>,
    /// Words of the same error.
    what: Option<String>,
}

fn corpus() -> PathBuf {
    root().join("tests/corpus")
}

fn verdicts() -> BTreeMap<String, Verdict> {
    let text = std::fs::read_to_string(corpus().join("verdicts.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn places(findings: &[Finding], severity: Severity) -> Vec<&str> {
    let of = findings.iter().filter(|it| it.severity == severity);
    of.map(|it| it.place.as_str()).collect()
}

#[test]
fn every_package_has_its_verdict_and_every_verdict_its_package() {
    let mut folders: Vec<String> = std::fs::read_dir(corpus())
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let named: Vec<String> = verdicts().into_keys().collect();
    assert_eq!(folders, named);
    assert!(folders.len() >= 40, "{}", folders.len());
}

#[test]
fn usable_packages_are_used_with_these_warnings_and_no_others() {
    for (name, verdict) in verdicts().iter().filter(|(_, verdict)| verdict.ok) {
        let dir = corpus().join(name);
        let findings = check(&dir);
        assert!(Package::load(&dir).is_ok(), "{name}: {findings:#?}");
        assert_eq!(
            places(&findings, Severity::Warning),
            verdict.warnings,
            "{name}"
        );
    }
}

#[test]
fn unusable_packages_are_refused_by_place_and_reason() {
    for (name, verdict) in verdicts().iter().filter(|(_, verdict)| !verdict.ok) {
        let dir = corpus().join(name);
        let findings = check(&dir);
        let (place, what) = (
            verdict.place.as_ref().unwrap(),
            verdict.what.as_ref().unwrap(),
        );
        let found = findings.iter().any(|it| {
            it.severity == Severity::Error
                && it.place.ends_with(place.as_str())
                && it.what.contains(what.as_str())
        });
        assert!(found, "{name}: {place}: {what} is not among {findings:#?}");
        let error = Package::load(&dir).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{name}: {error}");
        assert!(findings.iter().all(|it| !it.remedy.is_empty()), "{name}");
    }
}

#[test]
fn the_command_says_the_same() {
    for name in ["checkpoint", "checkpoint_that_reads_words", "version_99"] {
        let verdict = &verdicts()[name];
        let ended = output(
            surehand()
                .args(["check", "--json", "--package"])
                .arg(corpus().join(name)),
        );
        let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(said["ok"], verdict.ok, "{name}: {said}");
        assert_eq!(ended.status.code(), Some(if verdict.ok { 0 } else { 2 }));
    }
}

/// What `surehand check` says of the simulated cell with `package` as its job's.
fn checked_cell(package: &Path) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let cell = folder.path().join("cell.toml");
    let text = std::fs::read_to_string(root().join("cells/sim.toml")).unwrap();
    let text = text
        .replace("../policies/pick_cube", &package.display().to_string())
        .replace("../urdf", &root().join("urdf").display().to_string())
        .replace(
            "../calibration",
            &root().join("calibration").display().to_string(),
        );
    std::fs::write(&cell, text).unwrap();
    let ended = output(surehand().args(["check", "--json"]).arg(&cell));
    serde_json::from_slice(&ended.stdout).unwrap()
}

#[test]
fn a_start_that_is_nothing_like_the_training_data_is_an_error() {
    let said = checked_cell(&corpus().join("state_alone"));
    let findings = said["findings"].as_array().unwrap();
    let strange = findings.iter().any(|it| {
        let what = it["what"].as_str().unwrap();
        it["severity"] == "error" && what.contains("deviations") && what.contains("shoulder_lift")
    });
    assert!(strange, "{said:#}");
}

#[test]
fn inference_is_measured_against_what_the_cell_allows() {
    let said = checked_cell(&root().join("policies/pick_cube"));
    let inference = &said["inference"][0];
    assert_eq!(inference["job"], "pick_cube", "{said:#}");
    assert_eq!(inference["runs"], 200);
    assert_eq!(inference["deadline_ms"], 300.0);
    let (p50, max) = (&inference["ms"]["p50"], &inference["ms"]["max"]);
    assert!(
        p50.as_f64().unwrap() > 0.0 && max.as_f64() >= p50.as_f64(),
        "{said:#}"
    );
}
