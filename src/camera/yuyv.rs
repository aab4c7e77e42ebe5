//! Pictures of 4:2:2 pixels to RGB. Owns the arithmetic, and no other layout.
//!
//! ITU-R BT.601 in the narrow range: luma 16…235, chroma 16…240 about 128, as cameras of the USB
//! video class give them.

use super::{DecodeError, Rgb8};

/// A picture of `width` × `height` pixels, two in four bytes (Y₀ U Y₁ V), each row `stride` bytes.
///
/// # Errors
/// When the size is not even across, or the bytes are too few.
pub(super) fn decode(
    bytes: &[u8],
    (width, height): (u32, u32),
    stride: u32,
) -> Result<Rgb8, DecodeError> {
    let (columns, rows, stride) = (width as usize, height as usize, stride as usize);
    let stride = stride.max(columns * 2);
    let short = || DecodeError(format!("{} bytes are no {width} × {height}", bytes.len()));
    if columns % 2 != 0 {
        return Err(DecodeError(format!("{width} pixels across are no pairs")));
    }
    let mut pixels = Vec::with_capacity(columns * rows * 3);
    for row in 0..rows {
        let begin = row * stride;
        let row = bytes.get(begin..begin + columns * 2).ok_or_else(short)?;
        for pair in row.chunks_exact(4) {
            if let [first, u, second, v] = *pair {
                pixels.extend(rgb(first, u, v));
                pixels.extend(rgb(second, u, v));
            }
        }
    }
    Rgb8::new(width, height, pixels).ok_or_else(short)
}

/// One pixel, in fixed point of 16 bits.
fn rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
    let luma = (i32::from(y) - 16) * 76_309;
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    let level = |value: i32| ((value + 32_768) >> 16).clamp(0, 255) as u8;
    [
        level(luma + 104_597 * v),
        level(luma - 25_675 * u - 53_279 * v),
        level(luma + 132_201 * u),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the standard's own formula, in floating point.
    fn expected(y: u8, u: u8, v: u8) -> [f64; 3] {
        let luma = 255.0 / 219.0 * (f64::from(y) - 16.0);
        let [u, v] = [u, v].map(|it| 255.0 / 224.0 * (f64::from(it) - 128.0));
        [
            luma + 1.402 * v,
            luma - 1.772 * 0.114 / 0.587 * u - 1.402 * 0.299 / 0.587 * v,
            luma + 1.772 * u,
        ]
        .map(|it| it.clamp(0.0, 255.0))
    }

    #[test]
    fn every_pixel_is_what_the_standard_says_to_one_level() {
        let steps = || (0..=255u8).step_by(5);
        for (y, u, v) in steps().flat_map(|y| steps().map(move |u| (y, u, 255 - u / 2))) {
            for (is, should) in rgb(y, u, v).iter().zip(expected(y, u, v)) {
                let off = (f64::from(*is) - should).abs();
                assert!(off <= 1.0, "{y} {u} {v}: {is} for {should}");
            }
        }
    }

    #[test]
    fn rows_may_be_longer_than_their_pixels() {
        let row = [235, 128, 16, 128, 9, 9];
        let bytes = [row, row].concat();
        let image = decode(&bytes, (2, 2), 6).unwrap();
        let line = [255, 255, 255, 0, 0, 0];
        assert_eq!(image.data(), [line, line].concat());
    }

    #[test]
    fn too_few_bytes_and_odd_widths_are_refused() {
        assert!(decode(&[0; 15], (4, 2), 8).is_err());
        assert!(decode(&[0; 64], (3, 2), 6).is_err());
    }
}
