//! Running a graph: one trait, two backends.
//!
//! ONNX Runtime is the faster one and is loaded from a library that may not be there; the
//! built-in one is always there. Owns the choice between them and says why it was made. Never
//! runs at real-time priority.

use std::path::{Path, PathBuf};

mod builtin;
mod library;
mod onnxruntime;

pub use library::{Candidate, candidates};

use super::package::Package;

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
    pub data: &'a [f32],
}

/// What runs, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `onnxruntime` or `builtin`.
    pub name: &'static str,
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
    /// Runs the graph on `inputs`, in the package's order, and puts its action chunk, row by
    /// row, into `out`.
    ///
    /// # Errors
    /// When the graph can't be run, or gives something else than the package says.
    fn infer(&mut self, inputs: &[Input<'_>], out: &mut Vec<f32>) -> Result<(), InferError>;

    /// What runs, and why it was chosen.
    fn description(&self) -> &Description;
}

/// Loads the graph of `package` into the backend that `config` asks for.
///
/// # Errors
/// When the backend can't be loaded; with [`Choice::Auto`] only when neither can.
pub fn load(package: &Package, config: &Config) -> Result<Box<dyn Backend>, BackendError> {
    let builtin = |reason: String| -> Result<Box<dyn Backend>, BackendError> {
        let backend = builtin::BuiltIn::load(package, config.threads, reason)?;
        Ok(Box::new(backend))
    };
    let runtime = || onnxruntime::OnnxRuntime::load(package, config);
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
