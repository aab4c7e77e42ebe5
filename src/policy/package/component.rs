//! The parts a manifest names: artifacts, runner, pre- and postprocessors.
//!
//! A part is `type` and flat parameters, or `class_path` and `init_args`. Either is only a name
//! looked up here; a name that is not in the table is refused.

use std::path::{Path, PathBuf};

use super::files::{self, FileError};
use super::node::Node;
use super::stats::{Mode, Stats};
use super::{Input, MAX_GRAPH, MAX_STATS, Output, Source};
use crate::policy::finding::Findings;

/// The parts that are known, by either name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    SinglePass,
    ActionChunking,
    ToFloatTensor,
    Normalise,
    Denormalise,
}

const PARTS: [(&str, &str, Part); 7] = [
    ("single_pass", "SinglePass", Part::SinglePass),
    ("action_chunking", "ActionChunking", Part::ActionChunking),
    ("to_float_tensor", "ToFloatTensor", Part::ToFloatTensor),
    ("normalize", "Normalize", Part::Normalise),
    ("normalize", "StatsNormalizer", Part::Normalise),
    ("denormalize", "Denormalize", Part::Denormalise),
    ("denormalize", "StatsDenormalizer", Part::Denormalise),
];

/// Looks `node` up among `allowed`; gives the part and where its parameters are.
fn part<'a>(
    node: &Node<'a>,
    allowed: &[Part],
    findings: &mut Findings,
) -> Option<(Part, Node<'a>)> {
    let (named, text, found, parameters) = if let Some(kind) = node.get("type") {
        let text = kind.text(findings)?;
        let row = PARTS.iter().find(|(name, _, _)| *name == text);
        (kind, text, row, node.clone())
    } else if let Some(path) = node.get("class_path") {
        let text = path.text(findings)?;
        let class = text.rsplit('.').next().unwrap_or_default();
        let row = PARTS.iter().find(|(_, name, _)| *name == class);
        let parameters = node.get("init_args").unwrap_or_else(|| node.clone());
        (path, text, row, parameters)
    } else {
        findings.error(
            node.place(),
            "it has neither type nor class_path",
            "name the part",
        );
        return None;
    };
    match found {
        Some((_, _, part)) if allowed.contains(part) => Some((*part, parameters)),
        _ => {
            let mut known: Vec<&str> = PARTS
                .iter()
                .filter(|(_, _, part)| allowed.contains(part))
                .map(|(name, _, _)| *name)
                .collect();
            known.dedup();
            findings.error(
                named.place(),
                format!("{text:?} is not known here"),
                format!("use {}", known.join(" or ")),
            );
            None
        }
    }
}

/// The most moments a policy may look at: each is kept with its pictures.
const MAX_MOMENTS: usize = 16;

/// The graph and where the manifest names it.
pub(super) struct GraphFile {
    /// Its real path.
    pub(super) path: PathBuf,
    /// Its name in the package.
    pub(super) name: String,
    /// Key in the manifest and name, for findings.
    pub(super) place: String,
}

/// The graph among the artifacts; every artifact must be there.
pub(super) fn graph_file(
    dir: &Path,
    model: &Node<'_>,
    findings: &mut Findings,
) -> Option<GraphFile> {
    let artifacts = model.need("artifacts", findings)?;
    let mut graph = None;
    for key in artifacts.object(findings)?.keys() {
        let Some(node) = artifacts.get(key) else {
            continue;
        };
        let Some(name) = node.text(findings) else {
            continue;
        };
        let is_graph = name.to_ascii_lowercase().ends_with(".onnx");
        match files::locate(dir, name, MAX_GRAPH) {
            Ok(path) if is_graph && (graph.is_none() || key == "onnx") => {
                graph = Some(GraphFile {
                    path,
                    name: name.to_owned(),
                    place: node.place().to_owned(),
                });
            }
            Ok(_) => {}
            Err(error) => findings.error(node.place(), error.to_string(), remedy(&error)),
        }
    }
    if graph.is_none() && findings.errors() == 0 {
        findings.error(
            artifacts.place(),
            "no artifact is an .onnx file",
            "export the policy to ONNX and name it as \"onnx\"",
        );
    }
    graph
}

