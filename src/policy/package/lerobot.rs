//! A LeRobot checkpoint with the policy's graph exported beside it.
//!
//! Owns what such a directory says in its own files: `config.json` (features and how each is
//! normalised), the processors' steps and statistics (`policy_preprocessor.json`,
//! `policy_postprocessor.json`), and, where it was put there too, the data set's `info.json` (rate
//! and joint names, which a checkpoint does not hold). The graph takes `observation.state` and
//! `observation.images.<camera>` normalised, and gives `action` normalised. Never reads the weights.

use std::path::Path;

use serde_json::Value;

mod pipeline;

use super::component::{self, Chunk};
use super::features::{self, Camera, Cameras};
use super::files;
use super::memory;
use super::node::Node;
use super::robot::{ActionLayout, Places, Robot, StateEntry, Timing, Units};
use super::{Input, MAX_GRAPH, MAX_MANIFEST, Model, Output, Package, Source, signature};
use crate::policy::finding::Findings;
use pipeline::{DENORMALISERS, NORMALISERS, Pipeline};

/// What a checkpoint calls its parts.
pub(super) const CONFIG: &str = "config.json";
const BEFORE: &str = "policy_preprocessor.json";
const AFTER: &str = "policy_postprocessor.json";
/// The data set's own description, where it stands in a data set and where it may be put.
const INFO: [&str; 2] = ["info.json", "meta/info.json"];
/// Actions a second of most data sets.
const USUAL_RATE_HZ: f64 = 30.0;
/// What −100…100 can't exceed.
const PERCENT: f64 = 100.5;

/// Reads the checkpoint in `dir`.
pub(super) fn read(dir: &Path, findings: &mut Findings) -> Option<Package> {
    let config = json(dir, CONFIG, findings)?;
    let config = Node::root(&config, CONFIG);
    let kind = config.need("type", findings)?.text(findings)?.to_owned();
    let moments = component::observation_steps(&config, findings);
    let cameras = cameras(&config, findings);
    let name = graph_name(dir, findings)?;
    let graph = match files::locate(dir, &name, MAX_GRAPH) {
        Ok(graph) => graph,
        Err(error) => {
            findings.error(name, error.to_string(), "export the graph again");
            return None;
        }
    };
    let signature = match signature(&graph) {
        Ok(signature) => signature,
        Err(error) => {
            let remedy = "export the graph again as one .onnx file";
            findings.error(name, error.to_string(), remedy);
            return None;
        }
    };
    let before = Pipeline::read(dir, BEFORE, &NORMALISERS, findings)?;
    let after = Pipeline::read(dir, AFTER, &DENORMALISERS, findings)?;
    let mut robot = robot(dir, &config, &before, findings);
    let memories = memory::declared(&config, &signature, findings);
    let mut inputs = features::inputs(&signature, &cameras, &robot, moments, &memories, findings);
    let chunk = config.get("chunk_size");
    let chunk = chunk.and_then(|node| Chunk::read(&node, findings));
    let mut output = features::output(&signature, &name, chunk.as_ref(), findings)?;
    let executed = config.get("n_action_steps");
    let executed = executed.and_then(|node| Chunk::read(&node, findings));
    let executed = Chunk::executed(executed, &output, findings);
    declared(&config, &inputs, &output, findings);
    before.normalise(&config, &mut inputs, findings);
    after.denormalise(&config, &mut output, findings);
    before.rename(&mut inputs);
    robot.kind = format!("LeRobot {kind}");
    Some(Package {
        name: kind,
        dir: dir.to_owned(),
        model: Model::Graph(graph),
        inputs,
        memories: memories.into_iter().map(|it| it.memory).collect(),
        moments,
        output,
        robot,
        ensemble_m: ensemble_m(&config, findings),
        executed,
        extra: serde_json::Map::new(),
    })
}

/// The steepness of the ensemble that the policy was evaluated with, if it was with one.
fn ensemble_m(config: &Node<'_>, findings: &mut Findings) -> Option<f64> {
    let node = config.get("temporal_ensemble_coeff")?;
    node.number(findings)
}

