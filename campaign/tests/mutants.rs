//! Plants bugs in the real sources, one at a time, and requires that the campaign finds each.
//!
//! Works on copies under `target/mutants`, never on the tree. A lean package of the same sources
//! is built there, so that what has nothing to do with the core is not built again. A patch must
//! fit exactly once: when the code has moved on, this test says which no longer does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Simulated hours within which a bug must be found.
const HOURS: &str = "4.0";
const SEED: &str = "11";

/// What the core and the campaign are made of.
const SOURCES: [&str; 14] = [
    "src/arm",
    "src/bus/dynamixel",
    "src/bus/feetech",
    "src/bus/map.rs",
    "src/bus/register.rs",
    "src/bus/request.rs",
    "src/bus/scan.rs",
    "src/bus/transaction",
    "src/bus/transaction.rs",
    "src/control",
    "src/guard/pace.rs",
    "src/messages",
    "src/messages.rs",
    "src/units.rs",
];
const LIB: &str = "#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]
pub mod arm;
pub mod bus {
    pub mod dynamixel;
    pub mod feetech;
    pub mod map;
    pub mod register;
    pub mod request;
    pub mod scan;
    pub mod transaction;
}
pub mod control;
pub mod messages;
pub mod units;
";

/// A bug: the file, and the texts it takes the place of, each with the one that has it.
struct Bug {
    name: &'static str,
    file: &'static str,
    patches: &'static [(&'static str, &'static str)],
}

const BUGS: [Bug; 9] = [
    Bug {
        name: "a removed clamp: a goal may run ahead of its joint",
        file: "src/control/limiter/axis.rs",
        patches: &[("self.cut(&next, low, high);", "self.state = next;")],
    },
    Bug {
        name: "a removed clamp: braking need not end inside the position limits",
        file: "src/control/limiter/axis.rs",
        patches: &[(
            "        low >= lower && high <= upper\n",
            "        low >= lower\n",
        )],
    },
    Bug {
        name: "nothing is stopped before",
        file: "src/control/limiter.rs",
        patches: &[(
            "way.is_none_or(|way| before.may_stop_along(&way, around))",
            "way.is_none_or(|_| true)",
        )],
    },
    Bug {
        name: "a link may get too fast in a stop",
        file: "src/control/limiter.rs",
        patches: &[("fastest <= most ||", "fastest <= 2.0 * most ||")],
    },
    Bug {
        name: "a plan is kept after a trip",
        file: "src/control/core.rs",
        patches: &[(
            "            self.follower.clear();\n            self.last_refusal = None;",
            "            self.last_refusal = None;",
        )],
    },
    Bug {
        name: "late answers are neither drained nor told by their order",
        file: "src/bus/transaction/exchange.rs",
        patches: &[
            (
                "            .drain_answers(ask)\n            .and_then(|()| self.send(frame, deadline))",
                "            .send(frame, deadline)",
            ),
            ("if collection.begins_again(ask.ids, status.id)", "if false"),
            ("        self.owed.settle_last(collection, ask.ids);\n", ""),
        ],
    },
    Bug {
        name: "a missed tick is caught up",
        file: "src/guard/pace.rs",
        patches: &[(
            "self.next.0 + (missed + 1) * self.period",
            "self.next.0 + self.period",
        )],
    },
    Bug {
        name: "the lease is a tick too long",
        file: "src/control/core.rs",
        patches: &[(
            "let lease = self.config.lease + self.held_up;",
            "let lease = self.config.lease + self.config.period + self.held_up;",
        )],
    },
    Bug {
        name: "the lease is a moment too short",
        file: "src/control/monitor.rs",
        patches: &[(
            "u128::from(silent) > lease.as_nanos()",
            "u128::from(silent) >= lease.as_nanos()",
        )],
    },
];

/// The copy of the tree.
struct Nursery {
    root: PathBuf,
    tree: PathBuf,
    target: PathBuf,
}