fn remedy(error: &FileError) -> &'static str {
    match error {
        FileError::Path(_) | FileError::Link(_) => "put the file into the package's directory",
        FileError::Read { .. } => "add the file, or name the one that is there",
        FileError::Kind(_) => "name a file",
        FileError::TooLong { .. } => "export a smaller file",
    }
}

/// How many actions the runner says the graph gives at once, and how many of them are executed, if
/// it says.
pub(super) fn runner(model: &Node<'_>, findings: &mut Findings) -> (Option<Chunk>, Option<Chunk>) {
    let allowed = [Part::SinglePass, Part::ActionChunking];
    let node = model.need("runner", findings);
    let Some((_, parameters)) = node.and_then(|node| part(&node, &allowed, findings)) else {
        return (None, None);
    };
    let mut read = |key: &str| Chunk::read(&parameters.get(key)?, findings);
    (read("chunk_size"), read("n_action_steps"))
}

/// How many actions a package says the graph gives at once.
pub(super) struct Chunk {
    pub(super) size: usize,
    /// Where it says so.
    pub(super) place: String,
}

impl Chunk {
    pub(super) fn read(node: &Node<'_>, findings: &mut Findings) -> Option<Chunk> {
        let size = node.count(100_000, findings).filter(|size| *size > 0)?;
        let place = node.place().to_owned();
        Some(Chunk { size, place })
    }

    /// How many actions of `output` are executed, which can be no more than it has.
    pub(super) fn executed(
        said: Option<Chunk>,
        output: &Output,
        findings: &mut Findings,
    ) -> Option<usize> {
        let Chunk { size, place } = said?;
        if size > output.chunk {
            let chunk = output.chunk;
            findings.error(
                place,
                format!("it is {size}, the graph gives {chunk} actions"),
                "make it no more than these, or export the graph with a longer chunk",
            );
        }
        Some(size)
    }
}

/// How many moments the policy looks at at once.
pub(super) fn observation_steps(model: &Node<'_>, findings: &mut Findings) -> usize {
    let Some(node) = model.get("n_obs_steps") else {
        return 1;
    };
    match node.count(1000, findings) {
        Some(steps) if (1..=MAX_MOMENTS).contains(&steps) => steps,
        Some(steps) => {
            findings.error(
                node.place(),
                format!("it is {steps}"),
                format!("train with n_obs_steps 1 to {MAX_MOMENTS}"),
            );
            1
        }
        None => 1,
    }
}

/// The policy's name, or the directory's where it has none.
pub(super) fn policy_name(root: &Node<'_>, dir: &Path, findings: &mut Findings) -> String {
    let node = root.get("policy").and_then(|policy| policy.get("name"));
    let name = node.and_then(|node| node.text(findings).map(str::to_owned));
    name.unwrap_or_else(|| {
        dir.file_name()
            .map_or_else(|| "policy".into(), |name| name.to_string_lossy().into())
    })
}

