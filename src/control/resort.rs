//! What is left when a stop does not stop a joint: letting the arm go, then cutting its power.
//!
//! Owns how far the stop has had to go. A joint counts as driven on only when its own motor pushes
//! it: one that falls, or that somebody moves, must not have the others dropped.
//!
//! Real time: no allocation, lock, log or clock.

use crate::messages::Rung;
use crate::units::{JointSet, MonoTime};

/// What a stopped arm still does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// Joints that are driven on.
    pub(super) driven: JointSet,
    /// Whether torque is meant to be on.
    pub(super) holding: bool,
}

/// How far the stop has had to go.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Resort {
    rung: Rung,
    /// Joints that did not stop.
    joints: JointSet,
}

impl Resort {
    /// Takes in what is seen at `now` of an arm that should have stopped by `stopped_by`; whether
    /// it must be let go in this tick.
    pub(super) fn look(&mut self, seen: &Seen, now: MonoTime, stopped_by: MonoTime) -> bool {
        if now < stopped_by || seen.driven.is_empty() {
            return false;
        }
        self.joints = self.joints.union(seen.driven);
        match (self.rung, seen.holding) {
            (Rung::Hold, true) => {
                self.rung = Rung::LetGo;
                true
            }
            // Limp is what it was told to be, and its motor goes on: only power is left to take.
            (Rung::Hold | Rung::LetGo, false) => {
                self.rung = Rung::CutPower;
                false
            }
            (Rung::LetGo | Rung::CutPower, true) => true,
            (Rung::CutPower, false) => false,
        }
    }

    pub(super) fn rung(&self) -> Rung {
        self.rung
    }

    /// Joints that did not stop when they were told to.
    pub(super) fn joints(&self) -> JointSet {
        self.joints
    }
}
