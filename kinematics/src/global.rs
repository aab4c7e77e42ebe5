//! Joints for a pose, from anywhere: the global solve.
//!
//! Owns what is asked and what is answered. Which starting points are tried in which order is
//! `search`'s, the way down from one `descent`'s, the points are `atlas`'s, and what counts as there
//! is the task's.
//!
//! Real time: [`Solver::solve`] allocates nothing, and evaluates the chain at most
//! [`Options::evaluations`] times.

mod atlas;
mod descent;
mod search;
mod sequence;
mod structure;

use atlas::Atlas;
pub(crate) use atlas::windows;
use search::Search;
pub(crate) use sequence::Sequence;
pub use structure::{Bound, Exact};

use crate::chain::Chain;
use crate::frame::Frame;
use crate::model::{Limits, Model};
use crate::task::{Residual, Rows, Task};

/// How a solver is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// What counts as solved.
    pub tolerance: Residual,
    /// What a solution is brought to where no singularity is in the way; not above the tolerance.
    pub aim: Residual,
    /// How many starting points are kept; 0 for a solver that needs no memory and has a longer tail.
    /// Each takes 40 + 4 `N` bytes.
    pub starts: usize,
    /// Most evaluations of forward kinematics and Jacobian in a solve.
    pub evaluations: u32,
    /// With a reference: how many solutions are looked for, of which the nearest is answered.
    pub branches: u32,
    /// Of the starting points.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            tolerance: Residual {
                position: 1e-5,
                angle: 1e-4,
            },
            aim: Residual {
                position: 1e-6,
                angle: 1e-6,
            },
            starts: 1 << 16,
            evaluations: 272,
            branches: 8,
            seed: 1,
        }
    }
}

/// Why there is no solver.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SetupError {
    /// A joint's limits are no range.
    #[error("joint {joint} (of 1 to {of}) has the limits {lower} to {upper}; give lower < upper")]
    Limits {
        /// Counted from 1, base first.
        joint: usize,
        /// How many there are.
        of: usize,
        /// As given.
        lower: f64,
        /// As given.
        upper: f64,
    },
    /// A weight is no number or below 0, all are 0, or an axis has no length.
    #[error("the task has a weight below 0 or none above it, or an axis of no length; correct it")]
    Task,
    /// A tolerance is not above 0.
    #[error("a tolerance of {0} cannot be met; give one above 0")]
    Tolerance(f64),
}

/// Why a target was not tried.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InputError {
    /// The target has a number that is not finite, or a rotation that is none.
    #[error("the target is no pose: a number is not finite, or the rotation is none")]
    Target,
    /// The reference has a number that is not finite.
    #[error("joint {joint} of the reference is not finite; give the joints that the arm has")]
    Reference {
        /// Counted from 1, base first.
        joint: usize,
    },
}

/// Why a target is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// The position is farther from the first joint than the arm is long.
    #[error("the position is out of reach")]
    OutOfReach,
    /// Joints at their limits keep the tool from it.
    #[error("joint limits are in the way")]
    Limits,
    /// The position is reached, the orientation is not, and no limit is in the way.
    #[error("the position is reached, but not in this orientation")]
    Orientation,
    /// Neither found nor shown to be out of reach within [`Options::evaluations`].
    #[error("not found within the iterations")]
    Iterations,
}

/// What a solve found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer<const N: usize> {
    /// Inside the limits; where the target is not met the nearest found, position before orientation.
    pub joints: [f64; N],
    /// How far the tool is from the target there.
    pub residual: Residual,
    /// Evaluations of forward kinematics and Jacobian.
    pub iterations: u32,
    /// `None` when the residual is within the tolerance.
    pub unreached: Option<Unreached>,
    /// What the arm can do of the task for any target within its reach.
    pub exact: Exact,
}

/// Solves one task for one arm.
#[derive(Debug, Clone)]
pub struct Solver<const N: usize> {
    chain: Chain<N>,
    limits: Limits<N>,
    windows: [[f64; 2]; N],
    rows: Rows,
    options: Options,
    exact: Exact,
    /// Farthest that the tool gets from the first joint.
    reach: f64,
    length: f64,
    atlas: Option<Atlas<N>>,
}

impl<const N: usize> Solver<N> {
    /// A solver of `task` for the arm of `model`. Takes tens of milliseconds for the starting points.
    ///
    /// # Errors
    /// Limits that are no range, a task without sense, a tolerance that cannot be met.
    pub fn new(model: &Model<N>, task: Task, options: Options) -> Result<Solver<N>, SetupError> {
        let Model { chain, limits, .. } = model;
        for (i, (lower, upper)) in limits.lower.iter().zip(&limits.upper).enumerate() {
            let is_range = lower < upper;
            if !is_range {
                return Err(SetupError::Limits {
                    joint: i + 1,
                    of: N,
                    lower: *lower,
                    upper: *upper,
                });
            }
        }
        if !task.is_sound() {
            return Err(SetupError::Task);
        }
        for Residual { position, angle } in [options.tolerance, options.aim] {
            for tolerance in [position, angle] {
                let can_be_met = tolerance > 0.0;
                if !can_be_met {
                    return Err(SetupError::Tolerance(tolerance));
                }
            }
        }
        let reach = chain.reach(limits);
        // Half the reach: a radian moves the tool about that far.
        let length = if reach.is_finite() {
            (0.5 * reach).max(1e-6)
        } else {
            1.0
        };
        let scale = 1.0 / length;
        let atlas = (options.starts > 0)
            .then(|| Atlas::new(chain, limits, &task, scale, options.starts, options.seed));
        Ok(Solver {
            chain: *chain,
            limits: *limits,
            windows: windows(chain, limits, length),
            rows: Rows::new(task, scale),
            options,
            exact: Exact::of(chain, &windows(chain, limits, length), length),
            reach,
            length,
            atlas,
        })
    }

    /// What the arm can do of a pose for any target within its reach.
    #[must_use]
    pub fn exact(&self) -> Exact {
        self.exact
    }

    /// Joints that bring the tool to `target`; with a `reference`, of those found the nearest to it
    /// in joint space, by the largest difference, turns of 2π considered.
    ///
    /// # Errors
    /// A target or a reference that is none. That a target is out of reach is in the answer.
    pub fn solve(
        &self,
        target: &Frame,
        reference: Option<&[f64; N]>,
    ) -> Result<Answer<N>, InputError> {
        if !target.is_sound() {
            return Err(InputError::Target);
        }
        if let Some(reference) = reference
            && let Some(joint) = reference.iter().position(|joint| !joint.is_finite())
        {
            return Err(InputError::Reference { joint: joint + 1 });
        }
        Ok(Search::new(self, target, reference).run())
    }
}
