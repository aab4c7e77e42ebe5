//! What a graph takes and gives, read from the ONNX file without loading the graph.
//!
//! Only the few fields of the file that say so are read; the weights are skipped. Bounded, and
//! nothing is executed. Field numbers are those of `onnx.proto`.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The largest size of a name or a shape in the file, bytes.
const MAX_TEXT: u64 = 64 * 1024;
/// The most inputs, outputs and weights together that are looked at.
const MAX_ITEMS: usize = 100_000;
/// The most entries of metadata that are read.
const MAX_METADATA: usize = 1000;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;
/// `TensorProto.DataType.INT32`.
const INT32: u64 = 6;
/// `TensorProto.DataType.INT64`.
const INT64: u64 = 7;

/// What the elements of a tensor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    Float32,
    /// 32-bit whole numbers.
    Int32,
    /// 64-bit whole numbers.
    Int64,
    /// Anything else.
    Other,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its sizes; `None` where a size is known only when it runs.
    pub shape: Vec<Option<usize>>,
    /// What its elements are.
    pub element: Element,
}

/// All inputs and outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// Inputs, weights left out.
    pub inputs: Vec<Tensor>,
    /// Outputs.
    pub outputs: Vec<Tensor>,
    /// What the exporter wrote about the graph, by its keys.
    pub metadata: BTreeMap<String, String>,
}

/// A file that is no graph, or one that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// It can't be read.
    #[error("it can't be read ({0})")]
    Io(#[from] std::io::Error),
    /// It is not ONNX.
    #[error("it is not an ONNX graph: {0}")]
    Format(&'static str),
    /// Its weights are elsewhere.
    #[error("its weights lie in another file; export them into the graph")]
    ExternalData,
}

/// Reads the signature of the graph at `path`.
///
/// # Errors
/// When the file can't be read, is no ONNX graph, or keeps its weights elsewhere.
pub fn signature(path: &Path) -> Result<Signature, GraphError> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut scan = Scan {
        inner: BufReader::new(file),
        at: 0,
        items: 0,
    };
    let mut signature = None;
    let mut metadata = BTreeMap::new();
    scan.fields(end, |scan, number, field| {
        match (number, field) {
            (7, Field::Bytes(end)) => signature = Some(scan.graph(end)?),
            (14, Field::Bytes(end)) => {
                let (key, value) = scan.property(end)?;
                if metadata.len() < MAX_METADATA {
                    metadata.insert(key, value);
                }
            }
            (_, field) => scan.skip(field)?,
        }
        Ok(())
    })?;
    let signature = signature.ok_or(GraphError::Format("it holds no graph"))?;
    Ok(Signature {
        metadata,
        ..signature
    })
}

/// The value of a field: a number, or where its bytes end.
#[derive(Debug, Clone, Copy)]
enum Field {
    Number(u64),
    Bytes(u64),
}

struct Scan {
    inner: BufReader<File>,
    at: u64,
    items: usize,
}

type Step<'a> = &'a mut dyn FnMut(&mut Scan, u64, Field) -> Result<(), GraphError>;

impl Scan {
    /// Calls `step` for every field up to `end`; it must read or skip the bytes of each.
    fn fields(
        &mut self,
        end: u64,
        mut step: impl FnMut(&mut Scan, u64, Field) -> Result<(), GraphError>,
    ) -> Result<(), GraphError> {
        self.walk(end, &mut step)
    }

    fn walk(&mut self, end: u64, step: Step<'_>) -> Result<(), GraphError> {
        while self.at < end {
            let key = self.varint()?;
            let field = match key & 7 {
                0 => Field::Number(self.varint()?),
                1 => Field::Bytes(self.at.saturating_add(8)),
                2 => {
                    let length = self.varint()?;
                    Field::Bytes(self.at.saturating_add(length))
                }
                5 => Field::Bytes(self.at.saturating_add(4)),
                _ => return Err(GraphError::Format("a field has an unknown type")),
            };
            if let Field::Bytes(stop) = field
                && stop > end
            {
                return Err(GraphError::Format("a field is longer than what holds it"));
            }
            step(self, key >> 3, field)?;
        }
        if self.at == end {
            Ok(())
        } else {
            Err(GraphError::Format("a field ends beyond what holds it"))
        }
    }

    fn byte(&mut self) -> Result<u8, GraphError> {
        let mut byte = [0];
        self.inner
            .read_exact(&mut byte)
            .map_err(|_| GraphError::Format("it ends early"))?;
        self.at += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64, GraphError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(GraphError::Format("a number is too long"))
    }

    fn skip(&mut self, field: Field) -> Result<(), GraphError> {
        if let Field::Bytes(end) = field {
            let step = i64::try_from(end.saturating_sub(self.at))
                .map_err(|_| GraphError::Format("a field is too long"))?;
            self.inner.seek_relative(step)?;
            self.at = end;
        }
        Ok(())
    }

