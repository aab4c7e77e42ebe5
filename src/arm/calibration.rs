//! The calibration of one arm: LeRobot's file, parsed once and then valid, and what it is for,
//! counts ↔ radians.
//!
//! A count is what the servo reports, its homing offset applied. For a joint with hard stops the
//! middle of the calibrated range is the middle of the URDF limits; a joint that turns all the way
//! round (range 0…4095) has URDF zero at 2047. Never talks to a servo: bring-up compares these
//! values with what the servos hold.

use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use crate::units::{Counts, MAX_JOINTS, Rad, RadPerSec};

mod error;
mod shadow;

pub use error::CalibrationError;
pub use shadow::{SHADOW, Shadow};

/// Counts in a turn.
pub const COUNTS_PER_TURN: f64 = 4096.0;
/// The count of URDF zero on a joint that turns all the way round.
const FULL_TURN_ZERO: f64 = 2047.0;
/// The highest count.
const MAX_COUNT: i32 = 4095;
/// The largest homing offset its register holds.
const MAX_OFFSET: i32 = 2047;
/// How far the calibrated range may differ from the URDF's: hard stops and prints vary by some
/// degrees, a calibration of another arm or an interrupted one by more.
const RANGE_TOLERANCE: Rad = Rad(15.0 / 360.0 * TAU);

/// How far beyond its calibrated range a joint may rest, counts: hard stops give a little. A goal
/// this far out is the range's end, as the servo itself makes of it.
pub const REST_TOLERANCE: i32 = 40;

/// One joint as the URDF limits it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointSpan<'a> {
    /// Its name, as in the calibration file.
    pub name: &'a str,
    /// The URDF's lower limit (not one that a cell has narrowed).
    pub lower: Rad,
    /// The URDF's upper limit.
    pub upper: Rad,
}

/// An angle that no goal may have.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{angle:?} is outside the calibrated range {min}…{max}")]
pub struct OutsideRange {
    /// The angle asked for.
    pub angle: Rad,
    /// `range_min`.
    pub min: i32,
    /// `range_max`.
    pub max: i32,
}

/// A position that may be written to a servo: within the calibrated range of its joint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal(u16);

impl Goal {
    /// The counts.
    #[must_use]
    pub fn counts(self) -> u16 {
        self.0
    }
}

/// One joint's calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct JointCalibration {
    name: String,
    id: u8,
    reversed: bool,
    homing_offset: i32,
    range_min: i32,
    range_max: i32,
    /// A count and the angle that is there, on which the scale rests.
    centre: (f64, f64),
}

impl JointCalibration {
    /// The joint's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its servo's id on the bus.
    #[must_use]
    pub fn id(&self) -> u8 {
        self.id
    }

    /// Whether counts fall while the joint's angle rises (`drive_mode` 1).
    #[must_use]
    pub fn reversed(&self) -> bool {
        self.reversed
    }

    /// What its servo must hold as homing offset, counts.
    #[must_use]
    pub fn homing_offset(&self) -> i32 {
        self.homing_offset
    }

    /// Lowest and highest calibrated count.
    #[must_use]
    pub fn range(&self) -> (Counts, Counts) {
        (Counts(self.range_min), Counts(self.range_max))
    }

    /// Lowest and highest angle of the calibrated range; the joint's limits must lie within.
    #[must_use]
    pub fn span(&self) -> (Rad, Rad) {
        let (a, b) = (
            self.angle(Counts(self.range_min)),
            self.angle(Counts(self.range_max)),
        );
        if a.0 <= b.0 { (a, b) } else { (b, a) }
    }

    /// The angle at a count.
    #[must_use]
    pub fn angle(&self, counts: Counts) -> Rad {
        let (count, angle) = self.centre;
        Rad(angle + self.radians_per_count() * (f64::from(counts.0) - count))
    }

    /// A velocity in counts a second as one in radians a second.
    #[must_use]
    pub fn velocity(&self, counts_per_sec: i32) -> RadPerSec {
        RadPerSec(self.radians_per_count() * f64::from(counts_per_sec))
    }

