//! What a camera's sensor adds: exposure that wavers and noise in every pixel, both drawn from the
//! seed, the camera and the frame number alone.

use super::eye::Eye;
use super::image::{Image, screen};
use super::paint::Linear;
use crate::scene::NoiseScene;

/// Standard deviation of the sum of four bytes.
const FOUR_BYTES: f32 = 147.8;

/// Turns light into a picture as a sensor would.
pub(super) fn expose(pixels: &[Linear], eye: &Eye, noise: &NoiseScene, key: [u64; 3]) -> Image {
    let [width, height] = eye.size();
    let mut state = key.into_iter().fold(0, |state, part| hash(state ^ part));
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        hash(state)
    };
    let gain = 1.0 + noise.gain * bell(draw());
    let mut rgb = Vec::with_capacity(pixels.len() * 3);
    for pixel in pixels {
        // Four bytes a colour: one draw serves two of them.
        let (one, two) = (draw(), draw());
        for (part, bits) in pixel.iter().zip([one, one >> 32, two]) {
            let value = screen(*part) * gain + noise.pixel * bell(bits);
            rgb.push((value + 0.5).clamp(0.0, 255.0) as u8);
        }
    }
    Image { width, height, rgb }
}

/// A bell curve of mean 0 and deviation 1 from the low 32 bits: the sum of four even draws.
fn bell(bits: u64) -> f32 {
    let sum: u64 = (0..4).map(|byte| (bits >> (8 * byte)) & 0xff).sum();
    (sum as f32 - 510.0) / FOUR_BYTES
}

/// Mixes 64 bits well enough for noise (the finaliser of splitmix64).
pub(super) fn hash(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
