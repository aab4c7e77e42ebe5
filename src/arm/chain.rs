//! The serial chain from the arm's base to its tool: forward kinematics and Jacobian.
//!
//! Owns the geometry and nothing else: no names, no limits. Fixed size and allocation-free, so
//! the real-time tick may use it. Fixed joints of the URDF are folded into the next movable one.

use nalgebra::{Matrix3, Rotation3, SMatrix, Unit, Vector3};

use crate::units::{JointVec, MAX_JOINTS};

/// Velocity of the tip (linear above angular, base frame) by chain joint; columns beyond the
/// chain's joints are zero.
pub type Jacobian = SMatrix<f64, 6, MAX_JOINTS>;

/// A frame fixed in another: `parent_from_child`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Columns are the child's axes in the parent.
    pub rotation: Matrix3<f64>,
    /// The child's origin in the parent, metres.
    pub translation: Vector3<f64>,
}

impl Frame {
    /// The parent itself.
    pub const IDENTITY: Frame = Frame {
        rotation: Matrix3::new(1., 0., 0., 0., 1., 0., 0., 0., 1.),
        translation: Vector3::new(0., 0., 0.),
    };

    /// `parent_from_child · child_from_grandchild`.
    #[must_use]
    pub fn then(&self, next: &Frame) -> Frame {
        Frame {
            rotation: self.rotation * next.rotation,
            translation: self.translation + self.rotation * next.translation,
        }
    }
}

/// A revolute joint: where it sits in the link before it, and the axis it turns about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainJoint {
    /// The joint's frame in the frame of the joint before (or the base).
    pub origin: Frame,
    /// The axis in the joint's own frame.
    pub axis: Unit<Vector3<f64>>,
}

/// Revolute joints in a row, and the tool frame after the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chain {
    joints: [ChainJoint; MAX_JOINTS],
    len: usize,
    tip: Frame,
}

impl Chain {
    /// A chain of `joints`, base first, with the tool at `tip` in the last joint's frame; `None`
    /// when there are none or more than [`MAX_JOINTS`].
    #[must_use]
    pub fn new(joints: &[ChainJoint], tip: Frame) -> Option<Chain> {
        let first = joints.first()?;
        let mut padded = [*first; MAX_JOINTS];
        padded.get_mut(..joints.len())?.copy_from_slice(joints);
        Some(Chain {
            joints: padded,
            len: joints.len(),
            tip,
        })
    }

    /// How many joints it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: a chain has a joint.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The joints, base first.
    pub fn joints(&self) -> impl Iterator<Item = &ChainJoint> {
        self.joints.iter().take(self.len)
    }

    /// The tool's pose at `angles` (radians, base first), with what the Jacobian needs. Missing
    /// angles count as zero.
    #[must_use]
    pub fn forward(&self, angles: &JointVec<f64>) -> ChainPose {
        let mut frame = Frame::IDENTITY;
        let mut pose = ChainPose {
            tool: Frame::IDENTITY,
            axes: [Vector3::zeros(); MAX_JOINTS],
            origins: [Vector3::zeros(); MAX_JOINTS],
            len: self.len,
        };
        let slots = pose.axes.iter_mut().zip(pose.origins.iter_mut());
        let angles = angles.iter().copied().chain(std::iter::repeat(0.0));
        for ((joint, angle), (axis, origin)) in self.joints().zip(angles).zip(slots) {
            frame = frame.then(&joint.origin);
            *axis = frame.rotation * joint.axis.into_inner();
            *origin = frame.translation;
            frame.rotation *= Rotation3::from_axis_angle(&joint.axis, angle).into_inner();
        }
        pose.tool = frame.then(&self.tip);
        pose
    }
}

/// Where the tool is, and every joint's axis on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainPose {
    /// The tool in the base frame.
    pub tool: Frame,
    axes: [Vector3<f64>; MAX_JOINTS],
    origins: [Vector3<f64>; MAX_JOINTS],
    len: usize,
}

impl ChainPose {
    /// Each joint's axis direction and a point on it, base frame, base first.
    pub fn axes(&self) -> impl Iterator<Item = (&Vector3<f64>, &Vector3<f64>)> {
        self.axes.iter().zip(self.origins.iter()).take(self.len)
    }

    /// The geometric Jacobian of the tool point.
    #[must_use]
    pub fn jacobian(&self) -> Jacobian {
        let mut jacobian = Jacobian::zeros();
        for (mut column, (axis, origin)) in jacobian.column_iter_mut().zip(self.axes()) {
            let linear = axis.cross(&(self.tool.translation - origin));
            column.fixed_rows_mut::<3>(0).copy_from(&linear);
            column.fixed_rows_mut::<3>(3).copy_from(axis);
        }
        jacobian
    }
}
