//! What an arm can be jogged along: its joints one by one, and its tool as far as it can be led.
//!
//! Owns what each axis is of a pose and how fast it may go. Never plans: that is the stroke's.

use nalgebra::{Quaternion, Rotation3, Unit, UnitQuaternion, Vector3};

use crate::arm::ArmModel;
use crate::arm::tool::{gripper_of, tool_of};
use crate::messages::{MAX_WAYPOINTS, ToolPose, ToolSetpoint, Waypoints};
use crate::units::{JointVec, Rad};

/// No point of the arm goes faster, metres a second: what standards call reduced speed.
pub(super) const REDUCED: f64 = 0.25;
/// A joint goes at most at this share of its limit, so that the guard's limiter keeps room.
const JOINT_SHARE: f64 = 0.5;
/// The tool turns at most so fast, radians a second, and gains and loses speed so.
const TURN: f64 = 0.5;
const TURN_GAIN: f64 = 2.0;
/// The tool point gains and loses speed so, metres a second squared.
const ALONG_GAIN: f64 = 0.5;
/// A joint is led no nearer to its limit, radians.
const BEFORE_LIMIT: f64 = 0.002;

/// One way to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Joint of this index, the rest standing.
    Joint(usize),
    /// The tool point along x, y or z of the base.
    Along(usize),
    /// The tool's tilt in the arm's plane.
    Tilt,
    /// The tool about its approach axis.
    Roll,
    /// The tool about its own x, y or z.
    Turn(usize),
}

/// What the joints' table and the tool's are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// The joints.
    Joints,
    /// The tool.
    Tool,
}

/// How fast an axis goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Radians or metres a second.
    pub(super) speed: f64,
    /// And a second squared.
    pub(super) gain: f64,
}

/// The arm's axes.
#[derive(Debug, Clone)]
pub(super) struct Axes {
    pub(super) model: ArmModel,
    tool: Vec<Axis>,
}

impl Axes {
    pub(super) fn of(model: ArmModel) -> Axes {
        let mut tool: Vec<Axis> = (0..3).map(Axis::Along).collect();
        let joints = model.chain_joints().len();
        match model.plane() {
            // Only an arm that can be turned at will is asked to turn at will.
            _ if joints >= 6 => tool.extend((0..3).map(Axis::Turn)),
            // What such an arm does exactly: yaw follows from where the tool is.
            Some(_) if joints == 5 => tool.extend([Axis::Tilt, Axis::Roll]),
            Some(_) if joints == 4 => tool.push(Axis::Tilt),
            Some(_) | None => {}
        }
        tool.extend(model.gripper().map(Axis::Joint));
        Axes { model, tool }
    }

    /// The axes of one table.
    pub(super) fn table(&self, table: Table) -> Vec<Axis> {
        match table {
            Table::Joints => (0..self.model.len()).map(Axis::Joint).collect(),
            Table::Tool => self.tool.clone(),
        }
    }

    /// What a person calls it.
    pub(super) fn name(&self, axis: Axis) -> &str {
        match axis {
            Axis::Joint(joint) => self.model.names().get(joint).map_or("?", String::as_str),
            Axis::Along(0) => "x",
            Axis::Along(1) => "y",
            Axis::Along(_) => "z",
            Axis::Tilt => "tilt",
            Axis::Roll => "roll",
            Axis::Turn(0) => "about its x",
            Axis::Turn(1) => "about its y",
            Axis::Turn(_) => "about its z",
        }
    }

    /// How fast `axis` goes at its fastest from a pose: slower where a point of the arm would
    /// be faster than [`REDUCED`].
    pub(super) fn pace(&self, axis: Axis, from: &JointVec<Rad>) -> Pace {
        match axis {
            Axis::Joint(joint) => {
                let limits = self.model.limits().get(joint).unwrap_or_default();
                let by_limit = JOINT_SHARE * limits.velocity.0;
                Pace {
                    speed: by_limit.min(REDUCED / self.lever(joint, from)),
                    gain: JOINT_SHARE * limits.acceleration.0,
                }
            }
            Axis::Along(_) => Pace {
                speed: REDUCED,
                gain: ALONG_GAIN,
            },
            Axis::Tilt | Axis::Roll | Axis::Turn(_) => Pace {
                speed: TURN,
                gain: TURN_GAIN,
            },
        }
    }

    /// How far from a joint's axis the farthest joint beyond it, or the tool point, is: while that
    /// joint alone turns, this does not change. Zero for a gripper.
    fn lever(&self, joint: usize, from: &JointVec<Rad>) -> f64 {
        let pose = self.model.forward(from);
        let Some(index) = self.model.chain_joints().iter().position(|it| *it == joint) else {
            return 0.0;
        };
        let Some((direction, point)) = pose.axes().nth(index) else {
            return 0.0;
        };
        let beyond = pose.axes().skip(index + 1).map(|(_, point)| *point);
        beyond
            .chain([pose.tool.translation])
            .map(|it| direction.cross(&(it - point)).norm())
            .fold(0.0, f64::max)
    }

