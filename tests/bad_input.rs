//! Bad input: one line with file, key and remedy, the right exit code, and nothing has moved.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};

use common::{Sim, output, root, surehand};

/// A cell on a running arm, with parts of its file replaced.
struct Bench {
    sim: Sim,
    folder: tempfile::TempDir,
    cell: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        let sim = Sim::start(21);
        let folder = tempfile::tempdir().unwrap();
        let cell = sim.cell("quick.toml", folder.path());
        Bench { sim, folder, cell }
    }

    /// Runs the cell with `old` replaced by `new`; the exit code and what was said.
    fn run(&self, old: &str, new: &str) -> (i32, String) {
        let text = std::fs::read_to_string(&self.cell).unwrap();
        assert!(text.contains(old), "{old} is not in the cell file");
        let cell = self.folder.path().join("bad.toml");
        std::fs::write(&cell, text.replace(old, new)).unwrap();
        let output = output(
            surehand()
                .args(["run", "--job", "left", "--socket"])
                .arg(self.folder.path().join("bad.sock"))
                .arg(&cell),
        );
        let said = String::from_utf8_lossy(&output.stderr)
            .lines()
            .filter(|line| line.starts_with("surehand: "))
            .map(str::to_owned)
            .collect::<Vec<_>>();
        assert_eq!(said.len(), 1, "one line: {said:?}");
        (output.status.code().unwrap(), said[0].clone())
    }

    fn nothing_has_moved(&self) {
        let state = self.sim.state();
        for joint in state["joints"].as_array().unwrap() {
            assert_eq!(joint["torque_enabled"], false, "{joint}");
        }
        assert_eq!(state["wire"]["goal_writes"], 0);
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

fn read(relative: &str) -> String {
    std::fs::read_to_string(root().join(relative)).unwrap()
}

#[test]
fn wrong_files_are_configuration_errors_that_name_file_key_and_remedy() {
    let bench = Bench::new();
    let urdf = root().join("urdf/so101.urdf").display().to_string();
    let calibration = root()
        .join("calibration/so101-sim.json")
        .display()
        .to_string();
    let hold = root().join("tests/packages/hold").display().to_string();

    let other_urdf = bench.write(
        "other.urdf",
        &read("urdf/so101.urdf").replace("\"elbow_flex\"", "\"elbow\""),
    );
    let other_calibration = bench.write(
        "other.json",
        &read("calibration/so101-sim.json").replace("3299", "1299"),
    );
    let package = bench.folder.path().join("package");
    std::fs::create_dir(&package).unwrap();
    let manifest = read("tests/packages/hold/manifest.json");
    std::fs::write(
        package.join("manifest.json"),
        manifest.replace("hold.onnx", "../hold.onnx"),
    )
    .unwrap();
    let package = package.display().to_string();

    let cases: [(&str, &str, &[&str]); 9] = [
        (
            "rate_hz = 200",
            "raet_hz = 200",
            &["bad.toml:", "raet_hz", "rate_hz"],
        ),
        (
            "hold_up_ms = 150",
            "hold_up_ms = 1500",
            &["bad.toml:", "hold_up_ms", "15 to 250"],
        ),
        (
            "[limits]",
            "[workspace]\nwalls = { min = [0.0, 0.0, 0.3], max = [1.0, 1.0, 0.2] }\n[limits]",
            &["bad.toml:", "workspace.walls", "below"],
        ),
        (
            "acceleration = 40.0, jerk = 20000.0 }",
            "acceleration = 40.0, jerk = -3.0 }",
            &["bad.toml:", "limits.elbow_flex.jerk"],
        ),
        (&urdf, &other_urdf, &["other.urdf", "elbow_flex"]),
        (
            &calibration,
            &other_calibration,
            &["other.json", "shoulder_pan"],
        ),
        (&hold, &package, &["package", "manifest.json"]),
        (&hold, "/nowhere/at/all", &["/nowhere/at/all"]),
        (
            "shoulder_pan = 1.4",
            "shoulder_pan = 3.0",
            &["start.shoulder_pan", "outside"],
        ),
    ];
    for (old, new, wanted) in cases {
        let (code, line) = bench.run(old, new);
        assert_eq!(code, 2, "{line}");
        for word in wanted {
            assert!(line.contains(word), "`{word}` is not in: {line}");
        }
    }
    bench.nothing_has_moved();
}

#[test]
fn absent_devices_are_hardware_errors_that_name_them() {
    let bench = Bench::new();
    let pty = bench.sim.pty.display().to_string();
    let cases = [
        (pty.as_str(), "/dev/no-such-port", "/dev/no-such-port"),
        ("cameras/wrist.mjpg", "cameras/elbow.mjpg", "camera wrist"),
    ];
    for (old, new, word) in cases {
        let (code, line) = bench.run(old, new);
        assert_eq!(code, 3, "{line}");
        assert!(line.contains(word), "{line}");
    }
    bench.nothing_has_moved();
    assert!(!Path::new("/dev/no-such-port").exists());
}
