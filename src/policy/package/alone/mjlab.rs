//! What mjlab and Isaac Lab's RSL-RL exporter write into a graph: lists of text, comma by comma.
//!
//! `obs` goes in, `actions` comes out; a joint's target is its default plus scale times action. The
//! terms of `obs` are named in `observation_names`. A recurrent network hands `h_out` (and `c_out`) on
//! to `h_in` (and `c_in`). The rate is not said: those environments step 50 times a second.

use std::path::Path;

use super::super::graph::{Element, Signature};
use super::super::memory;
use super::super::robot::{Places, StateEntry, Units};
use super::super::stats::Affine;
use super::super::{Input, Model, Package, Source};
use super::{held, joints, output, place, robot};
use crate::policy::finding::Findings;

/// Steps a second of the environments, where nothing is said.
const USUAL_RATE_HZ: f64 = 50.0;
/// Inputs and outputs of a recurrent network.
const RECURRENT: [(&str, &str); 2] = [("h_in", "h_out"), ("c_in", "c_out")];

/// The metadata of one graph.
struct Metadata<'a> {
    name: &'a str,
    signature: &'a Signature,
}

impl Metadata<'_> {
    fn place(&self, key: &str) -> String {
        place(self.name, key)
    }

    fn texts(&self, key: &str, findings: &mut Findings) -> Option<Vec<String>> {
        let Some(text) = self.signature.metadata.get(key) else {
            let remedy = "export the policy with its metadata";
            findings.error(self.place(key), "it is missing", remedy);
            return None;
        };
        let parts = text.split(',').map(|part| part.trim().to_owned());
        Some(parts.filter(|part| !part.is_empty()).collect())
    }

    fn numbers(&self, key: &str, findings: &mut Findings) -> Option<Vec<f64>> {
        let texts = self.texts(key, findings)?;
        let mut numbers = Vec::new();
        for text in texts {
            match text.parse::<f64>() {
                Ok(number) if number.is_finite() => numbers.push(number),
                _ => {
                    let what = format!("{text:?} is no number");
                    let remedy = "export the policy with its metadata";
                    findings.error(self.place(key), what, remedy);
                    return None;
                }
            }
        }
        Some(numbers)
    }

    /// One number a joint.
    fn of_joints(&self, key: &str, joints: usize, findings: &mut Findings) -> Option<Vec<f64>> {
        let numbers = self.numbers(key, findings)?;
        if numbers.len() != joints {
            findings.error(
                self.place(key),
                format!("it has {} values, joint_names {joints}", numbers.len()),
                "export the policy with its metadata",
            );
            return None;
        }
        Some(numbers)
    }
}

pub(super) fn read(
    path: &Path,
    name: &str,
    signature: &Signature,
    findings: &mut Findings,
) -> Option<Package> {
    let said = Metadata { name, signature };
    let names = said.place("joint_names");
    let joints = joints(said.texts("joint_names", findings)?, &names, findings)?;
    let defaults = said.of_joints("default_joint_pos", joints.len(), findings)?;
    let mut scales = said.numbers("action_scale", findings)?;
    if let [all] = scales.as_slice() {
        scales = vec![*all; joints.len()];
    }
    if scales.len() != joints.len() {
        let what = format!("it has {} values for {} joints", scales.len(), joints.len());
        let remedy = "export the policy with its metadata";
        findings.error(said.place("action_scale"), what, remedy);
        return None;
    }
    if signature.metadata.contains_key("joint_stiffness") {
        let stiffness = said.of_joints("joint_stiffness", joints.len(), findings)?;
        let place = said.place("joint_stiffness");
        held(&joints, &stiffness, &place, findings);
    }
    let terms = said.texts("observation_names", findings)?;
    let seen = said.place("observation_names");
    let (entries, pairs) = entries(&terms, &joints, &defaults, &seen, findings)?;
    let (mut inputs, mut memories) = (Vec::new(), Vec::new());
    for tensor in &signature.inputs {
        let pair = RECURRENT.iter().find(|(input, _)| *input == tensor.name);
        if let Some((input, output)) = pair {
            let place = format!("{name}: {input}");
            let found = memory::pair(signature, input, output, &place, findings)?;
            let shape = found.memory.shape.clone();
            inputs.push(Input::plain(tensor, shape, Source::Memory(memories.len())));
            memories.push(found.memory);
            continue;
        }
        let place = format!("{name}: {}", tensor.name);
        if tensor.name != "obs" || tensor.element != Element::Float32 {
            let what = match tensor.name.as_str() {
                "time_step" => {
                    "it follows a recorded motion, which is not in time with an arm here"
                }
                _ => "nothing here can feed this input",
            };
            findings.error(
                place,
                what,
                "export a policy that takes obs alone, in float32",
            );
            return None;
        }
        let width = tensor.shape.last().copied().flatten();
        if tensor.shape.len() != 2 || width.is_some_and(|width| width != entries.len()) {
            findings.error(
                seen.clone(),
                format!(
                    "its terms have {} values, the graph's obs {:?}",
                    entries.len(),
                    width.unwrap_or_default()
                ),
                "train without histories or other joints in the observation",
            );
            return None;
        }
        let source = Source::Values {
            entries: entries.clone(),
            units: Units::Si,
            place: names.clone(),
        };
        let mut input = Input::plain(tensor, vec![1, entries.len()], source);
        input.normalise = Affine::new(pairs.clone());
        inputs.push(input);
    }
    if !inputs.iter().any(|it| it.tensor == "obs") {
        findings.error(name, "it has no input obs", "export the whole policy");
        return None;
    }
    let Some(tensor) = signature.outputs.iter().find(|it| it.name == "actions") else {
        findings.error(name, "it has no output actions", "export the whole policy");
        return None;
    };
    let targets = scales.into_iter().zip(defaults).collect();
    let output = output(tensor, joints.len(), &names, Affine::new(targets), findings)?;
    let rate_hz = rate(&said, findings);
    let places = Places {
        state: names.clone(),
        action: names,
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
        robot: robot("mjlab", joints, rate_hz, places),
        extra: serde_json::Map::new(),
    })
}

