//! Pixels of GigE Vision cameras to RGB. Owns the arithmetic; the formats are those of the GenICam
//! Pixel Format Naming Convention, eight bits a value.

use crate::camera::{DecodeError, GigePixels, Rgb8};

/// A picture of `width` × `height` pixels, each row with `padding` bytes behind it.
///
/// Of a Bayer pattern each missing colour is the mean of its two or four nearest neighbours; at the
/// rim the picture is continued by its own mirror image, which keeps the pattern.
///
/// # Errors
/// When the bytes are too few, or a side is too short for the pattern.
pub(super) fn decode(
    pixels: GigePixels,
    mut bytes: Vec<u8>,
    (width, height): (u32, u32),
    padding: usize,
) -> Result<Rgb8, DecodeError> {
    let (columns, rows) = (width as usize, height as usize);
    let short = || DecodeError(format!("{} bytes are no {width} × {height}", bytes.len()));
    let row_bytes = match pixels {
        GigePixels::Rgb8 => columns * 3,
        _ => columns,
    };
    let stride = row_bytes + padding;
    let needed = stride * rows.saturating_sub(1) + row_bytes;
    if bytes.len() < needed || rows == 0 || columns == 0 {
        return Err(short());
    }
    let lines = || {
        let lines = bytes.chunks(stride).take(rows);
        lines.filter_map(move |line| line.get(..row_bytes))
    };
    let first_row = match pixels {
        GigePixels::Rgb8 => {
            if padding > 0 {
                bytes = lines().flatten().copied().collect();
            }
            bytes.truncate(row_bytes * rows);
            let count = bytes.len();
            return Rgb8::new(width, height, bytes)
                .ok_or_else(|| DecodeError(format!("{count} bytes are no {width} × {height}")));
        }
        GigePixels::Mono8 => {
            let data = lines().flatten().flat_map(|grey| [*grey; 3]).collect();
            return Rgb8::new(width, height, data).ok_or_else(short);
        }
        GigePixels::BayerRg8 => Row::red(false),
        GigePixels::BayerGr8 => Row::red(true),
        GigePixels::BayerBg8 => Row::blue(false),
        GigePixels::BayerGb8 => Row::blue(true),
    };
    if columns < 2 || rows < 2 {
        return Err(DecodeError(format!(
            "{width} × {height} is less than its pattern"
        )));
    }
    let padded: Vec<Vec<u8>> = lines().map(mirrored).collect();
    let above = padded.get(1).into_iter().chain(&padded);
    let below = padded.iter().skip(1).chain(padded.iter().nth_back(1));
    let mut data = Vec::with_capacity(columns * rows * 3);
    let mut row = first_row;
    for ((above, here), below) in above.zip(&padded).zip(below) {
        row.fill(above, here, below, &mut data);
        row = row.next();
    }
    Rgb8::new(width, height, data).ok_or_else(short)
}

/// A row with its second pixel before its first, and its last but one behind its last.
fn mirrored(line: &[u8]) -> Vec<u8> {
    let before = line.get(1).copied();
    let behind = line.iter().nth_back(1).copied();
    before
        .into_iter()
        .chain(line.iter().copied())
        .chain(behind)
        .collect()
}

/// A row of a Bayer pattern.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Which colour it has beside green.
    is_red: bool,
    /// Whether its first pixel is green.
    green_first: bool,
}

impl Row {
    fn red(green_first: bool) -> Row {
        Row {
            is_red: true,
            green_first,
        }
    }

    fn blue(green_first: bool) -> Row {
        Row {
            is_red: false,
            green_first,
        }
    }

    /// The one below it.
    fn next(self) -> Row {
        Row {
            is_red: !self.is_red,
            green_first: !self.green_first,
        }
    }

    /// Appends the row `here` between two others, all of them mirrored at their ends.
    fn fill(self, above: &[u8], here: &[u8], below: &[u8], data: &mut Vec<u8>) {
        let mut green = self.green_first;
        let near = above.windows(3).zip(here.windows(3)).zip(below.windows(3));
        for ((above, here), below) in near {
            let (&[a, b, c], &[d, e, f], &[g, h, i]) = (above, here, below) else {
                continue;
            };
            // Own colour of the row, green, and the colour of the rows beside it.
            let (own, middle, other) = if green {
                (mean2(d, f), e, mean2(b, h))
            } else {
                (e, mean4(b, d, f, h), mean4(a, c, g, i))
            };
            data.extend(if self.is_red {
                [own, middle, other]
            } else {
                [other, middle, own]
            });
            green = !green;
        }
    }
}

