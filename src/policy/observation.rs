//! From pictures and joints to the tensors a graph takes.
//!
//! Owns the layout: order of the state, planes of a picture, normalisation, and what is shown of
//! moments before. Everything that can be wrong with names and sizes is found when the encoder is
//! made. Buffers are reused.

use std::sync::Arc;

use fast_image_resize::Resizer;

mod moments;
mod picture;
mod state;

use super::continuation::Told;
use super::embodiment::Embodiment;
use super::finding::Findings;
use super::package::{Affine, ChunkPart, Element, Input, Package, Pixels, Source, Units};
use super::{PolicyError, backend};
use crate::units::{MonoTime, Rad, RadPerSec};
use moments::Moments;
use state::Value;

/// One camera's picture.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// R, G, B, row by row from the top left.
    pub rgb: &'a [u8],
}

/// What the policy sees at one moment.
#[derive(Debug, Clone)]
pub struct Observation<'a> {
    /// When the oldest of the pictures was taken; the joints are those of that moment.
    pub captured_at: MonoTime,
    /// The pictures, in the order of the camera names given to [`super::Policy::load`].
    pub pictures: Vec<Picture<'a>>,
    /// Joint positions as measured, in the order of [`Embodiment::joints`] as the two below.
    pub measured: Vec<Rad>,
    /// Joint positions as commanded.
    pub command: Vec<Rad>,
    /// How fast the joints turn, as measured.
    pub velocity: Vec<RadPerSec>,
}

/// What an inference hands on to the next one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Carried {
    /// What the graph gave for each memory of the package; empty at first.
    pub memories: Vec<Vec<f32>>,
    /// The first action of the chunk, as the graph gave it; empty at first.
    pub action: Vec<f32>,
    /// How many inferences there were.
    pub count: i32,
}

/// Byte to float, a table a colour.
type Tables = [[f32; 256]; 3];

#[derive(Debug)]
enum Feed {
    Values {
        values: Vec<Value>,
        units: Units,
        normalise: Affine,
    },
    Image {
        /// Index into the observation's pictures.
        picture: usize,
        camera: String,
        size: picture::Size,
        pixels: Pixels,
        /// Byte to float, a table a colour.
        tables: Box<Tables>,
        /// A picture of another size is scaled into this first.
        scaled: Vec<u8>,
        /// Where it keeps its ratio: its own part of that.
        inner: Vec<u8>,
    },
    Memory(usize),
    Count(i32),
    Chunk(ChunkPart),
    Noise,
}

#[derive(Debug)]
enum Buffer {
    Floats(Vec<f32>),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Bytes(Vec<u8>),
}

#[derive(Debug)]
struct Slot {
    feed: Feed,
    shape: Vec<usize>,
    data: Buffer,
    /// Which row of a moment it is, where it shows several.
    row: Option<usize>,
}

/// The values of `package`'s state in `units`, as the policy would see them before they are
/// normalised.
///
/// # Errors
/// When the state does not fit the arm, or the tool's place can't be told.
pub(super) fn state_of(
    package: &Package,
    arm: &Arc<dyn Embodiment>,
    observation: &Observation<'_>,
    units: Units,
) -> Result<Vec<f64>, PolicyError> {
    let state = |input: &&Input| input.source == Source::State;
    let mut unheard = Findings::default();
    let values = package
        .inputs
        .iter()
        .find(state)
        .and_then(|input| state::values(package, input, arm.as_ref(), &mut unheard));
    let each = values.into_iter().flat_map(|(values, _)| values);
    each.map(|value| state::now(value, observation, arm.as_ref(), units, &[]))
        .collect()
}

/// Makes the inputs of one package's graph.
pub struct Encoder {
    slots: Vec<Slot>,
    arm: Arc<dyn Embodiment>,
    resizer: Resizer,
    moments: Moments,
}

impl Encoder {
    /// An encoder for `package` on this arm with these cameras; `None` after an error.
    pub fn new(
        package: &Package,
        arm: &Arc<dyn Embodiment>,
        cameras: &[&str],
        findings: &mut Findings,
    ) -> Option<Encoder> {
        let mut rows = 0;
        let slots: Vec<Option<Slot>> = package
            .inputs
            .iter()
            .map(|input| {
                let slot = slot(package, input, arm.as_ref(), cameras, findings)?;
                let row = (input.moments() > 1).then(|| {
                    rows += 1;
                    rows - 1
                });
                Some(Slot { row, ..slot })
            })
            .collect();
        let step_ns = (1e9 / package.robot.timing.rate_hz).round() as u64;
        Some(Encoder {
            slots: slots.into_iter().collect::<Option<_>>()?,
            arm: Arc::clone(arm),
            resizer: Resizer::new(),
            moments: Moments::new(package.moments, step_ns),
        })
    }

