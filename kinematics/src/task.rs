//! What a solve is to achieve: which part of a pose counts, and how much.
//!
//! Owns the rows of the least-squares problem: the error of a tool against its target and the
//! Jacobian that goes with it. Never moves a joint.

use nalgebra::{Matrix3, Unit, Vector3};

use crate::chain::Linearised;
use crate::frame::{Frame, rotation_vector};

/// Which part of the target's pose the tool has to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Task {
    /// Position and orientation.
    Pose,
    /// Position alone; the tool may be turned as it likes.
    Position,
    /// Position, and an axis of the tool along the same axis of the target; the tool may be turned
    /// about it.
    PositionAndAxis {
        /// In the tool's frame, as in the target's.
        axis: Unit<Vector3<f64>>,
    },
    /// Every row of the error multiplied by a weight of its own; a row of weight 0 is free.
    Weighted {
        /// Of the error along x, y and z; not below 0.
        linear: [f64; 3],
        /// Of the error about x, y and z; not below 0.
        angular: [f64; 3],
        /// Whose x, y and z these are.
        axes: Axes,
    },
}

/// Whose axes a weight goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axes {
    /// The base link's.
    Base,
    /// The target's, as the tool's would be there.
    Tool,
}

/// How far a tool is from what its task asks; rows that are free do not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// Metres.
    pub position: f64,
    /// Radians, 0 to π.
    pub angle: f64,
}

impl Residual {
    /// Of a tool of which nothing is known.
    pub(crate) const WORST: Residual = Residual {
        position: f64::INFINITY,
        angle: std::f64::consts::PI,
    };

    /// Whether both parts are within those of `tolerance`.
    #[inline]
    #[must_use]
    pub fn within(&self, tolerance: &Residual) -> bool {
        self.position <= tolerance.position && self.angle <= tolerance.angle
    }
}

/// A task in numbers: what each row counts, with lengths made comparable with angles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rows {
    task: Task,
    /// Of linear rows, a metre: radians that count as much.
    scale: f64,
}

/// The least-squares problem at one configuration.
pub(crate) struct Local<const N: usize> {
    /// Weighted error: what the weighted columns have to make up.
    pub(crate) error: [f64; 6],
    /// Weighted Jacobian.
    pub(crate) columns: [[f64; 6]; N],
    /// Half the squared length of the error.
    pub(crate) cost: f64,
    /// In metres and radians.
    pub(crate) residual: Residual,
}

impl Task {
    /// Whether every number in it makes sense.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Task::Pose | Task::Position => true,
            Task::PositionAndAxis { axis } => (axis.norm() - 1.0).abs() < 1e-6,
            Task::Weighted {
                linear, angular, ..
            } => {
                let mut weights = linear.iter().chain(angular);
                weights
                    .clone()
                    .all(|weight| weight.is_finite() && *weight >= 0.0)
                    && weights.any(|weight| *weight > 0.0)
            }
        }
    }

    /// Whether no row of the orientation counts.
    pub(crate) fn is_free_to_turn(&self) -> bool {
        match self {
            Task::Position => true,
            Task::Weighted { angular, .. } => *angular == [0.0; 3],
            Task::Pose | Task::PositionAndAxis { .. } => false,
        }
    }
}

impl Rows {
    pub(crate) fn new(task: Task, scale: f64) -> Rows {
        Rows { task, scale }
    }

    /// The same with every metre counting `factor` times as much: position before orientation.
    pub(crate) fn position_first(&self, factor: f64) -> Rows {
        Rows {
            task: self.task,
            scale: self.scale * factor,
        }
    }

    /// The position part of a task whose position counts the same in all directions.
    pub(crate) fn position_alone(&self) -> Option<Rows> {
        match self.task {
            Task::Pose | Task::PositionAndAxis { .. } => Some(Rows {
                task: Task::Position,
                scale: self.scale,
            }),
            Task::Position | Task::Weighted { .. } => None,
        }
    }

    /// The error alone, weighted, and the residual.
    #[inline(always)]
    pub(crate) fn error(&self, tool: &Frame, target: &Frame) -> ([f64; 6], Residual) {
        let linear: [f64; 3] = (target.translation - tool.translation).into();
        let angular = match &self.task {
            Task::Pose => turn_to(tool, target),
            Task::Position => [0.0; 3],
            Task::PositionAndAxis { axis } => swing_to(tool, target, axis),
            Task::Weighted { .. } => turn_to(tool, target),
        };
        let [x, y, z] = linear;
        let [a, b, c] = angular;
        let s = self.scale;
        if let Task::Weighted {
            linear: by,
            angular: and,
            axes,
        } = &self.task
        {
            let linear = seen_along(axes, target, linear);
            let angular = seen_along(axes, target, angular);
            let counts = |error: [f64; 3], weights: &[f64; 3]| {
                let counted = error
                    .iter()
                    .zip(weights)
                    .filter(|(_, weight)| **weight > 0.0);
                counted.map(|(error, _)| error * error).sum::<f64>().sqrt()
            };
            let residual = Residual {
                position: counts(linear, by),
                angle: counts(angular, and),
            };
            let error = [
                linear[0] * by[0] * s,
                linear[1] * by[1] * s,
                linear[2] * by[2] * s,
                angular[0] * and[0],
                angular[1] * and[1],
                angular[2] * and[2],
            ];
            return (error, residual);
        }
        let residual = Residual {
            position: (x * x + y * y + z * z).sqrt(),
            angle: (a * a + b * b + c * c).sqrt(),
        };
        ([x * s, y * s, z * s, a, b, c], residual)
    }

