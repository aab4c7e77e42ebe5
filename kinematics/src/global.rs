//! Joints for a pose, from anywhere: the global solve.
//!
//! Owns the search: which starting points are tried in which order, how long, and what is answered
//! when none leads there. The way down from a starting point is `descent`'s, the starting points are
//! `atlas`'s, and what counts as there is the task's.
//!
//! Real time: [`Solver::solve`] allocates nothing, and evaluates the chain at most
//! [`Options::evaluations`] times.

mod atlas;
mod descent;
mod sequence;
mod structure;

use std::f64::consts::TAU;

use atlas::{Atlas, Gathered, windows};
use descent::{Budget, Ended, Problem};
use sequence::Sequence;
pub use structure::{Bound, Exact};

use crate::chain::{Chain, Motion};
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
            evaluations: 320,
            branches: 6,
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

/// Position counts this much more than orientation once not both are had.
const POSITION_FIRST: f64 = 100.0;
/// How many of the descents that stalled are remembered.
const NEAREST: usize = 8;
/// Azimuths that are tried where it means little.
const AROUND: u32 = 24;
/// How often starting points from anywhere are drawn, once those nearby are used up.
const ROUNDS: u32 = 400;
/// How many beginnings and ends of descents are remembered.
const KNOWN: usize = 64;
/// Evaluations for each of them, when it is gone on from.
const GOING_ON: u32 = 40;
/// The share of the cost that a step of it has to gain.
const WORTHWHILE: f64 = 0.02;
/// Evaluations kept for the best effort, of 8.
const KEPT_EIGHTHS: u32 = 2;

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
        let Options { tolerance, aim, .. } = &options;
        for tolerance in [tolerance, aim].map(|it| it.position.min(it.angle)) {
            let can_be_met = tolerance > 0.0;
            if !can_be_met {
                return Err(SetupError::Tolerance(tolerance));
            }
        }
        let reach = chain.reach(limits);
        // Half the reach: a radian moves the tool about that far.
        let length = (0.5 * reach).max(1e-6);
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
        let mut search = Search {
            solver: self,
            problem: Problem {
                chain: &self.chain,
                lower: &self.limits.lower,
                upper: &self.limits.upper,
                rows: self.rows,
                target,
                tolerance: self.options.aim,
                length: self.length,
            },
            reference,
            budget: Budget {
                left: self.options.evaluations,
            },
            solved: None,
            nearest: [None; NEAREST],
            known: [[0.0; N]; KNOWN],
            known_len: 0,
            wanted: if reference.is_some() {
                self.options.branches.max(1)
            } else {
                1
            },
        };
        Ok(search.run())
    }
}

/// One solve under way.
struct Search<'a, const N: usize> {
    solver: &'a Solver<N>,
    problem: Problem<'a, N>,
    reference: Option<&'a [f64; N]>,
    budget: Budget,
    /// The solution nearest to the reference, and how near.
    solved: Option<(Ended<N>, f64)>,
    /// Where no solution was found yet: what came nearest to one, nearest first.
    nearest: [Option<Ended<N>>; NEAREST],
    /// How many more solutions to look for.
    wanted: u32,
    /// Where descents began and ended.
    known: [[f64; N]; KNOWN],
    known_len: usize,
}

