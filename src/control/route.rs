//! A free way between two poses: two trees that grow towards each other in joint space.
//!
//! Owns the trees. One short step of the search a tick, so that a tick stays short; the same
//! start, goal and space give the same way. Never moves anything, and never says that a way is
//! free that was not looked at from end to end. The method is RRT-Connect (Kuffner and LaValle,
//! ICRA 2000), with one long look in place of its row of short ones.
//!
//! Real time: no allocation, lock, log or clock.

use heapless::Vec;

use crate::arm::JointLimits;
use crate::units::{JointVec, Rad};

/// The most poses in one tree.
const NODES: usize = 256;
/// The most poses of a way.
pub(super) const WAY: usize = 64;
/// Steps of a search after which there is no way.
const STEPS: u32 = 2000;
/// The longest growth of a tree in one step, radians of the joint that goes farthest.
const GROWTH: f64 = 0.5;
/// The clearance is looked at again after this way of any point of the arm at the latest, metres.
const LOOK: f64 = 0.01;
/// The most looks along one line; a line that needs more is not taken.
const LOOKS: u32 = 128;

/// How far from anything the arm is at given joint positions, metres.
pub(super) trait Left: Fn(&JointVec<Rad>) -> f64 {}
impl<F: Fn(&JointVec<Rad>) -> f64> Left for F {}

/// Poses from the start to the goal.
pub(super) type Way = Vec<JointVec<Rad>, WAY>;

/// Whether the straight way in joint space is free: no look ahead is longer than what the last
/// one left free. `reach` is how far any of the arm can be from any joint's axis, metres.
pub(super) fn is_free(
    from: &JointVec<Rad>,
    to: &JointVec<Rad>,
    left: &impl Left,
    reach: f64,
) -> bool {
    let turn: f64 = (from.iter().zip(to)).map(|(a, b)| (b.0 - a.0).abs()).sum();
    let metres = (reach * turn).max(f64::MIN_POSITIVE);
    let mut share = 0.0;
    for _ in 0..LOOKS {
        let free = left(&between(from, to, share));
        if free < 0.0 || free.is_nan() {
            return false;
        }
        if share >= 1.0 {
            return true;
        }
        share = (share + free.max(LOOK) / metres).min(1.0);
    }
    false
}

/// The pose `share` of the way from one to another.
pub(super) fn between(from: &JointVec<Rad>, to: &JointVec<Rad>, share: f64) -> JointVec<Rad> {
    from.zip_with(to, |from, to| Rad(from.0 + (to.0 - from.0) * share))
}

/// What a step of the search came to.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "fixed size by design: no allocation"
)]
pub(super) enum Search {
    /// Nothing yet.
    Going,
    /// A way.
    Found(Way),
    /// There is none, or none that is short and simple enough.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Node {
    at: JointVec<Rad>,
    parent: usize,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Tree {
    nodes: Vec<Node, NODES>,
}

/// A search under way.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Router {
    /// From the start, and from the goal.
    trees: [Tree; 2],
    steps: u32,
    draws: u64,
}

impl Router {
    /// Begins anew.
    pub(super) fn begin(&mut self, start: &JointVec<Rad>, goal: &JointVec<Rad>) {
        self.steps = 0;
        self.draws = 0;
        for (tree, root) in self.trees.iter_mut().zip([start, goal]) {
            tree.nodes.clear();
            tree.push(*root, 0);
        }
    }

    /// One step: one tree grows towards a pose drawn within `limits`, and the other reaches for
    /// it.
    pub(super) fn step(
        &mut self,
        limits: &JointVec<JointLimits>,
        left: &impl Left,
        reach: f64,
    ) -> Search {
        self.steps = self.steps.saturating_add(1);
        let drawn = limits.map(|limits| {
            let share = self.draw();
            Rad(limits.lower.0 + (limits.upper.0 - limits.lower.0) * share)
        });
        let [from_start, from_goal] = &mut self.trees;
        let from_start_grows = self.steps % 2 == 1;
        let (growing, other) = if from_start_grows {
            (from_start, from_goal)
        } else {
            (from_goal, from_start)
        };
        let Some(grown) = growing.grow(&drawn, left, reach) else {
            return Search::Going;
        };
        let Some(tip) = growing.at(grown) else {
            return Search::Failed;
        };
        let Some((near, nearest)) = other.nearest(&tip) else {
            return Search::Failed;
        };
        if is_free(&tip, &nearest, left, reach) {
            let (start, goal) = if from_start_grows {
                (grown, near)
            } else {
                (near, grown)
            };
            return self.way(start, goal).map_or(Search::Failed, Search::Found);
        }
        let full = self.trees.iter().any(|tree| tree.nodes.is_full());
        if full || self.steps >= STEPS {
            Search::Failed
        } else {
            Search::Going
        }
    }

    /// From the start through nodes `start` and `goal`, which see each other, to the goal.
    fn way(&self, start: usize, goal: usize) -> Option<Way> {
        let [from_start, from_goal] = &self.trees;
        let mut way = Way::new();
        for at in from_start.back(start) {
            way.push(at).ok()?;
        }
        way.reverse();
        for at in from_goal.back(goal) {
            way.push(at).ok()?;
        }
        Some(way)
    }

