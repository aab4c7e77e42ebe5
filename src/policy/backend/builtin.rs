//! The built-in backend: needs nothing of the machine it runs on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rten::{Model, NodeId, RunOptions, ThreadPool, ValueView};

use super::{
    Backend, BackendError, Data, Description, InferError, Input, Outputs, graph_error, one_line,
};
use crate::policy::package::{Memory, Package};

const NAME: &str = "builtin";

/// A graph loaded into the built-in backend.
pub(super) struct BuiltIn {
    model: Model,
    inputs: Vec<NodeId>,
    /// The action's, then the memories'.
    outputs: Vec<NodeId>,
    memories: Vec<Memory>,
    sizes: [usize; 2],
    pool: Arc<ThreadPool>,
    description: Description,
}

impl BuiltIn {
    pub(super) fn load(
        package: &Package,
        graph: &Path,
        threads: usize,
        reason: String,
    ) -> Result<BuiltIn, BackendError> {
        let fail = |error: &dyn std::fmt::Display| graph_error(NAME, graph, error);
        let bytes = std::fs::read(graph).map_err(|error| fail(&error))?;
        let model = Model::load(bytes).map_err(|error| fail(&error))?;
        let node = |name: &str| model.node_id(name).map_err(|error| fail(&error));
        let inputs = package.inputs.iter().map(|input| node(&input.tensor));
        let inputs = inputs.collect::<Result<Vec<NodeId>, BackendError>>()?;
        let memories = package.memories.iter().map(|it| &it.output);
        let outputs = std::iter::once(&package.output.tensor).chain(memories);
        let outputs = outputs.map(|name| node(name));
        let outputs = outputs.collect::<Result<Vec<NodeId>, BackendError>>()?;
        Ok(BuiltIn {
            inputs,
            outputs,
            memories: package.memories.clone(),
            sizes: [package.output.chunk, package.output.width],
            pool: Arc::new(ThreadPool::with_num_threads(threads.max(1))),
            description: Description {
                name: NAME.into(),
                detail: "rten 0.27".into(),
                reason,
            },
            model,
        })
    }
}

impl Backend for BuiltIn {
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
        let mut values = Vec::with_capacity(inputs.len());
        // It keeps whole numbers of 64 bits in 32.
        let narrowed: Vec<Vec<i32>> = inputs.iter().map(|input| narrowed(input.data)).collect();
        for ((id, input), narrowed) in self.inputs.iter().zip(inputs).zip(&narrowed) {
            let view = match input.data {
                Data::Floats(data) => {
                    ValueView::from_shape(input.shape, data).map_err(|error| fail(&error))?
                }
                Data::Ints(data) => {
                    ValueView::from_shape(input.shape, data).map_err(|error| fail(&error))?
                }
                Data::Longs(_) => ValueView::from_shape(input.shape, narrowed.as_slice())
                    .map_err(|error| fail(&error))?,
                Data::Bytes(_) => return Err(fail(&"a graph takes no bytes")),
            };
            values.push((*id, view.into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let outputs = self
            .model
            .run(values, &self.outputs, Some(options))
            .map_err(|error| fail(&error))?;
        let mut outputs = outputs.into_iter();
        let Some(value) = outputs.next() else {
            return Err(fail(&"no output"));
        };
        let (shape, data) = if self.sizes[0] == 1 {
            // One action may come with or without its chunk of one.
            match value.as_view().to_owned().into_shape_vec::<f32, 2>() {
                Ok((shape, data)) => (shape.to_vec(), data),
                Err(_) => of::<3>(value).map_err(|error| fail(&error))?,
            }
        } else {
            of::<3>(value).map_err(|error| fail(&error))?
        };
        super::take_output(self.sizes, &shape, &data, &mut out.action)?;
        out.memories.resize_with(self.memories.len(), Vec::new);
        for ((memory, value), out) in self.memories.iter().zip(outputs).zip(&mut out.memories) {
            let (shape, data) = sized(value, memory.shape.len()).map_err(|error| fail(&error))?;
            super::take_memory(memory, &shape, &data, out)?;
        }
        Ok(())
    }

    fn description(&self) -> &Description {
        &self.description
    }
}

/// Whole numbers of 64 bits in 32, the nearest where they do not fit; nothing of other data.
fn narrowed(data: Data<'_>) -> Vec<i32> {
    let narrow = |long: &i64| {
        let nearest = if *long < 0 { i32::MIN } else { i32::MAX };
        i32::try_from(*long).unwrap_or(nearest)
    };
    match data {
        Data::Longs(data) => data.iter().map(narrow).collect(),
        Data::Floats(_) | Data::Ints(_) | Data::Bytes(_) => Vec::new(),
    }
}

/// A tensor of `N` sizes.
fn of<const N: usize>(value: rten::Value) -> Result<(Vec<usize>, Vec<f32>), String> {
    value
        .into_shape_vec::<f32, N>()
        .map(|(shape, data)| (shape.to_vec(), data))
        .map_err(|error| error.to_string())
}

/// A tensor of as many sizes as a memory has.
fn sized(value: rten::Value, sizes: usize) -> Result<(Vec<usize>, Vec<f32>), String> {
    match sizes {
        1 => of::<1>(value),
        2 => of::<2>(value),
        3 => of::<3>(value),
        4 => of::<4>(value),
        _ => Err(format!("it has {sizes} sizes")),
    }
}
