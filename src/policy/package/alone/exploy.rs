//! What exploy writes into a graph: JSON by the names of its inputs and outputs.
//!
//! Names say what a tensor is: `obj.<robot>.joints.pos|vel`, `memory.<name>.in|out`,
//! `ctx.step_count`, `output.joint_targets.<group>.pos|vel|effort`; units are SI, and all that is done
//! before and after the network is in the graph. The graph runs at `update_rate` and thinks anew every
//! `decimation` steps; here it is asked at those steps alone.

use std::path::Path;

use serde_json::Value;

use super::super::graph::{Element, Signature, Tensor};
use super::super::memory;
use super::super::node::Node;
use super::super::robot::{Places, StateEntry, Units};
use super::super::stats::Affine;
use super::super::{Input, Memory, Model, Package, Source};
use super::{held, joints, output, place, robot};
use crate::policy::finding::Findings;

const COUNT: &str = "ctx.step_count";
const TARGETS: &str = "output.joint_targets.";

struct Graph<'a> {
    name: &'a str,
    signature: &'a Signature,
}

pub(super) fn read(
    path: &Path,
    name: &str,
    signature: &Signature,
    findings: &mut Findings,
) -> Option<Package> {
    let graph = Graph { name, signature };
    version(&graph, findings);
    let rate = graph.number("update_rate", 1.0..=10_000.0, None, findings)?;
    let every = graph.number("decimation", 1.0..=1000.0, Some(1.0), findings)?;
    let (mut inputs, mut memories) = (Vec::new(), Vec::new());
    for tensor in &signature.inputs {
        inputs.extend(graph.input(tensor, every as i32, &mut memories, findings));
    }
    let group = graph.group(findings)?;
    let at = place(name, &group);
    let value = graph.json(&group, findings)?;
    let said = Node::root(&value, &at);
    let list = |key: &str, findings: &mut Findings| {
        let node = said.need(key, findings)?;
        Some(node.list(findings))
    };
    let names = said.need("names", findings)?.texts(findings);
    let names = names.into_iter().map(str::to_owned).collect();
    let joints = joints(names, &at, findings)?;
    let stiffness: Vec<f64> = list("stiffness", findings)?
        .iter()
        .filter_map(|node| node.number(findings))
        .collect();
    if stiffness.len() != joints.len() {
        let what = format!(
            "it has {} stiffnesses for {} joints",
            stiffness.len(),
            joints.len()
        );
        findings.error(at, what, "export the policy again");
        return None;
    }
    held(&joints, &stiffness, &at, findings);
    let position = format!("{group}.pos");
    let Some(tensor) = signature.outputs.iter().find(|it| it.name == position) else {
        findings.error(
            at,
            format!("the graph does not give {position:?}: a servo follows positions alone"),
            "train with position-controlled joints",
        );
        return None;
    };
    let affine = Affine::identity(joints.len());
    let output = output(tensor, joints.len(), &at, affine, findings)?;
    let places = Places {
        state: at.clone(),
        action: at,
    };
    Some(Package {
        ensemble_m: None,
        executed: None,
        name: path.file_stem()?.to_string_lossy().into_owned(),
        dir: path.to_owned(),
        model: Model::Graph(path.to_owned()),
        inputs,
        memories,
        moments: 1,
        output,
        robot: robot("exploy", joints, rate / every, places),
        extra: serde_json::Map::new(),
    })
}

/// Any version is read; one that is none is a file that somebody else wrote.
fn version(graph: &Graph<'_>, findings: &mut Findings) {
    let Some(value) = graph.json("exploy_version", findings) else {
        return;
    };
    let text = value.as_str().unwrap_or_default();
    let numbers = text
        .split('.')
        .take(2)
        .filter(|part| part.parse::<u32>().is_ok());
    if numbers.count() != 2 {
        findings.error(
            place(graph.name, "exploy_version"),
            format!("it is {value}"),
            "export the policy with exploy",
        );
    }
}

