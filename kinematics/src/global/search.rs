//! One global solve: the order in which starting points are tried, and when to stop.
//!
//! Owns the budget and what was found so far. Never touches the tool but through `descent`.
//!
//! Real time: nothing here allocates, and every loop ends with the budget.

mod effort;
mod stalled;

use std::f64::consts::TAU;

use super::atlas::{Atlas, Gathered, Seen};
use super::descent::{Budget, Ended, Problem};
use super::sequence::Sequence;
use super::{Answer, Solver, Unreached};
use crate::chain::Motion;
use crate::frame::Frame;
use crate::model::Limits;
use stalled::Stalled;

/// How many of the descents that stalled are remembered.
const NEAREST: usize = 16;
/// Azimuths that are tried where it means little.
const AROUND: u32 = 8;
/// Most candidates that are looked at together, of those nearby and of those from anywhere.
const NEARBY: usize = 48;
const ANYWHERE: usize = 6;
/// How often starting points from anywhere are drawn, once those nearby are used up.
const ROUNDS: u32 = 400;
/// Most turns that an endless joint is said to have made: beyond, its angle loses digits.
const MOST_TURNS: f64 = 1e4;
/// A start nearer than this to a beginning or an end is no other, radians.
const KNOWN_NEAR: f64 = 0.4;
/// A solution nearer than this to one is the same.
const AGAIN: f64 = 0.02;
/// A solution nearer than this to the reference leaves no better to look for.
const ENOUGH: f64 = 0.25;
/// How many beginnings and ends of descents are remembered.
const KNOWN: usize = 64;
/// How many of those that came nearest by position.
const FOREMOST: usize = 6;
/// The cost below which one is gone on from before starting points farther off are tried, and how many.
const PROMISING: f64 = 1e-4;
const AT_FIRST: usize = 2;
/// Evaluations kept for the best effort, of 8.
const KEPT_EIGHTHS: u32 = 1;
/// The same for an arm that cannot take every pose.
const KEPT_EIGHTHS_BOUND: u32 = 4;

/// One solve under way.
pub(super) struct Search<'a, const N: usize> {
    solver: &'a Solver<N>,
    problem: Problem<'a, N>,
    reference: Option<&'a [f64; N]>,
    budget: Budget,
    /// The solution nearest to the reference, and how near.
    solved: Option<(Ended<N>, f64)>,
    /// Where no solution was found yet: what came nearest to one, nearest first.
    nearest: [Option<Stalled<N>>; NEAREST],
    /// The same by the position first.
    foremost: [Option<Ended<N>>; FOREMOST],
    /// How many more solutions to look for.
    wanted: u32,
    /// Where descents began and ended.
    known: [[f64; N]; KNOWN],
    known_len: usize,
}

