//! Random numbers from a seed: SplitMix64, so that a seed means the same scenario for ever.
//!
//! Owns its state and nothing else. Never reads entropy or a clock.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// Another stream that has nothing to do with what follows on this one.
    pub fn fork(&mut self) -> Rng {
        Rng(self.bits())
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in 0 … 1, 1 left out.
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `low` … `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.share() * (high - low)
    }

    /// A number in `low` … `high`, as often in each power of ten; both above zero.
    pub fn scale(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.share())
    }

    /// A whole number from 0 up to `count`, which is left out; 0 when `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.share() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// True with probability `share`.
    pub fn chance(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// One of `choices`.
    pub fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.below(N)]
    }

    /// A span of time in `low` … `high` milliseconds, as nanoseconds, short ones as often as long
    /// ones.
    pub fn millis(&mut self, low: f64, high: f64) -> u64 {
        (self.scale(low, high) * 1e6) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_numbers_for_ever() {
        let mut rng = Rng::new(0);
        assert_eq!(rng.bits(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(rng.bits(), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn ranges_hold() {
        let mut rng = Rng::new(7);
        for _ in 0..10_000 {
            assert!((-2.0..3.0).contains(&rng.between(-2.0, 3.0)));
            assert!(rng.below(6) < 6);
            assert!((0.099..100.1).contains(&rng.scale(0.1, 100.0)));
        }
        assert_eq!(rng.below(0), 0);
    }
}
