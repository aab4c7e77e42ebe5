//! What one joint may do.

use crate::units::{Rad, RadPerSec, RadPerSec2, RadPerSec3};

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
    /// Largest change of acceleration.
    pub jerk: RadPerSec3,
}

impl JointLimits {
    /// The time a stop from full speed takes at the jerk limit, seconds: `v/a + a/j`, and
    /// `2 √(v/j)` where full deceleration is never reached.
    #[must_use]
    pub fn stopping_secs(&self) -> f64 {
        let (v, a, j) = (self.velocity.0, self.acceleration.0, self.jerk.0);
        if v * j >= a * a {
            v / a + a / j
        } else {
            2.0 * (v / j).sqrt()
        }
    }

    /// The way covered while stopping from full speed at the jerk limit: the farthest a goal may
    /// ever be from the measured position. `v/2 · (v/a + a/j)`, and `v · √(v/j)` where full
    /// deceleration is never reached.
    #[must_use]
    pub fn stopping_distance(&self) -> Rad {
        let (v, a, j) = (self.velocity.0, self.acceleration.0, self.jerk.0);
        Rad(if v * j >= a * a {
            0.5 * v * (v / a + a / j)
        } else {
            v * (v / j).sqrt()
        })
    }
}