impl<'a, const N: usize> Search<'a, N> {
    pub(super) fn new(
        solver: &'a Solver<N>,
        target: &'a Frame,
        reference: Option<&'a [f64; N]>,
    ) -> Search<'a, N> {
        Search {
            solver,
            problem: Problem {
                chain: &solver.chain,
                lower: &solver.limits.lower,
                upper: &solver.limits.upper,
                rows: solver.rows,
                target,
                tolerance: solver.options.aim,
                length: solver.length,
            },
            reference,
            budget: Budget {
                left: solver.options.evaluations,
            },
            solved: None,
            nearest: [None; NEAREST],
            foremost: [None; FOREMOST],
            known: [[0.0; N]; KNOWN],
            known_len: 0,
            wanted: match reference {
                Some(_) => solver.options.branches.max(1),
                None => 1,
            },
        }
    }

    pub(super) fn run(mut self) -> Answer<N> {
        let solver = self.solver;
        // An arm that cannot take any pose is not asked long for one.
        let eighths = if solver.exact.is_whole_pose() {
            KEPT_EIGHTHS
        } else {
            KEPT_EIGHTHS_BOUND
        };
        let kept = solver.options.evaluations / 8 * eighths;
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
            let mut gathered = Gathered::<NEARBY>::none();
            atlas.gather(&seen, &mut gathered);
            let most = if self.reference.is_some() { 24 } else { 8 };
            self.try_all(atlas, &seen, &mut gathered, kept, most);
            if self.done(kept) {
                return;
            }
            self.go_on(kept, AT_FIRST, PROMISING);
            gathered = Gathered::none();
            atlas.gather_around(&seen, &mut gathered);
            self.try_all(atlas, &seen, &mut gathered, kept, 16);
            let near_axis = atlas.is_near_axis(&seen);
            if near_axis {
                for step in 1..AROUND {
                    let by = f64::from(step) * TAU / f64::from(AROUND);
                    let seen = atlas.see_turned(self.problem.target, by);
                    gathered = Gathered::none();
                    atlas.gather(&seen, &mut gathered);
                    self.try_all(atlas, &seen, &mut gathered, kept, 2);
                }
            }
            self.go_on(kept, NEAREST, f64::INFINITY);
            self.take_stalled();
            let mut sequence = Sequence::<N>::new(self.solver.options.seed, N);
            for round in 0..atlas.rounds().min(ROUNDS) {
                if self.done(kept) {
                    return;
                }
                self.look_beside(round, &mut sequence);
                let mut gathered = Gathered::<ANYWHERE>::none();
                let seen = if near_axis {
                    // Steps by the golden ratio come everywhere.
                    let by = (0.618_034 * f64::from(round + 1)).fract() * TAU;
                    atlas.see_turned(self.problem.target, by)
                } else {
                    seen
                };
                atlas.draw(&seen, round, &mut gathered);
                self.try_all(atlas, &seen, &mut gathered, kept, 1);
                self.go_on(kept, 1, PROMISING);
            }
        }
        let mut sequence = Sequence::<N>::new(self.solver.options.seed, N);
        while !self.done(kept) {
            let joints = self.drawn(&mut sequence);
            self.attempt(joints, 4);
        }
    }

    /// Whether a descent that stalled is a solution nevertheless: at a singularity the last digits
    /// take long.
    fn take_stalled(&mut self) {
        for i in 0..NEAREST {
            if self.solved.is_none()
                && let Some(Stalled { ended, .. }) = self.nearest[i]
                && ended.residual.within(&self.solver.options.tolerance)
            {
                self.found(ended);
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
    fn try_all<const M: usize>(
        &mut self,
        atlas: &Atlas<N>,
        seen: &Seen,
        gathered: &mut Gathered<M>,
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
        self.is_within(joints, KNOWN_NEAR)
    }

    /// Whether one began or ended less than `near` from `joints`.
    fn is_within(&self, joints: &[f64; N], near: f64) -> bool {
        let known = self.known.get(..self.known_len).unwrap_or(&[]);
        known
            .iter()
            .any(|known| self.problem.distance(known, joints) < near)
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
        let again = self.solved.is_some() && self.is_within(&ended.joints, AGAIN);
        self.know(start);
        self.know(ended.joints);
        if !ended.settled {
            self.remember(ended);
        } else if !again {
            self.found(ended);
        }
    }

    /// Keeps a descent that stalled among the nearest, and among the foremost.
    fn remember(&mut self, ended: Ended<N>) {
        self.remember_nearest(Stalled {
            ended,
            is_last: false,
        });
        let length = self.problem.length;
        keep(&mut self.foremost, ended, |ended| {
            ended.position_first(length)
        });
    }

    fn found(&mut self, ended: Ended<N>) {
        self.wanted = self.wanted.saturating_sub(1);
        let mut ended = ended;
        let mut distance = 0.0;
        if let Some(reference) = self.reference {
            self.turn_toward(reference, &mut ended.joints);
            distance = self.problem.distance(reference, &ended.joints);
        }
        if distance < ENOUGH {
            self.wanted = 0;
        }
        let nearest = self.solved.as_ref().map(|(_, nearest)| *nearest);
        if nearest.is_none_or(|nearest| distance < nearest) {
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
            let most = ((upper[i] - joints[i]) / TAU).floor();
            let least = ((lower[i] - joints[i]) / TAU).ceil();
            let turns = ((reference[i] - joints[i]) / TAU).round();
            let turns = turns.max(least.max(-MOST_TURNS)).min(most.min(MOST_TURNS));
            joints[i] += turns * TAU;
        }
    }

    /// The next of evenly drawn joints.
    fn drawn(&self, sequence: &mut Sequence<N>) -> [f64; N] {
        let point = sequence.next();
        let mut joints = [0.0; N];
        for i in 0..N {
            let [lower, upper] = self.solver.windows[i];
            joints[i] = lower + (upper - lower) * point[i];
        }
        joints
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

/// Keeps the least of what there was and `ended`, least first.
fn keep<T, const M: usize>(slots: &mut [Option<T>; M], ended: T, measure: impl Fn(&T) -> f64) {
    let mut ended = ended;
    for slot in slots {
        match slot {
            None => {
                *slot = Some(ended);
                return;
            }
            Some(kept) if measure(&ended) < measure(kept) => std::mem::swap(kept, &mut ended),
            Some(_) => {}
        }
    }
}