impl Graph<'_> {
    fn json(&self, key: &str, findings: &mut Findings) -> Option<Value> {
        let Some(text) = self.signature.metadata.get(key) else {
            findings.error(
                place(self.name, key),
                "it is missing",
                "export the policy with exploy",
            );
            return None;
        };
        serde_json::from_str(text)
            .map_err(|error| {
                let remedy = "export the policy with exploy";
                findings.error(place(self.name, key), error.to_string(), remedy);
            })
            .ok()
    }

    /// A number that is written as plain text.
    fn number(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<f64>,
        otherwise: Option<f64>,
        findings: &mut Findings,
    ) -> Option<f64> {
        let text = self.signature.metadata.get(key).map(String::as_str);
        let number = match text {
            None if otherwise.is_some() => return otherwise,
            None => None,
            Some(text) => text.trim().trim_matches('"').parse::<f64>().ok(),
        };
        let right = number.filter(|number| range.contains(number));
        if right.is_none() {
            findings.error(
                place(self.name, key),
                text.map_or("it is missing".into(), |text| format!("it is {text:?}")),
                format!("make it {} to {}", range.start(), range.end()),
            );
        }
        right
    }

    /// What feeds one input, where something does.
    fn input(
        &self,
        tensor: &Tensor,
        every: i32,
        memories: &mut Vec<Memory>,
        findings: &mut Findings,
    ) -> Option<Input> {
        let name = tensor.name.as_str();
        if name == COUNT && tensor.element == Element::Int32 {
            let shape: Vec<usize> = tensor.shape.iter().map(|size| size.unwrap_or(1)).collect();
            return Some(Input::plain(tensor, shape, Source::Count(every)));
        }
        if let Some(stem) = name
            .strip_prefix("memory.")
            .and_then(|it| it.strip_suffix(".in"))
        {
            let place = format!("{}: {name}", self.name);
            let output = format!("memory.{stem}.out");
            let found = memory::pair(self.signature, name, &output, &place, findings)?;
            let shape = found.memory.shape.clone();
            memories.push(found.memory);
            return Some(Input::plain(
                tensor,
                shape,
                Source::Memory(memories.len() - 1),
            ));
        }
        if let Some((group, kind)) = name.rsplit_once('.')
            && group.starts_with("obj.")
            && group.ends_with(".joints")
        {
            return self.joints(tensor, group, kind, findings);
        }
        let (what, remedy) = if name.starts_with("cmd.") {
            (
                "it is a command, and nobody gives one here",
                "train a policy that finds its target in what it sees",
            )
        } else if name.starts_with("obj.") {
            (
                "it is where a body is or how it moves: this arm stands, and measures its joints alone",
                "train without the base's and other bodies' motion in the observation",
            )
        } else if name.starts_with("sensor.") {
            (
                "it is a sensor that this arm has not",
                "train with joints alone in the observation",
            )
        } else {
            (
                "nothing here can feed this input",
                "train with joints alone in the observation",
            )
        };
        findings.error(format!("{}: {name}", self.name), what, remedy);
        None
    }

    fn joints(
        &self,
        tensor: &Tensor,
        group: &str,
        kind: &str,
        findings: &mut Findings,
    ) -> Option<Input> {
        let at = place(self.name, group);
        let value = self.json(group, findings)?;
        let said = Node::root(&value, &at);
        let names = said.need("joint_names", findings)?.texts(findings);
        let entry = |name: &&str| match kind {
            "vel" => StateEntry::Velocity((*name).to_owned()),
            _ => StateEntry::Position((*name).to_owned()),
        };
        let width = tensor.shape.last().copied().flatten();
        let known = ["pos", "vel"].contains(&kind) && tensor.element == Element::Float32;
        if !known || tensor.shape.len() != 2 || width.is_some_and(|width| width != names.len()) {
            findings.error(
                at,
                format!(
                    "it names {} joints, {} is {:?}",
                    names.len(),
                    tensor.name,
                    tensor.shape
                ),
                "export the policy again",
            );
            return None;
        }
        let source = Source::Values {
            entries: names.iter().map(entry).collect(),
            units: Units::Si,
            place: at,
        };
        Some(Input::plain(tensor, vec![1, names.len()], source))
    }

    /// The one group of joints that the graph moves.
    fn group(&self, findings: &mut Findings) -> Option<String> {
        let outputs = self.signature.outputs.iter().map(|it| it.name.as_str());
        let other = outputs
            .clone()
            .find(|name| name.starts_with("output.") && !name.starts_with(TARGETS));
        if let Some(other) = other {
            findings.error(
                format!("{}: {other}", self.name),
                "it moves something else than joints",
                "train a policy that moves joints alone",
            );
        }
        let mut groups: Vec<&str> = outputs
            .filter(|name| name.starts_with(TARGETS))
            .filter_map(|name| name.rsplit_once('.').map(|(group, _)| group))
            .collect();
        groups.sort_unstable();
        groups.dedup();
        match groups.as_slice() {
            [group] => Some((*group).to_owned()),
            _ => {
                findings.error(
                    self.name,
                    format!("it moves {} groups of joints", groups.len()),
                    "give a policy that moves the arm's joints in one group",
                );
                None
            }
        }
    }
}