    /// A motion of the tool by what it does to the rows.
    #[inline(always)]
    pub(crate) fn weigh<const N: usize>(
        &self,
        motion: [f64; 6],
        now: &Linearised<N>,
        target: &Frame,
    ) -> [f64; 6] {
        let [x, y, z, a, b, c] = motion;
        let s = self.scale;
        match &self.task {
            Task::Pose => [x * s, y * s, z * s, a, b, c],
            Task::Position => [x * s, y * s, z * s, 0.0, 0.0, 0.0],
            Task::PositionAndAxis { axis } => {
                // A turn about the axis itself changes nothing.
                let axis = now.tool.rotation * axis.as_ref();
                let along = a * axis.x + b * axis.y + c * axis.z;
                let [a, b, c] = [a - along * axis.x, b - along * axis.y, c - along * axis.z];
                [x * s, y * s, z * s, a, b, c]
            }
            Task::Weighted {
                linear,
                angular,
                axes,
            } => {
                let [x, y, z] = seen_along(axes, target, [x, y, z]);
                let [a, b, c] = seen_along(axes, target, [a, b, c]);
                [
                    x * linear[0] * s,
                    y * linear[1] * s,
                    z * linear[2] * s,
                    a * angular[0],
                    b * angular[1],
                    c * angular[2],
                ]
            }
        }
    }

    /// What a motion of the tool has to be multiplied by for its share along weighted `error`.
    pub(crate) fn pull(&self, error: &[f64; 6], target: &Frame) -> [f64; 6] {
        let [x, y, z, a, b, c] = *error;
        let s = self.scale;
        match &self.task {
            Task::Pose | Task::Position | Task::PositionAndAxis { .. } => {
                [x * s, y * s, z * s, a, b, c]
            }
            Task::Weighted {
                linear,
                angular,
                axes,
            } => {
                let back = |vector: [f64; 3]| match axes {
                    Axes::Base => vector,
                    Axes::Tool => (target.rotation * Vector3::from(vector)).into(),
                };
                let [x, y, z] = back([x * linear[0] * s, y * linear[1] * s, z * linear[2] * s]);
                let [a, b, c] = back([a * angular[0], b * angular[1], c * angular[2]]);
                [x, y, z, a, b, c]
            }
        }
    }

    /// The problem at a configuration with the given forward kinematics.
    #[inline(always)]
    pub(crate) fn at<const N: usize>(&self, now: &Linearised<N>, target: &Frame) -> Local<N> {
        let (error, residual) = self.error(&now.tool, target);
        let mut columns = now.jacobian.data.0;
        for column in &mut columns {
            *column = self.weigh(*column, now, target);
        }
        let cost = 0.5 * error.iter().map(|row| row * row).sum::<f64>();
        Local {
            error,
            columns,
            cost,
            residual,
        }
    }
}

/// `vector`, given in the base's axes, in those that are asked for.
#[inline(always)]
fn seen_along(axes: &Axes, target: &Frame, vector: [f64; 3]) -> [f64; 3] {
    match axes {
        Axes::Base => vector,
        Axes::Tool => target.rotation.tr_mul(&Vector3::from(vector)).into(),
    }
}

/// The rotation vector from `tool` to `target` in the base's axes.
#[inline(always)]
fn turn_to(tool: &Frame, target: &Frame) -> [f64; 3] {
    // target · toolᵀ is the sum over the three axes of target ⊗ tool: its antisymmetric part half
    // the sum of their cross products, its trace that of their scalar products.
    let [mut a, mut b, mut c, mut trace] = [0.0; 4];
    for i in 0..3 {
        let t = tool.rotation.column(i);
        let g = target.rotation.column(i);
        a += t[1] * g[2] - t[2] * g[1];
        b += t[2] * g[0] - t[0] * g[2];
        c += t[0] * g[1] - t[1] * g[0];
        trace += t[0] * g[0] + t[1] * g[1] + t[2] * g[2];
    }
    let cosine = 0.5 * (trace - 1.0);
    if cosine < 0.5 {
        return far_turn_to(tool, target);
    }
    let by = 0.5 * angle_by_sine(1.0 - cosine);
    [a * by, b * by, c * by]
}

#[inline(never)]
fn far_turn_to(tool: &Frame, target: &Frame) -> [f64; 3] {
    let between: Matrix3<f64> = target.rotation * tool.rotation.transpose();
    rotation_vector(&between).into()
}

/// An angle over its sine, of 1 − its cosine, up to 60°: the series of arccos(1 − u)/√(2u − u²),
/// whose terms grow by (k + 1)/(2k + 3); 2e-5 at the far end.
#[inline(always)]
fn angle_by_sine(u: f64) -> f64 {
    1.0 + u
        * (1.0 / 3.0
            + u * (2.0 / 15.0
                + u * (2.0 / 35.0
                    + u * (8.0 / 315.0
                        + u * (8.0 / 693.0 + u * (16.0 / 3003.0 + u * (16.0 / 6435.0)))))))
}

/// The smallest turn that brings `axis` of `tool` along that of `target`, in the base's axes.
#[inline(always)]
fn swing_to(tool: &Frame, target: &Frame, axis: &Unit<Vector3<f64>>) -> [f64; 3] {
    let now = tool.rotation * axis.as_ref();
    let then = target.rotation * axis.as_ref();
    let cross = now.cross(&then);
    let (sine, cosine) = (cross.norm(), now.dot(&then));
    if sine > 1e-9 {
        return (cross * (sine.atan2(cosine) / sine)).into();
    }
    if cosine > 0.0 {
        return cross.into();
    }
    // Opposite: any axis across does.
    let aside = if now.x.abs() < 0.7 {
        Vector3::x()
    } else {
        Vector3::y()
    };
    (now.cross(&aside).normalize() * std::f64::consts::PI).into()
}
