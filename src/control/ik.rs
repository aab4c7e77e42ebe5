//! Inverse kinematics for a tool setpoint: what inverts [`tool_of`](crate::arm::tool::tool_of).
//!
//! Owns the task of an arm that moves in one vertical plane turned by its first joint: the tool
//! point exactly, then tilt and roll; the yaw follows. Bounded damped least squares with the
//! analytic Jacobian. Never limits speed: that is the limiter's.
//!
//! Real time: no allocation, lock, log or clock; the number of iterations is bounded.

use std::f64::consts::{PI, TAU};

use nalgebra::{SMatrix, SVector, Vector3};

use crate::arm::ArmModel;
use crate::arm::tool::{Attitude, pan};
use crate::messages::ToolSetpoint;
use crate::units::{JointVec, MAX_JOINTS, Rad};

/// One way of searching.
struct Stage {
    /// One metre of position error weighs as much as this many radians of tilt or roll.
    metre: f64,
    /// Most iterations.
    iterations: u32,
    /// Whether a step that makes it worse is taken back and tried again shorter. Right where an
    /// error remains (undamped steps swing about the optimum); where none does, it only delays.
    downhill: bool,
}

/// Towards the whole setpoint.
const WHOLE: Stage = Stage {
    metre: 10.0,
    iterations: 30,
    downhill: false,
};
/// Where the whole can't be reached: the position first.
const POSITION_FIRST: Stage = Stage {
    metre: 1000.0,
    iterations: 20,
    downhill: true,
};
/// Good enough, metres and radians.
const TOLERANCE: f64 = 1e-7;
/// Largest step of a joint in one iteration, radians.
const LARGEST_STEP: f64 = 0.5;
/// Damping per squared weighted error.
const DAMPING: f64 = 0.05;
/// A step downhill eases the damping by this, one uphill raises it by its square.
const EASE: f64 = 3.0;
/// Damping that is always there: keeps the equations solvable at a singularity.
const LEAST_DAMPING: f64 = 1e-12;
/// Iterations without progress before it gives up.
const STALLS: u32 = 4;

type Error5 = SVector<f64, 5>;
type Jacobian5 = SMatrix<f64, 5, MAX_JOINTS>;

/// The joints nearest to a setpoint, and what is left between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solution {
    /// All joints in the arm's order, the gripper as the setpoint has it.
    pub joints: JointVec<Rad>,
    /// Distance of the tool point, metres.
    pub position_error: f64,
    /// Remaining tilt, radians, not negative.
    pub tilt_error: f64,
    /// Remaining roll, radians, not negative.
    pub roll_error: f64,
    /// Iterations taken.
    pub iterations: u32,
}

impl Solution {
    /// Whether the remaining errors are within these bounds (metres, radians).
    #[must_use]
    pub fn within(&self, metres: f64, radians: f64) -> bool {
        self.position_error <= metres && self.tilt_error.max(self.roll_error) <= radians
    }
}

/// The joints near `seed` that put the tool at `target`; where that can't be, the nearest
/// position, and then the nearest tilt and roll.
#[must_use]
pub fn solve(model: &ArmModel, target: &ToolSetpoint, seed: &JointVec<Rad>) -> Solution {
    let from = model.chain_of(seed);
    let mut search = Search::new(model, target, &from);
    search.run(&WHOLE);
    if !search.done() {
        // From the seed again: tick after tick the same compromise is found beside the last.
        search = Search::new(model, target, &from);
        search.run(&POSITION_FIRST);
    }
    search.solution(seed)
}

/// As [`solve`], from `seed` and then from up to `restarts` other configurations until one
/// reaches `target`; else the best. For questions of reach, not for the tick: the answer may be
/// far from `seed`.
#[must_use]
pub fn solve_from_anywhere(
    model: &ArmModel,
    target: &ToolSetpoint,
    seed: &JointVec<Rad>,
    restarts: u32,
) -> Solution {
    let mut best = solve(model, target, seed);
    let limits = model.chain_limits();
    for restart in 1..=restarts {
        if best.within(10.0 * TOLERANCE, 10.0 * TOLERANCE) {
            break;
        }
        let angles = limits.iter().zip(BASES).map(|(limits, base)| {
            let share = van_der_corput(restart, base);
            limits.lower.0 + share * (limits.upper.0 - limits.lower.0)
        });
        let from = model.with_chain(seed, &angles.collect());
        let mut other = solve(model, target, &from);
        other.iterations += best.iterations;
        if merit(&other) < merit(&best) {
            best = other;
        } else {
            best.iterations = other.iterations;
        }
    }
    best
}

/// Bases of the sequence that restarts are drawn from: one for each joint.
const BASES: [u32; MAX_JOINTS] = [2, 3, 5, 7, 11, 13, 17, 19];

/// The `index`-th number of the van der Corput sequence: spreads evenly over 0…1.
fn van_der_corput(mut index: u32, base: u32) -> f64 {
    let (mut value, mut share) = (0.0, 1.0);
    while index > 0 {
        share /= f64::from(base);
        value += share * f64::from(index % base);
        index /= base;
    }
    value
}

/// How bad a solution is, the position first.
fn merit(solution: &Solution) -> f64 {
    let angles = solution.tilt_error.hypot(solution.roll_error);
    (solution.position_error * POSITION_FIRST.metre).hypot(angles)
}

