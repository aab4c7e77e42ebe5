//! Sine and cosine of several angles at once, in a form that the compiler turns into vector code.
//!
//! Owns the approximation: reduction by multiples of π/2 in two parts (Cody and Waite), then the
//! minimax polynomials of fdlibm's `k_sin.c` and `k_cos.c`, without a branch. Never less exact than
//! 1e-15; angles beyond what the reduction holds go to the standard library.

/// Largest angle that the reduction holds: the product of π/2's first part (33 bits) and the number
/// of quarter turns (below 2²⁰) is exact.
const LARGEST: f64 = 1e6;

/// Adding and taking it away rounds to a whole number; in between, its last bits are that number.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// π/2 in two parts, the first of 33 bits.
const QUARTER: [f64; 2] = [1.570_796_326_734_125_6, 6.077_100_506_506_192e-11];

/// Of z = r² in sin r = r + r z (S₀ + S₁ z + …).
const SINE: [f64; 6] = [
    -1.666_666_666_666_663_2e-1,
    8.333_333_333_322_49e-3,
    -1.984_126_982_985_795e-4,
    2.755_731_370_707_006_8e-6,
    -2.505_076_025_340_686_4e-8,
    1.589_690_995_211_55e-10,
];

/// Of z = r² in cos r = 1 − z/2 + z² (C₀ + C₁ z + …).
const COSINE: [f64; 6] = [
    4.166_666_666_666_66e-2,
    -1.388_888_888_887_411e-3,
    2.480_158_728_947_673e-5,
    -2.755_731_435_139_066_3e-7,
    2.087_572_321_298_175e-9,
    -1.135_964_755_778_819_5e-11,
];

/// The sines and the cosines of `angles`, radians.
#[inline(always)]
pub(super) fn sin_cos<const N: usize>(angles: &[f64; N]) -> ([f64; N], [f64; N]) {
    let (mut sines, mut cosines) = ([0.0; N], [0.0; N]);
    let mut largest = 0.0_f64;
    for angle in angles {
        largest = largest.max(angle.abs());
    }
    if largest > LARGEST {
        return slowly(angles);
    }
    for i in 0..N {
        (sines[i], cosines[i]) = reduced(angles[i]);
    }
    (sines, cosines)
}

#[cold]
fn slowly<const N: usize>(angles: &[f64; N]) -> ([f64; N], [f64; N]) {
    (angles.map(f64::sin), angles.map(f64::cos))
}

#[inline(always)]
fn reduced(angle: f64) -> (f64, f64) {
    let rounded = angle * std::f64::consts::FRAC_2_PI + ROUND;
    let quarters = rounded.to_bits();
    let turns = rounded - ROUND;
    let r = (angle - turns * QUARTER[0]) - turns * QUARTER[1];
    let z = r * r;
    let [s0, s1, s2, s3, s4, s5] = SINE;
    let w = z * z;
    let sine = (s0 + z * s1) + w * ((s2 + z * s3) + w * (s4 + z * s5));
    let sine = r + r * (z * sine);
    let [c0, c1, c2, c3, c4, c5] = COSINE;
    let cosine = (c0 + z * c1) + w * ((c2 + z * c3) + w * (c4 + z * c5));
    let half = 0.5 * z;
    let near = 1.0 - half;
    let cosine = near + (((1.0 - near) - half) + w * cosine);
    // A quarter turn swaps the two; in the third and fourth quarter the sine is below zero, in the
    // second and third the cosine.
    let swap = 0_u64.wrapping_sub(quarters & 1);
    let (s, c) = (sine.to_bits(), cosine.to_bits());
    let differ = (s ^ c) & swap;
    let below = (quarters & 2) << 62;
    let cosine_below = (quarters.wrapping_add(1) & 2) << 62;
    (
        f64::from_bits(s ^ differ ^ below),
        f64::from_bits(c ^ differ ^ cosine_below),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_standard_library() {
        let mut worst = 0.0_f64;
        for step in 0..400_000 {
            let angle = (f64::from(step) - 200_000.0) * 1.234_567e-3;
            let ([sine], [cosine]) = sin_cos(&[angle]);
            worst = worst.max((sine - angle.sin()).abs());
            worst = worst.max((cosine - angle.cos()).abs());
        }
        assert!(worst < 2.5e-16, "{worst}");
    }

    #[test]
    fn angles_too_large_and_no_numbers_are_answered_too() {
        let (sines, cosines) = sin_cos(&[1e9, 0.3]);
        assert_eq!(sines, [1e9_f64.sin(), 0.3_f64.sin()]);
        assert_eq!(cosines, [1e9_f64.cos(), 0.3_f64.cos()]);
        let ([sine], _) = sin_cos(&[f64::NAN]);
        assert!(sine.is_nan());
        let ([sine], _) = sin_cos(&[f64::INFINITY]);
        assert!(sine.is_nan());
    }
}