fn rate(said: &Metadata<'_>, findings: &mut Findings) -> f64 {
    let place = said.place("update_rate");
    let Some(text) = said.signature.metadata.get("update_rate") else {
        findings.warning(
            place,
            format!("it is not said: {USUAL_RATE_HZ} actions a second"),
            "add update_rate to the metadata, or the arm moves at the wrong speed",
        );
        return USUAL_RATE_HZ;
    };
    match text.trim().parse::<f64>() {
        Ok(rate) if (1.0..=1000.0).contains(&rate) => rate,
        _ => {
            let what = format!("it is {text:?}");
            findings.error(place, what, "make it 1 to 1000 actions a second");
            USUAL_RATE_HZ
        }
    }
}

/// The values of the observation in order, and what is done to each.
#[expect(clippy::type_complexity, reason = "two lists of the same length")]
fn entries(
    terms: &[String],
    joints: &[String],
    defaults: &[f64],
    place: &str,
    findings: &mut Findings,
) -> Option<(Vec<StateEntry>, Vec<(f64, f64)>)> {
    let (mut entries, mut pairs) = (Vec::new(), Vec::new());
    let before = findings.errors();
    for term in terms {
        match term.as_str() {
            "joint_pos" | "joint_pos_rel" => {
                entries.extend(joints.iter().cloned().map(StateEntry::Position));
                pairs.extend(defaults.iter().map(|default| (1.0, -default)));
            }
            "joint_vel" | "joint_vel_rel" => {
                entries.extend(joints.iter().cloned().map(StateEntry::Velocity));
                pairs.extend(joints.iter().map(|_| (1.0, 0.0)));
            }
            "actions" | "last_action" => {
                entries.extend((0..joints.len()).map(StateEntry::LastAction));
                pairs.extend(joints.iter().map(|_| (1.0, 0.0)));
            }
            "base_lin_vel" | "base_ang_vel" | "projected_gravity" | "root_lin_vel"
            | "root_ang_vel" | "imu_ang_vel" | "imu_lin_acc" => findings.error(
                place,
                format!(
                    "{term:?} is how a base moves: this arm stands, and measures no such thing"
                ),
                "train without the base's motion in the observation",
            ),
            "command" | "commands" | "velocity_commands" | "pose_command" => findings.error(
                place,
                format!("{term:?} is a command, and nobody gives one here"),
                "train a policy that finds its target in what it sees",
            ),
            _ => findings.error(
                place,
                format!("nothing here can feed the term {term:?}"),
                "train with joint_pos, joint_vel and actions in the observation",
            ),
        }
    }
    (findings.errors() == before).then_some((entries, pairs))
}
