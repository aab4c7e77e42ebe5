//! Statistics of a data set, and the normalisation made of them.
//!
//! A normalisation is one scale and one offset a value, so that applying it can't fail. Keys in
//! the file are `<feature>/<mean|std|min|max|q01|q99|mask>`, or LeRobot's with a dot for the slash.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors};

use crate::policy::familiarity::Expected;

/// Keeps a division by a deviation of zero finite; the value LeRobot uses.
const EPSILON: f64 = 1e-8;
/// The most values one statistic may have.
const MAX_VALUES: usize = 4096;

/// Statistics that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatsError {
    /// The file is no safetensors file.
    #[error("it is not a safetensors file ({0})")]
    Format(String),
    /// A statistic of another type or size than sensible.
    #[error("{key} is {found}; it must be at most {MAX_VALUES} floats")]
    Kind {
        /// Its key.
        key: String,
        /// Its type and size.
        found: String,
    },
    /// A statistic that the mode needs is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A statistic has another length than its feature.
    #[error("{key} has {found} values, its feature has {expected}")]
    Length {
        /// Its key.
        key: String,
        /// How many it has.
        found: usize,
        /// How many it must have.
        expected: usize,
    },
    /// Not finite, a negative deviation, or a minimum above its maximum.
    #[error("{key}[{index}] makes no sense ({value})")]
    Value {
        /// Its key.
        key: String,
        /// Which value.
        index: usize,
        /// The value.
        value: String,
    },
}

/// How values are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To mean 0 and deviation 1.
    MeanStd,
    /// Minimum and maximum to −1 and 1.
    MinMax,
    /// The 1 % and 99 % quantiles to −1 and 1.
    Quantiles,
    /// Not at all.
    Identity,
}

impl Mode {
    /// The mode called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Mode> {
        match name.to_ascii_lowercase().as_str() {
            "mean_std" => Some(Mode::MeanStd),
            "min_max" => Some(Mode::MinMax),
            "quantiles" => Some(Mode::Quantiles),
            "identity" => Some(Mode::Identity),
            _ => None,
        }
    }
}

/// `y = scale · x + offset`, one pair a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    pairs: Vec<(f64, f64)>,
}

impl Affine {
    /// Leaves `width` values as they are.
    #[must_use]
    pub fn identity(width: usize) -> Affine {
        Affine {
            pairs: vec![(1.0, 0.0); width],
        }
    }

    /// Scale and offset of each value.
    #[must_use]
    pub fn new(pairs: Vec<(f64, f64)>) -> Affine {
        Affine { pairs }
    }

    /// `x` as value `index`; unchanged beyond the last.
    #[must_use]
    pub fn apply(&self, index: usize, x: f64) -> f64 {
        let (scale, offset) = self.pairs.get(index).copied().unwrap_or((1.0, 0.0));
        scale * x + offset
    }

    /// The `x` of which `y` is made as value `index`; 0 where every `x` gives the same.
    #[must_use]
    pub fn undo(&self, index: usize, y: f64) -> f64 {
        let (scale, offset) = self.pairs.get(index).copied().unwrap_or((1.0, 0.0));
        if scale == 0.0 {
            0.0
        } else {
            (y - offset) / scale
        }
    }

    /// This after `first`.
    #[must_use]
    pub fn after(&self, first: &Affine) -> Affine {
        let pairs = self.pairs.iter().zip(&first.pairs);
        Affine {
            pairs: pairs
                .map(|((s2, o2), (s1, o1))| (s2 * s1, s2 * o1 + o2))
                .collect(),
        }
    }
}

/// All statistics of one file.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    values: HashMap<String, Vec<f64>>,
}

