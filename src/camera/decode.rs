//! JPEG to RGB. Bounded: a picture larger than the bound is refused before it is decoded.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::Rgb8;

/// The largest side of a picture, pixels.
const MAX_SIDE: usize = 4096;

/// A picture that can't be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a picture could not be decoded: {0}")]
pub struct DecodeError(pub(super) String);

/// Decodes a JPEG of at most 4096 × 4096 pixels, grey or colour.
///
/// # Errors
/// When the bytes are not such a JPEG, or end early.
pub fn decode(jpeg: &[u8]) -> Result<Rgb8, DecodeError> {
    let options = DecoderOptions::default()
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let fail = |error: &dyn std::fmt::Debug| DecodeError(one_line(&format!("{error:?}")));
    let pixels = decoder.decode().map_err(|error| fail(&error))?;
    let info = decoder
        .info()
        .ok_or_else(|| DecodeError("it has no header".into()))?;
    Rgb8::new(u32::from(info.width), u32::from(info.height), pixels)
        .ok_or_else(|| DecodeError("its pixels are not RGB of its size".into()))
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(120)
        .collect()
}
