//! The rows `gradient·x ≥ least` that a motion is held to, of the distances that are near.
//!
//! Owns the nearest few, and how a programme keeps to them. Never knows what the distances are of.

use crate::streaming::programme::{ActiveSet, Programme};

/// Rows that are kept, the nearest.
pub(super) const ROWS: usize = 8;
/// The share of what is left that a step may use up, and how far one comes back, metres.
pub(super) const CLOSER: f64 = 0.2;
pub(super) const BACK: f64 = 0.005;
/// How much a row weighs against the rows of a task.
const WEIGHT: f64 = 1e9;
/// Rounds in which rows join and leave a programme.
const ROUNDS: u32 = 6;
/// A row is kept when it is off by no more, metres a second.
pub(super) const KEPT: f64 = 1e-9;

/// `gradient·x ≥ −left·rate`, or with less than nothing left `≥` what brings the arm back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row<const N: usize> {
    pub(super) gradient: [f64; N],
    /// Of the distance above the margin, metres.
    pub(super) left: f64,
    pub(super) least: f64,
}

/// What a motion is held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fence<const N: usize> {
    rows: [Row<N>; ROWS],
    len: usize,
}

impl<const N: usize> Row<N> {
    #[inline]
    pub(super) fn along(&self, x: &[f64; N]) -> f64 {
        (0..N).map(|joint| self.gradient[joint] * x[joint]).sum()
    }
}

impl<const N: usize> Fence<N> {
    pub(super) fn open() -> Fence<N> {
        Fence {
            rows: [Row {
                gradient: [0.0; N],
                least: 0.0,
                left: 0.0,
            }; ROWS],
            len: 0,
        }
    }

    pub(super) fn rows(&self) -> &[Row<N>] {
        self.rows.get(..self.len).unwrap_or(&[])
    }

    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        self.len == 0
    }

    /// Keeps the nearest.
    pub(super) fn add(&mut self, row: Row<N>) {
        if let Some(slot) = self.rows.get_mut(self.len) {
            *slot = row;
            self.len += 1;
            return;
        }
        let farthest = (self.rows.iter_mut()).max_by(|a, b| a.left.total_cmp(&b.left));
        if let Some(farthest) = farthest
            && row.left < farthest.left
        {
            *farthest = row;
        }
    }

    /// Whether velocities `x` keep to it.
    #[inline]
    pub(crate) fn holds(&self, x: &[f64; N]) -> bool {
        self.rows()
            .iter()
            .all(|row| row.along(x) >= row.least - KEPT)
    }

    /// The same for a step, as by [`KeepAway::fence_of_step`].
    pub(crate) fn of_step(&self) -> Fence<N> {
        let mut fence = *self;
        for row in &mut fence.rows {
            row.least = (-row.left * CLOSER).min(BACK);
        }
        fence
    }

    /// The largest share of `rate` that keeps to it, as far as a share of it can.
    pub(crate) fn share(&self, rate: &[f64; N]) -> f64 {
        let mut share = f64::INFINITY;
        for row in self.rows() {
            let along = row.along(rate);
            if along < 0.0 {
                share = share.min((row.least / along).max(0.0));
            }
        }
        share
    }
}

impl<const N: usize> Programme<N> {
    /// As [`Programme::solve`], with the rows of `fence` kept as well as heavy weights keep them.
    pub(crate) fn solve_within(
        &self,
        least: &[f64; N],
        most: &[f64; N],
        active: &mut ActiveSet<N>,
        fence: &Fence<N>,
    ) -> [f64; N] {
        let mut x = self.solve(least, most, active);
        let mut weighing = [false; ROWS];
        for _ in 0..ROUNDS {
            let mut changed = false;
            for (row, weighs) in fence.rows().iter().zip(&mut weighing) {
                // A row that weighs is a little short of its bound; one beyond it is not needed.
                let lacks = row.least - row.along(&x);
                let wanted = lacks > if *weighs { 0.0 } else { KEPT };
                changed |= wanted != *weighs;
                *weighs = wanted;
            }
            if !changed {
                break;
            }
            let mut with = *self;
            for (row, weighs) in fence.rows().iter().zip(weighing) {
                if !weighs {
                    continue;
                }
                for i in 0..N {
                    for j in 0..=i {
                        with.hessian[i][j] += WEIGHT * row.gradient[i] * row.gradient[j];
                    }
                    with.linear[i] += WEIGHT * row.gradient[i] * row.least;
                }
            }
            x = with.solve(least, most, active);
        }
        x
    }
}
