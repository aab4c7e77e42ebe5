//! A finished picture and its JPEG.

use std::sync::LazyLock;

use jpeg_encoder::{ColorType, Encoder};

use super::paint::Linear;

/// JPEG quality of camera streams.
const QUALITY: u8 = 90;
/// Steps of the table from light to screen.
const STEPS: usize = 4096;

/// Amount of light → screen value, 0 to 255.
static SCREEN: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..=STEPS)
        .map(|i| {
            let light = i as f32 / STEPS as f32;
            let value = if light <= 0.003_130_8 {
                light * 12.92
            } else {
                1.055 * light.powf(1.0 / 2.4) - 0.055
            };
            value * 255.0
        })
        .collect()
});

/// The screen value, 0 to 255, of an amount of light.
pub(super) fn screen(light: f32) -> f32 {
    let step = (light.clamp(0.0, 1.0) * STEPS as f32) as usize;
    SCREEN[step]
}

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// pixels
    pub width: u32,
    /// pixels
    pub height: u32,
    /// three bytes a pixel, rows from the top
    pub rgb: Vec<u8>,
}

/// Why a picture has no JPEG.
#[derive(Debug, thiserror::Error)]
#[error("a picture of {width} × {height} pixels cannot be a JPEG; use sides of 1 to 65535 pixels")]
pub struct JpegError {
    width: u32,
    height: u32,
}

impl Image {
    pub(super) fn from_linear(width: u32, height: u32, pixels: &[Linear]) -> Self {
        let rgb = pixels
            .iter()
            .flat_map(|pixel| [pixel.x, pixel.y, pixel.z])
            .map(|light| (screen(light) + 0.5) as u8)
            .collect();
        Self { width, height, rgb }
    }

    /// A picture of one colour: what a covered or dead sensor sends.
    #[must_use]
    pub fn plain(width: u32, height: u32, colour: [u8; 3]) -> Self {
        Self {
            width,
            height,
            rgb: colour.repeat(width as usize * height as usize),
        }
    }

    /// The picture as a JPEG file.
    ///
    /// # Errors
    /// When a side is 0 or longer than 65535 pixels.
    pub fn jpeg(&self) -> Result<Vec<u8>, JpegError> {
        let unfit = || JpegError {
            width: self.width,
            height: self.height,
        };
        let side = |pixels: u32| u16::try_from(pixels).map_err(|_| unfit());
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, QUALITY)
            .encode(
                &self.rgb,
                side(self.width)?,
                side(self.height)?,
                ColorType::Rgb,
            )
            .map_err(|_| unfit())?;
        Ok(bytes)
    }
}