impl<const N: usize> Search<'_, N> {
    fn run(&mut self) -> Answer<N> {
        let solver = self.solver;
        let kept = solver.options.evaluations / 8 * KEPT_EIGHTHS;
        self.search(kept);
        self.take_stalled();
        if let Some((ended, _)) = self.solved {
            return self.answer(&ended, None);
        }
        let ended = self.best_effort();
        let unreached = self.why(&ended);
        self.answer(&ended, unreached)
    }

    /// Tries starting points until enough solutions are found or only `kept` evaluations are left.
    fn search(&mut self, kept: u32) {
        if let Some(reference) = self.reference {
            self.attempt(self.solver.limits.clamp(reference), 2);
        }
        if let Some(atlas) = &self.solver.atlas {
            let seen = atlas.see(self.problem.target);
            let mut gathered = Gathered::none();
            atlas.gather(&seen, &mut gathered);
            self.try_all(atlas, &seen, &mut gathered, kept, 8);
            if self.done(kept) {
                return;
            }
            if atlas.is_near_axis(&seen) {
                for step in 1..AROUND {
                    let by = f64::from(step) * TAU / f64::from(AROUND);
                    let seen = atlas.see_turned(self.problem.target, by);
                    gathered = Gathered::none();
                    atlas.gather(&seen, &mut gathered);
                    self.try_all(atlas, &seen, &mut gathered, kept, 2);
                }
            }
            gathered = Gathered::none();
            atlas.gather_around(&seen, &mut gathered);
            self.try_all(atlas, &seen, &mut gathered, kept, 16);
            self.go_on(kept);
            self.take_stalled();
            for round in 0..ROUNDS {
                if self.done(kept) {
                    return;
                }
                gathered = Gathered::none();
                atlas.draw(&seen, round, &mut gathered);
                self.try_all(atlas, &seen, &mut gathered, kept, 1);
            }
        }
        let mut sequence = Sequence::<N>::new(self.solver.options.seed, N);
        while !self.done(kept) {
            let point = sequence.next();
            let mut joints = [0.0; N];
            for i in 0..N {
                let [lower, upper] = self.solver.windows[i];
                joints[i] = lower + (upper - lower) * point[i];
            }
            self.attempt(joints, 4);
        }
    }

    /// Whether a descent that stalled is a solution nevertheless: at a singularity the last digits
    /// take long.
    fn take_stalled(&mut self) {
        for i in 0..NEAREST {
            if self.solved.is_none()
                && let Some(nearest) = self.nearest[i]
                && nearest.residual.within(&self.solver.options.tolerance)
            {
                self.found(nearest);
            }
        }
    }

    fn done(&self, kept: u32) -> bool {
        // Looking for more than one, half of what finding one may cost is enough.
        let kept = if self.solved.is_some() {
            self.solver.options.evaluations / 4 * 3
        } else {
            kept
        };
        self.wanted == 0 || self.budget.left <= kept
    }

    /// Tries up to `most` of the candidates, nearest first.
    fn try_all(
        &mut self,
        atlas: &Atlas<N>,
        seen: &atlas::Seen,
        gathered: &mut Gathered,
        kept: u32,
        most: u32,
    ) {
        let mut tried = 0;
        while tried < most
            && !self.done(kept)
            && let Some(candidate) = gathered.take_nearest()
        {
            let Some(start) = atlas.start(&candidate, seen) else {
                continue;
            };
            let Some(start) = self.brought_inside(&start) else {
                continue;
            };
            if self.is_known(&start) {
                continue;
            }
            tried += 1;
            self.attempt(start, 1);
        }
    }

    /// `joints` with whole turns taken or added where that brings them inside the limits; none when
    /// one stays far outside.
    fn brought_inside(&self, joints: &[f64; N]) -> Option<[f64; N]> {
        const FAR: f64 = 0.3;
        let Limits { lower, upper, .. } = &self.solver.limits;
        let mut inside = *joints;
        for i in 0..N {
            let joint = &mut inside[i];
            if *joint > upper[i] {
                *joint -= TAU;
                if *joint < lower[i] && upper[i] - (*joint + TAU) > *joint - lower[i] {
                    *joint += TAU;
                }
            } else if *joint < lower[i] {
                *joint += TAU;
                if *joint > upper[i] && (*joint - TAU) - lower[i] > upper[i] - *joint {
                    *joint -= TAU;
                }
            }
            if *joint > upper[i] + FAR || *joint < lower[i] - FAR {
                return None;
            }
            *joint = joint.max(lower[i]).min(upper[i]);
        }
        Some(inside)
    }

    /// Whether a descent began or ended near `joints` already.
    fn is_known(&self, joints: &[f64; N]) -> bool {
        const NEAR: f64 = 0.4;
        let known = self.known.get(..self.known_len).unwrap_or(&[]);
        known.iter().any(|known| self.problem.distance(known, joints) < NEAR)
    }

    fn know(&mut self, joints: [f64; N]) {
        if let Some(slot) = self.known.get_mut(self.known_len) {
            *slot = joints;
            self.known_len += 1;
        }
    }

    fn attempt(&mut self, start: [f64; N], patience: u32) {
        let Some(ended) = self.problem.reach(start, patience, &mut self.budget) else {
            return;
        };
        self.know(start);
        self.know(ended.joints);
        if !ended.settled {
            self.remember(ended);
            return;
        }
        self.found(ended);
    }

    /// Keeps a descent that stalled among the nearest.
    fn remember(&mut self, ended: Ended<N>) {
        let mut ended = Some(ended);
        for slot in &mut self.nearest {
            let nearer = match (&ended, &*slot) {
                (Some(ended), Some(slot)) => ended.cost < slot.cost,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if nearer {
                std::mem::swap(slot, &mut ended);
            }
        }
    }

    /// Goes on from the nearest with damped steps, for where Newton's lead astray: at the border of
    /// what is reachable, in the corners of the limits.
    fn go_on(&mut self, kept: u32) {
        for i in 0..NEAREST {
            if self.done(kept) {
                return;
            }
            let Some(nearest) = self.nearest[i] else {
                return;
            };
            let mut budget = Budget {
                left: GOING_ON.min(self.budget.left - kept),
            };
            let given = budget.left;
            let ended = self.problem.settle(nearest.joints, WORTHWHILE, &mut budget);
            self.budget.left -= given - budget.left;
            if let Some(ended) = ended
                && ended.residual.within(&self.problem.tolerance)
            {
                self.found(ended);
            } else if let Some(ended) = ended {
                self.nearest[i] = Some(ended);
            }
        }
    }

    fn found(&mut self, ended: Ended<N>) {
        self.wanted = self.wanted.saturating_sub(1);
        let mut ended = ended;
        let mut distance = 0.0;
        if let Some(reference) = self.reference {
            self.turn_toward(reference, &mut ended.joints);
            distance = self.problem.distance(reference, &ended.joints);
        }
        if self.solved.as_ref().is_none_or(|(_, nearest)| distance < *nearest) {
            self.solved = Some((ended, distance));
        }
    }

    /// Adds whole turns to what turns, where that comes nearer to `reference` inside the limits.
    fn turn_toward(&self, reference: &[f64; N], joints: &mut [f64; N]) {
        if !self.solver.chain.is_plain() {
            return;
        }
        let Limits { lower, upper, .. } = &self.solver.limits;
        for (i, motion) in self.solver.chain.motions().iter().enumerate() {
            if *motion != Motion::Turning || upper[i] - lower[i] < TAU {
                continue;
            }
            let mut turns = ((reference[i] - joints[i]) / TAU).round();
            while joints[i] + turns * TAU > upper[i] {
                turns -= 1.0;
            }
            while joints[i] + turns * TAU < lower[i] {
                turns += 1.0;
            }
            joints[i] += turns * TAU;
        }
    }

    /// The nearest that the arm comes, position before orientation.
    fn best_effort(&mut self) -> Ended<N> {
        let solver = self.solver;
        let start = self.nearest[0].map_or_else(
            || solver.windows.map(|[lower, upper]| 0.5 * (lower + upper)),
            |nearest| nearest.joints,
        );
        let problem = Problem {
            rows: solver.rows.position_first(POSITION_FIRST),
            ..self.problem
        };
        problem
            .settle(start, 1e-9, &mut self.budget)
            .unwrap_or_else(|| Ended {
                joints: start,
                residual: Residual {
                    position: f64::INFINITY,
                    angle: std::f64::consts::PI,
                },
                cost: f64::INFINITY,
                settled: false,
                held: [false; N],
            })
    }

    fn why(&self, ended: &Ended<N>) -> Option<Unreached> {
        let tolerance = &self.solver.options.tolerance;
        if ended.residual.within(tolerance) {
            return None;
        }
        let first = self.solver.chain.first().translation;
        let away = (self.problem.target.translation - first).norm();
        Some(if away > self.solver.reach {
            Unreached::OutOfReach
        } else if !ended.settled {
            Unreached::Iterations
        } else if ended.held.contains(&true) {
            Unreached::Limits
        } else if ended.residual.position > tolerance.position.max(1e-4) {
            Unreached::OutOfReach
        } else {
            Unreached::Orientation
        })
    }

    fn answer(&self, ended: &Ended<N>, unreached: Option<Unreached>) -> Answer<N> {
        Answer {
            joints: ended.joints,
            residual: ended.residual,
            iterations: self.solver.options.evaluations - self.budget.left,
            unreached,
            exact: self.solver.exact,
        }
    }
}
