//! The descents that came nearest without finding a solution, and what is tried from them.
//!
//! Owns how they are gone on from, and what is looked for beside them. Never draws a start from
//! anywhere else.

use super::{AGAIN, Search, keep};
use crate::chain::Motion;
use crate::global::descent::{Budget, Ended};
use crate::global::sequence::Sequence;

/// How near two of them are the same, radians.
const SAME: f64 = 0.2;
/// Evaluations for each of the nearest, when it is gone on from.
const GOING_ON: u32 = 40;
/// The cost below which one is so near that a solution may lie beside it.
const BESIDE: f64 = 1e-5;
/// How far beside it is looked for, radians or comparable lengths.
const ASIDE: f64 = 0.35;
/// The share of the cost that a step of it has to gain.
const WORTHWHILE: f64 = 0.02;

/// A descent that found no solution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stalled<const N: usize> {
    pub(super) ended: Ended<N>,
    /// Whether it was gone on from.
    pub(super) is_last: bool,
}

impl<const N: usize> Search<'_, N> {
    /// Keeps `stalled` among the nearest, one of each valley.
    pub(super) fn remember_nearest(&mut self, stalled: Stalled<N>) {
        // One of each valley: several would keep others out.
        let problem = &self.problem;
        let same =
            |kept: &Stalled<N>| problem.distance(&kept.ended.joints, &stalled.ended.joints) < SAME;
        match self.nearest.iter_mut().flatten().find(|kept| same(kept)) {
            Some(kept) if stalled.ended.cost < kept.ended.cost => {
                *kept = stalled;
                self.nearest.sort_unstable_by(|a, b| {
                    let cost =
                        |it: &Option<Stalled<N>>| it.map_or(f64::INFINITY, |it| it.ended.cost);
                    cost(a).total_cmp(&cost(b))
                });
            }
            Some(_) => {}
            None => keep(&mut self.nearest, stalled, |it| it.ended.cost),
        }
    }

    /// Goes on from up to `most` of the nearest that cost less than `cost`, for where Newton's way leads
    /// astray: at the border of what is reachable, in the corners of the limits.
    pub(super) fn go_on(&mut self, kept: u32, most: usize, cost: f64) {
        for _ in 0..most {
            if self.done(kept) {
                return;
            }
            let first = (self.nearest.iter_mut().flatten()).find(|it| !it.is_last);
            let Some(stalled) = first.filter(|it| it.ended.cost < cost) else {
                return;
            };
            stalled.is_last = true;
            let from = stalled.ended.joints;
            let given = GOING_ON.min(self.budget.left - kept);
            let mut budget = Budget { left: given };
            let ended = self.problem.settle(from, WORTHWHILE, &mut budget);
            self.budget.left -= given - budget.left;
            let Some(ended) = ended else {
                return;
            };
            if !ended.residual.within(&self.problem.tolerance) {
                self.remember_nearest(Stalled {
                    ended,
                    is_last: true,
                });
            } else if self.solved.is_none() || !self.is_within(&ended.joints, AGAIN) {
                self.know(ended.joints);
                self.found(ended);
            }
        }
    }

    /// Tries a start beside one of the two nearest: what comes so near without being a solution has
    /// often one on the other side of a fold, or of a limit's corner.
    pub(super) fn look_beside(&mut self, round: u32, sequence: &mut Sequence<N>) {
        let [first, second, ..] = &self.nearest;
        let nearest = if round.is_multiple_of(2) {
            first
        } else {
            second
        };
        let Some(Stalled { ended, .. }) = nearest.filter(|it| it.ended.cost < BESIDE) else {
            return;
        };
        let point = sequence.next();
        let mut joints = ended.joints;
        for (i, motion) in self.solver.chain.motions().iter().enumerate() {
            let by = match motion {
                Motion::Turning => ASIDE,
                Motion::Sliding => ASIDE * self.problem.length,
            };
            joints[i] += by * (2.0 * point[i] - 1.0);
        }
        self.attempt(self.solver.limits.clamp(&joints), 1);
    }
}
