//! The units that policies use for a joint: radians, degrees, −100…100, 0…100.
//!
//! The formulas are LeRobot's, rounding and all, so that a policy trained there sees here the very
//! numbers it was trained on. Note that they are not consistent with each other: degrees divide a
//! turn by 4095 and ignore the drive mode.

use super::calibration::{JointCalibration, truncate};
use crate::units::{Counts, Rad};

/// Steps that LeRobot counts in a turn when it speaks degrees.
const DEGREE_STEPS: f64 = 4095.0;

/// What a number for a joint means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// Radians of the URDF.
    Radians,
    /// Degrees from the middle of the calibrated range, not clamped.
    Degrees,
    /// The calibrated range as −100…100.
    Symmetric,
    /// The calibrated range as 0…100.
    Percent,
}

impl Convention {
    /// The number for an angle.
    #[must_use]
    pub fn value(self, joint: &JointCalibration, angle: Rad) -> f64 {
        if self == Convention::Radians {
            return angle.0;
        }
        let raw = joint.position(angle);
        let (min, max) = bounds(joint);
        let share = (raw.clamp(min, max) - min) / (max - min);
        match self {
            Convention::Radians => angle.0,
            Convention::Degrees => (raw - f64::midpoint(min, max)) * 360.0 / DEGREE_STEPS,
            Convention::Symmetric => flip(share * 200.0 - 100.0, joint, 0.0),
            Convention::Percent => flip(share * 100.0, joint, 100.0),
        }
    }

    /// The count that a number asks for; `None` when it is not finite or means no count at all.
    #[must_use]
    pub fn counts(self, joint: &JointCalibration, value: f64) -> Option<Counts> {
        if !value.is_finite() {
            return None;
        }
        let (min, max) = bounds(joint);
        let raw = match self {
            Convention::Radians => joint.position(Rad(value)).round(),
            Convention::Degrees => value * DEGREE_STEPS / 360.0 + f64::midpoint(min, max),
            Convention::Symmetric => {
                let bounded = flip(value, joint, 0.0).clamp(-100.0, 100.0);
                (bounded + 100.0) / 200.0 * (max - min) + min
            }
            Convention::Percent => {
                let bounded = flip(value, joint, 100.0).clamp(0.0, 100.0);
                bounded / 100.0 * (max - min) + min
            }
        };
        truncate(raw).map(Counts)
    }

    /// The angle that a number asks for; `None` as in [`Convention::counts`]. Radians are passed
    /// on as they are, the others in steps of a count.
    #[must_use]
    pub fn angle(self, joint: &JointCalibration, value: f64) -> Option<Rad> {
        match self {
            Convention::Radians => value.is_finite().then_some(Rad(value)),
            Convention::Degrees | Convention::Symmetric | Convention::Percent => {
                self.counts(joint, value).map(|counts| joint.angle(counts))
            }
        }
    }
}

/// `value` as it is for a reversed joint: its distance from `whole`.
fn flip(value: f64, joint: &JointCalibration, whole: f64) -> f64 {
    if joint.reversed() {
        whole - value
    } else {
        value
    }
}

fn bounds(joint: &JointCalibration) -> (f64, f64) {
    let (min, max) = joint.range();
    (f64::from(min.0), f64::from(max.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::calibration::{Calibration, JointSpan};
    use proptest::prelude::*;

    const ALL: [Convention; 4] = [
        Convention::Radians,
        Convention::Degrees,
        Convention::Symmetric,
        Convention::Percent,
    ];

    fn joint(drive_mode: u8, min: i32, max: i32) -> JointCalibration {
        let text = format!(
            r#"{{"j": {{"id": 1, "drive_mode": {drive_mode}, "homing_offset": 0,
                        "range_min": {min}, "range_max": {max}}}}}"#
        );
        let half = f64::from(max - min) * std::f64::consts::TAU / 4096.0 / 2.0;
        let span = JointSpan {
            name: "j",
            lower: Rad(-half),
            upper: Rad(half),
        };
        let calibration = Calibration::parse(&text, "x", &[span]).unwrap();
        calibration.joints()[0].clone()
    }

    #[test]
    fn values_are_lerobots() {
        let forward = joint(0, 1000, 3000);
        let at = |convention: Convention, joint: &JointCalibration, raw: i32| {
            convention.value(joint, joint.angle(Counts(raw)))
        };
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(at(Convention::Degrees, &forward, 2455), 40.0));
        assert!(close(at(Convention::Symmetric, &forward, 1500), -50.0));
        assert!(close(at(Convention::Percent, &forward, 1500), 25.0));
        assert!(close(at(Convention::Symmetric, &forward, 3500), 100.0));
        let reversed = joint(1, 1000, 3000);
        assert!(close(at(Convention::Degrees, &reversed, 2455), 40.0));
        assert!(close(at(Convention::Symmetric, &reversed, 1500), 50.0));
        assert!(close(at(Convention::Percent, &reversed, 1500), 75.0));
    }

    #[test]
    fn counts_are_lerobots_and_cut_not_rounded() {
        let forward = joint(0, 1000, 3000);
        assert_eq!(
            Convention::Degrees.counts(&forward, 40.0),
            Some(Counts(2455))
        );
        // 40.08 · 4095 / 360 + 2000 = 2455.91
        assert_eq!(
            Convention::Degrees.counts(&forward, 40.08),
            Some(Counts(2455))
        );
        assert_eq!(
            Convention::Symmetric.counts(&forward, -50.0),
            Some(Counts(1500))
        );
        assert_eq!(
            Convention::Symmetric.counts(&forward, 250.0),
            Some(Counts(3000))
        );
        assert_eq!(
            Convention::Percent.counts(&forward, 25.0),
            Some(Counts(1500))
        );
        let reversed = joint(1, 1000, 3000);
        assert_eq!(
            Convention::Symmetric.counts(&reversed, 50.0),
            Some(Counts(1500))
        );
        assert_eq!(
            Convention::Percent.counts(&reversed, 75.0),
            Some(Counts(1500))
        );
    }

    #[test]
    fn what_is_not_finite_asks_for_nothing() {
        let joint = joint(0, 1000, 3000);
        for convention in ALL {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert_eq!(convention.angle(&joint, value), None, "{convention:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_count_survives_every_convention_to_one_count(
            min in 0i32..2000, width in 100i32..2000, at in 0.0..=1.0f64, mode in 0u8..=1,
        ) {
            let joint = joint(mode, min, min + width);
            let count = min + (at * f64::from(width)) as i32;
            for convention in ALL {
                let value = convention.value(&joint, joint.angle(Counts(count)));
                let back = convention.counts(&joint, value).unwrap();
                prop_assert!((back.0 - count).abs() <= 1, "{convention:?}: {count} → {back:?}");
            }
        }
    }
}
