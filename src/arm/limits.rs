//! What one joint may do.

use crate::units::{Rad, RadPerSec, RadPerSec2};

/// The limits of one joint, all finite, `lower < upper`, rates above zero.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct JointLimits {
    /// Lowest position.
    pub lower: Rad,
    /// Highest position.
    pub upper: Rad,
    /// Largest speed, either way.
    pub velocity: RadPerSec,
    /// Largest acceleration and deceleration.
    pub acceleration: RadPerSec2,
}

impl JointLimits {
    /// The way covered while stopping from full speed, `v² / 2a`: the farthest a goal may ever
    /// be from the measured position.
    #[must_use]
    pub fn stopping_distance(&self) -> Rad {
        Rad(self.velocity.0 * self.velocity.0 / (2.0 * self.acceleration.0))
    }
}
