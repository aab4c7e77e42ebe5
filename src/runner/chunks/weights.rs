//! How much each chunk has a say in a step.

/// The say that the chunk before still has in step `step` of a new one: all of it before `delay`,
/// then less by the same amount each step, and none from `end` on. These are the weights of
/// real-time chunking (Black, Galliker and Levine 2025, the linear schedule of LeRobot's), applied
/// to the actions themselves.
#[must_use]
pub(super) fn of_the_chunk_before(step: i64, delay: i64, end: i64) -> f64 {
    if step < delay {
        1.0
    } else if step < end {
        1.0 - (step - delay + 1) as f64 / (end - delay + 1) as f64
    } else {
        0.0
    }
}

/// The weights of `count` predictions of one step, the oldest first: exp(−m · i), so that the
/// oldest has the most say (Zhao et al. 2023, temporal ensembling). They add up to one.
pub(super) fn of_an_ensemble(count: usize, m: f64) -> impl Iterator<Item = f64> {
    let weight = move |index: usize| (-m * index as f64).exp();
    let sum: f64 = (0..count).map(weight).sum();
    (0..count).map(move |index| weight(index) / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunk_before_has_all_say_in_what_was_consumed_and_none_at_the_horizon() {
        let weights: Vec<f64> = (0..8).map(|step| of_the_chunk_before(step, 2, 5)).collect();
        assert_eq!(weights, [1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0]);
        assert_eq!(of_the_chunk_before(4, 4, 4), 0.0, "nothing to fade over");
    }

    #[test]
    fn an_ensemble_favours_the_oldest_and_adds_up_to_one() {
        let weights: Vec<f64> = of_an_ensemble(3, 0.5).collect();
        assert!(weights[0] > weights[1] && weights[1] > weights[2]);
        assert!((weights[1] / weights[0] - (-0.5f64).exp()).abs() < 1e-12);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(of_an_ensemble(1, 9.0).collect::<Vec<_>>(), [1.0]);
    }
}
