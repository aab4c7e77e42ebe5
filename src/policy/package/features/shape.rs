//! What a tensor of the graph looks like, held to what it must look like.

use crate::policy::finding::Findings;
use crate::policy::package::graph::{Element, Tensor};

pub(in crate::policy::package) fn place(tensor: &Tensor) -> String {
    format!("graph: {}", tensor.name)
}

pub(super) fn float32(tensor: &Tensor, findings: &mut Findings) -> bool {
    let right = tensor.element == Element::Float32;
    if !right {
        let remedy = "export the graph with float32 inputs and outputs";
        findings.error(place(tensor), "its elements are not float32", remedy);
    }
    right
}

/// `shape` with what is only known at run time taken from `known`.
pub(super) fn sizes(
    tensor: &Tensor,
    known: &[Option<usize>],
    meaning: &str,
    findings: &mut Findings,
) -> Option<Vec<usize>> {
    let fixed: Option<Vec<usize>> = (tensor.shape.len() == known.len())
        .then(|| {
            let pairs = tensor.shape.iter().zip(known);
            pairs.map(|(size, known)| size.or(*known)).collect()
        })
        .flatten();
    if fixed.is_none() {
        findings.error(
            place(tensor),
            format!("its shape is {}", shape_text(&tensor.shape)),
            format!("export it with the shape {meaning}"),
        );
    }
    fixed
}

pub(in crate::policy::package) fn shape_text(shape: &[Option<usize>]) -> String {
    let sizes: Vec<String> = shape
        .iter()
        .map(|size| size.map_or_else(|| "?".into(), |size| size.to_string()))
        .collect();
    format!("[{}]", sizes.join(", "))
}

pub(super) fn batch_of_one(tensor: &Tensor, shape: &[usize], findings: &mut Findings) -> bool {
    let one = shape.first() == Some(&1);
    if !one {
        findings.error(
            place(tensor),
            format!("its batch is {}", shape.first().unwrap_or(&0)),
            "export it with a batch of 1",
        );
    }
    one
}

/// `one`, with the rows of its moments after the batch where the tensor has them.
pub(super) fn with_moments(
    tensor: &Tensor,
    one: &[Option<usize>],
    moments: usize,
) -> Vec<Option<usize>> {
    let mut sizes = one.to_vec();
    if tensor.shape.len() == one.len() + 1 {
        sizes.insert(1, Some(moments));
    }
    sizes
}

/// A tensor that shows several moments must show as many as the manifest says.
pub(super) fn right_moments(
    tensor: &Tensor,
    shape: &[usize],
    rank: usize,
    moments: usize,
    findings: &mut Findings,
) -> bool {
    let shown = shape.get(1).copied().filter(|_| shape.len() == rank + 2);
    let right = shown.is_none_or(|shown| shown == moments);
    if !right {
        findings.error(
            place(tensor),
            format!("its shape is {shape:?}, n_obs_steps is {moments}"),
            "make manifest and graph agree",
        );
    }
    right
}
