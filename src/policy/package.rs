//! A policy package: a directory with `manifest.json`, a graph and its statistics; or a LeRobot
//! checkpoint with its graph beside it.
//!
//! Owns reading and checking the format `policy_package` 1.0 and our additions to it into one
//! [`Package`]; a `Package` that exists is complete and consistent. A class path in a manifest
//! is a name looked up in a table. Never runs the graph, and never opens a file outside the
//! directory.
//!
//! Our additions stand in `hardware.robots[0]`. In `state` and `action`: `units`, one of `si`
//! (metres, radians), `degrees`, `percent` (the default: body joints −100…100, gripper 0…100). In
//! `state`, `order` may name `<joint>.pos`, `<joint>.lag` (command less measurement) and
//! `tool.x|y|z`. In `action`: `space` (`joint`, the default, or `tool`), `relative_to`
//! (`command`, for tool actions), `tilt_rad` (the tool's lean, for tool actions), `rate_hz`, and
//! `first_step` (action `i` is due `(i + first_step) / rate_hz` after the pictures were taken).

use std::path::{Path, PathBuf};

use serde_json::Value;

mod component;
mod features;
mod files;
mod graph;
mod lerobot;
mod node;
mod robot;
mod stats;
#[cfg(test)]
mod tests;

pub use files::{FileError, files};
pub use graph::{GraphError, Signature, Tensor, signature};
pub use robot::{ActionLayout, Axis, Robot, StateEntry, Timing, Units};
pub use stats::{Affine, Mode, Stats, StatsError};

use super::familiarity::Expected;
use super::finding::{Finding, Findings, Severity};
use node::Node;

/// The manifest's name in the directory.
const MANIFEST: &str = "manifest.json";
/// The largest manifest, bytes.
const MAX_MANIFEST: u64 = 1024 * 1024;
/// The largest graph, bytes (protobuf's own limit).
const MAX_GRAPH: u64 = 2 * 1024 * 1024 * 1024;
/// The largest statistics file, bytes.
const MAX_STATS: u64 = 16 * 1024 * 1024;

/// What one graph input is fed with.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The robot's state, in the order of [`Package::robot`].
    State,
    /// A camera's picture, float RGB 0…1, planes of rows.
    Image {
        /// The camera's name.
        camera: String,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
}

/// One graph input.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name in the graph.
    pub tensor: String,
    /// Its sizes, batch of one first.
    pub shape: Vec<usize>,
    /// What it is fed with.
    pub source: Source,
    /// Applied to each state value, or to each colour.
    pub normalise: Affine,
    /// What each value was in training, in the same units, where the statistics say it.
    pub expected: Option<Vec<Expected>>,
}

/// The graph's output.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the graph.
    pub tensor: String,
    /// How many actions it holds.
    pub chunk: usize,
    /// How many values one action has.
    pub width: usize,
    /// Applied to each value of an action.
    pub denormalise: Affine,
}

/// A package that was found complete and consistent.
#[derive(Debug, Clone)]
pub struct Package {
    /// The policy's name.
    pub name: String,
    /// The directory.
    pub dir: PathBuf,
    /// The graph's file.
    pub graph: PathBuf,
    /// The graph's inputs.
    pub inputs: Vec<Input>,
    /// The graph's output.
    pub output: Output,
    /// The robot it was trained for.
    pub robot: Robot,
    /// Top-level keys of the manifest that mean nothing to us, as they stand.
    pub extra: serde_json::Map<String, Value>,
}

/// A package that can't be used: its first error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PackageError {
    /// The directory.
    pub dir: PathBuf,
    /// The first error.
    pub finding: Finding,
    /// How many more there are.
    pub more: usize,
}

impl std::fmt::Display for PackageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finding {
            place,
            what,
            remedy,
            ..
        } = &self.finding;
        write!(
            f,
            "package {}: {place}: {what}; {remedy}",
            self.dir.display()
        )?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " ({more} more, see `surehand check --package`)"),
        }
    }
}

impl PackageError {
    /// The first error among `findings`.
    pub(super) fn of(dir: &Path, findings: &Findings) -> PackageError {
        PackageError {
            dir: dir.to_owned(),
            finding: findings
                .first_error()
                .cloned()
                .unwrap_or_else(|| unreadable(dir)),
            more: findings.errors().saturating_sub(1),
        }
    }
}

/// Everything that is wrong or doubtful about the package in `dir`.
#[must_use]
pub fn check(dir: &Path) -> Vec<Finding> {
    let mut findings = Findings::default();
    let _package = Package::read(dir, &mut findings);
    findings.into_vec()
}