    /// Forgets the moments before.
    pub fn forget(&mut self) {
        self.moments.clear();
    }

    /// Whether an observation made at `at` is worth being [seen](Encoder::see).
    #[must_use]
    pub fn wants(&self, at: MonoTime) -> bool {
        self.moments.shown() > 1 && self.moments.wants(at)
    }

    /// Keeps `observation` to be shown as a moment before.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn see(&mut self, observation: &Observation<'_>) -> Result<(), PolicyError> {
        if self.moments.shown() <= 1 || self.moments.has(observation.captured_at) {
            return Ok(());
        }
        let shown = self.moments.shown();
        let mut rows = self.moments.blank();
        let stacked = self.slots.iter_mut().filter(|slot| slot.row.is_some());
        for (index, slot) in stacked.enumerate() {
            let Buffer::Floats(data) = &slot.data else {
                continue;
            };
            let length = data.len() / shown;
            if rows.len() <= index {
                rows.push(Vec::new());
            }
            if let Some(row) = rows.get_mut(index) {
                row.resize(length, 0.0);
                let arm = self.arm.as_ref();
                let none = (&Carried::default(), &Told::default());
                slot.feed
                    .floats(observation, arm, &mut self.resizer, none, row)?;
            }
        }
        self.moments.push(observation.captured_at, rows);
        Ok(())
    }

    /// Puts `observation`, what the inference before `carried` on, and what is told of the chunk
    /// before, into the inputs.
    ///
    /// # Errors
    /// When a picture or the tool's place is missing, or a joint is not finite.
    pub(super) fn encode(
        &mut self,
        observation: &Observation<'_>,
        carried: &Carried,
        told: &Told,
    ) -> Result<(), PolicyError> {
        self.see(observation)?;
        for slot in &mut self.slots {
            let arm = self.arm.as_ref();
            match (&mut slot.data, slot.row) {
                (Buffer::Floats(data), Some(row)) => {
                    let length = (data.len() / self.moments.shown()).max(1);
                    let shown = data.chunks_exact_mut(length);
                    for (to, from) in shown.zip(self.moments.rows(row)) {
                        to.copy_from_slice(from);
                    }
                }
                (Buffer::Floats(data), None) => {
                    let before = (carried, told);
                    slot.feed
                        .floats(observation, arm, &mut self.resizer, before, data)?;
                }
                (Buffer::Bytes(data), _) => {
                    slot.feed.bytes(observation, &mut self.resizer, data)?;
                }
                (Buffer::Ints(data), _) => {
                    data.fill(slot.feed.whole(carried, told).unwrap_or_default());
                }
                (Buffer::Longs(data), _) => {
                    let whole = slot.feed.whole(carried, told);
                    data.fill(whole.unwrap_or_default().into());
                }
            }
        }
        Ok(())
    }

    /// Grey pictures and a state of zeros: to run a graph before anything was seen.
    pub fn encode_neutral(&mut self) {
        for slot in &mut self.slots {
            let grey = matches!(slot.feed, Feed::Image { .. });
            match &mut slot.data {
                Buffer::Floats(data) => data.fill(if grey { 0.5 } else { 0.0 }),
                Buffer::Ints(data) => data.fill(0),
                Buffer::Longs(data) => data.fill(0),
                Buffer::Bytes(data) => data.fill(128),
            }
        }
    }

    /// The inputs, in the package's order.
    #[must_use]
    pub fn inputs(&self) -> Vec<backend::Input<'_>> {
        self.slots
            .iter()
            .map(|slot| backend::Input {
                shape: &slot.shape,
                data: match &slot.data {
                    Buffer::Floats(data) => backend::Data::Floats(data),
                    Buffer::Ints(data) => backend::Data::Ints(data),
                    Buffer::Longs(data) => backend::Data::Longs(data),
                    Buffer::Bytes(data) => backend::Data::Bytes(data),
                },
            })
            .collect()
    }
}

impl Feed {
    /// One moment as floats, with what is known from before.
    fn floats(
        &mut self,
        observation: &Observation<'_>,
        arm: &dyn Embodiment,
        resizer: &mut Resizer,
        (carried, told): (&Carried, &Told),
        data: &mut [f32],
    ) -> Result<(), PolicyError> {
        match self {
            Feed::Values {
                values,
                units,
                normalise,
            } => {
                for (index, (out, value)) in data.iter_mut().zip(values).enumerate() {
                    let number = state::now(*value, observation, arm, *units, &carried.action)?;
                    let normal = normalise.apply(index, number) as f32;
                    if !normal.is_finite() {
                        return Err(PolicyError::State { index });
                    }
                    *out = normal;
                }
            }
            Feed::Image { .. } => {
                let (rgb, tables, camera) = self.rgb(observation, resizer)?;
                if rgb.len() != data.len() {
                    return Err(missing(camera));
                }
                picture::float_planes(rgb, tables, data);
            }
            Feed::Memory(index) => match carried.memories.get(*index) {
                Some(memory) if memory.len() == data.len() => data.copy_from_slice(memory),
                _ => data.fill(0.0),
            },
            Feed::Chunk(part) => told.put(*part, data),
            Feed::Noise => told.noise.fill(data),
            Feed::Count(_) => {}
        }
        Ok(())
    }

