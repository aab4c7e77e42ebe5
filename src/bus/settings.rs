//! What each servo is told about itself before it moves: how fast, how hard.
//!
//! A second fence behind the limiter, inside the servo. Never a substitute for the limiter: the
//! fence stands a little further out, or it would fight with it.

use std::f64::consts::TAU;

use super::feetech::register::COUNTS_PER_TURN;
use crate::arm::JointLimits;
use crate::arm::calibration::round;
use crate::units::{RadPerSec, RadPerSec2};

/// Counts/s² in one unit of the acceleration register.
const ACCELERATION_UNIT: f64 = 100.0;
/// The highest acceleration the register takes.
const MAX_ACCELERATION: f64 = 254.0;
/// The highest velocity worth writing, counts/s: beyond what any such servo does.
const MAX_VELOCITY: f64 = 10_000.0;
/// Units of the torque register at the full stall torque.
const FULL_TORQUE: f64 = 1000.0;

/// A setting that no servo can be given.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// Not above zero: a velocity or acceleration of 0 means the fastest.
    #[error("servo {what} must be above zero, not {value}: correct the cell's limits")]
    NotPositive {
        /// Which.
        what: &'static str,
        /// As given.
        value: f64,
    },
    /// Above the stall torque.
    #[error(
        "servo torque must be at most 1 (the stall torque), not {0}: correct the cell's limits"
    )]
    TooMuchTorque(f64),
}

/// Acceleration, speed and torque of one servo, in the units of its registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServoSettings {
    acceleration: i32,
    velocity: i32,
    torque: i32,
}

impl ServoSettings {
    /// From an acceleration, a speed, and a share of the stall torque (above 0, at most 1). Rates
    /// are rounded up, and cut at what the registers can hold.
    ///
    /// # Errors
    /// When one is not above zero or not a number: 0 would switch the fence off.
    pub fn new(
        acceleration: RadPerSec2,
        velocity: RadPerSec,
        torque: f64,
    ) -> Result<ServoSettings, SettingsError> {
        let counts = COUNTS_PER_TURN / TAU;
        if torque > 1.0 {
            return Err(SettingsError::TooMuchTorque(torque));
        }
        Ok(ServoSettings {
            acceleration: units(
                "acceleration",
                acceleration.0,
                counts / ACCELERATION_UNIT,
                MAX_ACCELERATION,
            )?,
            velocity: units("velocity", velocity.0, counts, MAX_VELOCITY)?,
            torque: units("torque", torque, FULL_TORQUE, FULL_TORQUE)?,
        })
    }

    /// From a joint's limits, `headroom` (above 1) times beyond them.
    ///
    /// # Errors
    /// As [`ServoSettings::new`].
    pub fn beyond(
        limits: &JointLimits,
        headroom: f64,
        torque: f64,
    ) -> Result<ServoSettings, SettingsError> {
        ServoSettings::new(
            RadPerSec2(limits.acceleration.0 * headroom),
            RadPerSec(limits.velocity.0 * headroom),
            torque,
        )
    }

    /// The same with `share` of the torque, above 0, at most 1; never none at all.
    #[must_use]
    pub fn eased(self, share: f64) -> ServoSettings {
        let torque = round(f64::from(self.torque) * share.clamp(0.0, 1.0)).unwrap_or(1);
        ServoSettings {
            torque: torque.max(1),
            ..self
        }
    }

    /// Units of 100 counts/s².
    #[must_use]
    pub fn acceleration(&self) -> i32 {
        self.acceleration
    }

    /// Counts/s.
    #[must_use]
    pub fn velocity(&self) -> i32 {
        self.velocity
    }

    /// Units of 0.1 %.
    #[must_use]
    pub fn torque(&self) -> i32 {
        self.torque
    }
}

fn units(what: &'static str, value: f64, scale: f64, most: f64) -> Result<i32, SettingsError> {
    let refused = SettingsError::NotPositive { what, value };
    if !(value.is_finite() && value > 0.0) {
        return Err(refused);
    }
    round((value * scale).ceil().min(most)).ok_or(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_become_register_units_rounded_up() {
        // 10 rad/s² = 6519 counts/s²; 2 rad/s = 1303.8 counts/s
        let settings = ServoSettings::new(RadPerSec2(10.0), RadPerSec(2.0), 0.6).unwrap();
        assert_eq!(settings.acceleration(), 66);
        assert_eq!(settings.velocity(), 1304);
        assert_eq!(settings.torque(), 600);
    }

    #[test]
    fn nothing_becomes_zero_which_would_mean_the_fastest() {
        let slow = ServoSettings::new(RadPerSec2(1e-9), RadPerSec(1e-9), 1e-9).unwrap();
        assert_eq!(
            (slow.acceleration(), slow.velocity(), slow.torque()),
            (1, 1, 1)
        );
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(ServoSettings::new(RadPerSec2(bad), RadPerSec(1.0), 0.5).is_err());
            assert!(ServoSettings::new(RadPerSec2(1.0), RadPerSec(bad), 0.5).is_err());
            assert!(ServoSettings::new(RadPerSec2(1.0), RadPerSec(1.0), bad).is_err());
        }
    }

    #[test]
    fn an_acceleration_beyond_the_register_is_the_highest_it_holds() {
        let settings = ServoSettings::new(RadPerSec2(1e4), RadPerSec(1.0), 1.0).unwrap();
        assert_eq!(settings.acceleration(), 254);
        assert!(ServoSettings::new(RadPerSec2(1.0), RadPerSec(1.0), 1.1).is_err());
    }
}
