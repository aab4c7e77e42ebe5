//! A picture and when it was taken. Never changed once made.

use std::sync::Arc;

use crate::units::MonoTime;

/// A picture of 8-bit RGB pixels, rows from the top, no padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Rgb8 {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl Rgb8 {
    /// A picture of `data`; `None` unless that is `width · height · 3` bytes and not empty.
    #[must_use]
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Option<Self> {
        let bytes = (width as usize)
            .checked_mul(height as usize)?
            .checked_mul(3)?;
        (bytes > 0 && bytes == data.len()).then_some(Rgb8 {
            width,
            height,
            data,
        })
    }

    /// Width, pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height, pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels: R, G, B, row by row from the top left.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

/// Pictures are too long to print.
impl std::fmt::Debug for Rgb8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rgb8({}×{})", self.width, self.height)
    }
}

/// One good picture of one camera.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The camera's index in the cell's order.
    pub camera: u8,
    /// When the light fell on the sensor: arrival less the camera's configured latency.
    pub captured_at: MonoTime,
    /// Rises with every good picture of this camera, from 1.
    pub sequence: u64,
    /// The picture.
    pub image: Arc<Rgb8>,
}
