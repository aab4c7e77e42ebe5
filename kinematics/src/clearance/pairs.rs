//! Which capsules and obstacles are watched against each other.
//!
//! Owns the choice, made once by trying the joints' whole range: the same points for the same arm, and
//! from the nearest of them downhill, so that no near miss hides between points.

use super::{Clearance, Pair, Part};
use crate::chain::Motion;
use crate::global::{Sequence, windows};
use crate::model::Model;

/// Joints this near to each other are in one place, metres.
const ONE_PLACE: f64 = 1e-3;
/// Configurations that are tried.
const SAMPLES: u32 = 2000;
/// Links that touch in a larger share of them touch by design; a link and an obstacle in such a one.
const BY_DESIGN: f64 = 0.5;
const ALWAYS: f64 = 0.9999;
/// Of these, the nearest that are gone on from, and steps from each.
const DOWNHILL: usize = 4;
const STEPS: u32 = 60;
/// Pairs that come only this near beyond what is asked are watched all the same: the way down ends
/// before the bottom, metres.
const SLACK: f64 = 0.01;

/// Why a pair is not watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// The two links are joined to each other, or are one.
    Neighbours,
    /// They touch by design, or what stands for them is too thick to tell: in this share of the
    /// joints' range.
    Touching(f64),
    /// They never come nearer than this, metres.
    Apart(f64),
}

/// A pair that is not watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeftOut {
    /// Which two.
    pub pair: Pair,
    /// Why.
    pub reason: Reason,
}

/// What trying has shown of a pair.
#[derive(Debug, Clone, Copy)]
struct Tried<const N: usize> {
    pair: Pair,
    touching: u32,
    nearest: [(f64, [f64; N]); DOWNHILL],
}

impl<const N: usize> Clearance<N> {
    /// Chooses the pairs, of which those that never come nearer than `nearest` are left out.
    pub(super) fn choose(&mut self, model: &Model<N>, nearest: f64) {
        let mut tried = Vec::new();
        for pair in self.candidates(&model.chain.spans(&model.limits)) {
            tried.push(Tried {
                pair,
                touching: 0,
                nearest: [(f64::INFINITY, [0.0; N]); DOWNHILL],
            });
        }
        let length = model.chain.reach(&model.limits);
        let length = if length.is_finite() { length } else { 1.0 };
        let windows = windows(&model.chain, &model.limits, length);
        let mut sequence = Sequence::<N>::new(1, N);
        for _ in 0..SAMPLES {
            let point = sequence.next();
            let q = std::array::from_fn(|i| {
                let [lower, upper] = windows[i];
                lower + (upper - lower) * point[i]
            });
            let placed = self.place(&q);
            for tried in &mut tried {
                if let Some(near) = self.measure(&placed, tried.pair, f64::INFINITY) {
                    tried.see(near.distance, &q);
                }
            }
        }
        for tried in tried {
            let share = f64::from(tried.touching) / f64::from(SAMPLES);
            let by_design = match tried.pair {
                Pair::Links(..) => BY_DESIGN,
                // Of a wall the arm may well have most of its reach on the other side.
                Pair::World(..) => ALWAYS,
            };
            if share > by_design {
                self.leave_out(tried.pair, Reason::Touching(share));
                continue;
            }
            let least = (tried.nearest.iter())
                .map(|(distance, q)| {
                    self.downhill(tried.pair, *distance, q, &windows, nearest + SLACK)
                })
                .fold(f64::INFINITY, f64::min);
            if least > nearest + SLACK {
                self.leave_out(tried.pair, Reason::Apart(least));
            } else {
                self.pairs.push(tried.pair);
            }
        }
    }

    fn leave_out(&mut self, pair: Pair, reason: Reason) {
        self.left_out.push(LeftOut { pair, reason });
    }

    /// Every pair that can move against each other, but neighbours.
    fn candidates(&mut self, spans: &[f64]) -> Vec<Pair> {
        let mut candidates = Vec::new();
        for (a, one) in self.parts.iter().enumerate() {
            for (b, other) in self.parts.iter().enumerate().skip(a + 1) {
                let pair = Pair::Links(a, b);
                let (from, to) = (one.body.min(other.body), one.body.max(other.body));
                if self.are_joined(from, to, spans) {
                    if from != to {
                        self.left_out.push(LeftOut {
                            pair,
                            reason: Reason::Neighbours,
                        });
                    }
                } else {
                    candidates.push(pair);
                }
            }
            // What stands with the base can't be moved away from anything.
            for obstacle in (0..self.obstacles.len()).filter(|_| one.body > 0) {
                candidates.push(Pair::World(a, obstacle));
            }
        }
        candidates
    }

