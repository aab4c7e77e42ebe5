//! ONNX Runtime, from a library loaded while running.
//!
//! One library a process: the first that loads stays. Its threads do not spin, so that they
//! leave the cores to the control loop between inferences.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::SessionInputValue;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use super::library::{self, Candidate, candidates};
use super::{
    Backend, BackendError, Config, Data, Description, InferError, Input, Outputs, graph_error,
    one_line,
};
use crate::policy::package::{Memory, Package};

pub(super) const NAME: &str = "onnxruntime";

/// The library that this process has loaded.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

#[derive(Clone)]
struct Loaded {
    environment: Environment,
    path: PathBuf,
    reason: &'static str,
}

/// A graph loaded into ONNX Runtime.
pub(super) struct OnnxRuntime {
    session: Session,
    inputs: Vec<String>,
    output: String,
    memories: Vec<Memory>,
    sizes: [usize; 2],
    description: Description,
}

impl OnnxRuntime {
    pub(super) fn load(
        package: &Package,
        graph: &Path,
        config: &Config,
    ) -> Result<OnnxRuntime, BackendError> {
        let loaded = load_library(config)?;
        let session = open(graph, config.threads, &loaded.environment)
            .map_err(|error| graph_error(NAME, graph, &error))?;
        let missing = |name: &str| {
            let what = format!("it does not know {name:?}");
            graph_error(NAME, graph, &what)
        };
        for input in &package.inputs {
            if !session.inputs().iter().any(|i| i.name() == input.tensor) {
                return Err(missing(&input.tensor));
            }
        }
        let output = &package.output;
        let memories = package.memories.iter().map(|it| &it.output);
        for name in std::iter::once(&output.tensor).chain(memories) {
            if !session.outputs().iter().any(|o| o.name() == name) {
                return Err(missing(name));
            }
        }
        Ok(OnnxRuntime {
            session,
            inputs: package.inputs.iter().map(|i| i.tensor.clone()).collect(),
            output: output.tensor.clone(),
            memories: package.memories.clone(),
            sizes: [output.chunk, output.width],
            description: Description {
                name: NAME.into(),
                detail: loaded.path.display().to_string(),
                reason: loaded.reason.into(),
            },
        })
    }
}

fn open(graph: &Path, threads: usize, environment: &Environment) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads.max(1))?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_log_level(LogLevel::Warning)?
        .commit_from_file(graph)
}

/// The environment of the library that `config` asks for.
pub(super) fn environment(config: &Config) -> Result<Environment, BackendError> {
    load_library(config).map(|loaded| loaded.environment)
}

/// Loads the first library that works, or gives the one that is loaded already.
fn load_library(config: &Config) -> Result<Loaded, BackendError> {
    let mut slot = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = slot.as_ref() {
        return match &config.library {
            Some(file) if *file != loaded.path => Err(BackendError::Library(format!(
                "{} is loaded already, and a process can't load {} as well",
                loaded.path.display(),
                file.display()
            ))),
            _ => Ok(loaded.clone()),
        };
    }
    let environment = library::Environment::of_process();
    let mut failures = Vec::new();
    for Candidate { path, reason } in candidates(config.library.as_deref(), &environment) {
        match try_library(&path) {
            Ok(environment) => {
                let loaded = Loaded {
                    environment,
                    path,
                    reason,
                };
                *slot = Some(loaded.clone());
                return Ok(loaded);
            }
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "this library can't be used");
                failures.push(error);
            }
        }
    }
    // The first place is the likeliest, so its failure is the one to tell.
    let failure = failures.into_iter().next();
    Err(BackendError::Library(failure.unwrap_or_default()))
}

fn try_library(path: &std::path::Path) -> Result<Environment, String> {
    let builder = ort::init_from(path).map_err(|error| one_line(&error))?;
    let environment = builder
        .with_name("surehand")
        .with_telemetry(false)
        .build()
        .map_err(|error| one_line(&error))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

impl Backend for OnnxRuntime {
    fn infer(
        &mut self,
        inputs: &[Input<'_>],
        _patience: Duration,
        out: &mut Outputs,
    ) -> Result<(), InferError> {
        let fail = |error: &dyn std::fmt::Display| InferError::Failed {
            backend: NAME,
            detail: one_line(error),
        };
        let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for (name, input) in self.inputs.iter().zip(inputs) {
            let value: SessionInputValue<'_> = match input.data {
                Data::Floats(data) => TensorRef::from_array_view((input.shape, data))
                    .map_err(|error| fail(&error))?
                    .into(),
                Data::Ints(data) => TensorRef::from_array_view((input.shape, data))
                    .map_err(|error| fail(&error))?
                    .into(),
                Data::Longs(data) => TensorRef::from_array_view((input.shape, data))
                    .map_err(|error| fail(&error))?
                    .into(),
                Data::Bytes(_) => return Err(fail(&"a graph takes no bytes")),
            };
            values.push((name.as_str(), value));
        }
        let outputs = self.session.run(values).map_err(|error| fail(&error))?;
        let tensor = |name: &str| {
            let value = outputs.get(name).ok_or_else(|| fail(&"no output"))?;
            let (shape, data) = value
                .try_extract_tensor::<f32>()
                .map_err(|error| fail(&error))?;
            let shape: Vec<usize> = shape
                .iter()
                .map(|size| usize::try_from(*size).unwrap_or(0))
                .collect();
            Ok((shape, data))
        };
        let (shape, data) = tensor(&self.output)?;
        super::take_output(self.sizes, &shape, data, &mut out.action)?;
        out.memories.resize_with(self.memories.len(), Vec::new);
        for (memory, out) in self.memories.iter().zip(&mut out.memories) {
            let (shape, data) = tensor(&memory.output)?;
            super::take_memory(memory, &shape, data, out)?;
        }
        Ok(())
    }

    fn description(&self) -> &Description {
        &self.description
    }
}
