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

use super::{BEND, Budget, Ended, Normal, Problem, STRIDE, dot};
use crate::chain::Linearised;
use crate::task::Local;

/// How far a first step is trusted: so that its third order is as the error, which is the root of twice
/// the cost.
const TRUST: f64 = 1.5;
/// What becomes of the trust: as many times a step that helped, and one that did not.
const MORE: f64 = 2.0;
const LESS: f64 = 0.3;
/// Dampings tried for one step.
const DAMPINGS: u32 = 16;
/// How much more each of them damps.
const HARDER: f64 = 6.0;
/// The least damping, as a share of the mean of the Hessian's diagonal, and the first after it.
const NO_DAMPING: f64 = 1e-9;
const SOME_DAMPING: f64 = 1e-7;
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
        let mut normal = Normal::new(local, 0.0);
        let mut measure = 0.0;
        for i in 0..N {
            measure += normal.matrix[i][i];
        }
        normal.bend(now, &self.rows.pull(&local.error, self.target));
        let outward = |i: usize, way: f64| {
            (joints[i] >= self.upper[i] && way > 0.0) || (joints[i] <= self.lower[i] && way < 0.0)
        };
        let mut held = std::array::from_fn(|i| outward(i, normal.gradient[i]));
        *damping = (*damping / (HARDER * HARDER)).max(NO_DAMPING * measure);
        let mut step = [0.0; N];
        for _ in 0..DAMPINGS {
            let factor = normal.damped(*damping).factor(&held);
            step = factor.solve(normal.gradient, &held);
            let is_convex = factor.inverse.iter().all(|it| *it < 1.0 / LEAST_PIVOT);
            let is_trusted = step.iter().all(|way| way.abs() <= trust);
            if !(is_convex && is_trusted) {
                *damping = (*damping * HARDER).max(SOME_DAMPING * measure);
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
        let back = self.back(now, local, &step, &held);
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
        let flat = Normal::new(local, local.cost.sqrt() + NO_DAMPING);
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

    fn damped(&self, damping: f64) -> Normal<N> {
        let mut matrix = self.matrix;
        for i in 0..N {
            matrix[i][i] += damping;
        }
        Normal {
            matrix,
            gradient: self.gradient,
        }
    }
}