    /// Whether two bodies hang on one joint, or on several in one place with nothing between them.
    fn are_joined(&self, from: usize, to: usize, spans: &[f64]) -> bool {
        let between = self.parts.iter().map(|part| part.body);
        let bare = !between.clone().any(|body| body > from && body < to);
        let apart: f64 = (from + 1..to)
            .map(|joint| spans.get(joint).copied().unwrap_or(0.0))
            .sum();
        to - from <= 1 || (bare && apart < ONE_PLACE)
    }

    /// The least distance that is found from `q`, no longer looked for once it is below `enough`.
    fn downhill(
        &self,
        pair: Pair,
        distance: f64,
        q: &[f64; N],
        windows: &[[f64; 2]; N],
        enough: f64,
    ) -> f64 {
        let (mut least, mut q, mut stride) = (distance, *q, 0.1_f64);
        for _ in 0..STEPS {
            if least <= enough {
                break;
            }
            let Some(near) = self.measure(&self.place(&q), pair, f64::INFINITY) else {
                break;
            };
            let steepest = near.gradient.iter().map(|it| it * it).sum::<f64>().sqrt();
            if steepest < 1e-9 {
                break;
            }
            // No farther than where it would touch.
            let length = stride.min((near.distance - enough).max(1e-4) / steepest);
            let mut next = q;
            for i in 0..N {
                let [lower, upper] = windows[i];
                let step = length * near.gradient[i] / steepest;
                next[i] = (q[i] - step).max(lower).min(upper);
            }
            let then = self.measure(&self.place(&next), pair, f64::INFINITY);
            match then {
                Some(then) if then.distance < least => {
                    least = then.distance;
                    q = next;
                }
                _ => stride *= 0.5,
            }
        }
        least
    }
}

impl<const N: usize> Tried<N> {
    fn see(&mut self, distance: f64, q: &[f64; N]) {
        if distance < 0.0 {
            self.touching += 1;
        }
        let mut candidate = (distance, *q);
        for slot in &mut self.nearest {
            if candidate.0 < slot.0 {
                std::mem::swap(slot, &mut candidate);
            }
        }
    }
}

/// Of each variable the most that it changes the distance of `pair` by: the farthest that a point of
/// either can be from the joint, whichever of the two is less, as either may be taken to stand.
pub(super) fn levers<const N: usize>(model: &Model<N>, parts: &[Part], pair: Pair) -> [f64; N] {
    let chain = &model.chain;
    let places = chain.places(&[0.0; N]);
    let spans = chain.spans(&model.limits);
    let part = |index: usize| parts.get(index);
    let far = |part: &Part| part.capsule.from.norm().max(part.capsule.to.norm());
    let (base, moved) = match pair {
        Pair::World(a, _) => (None, part(a)),
        Pair::Links(a, b) => match (part(a), part(b)) {
            (Some(one), Some(other)) if one.body > other.body => (Some(other), Some(one)),
            both => both,
        },
    };
    let mut levers = [0.0; N];
    let Some(moved) = moved else {
        return levers;
    };
    let from = base.map_or(0, |base| base.body);
    let way = |joints: std::ops::Range<usize>| -> f64 {
        joints.map(|it| spans.get(it).copied().unwrap_or(0.0)).sum()
    };
    for (joint, moves) in places.moves().iter().enumerate() {
        if joint < from || joint >= moved.body {
            continue;
        }
        let lever = match (moves.motion, base) {
            (Motion::Sliding, _) => 1.0,
            (Motion::Turning, None) => way(joint + 1..moved.body) + far(moved),
            (Motion::Turning, Some(base)) => {
                let ahead = way(joint + 1..moved.body) + far(moved);
                // The base has no joint to measure from but the first.
                let first = chain.first().translation.norm();
                let origin = if from == 0 { first } else { 0.0 };
                ahead.min(far(base) + origin + way(from..joint + 1))
            }
        };
        if let Some(entry) = levers.get_mut(moves.variable) {
            *entry += lever * moves.multiplier.abs();
        }
    }
    levers
}
