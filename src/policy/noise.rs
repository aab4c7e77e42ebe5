//! The numbers that a policy makes its actions of: normally distributed, from a seed.
//!
//! Owns the generator. A plan's numbers depend on the job's seed and the plan's id alone, not on how
//! many plans there were before, so that a single plan can be made again. Knows no clock and no
//! randomness of the system.

/// The golden ratio's share of 2⁶⁴, odd: the step of SplitMix64 (Steele, Lea and Flood, 2014).
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
/// 2⁻⁵³: the numbers with that many bits lie in 0…1.
const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

/// Where one plan's numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Noise(u64);

impl Noise {
    /// That of plan `id` in a job with this `seed`.
    pub(super) fn of(seed: u64, id: u64) -> Noise {
        Noise(mix(seed.wrapping_add(STEP)) ^ mix(id.wrapping_mul(STEP)))
    }

    /// Fills `data` with independent numbers of mean 0 and deviation 1, by Box and Muller.
    pub(super) fn fill(self, data: &mut [f32]) {
        let mut state = self.0;
        let mut next = || {
            state = state.wrapping_add(STEP);
            // Never 0, whose logarithm is none.
            ((mix(state) >> 11) as f64 + 0.5) * UNIT
        };
        for pair in data.chunks_mut(2) {
            let radius = (-2.0 * next().ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * next()).sin_cos();
            for (slot, value) in pair.iter_mut().zip([radius * cos, radius * sin]) {
                *slot = value as f32;
            }
        }
    }
}

/// SplitMix64's finaliser.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, id: u64, count: usize) -> Vec<f32> {
        let mut data = vec![0.0; count];
        Noise::of(seed, id).fill(&mut data);
        data
    }

    #[test]
    fn a_plans_numbers_are_those_of_its_seed_and_id() {
        assert_eq!(drawn(7, 3, 33), drawn(7, 3, 33));
        assert_ne!(drawn(7, 3, 33), drawn(7, 4, 33));
        assert_ne!(drawn(7, 3, 33), drawn(8, 3, 33));
        assert_ne!(drawn(3, 7, 33), drawn(7, 3, 33));
    }

    #[test]
    fn they_are_normally_distributed_and_independent() {
        let data = drawn(1, 1, 100_000);
        let mean = |of: &dyn Fn(usize) -> f64| (0..data.len() - 1).map(of).sum::<f64>() / 1e5;
        let at = |index: usize| f64::from(data[index]);
        assert!(mean(&at).abs() < 0.01);
        assert!((mean(&|it| at(it).powi(2)) - 1.0).abs() < 0.02);
        assert!((mean(&|it| at(it).powi(4)) - 3.0).abs() < 0.15);
        assert!(mean(&|it| at(it) * at(it + 1)).abs() < 0.01);
        assert!(data.iter().all(|it| it.is_finite()));
    }
}