    /// The count at an angle, not rounded and not limited to the range.
    #[must_use]
    pub fn position(&self, angle: Rad) -> f64 {
        let (count, centre) = self.centre;
        count + (angle.0 - centre) / self.radians_per_count()
    }

    /// The goal at an angle; an angle within [`REST_TOLERANCE`] of the calibrated range gives the
    /// range's end.
    ///
    /// # Errors
    /// When the angle is not finite, or farther outside.
    pub fn goal(&self, angle: Rad) -> Result<Goal, OutsideRange> {
        let (min, max) = (self.range_min, self.range_max);
        round(self.position(angle))
            .filter(|counts| (min - REST_TOLERANCE..=max + REST_TOLERANCE).contains(counts))
            .and_then(|counts| u16::try_from(counts.clamp(min, max)).ok())
            .map(Goal)
            .ok_or(OutsideRange {
                angle,
                min: self.range_min,
                max: self.range_max,
            })
    }

    fn radians_per_count(&self) -> f64 {
        let scale = TAU / COUNTS_PER_TURN;
        if self.reversed { -scale } else { scale }
    }
}

/// The nearest integer to a finite number of counts; `None` for anything a register of counts can
/// never mean.
#[must_use]
pub fn round(counts: f64) -> Option<i32> {
    truncate(counts.round())
}

/// A finite number of counts, cut towards zero as LeRobot does; `None` as in [`round`].
#[must_use]
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "finite and far within i32, checked first; a cast that is not used can't do harm"
)]
pub fn truncate(counts: f64) -> Option<i32> {
    let sane = counts.is_finite() && counts.abs() < 1e6;
    sane.then_some(counts as i32)
}

/// The calibration of every joint, in the arm's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    joints: Vec<JointCalibration>,
    shadows: Vec<Shadow>,
}

/// One entry of the file.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: i64,
    drive_mode: i64,
    homing_offset: i64,
    range_min: i64,
    range_max: i64,
}

/// The entries in the order of the file; a name that comes twice is refused.
struct Entries(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Entries;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of joint names to their calibration")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries: Vec<(String, Entry)> = Vec::new();
                while let Some((name, entry)) = map.next_entry::<String, Entry>()? {
                    if entries.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom(format!(
                            "joint {name} comes twice"
                        )));
                    }
                    entries.push((name, entry));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

impl Calibration {
    /// Reads the file at `path` for the joints of an arm, in the arm's order.
    ///
    /// # Errors
    /// One line with file, joint, key and numbers, when anything in it is not right or it does not
    /// fit the arm.
    pub fn load(path: &Path, joints: &[JointSpan<'_>]) -> Result<Calibration, CalibrationError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Calibration::parse(&text, &file, joints),
            Err(source) => Err(CalibrationError::Read { file, source }),
        }
    }

