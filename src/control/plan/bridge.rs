//! The way onto a new plan: a cubic in joint space from the present command and its velocity.
//!
//! Owns the shape. Never decides where it leads.

use super::curve::hermite;
use crate::units::{JointVec, MonoTime, Rad};

/// A cubic from one place and velocity to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bridge {
    pub(super) begin: MonoTime,
    pub(super) end: MonoTime,
    pub(super) from: JointVec<Rad>,
    pub(super) from_speed: JointVec<f64>,
    pub(super) to: JointVec<Rad>,
    pub(super) to_speed: JointVec<f64>,
}

impl Bridge {
    /// The joints at `now`, between its beginning and its end.
    pub(super) fn at(&self, now: MonoTime) -> JointVec<Rad> {
        let secs = self.end.secs_from(self.begin);
        let share = now.secs_from(self.begin) / secs;
        let places = self.from.zip_with(&self.to, |from, to| (from.0, to.0));
        let speeds = self
            .from_speed
            .zip_with(&self.to_speed, |from, to| (from * secs, to * secs));
        places.zip_with(&speeds, |(from, to), (leave, arrive)| {
            Rad(hermite(from, leave, to, arrive, share))
        })
    }
}
