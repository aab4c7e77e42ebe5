//! The inputs of a graph made for real-time chunking, by LeRobot's names.
//!
//! Owns their names, shapes and elements. What is fed into them is the encoder's.

use super::features::{place, shape_text};
use super::graph::{Element, Signature, Tensor};
use super::stats::Affine;
use super::{ChunkPart, Input, Source};
use crate::messages::MAX_WAYPOINTS;
use crate::policy::finding::Findings;

/// What the input called `name` takes, if it is one of these.
pub(super) fn part(name: &str) -> Option<ChunkPart> {
    match name {
        "prev_chunk_left_over" => Some(ChunkPart::LeftOver),
        "inference_delay" => Some(ChunkPart::Delay),
        "execution_horizon" => Some(ChunkPart::Horizon),
        "max_guidance_weight" => Some(ChunkPart::Guidance),
        _ => None,
    }
}

/// Whether `part` may come as whole numbers: where it is a number of steps.
fn counts(part: ChunkPart) -> bool {
    match part {
        ChunkPart::Delay | ChunkPart::Horizon => true,
        ChunkPart::LeftOver | ChunkPart::Guidance => false,
    }
}

/// The input of `tensor`, whose graph has this `signature`.
pub(super) fn input(
    tensor: &Tensor,
    part: ChunkPart,
    signature: &Signature,
    findings: &mut Findings,
) -> Option<Input> {
    let right = match tensor.element {
        Element::Float32 => true,
        Element::Int32 | Element::Int64 => counts(part),
        Element::Other => false,
    };
    if !right {
        let (what, remedy) = if counts(part) {
            ("neither float32 nor int32 nor int64", "with one of these")
        } else {
            ("not float32", "with float32")
        };
        findings.error(
            place(tensor),
            format!("its elements are {what}"),
            format!("export it {remedy}"),
        );
        return None;
    }
    let shape: Option<Vec<usize>> = tensor.shape.iter().copied().collect();
    let width = signature.outputs.iter().find(|out| out.name == "action");
    let width = width.or(signature.outputs.first())?.shape.last().copied()?;
    let fits = match (part, shape.as_deref()) {
        (ChunkPart::LeftOver, Some([steps, values] | [1, steps, values])) => {
            *steps <= MAX_WAYPOINTS && width.is_none_or(|width| width == *values)
        }
        (ChunkPart::Delay | ChunkPart::Horizon | ChunkPart::Guidance, Some(shape)) => {
            shape.iter().product::<usize>() == 1
        }
        _ => false,
    };
    let Some(shape) = shape.filter(|_| fits) else {
        let meaning = match part {
            ChunkPart::LeftOver => "[1, steps, values of an action]",
            ChunkPart::Delay | ChunkPart::Horizon | ChunkPart::Guidance => "[1]",
        };
        findings.error(
            place(tensor),
            format!("its shape is {}", shape_text(&tensor.shape)),
            format!("export it with the shape {meaning}, all sizes fixed"),
        );
        return None;
    };
    Some(Input {
        tensor: tensor.name.clone(),
        normalise: Affine::identity(0),
        expected: None,
        element: tensor.element,
        shape,
        source: Source::Chunk(part),
    })
}
