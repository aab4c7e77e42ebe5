//! Points that fill a box evenly, the same for the same seed.
//!
//! Owns the additive recurrence with the powers of the generalised golden ratio (M. Roberts, "The
//! unreasonable effectiveness of quasirandom sequences"): point n has the coordinates
//! seed + n·φ⁻ⁱ, modulo 1. Never repeats in use.

/// An endless row of points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sequence<const N: usize> {
    at: [f64; N],
    by: [f64; N],
}

impl<const N: usize> Sequence<N> {
    /// The row that `seed` begins, even in its first `dimensions` coordinates.
    pub(crate) fn new(seed: u64, dimensions: usize) -> Sequence<N> {
        // The root above 1 of x^(d+1) = x + 1.
        let power = 1.0 / f64::from(u32::try_from(dimensions).unwrap_or(1) + 1);
        let mut golden = 2.0_f64;
        for _ in 0..64 {
            golden = (1.0 + golden).powf(power);
        }
        let mut state = seed;
        let mut at = [0.0; N];
        let mut by = [0.0; N];
        let mut share = 1.0;
        for (at, by) in at.iter_mut().zip(&mut by) {
            share /= golden;
            *by = share;
            *at = uniform(&mut state);
        }
        Sequence { at, by }
    }

    /// The next point, every coordinate from 0 to below 1.
    #[inline]
    pub(crate) fn next(&mut self) -> [f64; N] {
        for (at, by) in self.at.iter_mut().zip(&self.by) {
            *at += by;
            if *at >= 1.0 {
                *at -= 1.0;
            }
        }
        self.at
    }
}

/// The next number of a splitmix64 generator, 0 to below 1.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // 53 bits with the exponent of 1, less 1.
    f64::from_bits((z >> 12) | 0x3ff0_0000_0000_0000) - 1.0
}
