//! Running a graph: one trait, two backends here and one on another machine.
//!
//! ONNX Runtime is the faster one and is loaded from a library that may not be there; the
//! built-in one is always there. Owns the choice between them and says why it was made. Never
//! runs at real-time priority.

use std::path::{Path, PathBuf};
use std::time::Duration;

mod builtin;
mod library;
mod onnxruntime;
mod raw;
mod server;

pub use library::{Candidate, candidates};
pub use raw::Raw;
pub use server::{Health, health};

use super::package::{Memory, Model, Package};
use crate::messages::ServerFault;

/// Which backend is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// ONNX Runtime where its library is found and works, else the built-in one.
    #[default]
    Auto,
    /// ONNX Runtime or an error.
    OnnxRuntime,
    /// The built-in one.
    BuiltIn,
}

/// How inference is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Which backend.
    pub choice: Choice,
    /// ONNX Runtime's library; searched for where `None`.
    pub library: Option<PathBuf>,
    /// Threads for one inference, at least 1.
    pub threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            choice: Choice::Auto,
            library: None,
            threads: 1,
        }
    }
}

/// One input, in the order of the package's inputs.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Its sizes, batch first.
    pub shape: &'a [usize],
    /// Its elements.
    pub data: Data<'a>,
}

/// The elements of one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Data<'a> {
    /// Numbers.
    Floats(&'a [f32]),
    /// Whole numbers.
    Ints(&'a [i32]),
    /// Whole numbers of 64 bits.
    Longs(&'a [i64]),
    /// A picture's bytes, which only servers take.
    Bytes(&'a [u8]),
}

/// What an inference gave. Buffers are reused.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs {
    /// The action chunk, row by row.
    pub action: Vec<f32>,
    /// What is handed to the next inference, in the order of the package's memories.
    pub memories: Vec<Vec<f32>>,
}

/// What runs, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `onnxruntime`, `builtin`, or a server's address.
    pub name: String,
    /// Version and, for a library, its file.
    pub detail: String,
    /// Why this one.
    pub reason: String,
}

impl std::fmt::Display for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.detail, self.reason)
    }
}

/// A backend that can't be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// No library of ONNX Runtime works.
    #[error(
        "ONNX Runtime can't be used: {0}; install the Python package onnxruntime (1.31 or newer), name its library in the cell file, or choose the built-in backend"
    )]
    Library(String),
    /// A policy server can't be used.
    #[error(
        "the policy server {server} can't be used: {detail}; start it, or correct the cell file"
    )]
    Server {
        /// Its address.
        server: String,
        /// Why.
        detail: String,
    },
    /// It can't run this graph.
    #[error("{backend} can't run {graph}: {detail}; export the graph with common operators")]
    Graph {
        /// The backend.
        backend: &'static str,
        /// The graph's file.
        graph: String,
        /// Why.
        detail: String,
    },
}

/// An inference that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// The backend could not do it.
    #[error("inference failed in {backend}: {detail}")]
    Failed {
        /// The backend.
        backend: &'static str,
        /// Why.
        detail: String,
    },
    /// A policy server gave no actions.
    #[error("the policy server {server} gave no actions: {detail}")]
    Server {
        /// Its address.
        server: String,
        /// What kind of failure it is.
        fault: ServerFault,
        /// Why.
        detail: String,
    },
    /// What goes on to the next inference has another shape than the package says.
    #[error("the graph gave {output:?} the shape {found:?} instead of {expected:?}")]
    Memory {
        /// The output's name.
        output: String,
        /// What came.
        found: Vec<usize>,
        /// What should have come.
        expected: Vec<usize>,
    },
    /// The output has another shape than the package says.
    #[error("the graph gave an output of shape {found:?} instead of {expected:?}")]
    Shape {
        /// What came.
        found: Vec<usize>,
        /// What should have come: chunk and width.
        expected: [usize; 2],
    },
}

/// Something that runs one graph.
pub trait Backend: Send {
    /// Runs the graph on `inputs`, in the package's order, and puts what it gives into `out`.
    /// What is not computed in this process is waited for no longer than `patience`.
    ///
    /// # Errors
    /// When the graph can't be run, or gives something else than the package says.
    fn infer(
        &mut self,
        inputs: &[Input<'_>],
        patience: Duration,
        out: &mut Outputs,
    ) -> Result<(), InferError>;

    /// An episode begins: a connection that was lost is made again.
    fn begin(&mut self) {}

    /// What runs, and why it was chosen.
    fn description(&self) -> &Description;
}

/// Loads the graph of `package` into the backend that `config` asks for.
///
/// # Errors
/// When the backend can't be loaded; with [`Choice::Auto`] only when neither can.
pub fn load(package: &Package, config: &Config) -> Result<Box<dyn Backend>, BackendError> {
    let graph = match &package.model {
        Model::Graph(graph) => graph,
        Model::Server(server) => return Ok(Box::new(server::Remote::connect(package, server)?)),
    };
    let builtin = |reason: String| -> Result<Box<dyn Backend>, BackendError> {
        let backend = builtin::BuiltIn::load(package, graph, config.threads, reason)?;
        Ok(Box::new(backend))
    };
    let runtime = || onnxruntime::OnnxRuntime::load(package, graph, config);
    let backend: Box<dyn Backend> = match config.choice {
        Choice::BuiltIn => builtin("chosen by configuration".into())?,
        Choice::OnnxRuntime => Box::new(runtime()?),
        Choice::Auto => match runtime() {
            Ok(backend) => Box::new(backend),
            Err(error) => {
                if config.library.is_some() {
                    tracing::warn!(%error, "falling back to the built-in backend");
                }
                builtin(format!("fallback, as {error}"))?
            }
        },
    };
    tracing::debug!(backend = %backend.description(), threads = config.threads, "inference backend");
    Ok(backend)
}

/// Checks an output's shape against the package's and copies it.
fn take_output(
    package: [usize; 2],
    shape: &[usize],
    data: &[f32],
    out: &mut Vec<f32>,
) -> Result<(), InferError> {
    let [chunk, width] = package;
    let fits = shape == [1, chunk, width] || (chunk == 1 && shape == [1, width]);
    if !fits || data.len() != chunk * width {
        return Err(InferError::Shape {
            found: shape.to_vec(),
            expected: package,
        });
    }
    out.clear();
    out.extend_from_slice(data);
    Ok(())
}

/// Checks the shape of what goes on to the next inference and copies it.
fn take_memory(
    memory: &Memory,
    shape: &[usize],
    data: &[f32],
    out: &mut Vec<f32>,
) -> Result<(), InferError> {
    if shape != memory.shape {
        return Err(InferError::Memory {
            output: memory.output.clone(),
            found: shape.to_vec(),
            expected: memory.shape.clone(),
        });
    }
    out.clear();
    out.extend_from_slice(data);
    Ok(())
}

/// A backend's error text, fit for one line.
fn one_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(clean).take(300).collect()
}

fn graph_error(backend: &'static str, graph: &Path, error: &dyn std::fmt::Display) -> BackendError {
    BackendError::Graph {
        backend,
        graph: graph.display().to_string(),
        detail: one_line(error),
    }
}
