//! What runs in a cell is what was approved: row 24.

use std::path::{Path, PathBuf};

use crate::common::log::lines_of;
use crate::common::{Sim, now_ns, output, root, surehand};

/// A cell with files of its own, approved by ana.
struct Cell {
    sim: Sim,
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Cell {
    fn approved(seed: u64) -> Cell {
        let sim = Sim::start(seed);
        let folder = tempfile::tempdir().unwrap();
        let file = sim.cell("quick.toml", folder.path());
        let (urdf, calibration) = ("urdf/so101.urdf", "calibration/so101-sim.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let root = root();
        let package = root.join("tests/packages/hold");
        std::fs::create_dir(folder.path().join("hold")).unwrap();
        for name in ["manifest.json", "hold.onnx"] {
            std::fs::copy(package.join(name), folder.path().join("hold").join(name)).unwrap();
        }
        std::fs::copy(root.join(urdf), folder.path().join("arm.urdf")).unwrap();
        std::fs::copy(root.join(calibration), folder.path().join("arm.json")).unwrap();
        let text = text
            .replace(&root.join(urdf).display().to_string(), "arm.urdf")
            .replace(&root.join(calibration).display().to_string(), "arm.json")
            .replace(&package.display().to_string(), "hold");
        std::fs::write(&file, text).unwrap();
        let cell = Cell { sim, folder, file };
        let locked = output(surehand().args(["lock", "--by", "ana"]).arg(&cell.file));
        assert_eq!(locked.status.code(), Some(0), "{locked:?}");
        cell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs job `left` until it stops for want of an operator, or is refused: exit code, and what
    /// was said in lines of the program's own.
    fn run(&self, args: &[&str]) -> (i32, Vec<String>) {
        let ended = output(
            surehand()
                .args(["run", "--job", "left", "--for", "0.1", "--socket"])
                .arg(self.path("cell.sock"))
                .args(args)
                .arg(&self.file),
        );
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        let lines = said.lines().filter(|line| line.starts_with("surehand: "));
        (
            ended.status.code().unwrap(),
            lines.map(str::to_owned).collect(),
        )
    }

    /// The folder of the last run, by its name, refused or not.
    fn last_run(&self) -> PathBuf {
        let runs = std::fs::read_dir(self.path("runs")).unwrap().flatten();
        let folders = runs.map(|it| it.path()).filter(|it| !it.is_symlink());
        folders.max().unwrap()
    }

    fn check(&self) -> (bool, String) {
        let checked = output(surehand().args(["check", "--json"]).arg(&self.file));
        let found: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        (found["ok"] == true, found["findings"].to_string())
    }

    fn nothing_has_moved(&self, since: u64) {
        assert_eq!(self.sim.goals(since), []);
        let state = self.sim.state();
        let joints = state["joints"].as_array().unwrap();
        assert!(joints.iter().all(|joint| joint["torque_enabled"] == false));
    }
}

/// Changes one byte of `path`: the first of the last `from` becomes `to`.
fn change(path: &Path, from: &[u8], to: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(from.len()).rposition(|it| it == from);
    bytes[at.unwrap()] = to;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn one_byte_of_anything_approved_that_is_another_keeps_the_arm_from_starting() {
    let cell = Cell::approved(90);
    let since = now_ns();
    assert!(cell.check().0, "{}", cell.check().1);
    let cases: [(&str, &[u8], u8); 5] = [
        ("hold/hold.onnx", b"h", b'i'),
        ("hold/manifest.json", b" ", b'\t'),
        ("arm.urdf", b" ", b'\t'),
        ("arm.json", b" ", b'\t'),
        // The torque limit of the gripper, 0.35.
        ("quick.toml", b"5 }", b'4'),
    ];
    for (name, from, to) in cases {
        let path = cell.path(name);
        let before = std::fs::read(&path).unwrap();
        change(&path, from, to);
        let (code, said) = cell.run(&[]);
        assert_eq!(code, 2, "{name}: {said:?}");
        assert_eq!(said.len(), 1, "one line: {said:?}");
        for word in [name, "ana approved", "surehand lock"] {
            assert!(said[0].contains(word), "{name}, {word}: {said:?}");
        }
        let (ok, found) = cell.check();
        assert!(!ok && found.contains(name), "{found}");
        // It is written down, too.
        let log = lines_of(&cell.last_run());
        let last = &log[log.len() - 1];
        assert_eq!(last["how"], "refused", "{log:#?}");
        assert!(log.iter().any(|line| line["event"] == "drift"));
        std::fs::write(&path, before).unwrap();
    }
    cell.nothing_has_moved(since);
    // All is as it was approved again, and another byte of what is no part of it.
    change(&cell.file, b"\n", b'#');
    let (code, said) = cell.run(&["--locked"]);
    assert_eq!(code, 0, "{said:?}");
}

#[test]
fn a_file_more_or_less_in_a_package_is_another_package() {
    let cell = Cell::approved(91);
    let since = now_ns();
    std::fs::write(cell.path("hold/stats.safetensors"), "x").unwrap();
    let (code, said) = cell.run(&[]);
    assert_eq!(code, 2);
    assert!(said[0].contains("stats.safetensors: not among"), "{said:?}");
    // Approved anew it runs no sooner than it is what was approved.
    std::fs::remove_file(cell.path("hold/stats.safetensors")).unwrap();
    std::fs::write(cell.path("quick.lock"), "format = 1").unwrap();
    let (code, said) = cell.run(&[]);
    assert_eq!(code, 2);
    assert!(said[0].contains("quick.lock"), "{said:?}");
    cell.nothing_has_moved(since);
}

#[test]
fn a_cell_that_nobody_approved_runs_with_a_warning_and_not_at_all_with_locked() {
    let cell = Cell::approved(92);
    let since = now_ns();
    std::fs::remove_file(cell.path("quick.lock")).unwrap();
    let (ok, found) = cell.check();
    assert!(ok && found.contains("nobody has approved"), "{found}");
    let (code, said) = cell.run(&["--locked"]);
    assert_eq!(code, 2);
    assert!(said[0].contains("quick.lock"), "{said:?}");
    assert!(said[0].contains("surehand lock"), "{said:?}");
    cell.nothing_has_moved(since);
    assert_eq!(cell.run(&[]).0, 0);
}
