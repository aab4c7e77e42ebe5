//! From a starting point downhill to joints that achieve a task, inside the limits.
//!
//! Owns the Levenberg–Marquardt step: normal equations of fixed size, damping by the squared error,
//! limits as an active set, steps capped. What is nearest where that leads astray is `settle`'s. Never
//! chooses where to start.
//!
//! Real time: no allocation, and never more evaluations of the chain than the budget holds.

#![expect(
    clippy::needless_range_loop,
    reason = "matrices are written by their indices, as in the formulas"
)]

mod settle;

use crate::chain::{Chain, Linearised, Motion};
use crate::frame::Frame;
use crate::task::{Local, Residual, Rows};

/// Damping by cost: small enough to leave the last steps Newton's, large enough to tame the first.
const DAMPING: f64 = 2e-3;
/// Damping that is always there: keeps the normal equations solvable where joints are redundant.
const FLOOR: f64 = 1e-11;
/// Largest step of a joint, radians, or as many times a comparable length.
const STRIDE: f64 = 1.2;
/// Largest correction by the second order, of the step that it corrects.
const BEND: f64 = 0.75;

/// Position counts this much more than orientation once not both are had.
pub(super) const POSITION_FIRST: f64 = 100.0;

/// The arm and what is asked of it.
pub(super) struct Problem<'a, const N: usize> {
    pub(super) chain: &'a Chain<N>,
    pub(super) lower: &'a [f64; N],
    pub(super) upper: &'a [f64; N],
    pub(super) rows: Rows,
    pub(super) target: &'a Frame,
    pub(super) tolerance: Residual,
    /// The length that counts as much as a radian.
    pub(super) length: f64,
}

/// How many more evaluations of the chain there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) left: u32,
}

impl Budget {
    #[inline(always)]
    fn spend(&mut self) -> bool {
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }
}

/// Where a descent ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<const N: usize> {
    pub(super) joints: [f64; N],
    pub(super) residual: Residual,
    pub(super) cost: f64,
    /// Whether it ended because nothing more was to be gained, not because it was cut off.
    pub(super) settled: bool,
    /// Which joints a limit held.
    pub(super) held: [bool; N],
}

impl<const N: usize> Ended<N> {
    /// One that never moved.
    pub(super) fn at(joints: [f64; N], residual: Residual) -> Ended<N> {
        Ended {
            joints,
            residual,
            cost: f64::INFINITY,
            settled: false,
            held: [false; N],
        }
    }

    /// How far it is, with position far before orientation, a metre counting as `length`⁻¹ radians.
    pub(super) fn position_first(&self, length: f64) -> f64 {
        let position = POSITION_FIRST * self.residual.position / length;
        position * position + self.residual.angle * self.residual.angle
    }
}

impl<const N: usize> Problem<'_, N> {
    /// Newton's way to a solution: ends as soon as it is one, or once the error has failed
    /// `patience` times to fall by half.
    #[inline(never)]
    pub(super) fn reach(
        &self,
        start: [f64; N],
        patience: u32,
        budget: &mut Budget,
    ) -> Option<Ended<N>> {
        let mut joints = start;
        let mut best: Option<Ended<N>> = None;
        let mut stalls = 0;
        while budget.spend() {
            let now = self.chain.linearise(&joints);
            let local = self.rows.at(&now, self.target);
            let before = best.as_ref().map_or(f64::INFINITY, |best| best.cost);
            let mut here = Ended {
                joints,
                residual: local.residual,
                cost: local.cost,
                settled: false,
                held: [false; N],
            };
            if local.residual.within(&self.tolerance) {
                here.settled = true;
                return Some(here);
            }
            if local.cost < before {
                best = Some(here);
            }
            // Written so that a cost that is no number counts as a stall.
            let falls = local.cost < 0.25 * before;
            if !falls {
                stalls += 1;
                if stalls > patience {
                    break;
                }
            }
            let damping = DAMPING * local.cost + FLOOR;
            (joints, _) = self.step(&joints, &now, &local, damping);
        }
        best
    }

    /// One damped step from `joints`, inside the limits; and which joints these held.
    ///
    /// To the step that the Jacobian asks for comes the one that undoes its second-order error
    /// (Transtrum and Sethna, "Improvements to the Levenberg–Marquardt algorithm": geodesic
    /// acceleration): it follows the curved valleys at the border of what is reachable.
    #[inline(always)]
    fn step(
        &self,
        joints: &[f64; N],
        now: &Linearised<N>,
        local: &Local<N>,
        damping: f64,
    ) -> ([f64; N], [bool; N]) {
        let normal = Normal::new(local, damping);
        let mut held = [false; N];
        let mut factor = normal.factor(&held);
        let mut step = factor.solve(normal.gradient, &held);
        for _ in 0..3 {
            let mut more = false;
            for i in 0..N {
                let outward = (joints[i] >= self.upper[i] && step[i] > 0.0)
                    || (joints[i] <= self.lower[i] && step[i] < 0.0);
                if outward && !held[i] {
                    held[i] = true;
                    more = true;
                }
            }
            if !more {
                break;
            }
            factor = normal.factor(&held);
            step = factor.solve(normal.gradient, &held);
        }
        let mut largest = STRIDE;
        for length in &step {
            largest = largest.max(length.abs());
        }
        let by = STRIDE / largest;
        for length in &mut step {
            *length *= by;
        }
        let bend = self.rows.weigh(now.bend(&step), now, self.target);
        let mut back = [0.0; N];
        for i in 0..N {
            back[i] = -0.5 * dot(&local.columns[i], &bend);
        }
        let back = factor.solve(back, &held);
        let (mut long, mut short) = (0.0, 0.0);
        for i in 0..N {
            long += step[i] * step[i];
            short += back[i] * back[i];
        }
        // Where the second order is no correction, the third is none to neglect.
        let bent = if short <= BEND * BEND * long {
            1.0
        } else {
            0.0
        };
        let mut next = *joints;
        for i in 0..N {
            next[i] = (joints[i] + step[i] + bent * back[i])
                .max(self.lower[i])
                .min(self.upper[i]);
        }
        (next, held)
    }

    /// Largest difference of two configurations, radians, sliding joints by their comparable length.
    pub(super) fn distance(&self, a: &[f64; N], b: &[f64; N]) -> f64 {
        let motions = self.chain.motions();
        let mut largest = 0.0_f64;
        for i in 0..N {
            let by = match motions[i] {
                Motion::Turning => 1.0,
                Motion::Sliding => 1.0 / self.length,
            };
            largest = largest.max((a[i] - b[i]).abs() * by);
        }
        largest
    }
}