impl Package {
    /// Reads the package in `dir`.
    ///
    /// # Errors
    /// The first thing that makes it unusable. Warnings are logged.
    pub fn load(dir: &Path) -> Result<Package, PackageError> {
        let mut findings = Findings::default();
        let package = Package::read(dir, &mut findings);
        match (package, findings.first_error()) {
            (Some(package), None) => {
                for warning in findings.iter() {
                    tracing::warn!(package = %dir.display(), "{warning}");
                }
                Ok(package)
            }
            _ => Err(PackageError::of(dir, &findings)),
        }
    }

    /// Reads the package in `dir` and tells all that was found; a package only when nothing was
    /// an error.
    pub fn read(dir: &Path, findings: &mut Findings) -> Option<Package> {
        let has = |name: &str| dir.join(name).exists();
        if !has(MANIFEST) && has(lerobot::CONFIG) {
            let package = lerobot::read(dir, findings);
            return package.filter(|_| findings.errors() == 0);
        }
        let bytes = match files::read(dir, MANIFEST, MAX_MANIFEST) {
            Ok(bytes) => bytes,
            Err(error) => {
                let remedy = "name a directory with a manifest.json, or a LeRobot checkpoint with its config.json";
                findings.error(dir.display().to_string(), error.to_string(), remedy);
                return None;
            }
        };
        let manifest: Value = match serde_json::from_slice(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                findings.error(MANIFEST, error.to_string(), "make it valid JSON");
                return None;
            }
        };
        let package = Package::assemble(dir, &manifest, findings);
        package.filter(|_| findings.errors() == 0)
    }

    fn assemble(dir: &Path, manifest: &Value, findings: &mut Findings) -> Option<Package> {
        let root = Node::root(manifest, MANIFEST);
        let extra = header(&root, findings)?;
        let model = root.need("model", findings)?;
        let graph = component::graph_file(dir, &model, findings)?;
        let chunk = component::runner(&model, findings);
        component::observation_steps(&model, findings);
        let robot = robot::read(&root, findings);
        let signature = match signature(&graph.path) {
            Ok(signature) => signature,
            Err(error) => {
                let remedy = "export the graph again as one .onnx file";
                findings.error(graph.place, error.to_string(), remedy);
                return None;
            }
        };
        let cameras = features::cameras(&root, findings);
        let mut inputs = features::inputs(&signature, &cameras, &robot, findings);
        let mut output = features::output(&signature, &graph.name, chunk.as_ref(), findings)?;
        features::declared(&model, &inputs, findings);
        features::state_width(&inputs, &robot, findings);
        features::action_width(&output, &robot, findings);
        component::normalisation(dir, &model, &mut inputs, &mut output, findings);
        Some(Package {
            name: component::policy_name(&root, dir, findings),
            dir: dir.to_owned(),
            graph: graph.path,
            inputs,
            output,
            robot,
            extra,
        })
    }

    /// The names of the cameras it looks through.
    pub fn cameras(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().filter_map(|input| match &input.source {
            Source::Image { camera, .. } => Some(camera.as_str()),
            Source::State => None,
        })
    }
}

fn unreadable(dir: &Path) -> Finding {
    Finding {
        severity: Severity::Error,
        place: dir.display().to_string(),
        what: "it can't be read".into(),
        remedy: "export the package again".into(),
    }
}

/// Format, version and the keys that mean nothing to us.
fn header(root: &Node<'_>, findings: &mut Findings) -> Option<serde_json::Map<String, Value>> {
    const KNOWN: [&str; 6] = [
        "format", "version", "policy", "model", "hardware", "metadata",
    ];
    let members = root.object(findings)?;
    for (key, expected) in [("format", "policy_package"), ("version", "1.0")] {
        let Some(node) = root.need(key, findings) else {
            continue;
        };
        let Some(text) = node.text(findings) else {
            continue;
        };
        if text != expected {
            findings.error(
                node.place(),
                format!("it is {text:?}, only {expected:?} is read"),
                "export the package in that format",
            );
        }
    }
    let mut extra = serde_json::Map::new();
    for (key, value) in members {
        if !KNOWN.contains(&key.as_str()) {
            findings.warning(
                format!("{MANIFEST}: {key}"),
                "this key means nothing here and is not used",
                "remove it if something was expected of it",
            );
            extra.insert(key.clone(), value.clone());
        }
    }
    Some(extra)
}
