//! A policy package: a directory with `manifest.json`, a graph and its statistics; a LeRobot
//! checkpoint with its graph beside it; or a graph alone whose metadata say the rest.
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

mod alone;
mod chunk;
mod component;
mod features;
mod files;
mod graph;
mod input;
mod lerobot;
mod memory;
mod node;
mod robot;
mod stats;
#[cfg(test)]
mod tests;

pub use files::{FileError, files};
pub use graph::{Element, GraphError, Signature, Tensor, signature};
pub use input::Input;
pub use robot::{
    ActionLayout, Axis, JointAction, Places, Robot, StateEntry, TOOL_COLUMNS, Timing, UNUSED, Units,
};
pub use stats::{Affine, Mode, Stats, StatsError};

use super::finding::{Finding, Findings, Severity};
use super::server::Server;
use crate::messages::MAX_WAYPOINTS;
use crate::units::MAX_JOINTS;
use component::Chunk;
use node::Node;

/// The manifest's name in the directory.
const MANIFEST: &str = "manifest.json";
/// The largest manifest, bytes.
const MAX_MANIFEST: u64 = 1024 * 1024;
/// The largest graph, bytes (protobuf's own limit).
const MAX_GRAPH: u64 = 2 * 1024 * 1024 * 1024;
/// The largest statistics file, bytes.
const MAX_STATS: u64 = 16 * 1024 * 1024;

/// The most joints that one policy leads: those of two arms.
const MAX_LED: usize = 2 * MAX_JOINTS;

/// How long an action holds that comes alone. The next one is there long before, or the arm stops.
const HOLD_SECS: f64 = 0.2;

/// What one graph input is fed with.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The robot's state, in the order of [`Package::robot`].
    State,
    /// Some values of the robot, in an order and units of their own.
    Values {
        /// The values.
        entries: Vec<StateEntry>,
        /// Their units.
        units: Units,
        /// Where the package says so, for findings.
        place: String,
    },
    /// A camera's picture.
    Image {
        /// The camera's name.
        camera: String,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// How its pixels are laid out.
        pixels: Pixels,
    },
    /// What the graph gave for the memory of this index at the inference before, zeros at first.
    Memory(usize),
    /// How many inferences there were, times this.
    Count(i32),
    /// What is being executed, for a graph made for real-time chunking.
    Chunk(ChunkPart),
    /// Normally distributed numbers, from the job's seed and the plan's id.
    Noise,
}

/// What a graph made for real-time chunking takes of the chunk before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkPart {
    /// The actions that are left of it, at the steps of the next one, as the graph put them out;
    /// zeros beyond its end.
    LeftOver,
    /// Steps that will be consumed or under way when the next chunk comes.
    Delay,
    /// The step from which on the next chunk is free.
    Horizon,
    /// The most that the next chunk is led.
    Guidance,
}

/// How a picture is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Float RGB 0…1, then normalised; planes of rows. A picture of another size is stretched.
    Floats,
    /// Bytes, pixel by pixel. A picture of another size keeps its sides' ratio, black around it.
    Interleaved,
    /// Bytes, planes of rows; sized likewise.
    Planes,
}

/// What a graph gives at one inference and takes at the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The output's name in the graph.
    pub output: String,
    /// Its sizes.
    pub shape: Vec<usize>,
}

/// What is run.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// The graph in this file, here.
    Graph(PathBuf),
    /// What a server runs, there.
    Server(Box<Server>),
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
    /// The directory, or the server's address.
    pub dir: PathBuf,
    /// What is run.
    pub model: Model,
    /// The graph's inputs.
    pub inputs: Vec<Input>,
    /// What it takes of the inference before.
    pub memories: Vec<Memory>,
    /// How many moments it sees at once, each a step of [`Robot::timing`] after the one before;
    /// inputs that show them have that many rows.
    pub moments: usize,
    /// The graph's output.
    pub output: Output,
    /// The robot it was trained for.
    pub robot: Robot,
    /// It was evaluated as an ensemble of its chunks, with weights of this steepness.
    pub ensemble_m: Option<f64>,
    /// It was evaluated with so many actions of a chunk executed before the next.
    pub executed: Option<usize>,
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
        if !has(MANIFEST)
            && let Some((folder, name)) = alone::find(dir)
        {
            let package = alone::read(&folder, &name, findings);
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
        let (chunk, executed) = component::runner(&model, findings);
        let moments = component::observation_steps(&model, findings);
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
        let memories = memory::declared(&model, &signature, findings);
        let mut inputs =
            features::inputs(&signature, &cameras, &robot, moments, &memories, findings);
        let mut output = features::output(&signature, &graph.name, chunk.as_ref(), findings)?;
        features::declared(&model, &inputs, findings);
        features::state_width(&inputs, &robot, findings);
        features::action_width(&output, &robot, findings);
        component::normalisation(dir, &model, &mut inputs, &mut output, findings);
        let executed = Chunk::executed(executed, &output, findings);
        Some(Package {
            name: component::policy_name(&root, dir, findings),
            dir: dir.to_owned(),
            model: Model::Graph(graph.path),
            inputs,
            memories: memories.into_iter().map(|it| it.memory).collect(),
            moments,
            output,
            robot,
            ensemble_m: None,
            executed,
            extra,
        })
    }

    /// How many waypoints a chunk becomes: a single action is held for a while.
    #[must_use]
    pub fn waypoints(&self) -> usize {
        match self.output.chunk {
            1 => {
                let held = (HOLD_SECS * self.robot.timing.rate_hz).ceil() as usize;
                (held + 1).clamp(2, MAX_WAYPOINTS)
            }
            chunk => chunk,
        }
    }

    /// How often it must be asked, where each action is made of what the one before came to.
    #[must_use]
    pub fn pace_hz(&self) -> Option<f64> {
        (self.output.chunk == 1).then_some(self.robot.timing.rate_hz)
    }

    /// Whether its actions depend on numbers drawn for them.
    #[must_use]
    pub fn draws(&self) -> bool {
        self.inputs.iter().any(|it| it.source == Source::Noise)
    }

    /// Whether its graph wants to know what is being executed.
    #[must_use]
    pub fn continues(&self) -> bool {
        let told = |input: &Input| matches!(input.source, Source::Chunk(_));
        self.inputs.iter().any(told)
    }

    /// The names of the cameras it looks through.
    pub fn cameras(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().filter_map(|input| match &input.source {
            Source::Image { camera, .. } => Some(camera.as_str()),
            Source::State
            | Source::Values { .. }
            | Source::Memory(_)
            | Source::Count(_)
            | Source::Chunk(_)
            | Source::Noise => None,
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
