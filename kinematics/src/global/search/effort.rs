//! The nearest that an arm comes to a target that it does not meet.
//!
//! Owns what is left to do once no solution was found: from the foremost descents on, with the position
//! before the orientation. Never looks for a solution.

use super::{Search, keep};
use crate::global::descent::{Budget, Ended, POSITION_FIRST, Problem};
use crate::global::sequence::Sequence;
use crate::task::Residual;

/// How many descents to the position alone there are at most.
const SEEKS: u32 = 8;
/// Evaluations for each.
const SEEK: u32 = 8;
/// Evaluations that these leave for the rest of the best effort.
const FOR_LAST: u32 = 64;
/// Evaluations that bring the position of the best effort to the last digit.
const POLISH: u32 = 4;
/// How near it has to be for that, in comparable lengths.
const NEARBY: f64 = 1e-3;
/// Evaluations for each of these before the best is chosen.
const FEW: u32 = 12;
/// The share of the cost that is not worth another step until then.
const FIRST_DIGIT: f64 = 1e-2;
/// The share of the cost that is not worth another step of the best effort.
const LAST_DIGIT: f64 = 1e-8;

impl<const N: usize> Search<'_, N> {
    /// The nearest that the arm comes, position before orientation.
    pub(super) fn best_effort(&mut self) -> Ended<N> {
        let length = self.problem.length;
        let problem = Problem {
            rows: self.solver.rows.position_first(POSITION_FIRST),
            ..self.problem
        };
        if self.foremost[0].is_none() {
            // No evaluation is left over from no budget: the middle of the limits, as it is.
            let middle = self
                .solver
                .windows
                .map(|[lower, upper]| 0.5 * (lower + upper));
            let tool = self.solver.chain.pose(&middle);
            let (_, residual) = self.solver.rows.error(&tool, self.problem.target);
            self.foremost[0] = Some(Ended::at(middle, residual));
        }
        self.seek_position(&problem);
        // A few steps from each, then what is left from the best: the position-first order of the
        // ends may differ from that of the starts.
        let mut best: Option<Ended<N>> = None;
        for start in self.foremost.iter().flatten() {
            let ended = settle(&problem, start, FIRST_DIGIT, FEW, &mut self.budget);
            keep_least(&mut best, ended, length);
        }
        // The first of the foremost is always there.
        let Some(mut best) = best else {
            return Ended::at(self.solver.limits.lower, Residual::WORST);
        };
        let most = self.budget.left.saturating_sub(POLISH);
        best = settle(&problem, &best, LAST_DIGIT, most, &mut self.budget);
        self.polished(best)
    }

    /// `ended` with the position brought where it is reachable to the last digit, which the weight
    /// of the orientation kept it from.
    fn polished(&mut self, ended: Ended<N>) -> Ended<N> {
        let solver = self.solver;
        let near = ended.residual.position <= NEARBY * self.problem.length;
        let Some(rows) = solver.rows.position_alone().filter(|_| near) else {
            return ended;
        };
        let alone = Problem {
            rows,
            ..self.problem
        };
        let Some(polished) = alone.reach(ended.joints, 1, &mut self.budget) else {
            return ended;
        };
        let tool = solver.chain.pose(&polished.joints);
        let (_, residual) = solver.rows.error(&tool, self.problem.target);
        if residual.position >= ended.residual.position {
            return ended;
        }
        Ended {
            joints: polished.joints,
            residual,
            ..ended
        }
    }

    /// Where the descents to the whole task left the position far off: others, to the position
    /// first, from anywhere.
    fn seek_position(&mut self, problem: &Problem<'_, N>) {
        let mut sequence = Sequence::<N>::new(self.solver.options.seed, N);
        for _ in 0..SEEKS {
            let near = &self.solver.options.tolerance;
            let foremost = self.foremost[0].map_or(f64::INFINITY, |it| it.residual.position);
            if foremost <= near.position || self.budget.left < SEEK + FOR_LAST {
                return;
            }
            let start = self.drawn(&mut sequence);
            let mut given = Budget { left: SEEK };
            if let Some(ended) = problem.reach(start, 2, &mut given) {
                let length = problem.length;
                keep(&mut self.foremost, ended, |ended| {
                    ended.position_first(length)
                });
            }
            self.budget.left -= SEEK - given.left;
        }
    }
}

/// Goes on from `start` with at most `most` evaluations of the budget.
fn settle<const N: usize>(
    problem: &Problem<'_, N>,
    start: &Ended<N>,
    worthwhile: f64,
    most: u32,
    budget: &mut Budget,
) -> Ended<N> {
    let share = budget.left.min(most);
    let mut given = Budget { left: share };
    let ended = problem.settle(start.joints, worthwhile, &mut given);
    budget.left -= share - given.left;
    ended.unwrap_or(*start)
}

/// Keeps the one that is nearer by position.
fn keep_least<const N: usize>(best: &mut Option<Ended<N>>, ended: Ended<N>, length: f64) {
    let less = |best: &Ended<N>| ended.position_first(length) < best.position_first(length);
    if best.as_ref().is_none_or(less) {
        *best = Some(ended);
    }
}
