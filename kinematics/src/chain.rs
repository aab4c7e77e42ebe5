//! A serial chain moved by exactly `N` variables: forward kinematics and geometric Jacobian.
//!
//! Owns the geometry and nothing else: no names, no limits. Fixed joints are folded into the next
//! moving one, and every joint's frame is turned so that it moves about, or along, its own z axis.

use nalgebra::{Matrix3, Rotation3, SMatrix, Unit, Vector3, Vector6};

use crate::frame::Frame;
use crate::model::MAX_JOINTS;

/// Velocity of the tool (linear above angular, base frame) by joint velocity.
pub type Jacobian<const N: usize> = SMatrix<f64, 6, N>;

/// How a joint moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Turns about its axis, radians: revolute and continuous joints.
    Turning,
    /// Slides along its axis, metres: prismatic joints.
    Sliding,
}

/// A moving joint as a URDF has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joint {
    /// The joint's frame at position 0, in the frame of the joint before (or the base).
    pub origin: Frame,
    /// The axis in the joint's own frame.
    pub axis: Unit<Vector3<f64>>,
    /// What its position does.
    pub motion: Motion,
}

/// Which position a joint takes: that of a variable of the chain, or one that follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Driver {
    /// Index of the variable, base first.
    pub variable: usize,
    /// What the variable is multiplied by; 1 for a joint of its own.
    pub multiplier: f64,
    /// What is added then, radians or metres.
    pub offset: f64,
}

/// A joint whose axis is the z axis of its frame.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stage {
    origin: Frame,
    motion: Motion,
}

/// Joints of which some follow others (mimic joints in a URDF).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coupled {
    stages: [(Stage, Driver); MAX_JOINTS],
    len: usize,
}

/// Joints in a row that `N` variables move, and the tool frame after the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chain<const N: usize> {
    stages: [Stage; N],
    /// In place of the stages where there are more joints than variables.
    coupled: Option<Coupled>,
    tip: Frame,
}

impl<const N: usize> Chain<N> {
    /// The chain of `joints`, base first, with the tool at `tip` in the last joint's frame.
    #[must_use]
    pub fn new(joints: &[Joint; N], tip: Frame) -> Chain<N> {
        let mut before = Matrix3::identity();
        let stages = joints.map(|joint| Stage::after(&mut before, &joint));
        Chain {
            stages,
            coupled: None,
            tip: seen_from(&before, &tip),
        }
    }

    /// As [`Chain::new`], of joints of which some follow others; `None` when there are more than
    /// [`MAX_JOINTS`], a driver names no variable, or a variable moves nothing.
    #[must_use]
    pub fn coupled(joints: &[(Joint, Driver)], tip: Frame) -> Option<Chain<N>> {
        let (first, driver) = joints.first()?;
        let mut before = Matrix3::identity();
        let mut stages = [(Stage::after(&mut before, first), *driver); MAX_JOINTS];
        before = Matrix3::identity();
        for (slot, (joint, driver)) in stages.get_mut(..joints.len())?.iter_mut().zip(joints) {
            *slot = (Stage::after(&mut before, joint), *driver);
        }
        let mut own = [None; N];
        for (stage, driver) in stages.get(..joints.len())? {
            own.get_mut(driver.variable)?.get_or_insert(*stage);
        }
        if own.iter().any(Option::is_none) {
            return None;
        }
        Some(Chain {
            stages: own.map(|stage| stage.unwrap_or(stages[0].0)),
            coupled: Some(Coupled {
                stages,
                len: joints.len(),
            }),
            tip: seen_from(&before, &tip),
        })
    }

    /// How the joint of each variable moves, base first.
    #[must_use]
    pub fn motions(&self) -> [Motion; N] {
        self.stages.map(|stage| stage.motion)
    }

    /// The tool's pose at positions `q` (radians or metres, base first).
    #[inline]
    #[must_use]
    pub fn pose(&self, q: &[f64; N]) -> Frame {
        self.linearise(q).tool
    }

    /// The tool's pose at positions `q` (radians or metres, base first), and how it moves with them.
    #[inline]
    #[must_use]
    pub fn linearise(&self, q: &[f64; N]) -> Linearised<N> {
        if let Some(coupled) = &self.coupled {
            return coupled.linearise(q, &self.tip);
        }
        let mut frame = Frame::IDENTITY;
        let mut axes = [Axis::default(); N];
        for ((stage, q), axis) in self.stages.iter().zip(q).zip(&mut axes) {
            *axis = stage.advance(&mut frame, *q);
        }
        let tool = frame.then(&self.tip);
        let mut jacobian = Jacobian::<N>::zeros();
        for (mut column, axis) in jacobian.column_iter_mut().zip(&axes) {
            column.copy_from(&axis.moves(&tool.translation));
        }
        Linearised { tool, jacobian }
    }
}

