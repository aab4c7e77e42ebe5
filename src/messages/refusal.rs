//! Why a plan or a request was refused.
//!
//! A refusal is numbers, like a cause; names are added where a person reads it.

use serde::{Deserialize, Serialize};

use super::Names;

/// Why a plan or a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Refusal {
    /// Not every number is finite.
    NotFinite,
    /// No waypoints, or a step of zero.
    Empty,
    /// The waypoints have another number of joints than the arm.
    WrongJointCount {
        /// Joints of the arm.
        expected: u8,
        /// Joints of the waypoint.
        received: u8,
    },
    /// All of it lies in the past.
    Late,
    /// It begins too far in the future, or its frames are dated after now.
    Early,
    /// Its id is not above the last one's.
    OldId,
    /// Its frames are older than allowed.
    Stale {
        /// Age, milliseconds.
        age_ms: u32,
    },
    /// It begins too far from the present command.
    SeamTooFar {
        /// Waypoint index.
        waypoint: u8,
        /// Distance (radians or metres).
        distance: f64,
    },
    /// A waypoint lies outside a joint's limits.
    OutsideLimits {
        /// Waypoint index.
        waypoint: u8,
        /// Joint index.
        joint: u8,
    },
    /// The tool can't get there.
    Unreachable {
        /// Waypoint index.
        waypoint: u8,
    },
    /// A pose's quaternion is not of unit length.
    NotATurn {
        /// Waypoint index.
        waypoint: u8,
    },
    /// Tilt and roll mean nothing to an arm whose first joint is not upright.
    NoTilt,
    /// Not in this mode.
    WrongMode,
    /// The cause of the stop is still there.
    CausePresent,
    /// No runner is connected, or it is silent.
    NoRunner,
    /// Another runner is connected.
    RunnerPresent,
    /// The other end speaks another protocol version.
    WrongProtocol,
    /// Only the runner may send that.
    NotTheRunner,
    /// The cell has no park pose.
    NoParkPose,
    /// All connection slots are taken.
    Full,
    /// Another client holds control.
    Held,
    /// An emergency stop is pressed.
    Pressed {
        /// Which input.
        input: u8,
    },
    /// A safety input can't be relied on.
    InputBroken {
        /// Which input.
        input: u8,
    },
    /// An enabling switch is not held.
    NotEnabled {
        /// Which input.
        input: u8,
    },
    /// The arm runs only while somebody holds it running, and nobody does.
    HoldNeeded,
    /// Another operator holds the arm running.
    HeldByAnother,
    /// The relay had taken motor power, and gives it back now.
    PowerReturns,
    /// Not every servo answers, or what one says is not right.
    Unhealthy,
}

impl Refusal {
    /// Whether the same may be granted a few ticks later: one lost reply is enough for it.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Refusal::CausePresent | Refusal::Unhealthy)
    }

    /// One line: why.
    #[must_use]
    pub fn text(&self, names: &Names<'_>) -> String {
        match *self {
            Refusal::NotFinite => "it holds NaN or an infinity".into(),
            Refusal::Empty => "it is empty".into(),
            Refusal::WrongJointCount { expected, received } => {
                format!("it has {received} joints, the arm has {expected}")
            }
            Refusal::Late => "all of it lies in the past".into(),
            Refusal::Early => "it is dated in the future".into(),
            Refusal::OldId => "a newer plan has been seen".into(),
            Refusal::Stale { age_ms } => format!("its frames are {age_ms} ms old"),
            Refusal::SeamTooFar { waypoint, distance } => {
                format!("waypoint {waypoint} is {distance:.3} from the present command")
            }
            Refusal::OutsideLimits { waypoint, joint } => format!(
                "waypoint {waypoint} is outside the limits of joint {}",
                names.joint(joint)
            ),
            Refusal::Unreachable { waypoint } => {
                format!("the tool can't reach waypoint {waypoint}")
            }
            Refusal::NotATurn { waypoint } => {
                format!("the quaternion of waypoint {waypoint} is not of unit length")
            }
            Refusal::NoTilt => {
                "the arm's first joint is not upright: it takes poses, not tilt and roll".into()
            }
            Refusal::WrongMode => "not possible in this mode".into(),
            Refusal::CausePresent => "the cause of the stop is still there".into(),
            Refusal::NoRunner => "no runner is connected, or it is silent".into(),
            Refusal::RunnerPresent => "another runner is connected".into(),
            Refusal::WrongProtocol => "the other end is of another version".into(),
            Refusal::NotTheRunner => "only the runner may send that".into(),
            Refusal::NoParkPose => "the cell file has no [parking] pose".into(),
            Refusal::Full => "all connections of the guard are taken".into(),
            Refusal::Held => "somebody else holds control".into(),
            Refusal::Pressed { input } => {
                format!("emergency stop {} is pressed", names.input(input))
            }
            Refusal::InputBroken { input } => format!(
                "input {} has a broken wire, or its channels disagree",
                names.input(input)
            ),
            Refusal::NotEnabled { input } => {
                format!("enabling switch {} is not held", names.input(input))
            }
            Refusal::HoldNeeded => {
                "the arm runs only while it is held running: `surehand start --hold`".into()
            }
            Refusal::HeldByAnother => "another operator holds the arm running".into(),
            Refusal::PowerReturns => {
                "not every servo answers; where motor power was cut it comes back now: reset again"
                    .into()
            }
            Refusal::Unhealthy => {
                "not every servo answers, or one says what is not right: see `surehand status`"
                    .into()
            }
        }
    }
}
