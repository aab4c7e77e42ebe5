//! What a graph hands on from one inference to the next: recurrent state, declared by name.
//!
//! `"memory": [{"input": "h_in", "output": "h_out"}]` in `model` of a manifest, or in a checkpoint's
//! `config.json`. Zeros at the beginning of each episode and after each stop.

use super::Memory;
use super::graph::{Element, Signature, Tensor};
use super::node::Node;
use crate::policy::finding::Findings;

/// The most values one memory may have.
const MAX_VALUES: usize = 1 << 20;
/// The most memories a graph may have.
const MAX_MEMORIES: usize = 64;

/// One memory and the input it is given back to.
pub(super) struct Declared {
    /// The input's name in the graph.
    pub(super) input: String,
    pub(super) memory: Memory,
}

/// The memories that `model` declares, each found in the graph.
pub(super) fn declared(
    model: &Node<'_>,
    signature: &Signature,
    findings: &mut Findings,
) -> Vec<Declared> {
    let Some(list) = model.get("memory") else {
        return Vec::new();
    };
    let mut memories: Vec<Declared> = Vec::new();
    for node in list.list(findings) {
        let mut name = |key: &str| {
            let name = node.need(key, findings)?;
            Some((name.text(findings)?, name.place().to_owned()))
        };
        let (Some((input, place)), Some((output, _))) = (name("input"), name("output")) else {
            continue;
        };
        if memories.iter().any(|other| other.input == input) {
            findings.error(place, format!("{input:?} is named twice"), "name it once");
            continue;
        }
        memories.extend(pair(signature, input, output, &place, findings));
    }
    if memories.len() > MAX_MEMORIES {
        let what = format!("it has {} memories", memories.len());
        findings.error(list.place(), what, format!("use at most {MAX_MEMORIES}"));
    }
    memories
}

/// The memory that goes from `output` to `input`, where the graph has both and they are alike.
pub(super) fn pair(
    signature: &Signature,
    input: &str,
    output: &str,
    place: &str,
    findings: &mut Findings,
) -> Option<Declared> {
    let find = |all: &[Tensor], name: &str| all.iter().find(|it| it.name == name).cloned();
    let (Some(takes), Some(gives)) = (
        find(&signature.inputs, input),
        find(&signature.outputs, output),
    ) else {
        findings.error(
            place,
            format!("the graph does not take {input:?} and give {output:?}"),
            "name an input and an output of the graph",
        );
        return None;
    };
    // A size that one end leaves open is what the other says.
    let ends = takes.shape.iter().zip(&gives.shape);
    let sizes: Option<Vec<usize>> = ends.map(|(a, b)| a.or(*b)).collect();
    let agree = |shape: &[Option<usize>], sizes: &[usize]| {
        shape.len() == sizes.len()
            && shape
                .iter()
                .zip(sizes)
                .all(|(a, b)| a.is_none_or(|a| a == *b))
    };
    let shape = sizes.filter(|sizes| agree(&takes.shape, sizes) && agree(&gives.shape, sizes));
    let floats = [&takes, &gives]
        .iter()
        .all(|it| it.element == Element::Float32);
    let Some(shape) = shape.filter(|shape| floats && (1..=4).contains(&shape.len())) else {
        findings.error(
            place,
            format!("{input:?} and {output:?} are not the same one to four sizes of float32"),
            "export both with the same fixed shape",
        );
        return None;
    };
    let values = shape
        .iter()
        .try_fold(1usize, |all, size| all.checked_mul(*size));
    if values.is_none_or(|values| values > MAX_VALUES) {
        let what = format!("{input:?} has the shape {shape:?}");
        findings.error(place, what, format!("keep at most {MAX_VALUES} values"));
        return None;
    }
    Some(Declared {
        input: input.to_owned(),
        memory: Memory {
            output: output.to_owned(),
            shape,
        },
    })
}