    /// The next of a fixed row of numbers from 0 to 1 (SplitMix64).
    fn draw(&mut self) -> f64 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.draws;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(0);
        f64::from(high) / f64::from(u32::MAX)
    }
}

impl Tree {
    fn push(&mut self, at: JointVec<Rad>, parent: usize) -> Option<usize> {
        self.nodes.push(Node { at, parent }).ok()?;
        Some(self.nodes.len() - 1)
    }

    fn at(&self, node: usize) -> Option<JointVec<Rad>> {
        self.nodes.get(node).map(|node| node.at)
    }

    fn nearest(&self, to: &JointVec<Rad>) -> Option<(usize, JointVec<Rad>)> {
        let far = |node: &Node| farthest(&node.at, to);
        let nodes = self.nodes.iter().enumerate();
        let nearest = nodes.min_by(|(_, a), (_, b)| far(a).total_cmp(&far(b)));
        nearest.map(|(index, node)| (index, node.at))
    }

    /// A new node towards `drawn`; `None` when the way there is not free.
    fn grow(&mut self, drawn: &JointVec<Rad>, left: &impl Left, reach: f64) -> Option<usize> {
        let (parent, from) = self.nearest(drawn)?;
        let far = farthest(&from, drawn);
        let to = between(&from, drawn, (GROWTH / far).min(1.0));
        let usable = far > 0.0 && is_free(&from, &to, left, reach);
        if usable { self.push(to, parent) } else { None }
    }

    /// From `node` back to the root, both included.
    fn back(&self, node: usize) -> impl Iterator<Item = JointVec<Rad>> {
        let mut next = Some(node);
        std::iter::from_fn(move || {
            let index = next?;
            let node = self.nodes.get(index)?;
            next = (index != 0).then_some(node.parent);
            Some(node.at)
        })
    }
}

/// How far the joint goes that goes farthest, radians.
fn farthest(from: &JointVec<Rad>, to: &JointVec<Rad>) -> f64 {
    let apart = from.iter().zip(to).map(|(a, b)| (b.0 - a.0).abs());
    apart.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{RadPerSec, RadPerSec2, RadPerSec3};

    fn limits() -> JointVec<JointLimits> {
        let one = JointLimits {
            lower: Rad(-2.0),
            upper: Rad(2.0),
            velocity: RadPerSec(1.0),
            acceleration: RadPerSec2(5.0),
            jerk: RadPerSec3(100.0),
        };
        JointVec::repeat(one, 3)
    }

    fn pose(a: f64, b: f64, c: f64) -> JointVec<Rad> {
        [a, b, c].map(Rad).into_iter().collect()
    }

    /// A wall across the first joint's way with a gap where the second is above `gap`.
    fn wall(gap: f64) -> impl Left {
        move |at: &JointVec<Rad>| {
            let at = |joint| at.get(joint).map_or(0.0, |rad: Rad| rad.0);
            (at(0).abs() - 0.2).max(at(1) - gap)
        }
    }

    fn search(left: &impl Left) -> Search {
        let mut router = Router::default();
        router.begin(&pose(-1.0, 0.0, 0.0), &pose(1.0, 0.0, 0.0));
        loop {
            match router.step(&limits(), left, 1.0) {
                Search::Going => {}
                over => return over,
            }
        }
    }

    #[test]
    fn a_way_leads_through_the_gap_and_is_free_from_end_to_end() {
        let left = wall(1.0);
        let (start, goal) = (pose(-1.0, 0.0, 0.0), pose(1.0, 0.0, 0.0));
        assert!(
            !is_free(&start, &goal, &left, 1.0),
            "the wall is in between"
        );
        let Search::Found(way) = search(&left) else {
            panic!("no way was found")
        };
        assert_eq!(way.first(), Some(&start));
        assert_eq!(way.last(), Some(&goal));
        for leg in way.windows(2) {
            for index in 0..=200 {
                let at = between(&leg[0], &leg[1], f64::from(index) / 200.0);
                // Looks are a centimetre apart where nothing is left: a corner may be cut by half.
                assert!(left(&at) > -0.006, "{at:?}");
            }
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer() {
        assert_eq!(search(&wall(1.0)), search(&wall(1.0)));
    }

    #[test]
    fn a_wall_without_a_gap_is_no_way_at_last() {
        assert_eq!(search(&wall(3.0)), Search::Failed);
    }

    #[test]
    fn nothing_is_free_from_within_an_obstacle_or_beside_a_number_that_is_none() {
        let (start, goal) = (pose(-1.0, 0.0, 0.0), pose(1.0, 0.0, 0.0));
        assert!(!is_free(&pose(0.0, 0.0, 0.0), &goal, &wall(1.0), 1.0));
        assert!(!is_free(&start, &goal, &|_: &JointVec<Rad>| f64::NAN, 1.0));
        assert!(is_free(
            &start,
            &goal,
            &|_: &JointVec<Rad>| f64::INFINITY,
            1.0
        ));
    }
}
