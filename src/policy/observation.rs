//! From pictures and joints to the tensors a graph takes.
//!
//! Owns the layout: order of the state, planes of a picture, normalisation. Everything that can
//! be wrong with names and sizes is found when the encoder is made. Buffers are reused.

use std::sync::Arc;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::embodiment::{Embodiment, index_of};
use super::finding::Findings;
use super::package::{Affine, Axis, Input, Package, Source, StateEntry, Units};
use super::{PolicyError, backend};
use crate::units::{JointVec, MonoTime, Rad};

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
    /// Joint positions as measured.
    pub measured: JointVec<Rad>,
    /// Joint positions as commanded.
    pub command: JointVec<Rad>,
}

/// One value of the state, bound to the arm's joints.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Position(usize),
    Lag(usize),
    Tool(Axis),
}

#[derive(Debug)]
enum Feed {
    State {
        values: Vec<Value>,
        normalise: Affine,
    },
    Image {
        /// Index into the observation's pictures.
        picture: usize,
        camera: String,
        width: u32,
        height: u32,
        /// Byte to float, a table a colour.
        tables: Box<[[f32; 256]; 3]>,
        /// A picture of another size is scaled into this first.
        scaled: Vec<u8>,
    },
}

#[derive(Debug)]
struct Slot {
    feed: Feed,
    shape: Vec<usize>,
    data: Vec<f32>,
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
        .and_then(|input| state_values(package, input, arm.as_ref(), &mut unheard));
    let each = values.into_iter().flatten();
    each.map(|value| state_value(value, observation, arm.as_ref(), units))
        .collect()
}

/// Makes the inputs of one package's graph.
pub struct Encoder {
    slots: Vec<Slot>,
    units: Units,
    arm: Arc<dyn Embodiment>,
    resizer: Resizer,
}

impl Encoder {
    /// An encoder for `package` on this arm with these cameras; `None` after an error.
    pub fn new(
        package: &Package,
        arm: &Arc<dyn Embodiment>,
        cameras: &[&str],
        findings: &mut Findings,
    ) -> Option<Encoder> {
        let slots: Vec<Option<Slot>> = package
            .inputs
            .iter()
            .map(|input| slot(package, input, arm.as_ref(), cameras, findings))
            .collect();
        Some(Encoder {
            slots: slots.into_iter().collect::<Option<_>>()?,
            units: package.robot.state_units,
            arm: Arc::clone(arm),
            resizer: Resizer::new(),
        })
    }

    /// Puts `observation` into the inputs.
    ///
    /// # Errors
    /// When a picture or the tool's place is missing, or a joint is not finite.
    pub fn encode(&mut self, observation: &Observation<'_>) -> Result<(), PolicyError> {
        for slot in &mut self.slots {
            match &mut slot.feed {
                Feed::State { values, normalise } => {
                    let arm = self.arm.as_ref();
                    for (index, (out, value)) in slot.data.iter_mut().zip(values).enumerate() {
                        let number = state_value(*value, observation, arm, self.units)?;
                        let normal = normalise.apply(index, number) as f32;
                        if !normal.is_finite() {
                            return Err(PolicyError::State { index });
                        }
                        *out = normal;
                    }
                }
                Feed::Image {
                    picture,
                    camera,
                    width,
                    height,
                    tables,
                    scaled,
                } => {
                    let missing = || PolicyError::Picture {
                        camera: camera.clone(),
                    };
                    let picture = observation.pictures.get(*picture).ok_or_else(missing)?;
                    let rgb = if (picture.width, picture.height) == (*width, *height) {
                        picture.rgb
                    } else {
                        let size = (*width, *height);
                        scale(&mut self.resizer, picture, size, scaled).ok_or_else(missing)?;
                        scaled.as_slice()
                    };
                    if rgb.len() != slot.data.len() {
                        return Err(missing());
                    }
                    planes(rgb, tables, &mut slot.data);
                }
            }
        }
        Ok(())
    }

    /// Grey pictures and a state of zeros: to run a graph before anything was seen.
    pub fn encode_neutral(&mut self) {
        for slot in &mut self.slots {
            let value = match slot.feed {
                Feed::State { .. } => 0.0,
                Feed::Image { .. } => 0.5,
            };
            slot.data.fill(value);
        }
    }

    /// The inputs, in the package's order.
    #[must_use]
    pub fn inputs(&self) -> Vec<backend::Input<'_>> {
        self.slots
            .iter()
            .map(|slot| backend::Input {
                shape: &slot.shape,
                data: &slot.data,
            })
            .collect()
    }
}

