//! The built-in backend: needs nothing of the machine it runs on.

use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, ValueView};

use super::{Backend, BackendError, Description, InferError, Input, graph_error, one_line};
use crate::policy::package::Package;

const NAME: &str = "builtin";

/// A graph loaded into the built-in backend.
pub(super) struct BuiltIn {
    model: Model,
    inputs: Vec<NodeId>,
    output: NodeId,
    sizes: [usize; 2],
    pool: Arc<ThreadPool>,
    description: Description,
}

impl BuiltIn {
    pub(super) fn load(
        package: &Package,
        threads: usize,
        reason: String,
    ) -> Result<BuiltIn, BackendError> {
        let fail = |error: &dyn std::fmt::Display| graph_error(NAME, &package.graph, error);
        let bytes = std::fs::read(&package.graph).map_err(|error| fail(&error))?;
        let model = Model::load(bytes).map_err(|error| fail(&error))?;
        let node = |name: &str| model.node_id(name).map_err(|error| fail(&error));
        let inputs = package.inputs.iter().map(|input| node(&input.tensor));
        let inputs = inputs.collect::<Result<Vec<NodeId>, BackendError>>()?;
        let output = node(&package.output.tensor)?;
        Ok(BuiltIn {
            inputs,
            output,
            sizes: [package.output.chunk, package.output.width],
            pool: Arc::new(ThreadPool::with_num_threads(threads.max(1))),
            description: Description {
                name: NAME,
                detail: "rten 0.27".into(),
                reason,
            },
            model,
        })
    }
}

impl Backend for BuiltIn {
    fn infer(&mut self, inputs: &[Input<'_>], out: &mut Vec<f32>) -> Result<(), InferError> {
        let fail = |error: &dyn std::fmt::Display| InferError::Failed {
            backend: NAME,
            detail: one_line(error),
        };
        let mut values = Vec::with_capacity(inputs.len());
        for (id, input) in self.inputs.iter().zip(inputs) {
            let view =
                ValueView::from_shape(input.shape, input.data).map_err(|error| fail(&error))?;
            values.push((*id, view.into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let outputs = self
            .model
            .run(values, &[self.output], Some(options))
            .map_err(|error| fail(&error))?;
        let Some(value) = outputs.into_iter().next() else {
            return Err(fail(&"no output"));
        };
        let (shape, data) = if self.sizes[0] == 1 {
            // One action may come with or without its chunk of one.
            match value.as_view().to_owned().into_shape_vec::<f32, 2>() {
                Ok((shape, data)) => (shape.to_vec(), data),
                Err(_) => three(value).map_err(|error| fail(&error))?,
            }
        } else {
            three(value).map_err(|error| fail(&error))?
        };
        super::take_output(self.sizes, &shape, &data, out)
    }

    fn description(&self) -> &Description {
        &self.description
    }
}

fn three(value: rten::Value) -> Result<(Vec<usize>, Vec<f32>), impl std::fmt::Display> {
    value
        .into_shape_vec::<f32, 3>()
        .map(|(shape, data)| (shape.to_vec(), data))
}
