//! A graph that stands alone: an `.onnx` file whose exporter wrote into its metadata what a manifest
//! would say.
//!
//! Owns which exporter it was, and what both dialects share: graphs that give one action at a time for
//! joints by name, in radians. What a servo arm can't give them or do with their output is refused by
//! the key that asks for it.

use std::path::{Path, PathBuf};

mod exploy;
mod mjlab;

use super::files;
use super::graph::{Element, Tensor};
use super::robot::{ActionLayout, Places, Robot, Timing, Units};
use super::stats::Affine;
use super::{MAX_GRAPH, MAX_LED, Output, Package, signature};
use crate::policy::finding::Findings;

/// The graph at `dir`, where that is one or a folder that holds one and no manifest: its folder and
/// its name there.
pub(super) fn find(dir: &Path) -> Option<(PathBuf, String)> {
    let onnx = |path: &Path| {
        path.extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("onnx"))
    };
    if dir.is_file() {
        let name = dir.file_name()?.to_str()?.to_owned();
        let folder = dir.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        return onnx(dir).then_some((folder, name));
    }
    let all = files::files(dir).ok()?;
    let mut graphs = all.into_iter().filter(|(name, _)| onnx(Path::new(name)));
    match (graphs.next(), graphs.next()) {
        (Some((name, _)), None) => Some((dir.to_owned(), name)),
        _ => None,
    }
}

/// Reads the graph `name` in `folder`.
pub(super) fn read(folder: &Path, name: &str, findings: &mut Findings) -> Option<Package> {
    let path = match files::locate(folder, name, MAX_GRAPH) {
        Ok(path) => path,
        Err(error) => {
            findings.error(name, error.to_string(), "export the graph again");
            return None;
        }
    };
    let signature = match signature(&path) {
        Ok(signature) => signature,
        Err(error) => {
            let remedy = "export the graph again as one .onnx file";
            findings.error(name, error.to_string(), remedy);
            return None;
        }
    };
    let metadata = &signature.metadata;
    if metadata.contains_key("exploy_version") {
        return exploy::read(&path, name, &signature, findings);
    }
    if metadata.contains_key("observation_names") || metadata.contains_key("action_scale") {
        return mjlab::read(&path, name, &signature, findings);
    }
    findings.error(
        name,
        "it stands alone, and its metadata are neither exploy's (exploy_version) nor mjlab's (observation_names)",
        "put the policy's manifest.json beside it, or export it with its metadata",
    );
    None
}

/// A key of the metadata of the graph `name`.
fn place(name: &str, key: &str) -> String {
    format!("{name}: metadata {key}")
}

/// A robot whose joints are told and moved in radians, one action at a time.
fn robot(kind: &str, joints: Vec<String>, rate_hz: f64, places: Places) -> Robot {
    Robot {
        kind: kind.to_owned(),
        state: None,
        state_width: None,
        state_units: Units::Si,
        action_width: Some(joints.len()),
        action: ActionLayout::positions(Some(joints)),
        action_units: Units::Si,
        gripper_units: Units::Si,
        timing: Timing {
            rate_hz,
            first_step: 0.0,
        },
        places,
    }
}

/// The names of joints, as many as an arm may have and each once.
fn joints(names: Vec<String>, place: &str, findings: &mut Findings) -> Option<Vec<String>> {
    let twice = names
        .iter()
        .enumerate()
        .find(|(index, name)| names.iter().take(*index).any(|other| other == *name));
    if let Some((_, name)) = twice {
        let what = format!("{name:?} is named twice");
        findings.error(place, what, "name each joint once");
        return None;
    }
    if !(1..=MAX_LED).contains(&names.len()) {
        findings.error(
            place,
            format!("it names {} joints", names.len()),
            format!("give a policy for 1 to {MAX_LED} joints"),
        );
        return None;
    }
    Some(names)
}

/// Joints that are not held where they should be can't be told where they should be.
fn held(names: &[String], stiffness: &[f64], place: &str, findings: &mut Findings) {
    for (joint, stiffness) in names.iter().zip(stiffness) {
        if *stiffness <= 0.0 {
            findings.error(
                place,
                format!("{joint} has the stiffness {stiffness}: it is driven by torque or speed, a servo follows positions"),
                "train with position-controlled joints",
            );
        }
    }
}

/// The output `tensor`, one action of `width` values.
fn output(
    tensor: &Tensor,
    width: usize,
    names: &str,
    denormalise: Affine,
    findings: &mut Findings,
) -> Option<Output> {
    let shape: Vec<usize> = tensor.shape.iter().map(|size| size.unwrap_or(1)).collect();
    if tensor.element != Element::Float32 || shape != [1, width] {
        findings.error(
            names,
            format!("it names {width} joints, the graph gives {shape:?}"),
            "export the graph and its metadata from the same policy, in float32",
        );
        return None;
    }
    Some(Output {
        tensor: tensor.name.clone(),
        chunk: 1,
        width,
        denormalise,
    })
}