    /// As [`Calibration::load`], from the text of a file called `file`.
    ///
    /// # Errors
    /// As there.
    pub fn parse(
        text: &str,
        file: &str,
        joints: &[JointSpan<'_>],
    ) -> Result<Calibration, CalibrationError> {
        if joints.len() > MAX_JOINTS {
            return Err(CalibrationError::TooManyJoints(joints.len()));
        }
        let Entries(entries) =
            serde_json::from_str(text).map_err(|source| CalibrationError::Json {
                file: file.to_owned(),
                source,
            })?;
        if let Some((joint, _)) = entries.iter().find(|(name, _)| {
            let known = joints.iter().any(|joint| joint.name == name);
            !known && shadow::joint_of(name, joints).is_none()
        }) {
            return Err(CalibrationError::UnknownJoint {
                file: file.to_owned(),
                joint: joint.clone(),
            });
        }
        let mut ids = BTreeSet::new();
        let mut unique = |name: &str, id: u8| {
            let error = || CalibrationError::DuplicateId {
                file: file.to_owned(),
                joint: name.to_owned(),
                id,
            };
            ids.insert(id).then_some(()).ok_or_else(error)
        };
        let mut calibrated = Vec::with_capacity(joints.len());
        for span in joints {
            let Some((_, entry)) = entries.iter().find(|(name, _)| name == span.name) else {
                return Err(CalibrationError::MissingJoint {
                    file: file.to_owned(),
                    joint: span.name.to_owned(),
                });
            };
            let joint = Joint { file, span }.check(entry)?;
            unique(span.name, joint.id)?;
            calibrated.push(joint);
        }
        let mut shadows = Vec::new();
        for (name, entry) in &entries {
            let joint = shadow::joint_of(name, joints)
                .filter(|_| !joints.iter().any(|span| span.name == name));
            if let Some(joint) = joint
                && let (Some(span), Some(first)) = (joints.get(joint), calibrated.get(joint))
            {
                let shadow = shadow::shadow(file, name, entry, span, (joint, first))?;
                unique(name, shadow.servo().id)?;
                shadows.push(shadow);
            }
        }
        Ok(Calibration {
            joints: calibrated,
            shadows,
        })
    }

    /// The joints in the arm's order.
    #[must_use]
    pub fn joints(&self) -> &[JointCalibration] {
        &self.joints
    }

    /// The second servos of joints that two drive.
    #[must_use]
    pub fn shadows(&self) -> &[Shadow] {
        &self.shadows
    }

    /// The joint called `name`.
    #[must_use]
    pub fn joint(&self, name: &str) -> Option<&JointCalibration> {
        self.joints.iter().find(|joint| joint.name == name)
    }
}

/// One joint of one file while it is checked.
struct Joint<'a> {
    file: &'a str,
    span: &'a JointSpan<'a>,
}

impl Joint<'_> {
    fn check(&self, entry: &Entry) -> Result<JointCalibration, CalibrationError> {
        let id = self.within("id", entry.id, 0, 253)?;
        let drive_mode = self.within("drive_mode", entry.drive_mode, 0, 1)?;
        let homing_offset = self.within(
            "homing_offset",
            entry.homing_offset,
            -MAX_OFFSET,
            MAX_OFFSET,
        )?;
        let min = self.within("range_min", entry.range_min, 0, MAX_COUNT)?;
        let max = self.within("range_max", entry.range_max, 0, MAX_COUNT)?;
        if min >= max {
            return Err(CalibrationError::EmptyRange {
                file: self.file.to_owned(),
                joint: self.span.name.to_owned(),
                min,
                max,
            });
        }
        let full_turn = (min, max) == (0, MAX_COUNT);
        let (lower, upper) = (self.span.lower.0, self.span.upper.0);
        let centre = if full_turn {
            (FULL_TURN_ZERO, 0.0)
        } else {
            (f64::from(min + max) / 2.0, (lower + upper) / 2.0)
        };
        let calibrated = f64::from(max - min) * TAU / COUNTS_PER_TURN;
        let urdf = upper - lower;
        let fits = if full_turn {
            urdf <= TAU
        } else {
            (calibrated - urdf).abs() <= RANGE_TOLERANCE.0
        };
        if !fits {
            return Err(CalibrationError::DoesNotFit {
                file: self.file.to_owned(),
                joint: self.span.name.to_owned(),
                min,
                max,
                calibrated,
                urdf,
            });
        }
        Ok(JointCalibration {
            name: self.span.name.to_owned(),
            // `within` has bounded it.
            id: u8::try_from(id).unwrap_or(u8::MAX),
            reversed: drive_mode == 1,
            homing_offset,
            range_min: min,
            range_max: max,
            centre,
        })
    }

    fn within(
        &self,
        key: &'static str,
        value: i64,
        lowest: i32,
        highest: i32,
    ) -> Result<i32, CalibrationError> {
        i32::try_from(value)
            .ok()
            .filter(|value| (lowest..=highest).contains(value))
            .ok_or_else(|| CalibrationError::OutOfRange {
                file: self.file.to_owned(),
                joint: self.span.name.to_owned(),
                key,
                value,
                lowest,
                highest,
            })
    }
}

#[cfg(test)]
mod tests;