impl Nursery {
    fn new() -> Nursery {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let place = root.join("target/mutants");
        let nursery = Nursery {
            tree: place.join("tree"),
            target: place.join("target"),
            root,
        };
        for source in SOURCES {
            nursery.copy(source);
        }
        for source in [
            "Cargo.lock",
            "urdf/so101.urdf",
            "campaign/Cargo.toml",
            "campaign/src",
            "kinematics/Cargo.toml",
            "kinematics/src",
            "kinematics/benches",
        ] {
            nursery.copy(source);
        }
        write(&nursery.tree.join("src/lib.rs"), LIB);
        let manifest = fs::read_to_string(nursery.root.join("Cargo.toml")).unwrap();
        let sources: Vec<String> = SOURCES
            .iter()
            .flat_map(|source| nursery.texts(source))
            .collect();
        let needed = |name: &str| {
            let path = format!("{}::", name.replace('-', "_"));
            sources.iter().any(|text| mentions(text, &path))
        };
        write(&nursery.tree.join("Cargo.toml"), &lean(&manifest, needed));
        nursery
    }

    /// What is written in a file, or in all files of a folder.
    fn texts(&self, path: &str) -> Vec<String> {
        let from = self.root.join(path);
        if !from.is_dir() {
            return vec![fs::read_to_string(from).unwrap()];
        }
        let entries = fs::read_dir(from).unwrap();
        entries
            .flat_map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                self.texts(&format!("{path}/{name}"))
            })
            .collect()
    }

    /// Copies a file or a folder, but leaves alone what is the same: nothing is built twice.
    fn copy(&self, path: &str) {
        let from = self.root.join(path);
        if from.is_dir() {
            for entry in fs::read_dir(from).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                self.copy(&format!("{path}/{name}"));
            }
        } else {
            write(&self.tree.join(path), &fs::read_to_string(from).unwrap());
        }
    }

    /// What the campaign says of the tree as it is now.
    fn judge(&self) -> Output {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let build = Command::new(cargo)
            .args(["build", "--offline", "--quiet", "-p", "surehand-campaign"])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&build.stderr);
        assert!(build.status.success(), "the tree can't be built:\n{said}");
        Command::new(self.target.join("debug/surehand-campaign"))
            .args(["--hours", HOURS, "--seed", SEED])
            .output()
            .unwrap()
    }

    fn must_fit(&self, bug: &Bug) {
        let text = fs::read_to_string(self.tree.join(bug.file)).unwrap();
        for (right, _) in bug.patches {
            let fits = text.matches(right).count();
            assert_eq!(
                fits, 1,
                "the patch for \"{}\" no longer fits {}: its text is there {fits} times",
                bug.name, bug.file
            );
        }
    }

    /// What the campaign says of the tree with `bug` in it.
    fn plant(&self, bug: &Bug) -> Output {
        let path = self.tree.join(bug.file);
        let right = fs::read_to_string(&path).unwrap();
        let patched = bug.patches.iter();
        let patched = patched.fold(right.clone(), |text, (right, wrong)| {
            text.replace(right, wrong)
        });
        write(&path, &patched);
        let outcome = self.judge();
        write(&path, &right);
        outcome
    }
}

fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Whether `text` has the path `path`, and not just a longer name that ends like it.
fn mentions(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|letter| !letter.is_alphanumeric() && letter != '_' && letter != ':')
    })
}

/// The workspace's manifest without the crates that are not `needed`.
fn lean(manifest: &str, needed: impl Fn(&str) -> bool) -> String {
    let mut section = "";
    let mut text = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        let kept = match section {
            "[dependencies]" => line.starts_with('[') || needed(name),
            "[features]" | "[dev-dependencies]" | "[profile.dev.package.surehand-sim]" => false,
            "[workspace]" => !line.starts_with("default-members"),
            _ => true,
        };
        if line.starts_with("members") {
            text.push_str("members = [\".\", \"campaign\", \"kinematics\"]\n");
        } else if kept {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[test]
#[ignore = "builds the core ten times: `cargo test -p surehand-campaign --test mutants -- --ignored`"]
fn every_planted_bug_is_found() {
    let nursery = Nursery::new();
    for bug in &BUGS {
        nursery.must_fit(bug);
    }
    let sound = nursery.judge();
    let said = String::from_utf8_lossy(&sound.stdout);
    assert!(sound.status.success(), "without a bug:\n{said}");
    for bug in &BUGS {
        let outcome = nursery.plant(bug);
        let said = String::from_utf8_lossy(&outcome.stdout);
        let found = !outcome.status.success() && said.contains("violated:");
        assert!(found, "not found: {}\n{said}", bug.name);
        println!(
            "{}: found\n  {}",
            bug.name,
            said.lines().next().unwrap_or_default()
        );
    }
}
