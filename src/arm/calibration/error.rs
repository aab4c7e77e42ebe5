//! What may be wrong with a calibration file: one line each, with file, joint and what to do.

use crate::units::MAX_JOINTS;

/// Why a calibration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The file can't be read.
    #[error("calibration {file}: {source}: check the path in the cell file")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no calibration, or has a key that is not known.
    #[error("calibration {file}: {source}: write it anew with LeRobot's or `surehand calibrate`")]
    Json {
        /// The file.
        file: String,
        /// Where and what.
        source: serde_json::Error,
    },
    /// It lacks a joint of the arm.
    #[error("calibration {file}: joint {joint} is missing: calibrate this arm again")]
    MissingJoint {
        /// The file.
        file: String,
        /// The joint.
        joint: String,
    },
    /// It has a joint that the arm has not.
    #[error("calibration {file}: the arm has no joint {joint}: use the calibration of this arm")]
    UnknownJoint {
        /// The file.
        file: String,
        /// The joint.
        joint: String,
    },
    /// A number lies outside of what it may be.
    #[error(
        "calibration {file}: {joint}.{key} is {value}, it must be {lowest} to {highest}: calibrate this arm again"
    )]
    OutOfRange {
        /// The file.
        file: String,
        /// The joint.
        joint: String,
        /// The key.
        key: &'static str,
        /// As it stands there.
        value: i64,
        /// Smallest that may be.
        lowest: i32,
        /// Largest that may be.
        highest: i32,
    },
    /// The range is empty.
    #[error(
        "calibration {file}: {joint}: range_min {min} is not below range_max {max}: calibrate this arm again"
    )]
    EmptyRange {
        /// The file.
        file: String,
        /// The joint.
        joint: String,
        /// `range_min`.
        min: i32,
        /// `range_max`.
        max: i32,
    },
    /// Two joints have one id.
    #[error(
        "calibration {file}: {joint} has id {id}, as another joint has: calibrate this arm again"
    )]
    DuplicateId {
        /// The file.
        file: String,
        /// The joint.
        joint: String,
        /// The id.
        id: u8,
    },
    /// The range is not that of the URDF.
    #[error(
        "calibration {file}: {joint} moves {calibrated:.3} rad ({min}…{max}), its URDF limits are {urdf:.3} rad apart: use the URDF of this arm or calibrate it again"
    )]
    DoesNotFit {
        /// The file.
        file: String,
        /// The joint.
        joint: String,
        /// `range_min`.
        min: i32,
        /// `range_max`.
        max: i32,
        /// The calibrated range, radians.
        calibrated: f64,
        /// Upper − lower limit, radians.
        urdf: f64,
    },
    /// The second servo of a joint has another range than the first.
    #[error(
        "calibration {file}: {joint} has the range {}…{}, the first servo of its joint {}…{}: both obey one goal, calibrate this arm again", .range.0, .range.1, .first.0, .first.1
    )]
    ShadowRange {
        /// The file.
        file: String,
        /// The entry.
        joint: String,
        /// Its `range_min` and `range_max`.
        range: (i32, i32),
        /// The first servo's.
        first: (i32, i32),
    },
    /// More joints than an arm may have.
    #[error("an arm has at most {MAX_JOINTS} joints, this one has {0}")]
    TooManyJoints(usize),
}