impl Stats {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// When it is none, or holds something that is no statistic.
    pub fn parse(bytes: &[u8]) -> Result<Stats, StatsError> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|e| StatsError::Format(e.to_string()))?;
        let mut values = HashMap::new();
        for (key, tensor) in file.iter() {
            let kind = || StatsError::Kind {
                key: key.to_owned(),
                found: format!("{:?} {:?}", tensor.dtype(), tensor.shape()),
            };
            let numbers = floats(tensor.dtype(), tensor.data()).ok_or_else(kind)?;
            if numbers.is_empty() || numbers.len() > MAX_VALUES {
                return Err(kind());
            }
            let key = match key.rsplit_once('.') {
                Some((feature, statistic)) if !key.contains('/') => {
                    format!("{feature}/{statistic}")
                }
                _ => key.to_owned(),
            };
            values.insert(key, numbers);
        }
        Ok(Stats { values })
    }

    /// The features there are statistics of, sorted.
    #[must_use]
    pub fn features(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .values
            .keys()
            .filter_map(|key| key.rsplit_once('/'))
            .map(|(feature, _)| feature)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The values of one statistic, where it is there.
    #[must_use]
    pub fn values(&self, feature: &str, statistic: &str) -> &[f64] {
        self.find(feature, statistic).unwrap_or_default()
    }

    /// What each of a feature's `width` values was in training: mean and deviation, or what minimum
    /// and maximum, or the quantiles, of a bell curve suggest. `None` where none of these are there.
    #[must_use]
    pub fn expected(&self, feature: &str, width: usize) -> Option<Vec<Expected>> {
        let pair = |first, second| {
            let first = self.need(feature, first, width).ok()?;
            let second = self.need(feature, second, width).ok()?;
            Some(first.iter().zip(second))
        };
        if let Some(pairs) = pair("mean", "std") {
            let expected = |(mean, deviation): (&f64, &f64)| Expected {
                mean: *mean,
                deviation: *deviation,
            };
            return Some(pairs.map(expected).collect());
        }
        // A range is taken for six deviations; from 1 % to 99 % it is 4.65.
        let ranges = [("min", "max", 6.0), ("q01", "q99", 4.65)];
        ranges.into_iter().find_map(|(low, high, deviations)| {
            let expected = |(low, high): (&f64, &f64)| Expected {
                mean: (low + high) / 2.0,
                deviation: (high - low) / deviations,
            };
            Some(pair(low, high)?.map(expected).collect())
        })
    }

    /// Normalises a feature of `width` values.
    ///
    /// # Errors
    /// When a statistic is missing, of another length, or senseless.
    pub fn normalise(&self, feature: &str, mode: Mode, width: usize) -> Result<Affine, StatsError> {
        self.affine(feature, mode, width, |pair| match (mode, pair) {
            (Mode::MeanStd, (mean, std)) => {
                let scale = 1.0 / (std + EPSILON);
                (scale, -mean * scale)
            }
            (_, (low, high)) => {
                let span = high - low;
                let scale = 2.0 / if span == 0.0 { EPSILON } else { span };
                (scale, -1.0 - low * scale)
            }
        })
    }

    /// The reverse of [`Stats::normalise`].
    ///
    /// # Errors
    /// As there.
    pub fn denormalise(
        &self,
        feature: &str,
        mode: Mode,
        width: usize,
    ) -> Result<Affine, StatsError> {
        self.affine(feature, mode, width, |pair| match (mode, pair) {
            (Mode::MeanStd, (mean, std)) => (std, mean),
            (_, (low, high)) => ((high - low) / 2.0, (high + low) / 2.0),
        })
    }

    fn affine(
        &self,
        feature: &str,
        mode: Mode,
        width: usize,
        pair: impl Fn((f64, f64)) -> (f64, f64),
    ) -> Result<Affine, StatsError> {
        let (first, second) = match mode {
            Mode::Identity => return Ok(Affine::identity(width)),
            Mode::MeanStd => ("mean", "std"),
            Mode::MinMax => ("min", "max"),
            Mode::Quantiles => ("q01", "q99"),
        };
        let a = self.need(feature, first, width)?;
        let b = self.need(feature, second, width)?;
        for (index, (x, y)) in a.iter().zip(b).enumerate() {
            let sensible = match mode {
                Mode::MeanStd => *y >= 0.0,
                _ => x <= y,
            };
            if !sensible {
                return Err(StatsError::Value {
                    key: format!("{feature}/{second}"),
                    index,
                    value: y.to_string(),
                });
            }
        }
        let mask = match self.find(feature, "mask") {
            Some(_) => Some(self.need(feature, "mask", width)?),
            None => None,
        };
        let masked = |index: usize| mask.is_some_and(|mask| mask.get(index) == Some(&0.0));
        let pairs = a.iter().zip(b).enumerate().map(|(index, (x, y))| {
            if masked(index) {
                (1.0, 0.0)
            } else {
                pair((*x, *y))
            }
        });
        Ok(Affine {
            pairs: pairs.collect(),
        })
    }

    fn need(&self, feature: &str, statistic: &str, width: usize) -> Result<&[f64], StatsError> {
        let key = || format!("{feature}/{statistic}");
        let values = self
            .find(feature, statistic)
            .ok_or_else(|| StatsError::Missing(key()))?;
        if values.len() != width {
            return Err(StatsError::Length {
                key: key(),
                found: values.len(),
                expected: width,
            });
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(StatsError::Value {
                key: key(),
                index,
                value: "not finite".into(),
            }),
        }
    }

    /// A statistic by its feature's name, with or without LeRobot's `observation.` before it.
    fn find(&self, feature: &str, statistic: &str) -> Option<&[f64]> {
        let short = feature.strip_prefix("observation.").unwrap_or(feature);
        let names = [
            format!("{feature}/{statistic}"),
            format!("{short}/{statistic}"),
            format!("observation.{short}/{statistic}"),
        ];
        names
            .iter()
            .find_map(|name| self.values.get(name))
            .map(Vec::as_slice)
    }
}

fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let (chunks, _) = bytes.as_chunks::<N>();
        chunks.iter().map(|chunk| f(*chunk)).collect()
    }
    match dtype {
        Dtype::F32 => Some(each(bytes, |b| f64::from(f32::from_le_bytes(b)))),
        Dtype::F64 => Some(each(bytes, f64::from_le_bytes)),
        Dtype::BOOL | Dtype::U8 => Some(each(bytes, |[b]| f64::from(b))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn file(entries: &[(&str, &[f32])]) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> = entries
            .iter()
            .map(|(_, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let views = entries.iter().zip(&bytes).map(|((key, values), bytes)| {
            let view = TensorView::new(Dtype::F32, vec![values.len()], bytes).unwrap();
            ((*key).to_owned(), view)
        });
        safetensors::serialize(views, None).unwrap()
    }

    #[test]
    fn every_mode_maps_its_anchors_and_back() {
        let bytes = file(&[
            ("state/mean", &[1.0, 2.0]),
            ("state/std", &[0.5, 0.0]),
            ("state/min", &[-1.0, 3.0]),
            ("state/max", &[3.0, 3.0]),
            ("state/q01", &[0.0, 0.0]),
            ("state/q99", &[10.0, 1.0]),
        ]);
        let stats = Stats::parse(&bytes).unwrap();
        let forward = stats.normalise("observation.state", Mode::MeanStd, 2);
        assert!((forward.unwrap().apply(0, 2.0) - 2.0).abs() < 1e-6);
        let forward = stats.normalise("state", Mode::MinMax, 2).unwrap();
        assert!((forward.apply(0, -1.0) + 1.0).abs() < 1e-9);
        assert!((forward.apply(0, 3.0) - 1.0).abs() < 1e-9);
        assert!(
            (forward.apply(1, 3.0) + 1.0).abs() < 1e-6,
            "a constant stays finite"
        );
        for mode in [Mode::MeanStd, Mode::MinMax, Mode::Quantiles, Mode::Identity] {
            let there = stats.normalise("state", mode, 2).unwrap();
            let back = stats.denormalise("state", mode, 2).unwrap();
            let x = back.after(&there).apply(0, 0.7);
            assert!((x - 0.7).abs() < 1e-6, "{mode:?}: {x}");
        }
    }

    #[test]
    fn a_mask_leaves_its_values_alone() {
        let stats = Stats::parse(&file(&[
            ("action/mean", &[1.0, 1.0]),
            ("action/std", &[2.0, 2.0]),
            ("action/mask", &[1.0, 0.0]),
        ]));
        let back = stats
            .unwrap()
            .denormalise("action", Mode::MeanStd, 2)
            .unwrap();
        assert_eq!((back.apply(0, 1.0), back.apply(1, 1.0)), (3.0, 1.0));
    }

    #[test]
    fn senseless_statistics_are_refused_by_key() {
        let stats = Stats::parse(&file(&[
            ("a/mean", &[f32::NAN]),
            ("a/std", &[1.0]),
            ("b/mean", &[0.0]),
            ("b/std", &[-1.0]),
            ("c/min", &[1.0]),
            ("c/max", &[0.0]),
        ]))
        .unwrap();
        for (feature, mode, width, key) in [
            ("a", Mode::MeanStd, 1, "a/mean"),
            ("b", Mode::MeanStd, 1, "b/std"),
            ("b", Mode::MeanStd, 2, "b/mean has 1 values"),
            ("c", Mode::MinMax, 1, "c/max"),
            ("c", Mode::Quantiles, 1, "c/q01 is missing"),
        ] {
            let error = stats
                .normalise(feature, mode, width)
                .unwrap_err()
                .to_string();
            assert!(error.contains(key), "{error}");
        }
        assert!(Stats::parse(b"not a file").is_err());
    }
}
