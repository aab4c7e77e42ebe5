//! What the loop measures of itself, in histograms made once.
//!
//! Real time: recording neither allocates nor locks.

use hdrhistogram::Histogram;

use crate::messages::Percentiles;

/// Times from 1 µs to 10 s, three digits.
#[derive(Debug)]
pub struct Times(Histogram<u64>);

impl Times {
    /// An empty record.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram accepts.
    #[must_use]
    #[expect(clippy::expect_used, reason = "constant bounds, covered by a test")]
    pub fn new() -> Times {
        Times(Histogram::new_with_bounds(1, 10_000_000, 3).expect("constant bounds"))
    }

    /// Records `nanos` nanoseconds; beyond 10 s counts as 10 s.
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos / 1000);
    }

    /// The percentiles, in microseconds.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        if self.0.is_empty() {
            return Percentiles::default();
        }
        let at = |quantile| self.0.value_at_quantile(quantile) as f64;
        Percentiles {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max() as f64,
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        Times::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_microseconds() {
        let mut times = Times::new();
        for _ in 0..99 {
            times.record(100_000);
        }
        times.record(20_000_000);
        let p = times.percentiles();
        assert!((p.p50 - 100.0).abs() < 1.0);
        assert!((p.max - 20_000.0).abs() < 20.0);
    }
}