fn slot(
    package: &Package,
    input: &Input,
    arm: &dyn Embodiment,
    cameras: &[&str],
    findings: &mut Findings,
) -> Option<Slot> {
    let feed = match &input.source {
        Source::State => Feed::State {
            values: state_values(package, input, arm, findings)?,
            normalise: input.normalise.clone(),
        },
        Source::Image {
            camera,
            width,
            height,
        } => {
            let Some(picture) = cameras.iter().position(|name| name == camera) else {
                findings.error(
                    "cameras",
                    format!("the policy looks through {camera:?}, the cell has no such camera"),
                    "add that camera to the cell file",
                );
                return None;
            };
            Feed::Image {
                picture,
                camera: camera.clone(),
                width: *width,
                height: *height,
                tables: Box::new(std::array::from_fn(|colour| {
                    std::array::from_fn(|byte| {
                        input.normalise.apply(colour, byte as f64 / 255.0) as f32
                    })
                })),
                scaled: vec![0; *width as usize * *height as usize * 3],
            }
        }
    };
    Some(Slot {
        feed,
        shape: input.shape.clone(),
        data: vec![0.0; input.shape.iter().product()],
    })
}

fn state_values(
    package: &Package,
    input: &Input,
    arm: &dyn Embodiment,
    findings: &mut Findings,
) -> Option<Vec<Value>> {
    const PLACE: &str = "manifest.json: hardware.robots[0].state";
    let width = input.shape.last().copied().unwrap_or(0);
    let Some(entries) = &package.robot.state else {
        if width != arm.joints().len() {
            findings.error(
                PLACE,
                format!(
                    "it has {width} values, the arm {} joints",
                    arm.joints().len()
                ),
                "name the values with order",
            );
            return None;
        }
        return Some((0..width).map(Value::Position).collect());
    };
    let mut find = |joint: &String| {
        let index = index_of(arm, joint);
        if index.is_none() {
            findings.error(
                format!("{PLACE}.order"),
                format!("{joint:?} is no joint of the arm"),
                format!("its joints are {}", arm.joints().join(", ")),
            );
        }
        index
    };
    let values: Vec<Option<Value>> = entries
        .iter()
        .map(|entry| match entry {
            StateEntry::Position(joint) => find(joint).map(Value::Position),
            StateEntry::Lag(joint) => find(joint).map(Value::Lag),
            StateEntry::Tool(axis) => Some(Value::Tool(*axis)),
        })
        .collect();
    values.into_iter().collect()
}

fn state_value(
    value: Value,
    observation: &Observation<'_>,
    arm: &dyn Embodiment,
    units: Units,
) -> Result<f64, PolicyError> {
    let angle = |joints: &JointVec<Rad>, index: usize| {
        joints
            .get(index)
            .map(|angle| arm.value_of(index, angle, units))
            .ok_or(PolicyError::Joint { index })
    };
    match value {
        Value::Position(index) => angle(&observation.measured, index),
        Value::Lag(index) => {
            Ok(angle(&observation.command, index)? - angle(&observation.measured, index)?)
        }
        Value::Tool(axis) => arm
            .tool_of(&observation.measured)
            .and_then(|tool| tool.position.get(axis.index()).copied())
            .ok_or(PolicyError::Tool),
    }
}

/// Scales `picture` to `width × height` in `scaled`.
///
/// Through the typed call: the general one would be compiled for every kind of pixel there is.
fn scale(
    resizer: &mut Resizer,
    picture: &Picture<'_>,
    (width, height): (u32, u32),
    scaled: &mut [u8],
) -> Option<()> {
    let source =
        TypedImageRef::<U8x3>::from_buffer(picture.width, picture.height, picture.rgb).ok()?;
    let mut target = TypedImage::<U8x3>::from_buffer(width, height, scaled).ok()?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resizer.resize_typed(&source, &mut target, &options).ok()
}

/// Interleaved bytes to planes of floats.
fn planes(rgb: &[u8], tables: &[[f32; 256]; 3], out: &mut [f32]) {
    let pixels = out.len() / 3;
    if pixels == 0 {
        return;
    }
    for (colour, (plane, table)) in out.chunks_exact_mut(pixels).zip(tables).enumerate() {
        let bytes = rgb.iter().skip(colour).step_by(3);
        for (value, byte) in plane.iter_mut().zip(bytes) {
            *value = table.get(usize::from(*byte)).copied().unwrap_or(0.0);
        }
    }
}
