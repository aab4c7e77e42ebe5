//! Follows a joint while a person moves it: how far it went either way from its middle pose, over
//! the encoder's turn-over and all. Numbers alone; never asks a servo.

use std::f64::consts::TAU;

use super::joints::ArmJoint;
use super::register::{Setting, Settings};
use crate::arm::Family;

/// Counts in a turn.
pub const TURN: i32 = 4096;
/// What a servo is to report in the middle pose.
pub const MIDDLE: i32 = 2047;
/// The highest count.
const HIGHEST: i32 = TURN - 1;
/// The largest offset that Feetech's register holds.
const MAX_OFFSET: i32 = 2047;
/// The largest offset that counts in a Dynamixel's single-turn mode.
const MAX_SINGLE_TURN_OFFSET: i32 = 1024;
/// A joint that moved less was not moved, counts.
const MOVED: i32 = 60;
/// How far a range may be from the URDF's, counts: 15°, as a calibration is held to later.
const TOLERANCE: i32 = 170;

/// A servo's encoder as it stands, its homing offset taken off: within a turn with Feetech's, with
/// whole turns since power-up with Dynamixel's.
#[must_use]
pub fn encoder(family: Family, settings: &Settings, present: i32) -> i32 {
    let offset = settings.get(&Setting::HomingOffset).copied().unwrap_or(0);
    match family {
        Family::Feetech => (present + offset).rem_euclid(TURN),
        Family::Dynamixel => {
            let single = settings.get(&Setting::Mode) == Some(&3);
            let counts = !single || offset.abs() <= MAX_SINGLE_TURN_OFFSET;
            present - if counts { offset } else { 0 }
        }
    }
}

/// One joint while it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Track {
    /// The encoder in the middle pose.
    middle: i32,
    /// The encoder when last seen.
    last: i32,
    /// Counts from the middle: now, least and most.
    now: i32,
    least: i32,
    most: i32,
}

/// What is wrong with a joint's range; a line for the person.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// It stood still.
    #[error("was not moved: move it from one end of its range to the other")]
    NotMoved,
    /// It was not moved to its ends.
    #[error(
        "was moved {moved:.2} rad, its limits in the URDF are {urdf:.2} rad apart: move it to both ends"
    )]
    TooSmall {
        /// Radians.
        moved: f64,
        /// Radians.
        urdf: f64,
    },
    /// It moved more than it can.
    #[error(
        "was moved {moved:.2} rad, its limits in the URDF are {urdf:.2} rad apart: this is another arm's URDF, or its horn has slipped"
    )]
    TooLarge {
        /// Radians.
        moved: f64,
        /// Radians.
        urdf: f64,
    },
    /// More than half a turn from the middle.
    #[error(
        "went farther than half a turn from its middle pose: put it into the middle of its range and measure again"
    )]
    OffMiddle,
    /// A Dynamixel would come up a turn off.
    #[error(
        "turns its encoder over inside its range (at {middle} in the middle pose): after a power cut the servo may be a turn off. Take its horn off and put it on so that it is near 2048 there"
    )]
    TurnsOver {
        /// Encoder in the middle pose.
        middle: i32,
    },
}

impl Track {
    /// A joint in its middle pose.
    #[must_use]
    pub fn at_middle(encoder: i32) -> Track {
        Track {
            middle: encoder,
            last: encoder,
            now: 0,
            least: 0,
            most: 0,
        }
    }

    /// The encoder reads this now.
    pub fn see(&mut self, encoder: i32) {
        // Nobody turns a joint half a turn between two looks: a jump is the turn-over.
        let step = (encoder - self.last + TURN / 2).rem_euclid(TURN) - TURN / 2;
        self.last = encoder;
        self.now += step;
        self.least = self.least.min(self.now);
        self.most = self.most.max(self.now);
    }

    /// Lowest, present and highest count as the calibrated servo will report them.
    #[must_use]
    pub fn counts(&self) -> (i32, i32, i32) {
        (MIDDLE + self.least, MIDDLE + self.now, MIDDLE + self.most)
    }

    /// Whether it has been moved over all of its limits.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn range(&self, joint: &ArmJoint) -> Result<(i32, i32), RangeError> {
        if joint.full_turn() {
            return Ok((0, HIGHEST));
        }
        let moved = self.most - self.least;
        if moved < MOVED {
            return Err(RangeError::NotMoved);
        }
        if let Some((lower, upper)) = joint.limits {
            let urdf = counts_of(upper - lower);
            let (moved_rad, urdf_rad) = (radians_of(moved), upper - lower);
            if moved < urdf - TOLERANCE {
                let (moved, urdf) = (moved_rad, urdf_rad);
                return Err(RangeError::TooSmall { moved, urdf });
            }
            if moved > urdf + TOLERANCE {
                let (moved, urdf) = (moved_rad, urdf_rad);
                return Err(RangeError::TooLarge { moved, urdf });
            }
        }
        let (least, _, most) = self.counts();
        if least < 0 || most > HIGHEST {
            return Err(RangeError::OffMiddle);
        }
        Ok((least, most))
    }

    /// Whether a power-up anywhere in the joint's limits finds the same turn.
    ///
    /// # Errors
    /// When a Dynamixel's encoder turns over inside them.
    pub fn same_turn(&self, family: Family, joint: &ArmJoint) -> Result<(), RangeError> {
        let half = joint
            .limits
            .map_or(0, |(lower, upper)| counts_of(upper - lower) / 2);
        let inside = self.middle - half >= 0 && self.middle + half <= HIGHEST;
        match family {
            // It takes the turn off after its offset, so it is the same one everywhere.
            Family::Feetech => Ok(()),
            Family::Dynamixel if inside => Ok(()),
            Family::Dynamixel => Err(RangeError::TurnsOver {
                middle: self.middle,
            }),
        }
    }

    /// The homing offset that makes the middle pose [`MIDDLE`].
    #[must_use]
    pub fn homing_offset(&self, family: Family) -> i32 {
        match family {
            Family::Feetech => (self.middle - MIDDLE).clamp(-MAX_OFFSET, MAX_OFFSET),
            Family::Dynamixel => MIDDLE - self.middle,
        }
    }
}

