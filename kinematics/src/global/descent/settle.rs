//! The joints that come nearest, where Newton's way to a solution leads astray: at the border of what
//! is reachable, in the corners of the limits, where there is no solution at all.
//!
//! Owns a step of Newton's method for the cost itself, whose Hessian has the second order of the tool's
//! way, and how far to trust it. Never chooses where to start.
//!
//! Where the arm is stretched, the Jacobian says nothing of the direction in which it folds, and the
//! Hessian does. A straight step in it leaves the curved floor of the valley, so a correction brings it
//! back (geodesic acceleration, as in `descent`), but only in the directions that the Jacobian says
//! enough of.

use super::{BEND, Budget, Ended, Factor, Normal, Problem, STRIDE, dot};
use crate::chain::Linearised;
use crate::task::Local;

/// How far a first step is trusted: so that its third order is as the error, which is the root of twice
/// the cost.
const TRUST: f64 = 1.5;
/// What becomes of the trust: as many times a step that helped, and one that did not.
const MORE: f64 = 2.0;
const LESS: f64 = 0.3;
/// Dampings tried for one step.
const DAMPINGS: u32 = 12;
/// A step begins with the damping of the one before, divided by this.
const EASIER: f64 = 8.0;
/// The least damping, as a share of the mean of the Hessian's diagonal.
const NO_DAMPING: f64 = 1e-9;
/// As many times the least that may do is added to a damping that is too little.
const AMPLE: f64 = 4.0;
/// A step this much longer than is trusted is cut, not reckoned anew.
const A_LITTLE: f64 = 1.2;
/// A pivot below this is none that a minimum has.
const LEAST_PIVOT: f64 = 1e-10;
/// A step this short moves nothing, radians.
const STILL: f64 = 1e-9;

/// A step to try.
struct Step<const N: usize> {
    next: [f64; N],
    /// Which joints a limit holds.
    held: [bool; N],
}

impl<const N: usize> Problem<'_, N> {
    /// The joints that come nearest, with position before orientation as the rows weigh them, from
    /// `start`: steps each taken only if it helps, until one gains less than the `worthwhile` share
    /// of the cost.
    pub(in crate::global) fn settle(
        &self,
        start: [f64; N],
        worthwhile: f64,
        budget: &mut Budget,
    ) -> Option<Ended<N>> {
        if !budget.spend() {
            return None;
        }
        let mut joints = start;
        let mut now = self.chain.linearise(&joints);
        let mut local = self.rows.at(&now, self.target);
        let mut trust = (TRUST * local.cost.cbrt().sqrt()).min(STRIDE);
        let mut damping = 0.0;
        let mut held = [false; N];
        let mut settled = false;
        while !settled && !local.residual.within(&self.tolerance) && budget.spend() {
            let step = self.newton(&joints, &now, &local, trust, &mut damping);
            held = step.held;
            let then = self.chain.linearise(&step.next);
            let ahead = self.rows.at(&then, self.target);
            let mut moved = 0.0_f64;
            for i in 0..N {
                moved = moved.max((step.next[i] - joints[i]).abs());
            }
            if ahead.cost < local.cost {
                let gain = (local.cost - ahead.cost) / local.cost;
                settled = gain < worthwhile;
                joints = step.next;
                local = ahead;
                now = then;
                trust = trust.max(MORE * moved).min(STRIDE);
            } else {
                trust = LESS * moved;
                // Written so that a step that is no number ends it.
                let moves = moved > STILL;
                settled = !moves;
            }
        }
        Some(Ended {
            joints,
            residual: local.residual,
            cost: local.cost,
            settled,
            held,
        })
    }

    /// A step towards the least cost, no joint's longer than `trust`, inside the limits; begins near the
    /// `damping` of the step before.
    fn newton(
        &self,
        joints: &[f64; N],
        now: &Linearised<N>,
        local: &Local<N>,
        trust: f64,
        damping: &mut f64,
    ) -> Step<N> {
        let flat = Normal::new(local, 0.0);
        let mut normal = flat;
        let mut measure = 0.0;
        for i in 0..N {
            measure += normal.matrix[i][i];
        }
        normal.bend(now, &self.rows.pull(&local.error, self.target));
        let outward = |i: usize, way: f64| {
            (joints[i] >= self.upper[i] && way > 0.0) || (joints[i] <= self.lower[i] && way < 0.0)
        };
        let mut held = std::array::from_fn(|i| outward(i, normal.gradient[i]));
        *damping = (*damping / EASIER).max(NO_DAMPING * measure);
        let mut step = [0.0_f64; N];
        for _ in 0..DAMPINGS {
            let factor = match normal.damped(*damping).convex(&held) {
                Ok(factor) => factor,
                Err(lack) => {
                    *damping += AMPLE * lack.max(NO_DAMPING * measure);
                    continue;
                }
            };
            step = factor.solve(normal.gradient, &held);
            let mut longest = 0.0_f64;
            for way in &step {
                longest = longest.max(way.abs());
            }
            if longest > A_LITTLE * trust {
                *damping += AMPLE * (longest / trust - 1.0) * factor.stiffness(&step);
                continue;
            }
            let mut more = false;
            for i in 0..N {
                if outward(i, step[i]) && !held[i] {
                    held[i] = true;
                    more = true;
                }
            }
            if !more {
                break;
            }
        }
        let mut longest = trust;
        for way in &step {
            longest = longest.max(way.abs());
        }
        for way in &mut step {
            *way *= trust / longest;
        }
        let back = self.back(&flat, now, local, &step, &held);
        let mut next = *joints;
        for i in 0..N {
            next[i] = (joints[i] + step[i] + back[i])
                .max(self.lower[i])
                .min(self.upper[i]);
        }
        Step { next, held }
    }

    /// What undoes the second order of `step`, where the Jacobian says how.
    fn back(
        &self,
        flat: &Normal<N>,
        now: &Linearised<N>,
        local: &Local<N>,
        step: &[f64; N],
        held: &[bool; N],
    ) -> [f64; N] {
        let bend = self.rows.weigh(now.bend(step), now, self.target);
        let mut back = [0.0; N];
        for i in 0..N {
            back[i] = -0.5 * dot(&local.columns[i], &bend);
        }
        // A direction in which the error itself bends more than the Jacobian moves is left alone.
        let flat = flat.damped(local.cost.sqrt() + NO_DAMPING);
        let back = flat.factor(held).solve(back, held);
        let (mut long, mut short) = (0.0, 0.0);
        for i in 0..N {
            long += step[i] * step[i];
            short += back[i] * back[i];
        }
        // Where the second order is no correction, the third is none to neglect.
        if short <= BEND * BEND * long {
            back
        } else {
            [0.0; N]
        }
    }
}

