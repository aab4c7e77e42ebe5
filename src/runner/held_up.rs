//! Inference that takes longer than it does, on purpose: how a cell fares with a slower machine or
//! a larger model is tried before either is bought.
//!
//! Owns how long each inference is held up; the same in every run.

use std::time::Duration;

use crate::cell::HeldUpSection;

/// Steps of the linear congruential generator of Knuth's MMIX.
const FACTOR: u64 = 6_364_136_223_846_793_005;
const ADDEND: u64 = 1_442_695_040_888_963_407;

/// How long the next inferences are held up.
#[derive(Debug, Clone)]
pub(super) struct HeldUp {
    section: HeldUpSection,
    inferences: u64,
    number: u64,
}

impl HeldUp {
    pub(super) fn new(section: HeldUpSection) -> HeldUp {
        HeldUp {
            section,
            inferences: 0,
            number: 0,
        }
    }

    /// How long the next one is.
    pub(super) fn next(&mut self) -> Duration {
        self.inferences += 1;
        self.number = self.number.wrapping_mul(FACTOR).wrapping_add(ADDEND);
        let share = (self.number >> 11) as f64 / (1u64 << 53) as f64;
        let stalls = self.inferences == self.section.stall_at;
        let stall = if stalls {
            self.section.stall
        } else {
            Duration::ZERO
        };
        self.section.by + self.section.jitter.mul_f64(share) + stall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_held_up_by_as_much_and_some_and_one_stalls() {
        let ms = Duration::from_millis;
        let section = HeldUpSection {
            by: ms(30),
            jitter: ms(20),
            stall: ms(2500),
            stall_at: 3,
        };
        let (mut one, mut other) = (HeldUp::new(section), HeldUp::new(section));
        let all: Vec<Duration> = (0..100).map(|_| one.next()).collect();
        assert_eq!(all, (0..100).map(|_| other.next()).collect::<Vec<_>>());
        for (index, held) in all.iter().enumerate() {
            let least = if index == 2 { ms(2530) } else { ms(30) };
            assert!((least..=least + ms(20)).contains(held), "{index}: {held:?}");
        }
        assert_ne!(all[0], all[1]);
        let none = HeldUp::new(HeldUpSection::default()).next();
        assert_eq!(none, Duration::ZERO);
    }
}