/// JᵀJ + damping and Jᵀe.
#[derive(Clone, Copy)]
struct Normal<const N: usize> {
    matrix: [[f64; N]; N],
    gradient: [f64; N],
}

impl<const N: usize> Normal<N> {
    #[inline(always)]
    fn new(local: &Local<N>, damping: f64) -> Normal<N> {
        let mut matrix = [[0.0; N]; N];
        let mut gradient = [0.0; N];
        for i in 0..N {
            let column = &local.columns[i];
            for j in 0..=i {
                matrix[i][j] = dot(column, &local.columns[j]);
            }
            matrix[i][i] += damping;
            gradient[i] = dot(column, &local.error);
        }
        Normal { matrix, gradient }
    }

    /// The equations with the joints of `held` at rest, as L D Lᵀ.
    #[inline(always)]
    fn factor(&self, held: &[bool; N]) -> Factor<N> {
        let mut factor = Factor {
            lower: self.resting(held),
            inverse: [0.0; N],
        };
        for j in 0..N {
            let pivot = factor.pivot(j);
            factor.eliminate(j, pivot.max(1e-14));
        }
        factor
    }

    /// The matrix with the joints of `held` at rest.
    #[inline(always)]
    fn resting(&self, held: &[bool; N]) -> [[f64; N]; N] {
        let mut matrix = self.matrix;
        for i in 0..N {
            if held[i] {
                for j in 0..i {
                    matrix[i][j] = 0.0;
                }
                for k in i + 1..N {
                    matrix[k][i] = 0.0;
                }
                matrix[i][i] = 1.0;
            }
        }
        matrix
    }
}

/// L (below its diagonal of ones) and D⁻¹.
struct Factor<const N: usize> {
    lower: [[f64; N]; N],
    inverse: [f64; N],
}

impl<const N: usize> Factor<N> {
    /// The pivot of column `j`, whose row held L·D until now and holds L from now on.
    #[inline(always)]
    fn pivot(&mut self, j: usize) -> f64 {
        let mut pivot = self.lower[j][j];
        for k in 0..j {
            let scaled = self.lower[j][k] * self.inverse[k];
            pivot -= self.lower[j][k] * scaled;
            self.lower[j][k] = scaled;
        }
        pivot
    }

    /// Takes column `j` out of the rows below it.
    #[inline(always)]
    fn eliminate(&mut self, j: usize, pivot: f64) {
        self.inverse[j] = 1.0 / pivot;
        for i in j + 1..N {
            let mut entry = self.lower[i][j];
            for k in 0..j {
                entry -= self.lower[i][k] * self.lower[j][k];
            }
            self.lower[i][j] = entry;
        }
    }

    /// What the equations make of `right`, 0 for the joints of `held`.
    #[inline(always)]
    fn solve(&self, right: [f64; N], held: &[bool; N]) -> [f64; N] {
        let mut step = right;
        for i in 0..N {
            if held[i] {
                step[i] = 0.0;
            }
        }
        for i in 0..N {
            for k in 0..i {
                step[i] -= self.lower[i][k] * step[k];
            }
        }
        for i in (0..N).rev() {
            step[i] *= self.inverse[i];
            for k in i + 1..N {
                step[i] -= self.lower[k][i] * step[k];
            }
        }
        step
    }
}

#[inline(always)]
fn dot(a: &[f64; 6], b: &[f64; 6]) -> f64 {
    let mut sum = 0.0;
    for i in 0..6 {
        sum += a[i] * b[i];
    }
    sum
}
