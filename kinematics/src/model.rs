//! An arm as its URDF describes it: the chain from base to tool with each joint's name and limits.
//!
//! Owns what solving needs to know of an arm beside its geometry. A [`Model`] that exists is complete.

use crate::chain::Chain;

/// Most joints a chain may have.
pub const MAX_JOINTS: usize = 8;

/// The limits of `N` joints, base first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits<const N: usize> {
    /// Lowest position, radians or metres; −∞ for a continuous joint.
    pub lower: [f64; N],
    /// Highest position, above the lowest; +∞ for a continuous joint.
    pub upper: [f64; N],
    /// Largest speed, radians or metres a second, above zero.
    pub velocity: [f64; N],
}

impl<const N: usize> Limits<N> {
    /// Whether every position of `q` is inside, give or take `tolerance`. A number that is none is
    /// not.
    #[must_use]
    pub fn hold(&self, q: &[f64; N], tolerance: f64) -> bool {
        let bounds = self.lower.iter().zip(&self.upper);
        q.iter()
            .zip(bounds)
            .all(|(q, (lower, upper))| *q >= lower - tolerance && *q <= upper + tolerance)
    }

    /// `q` with every position brought inside.
    #[inline]
    #[must_use]
    pub fn clamp(&self, q: &[f64; N]) -> [f64; N] {
        let mut inside = *q;
        for ((q, lower), upper) in inside.iter_mut().zip(&self.lower).zip(&self.upper) {
            *q = q.max(*lower).min(*upper);
        }
        inside
    }
}

/// A chain with names and limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Model<const N: usize> {
    /// The joints' names, base first.
    pub names: [String; N],
    /// From base link to tool link.
    pub chain: Chain<N>,
    /// Of its joints.
    pub limits: Limits<N>,
}