/// A JSON file of the checkpoint.
fn json(dir: &Path, name: &str, findings: &mut Findings) -> Option<Value> {
    let bytes = match files::read(dir, name, MAX_MANIFEST) {
        Ok(bytes) => bytes,
        Err(error) => {
            let remedy = match name {
                BEFORE | AFTER => {
                    "convert the checkpoint with LeRobot's migration to processors, or export it as a policy package"
                }
                _ => "copy the whole checkpoint",
            };
            findings.error(name, error.to_string(), remedy);
            return None;
        }
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| findings.error(name, error.to_string(), "make it valid JSON"))
        .ok()
}

/// The one graph in the checkpoint.
fn graph_name(dir: &Path, findings: &mut Findings) -> Option<String> {
    let place = dir.display().to_string();
    let all = match files::files(dir) {
        Ok(all) => all,
        Err(error) => {
            findings.error(place, error.to_string(), "copy the whole checkpoint");
            return None;
        }
    };
    let graphs: Vec<String> = all
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.to_ascii_lowercase().ends_with(".onnx"))
        .collect();
    match graphs.as_slice() {
        [graph] => Some(graph.clone()),
        [] => {
            findings.error(
                place,
                "the checkpoint has no .onnx file beside it",
                "export its graph with training/export_lerobot.py",
            );
            None
        }
        several => {
            let what = format!("it has several graphs: {}", several.join(", "));
            findings.error(place, what, "leave the one that is to run");
            None
        }
    }
}

/// The pictures the configuration names, in its order.
fn cameras(config: &Node<'_>, findings: &mut Findings) -> Cameras {
    let list = config.need("input_features", findings);
    let members = list.as_ref().and_then(|list| list.object(findings));
    let mut cameras = Vec::new();
    for key in members.into_iter().flat_map(|members| members.keys()) {
        let Some(feature) = list.as_ref().and_then(|list| list.get(key)) else {
            continue;
        };
        let kind = feature.get("type").and_then(|kind| kind.text(findings));
        if kind == Some("VISUAL") {
            cameras.push(Camera {
                name: camera_of(key),
                size: features::picture_size(&feature, findings),
            });
        }
    }
    Cameras {
        all: cameras,
        place: "config.json: input_features",
    }
}

/// The camera that a feature is the picture of.
fn camera_of(feature: &str) -> String {
    let name = feature.rsplit_once("images.").map(|(_, name)| name);
    name.unwrap_or(feature).to_owned()
}

/// Every feature the configuration names must be what the graph takes and gives.
fn declared(config: &Node<'_>, inputs: &[Input], output: &Output, findings: &mut Findings) {
    for (list, graph) in [("input_features", false), ("output_features", true)] {
        let Some(list) = config.get(list) else {
            continue;
        };
        let keys = list.object(findings).into_iter().flat_map(|all| all.keys());
        for key in keys {
            let Some(feature) = list.get(key) else {
                continue;
            };
            let shape = feature.get("shape").and_then(|it| it.shape(findings));
            let found = if graph {
                (key == "action").then(|| vec![output.width])
            } else {
                let fed = inputs.iter().find(|input| input.feature() == *key);
                fed.map(|input| input.moment().to_vec())
            };
            match (found, shape) {
                (None, _) => findings.error(
                    feature.place(),
                    "the graph has nothing of this name",
                    "export the graph with LeRobot's names, or export a policy package",
                ),
                (Some(found), Some(shape)) if found != shape => findings.error(
                    feature.place(),
                    format!("it is {shape:?}, the graph's is {found:?}"),
                    "export the graph from this very checkpoint",
                ),
                _ => {}
            }
        }
    }
}

impl Input {
    /// LeRobot's name of it.
    fn feature(&self) -> String {
        match &self.source {
            Source::State => "observation.state".into(),
            Source::Image { camera, .. } => format!("observation.images.{camera}"),
            Source::Values { .. }
            | Source::Memory(_)
            | Source::Count(_)
            | Source::Chunk(_)
            | Source::Noise => self.tensor.clone(),
        }
    }
}