/// Reads pre- and postprocessors and puts their normalisation into `inputs` and `output`.
pub(super) fn normalisation(
    dir: &Path,
    model: &Node<'_>,
    inputs: &mut [Input],
    output: &mut Output,
    findings: &mut Findings,
) {
    for node in steps(model, "preprocessors", findings) {
        let allowed = [Part::ToFloatTensor, Part::Normalise];
        let Some((Part::Normalise, parameters)) = part(&node, &allowed, findings) else {
            continue;
        };
        let Some(step) = Step::read(dir, &parameters, findings) else {
            continue;
        };
        for feature in &step.features {
            let mut used = false;
            for input in inputs.iter_mut().filter(|input| feeds(feature, input)) {
                used = true;
                let width = match input.source {
                    Source::State => input.shape.last().copied().unwrap_or(0),
                    Source::Image { .. } => 3,
                    Source::Values { .. }
                    | Source::Memory(_)
                    | Source::Count(_)
                    | Source::Chunk(_)
                    | Source::Noise => continue,
                };
                match step.stats.normalise(feature, step.mode, width) {
                    Ok(affine) => {
                        input.normalise = affine.after(&input.normalise);
                        input.expected = step.stats.expected(feature, width);
                    }
                    Err(error) => step.wrong(&error, findings),
                }
            }
            if !used && !step.all {
                findings.warning(
                    step.place.clone(),
                    format!("{feature:?} is no input of the graph"),
                    "remove it, or name the input as the graph does",
                );
            }
        }
    }
    for node in steps(model, "postprocessors", findings) {
        let Some((_, parameters)) = part(&node, &[Part::Denormalise], findings) else {
            continue;
        };
        let Some(step) = Step::read(dir, &parameters, findings) else {
            continue;
        };
        for feature in &step.features {
            if short(feature) != "action" {
                if !step.all {
                    let what = format!("{feature:?} is no output of the graph");
                    findings.warning(step.place.clone(), what, "remove it");
                }
                continue;
            }
            match step.stats.denormalise(feature, step.mode, output.width) {
                Ok(affine) => output.denormalise = affine.after(&output.denormalise),
                Err(error) => step.wrong(&error, findings),
            }
        }
    }
}

fn steps<'a>(model: &Node<'a>, key: &str, findings: &mut Findings) -> Vec<Node<'a>> {
    model
        .get(key)
        .map(|node| node.list(findings))
        .unwrap_or_default()
}

fn short(feature: &str) -> &str {
    feature.strip_prefix("observation.").unwrap_or(feature)
}

/// Whether the statistics of `feature` belong to `input`.
fn feeds(feature: &str, input: &Input) -> bool {
    let tensor = short(&input.tensor);
    match &input.source {
        Source::State => short(feature) == tensor,
        Source::Values { .. }
        | Source::Memory(_)
        | Source::Count(_)
        | Source::Chunk(_)
        | Source::Noise => false,
        Source::Image { camera, .. } => {
            let feature = short(feature);
            feature == tensor
                || feature == "images"
                || feature.strip_prefix("images.") == Some(camera.as_str())
        }
    }
}

/// A normalising step with its statistics.
struct Step {
    place: String,
    mode: Mode,
    features: Vec<String>,
    /// None were named: all that there are statistics of.
    all: bool,
    stats: Stats,
}

impl Step {
    fn read(dir: &Path, node: &Node<'_>, findings: &mut Findings) -> Option<Step> {
        let mode = match node.get("mode") {
            None => Mode::MeanStd,
            Some(mode) => {
                let name = mode.text(findings)?;
                let Some(mode) = Mode::named(name) else {
                    findings.error(
                        mode.place(),
                        format!("{name:?} is no way to normalise"),
                        "use mean_std, min_max, quantiles or identity",
                    );
                    return None;
                };
                mode
            }
        };
        if mode == Mode::Identity {
            return None;
        }
        let Some(file) = node.get_any(&["artifact", "stats_path"]) else {
            findings.error(
                node.place(),
                "it names no statistics",
                "add \"artifact\": \"stats.safetensors\"",
            );
            return None;
        };
        let name = file.text(findings)?;
        let bytes = match files::read(dir, name, MAX_STATS) {
            Ok(bytes) => bytes,
            Err(error) => {
                findings.error(file.place(), error.to_string(), remedy(&error));
                return None;
            }
        };
        let stats = match Stats::parse(&bytes) {
            Ok(stats) => stats,
            Err(error) => {
                let remedy = "export the statistics again";
                findings.error(name, error.to_string(), remedy);
                return None;
            }
        };
        let mut features: Vec<String> = match node.get("features") {
            Some(list) => list
                .texts(findings)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            None => Vec::new(),
        };
        let all = features.is_empty();
        if all {
            features = stats.features().into_iter().map(str::to_owned).collect();
        }
        Some(Step {
            place: node.place().to_owned(),
            mode,
            features,
            all,
            stats,
        })
    }

    fn wrong(&self, error: &dyn std::fmt::Display, findings: &mut Findings) {
        findings.error(
            self.place.clone(),
            format!("its statistics do not serve: {error}"),
            "export the statistics of the data the policy was trained on",
        );
    }
}
