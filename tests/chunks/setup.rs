//! A set-up that is not the one a policy was trained in: found by `check`, refused by `run`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use surehand::camera::{Look, decode};

use crate::common::{Sim, output, root, surehand};

/// What a camera of `sim` shows.
fn look(sim: &Sim, camera: &str) -> Look {
    let mut stream = TcpStream::connect(&sim.http).unwrap();
    let host = &sim.http;
    write!(
        stream,
        "GET /cameras/{camera}.jpg HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    let picture = decode(&answer[body..]).unwrap();
    Look::of(picture.width() as usize, picture.data())
}

/// The statistics of a data set in the safetensors format.
fn statistics(values: &[(&str, Vec<f32>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (key, values) in values {
        let begin = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let entry = json!({
            "dtype": "F32", "shape": [values.len()], "data_offsets": [begin, data.len()],
        });
        header.insert((*key).into(), entry);
    }
    let header = Value::from(header).to_string();
    let length = (header.len() as u64).to_le_bytes();
    [length.as_slice(), header.as_bytes(), &data].concat()
}

/// A cell whose policy sways and was trained on these statistics.
fn cell(sim: &Sim, folder: &Path, features: &[&str], values: &[(&str, Vec<f32>)]) -> PathBuf {
    let package = folder.join("package");
    std::fs::create_dir_all(&package).unwrap();
    let from = root().join("tests/packages/sway");
    std::fs::copy(from.join("sway.onnx"), package.join("sway.onnx")).unwrap();
    let text = std::fs::read_to_string(from.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    let step = json!({
        "type": "normalize", "mode": "mean_std", "artifact": "stats.safetensors",
        "features": features,
    });
    let steps = manifest["model"]["preprocessors"].as_array_mut().unwrap();
    steps.push(step);
    std::fs::write(package.join("manifest.json"), manifest.to_string()).unwrap();
    std::fs::write(package.join("stats.safetensors"), statistics(values)).unwrap();
    let cell = sim.cell("quick.toml", folder);
    let text = std::fs::read_to_string(&cell).unwrap();
    let jobs = text.find("[jobs.right]").unwrap();
    let hold = format!("{}/tests/packages/hold", root().display());
    let text = text[..jobs]
        .replace(&hold, &package.display().to_string())
        .replace("shoulder_pan = 1.4", "shoulder_pan = -0.3")
        .replace("wrist_roll = 0.0", "wrist_roll = 1.2")
        // A busy host holds pictures up, too.
        .replace("height = 96", "height = 96\nmax_age_ms = 400");
    std::fs::write(&cell, text).unwrap();
    cell
}

fn check(cell: &Path) -> (i32, Value) {
    let ended = output(surehand().arg("check").arg(cell).arg("--json"));
    let said = String::from_utf8_lossy(&ended.stderr);
    let report = serde_json::from_slice(&ended.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {said}"));
    (ended.status.code().unwrap(), report)
}

fn of_cameras(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["where"].as_str().unwrap().starts_with("cameras"))
        .map(|finding| finding["what"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn cameras_that_were_changed_over_are_found_without_moving_anything() {
    let sim = Sim::start(80);
    let folder = tempfile::tempdir().unwrap();
    let features = ["images.overhead", "images.wrist"];
    let numbers = |all: [f64; 3]| all.map(|value| value as f32).to_vec();
    let with = |overhead: &Look, wrist: &Look| {
        let values = [
            ("images.overhead/mean", numbers(overhead.mean)),
            ("images.overhead/std", numbers(overhead.deviation)),
            ("images.wrist/mean", numbers(wrist.mean)),
            ("images.wrist/std", numbers(wrist.deviation)),
        ];
        check(&cell(&sim, folder.path(), &features, &values))
    };
    let (overhead, wrist) = (look(&sim, "overhead"), look(&sim, "wrist"));
    let (_, report) = with(&overhead, &wrist);
    assert_eq!(of_cameras(&report), [""; 0], "{report:#}");
    let (code, report) = with(&wrist, &overhead);
    let found = of_cameras(&report);
    assert!(
        code == 2
            && found
                .iter()
                .any(|what| what.contains("the other way round")),
        "{overhead:?} {wrist:?}: {report:#}"
    );
    let state = sim.state();
    assert_eq!(state["wire"]["goal_writes"], 0, "nothing was told to move");
    for joint in state["joints"].as_array().unwrap() {
        assert_eq!(joint["torque_enabled"], false, "{joint}");
    }
}

#[test]
fn a_run_whose_first_look_is_nothing_like_the_training_data_is_refused() {
    let sim = Sim::start(81);
    let folder = tempfile::tempdir().unwrap();
    // As if the pan joint were calibrated 2 rad away; what it is loaded by is as ever.
    let mean = [1.7, -0.6, 0.6, 1.0, 1.2, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let values = [
        ("state/mean", mean.to_vec()),
        ("state/std", vec![0.1; mean.len()]),
    ];
    let cell = cell(&sim, folder.path(), &["state"], &values);
    let socket = cell.with_extension("sock");
    let ended = output(
        surehand()
            .arg("run")
            .arg(&cell)
            .arg("--socket")
            .arg(&socket),
    );
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(
        said.contains("error: ") && said.contains("shoulder_pan is "),
        "{said}"
    );
    assert!(said.contains("calibration"), "{said}");
    // Nothing came of the policy: pan stands where the job begins.
    let pan = sim.positions()[0];
    assert!((pan + 0.3).abs() < 0.1, "{pan}");
    assert!(
        !said.contains("deviations from the training data (over"),
        "{said}"
    );
}
