//! Starting points by where they bring the tool, made once for an arm and a task.
//!
//! Owns the reduction: a first joint that turns decides the azimuth of everything after it, a last
//! joint that turns moves nothing of its own axis line. So what the inner joints have to do is to
//! bring a point and a direction to a radius, a height and a direction seen from the azimuth; an
//! entry has the inner joints that do, and the outer two follow from the target. Never solves.
//!
//! Real time: [`Atlas::gather`] and [`Atlas::start`] neither allocate nor loop without a bound.

mod gathered;

use nalgebra::Vector3;

use super::sequence::Sequence;
use crate::chain::{Chain, Motion};
use crate::frame::Frame;
use crate::model::Limits;
use crate::task::Task;
pub(super) use gathered::{Candidate, Gathered};

/// So much of a joint's range is sampled beyond either end, and brought to the end: solutions in the
/// corners of the limits have few neighbours inside.
const BEYOND: f64 = 0.05;

/// Most starting points for one inner joint; for several, as many for each of the others'.
const PER_JOINT: usize = 64;

/// How many entries are drawn together, of which the nearest is tried: a look at one costs a thousandth
/// of an evaluation of the chain, and a start from far away is seldom of use.
const HANDFUL: usize = 256;

/// Most entries of a cell that are looked at; they are in no order, so any part of them is even.
const LOOKED_AT: u32 = 64;

/// Numbers in a key: a point and a direction.
const KEY: usize = 6;

/// How the first joint is done without.
#[derive(Debug, Clone, Copy, PartialEq)]
enum First {
    /// It turns: keys are radius and height of the point about its axis.
    Turns,
    /// It is one of the inner joints.
    Inner,
}

/// What of a target a key is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Feature {
    /// The tool's origin.
    Point,
    /// The tool's origin and one of its axes.
    Line(Vector3<f64>),
    /// The last joint's axis.
    LastAxis,
}

/// What the inner joints have to achieve, and what the outer ones make of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    key: [f32; KEY],
    azimuth: f64,
    /// The x axis of the last joint's frame, seen from the azimuth.
    across: Vector3<f64>,
}

/// The starting points of one arm for one task.
#[derive(Debug, Clone)]
pub(super) struct Atlas<const N: usize> {
    first: First,
    feature: Feature,
    /// From the base to the first joint's frame.
    first_from_base: Frame,
    /// From the tool to the last joint's frame.
    tool_from_last: Frame,
    /// Radians that a metre counts as.
    scale: f64,
    /// Cells per unit of a key.
    fineness: f32,
    /// The slot of a cell is its hash's last bits.
    mask: u32,
    /// Where each slot's entries begin, and after the last where they end.
    slots: Vec<u32>,
    keys: Vec<[f32; KEY]>,
    outer: Vec<[f32; 4]>,
    joints: Vec<[f32; N]>,
}

impl<const N: usize> Atlas<N> {
    /// `size` entries for `task`, inside `limits`; metres count `scale` radians.
    pub(super) fn new(
        chain: &Chain<N>,
        limits: &Limits<N>,
        task: &Task,
        scale: f64,
        size: usize,
        seed: u64,
    ) -> Atlas<N> {
        let motions = chain.motions();
        let turns = |motion: Option<&Motion>| motion == Some(&Motion::Turning);
        let first = if chain.is_plain() && turns(motions.first()) && N > 1 {
            First::Turns
        } else {
            First::Inner
        };
        let feature = match task {
            _ if task.is_free_to_turn() => Feature::Point,
            Task::PositionAndAxis { axis } => Feature::Line(axis.into_inner()),
            _ if chain.is_plain() && turns(motions.last()) && N > 1 => Feature::LastAxis,
            _ => Feature::Line(Vector3::z()),
        };
        let mut atlas = Atlas {
            first,
            feature,
            first_from_base: chain.first().inverse(),
            tool_from_last: chain.tip().inverse(),
            scale,
            fineness: 1.0,
            mask: 0,
            slots: vec![0, 0],
            keys: Vec::new(),
            outer: Vec::new(),
            joints: Vec::new(),
        };
        atlas.fill(chain, limits, size, seed);
        atlas
    }