fn mean2(a: u8, b: u8) -> u8 {
    a.midpoint(b)
}

fn mean4(a: u8, b: u8, c: u8, d: u8) -> u8 {
    let sum = [a, b, c, d].into_iter().map(u16::from).sum::<u16>();
    u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERNS: [(GigePixels, [usize; 4]); 4] = [
        // The colours of the first two pixels of the first two rows: 0 red, 1 green, 2 blue.
        (GigePixels::BayerRg8, [0, 1, 1, 2]),
        (GigePixels::BayerGr8, [1, 0, 2, 1]),
        (GigePixels::BayerGb8, [1, 2, 0, 1]),
        (GigePixels::BayerBg8, [2, 1, 1, 0]),
    ];

    /// What a sensor behind the pattern sees of `picture`.
    fn mosaic(
        colours: [usize; 4],
        size: (u32, u32),
        picture: impl Fn(u32, u32) -> [u8; 3],
    ) -> Vec<u8> {
        let at = |x: u32, y: u32| {
            let colour = colours[(y % 2 * 2 + x % 2) as usize];
            picture(x, y)[colour]
        };
        (0..size.1)
            .flat_map(|y| (0..size.0).map(move |x| (x, y)))
            .map(|(x, y)| at(x, y))
            .collect()
    }

    #[test]
    fn a_plain_colour_behind_any_pattern_comes_out_as_it_was() {
        let colour = [200, 100, 30];
        for (pixels, colours) in PATTERNS {
            for size in [(8, 6), (7, 5), (2, 2)] {
                let bytes = mosaic(colours, size, |_, _| colour);
                let image = decode(pixels, bytes, size, 0).unwrap();
                let all = image.data().chunks_exact(3).all(|pixel| pixel == colour);
                assert!(all, "{pixels:?} {size:?}: {:?}", image.data());
            }
        }
    }

    #[test]
    fn an_even_slope_behind_any_pattern_comes_out_as_it_was_inside_the_rim() {
        let size = (10, 8);
        let slope =
            |x: u32, y: u32| [20 + 4 * x + 2 * y, 90 + 2 * x, 200 - 4 * y].map(|it| it as u8);
        for (pixels, colours) in PATTERNS {
            let image = decode(pixels, mosaic(colours, size, slope), size, 0).unwrap();
            for (index, pixel) in image.data().chunks_exact(3).enumerate() {
                let (x, y) = (index as u32 % size.0, index as u32 / size.0);
                if (1..size.0 - 1).contains(&x) && (1..size.1 - 1).contains(&y) {
                    assert_eq!(pixel, slope(x, y), "{pixels:?} at {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn grey_and_rgb_are_taken_as_they_are_and_padding_is_left_out() {
        let grey = decode(GigePixels::Mono8, vec![1, 2, 9, 3, 4, 9], (2, 2), 1).unwrap();
        assert_eq!(grey.data(), [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
        let rgb = [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]];
        let plain = decode(GigePixels::Rgb8, rgb.concat(), (2, 2), 0).unwrap();
        assert_eq!(plain.data(), rgb.concat());
        let padded = [&rgb[0][..], &[0, 0], &rgb[1][..]].concat();
        let padded = decode(GigePixels::Rgb8, padded, (2, 2), 2).unwrap();
        assert_eq!(padded, plain);
    }

    #[test]
    fn too_few_bytes_are_refused() {
        for pixels in GigePixels::ALL {
            let bytes = if pixels == GigePixels::Rgb8 { 35 } else { 11 };
            assert!(
                decode(pixels, vec![0; bytes], (4, 3), 0).is_err(),
                "{pixels:?}"
            );
        }
        assert!(decode(GigePixels::BayerRg8, vec![0; 4], (4, 1), 0).is_err());
    }
}