    /// The whole number it is fed with, where it is one.
    fn whole(&self, carried: &Carried, told: &Told) -> Option<i32> {
        match self {
            Feed::Count(each) => Some(carried.count.wrapping_mul(*each)),
            Feed::Chunk(part) => Some(told.steps(*part)),
            Feed::Values { .. } | Feed::Image { .. } | Feed::Memory(_) | Feed::Noise => None,
        }
    }

    /// A picture as bytes.
    fn bytes(
        &mut self,
        observation: &Observation<'_>,
        resizer: &mut Resizer,
        data: &mut [u8],
    ) -> Result<(), PolicyError> {
        let Feed::Image { pixels, .. } = self else {
            return Ok(());
        };
        let pixels = *pixels;
        let (rgb, _, camera) = self.rgb(observation, resizer)?;
        if rgb.len() != data.len() {
            return Err(missing(camera));
        }
        match pixels {
            Pixels::Planes => picture::byte_planes(rgb, data),
            Pixels::Interleaved | Pixels::Floats => data.copy_from_slice(rgb),
        }
        Ok(())
    }

    /// The picture's pixels in the size that is wanted.
    fn rgb<'a>(
        &'a mut self,
        observation: &Observation<'a>,
        resizer: &mut Resizer,
    ) -> Result<(&'a [u8], &'a Tables, &'a str), PolicyError> {
        let Feed::Image {
            picture,
            camera,
            size,
            pixels,
            tables,
            scaled,
            inner,
        } = self
        else {
            return Err(missing("?"));
        };
        let absent = || missing(camera);
        let picture = observation.pictures.get(*picture).ok_or_else(absent)?;
        if (picture.width, picture.height) == *size {
            return Ok((picture.rgb, tables, camera));
        }
        match pixels {
            Pixels::Floats => picture::stretch(resizer, picture, *size, scaled),
            Pixels::Interleaved | Pixels::Planes => {
                picture::fit(resizer, picture, *size, inner, scaled)
            }
        }
        .ok_or_else(absent)?;
        Ok((scaled, tables, camera))
    }
}

fn missing(camera: &str) -> PolicyError {
    PolicyError::Picture {
        camera: camera.to_owned(),
    }
}

fn slot(
    package: &Package,
    input: &Input,
    arm: &dyn Embodiment,
    cameras: &[&str],
    findings: &mut Findings,
) -> Option<Slot> {
    let length = input.shape.iter().product();
    let mut data = Buffer::Floats(Vec::new());
    let feed = match &input.source {
        Source::State | Source::Values { .. } => {
            let (values, units) = state::values(package, input, arm, findings)?;
            Feed::Values {
                values,
                units,
                normalise: input.normalise.clone(),
            }
        }
        Source::Memory(index) => Feed::Memory(*index),
        Source::Count(each) => {
            data = Buffer::Ints(vec![0; length]);
            Feed::Count(*each)
        }
        Source::Chunk(part) => {
            match input.element {
                Element::Int32 => data = Buffer::Ints(vec![0; length]),
                Element::Int64 => data = Buffer::Longs(vec![0; length]),
                Element::Float32 | Element::Other => {}
            }
            Feed::Chunk(*part)
        }
        Source::Noise => Feed::Noise,
        Source::Image {
            camera,
            width,
            height,
            pixels,
        } => {
            let Some(picture) = cameras.iter().position(|name| name == camera) else {
                findings.error(
                    "cameras",
                    format!("the policy looks through {camera:?}, the cell has no such camera"),
                    "add that camera to the cell file",
                );
                return None;
            };
            if *pixels != Pixels::Floats {
                data = Buffer::Bytes(vec![0; length]);
            }
            Feed::Image {
                picture,
                camera: camera.clone(),
                size: (*width, *height),
                pixels: *pixels,
                tables: Box::new(std::array::from_fn(|colour| {
                    std::array::from_fn(|byte| {
                        input.normalise.apply(colour, byte as f64 / 255.0) as f32
                    })
                })),
                scaled: vec![0; *width as usize * *height as usize * 3],
                inner: Vec::new(),
            }
        }
    };
    if let Buffer::Floats(floats) = &mut data {
        floats.resize(length, 0.0);
    }
    Some(Slot {
        feed,
        shape: input.shape.clone(),
        data,
        row: None,
    })
}