    fn fill(&mut self, chain: &Chain<N>, limits: &Limits<N>, size: usize, seed: u64) {
        let from = usize::from(self.first == First::Turns);
        let to = N - usize::from(self.feature == Feature::LastAxis);
        // No denser than helps: a row of a few joints would fill its cells many times over.
        let enough =
            u32::try_from(to - from).map_or(usize::MAX, |inner| PER_JOINT.saturating_pow(inner));
        let size = size.min(enough);
        let mut sequence = Sequence::<N>::new(seed, to - from);
        let windows = windows(chain, limits, 1.0 / self.scale);
        let motions = chain.motions();
        let mut entries = Vec::with_capacity(size);
        for _ in 0..size {
            let point = sequence.next();
            let mut joints = [0.0; N];
            for i in from..to {
                let [lower, upper] = windows[i];
                let whole_turn = motions[i] == Motion::Turning && upper - lower > 6.2;
                let beyond = if whole_turn { 0.0 } else { BEYOND };
                let share = point[i - from] * (1.0 + 2.0 * beyond) - beyond;
                joints[i] = lower + (upper - lower) * share.clamp(0.0, 1.0);
            }
            let seen = self.see(&chain.pose(&joints));
            #[expect(
                clippy::as_conversions,
                reason = "a starting point needs no more digits"
            )]
            let outer =
                [seen.azimuth, seen.across.x, seen.across.y, seen.across.z].map(|it| it as f32);
            #[expect(
                clippy::as_conversions,
                reason = "a starting point needs no more digits"
            )]
            let joints = joints.map(|it| it as f32);
            entries.push((seen.key, outer, joints));
        }
        let slots = (size / 2).next_power_of_two().max(2);
        self.mask = u32::try_from(slots - 1).unwrap_or(u32::MAX);
        self.choose_fineness(&entries, slots);
        // Counted, then laid out slot by slot.
        let mut counts = vec![0_u32; slots + 1];
        let slot_of = |atlas: &Atlas<N>, key: &[f32; KEY]| -> usize {
            usize::try_from(atlas.slot(&atlas.cell(key))).unwrap_or(0)
        };
        for (key, ..) in &entries {
            counts[slot_of(self, key) + 1] += 1;
        }
        for slot in 0..slots {
            counts[slot + 1] += counts[slot];
        }
        self.slots = counts.clone();
        self.keys = vec![[0.0; KEY]; size];
        self.outer = vec![[0.0; 4]; size];
        self.joints = vec![[0.0; N]; size];
        for (key, outer, joints) in &entries {
            let next = &mut counts[slot_of(self, key)];
            let at = usize::try_from(*next).unwrap_or(0);
            *next += 1;
            self.keys[at] = *key;
            self.outer[at] = *outer;
            self.joints[at] = *joints;
        }
    }

    /// The finest cells in which an entry still finds company on average.
    fn choose_fineness(&mut self, entries: &[([f32; KEY], [f32; 4], [f32; N])], slots: usize) {
        const COMPANY: u64 = 16;
        let (mut coarse, mut fine) = (0.5_f32, 64.0_f32);
        for _ in 0..7 {
            self.fineness = (coarse * fine).sqrt();
            let mut counts = vec![0_u64; slots];
            for (key, ..) in entries {
                counts[usize::try_from(self.slot(&self.cell(key))).unwrap_or(0)] += 1;
            }
            let company: u64 = counts.iter().map(|count| count * count).sum();
            if company > COMPANY * u64::try_from(entries.len()).unwrap_or(1) {
                coarse = self.fineness;
            } else {
                fine = self.fineness;
            }
        }
    }

    #[inline(always)]
    fn cell(&self, key: &[f32; KEY]) -> [i32; KEY] {
        #[expect(clippy::as_conversions, reason = "saturates, and any cell will do")]
        key.map(|it| (it * self.fineness).floor() as i32)
    }

    #[inline(always)]
    fn slot(&self, cell: &[i32; KEY]) -> u32 {
        let mut hash = 0_u32;
        for index in cell {
            hash = (hash.rotate_left(7) ^ index.cast_unsigned()).wrapping_mul(0x9e37_79b1);
        }
        (hash ^ (hash >> 15)) & self.mask
    }

    /// What a tool at `tool` shows of itself.
    #[inline(always)]
    pub(super) fn see(&self, tool: &Frame) -> Seen {
        self.see_turned(tool, 0.0)
    }

    /// Whether the point of `seen` is so near to the first axis that its azimuth means little.
    pub(super) fn is_near_axis(&self, seen: &Seen) -> bool {
        self.first == First::Turns && seen.key[0] * self.fineness < 1.0
    }

    /// As [`Atlas::see`], with the azimuth said to be `by` more than it is.
    #[inline(always)]
    pub(super) fn see_turned(&self, tool: &Frame, by: f64) -> Seen {
        let (point, direction, across) = match &self.feature {
            Feature::Point => (tool.translation, Vector3::zeros(), Vector3::zeros()),
            Feature::Line(axis) => (tool.translation, tool.rotation * axis, Vector3::zeros()),
            Feature::LastAxis => {
                let last = tool.then(&self.tool_from_last);
                (
                    last.translation,
                    last.rotation.column(2).into_owned(),
                    last.rotation.column(0).into_owned(),
                )
            }
        };
        match self.first {
            First::Inner => Seen {
                key: self.key(&point, &direction),
                azimuth: 0.0,
                across,
            },
            First::Turns => {
                let turn = &self.first_from_base.rotation;
                let point = turn * point + self.first_from_base.translation;
                let direction = turn * direction;
                let across = turn * across;
                let radius = (point.x * point.x + point.y * point.y).sqrt();
                let azimuth = point.y.atan2(point.x) + by;
                let (cosine, sine) = if by == 0.0 && radius > 1e-9 {
                    (point.x / radius, point.y / radius)
                } else {
                    (azimuth.cos(), azimuth.sin())
                };
                let back = |v: Vector3<f64>| {
                    Vector3::new(v.x * cosine + v.y * sine, v.y * cosine - v.x * sine, v.z)
                };
                Seen {
                    key: self.key(&Vector3::new(radius, 0.0, point.z), &back(direction)),
                    azimuth,
                    across: back(across),
                }
            }
        }
    }

    #[inline(always)]
    fn key(&self, point: &Vector3<f64>, direction: &Vector3<f64>) -> [f32; KEY] {
        let point = point * self.scale;
        #[expect(
            clippy::as_conversions,
            reason = "a starting point needs no more digits"
        )]
        [
            point.x,
            point.y,
            point.z,
            direction.x,
            direction.y,
            direction.z,
        ]
        .map(|it| it as f32)
    }

    /// The entries of the target's own cell.
    pub(super) fn gather<const M: usize>(&self, seen: &Seen, gathered: &mut Gathered<M>) {
        self.look(&self.cell(&seen.key), seen, gathered);
    }

    /// The entries of the cells that touch the nearest corner of the target's own, that one left out.
    pub(super) fn gather_around<const M: usize>(&self, seen: &Seen, gathered: &mut Gathered<M>) {
        let own = self.cell(&seen.key);
        let toward = seen.key.map(|it| {
            let at = it * self.fineness;
            if at - at.floor() < 0.5 { -1_i32 } else { 1 }
        });
        let used = self.used();
        for pattern in 1_u32..1 << KEY {
            if pattern & !used != 0 {
                continue;
            }
            let mut cell = own;
            for i in 0..KEY {
                if pattern & (1 << i) != 0 {
                    cell[i] = cell[i].wrapping_add(toward[i]);
                }
            }
            self.look(&cell, seen, gathered);
        }
    }

    /// How many rounds of [`Atlas::draw`] have something new.
    pub(super) fn rounds(&self) -> u32 {
        u32::try_from(self.keys.len() / HANDFUL + 1).unwrap_or(u32::MAX)
    }

    /// A handful of entries from anywhere, others in each `round`: cells lie in no order.
    pub(super) fn draw<const M: usize>(&self, seen: &Seen, round: u32, gathered: &mut Gathered<M>) {
        let from = usize::try_from(round).unwrap_or(0) * HANDFUL;
        let to = (from + HANDFUL).min(self.keys.len());
        let Some(keys) = self.keys.get(from..to) else {
            return;
        };
        for (entry, key) in (from..to).zip(keys) {
            let distance = distance(key, &seen.key);
            let entry = u32::try_from(entry).unwrap_or(0);
            gathered.add(Candidate { distance, entry });
        }
    }

    /// The numbers of a key that are not always 0, a bit each.
    fn used(&self) -> u32 {
        let point = match self.first {
            First::Turns => 0b101,
            First::Inner => 0b111,
        };
        let direction = match self.feature {
            Feature::Point => 0,
            Feature::Line(_) | Feature::LastAxis => 0b11_1000,
        };
        point | direction
    }

    #[inline(always)]
    fn look<const M: usize>(&self, cell: &[i32; KEY], seen: &Seen, gathered: &mut Gathered<M>) {
        let slot = usize::try_from(self.slot(cell)).unwrap_or(0);
        let (Some(from), Some(to)) = (self.slots.get(slot), self.slots.get(slot + 1)) else {
            return;
        };
        let to = &(*to).min(*from + LOOKED_AT);
        let range = usize::try_from(*from).unwrap_or(0)..usize::try_from(*to).unwrap_or(0);
        let Some(keys) = self.keys.get(range) else {
            return;
        };
        for (entry, key) in (*from..*to).zip(keys) {
            let distance = distance(key, &seen.key);
            gathered.add(Candidate { distance, entry });
        }
    }

    /// The joints to start from for a target that shows `seen`: the entry's, with the outer two
    /// brought where the target asks; positions may be outside the limits.
    #[inline(always)]
    pub(super) fn start(&self, candidate: &Candidate, seen: &Seen) -> Option<[f64; N]> {
        let entry = usize::try_from(candidate.entry).ok()?;
        let mut joints = self.joints.get(entry)?.map(f64::from);
        let [azimuth, x, y, z] = self.outer.get(entry)?.map(f64::from);
        if self.first == First::Turns
            && let Some(first) = joints.first_mut()
        {
            *first = seen.azimuth - azimuth;
        }
        if self.feature == Feature::LastAxis
            && let Some(last) = joints.last_mut()
        {
            let [.., a, b, c] = self.keys.get(entry)?.map(f64::from);
            let [.., p, q, r] = seen.key.map(f64::from);
            let (from, to) = (Vector3::new(a, b, c), Vector3::new(p, q, r));
            // The entry's x axis, brought along by the smallest turn between the two directions.
            let across = Vector3::new(x, y, z);
            let by = to.dot(&across) / (1.0 + from.dot(&to)).max(1e-3);
            let across = across - (from + to) * by;
            let sine = across.cross(&seen.across).dot(&to);
            *last = sine.atan2(across.dot(&seen.across));
        }
        Some(joints)
    }
}

/// Squared.
#[inline(always)]
fn distance(a: &[f32; KEY], b: &[f32; KEY]) -> f32 {
    let mut sum = 0.0;
    for i in 0..KEY {
        let off = a[i] - b[i];
        sum += off * off;
    }
    sum
}

/// Where each joint is sampled: its limits, or one turn of it around the middle where it has more;
/// sliding joints without limits `length` to either side.
pub(crate) fn windows<const N: usize>(
    chain: &Chain<N>,
    limits: &Limits<N>,
    length: f64,
) -> [[f64; 2]; N] {
    use std::f64::consts::PI;
    let motions = chain.motions();
    let mut windows = [[0.0; 2]; N];
    for i in 0..N {
        let (lower, upper) = (limits.lower[i], limits.upper[i]);
        let reach = match motions[i] {
            Motion::Turning => PI,
            Motion::Sliding if lower.is_finite() && upper.is_finite() => f64::INFINITY,
            Motion::Sliding => length,
        };
        windows[i] = if upper - lower <= 2.0 * reach {
            [lower, upper]
        } else {
            let middle = 0.0_f64.max(lower + reach).min(upper - reach);
            [middle - reach, middle + reach]
        };
    }
    windows
}
