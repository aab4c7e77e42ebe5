//! ONNX Runtime on its own: the graph on inputs that are ready, with nothing of ours around it.
//!
//! The yardstick for what an inference through this program costs. Never runs an arm.

use ort::session::Session;
use ort::session::SessionInputValue;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use super::onnxruntime::{self, NAME};
use super::{BackendError, Config, InferError, graph_error, one_line};
use crate::policy::package::{Element, Input, Model, Package};

/// One input: its name, sizes and elements.
type Ready = (String, Vec<usize>, Vec<f32>);

/// A graph and inputs for it.
pub struct Raw {
    session: Session,
    inputs: Vec<Ready>,
    output: String,
}

impl Raw {
    /// Loads the graph of `package` with the options that the backend uses; `None` for a server's,
    /// and for one that takes other numbers than float32.
    ///
    /// # Errors
    /// When there is no library, or it can't run the graph.
    pub fn load(package: &Package, config: &Config) -> Result<Option<Raw>, BackendError> {
        let counts = |input: &Input| input.element != Element::Float32;
        let Model::Graph(graph) = &package.model else {
            return Ok(None);
        };
        if package.inputs.iter().any(counts) {
            return Ok(None);
        }
        let environment = onnxruntime::environment(config)?;
        let open = || -> ort::Result<Session> {
            Session::builder(&environment)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(config.threads.max(1))?
                .with_inter_threads(1)?
                .with_intra_op_spinning(false)?
                .commit_from_file(graph)
        };
        let ready = |input: &Input| {
            let elements = vec![0.5; input.shape.iter().product()];
            (input.tensor.clone(), input.shape.clone(), elements)
        };
        Ok(Some(Raw {
            session: open().map_err(|error| graph_error(NAME, graph, &error))?,
            inputs: package.inputs.iter().map(ready).collect(),
            output: package.output.tensor.clone(),
        }))
    }

    /// Runs it once; the first number of its output.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn run(&mut self) -> Result<f32, InferError> {
        let fail = |error: &dyn std::fmt::Display| InferError::Failed {
            backend: NAME,
            detail: one_line(error),
        };
        let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        for (name, shape, data) in &self.inputs {
            let tensor = TensorRef::from_array_view((shape.as_slice(), data.as_slice()))
                .map_err(|error| fail(&error))?;
            values.push((name.as_str(), tensor.into()));
        }
        let outputs = self.session.run(values).map_err(|error| fail(&error))?;
        let value = outputs.get(self.output.as_str());
        let value = value.ok_or_else(|| fail(&"no output"))?;
        let (_, data) = value
            .try_extract_tensor::<f32>()
            .map_err(|error| fail(&error))?;
        Ok(data.first().copied().unwrap_or_default())
    }
}
