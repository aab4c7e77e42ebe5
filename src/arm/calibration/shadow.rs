//! The second servo of a joint that two drive: it obeys what the first is told, without a word.
//!
//! In the file it is an entry of its own, called after its joint as LeRobot does, whose `drive_mode`
//! is what its own register holds: 1 where it is mounted mirrored. Both count alike then, so that one
//! goal does for both. Owns what such an entry must be; never what the first servo's is.

use super::{CalibrationError, Entry, Joint, JointCalibration, JointSpan};

/// What its entry is called, after the joint.
pub const SHADOW: &str = "_shadow";

/// A joint's second servo.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadow {
    joint: usize,
    mirrored: bool,
    servo: JointCalibration,
}

impl Shadow {
    /// Index of its joint in the arm's order.
    #[must_use]
    pub fn joint(&self) -> usize {
        self.joint
    }

    /// Whether it is mounted the other way round than the first, and turns its counts by itself.
    #[must_use]
    pub fn mirrored(&self) -> bool {
        self.mirrored
    }

    /// The servo; its counts mean what the first one's do.
    #[must_use]
    pub fn servo(&self) -> &JointCalibration {
        &self.servo
    }
}

/// The joint of the entry `name`, when it is that of a second servo.
pub(super) fn joint_of(name: &str, joints: &[JointSpan<'_>]) -> Option<usize> {
    let joint = name.strip_suffix(SHADOW)?;
    joints.iter().position(|span| span.name == joint)
}

/// The second servo that the entry `name` is of, for the joint at `joint`, which is `first`.
pub(super) fn shadow(
    file: &str,
    name: &str,
    entry: &Entry,
    span: &JointSpan<'_>,
    (joint, first): (usize, &JointCalibration),
) -> Result<Shadow, CalibrationError> {
    let span = JointSpan { name, ..*span };
    let servo = Joint { file, span: &span }.check(entry)?;
    let (own, of_first) = (servo.range(), first.range());
    if own != of_first {
        return Err(CalibrationError::ShadowRange {
            file: file.to_owned(),
            joint: name.to_owned(),
            range: (own.0.0, own.1.0),
            first: (of_first.0.0, of_first.1.0),
        });
    }
    Ok(Shadow {
        joint,
        mirrored: servo.reversed,
        servo: JointCalibration {
            reversed: first.reversed,
            ..servo
        },
    })
}