    fn text(&mut self, end: u64) -> Result<String, GraphError> {
        let length = end.saturating_sub(self.at);
        if length > MAX_TEXT {
            return Err(GraphError::Format("a name is too long"));
        }
        let mut bytes = vec![0; length as usize];
        self.inner
            .read_exact(&mut bytes)
            .map_err(|_| GraphError::Format("it ends early"))?;
        self.at = end;
        String::from_utf8(bytes).map_err(|_| GraphError::Format("a name is not UTF-8"))
    }

    fn count(&mut self) -> Result<(), GraphError> {
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(GraphError::Format("it has too many inputs and weights"));
        }
        Ok(())
    }

    fn graph(&mut self, end: u64) -> Result<Signature, GraphError> {
        let mut signature = Signature::default();
        let mut weights = HashSet::new();
        self.fields(end, |scan, number, field| {
            match (number, field) {
                (5, Field::Bytes(end)) => {
                    weights.insert(scan.weight(end)?);
                }
                (11, Field::Bytes(end)) => signature.inputs.push(scan.value_info(end)?),
                (12, Field::Bytes(end)) => signature.outputs.push(scan.value_info(end)?),
                (_, field) => scan.skip(field)?,
            }
            Ok(())
        })?;
        // Old files list weights among the inputs.
        signature
            .inputs
            .retain(|input| !weights.contains(&input.name));
        Ok(signature)
    }

    /// One entry of the metadata: key and value. One that is too long to be of use is empty.
    fn property(&mut self, end: u64) -> Result<(String, String), GraphError> {
        let mut entry = (String::new(), String::new());
        self.fields(end, |scan, number, field| {
            match (number, field) {
                (1, Field::Bytes(end)) => entry.0 = scan.text(end)?,
                (2, Field::Bytes(end)) if end.saturating_sub(scan.at) <= MAX_TEXT => {
                    entry.1 = scan.text(end)?;
                }
                (_, field) => scan.skip(field)?,
            }
            Ok(())
        })?;
        Ok(entry)
    }

    fn weight(&mut self, end: u64) -> Result<String, GraphError> {
        self.count()?;
        let mut name = String::new();
        let mut external = false;
        self.fields(end, |scan, number, field| {
            match (number, field) {
                (8, Field::Bytes(end)) => name = scan.text(end)?,
                (13, field @ Field::Bytes(_)) => {
                    external = true;
                    scan.skip(field)?;
                }
                (14, Field::Number(location)) => external |= location == 1,
                (_, field) => scan.skip(field)?,
            }
            Ok(())
        })?;
        if external {
            return Err(GraphError::ExternalData);
        }
        Ok(name)
    }

    fn value_info(&mut self, end: u64) -> Result<Tensor, GraphError> {
        self.count()?;
        let mut tensor = Tensor {
            name: String::new(),
            shape: Vec::new(),
            element: Element::Other,
        };
        self.fields(end, |scan, number, field| {
            match (number, field) {
                (1, Field::Bytes(end)) => tensor.name = scan.text(end)?,
                (2, Field::Bytes(end)) => scan.fields(end, |scan, number, field| {
                    match (number, field) {
                        (1, Field::Bytes(end)) => scan.tensor_type(end, &mut tensor)?,
                        (_, field) => scan.skip(field)?,
                    }
                    Ok(())
                })?,
                (_, field) => scan.skip(field)?,
            }
            Ok(())
        })?;
        Ok(tensor)
    }

    fn tensor_type(&mut self, end: u64, tensor: &mut Tensor) -> Result<(), GraphError> {
        self.fields(end, |scan, number, field| {
            match (number, field) {
                (1, Field::Number(FLOAT)) => tensor.element = Element::Float32,
                (1, Field::Number(INT32)) => tensor.element = Element::Int32,
                (1, Field::Number(INT64)) => tensor.element = Element::Int64,
                (2, Field::Bytes(end)) => scan.fields(end, |scan, number, field| {
                    match (number, field) {
                        (1, Field::Bytes(end)) => {
                            scan.count()?;
                            tensor.shape.push(scan.dimension(end)?);
                        }
                        (_, field) => scan.skip(field)?,
                    }
                    Ok(())
                })?,
                (_, field) => scan.skip(field)?,
            }
            Ok(())
        })
    }

    fn dimension(&mut self, end: u64) -> Result<Option<usize>, GraphError> {
        let mut size = None;
        self.fields(end, |scan, number, field| {
            match (number, field) {
                (1, Field::Number(value)) => size = usize::try_from(value).ok().filter(|n| *n > 0),
                (_, field) => scan.skip(field)?,
            }
            Ok(())
        })?;
        Ok(size)
    }
}
