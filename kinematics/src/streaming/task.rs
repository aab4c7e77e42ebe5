//! What the tool is to do, as a least-squares problem over a small motion of the joints.
//!
//! Owns the weights of the rows and the damping. Never bounds anything.
//!
//! The way to a target, three rows of metres over three of radians, is weighted so that a
//! millimetre counts as a radian: an arm that can do only part of the six rows does the position
//! exactly (a whole radian that it cannot turn costs it about a micrometre) and the orientation as nearly
//! as is left. So an arm of five joints in one turning plane holds position, tilt and roll.
//!
//! **Damping.** Gauss and Newton leave out the second derivative of the way,
//! `C_ij = −e·(a_i × J_j)` for `i ≤ j` (a turning joint's column turns with the joints before it),
//! which decides where an error remains, above all with the arm stretched: without it a step is too
//! long by the ratio of error to bend and lands on the other branch. Each joint is damped by
//! `Σ_j |C_ij|`: by Gershgorin's theorem that is at least `C` in every direction, so that the step
//! never overshoots. Where the step is so short that the second order does not matter, there is
//! no such damping, and the target is followed without delay.

use nalgebra::{Vector3, Vector6};

use crate::chain::{Jacobian, Linearised};
use crate::frame::Frame;
use crate::streaming::programme::Programme;

/// What one metre weighs, in radians.
const METRE: f64 = 1000.0;
/// Damping that is always there, in the square of the weighted rows.
const LEAST: f64 = 1e-7;
/// Damping for each radian of orientation that is off, in the square of the rows.
const RADIAN: f64 = 0.5;
/// How hard joints that the task leaves free are drawn to the posture.
const POSTURE: f64 = 1e-5;
/// Where an error remains, the share of the way back to the posture that balances it: an arm that
/// reaches in vain stays bent by about this share of the bend it had, and so knows its branch.
/// It is less where the error is less than the second, metres.
const RESERVE: (f64, f64) = (0.002, 0.001);
/// Longest error that a step is made for, metres and radians.
const LONGEST: (f64, f64) = (0.3, 1.0);

/// Which rows count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Task {
    /// Position first, then orientation.
    #[default]
    Pose,
    /// The position alone.
    Position,
}

/// How far the tool is from where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Residual {
    /// Metres.
    pub position: f64,
    /// Radians; zero where the task leaves the orientation free.
    pub angle: f64,
}

impl Residual {
    /// No number says it.
    pub(crate) const BEYOND_RECKONING: Residual = Residual {
        position: f64::INFINITY,
        angle: f64::INFINITY,
    };

    /// Squared, as the rows are weighted.
    pub(crate) fn square(&self) -> f64 {
        (METRE * self.position).powi(2) + self.angle.powi(2)
    }
}

/// A step to make.
pub(crate) struct Wanted<const N: usize> {
    /// Its programme over the joints' motion.
    pub(crate) programme: Programme<N>,
    /// What it is to mend.
    pub(crate) residual: Residual,
    /// The same, as far as a step is made for it.
    linear: Vector3<f64>,
    angular: Vector3<f64>,
    task: Task,
}

impl<const N: usize> Wanted<N> {
    /// What is left after `step`, to first order.
    #[inline]
    pub(crate) fn left(&self, jacobian: &Jacobian<N>, step: &[f64; N]) -> Residual {
        let (mut linear, mut angular) = (self.linear, self.angular);
        for joint in 0..N {
            let c = column(jacobian, joint).map(|entry| entry * step[joint]);
            linear -= Vector3::new(c[0], c[1], c[2]);
            angular -= Vector3::new(c[3], c[4], c[5]);
        }
        Residual {
            position: linear.norm(),
            angle: match self.task {
                Task::Pose => angular.norm(),
                Task::Position => 0.0,
            },
        }
    }

    /// Damps for what remains, `bent` being the way (radians or metres) to where the arm was well
    /// bent: see the module.
    #[inline]
    pub(crate) fn damp(&mut self, jacobian: &Jacobian<N>, bent: &[f64; N]) {
        let damping = bend(jacobian, &self.linear);
        let reserve = RESERVE.0 * (self.residual.position / RESERVE.1).min(1.0);
        for joint in 0..N {
            let damping = METRE * METRE * damping[joint];
            self.programme.hessian[joint][joint] += damping;
            self.programme.linear[joint] += damping * reserve * bent[joint];
        }
    }
}

/// How far the tool gets beside where a motion `step` of the joints leads it to first order,
/// metres: half the second derivative, `Σ_j (Σ_{i<j} a_i w_i + ½ a_j w_j) × J_j w_j`.
#[inline]
pub(crate) fn beside<const N: usize>(jacobian: &Jacobian<N>, step: &[f64; N]) -> f64 {
    let (mut turned, mut beside) = (Vector3::zeros(), Vector3::zeros());
    for joint in 0..N {
        let c = column(jacobian, joint).map(|entry| entry * step[joint]);
        let turn = Vector3::new(c[3], c[4], c[5]);
        let moved = Vector3::new(c[0], c[1], c[2]);
        beside += (turned + turn * 0.5).cross(&moved);
        turned += turn;
    }
    beside.norm()
}

