//! Where every joint of a chain is, and which variable moves it: what points on its links move with.
//!
//! Owns the velocity of a point on a link by each variable. Never knows what the point is of.

use nalgebra::Vector3;

use super::Motion;
use crate::frame::Frame;
use crate::model::MAX_JOINTS;

/// What moves a joint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moves {
    /// Index of its variable, base first.
    pub variable: usize,
    /// What a change of the variable is multiplied by.
    pub multiplier: f64,
    /// What the joint then does.
    pub motion: Motion,
}

impl Moves {
    pub(super) const STILL: Moves = Moves {
        variable: 0,
        multiplier: 0.0,
        motion: Motion::Turning,
    };
}

/// Every joint's frame in the base frame at one configuration; its z axis is the joint's, and its
/// other axes are fixed to the link that the joint moves, in a direction of the chain's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Places {
    pub(super) frames: [Frame; MAX_JOINTS],
    pub(super) moves: [Moves; MAX_JOINTS],
    pub(super) len: usize,
}

impl Places {
    /// The frames, base first.
    #[inline]
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        self.frames.get(..self.len).unwrap_or(&[])
    }

    /// What moves each of them.
    #[must_use]
    pub fn moves(&self) -> &[Moves] {
        self.moves.get(..self.len).unwrap_or(&[])
    }

    /// Adds to `gradient` how a point at `point` (metres, base frame), fixed behind joint `to` (not
    /// inclusive, counted from the base), moves along `direction` with each variable, by the
    /// joints from `from` on: a turning joint's share is `direction·(axis × (point − origin))`, a
    /// sliding one's `direction·axis`.
    #[inline]
    pub fn add_moves<const N: usize>(
        &self,
        from: usize,
        to: usize,
        point: &Vector3<f64>,
        direction: &Vector3<f64>,
        gradient: &mut [f64; N],
    ) {
        let joints = self.frames().iter().zip(&self.moves);
        for (frame, moves) in joints.take(to).skip(from) {
            let axis = frame.rotation.column(2);
            let along = match moves.motion {
                Motion::Sliding => direction.dot(&axis),
                Motion::Turning => direction.dot(&axis.cross(&(point - frame.translation))),
            };
            if let Some(entry) = gradient.get_mut(moves.variable) {
                *entry += moves.multiplier * along;
            }
        }
    }
}
