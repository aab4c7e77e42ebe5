//! What one joint's limits allow, worked out anew from the numbers in the cell.
//!
//! The one place that reads [`JointLimits`]. Never calls the code under test for a judgement.

use surehand::arm::JointLimits;

/// The law of one joint, in radians and seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Law {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) velocity: f64,
    pub(crate) acceleration: f64,
    pub(crate) jerk: f64,
}

impl Law {
    /// The law that these limits are.
    pub(crate) fn of(limits: &JointLimits) -> Law {
        Law {
            lower: limits.lower.0,
            upper: limits.upper.0,
            velocity: limits.velocity.0,
            acceleration: limits.acceleration.0,
            jerk: limits.jerk.0,
        }
    }

    /// The farthest a goal may be from its joint: the way from full speed to a standstill. The
    /// speed falls along an even curve, so the way is half of speed times time.
    pub(crate) fn lead(&self) -> f64 {
        let ramp = self.acceleration / self.jerk;
        let secs = if self.velocity >= self.acceleration * ramp {
            self.velocity / self.acceleration + ramp
        } else {
            2.0 * (self.velocity / self.jerk).sqrt()
        };
        self.velocity * secs / 2.0
    }

    /// The longest a stop may take from anything that the limits allow.
    pub(crate) fn stopping_secs(&self) -> f64 {
        self.velocity / self.acceleration + 2.0 * self.acceleration / self.jerk
    }

    /// By how much the speed may still rise after the brakes are on: an acceleration under way
    /// must be taken back at the jerk limit first.
    pub(crate) fn speed_to_come(&self) -> f64 {
        self.acceleration * self.acceleration / (2.0 * self.jerk)
    }
}