impl Task {
    /// The motion of the joints from where they are to `target`, with joints that are left free
    /// moving by `free`.
    #[inline]
    pub(crate) fn approach<const N: usize>(
        self,
        at: &Linearised<N>,
        target: &Frame,
        free: &[f64; N],
    ) -> Wanted<N> {
        let way = at.tool.way_to(target);
        let mut linear = Vector3::new(way[0], way[1], way[2]);
        let mut angular = Vector3::new(way[3], way[4], way[5]);
        if self == Task::Position {
            angular = Vector3::zeros();
        }
        let residual = Residual {
            position: linear.norm(),
            angle: angular.norm(),
        };
        linear *= (LONGEST.0 / residual.position.max(LONGEST.0)).min(1.0);
        angular *= (LONGEST.1 / residual.angle.max(LONGEST.1)).min(1.0);
        let mut programme = self.rows(&at.jacobian, &linear, &angular);
        let turning = RADIAN * angular.norm_squared();
        let drawn = self.draws(N);
        for joint in 0..N {
            programme.hessian[joint][joint] += turning + LEAST + drawn;
            programme.linear[joint] += drawn * free[joint];
        }
        Wanted {
            programme,
            residual,
            linear,
            angular,
            task: self,
        }
    }

    /// The rate of the joints that moves the tool by `tangent`, with joints that are left free
    /// moving by `free`.
    #[inline]
    pub(crate) fn tangent<const N: usize>(
        self,
        jacobian: &Jacobian<N>,
        tangent: &Vector6<f64>,
        free: &[f64; N],
    ) -> Programme<N> {
        let linear = Vector3::new(tangent[0], tangent[1], tangent[2]);
        let angular = Vector3::new(tangent[3], tangent[4], tangent[5]);
        let mut programme = self.rows(jacobian, &linear, &angular);
        let drawn = self.draws(N);
        for joint in 0..N {
            programme.hessian[joint][joint] += LEAST + drawn;
            programme.linear[joint] += drawn * free[joint];
        }
        programme
    }

    /// As [`Task::tangent`], damped as for the way covered in `ahead` seconds: see the module; `bent` is
    /// the way to where the arm was well bent.
    #[inline]
    pub(crate) fn led<const N: usize>(
        self,
        jacobian: &Jacobian<N>,
        twist: &Vector6<f64>,
        free: &[f64; N],
        bent: &[f64; N],
        ahead: f64,
    ) -> Programme<N> {
        let mut programme = self.tangent(jacobian, twist, free);
        let linear = Vector3::new(twist[0], twist[1], twist[2]) * ahead;
        let angular = Vector3::new(twist[3], twist[4], twist[5]) * ahead;
        let damping = bend(jacobian, &linear);
        let turning = RADIAN * angular.norm_squared();
        let reserve = RESERVE.0 * (linear.norm() / RESERVE.1).min(1.0) / ahead;
        for joint in 0..N {
            let damping = METRE * METRE * damping[joint];
            programme.hessian[joint][joint] += damping + turning;
            programme.linear[joint] += damping * reserve * bent[joint];
        }
        programme
    }

    /// The share of `twist` that joints moving at `rate` make: of its way, or of its turn where it has
    /// no way.
    pub(crate) fn share<const N: usize>(
        self,
        jacobian: &Jacobian<N>,
        twist: &Vector6<f64>,
        rate: &[f64; N],
    ) -> f64 {
        let rows = match (self, twist.fixed_rows::<3>(0).norm() > 0.0) {
            (_, true) => 0..3,
            (Task::Pose, false) => 3..6,
            (Task::Position, false) => return 1.0,
        };
        let (mut made, mut asked) = (0.0, 0.0);
        for row in rows {
            let moves: f64 = (0..N).map(|it| jacobian[(row, it)] * rate[it]).sum();
            made += moves * twist[row];
            asked += twist[row] * twist[row];
        }
        if asked > 0.0 { made / asked } else { 1.0 }
    }

    /// How hard the posture draws: not at all where the task takes every joint.
    fn draws(self, joints: usize) -> f64 {
        let rows = match self {
            Task::Pose => 6,
            Task::Position => 3,
        };
        if joints > rows { POSTURE } else { 0.0 }
    }

    /// `JᵀW²J` and `JᵀW²b`.
    #[inline]
    fn rows<const N: usize>(
        self,
        jacobian: &Jacobian<N>,
        linear: &Vector3<f64>,
        angular: &Vector3<f64>,
    ) -> Programme<N> {
        let metre = METRE * METRE;
        let radian = match self {
            Task::Pose => 1.0,
            Task::Position => 0.0,
        };
        let mut programme = Programme {
            hessian: [[0.0; N]; N],
            linear: [0.0; N],
        };
        for i in 0..N {
            let c = column(jacobian, i);
            let c = [
                c[0] * metre,
                c[1] * metre,
                c[2] * metre,
                c[3] * radian,
                c[4] * radian,
                c[5] * radian,
            ];
            for j in 0..=i {
                let d = column(jacobian, j);
                programme.hessian[i][j] = c[0] * d[0]
                    + c[1] * d[1]
                    + c[2] * d[2]
                    + (c[3] * d[3] + c[4] * d[4] + c[5] * d[5]);
            }
            programme.linear[i] = c[0] * linear.x
                + c[1] * linear.y
                + c[2] * linear.z
                + (c[3] * angular.x + c[4] * angular.y + c[5] * angular.z);
        }
        programme
    }
}

#[inline]
fn column<const N: usize>(jacobian: &Jacobian<N>, joint: usize) -> [f64; 6] {
    let c = jacobian.column(joint);
    [c[0], c[1], c[2], c[3], c[4], c[5]]
}

/// `Σ_j |e·(a_i × J_j)|` of each joint: see the module.
#[inline]
fn bend<const N: usize>(jacobian: &Jacobian<N>, error: &Vector3<f64>) -> [f64; N] {
    let mut bend = [0.0; N];
    for i in 0..N {
        let c = column(jacobian, i);
        let lever = error.cross(&Vector3::new(c[3], c[4], c[5]));
        for j in i..N {
            let d = column(jacobian, j);
            let second = (lever.x * d[0] + lever.y * d[1] + lever.z * d[2]).abs();
            bend[i] += second;
            if j != i {
                bend[j] += second;
            }
        }
    }
    bend
}
