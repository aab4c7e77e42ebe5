//! What each servo is told about itself before it moves: how fast, how hard.
//!
//! A second fence behind the limiter, inside the servo. Never a substitute for the limiter: the
//! fence stands a little further out, or it would fight with it.

use std::f64::consts::TAU;

use super::dynamixel;
use crate::arm::calibration::{COUNTS_PER_TURN, round};
use crate::arm::{Family, JointLimits};
use crate::units::{RadPerSec, RadPerSec2};

/// The longest a bus watchdog waits, units of 20 ms.
const MAX_WATCHDOG: i32 = 127;

/// What the registers of a family hold of a servo's fence.
struct Scale {
    /// Units in a count/s², and the most the register takes.
    acceleration: (f64, f64),
    /// Units in a count/s, and the most that is worth writing.
    velocity: (f64, f64),
    /// Units at the full stall torque.
    torque: f64,
}

fn scale(family: Family) -> Scale {
    match family {
        Family::Feetech => Scale {
            acceleration: (1.0 / 100.0, 254.0),
            // Beyond what any such servo does.
            velocity: (1.0, 10_000.0),
            torque: 1000.0,
        },
        Family::Dynamixel => {
            use dynamixel::register as reg;
            Scale {
                acceleration: (1.0 / reg::ACCELERATION_UNIT, reg::MAX_PROFILE),
                velocity: (1.0 / reg::VELOCITY_UNIT, reg::MAX_PROFILE),
                torque: reg::FULL_PWM,
            }
        }
    }
}

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

/// Acceleration, speed, torque and watchdog of one servo, in the units of its registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServoSettings {
    acceleration: i32,
    velocity: i32,
    torque: i32,
    watchdog: i32,
}

impl ServoSettings {
    /// From an acceleration, a speed, and a share of the stall torque (above 0, at most 1). Rates
    /// are rounded up, and cut at what the registers can hold.
    ///
    /// # Errors
    /// When one is not above zero or not a number: 0 would switch the fence off.
    pub fn new(
        family: Family,
        acceleration: RadPerSec2,
        velocity: RadPerSec,
        torque: f64,
    ) -> Result<ServoSettings, SettingsError> {
        let counts = COUNTS_PER_TURN / TAU;
        let scale = scale(family);
        if torque > 1.0 {
            return Err(SettingsError::TooMuchTorque(torque));
        }
        let in_counts = |(scale, most): (f64, f64)| (counts * scale, most);
        Ok(ServoSettings {
            acceleration: units(
                "acceleration",
                acceleration.0,
                in_counts(scale.acceleration),
            )?,
            velocity: units("velocity", velocity.0, in_counts(scale.velocity))?,
            torque: units("torque", torque, (scale.torque, scale.torque))?,
            watchdog: 0,
        })
    }

    /// From a joint's limits, `headroom` (above 1) times beyond them.
    ///
    /// # Errors
    /// As [`ServoSettings::new`].
    pub fn beyond(
        family: Family,
        limits: &JointLimits,
        headroom: f64,
        torque: f64,
    ) -> Result<ServoSettings, SettingsError> {
        ServoSettings::new(
            family,
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

    /// The same with a bus watchdog that trips after `units` of 20 ms; 0 for none.
    #[must_use]
    pub fn watched(self, units: u8) -> ServoSettings {
        ServoSettings {
            watchdog: i32::from(units).min(MAX_WATCHDOG),
            ..self
        }
    }

    /// Units of 20 ms, 0 for none.
    #[must_use]
    pub fn watchdog(&self) -> i32 {
        self.watchdog
    }

    /// Units of the family's acceleration register.
    #[must_use]
    pub fn acceleration(&self) -> i32 {
        self.acceleration
    }

    /// Units of its velocity register.
    #[must_use]
    pub fn velocity(&self) -> i32 {
        self.velocity
    }

    /// Units of its torque register.
    #[must_use]
    pub fn torque(&self) -> i32 {
        self.torque
    }
}

fn units(what: &'static str, value: f64, (scale, most): (f64, f64)) -> Result<i32, SettingsError> {
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
        let settings =
            ServoSettings::new(Family::Feetech, RadPerSec2(10.0), RadPerSec(2.0), 0.6).unwrap();
        assert_eq!(settings.acceleration(), 66);
        assert_eq!(settings.velocity(), 1304);
        assert_eq!(settings.torque(), 600);
    }

    #[test]
    fn nothing_becomes_zero_which_would_mean_the_fastest() {
        let slow =
            ServoSettings::new(Family::Feetech, RadPerSec2(1e-9), RadPerSec(1e-9), 1e-9).unwrap();
        assert_eq!(
            (slow.acceleration(), slow.velocity(), slow.torque()),
            (1, 1, 1)
        );
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                ServoSettings::new(Family::Feetech, RadPerSec2(bad), RadPerSec(1.0), 0.5).is_err()
            );
            assert!(
                ServoSettings::new(Family::Feetech, RadPerSec2(1.0), RadPerSec(bad), 0.5).is_err()
            );
            assert!(
                ServoSettings::new(Family::Feetech, RadPerSec2(1.0), RadPerSec(1.0), bad).is_err()
            );
        }
    }

    #[test]
    fn an_acceleration_beyond_the_register_is_the_highest_it_holds() {
        let settings =
            ServoSettings::new(Family::Feetech, RadPerSec2(1e4), RadPerSec(1.0), 1.0).unwrap();
        assert_eq!(settings.acceleration(), 254);
        assert!(ServoSettings::new(Family::Feetech, RadPerSec2(1.0), RadPerSec(1.0), 1.1).is_err());
    }

    #[test]
    fn the_x_series_counts_in_revolutions_a_minute() {
        // 10 rad/s² = 26.7 units of 214.577 rev/min²; 2 rad/s = 83.4 units of 0.229 rev/min.
        let settings =
            ServoSettings::new(Family::Dynamixel, RadPerSec2(10.0), RadPerSec(2.0), 0.6).unwrap();
        assert_eq!(settings.acceleration(), 27);
        assert_eq!(settings.velocity(), 84);
        assert_eq!(settings.torque(), 531);
        assert_eq!(settings.watchdog(), 0);
        assert_eq!(settings.watched(200).watchdog(), 127);
    }
}
