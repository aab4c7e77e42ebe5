//! What a picture is like in a few numbers: its colours, its contrast and how sharp it is.
//!
//! Owns the measures; what they should be is told by statistics of the training data, or by earlier
//! pictures of the same camera. Looks at a few thousand pixels, whatever a picture's size.

/// Rows and columns that are looked at, at most.
const LINES: usize = 64;

/// A picture in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Look {
    /// Of red, green and blue, 0…1.
    pub mean: [f64; 3],
    /// Standard deviations of the same.
    pub deviation: [f64; 3],
    /// Standard deviation of the brightness, 0…1.
    pub contrast: f64,
    /// How much brightness bends from pixel to pixel, as a share of the contrast.
    pub sharpness: f64,
}

/// A sum and a sum of squares.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }

    fn deviation(&self) -> f64 {
        let mean = self.mean();
        (self.squares / self.count.max(1.0) - mean * mean)
            .max(0.0)
            .sqrt()
    }
}

impl Look {
    /// Of `rgb`, rows of `width` pixels of three bytes.
    #[must_use]
    pub fn of(width: usize, rgb: &[u8]) -> Look {
        let row = width.max(1) * 3;
        let height = rgb.len() / row;
        let (mut colours, mut brightness, mut bends) =
            ([Sums::default(); 3], Sums::default(), Sums::default());
        let (down, across) = (height.div_ceil(LINES).max(1), width.div_ceil(LINES).max(1));
        for line in rgb.chunks_exact(row).step_by(down) {
            let pixel = |x: usize| line.get(3 * x..3 * x + 3);
            for x in (1..width.saturating_sub(1)).step_by(across) {
                let (Some(before), Some(here), Some(after)) =
                    (pixel(x - 1), pixel(x), pixel(x + 1))
                else {
                    continue;
                };
                for (sums, byte) in colours.iter_mut().zip(here) {
                    sums.add(f64::from(*byte) / 255.0);
                }
                brightness.add(bright(here));
                bends.add((bright(before) - 2.0 * bright(here) + bright(after)).abs());
            }
        }
        let contrast = brightness.deviation();
        Look {
            mean: colours.map(|sums| sums.mean()),
            deviation: colours.map(|sums| sums.deviation()),
            contrast,
            // A picture without contrast is as sharp as it can be: not at all.
            sharpness: bends.mean() / contrast.max(1e-3),
        }
    }

    /// How far it is from pictures of these means and deviations: the mean over the colours of how
    /// many deviations its mean is off and by what share its deviation is.
    #[must_use]
    pub fn distance(&self, expected: &[(f64, f64)]) -> f64 {
        let own = self.mean.iter().zip(&self.deviation);
        let off = own
            .zip(expected)
            .map(|((mean, deviation), (wanted, spread))| {
                let spread = spread.max(0.02);
                (mean - wanted).abs() / spread + (deviation - spread).abs() / spread
            });
        off.sum::<f64>() / expected.len().max(1) as f64
    }

    /// The same picture with red and blue changed over.
    #[must_use]
    pub fn blue_first(mut self) -> Look {
        self.mean.reverse();
        self.deviation.reverse();
        self
    }
}

/// The brightness of a pixel, 0…1 (Rec. 601).
fn bright(pixel: &[u8]) -> f64 {
    let weights = [0.299, 0.587, 0.114];
    let parts = pixel.iter().zip(weights);
    parts
        .map(|(byte, weight)| f64::from(*byte) * weight)
        .sum::<f64>()
        / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stripes `wide` pixels wide, and their blur over `blur` pixels on either side.
    fn stripes(wide: usize, blur: usize) -> Vec<u8> {
        let (width, height) = (120usize, 90);
        let line: Vec<f64> = (0..width + 2 * blur)
            .map(|x| f64::from(u8::from((x / wide).is_multiple_of(2))) * 200.0)
            .collect();
        let blurred = line
            .windows(2 * blur + 1)
            .map(|near| near.iter().sum::<f64>() / near.len() as f64);
        let row: Vec<u8> = blurred
            .flat_map(|value| [value as u8, (value * 0.5) as u8, 10])
            .collect();
        row.repeat(height)
    }

    #[test]
    fn a_blurred_picture_is_less_sharp_and_a_blank_one_has_no_contrast() {
        let sharp = Look::of(120, &stripes(6, 0));
        let blurred = Look::of(120, &stripes(6, 2));
        assert!(
            sharp.sharpness > 2.0 * blurred.sharpness,
            "{sharp:?} {blurred:?}"
        );
        let blank = Look::of(120, &[128; 120 * 90 * 3]);
        assert!(blank.contrast < 1e-6 && sharp.contrast > 0.2, "{blank:?}");
    }

    #[test]
    fn pictures_are_near_their_own_statistics_and_far_from_those_of_others() {
        let look = Look::of(120, &stripes(6, 0));
        let own: Vec<(f64, f64)> = look.mean.into_iter().zip(look.deviation).collect();
        assert!(look.distance(&own) < 0.5, "{}", look.distance(&own));
        let other = [(0.1, 0.05), (0.1, 0.05), (0.6, 0.1)];
        assert!(look.distance(&other) > 3.0);
        assert!(look.blue_first().distance(&own) > 2.0);
    }

    #[test]
    fn a_picture_that_is_none_is_nothing() {
        assert_eq!(Look::of(0, &[]), Look::default());
    }
}
