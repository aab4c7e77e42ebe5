//! A place on a path in the joints, and how fast it may be passed.
//!
//! Owns the bounds on the speed at one knot by that at the next. Never looks farther.
//!
//! **How fast.** With `s` the speed along the path and `x = s²`, `u = ṡ`, the joints move with
//! `q̇ = q′s` and `q̈ = q″x + q′u`, and between knots `h` apart `u = (x₁ − x₀) / 2h` (Bobrow,
//! Dubowsky and Gibson 1985). The largest `x₀` from which every later knot can still be passed
//! within the limits is found from the far end backward, as by Pham and Pham (TOPP-RA, 2018): at
//! the last knot known the arm must be able to stop, so nothing that comes into sight can surprise
//! it. Standing still is always allowed, hence no bound is ever empty, and every `x` below the
//! largest is safe as well. A longer view only raises the bounds, so they are renewed in place.

use crate::streaming::bounds::Bounds;
use crate::streaming::keep_away::KeepAway;

/// Shares of the speed and acceleration limits that are planned with; the rest is for what happens
/// between knots.
const SPEED: f64 = 0.97;
const ACCELERATION: f64 = 0.9;

/// A place on the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Knot<const N: usize> {
    pub(crate) along: f64,
    pub(crate) q: [f64; N],
    /// The joints' change with the parameter.
    pub(crate) rate: [f64; N],
    /// The largest square of the speed that the joints' speed limits allow.
    pub(crate) cap: f64,
    /// The largest from which all that follows can be passed.
    pub(crate) ceiling: f64,
    /// What is left of the distances that are watched, metres; infinite where none matters.
    pub(crate) clear: f64,
}

impl<const N: usize> Knot<N> {
    /// At `along` with joints `q` that change by `rate`, passed at most at `hurry` times the path's
    /// speed; the arm must be able to stop there.
    pub(crate) fn new(
        bounds: &Bounds<N>,
        along: f64,
        q: [f64; N],
        rate: [f64; N],
        hurry: f64,
    ) -> Knot<N> {
        let mut cap = hurry * hurry;
        for joint in 0..N {
            let most = SPEED * bounds.limits().velocity[joint];
            cap = cap.min((most / rate[joint]).powi(2));
        }
        Knot {
            along,
            q,
            rate,
            cap,
            ceiling: 0.0,
            clear: f64::INFINITY,
        }
    }

    /// Passed no faster than `keep` lets it.
    pub(crate) fn keep_clear(&mut self, bounds: &Bounds<N>, keep: &KeepAway<N>) {
        let (clear, speed) = keep.pass(bounds, &self.q, &self.rate);
        self.clear = clear;
        self.cap = self.cap.min(speed * speed);
    }
}

/// The largest square of the speed at `from` from which `to` can be passed within its own.
///
/// `q″` is that of the cubic between them. For each square `y` at `to`, that at `from` is bounded by
/// two lines a joint and place; of a few `y` the best is taken, which is never too much.
#[inline]
pub(crate) fn ceiling<const N: usize>(bounds: &Bounds<N>, from: &Knot<N>, to: &Knot<N>) -> f64 {
    let h = to.along - from.along;
    let (mut here, mut there) = ([[0.0; 3]; N], [[0.0; 3]; N]);
    for joint in 0..N {
        let scale = 1.0 / (ACCELERATION * bounds.acceleration()[joint]);
        let chord = (to.q[joint] - from.q[joint]) / h;
        let (a, b) = (from.rate[joint], to.rate[joint]);
        let (out, into) = (
            (6.0 * chord - 4.0 * a - 2.0 * b) / h,
            (4.0 * b + 2.0 * a - 6.0 * chord) / h,
        );
        // |q″x + q′(y − x) / 2h| ≤ a, at either end and halfway with what holds there.
        let half = 0.5 * (b - a) / h;
        let mid = (1.5 * chord - 0.25 * (a + b)) / (2.0 * h);
        let (a, b) = (a / (2.0 * h), b / (2.0 * h));
        here[joint] = [out - a, half - mid, -b].map(|it| scale * it);
        there[joint] = [a, half + mid, into + b].map(|it| scale * it);
    }
    let mut best = 0.0f64;
    for share in [1.0, 0.9, 0.7, 0.5, 0.25, 0.0] {
        let y = share * to.ceiling;
        let (mut least, mut most) = (0.0f64, from.cap);
        for joint in 0..N {
            for (x, y_share) in here[joint].iter().zip(&there[joint]) {
                let (x, rest) = (*x, y_share * y);
                if x.abs() > 1e-12 {
                    let (one, other) = ((1.0 - rest) / x, (-1.0 - rest) / x);
                    least = least.max(one.min(other));
                    most = most.min(one.max(other));
                } else if rest.abs() > 1.0 {
                    most = -1.0;
                }
            }
        }
        if least <= most && most > best {
            best = most;
        }
        if best >= from.cap || (share < 1.0 && most < best && least <= most) {
            break;
        }
    }
    best
}