impl<const N: usize> Normal<N> {
    /// Takes the second order into account of a motion of the tool that counts `pull` for the error:
    /// JᵀJ becomes the cost's Hessian, JᵀJ − Σ eₖ ∂²fₖ, by ∂Jᵢ/∂qⱼ = zⱼ × Jᵢ for a joint j before i.
    fn bend(&mut self, now: &Linearised<N>, pull: &[f64; 6]) {
        let columns = &now.jacobian.data.0;
        let [px, py, pz, pa, pb, pc] = *pull;
        for i in 0..N {
            let [x, y, z, a, b, c] = columns[i];
            let linear = [y * pz - z * py, z * px - x * pz, x * py - y * px];
            let angular = [b * pc - c * pb, c * pa - a * pc, a * pb - b * pa];
            for j in 0..=i {
                // Of two turns in a row the half is the first's, the half the second's.
                let half = if i == j { 0.0 } else { 0.5 };
                for k in 0..3 {
                    self.matrix[i][j] -= columns[j][k + 3] * (linear[k] + half * angular[k]);
                }
            }
        }
    }

    fn damped(mut self, damping: f64) -> Normal<N> {
        for i in 0..N {
            self.matrix[i][i] += damping;
        }
        self
    }

    /// As [`Normal::factor`] where the equations are those of a minimum; else how much more damping
    /// they need at least, by a direction in which they bend downward.
    #[inline(always)]
    fn convex(&self, held: &[bool; N]) -> Result<Factor<N>, f64> {
        let mut factor = Factor {
            lower: self.resting(held),
            inverse: [0.0; N],
        };
        for j in 0..N {
            let pivot = factor.pivot(j);
            // Written so that a pivot that is no number is none.
            let is_minimal = pivot > LEAST_PIVOT;
            if !is_minimal {
                return Err((LEAST_PIVOT - pivot) / factor.squared_way(j));
            }
            factor.eliminate(j, pivot);
        }
        Ok(factor)
    }
}

impl<const N: usize> Factor<N> {
    /// The squared length of the direction whose curvature is the pivot of column `j`: Lᵀ brings it to
    /// that axis.
    fn squared_way(&self, j: usize) -> f64 {
        let mut way = [0.0; N];
        let mut square = 1.0;
        for k in (0..j).rev() {
            way[k] = -self.lower[j][k];
            for i in k + 1..j {
                way[k] -= self.lower[i][k] * way[i];
            }
            square += way[k] * way[k];
        }
        square
    }

    /// How stiff the equations are along `step`, their solution: |s|² / sᵀ M⁻¹ s, by which damping
    /// shortens it (Moré and Sorensen, "Computing a trust region step").
    fn stiffness(&self, step: &[f64; N]) -> f64 {
        let mut half = *step;
        let (mut square, mut give) = (0.0, 0.0);
        for i in 0..N {
            for k in 0..i {
                half[i] -= self.lower[i][k] * half[k];
            }
            square += step[i] * step[i];
            give += half[i] * half[i] * self.inverse[i];
        }
        square / give
    }
}