/// Turns an angle into −π…π.
fn wrap(angle: f64) -> f64 {
    angle - TAU * ((angle + PI) / TAU).floor()
}

/// One search from one configuration.
struct Search<'a> {
    model: &'a ArmModel,
    target: &'a ToolSetpoint,
    angles: JointVec<f64>,
    iterations: u32,
    best: JointVec<f64>,
    best_error: Error5,
}

impl<'a> Search<'a> {
    fn new(model: &'a ArmModel, target: &'a ToolSetpoint, from: &JointVec<f64>) -> Search<'a> {
        let angles = from.zip_with(&model.chain_limits(), |angle, limits| {
            angle.max(limits.lower.0).min(limits.upper.0)
        });
        Search {
            model,
            target,
            angles,
            iterations: 0,
            best: angles,
            best_error: Error5::repeat(f64::INFINITY),
        }
    }

    fn done(&self) -> bool {
        self.best_error.amax() <= TOLERANCE
    }

    fn run(&mut self, stage: &Stage) {
        let metre = stage.metre;
        let weights = Error5::new(metre, metre, metre, 1.0, 1.0);
        let (mut least, mut stalls, mut caution) = (f64::INFINITY, 0, 1.0);
        let mut at_best = (Error5::zeros(), Jacobian5::zeros());
        for _ in 0..stage.iterations {
            let (error, mut jacobian) = self.linearise();
            let mut weighted = error.component_mul(&weights);
            for (mut row, weight) in jacobian.row_iter_mut().zip(weights.iter()) {
                row *= *weight;
            }
            let size = weighted.norm();
            stalls = if size < 0.99 * least { 0 } else { stalls + 1 };
            if size < least {
                least = size;
                self.best = self.angles;
                self.best_error = error;
                at_best = (weighted, jacobian);
                caution = f64::max(caution / EASE, 1.0);
            } else if stage.downhill {
                self.angles = self.best;
                (weighted, jacobian) = at_best;
                caution *= EASE * EASE;
            }
            if self.done() || stalls >= STALLS {
                return;
            }
            self.step(&weighted, jacobian, caution);
            self.iterations += 1;
        }
    }

    /// What is missing to the target, and how the joints change the tool.
    fn linearise(&self) -> (Error5, Jacobian5) {
        let pose = self.model.chain().forward(&self.angles);
        let attitude = Attitude::of(self.model, &pose, pan(&self.angles));
        let [x, y, z] = self.target.position;
        let way = Vector3::new(x, y, z) - pose.tool.translation;
        let error = Error5::new(
            way.x,
            way.y,
            way.z,
            wrap(self.target.tilt - attitude.tilt),
            wrap(self.target.roll - attitude.roll),
        );
        let mut jacobian = Jacobian5::zeros();
        let columns = jacobian.column_iter_mut().zip(pose.axes());
        for (joint, (mut column, (axis, origin))) in columns.enumerate() {
            let linear = axis.cross(&(pose.tool.translation - origin));
            // The plane turns with the first joint, and tilt and roll are measured in it.
            let (tilt, roll) = if joint == 0 {
                (0.0, 0.0)
            } else {
                attitude.rates(axis)
            };
            column.copy_from(&Error5::new(linear.x, linear.y, linear.z, tilt, roll));
        }
        (error, jacobian)
    }

    /// One step, damped `caution` times as much as usual; joints at a bound that it pushes outward are held there.
    fn step(&mut self, error: &Error5, mut jacobian: Jacobian5, caution: f64) {
        let damping = caution * DAMPING * error.norm_squared() + LEAST_DAMPING;
        let limits = self.model.chain_limits();
        let mut step = SVector::<f64, MAX_JOINTS>::zeros();
        for _ in 0..MAX_JOINTS {
            let normal =
                jacobian * jacobian.transpose() + SMatrix::<f64, 5, 5>::identity() * damping;
            let Some(factors) = normal.cholesky() else {
                return;
            };
            step = jacobian.transpose() * factors.solve(error);
            let mut held = false;
            let columns = jacobian.column_iter_mut().zip(step.iter());
            for ((mut column, step), (angle, limits)) in
                columns.zip(self.angles.iter().zip(&limits))
            {
                let outward = (*step > 0.0 && *angle >= limits.upper.0)
                    || (*step < 0.0 && *angle <= limits.lower.0);
                if outward {
                    column.fill(0.0);
                    held = true;
                }
            }
            if !held {
                break;
            }
        }
        let share = (LARGEST_STEP / step.amax()).min(1.0);
        for ((angle, step), limits) in self.angles.iter_mut().zip(step.iter()).zip(&limits) {
            *angle = (*angle + share * step)
                .max(limits.lower.0)
                .min(limits.upper.0);
        }
    }

    fn solution(&self, seed: &JointVec<Rad>) -> Solution {
        let mut joints = self.model.with_chain(seed, &self.best);
        if let Some(gripper) = self.model.gripper()
            && let Some(slot) = joints.as_mut_slice().get_mut(gripper)
        {
            *slot = Rad(self.target.gripper);
        }
        Solution {
            joints,
            position_error: self.best_error.fixed_rows::<3>(0).norm(),
            tilt_error: self.best_error.w.abs(),
            roll_error: self.best_error.a.abs(),
            iterations: self.iterations,
        }
    }
}

#[cfg(test)]
#[path = "ik_tests.rs"]
mod tests;
