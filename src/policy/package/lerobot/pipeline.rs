//! A checkpoint's processors: what is done to an observation before the policy and to its action
//! after, as far as that is normalising and renaming. A step of another kind is refused by name.

use std::path::Path;

use serde_json::Value;

use super::super::files;
use super::super::node::Node;
use super::super::stats::{Mode, Stats};
use super::super::{Input, MAX_STATS, Output, Source};
use super::{camera_of, json};
use crate::policy::finding::Findings;

/// Steps that change nothing here: a batch of one, and no other device.
const NEUTRAL: [&str; 2] = ["to_batch_processor", "device_processor"];
const RENAME: &str = "rename_observations_processor";
pub(super) const NORMALISERS: [&str; 1] = ["normalizer_processor"];
pub(super) const DENORMALISERS: [&str; 1] = ["unnormalizer_processor"];

/// The steps before or after the policy.
pub(super) struct Pipeline {
    file: &'static str,
    /// What becomes of each kind of feature, where the steps say it.
    modes: Option<Value>,
    pub(super) stats: Stats,
    /// From the robot's name of a picture to the policy's.
    renamed: Vec<(String, String)>,
}

impl Pipeline {
    pub(super) fn read(
        dir: &Path,
        file: &'static str,
        normalisers: &[&str],
        findings: &mut Findings,
    ) -> Option<Pipeline> {
        let text = json(dir, file, findings)?;
        let mut pipeline = Pipeline {
            file,
            modes: None,
            stats: Stats::default(),
            renamed: Vec::new(),
        };
        for step in Node::root(&text, file)
            .need("steps", findings)?
            .list(findings)
        {
            let Some(name) = step.need("registry_name", findings) else {
                continue;
            };
            let config = step.get("config");
            match name.text(findings)? {
                known if NEUTRAL.contains(&known) => {}
                RENAME => {
                    let map = config.and_then(|config| config.get("rename_map"));
                    let map = map.and_then(|map| map.object(findings));
                    for (from, to) in map.into_iter().flatten() {
                        let to = to.as_str().unwrap_or_default();
                        pipeline.renamed.push((from.clone(), to.to_owned()));
                    }
                }
                known if normalisers.contains(&known) => {
                    pipeline.modes = config
                        .and_then(|config| config.get("norm_map"))
                        .and_then(|map| map.object(findings))
                        .map(|map| Value::Object(map.clone()));
                    pipeline.stats = statistics(dir, &step, findings).unwrap_or_default();
                }
                other => findings.error(
                    name.place(),
                    format!("{other:?} is not known here"),
                    "export the policy with that step in its graph, as a policy package",
                ),
            }
        }
        Some(pipeline)
    }

    /// How features of `kind` (STATE, VISUAL, ACTION) are normalised.
    fn mode(&self, config: &Node<'_>, kind: &str, findings: &mut Findings) -> Option<Mode> {
        let own = self.modes.as_ref().map(|map| Node::root(map, self.file));
        let own = own.as_ref().and_then(|map| map.get(kind));
        let theirs = || config.get("normalization_mapping")?.get(kind);
        let Some(node) = own.or_else(theirs) else {
            return Some(Mode::Identity);
        };
        let text = node.text(findings)?;
        let mode = Mode::named(text);
        if mode.is_none() {
            findings.error(
                node.place(),
                format!("{text:?} is no way to normalise that is known here"),
                "use MEAN_STD, MIN_MAX, QUANTILES or IDENTITY",
            );
        }
        mode
    }

    pub(super) fn normalise(
        &self,
        config: &Node<'_>,
        inputs: &mut [Input],
        findings: &mut Findings,
    ) {
        for input in inputs {
            let (kind, width) = match input.source {
                Source::State => ("STATE", input.shape.last().copied().unwrap_or(0)),
                Source::Image { .. } => ("VISUAL", 3),
                Source::Values { .. }
                | Source::Memory(_)
                | Source::Count(_)
                | Source::Chunk(_)
                | Source::Noise => {
                    continue;
                }
            };
            let Some(mode) = self.mode(config, kind, findings) else {
                continue;
            };
            match self.stats.normalise(&input.feature(), mode, width) {
                Ok(affine) => {
                    input.normalise = affine;
                    input.expected = self.stats.expected(&input.feature(), width);
                }
                Err(error) => self.wrong(&error, findings),
            }
        }
    }

    pub(super) fn denormalise(
        &self,
        config: &Node<'_>,
        output: &mut Output,
        findings: &mut Findings,
    ) {
        let Some(mode) = self.mode(config, "ACTION", findings) else {
            return;
        };
        match self.stats.denormalise("action", mode, output.width) {
            Ok(affine) => output.denormalise = affine,
            Err(error) => self.wrong(&error, findings),
        }
    }

    fn wrong(&self, error: &dyn std::fmt::Display, findings: &mut Findings) {
        findings.error(
            self.file,
            format!("its statistics do not serve: {error}"),
            "copy the whole checkpoint, with the processors' .safetensors files",
        );
    }

    /// Pictures are looked for by the robot's names.
    pub(super) fn rename(&self, inputs: &mut [Input]) {
        for input in inputs {
            let feature = input.feature();
            let from = self.renamed.iter().find(|(_, to)| *to == feature);
            if let (Some((from, _)), Source::Image { camera, .. }) = (from, &mut input.source) {
                *camera = camera_of(from);
            }
        }
    }
}

/// The statistics of a step.
fn statistics(dir: &Path, step: &Node<'_>, findings: &mut Findings) -> Option<Stats> {
    let file = step.need("state_file", findings)?;
    let name = file.text(findings)?;
    let bytes = match files::read(dir, name, MAX_STATS) {
        Ok(bytes) => bytes,
        Err(error) => {
            let remedy = "copy the whole checkpoint";
            findings.error(file.place(), error.to_string(), remedy);
            return None;
        }
    };
    Stats::parse(&bytes)
        .map_err(|error| findings.error(name, error.to_string(), "copy the checkpoint again"))
        .ok()
}
