//! The arm's kinematic chain for as many joints as this arm has.
//!
//! Owns the step from a number of joints that the cell file says to the kinematics, whose sizes
//! are fixed when they are built: an enum with a variant a size, made and asked in one place.
//! Never solves anything.
//!
//! Real time: arithmetic only.

use nalgebra::Vector3;
use surehand_kinematics::{Chain, Frame, Joint};

use crate::units::{JointVec, MAX_JOINTS};

/// Declares an enum with a variant for each number of joints: of `$inner<1>` to `$inner<8>`.
macro_rules! of_any_size {
    ($(#[$doc:meta])* $visible:vis enum $name:ident($($inner:tt)+)) => {
        $(#[$doc])*
        $visible enum $name {
            /// One joint.
            One($($inner)+<1>),
            /// Two joints.
            Two($($inner)+<2>),
            /// Three joints.
            Three($($inner)+<3>),
            /// Four joints.
            Four($($inner)+<4>),
            /// Five joints.
            Five($($inner)+<5>),
            /// Six joints.
            Six($($inner)+<6>),
            /// Seven joints.
            Seven($($inner)+<7>),
            /// Eight joints.
            Eight($($inner)+<8>),
        }
    };
}

/// What `$body` makes of the value inside, whatever its size.
macro_rules! whatever_size {
    ($name:ident, $value:expr, $inner:ident => $body:expr) => {
        match $value {
            $name::One($inner) => $body,
            $name::Two($inner) => $body,
            $name::Three($inner) => $body,
            $name::Four($inner) => $body,
            $name::Five($inner) => $body,
            $name::Six($inner) => $body,
            $name::Seven($inner) => $body,
            $name::Eight($inner) => $body,
        }
    };
}

/// Another enum of the same size, of what `$body` makes of the value inside.
macro_rules! of_same_size {
    ($from:ident, $value:expr, $to:ident, $inner:ident => $body:expr) => {
        match $value {
            $from::One($inner) => $to::One($body),
            $from::Two($inner) => $to::Two($body),
            $from::Three($inner) => $to::Three($body),
            $from::Four($inner) => $to::Four($body),
            $from::Five($inner) => $to::Five($body),
            $from::Six($inner) => $to::Six($body),
            $from::Seven($inner) => $to::Seven($body),
            $from::Eight($inner) => $to::Eight($body),
        }
    };
}

pub(crate) use {of_any_size, of_same_size, whatever_size};

of_any_size! {
    /// The chain from the arm's base to its tool.
    #[derive(Debug, Clone, PartialEq)]
    pub enum ArmChain(Chain)
}

impl ArmChain {
    /// Of `joints`, base first, with the tool at `tip` in the last one's frame; `None` when there
    /// are none or more than [`MAX_JOINTS`].
    #[must_use]
    pub fn new(joints: &[Joint], tip: Frame) -> Option<ArmChain> {
        fn chain<const N: usize>(joints: &[Joint], tip: Frame) -> Option<Chain<N>> {
            Some(Chain::new(joints.try_into().ok()?, tip))
        }
        Some(match joints.len() {
            1 => ArmChain::One(chain(joints, tip)?),
            2 => ArmChain::Two(chain(joints, tip)?),
            3 => ArmChain::Three(chain(joints, tip)?),
            4 => ArmChain::Four(chain(joints, tip)?),
            5 => ArmChain::Five(chain(joints, tip)?),
            6 => ArmChain::Six(chain(joints, tip)?),
            7 => ArmChain::Seven(chain(joints, tip)?),
            8 => ArmChain::Eight(chain(joints, tip)?),
            _ => return None,
        })
    }

    /// The tool's pose at `angles` (radians, base first). Missing angles count as zero.
    #[must_use]
    pub fn tool(&self, angles: &JointVec<f64>) -> Frame {
        whatever_size!(ArmChain, self, chain => chain.pose(&array(angles)))
    }

    /// As [`ArmChain::tool`], with every joint's axis on the way.
    #[must_use]
    pub fn forward(&self, angles: &JointVec<f64>) -> ChainPose {
        fn of<const N: usize>(chain: &Chain<N>, angles: &JointVec<f64>) -> ChainPose {
            let axes = chain.axes(&array(angles));
            let mut pose = ChainPose {
                tool: axes.tool,
                axes: [Vector3::zeros(); MAX_JOINTS],
                origins: [Vector3::zeros(); MAX_JOINTS],
                len: N,
            };
            for (slot, axis) in pose.axes.iter_mut().zip(&axes.directions) {
                *slot = *axis;
            }
            for (slot, point) in pose.origins.iter_mut().zip(&axes.points) {
                *slot = *point;
            }
            pose
        }
        whatever_size!(ArmChain, self, chain => of(chain, angles))
    }
}

/// The first `N` values, zero where there are fewer.
#[must_use]
pub fn array<const N: usize>(values: &JointVec<f64>) -> [f64; N] {
    std::array::from_fn(|joint| values.get(joint).unwrap_or_default())
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
}