impl Coupled {
    fn linearise<const N: usize>(&self, q: &[f64; N], tip: &Frame) -> Linearised<N> {
        let mut frame = Frame::IDENTITY;
        let mut axes = [Axis::default(); MAX_JOINTS];
        let stages = self.stages.iter().take(self.len);
        for ((stage, driver), axis) in stages.clone().zip(&mut axes) {
            // The driver was checked to name a variable.
            let variable = q.get(driver.variable).copied().unwrap_or(0.0);
            *axis = stage.advance(&mut frame, driver.multiplier * variable + driver.offset);
        }
        let tool = frame.then(tip);
        let mut jacobian = Jacobian::<N>::zeros();
        for ((_, driver), axis) in stages.zip(&axes) {
            let mut column = jacobian.column_mut(driver.variable);
            column += axis.moves(&tool.translation) * driver.multiplier;
        }
        Linearised { tool, jacobian }
    }
}

impl Stage {
    /// `joint` in a frame whose z axis is its axis, after a joint that was turned by `before` for
    /// the same reason; leaves its own turn there.
    fn after(before: &mut Matrix3<f64>, joint: &Joint) -> Stage {
        let align = turn_z_to(&joint.axis);
        let mut origin = seen_from(before, &joint.origin);
        origin.rotation *= align;
        *before = align;
        Stage {
            origin,
            motion: joint.motion,
        }
    }

    /// Moves `frame` on to this joint at position `q`; its axis.
    #[inline]
    fn advance(&self, frame: &mut Frame, q: f64) -> Axis {
        *frame = frame.then(&self.origin);
        let direction = frame.rotation.column(2).into_owned();
        match self.motion {
            Motion::Turning => {
                let (sine, cosine) = q.sin_cos();
                let x = frame.rotation.column(0).into_owned();
                let y = frame.rotation.column(1).into_owned();
                frame.rotation.set_column(0, &(x * cosine + y * sine));
                frame.rotation.set_column(1, &(y * cosine - x * sine));
            }
            Motion::Sliding => frame.translation += direction * q,
        }
        Axis {
            direction,
            point: frame.translation,
            motion: self.motion,
        }
    }
}

/// A joint's axis in the base frame.
#[derive(Debug, Clone, Copy)]
struct Axis {
    direction: Vector3<f64>,
    point: Vector3<f64>,
    motion: Motion,
}

impl Default for Axis {
    fn default() -> Axis {
        Axis {
            direction: Vector3::zeros(),
            point: Vector3::zeros(),
            motion: Motion::Turning,
        }
    }
}

impl Axis {
    /// How a point at `tool` moves with the joint: a turning joint's column is
    /// `(axis × (tool − point), axis)`, a sliding one's `(axis, 0)`.
    #[inline]
    fn moves(&self, tool: &Vector3<f64>) -> Vector6<f64> {
        let (linear, angular) = match self.motion {
            Motion::Turning => (self.direction.cross(&(tool - self.point)), self.direction),
            Motion::Sliding => (self.direction, Vector3::zeros()),
        };
        Vector6::new(
            linear.x, linear.y, linear.z, angular.x, angular.y, angular.z,
        )
    }
}

/// Where the tool is, and how it moves with the joints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linearised<const N: usize> {
    /// The tool in the base frame.
    pub tool: Frame,
    /// The geometric Jacobian of the tool's origin.
    pub jacobian: Jacobian<N>,
}

/// `frame` in a parent that is turned by `turn`.
fn seen_from(turn: &Matrix3<f64>, frame: &Frame) -> Frame {
    Frame {
        rotation: turn.transpose() * frame.rotation,
        translation: turn.transpose() * frame.translation,
    }
}

/// A rotation whose z axis is `axis`.
fn turn_z_to(axis: &Unit<Vector3<f64>>) -> Matrix3<f64> {
    Rotation3::rotation_between(&Vector3::z(), axis)
        // Opposite to z there are many; this is one.
        .unwrap_or_else(|| Rotation3::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI))
        .into_inner()
}

#[cfg(test)]
mod tests;
