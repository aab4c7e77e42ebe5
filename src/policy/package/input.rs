//! One input of a graph, and how its sizes are read.

use super::Source;
use super::graph::{Element, Tensor};
use super::stats::Affine;
use crate::policy::familiarity::Expected;

/// One graph input.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name in the graph.
    pub tensor: String,
    /// Its sizes, batch of one first.
    pub shape: Vec<usize>,
    /// What its elements are: whole numbers only where they are counted.
    pub element: Element,
    /// What it is fed with.
    pub source: Source,
    /// Applied to each state value, or to each colour.
    pub normalise: Affine,
    /// What each value was in training, in the same units, where the statistics say it.
    pub expected: Option<Vec<Expected>>,
}

impl Input {
    /// One with nothing normalised.
    pub(super) fn plain(tensor: &Tensor, shape: Vec<usize>, source: Source) -> Input {
        let width = match &source {
            Source::Image { .. } => 3,
            _ => shape.last().copied().unwrap_or(0),
        };
        Input {
            tensor: tensor.name.clone(),
            normalise: Affine::identity(width),
            expected: None,
            element: tensor.element,
            shape,
            source,
        }
    }

    /// How many sizes one moment of it has.
    fn rank(&self) -> usize {
        match self.source {
            Source::Image { .. } => 3,
            Source::State | Source::Values { .. } => 1,
            Source::Memory(_) | Source::Count(_) | Source::Chunk(_) | Source::Noise => {
                self.shape.len()
            }
        }
    }

    /// The sizes of one moment, without the batch.
    #[must_use]
    pub fn moment(&self) -> &[usize] {
        let from = self.shape.len().saturating_sub(self.rank());
        self.shape.get(from..).unwrap_or_default()
    }

    /// How many moments it shows, oldest first.
    #[must_use]
    pub fn moments(&self) -> usize {
        let shown = self.shape.len() == self.rank() + 2;
        let rows = self.shape.get(1).copied().filter(|_| shown);
        rows.unwrap_or(1)
    }
}
