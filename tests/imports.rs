//! The directions in which modules may look: units ← messages ← arm ← {cell, camera, policy,
//! control, bus}; guard and runner meet only in messages; the simulator knows nothing of the controller.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// For each module: the modules of the controller it may name.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("units", vec![]),
        ("messages", vec!["units"]),
        ("realtime", vec!["units"]),
        ("stats", vec!["messages"]),
        ("host", vec!["realtime"]),
        ("record", vec!["units", "messages", "realtime"]),
        ("arm", vec!["units", "messages"]),
        ("cell", vec!["units", "messages", "arm"]),
        ("camera", vec!["units", "messages", "arm", "cell"]),
        ("policy", vec!["units", "messages", "arm", "camera"]),
        ("approval", vec!["cell", "policy"]),
        ("service", vec!["units", "messages", "cell"]),
        ("control", vec!["units", "messages", "arm"]),
        // The bus takes the control core's command and fills its readings, and nothing else.
        ("bus", vec!["units", "messages", "arm", "control"]),
        (
            "guard",
            vec![
                "units", "messages", "arm", "cell", "control", "bus", "realtime", "stats",
            ],
        ),
        (
            "runner",
            vec![
                "units", "messages", "arm", "cell", "camera", "policy", "realtime", "stats",
                "approval", "record", "service",
            ],
        ),
        // Never named by the guard: it alone writes EEPROM, and it takes its time.
        (
            "commission",
            vec!["units", "messages", "arm", "cell", "bus", "host"],
        ),
        (
            "cli",
            vec![
                "units",
                "messages",
                "arm",
                "cell",
                "camera",
                "policy",
                "control",
                "bus",
                "guard",
                "runner",
                "realtime",
                "stats",
                "approval",
                "record",
                "host",
                "service",
                "commission",
            ],
        ),
    ])
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The part of a file before its tests, without comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules named as `crate::NAME` in `code`.
fn named(code: &str) -> BTreeSet<String> {
    code.match_indices("crate::")
        .map(|(at, prefix)| {
            code[at + prefix.len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

fn module_of(path: &Path, src: &Path) -> String {
    let relative = path.strip_prefix(src).unwrap();
    let first = relative.components().next().unwrap();
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_look_only_where_they_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed = allowed();
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 20, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let module = module_of(&file, &src);
        if module == "lib" || module == "main" {
            continue;
        }
        let may = allowed
            .get(module.as_str())
            .unwrap_or_else(|| panic!("say in this test where module `{module}` may look"));
        for name in named(&code(&file)) {
            // What the library's own tests share is nobody's module.
            if name != module && name != "so101" && !may.contains(&name.as_str()) {
                wrong.push(format!("{} looks at {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_bus_takes_only_commands_and_readings_from_control() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src.join("bus"), &mut files);
    assert!(!files.is_empty());
    for file in files {
        let code = code(&file);
        for (at, _) in code.match_indices("crate::control::") {
            let rest = &code[at + "crate::control::".len()..];
            let names = rest.split(';').next().unwrap_or_default();
            for name in names
                .split(|c: char| !c.is_alphanumeric())
                .filter(|name| !name.is_empty())
                .take(if names.starts_with('{') { 9 } else { 1 })
            {
                assert!(
                    ["JointCommand", "JointReading", "ReadFault"].contains(&name),
                    "{} takes {name} from control",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn only_the_command_line_knows_the_simulator_and_the_simulator_knows_nobody() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    for file in files {
        let module = module_of(&file, &root.join("src"));
        assert!(
            module == "cli" || !code(&file).contains("surehand_sim"),
            "{} knows the simulator",
            file.display()
        );
    }
    let manifest = std::fs::read_to_string(root.join("sim/Cargo.toml")).unwrap();
    assert!(
        !manifest.contains("surehand = "),
        "the simulator knows the controller"
    );
}