    /// How far `axis` may go from a pose, in its direction; infinite where only the guard knows.
    pub(super) fn room(&self, axis: Axis, direction: f64, from: &JointVec<Rad>) -> f64 {
        let Axis::Joint(joint) = axis else {
            return f64::INFINITY;
        };
        let limits = self.model.limits().get(joint).unwrap_or_default();
        let at = from.get(joint).unwrap_or_default().0;
        let room = if direction > 0.0 {
            limits.upper.0 - at
        } else {
            at - limits.lower.0
        };
        (room - BEFORE_LIMIT).max(0.0)
    }

    /// Where `axis` is in a pose; `None` of what has no number of its own.
    pub(super) fn at(&self, axis: Axis, joints: &JointVec<Rad>) -> Option<f64> {
        match axis {
            Axis::Joint(joint) => joints.get(joint).map(|at| at.0),
            Axis::Along(index) => {
                let tool = self.model.chain().tool(&self.model.chain_of(joints));
                tool.translation.get(index).copied()
            }
            Axis::Tilt => tool_of(&self.model, joints).map(|tool| tool.tilt),
            Axis::Roll => tool_of(&self.model, joints).map(|tool| tool.roll),
            Axis::Turn(_) => None,
        }
    }

    /// How far `joints` are from `from` along `axis`; `None` of what has no number of its own.
    pub(super) fn gone(
        &self,
        axis: Axis,
        from: &JointVec<Rad>,
        joints: &JointVec<Rad>,
    ) -> Option<f64> {
        let gone = self.at(axis, joints)? - self.at(axis, from)?;
        Some(match axis {
            // These two lie in −π…π.
            Axis::Tilt | Axis::Roll => gone.sin().atan2(gone.cos()),
            Axis::Joint(_) | Axis::Along(_) | Axis::Turn(_) => gone,
        })
    }

    /// The waypoints at these distances from `from` along `axis`.
    pub(super) fn waypoints(&self, axis: Axis, from: &JointVec<Rad>, ways: &[f64]) -> Waypoints {
        let ways = ways.iter().take(MAX_WAYPOINTS);
        match axis {
            Axis::Joint(joint) => Waypoints::Joint(
                ways.map(|way| {
                    let mut point = *from;
                    if let Some(at) = point.as_mut_slice().get_mut(joint) {
                        at.0 += way;
                    }
                    point
                })
                .collect(),
            ),
            Axis::Along(_) | Axis::Tilt | Axis::Roll | Axis::Turn(_) => {
                self.of_tool(axis, from, ways)
            }
        }
    }

    fn of_tool<'a>(
        &self,
        axis: Axis,
        from: &JointVec<Rad>,
        ways: impl Iterator<Item = &'a f64>,
    ) -> Waypoints {
        let along = |position: &mut [f64; 3], way: f64| {
            if let Axis::Along(index) = axis
                && let Some(at) = position.get_mut(index)
            {
                *at += way;
            }
        };
        let by_plane = self.model.chain_joints().len() < 6;
        match tool_of(&self.model, from).filter(|_| by_plane) {
            Some(begin) => Waypoints::Tool(
                ways.map(|way| {
                    let mut point: ToolSetpoint = begin;
                    along(&mut point.position, *way);
                    match axis {
                        Axis::Tilt => point.tilt += way,
                        Axis::Roll => point.roll += way,
                        Axis::Joint(_) | Axis::Along(_) | Axis::Turn(_) => {}
                    }
                    point
                })
                .collect(),
            ),
            None => {
                let tool = self.model.chain().tool(&self.model.chain_of(from));
                let rotation = Rotation3::from_matrix_unchecked(tool.rotation);
                let begin = UnitQuaternion::from_rotation_matrix(&rotation);
                let gripper = gripper_of(&self.model, from);
                Waypoints::Pose(
                    ways.map(|way| {
                        let mut position = tool.translation.into();
                        along(&mut position, *way);
                        let turned = match axis {
                            Axis::Turn(index) => begin * about(index, *way),
                            Axis::Joint(_) | Axis::Along(_) | Axis::Tilt | Axis::Roll => begin,
                        };
                        let turned: Quaternion<f64> = turned.into_inner();
                        ToolPose {
                            position,
                            quaternion: turned.coords.into(),
                            gripper,
                        }
                    })
                    .collect(),
                )
            }
        }
    }
}

fn about(index: usize, angle: f64) -> UnitQuaternion<f64> {
    let axis = Vector3::from_fn(|row, _| if row == index { 1.0 } else { 0.0 });
    UnitQuaternion::from_axis_angle(&Unit::new_unchecked(axis), angle)
}