/// The operating mode of a Dynamixel with this homing offset, which is in `mode` now: single-turn
/// where the offset counts there, as the servo itself then keeps goals inside its limits.
#[must_use]
pub fn dynamixel_mode(offset: i32, same_turn: bool, mode: i32) -> i32 {
    match mode {
        5 => 5,
        _ if offset.abs() <= MAX_SINGLE_TURN_OFFSET && same_turn => 3,
        _ => 4,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "limits of a joint are a few turns at most"
)]
fn counts_of(angle: f64) -> i32 {
    (angle * f64::from(TURN) / TAU).round() as i32
}

fn radians_of(counts: i32) -> f64 {
    f64::from(counts) * TAU / f64::from(TURN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joint(half: f64) -> ArmJoint {
        ArmJoint {
            name: "elbow_flex".into(),
            id: 3,
            limits: Some((-half, half)),
            part: crate::commission::Part::First,
        }
    }

    fn moved(middle: i32, way: impl Iterator<Item = i32>) -> Track {
        let mut track = Track::at_middle(middle);
        way.for_each(|counts| track.see((middle + counts).rem_euclid(TURN)));
        track
    }

    #[test]
    fn a_range_is_the_same_wherever_the_encoder_turns_over() {
        for middle in [0, 100, 2047, 4000, 4095] {
            let way = (0..1000).chain((-1000..1000).rev()).step_by(25);
            let track = moved(middle, way);
            let (least, _, most) = track.counts();
            assert_eq!((least, most), (2047 - 976, 2047 + 999), "{middle}");
            assert!(track.range(&joint(1.53)).is_ok());
        }
    }

    #[test]
    fn each_way_to_be_wrong_has_its_line() {
        let still = moved(100, 0..20);
        assert_eq!(still.range(&joint(1.5)), Err(RangeError::NotMoved));
        let half = moved(100, (0..900).step_by(20));
        let line = half.range(&joint(1.5)).unwrap_err().to_string();
        assert!(
            line.contains("1.35 rad") && line.contains("3.00 rad"),
            "{line}"
        );
        let far = moved(100, (0..3000).step_by(20));
        let wide = far.range(&joint(1.5)).unwrap_err();
        assert!(matches!(wide, RangeError::TooLarge { .. }), "{wide}");
        assert_eq!(far.range(&joint(2.3)), Err(RangeError::OffMiddle));
    }

    #[test]
    fn a_joint_that_turns_round_needs_no_moving() {
        let roll = joint(2.8);
        assert_eq!(Track::at_middle(7).range(&roll), Ok((0, 4095)));
    }

    #[test]
    fn a_dynamixel_that_would_come_up_a_turn_off_is_refused() {
        let track = Track::at_middle(300);
        assert!(track.same_turn(Family::Feetech, &joint(1.5)).is_ok());
        let line = track.same_turn(Family::Dynamixel, &joint(1.5));
        assert!(line.unwrap_err().to_string().contains("at 300"));
        let track = Track::at_middle(2100);
        assert!(track.same_turn(Family::Dynamixel, &joint(1.5)).is_ok());
        let (fits, turns, current) = (
            dynamixel_mode(-53, true, 4),
            dynamixel_mode(1500, true, 3),
            dynamixel_mode(0, true, 5),
        );
        assert_eq!((fits, turns, current), (3, 4, 5));
    }

    #[test]
    fn the_encoder_is_what_is_left_without_the_offset() {
        let held =
            |offset, mode| Settings::from([(Setting::HomingOffset, offset), (Setting::Mode, mode)]);
        assert_eq!(encoder(Family::Feetech, &held(212, 0), 2047), 2259);
        assert_eq!(encoder(Family::Feetech, &held(-1947, 0), 1046), 3195);
        assert_eq!(encoder(Family::Dynamixel, &held(-212, 3), 2047), 2259);
        assert_eq!(encoder(Family::Dynamixel, &held(1500, 3), 547), 547);
        assert_eq!(encoder(Family::Dynamixel, &held(1500, 4), 2047), 547);
    }

    proptest! {
        #[test]
        fn the_middle_pose_becomes_2047_with_either_family(at in 0i32..4096) {
            let track = Track::at_middle(at);
            let offset = track.homing_offset(Family::Feetech);
            let present = (at - offset).rem_euclid(TURN);
            // The register can't hold 2048, and one count is nothing.
            prop_assert!((present - MIDDLE).abs() <= 1);
            prop_assert_eq!(at + track.homing_offset(Family::Dynamixel), MIDDLE);
        }
    }
}