/// The robot, of which a checkpoint says little.
fn robot(dir: &Path, config: &Node<'_>, before: &Pipeline, findings: &mut Findings) -> Robot {
    let mut width = |list: &str, key: &str| {
        let shape = config.get(list)?.get(key)?.get("shape")?.shape(findings)?;
        shape.first().copied()
    };
    let state_width = width("input_features", "observation.state");
    let action_width = width("output_features", "action");
    let info = INFO.iter().find(|name| dir.join(name).exists());
    let info = info.and_then(|name| Some((*name, json(dir, name, findings)?)));
    let info = info.as_ref().map(|(name, value)| Node::root(value, name));
    let feature = |key: &str| info.as_ref()?.get("features")?.get(key)?.get("names");
    let (state, action) = (feature("observation.state"), feature("action"));
    if action.is_none() {
        findings.warning(
            CONFIG,
            "a checkpoint does not name its joints: they are taken in the arm's order",
            "put the data set's meta/info.json beside it",
        );
    }
    let (state, action) = (
        joints(state, state_width, findings),
        joints(action, action_width, findings),
    );
    let units = units(info.as_ref(), before, findings);
    Robot {
        kind: String::new(),
        state: state.map(|all| all.into_iter().map(StateEntry::Position).collect()),
        state_width,
        state_units: units,
        action: ActionLayout::positions(action),
        action_width,
        action_units: units,
        gripper_units: units,
        timing: Timing {
            rate_hz: rate(info.as_ref(), findings),
            first_step: 0.0,
        },
        places: Places {
            state: "config.json: input_features.observation.state".into(),
            action: "config.json: output_features.action".into(),
        },
    }
}

/// The joints a data set names for a feature of `width` values.
fn joints(
    names: Option<Node<'_>>,
    width: Option<usize>,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let node = names?;
    let names = node.texts(findings);
    if width.is_some_and(|width| width != names.len()) {
        findings.error(
            node.place(),
            format!(
                "it names {} values, config.json has {}",
                names.len(),
                width.unwrap_or_default()
            ),
            "put the info.json of the data set beside it that the policy was trained on",
        );
        return None;
    }
    let joint = |name: &&str| name.strip_suffix(".pos").unwrap_or(name).to_owned();
    Some(names.iter().map(joint).collect())
}

fn rate(info: Option<&Node<'_>>, findings: &mut Findings) -> f64 {
    let Some(node) = info.and_then(|info| info.get("fps")) else {
        findings.warning(
            CONFIG,
            format!("a checkpoint does not say its rate: {USUAL_RATE_HZ} actions a second"),
            "put the data set's meta/info.json beside it, or the arm moves at the wrong speed",
        );
        return USUAL_RATE_HZ;
    };
    match node.number(findings) {
        Some(rate) if (1.0..=1000.0).contains(&rate) => rate,
        Some(rate) => {
            let what = format!("it is {rate}");
            findings.error(node.place(), what, "make it 1 to 1000 actions a second");
            USUAL_RATE_HZ
        }
        None => USUAL_RATE_HZ,
    }
}

/// Degrees, as LeRobot records by default; −100…100 was its default before.
fn units(info: Option<&Node<'_>>, before: &Pipeline, findings: &mut Findings) -> Units {
    if let Some(node) = info.and_then(|info| info.get("units")) {
        match node.text(findings) {
            Some("degrees") => return Units::Degrees,
            Some("percent") => return Units::Percent,
            Some("si") => return Units::Si,
            Some(other) => {
                let what = format!("{other:?} are no units");
                findings.error(node.place(), what, "write si, degrees or percent");
            }
            None => {}
        }
        return Units::Degrees;
    }
    let extremes = ["min", "max"].map(|it| before.stats.values("observation.state", it));
    let mut extremes = extremes.into_iter().flatten();
    if !extremes.any(|value| value.abs() > PERCENT) {
        findings.warning(
            CONFIG,
            "a checkpoint does not say its units: degrees, the gripper 0…100",
            "add \"units\": \"degrees\" or \"percent\" to the info.json beside it, and watch the first moves",
        );
    }
    Units::Degrees
}
