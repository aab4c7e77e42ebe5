//! One picture, sized and laid out as a policy takes it.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::Picture;

/// Pixels across and down.
pub(super) type Size = (u32, u32);

/// Scales `picture` to `size` in `scaled`, whatever that does to its sides' ratio.
///
/// Through the typed call: the general one would be compiled for every kind of pixel there is.
pub(super) fn stretch(
    resizer: &mut Resizer,
    picture: &Picture<'_>,
    (width, height): Size,
    scaled: &mut [u8],
) -> Option<()> {
    let source =
        TypedImageRef::<U8x3>::from_buffer(picture.width, picture.height, picture.rgb).ok()?;
    let mut target = TypedImage::<U8x3>::from_buffer(width, height, scaled).ok()?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resizer.resize_typed(&source, &mut target, &options).ok()
}

/// Scales `picture` into the middle of `size` with its sides' ratio kept, black around it.
pub(super) fn fit(
    resizer: &mut Resizer,
    picture: &Picture<'_>,
    (width, height): Size,
    inner: &mut Vec<u8>,
    scaled: &mut [u8],
) -> Option<()> {
    let ratio = f64::max(
        f64::from(picture.width) / f64::from(width),
        f64::from(picture.height) / f64::from(height),
    );
    // Whole pixels, rounded down as the models' own preparation does.
    let side = |whole: u32, most: u32| ((f64::from(whole) / ratio) as u32).clamp(1, most);
    let (across, down) = (side(picture.width, width), side(picture.height, height));
    inner.resize(across as usize * down as usize * 3, 0);
    stretch(resizer, picture, (across, down), inner)?;
    scaled.fill(0);
    let (left, top) = ((width - across) as usize / 2, (height - down) as usize / 2);
    let rows = scaled.chunks_exact_mut(width as usize * 3).skip(top);
    for (row, inner) in rows.zip(inner.chunks_exact(across as usize * 3)) {
        let part = row.get_mut(left * 3..(left + across as usize) * 3)?;
        part.copy_from_slice(inner);
    }
    Some(())
}

/// Interleaved bytes to planes of floats, each colour through its table.
pub(super) fn float_planes(rgb: &[u8], tables: &[[f32; 256]; 3], out: &mut [f32]) {
    let pixels = out.len() / 3;
    let (red, rest) = out.split_at_mut(pixels);
    let (green, blue) = rest.split_at_mut(pixels);
    let [reds, greens, blues] = tables;
    let planes = red.iter_mut().zip(green).zip(blue);
    for (pixel, ((red, green), blue)) in rgb.chunks_exact(3).zip(planes) {
        if let [r, g, b] = *pixel {
            // A table has a place for every byte.
            *red = reds[usize::from(r)];
            *green = greens[usize::from(g)];
            *blue = blues[usize::from(b)];
        }
    }
}

/// Interleaved bytes to planes of bytes.
pub(super) fn byte_planes(rgb: &[u8], out: &mut [u8]) {
    let pixels = out.len() / 3;
    if pixels == 0 {
        return;
    }
    for (colour, plane) in out.chunks_exact_mut(pixels).enumerate() {
        let bytes = rgb.iter().skip(colour).step_by(3);
        plane
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_picture_keeps_its_ratio_between_black_bars() {
        let white = vec![255u8; 8 * 4 * 3];
        let picture = Picture {
            width: 8,
            height: 4,
            rgb: &white,
        };
        let (mut inner, mut out) = (Vec::new(), vec![7u8; 4 * 4 * 3]);
        fit(&mut Resizer::new(), &picture, (4, 4), &mut inner, &mut out).unwrap();
        let rows: Vec<u8> = out.chunks_exact(12).map(|row| row[0]).collect();
        assert_eq!(rows, [0, 255, 255, 0]);
    }

    #[test]
    fn planes_hold_one_colour_each() {
        let mut out = [0; 6];
        byte_planes(&[1, 2, 3, 4, 5, 6], &mut out);
        assert_eq!(out, [1, 4, 2, 5, 3, 6]);
    }
}
