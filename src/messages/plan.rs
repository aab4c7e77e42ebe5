//! A plan: timed waypoints of the joints or the tool, as the runner asks for them.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::units::{JointVec, MonoTime, Rad};

/// The most waypoints one plan may have (a LeRobot ACT chunk is 100).
pub const MAX_WAYPOINTS: usize = 128;

/// Where the tool should be, in the arm's base frame.
///
/// A five-joint arm reaches position, tilt and roll; its yaw follows from the position.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ToolSetpoint {
    /// Tool point, metres, base frame.
    pub position: [f64; 3],
    /// Angle of the approach axis from straight down, within the arm's vertical plane,
    /// positive when the tool leans outward (fingers pointing away from the pan axis); radians.
    pub tilt: f64,
    /// Rotation about the approach axis relative to the arm's vertical plane, radians.
    pub roll: f64,
    /// Gripper joint, radians (not part of the inverse kinematics).
    pub gripper: f64,
}

/// Where the tool should be, turned in any way, in the arm's base frame.
///
/// An arm of fewer than six joints does the position, and as much of the turn as is left to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ToolPose {
    /// Tool point, metres, base frame.
    pub position: [f64; 3],
    /// How the tool is turned in the base frame: x, y, z, w, of unit length.
    pub quaternion: [f64; 4],
    /// Gripper joint, radians (not part of the inverse kinematics).
    pub gripper: f64,
}

impl Default for ToolPose {
    fn default() -> ToolPose {
        ToolPose {
            position: [0.0; 3],
            quaternion: [0.0, 0.0, 0.0, 1.0],
            gripper: 0.0,
        }
    }
}

/// The waypoints of a plan: all of one kind.
#[expect(
    clippy::large_enum_variant,
    reason = "fixed size by design: no allocation"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Waypoints {
    /// The tool's point, tilt and roll, for an arm whose first joint turns about the vertical;
    /// solved by the guard's inverse kinematics tick by tick.
    Tool(Vec<ToolSetpoint, MAX_WAYPOINTS>),
    /// The tool's pose, for any arm; solved likewise.
    Pose(Vec<ToolPose, MAX_WAYPOINTS>),
    /// Joint positions in the arm's joint order, gripper included, radians.
    Joint(Vec<JointVec<Rad>, MAX_WAYPOINTS>),
}

impl Waypoints {
    /// How many waypoints there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Waypoints::Tool(points) => points.len(),
            Waypoints::Pose(points) => points.len(),
            Waypoints::Joint(points) => points.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A timed chunk of actions. Waypoint `i` is due at `start + i · step`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Rises with every plan of one runner; the guard refuses an id it has already seen.
    pub id: u64,
    /// When the oldest of the frames behind this plan was captured.
    pub captured_at: MonoTime,
    /// When waypoint 0 is due.
    pub start: MonoTime,
    /// Time between waypoints, nanoseconds, not zero.
    pub step_ns: u32,
    /// The waypoints, in time order.
    pub waypoints: Waypoints,
}

impl Plan {
    /// When waypoint `index` is due.
    #[must_use]
    pub fn due(&self, index: usize) -> MonoTime {
        let offset = u64::from(self.step_ns).saturating_mul(index as u64);
        MonoTime(self.start.0.saturating_add(offset))
    }

    /// When the last waypoint is due: past it the plan has run out.
    #[must_use]
    pub fn end(&self) -> MonoTime {
        self.due(self.waypoints.len().saturating_sub(1))
    }
}
