//! Packages as they are found in the world: read, or refused with a reason.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::policy::finding::Severity;

fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages")
}

/// A copy of a package, its manifest changed.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(packages().join(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let file = dir.path().join(MANIFEST);
    let mut manifest = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(&file, manifest.to_string()).unwrap();
    dir
}

fn load(dir: &tempfile::TempDir) -> Package {
    Package::load(dir.path()).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let dir = changed(name, change);
    let error = Package::load(dir.path()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn a_studio_package_is_read() {
    let package = load(&changed("studio", |_| {}));
    assert_eq!(package.name, "act");
    assert_eq!((package.output.chunk, package.output.width), (16, 6));
    assert_eq!(package.cameras().collect::<Vec<_>>(), ["top"]);
    assert_eq!(package.robot.state_units, Units::Percent);
    let state = &package.inputs[0];
    assert_eq!(
        (state.source.clone(), state.shape.clone()),
        (Source::State, vec![1, 6])
    );
    assert!((state.normalise.apply(1, 42.0) - 2.0).abs() < 1e-6);
    assert!((package.inputs[1].normalise.apply(2, 0.9) - 1.0).abs() < 1e-6);
    assert!((package.output.denormalise.apply(5, 2.0) - 65.0).abs() < 1e-6);
}

#[test]
fn a_lerobot_graph_with_open_sizes_is_read() {
    let package = load(&changed("lerobot", |_| {}));
    assert_eq!((package.output.chunk, package.output.width), (1, 6));
    assert_eq!(package.inputs[0].shape, [1, 6]);
    assert_eq!(package.inputs[1].shape, [1, 3, 24, 24]);
    assert_eq!(package.robot.state, None);
}

#[test]
fn manifests_that_others_reject_are_accepted() {
    for change in [
        |m: &mut Value| m["model"]["runner"] = json!({"type": "action_chunking"}),
        |m: &mut Value| {
            m["model"]["runner"] = json!({
                "class_path": "physicalai.inference.runners.ActionChunking",
                "init_args": {"chunk_size": 16}});
        },
        |m: &mut Value| m["model"]["runner"] = json!({"type": "single_pass", "chunk_size": 16}),
        |m: &mut Value| m["model"]["artifacts"] = json!({"model": "studio.onnx"}),
    ] {
        let package = load(&changed("studio", change));
        assert_eq!(package.output.chunk, 16);
    }
}

#[test]
fn manifests_that_others_wrongly_accept_are_refused() {
    for (words, change) in [
        (
            "absent.onnx",
            (|m| m["model"]["artifacts"]["onnx"] = json!("absent.onnx")) as fn(&mut Value),
        ),
        ("99.0", |m| m["version"] = json!("99.0")),
        ("7 values, the robot 6 joints", |m| {
            m["hardware"]["robots"][0]["action"]["shape"] = json!([7]);
        }),
    ] {
        let dir = changed("studio", change);
        let findings = check(dir.path());
        let found = findings
            .iter()
            .any(|f| f.severity == Severity::Error && f.to_string().contains(words));
        assert!(found, "{words}: {findings:#?}");
        assert!(Package::load(dir.path()).is_err());
    }
}

#[test]
fn each_broken_manifest_has_one_line_with_key_and_remedy() {
    let robot = |key: &'static str, value: Value| {
        move |m: &mut Value| m["hardware"]["robots"][0]["action"][key] = value
    };
    let cases: Vec<(&str, String)> = vec![
        ("format", refusal("sway", |m| m["format"] = json!("zip"))),
        ("version", refusal("sway", |m| m["version"] = json!(1.0))),
        (
            "model.runner.type",
            refusal("sway", |m| m["model"]["runner"] = json!({"type": "magic"})),
        ),
        (
            "model.runner.class_path",
            refusal("sway", |m| {
                m["model"]["runner"] = json!({"class_path": "os.system", "init_args": {}});
            }),
        ),
        (
            "chunk_size",
            refusal("sway", |m| m["model"]["runner"]["chunk_size"] = json!(8)),
        ),
        (
            "n_obs_steps",
            refusal("sway", |m| m["model"]["n_obs_steps"] = json!(20)),
        ),
        (
            "preprocessors[0].type",
            refusal("sway", |m| {
                m["model"]["preprocessors"] = json!([{"type": "tokenize"}]);
            }),
        ),
        (
            "model.artifacts.onnx",
            refusal("sway", |m| {
                m["model"]["artifacts"]["onnx"] = json!("../sway/sway.onnx");
            }),
        ),
        (
            "model.artifacts.extra",
            refusal("sway", |m| {
                m["model"]["artifacts"]["extra"] = json!("/etc/passwd")
            }),
        ),
        ("units", refusal("sway", robot("units", json!("furlongs")))),
        ("space", refusal("sway", robot("space", json!("phase")))),
        ("rate_hz", refusal("sway", robot("rate_hz", json!(0)))),
        (
            "relative_to",
            refusal("sway", robot("relative_to", json!("command"))),
        ),
        (
            "relative_to",
            refusal("hold", robot("relative_to", json!("base"))),
        ),
        ("tilt_rad", refusal("hold", robot("tilt_rad", Value::Null))),
        (
            "tool.roll",
            refusal(
                "hold",
                robot("order", json!(["tool.x", "tool.y", "tool.z", "a", "b"])),
            ),
        ),
        (
            "state",
            refusal("sway", |m| {
                m["hardware"]["robots"][0]["state"] = json!({"shape": [3], "units": "si"});
            }),
        ),
        (
            "elbow_flex.vel",
            refusal("sway", |m| {
                m["hardware"]["robots"][0]["state"]["order"][8] = json!("elbow_flex.vel");
            }),
        ),
        (
            "hardware.cameras",
            refusal("sway", |m| {
                m["hardware"]["cameras"][0]["name"] = json!("front")
            }),
        ),
        (
            "input_features",
            refusal("studio", |m| {
                m["model"]["input_features"][0]["init_args"]["shape"] = json!([7]);
            }),
        ),
        (
            "statistics",
            refusal("studio", |m| {
                m["model"]["preprocessors"][1]["mode"] = json!("quantiles");
            }),
        ),
    ];
    for (words, error) in cases {
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn unknown_top_level_keys_are_kept_and_reported() {
    let dir = changed("sway", |m| m["licence"] = json!({"name": "CC-BY-4.0"}));
    let package = load(&dir);
    assert_eq!(package.extra["licence"]["name"], "CC-BY-4.0");
    let findings = check(dir.path());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].severity, Severity::Warning);
    let line = serde_json::to_value(&findings[0]).unwrap();
    assert_eq!(line["where"], "manifest.json: licence");
    assert_eq!(line["severity"], "warning");
}

#[test]
fn files_that_are_no_graph_are_refused() {
    let whole = std::fs::read(packages().join("conv/conv.onnx")).unwrap();
    let dir = changed("conv", |_| {});
    let mut wrong = vec![
        Vec::new(),
        b"not a graph".to_vec(),
        vec![0xff; 64],
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(),
    ];
    wrong.extend([1, 10, 100, 5000].map(|keep| whole[..keep].to_vec()));
    wrong.push(whole[..whole.len() - 1].to_vec());
    for bytes in wrong {
        std::fs::write(dir.path().join("conv.onnx"), &bytes).unwrap();
        let error = Package::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("model.artifacts.onnx"), "{error}");
    }
}

#[test]
fn every_package_of_the_tests_is_without_findings() {
    for entry in std::fs::read_dir(packages()).unwrap() {
        let dir = entry.unwrap().path();
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        if !dir.is_dir() || ["studio", "lerobot"].contains(&name.as_str()) {
            continue;
        }
        let findings = check(&dir);
        assert!(findings.is_empty(), "{name}: {findings:#?}");
    }
}

proptest::proptest! {
    #[test]
    fn a_damaged_graph_never_panics(
        at in 0usize..2000, byte in proptest::prelude::any::<u8>(), cut in 0usize..2000,
    ) {
        let mut bytes = std::fs::read(packages().join("sway/sway.onnx")).unwrap();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let _ = signature(file.path());
    }
}

#[test]
fn the_ensemble_that_a_checkpoint_was_evaluated_with_is_known() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/checkpoint");
    assert_eq!(Package::load(&from).unwrap().ensemble_m, None);
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let config = folder.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "\"temporal_ensemble_coeff\": null",
        "\"temporal_ensemble_coeff\": 0.05",
    );
    std::fs::write(&config, text).unwrap();
    assert_eq!(Package::load(folder.path()).unwrap().ensemble_m, Some(0.05));
}
