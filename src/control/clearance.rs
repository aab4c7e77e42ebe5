//! Where the arm may be: walls around it, boxes to keep out of, and its own links.
//!
//! Owns the geometry and gives one number, the clearance. What is done about it is the limiter's:
//! no step is taken after which a stop would end with less than none. Links are capsules from
//! joint to joint; everything is in the base frame, metres.
//!
//! Real time: no allocation, lock, log or clock.

use heapless::Vec;
use nalgebra::Vector3;

use crate::arm::{ArmModel, Block, MAX_BOXES, Space};
use crate::units::{JointVec, MAX_JOINTS, Rad};

/// The most pairs of links that are watched.
const MAX_PAIRS: usize = MAX_JOINTS * (MAX_JOINTS - 1) / 2;
/// Links nearer than this in the middle of every joint's range touch by design, metres.
const BY_DESIGN: f64 = 0.005;
/// Halvings of a link while the point of it nearest to a box is looked for.
const HALVINGS: u32 = 20;

/// The space around one arm.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Clearance {
    space: Space,
    /// Links that could meet, by the joint each begins at.
    pairs: Vec<(u8, u8), MAX_PAIRS>,
    reach: f64,
}

/// A link from one point to another.
type Link = (Vector3<f64>, Vector3<f64>);

impl Clearance {
    /// `space` around `model`.
    #[must_use]
    pub fn new(model: &ArmModel, space: Space) -> Clearance {
        let middle = model
            .limits()
            .map(|limits| Rad((limits.lower.0 + limits.upper.0) / 2.0));
        let links = links(model, &middle);
        let mut pairs = Vec::new();
        if let Some(radius) = space.link_radius {
            for (first, a) in (0u8..).zip(&links) {
                for (second, b) in (0u8..).zip(&links) {
                    let apart = second >= first + 2;
                    if apart && between(a, b) - 2.0 * radius > BY_DESIGN {
                        // As many as there can be.
                        let _ = pairs.push((first, second));
                    }
                }
            }
        }
        let reach = links.iter().map(|(from, to)| (to - from).norm()).sum();
        Clearance {
            space,
            pairs,
            reach,
        }
    }

    /// The length of all links together, metres: nothing is farther from any joint's axis.
    #[must_use]
    pub fn reach(&self) -> f64 {
        self.reach
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.space.walls.is_none() && self.space.keep_out.is_empty() && self.pairs.is_empty()
    }

    /// How far the arm at `joints` is from whatever it must not meet.
    #[must_use]
    pub fn of(&self, model: &ArmModel, joints: &JointVec<Rad>) -> Room {
        if self.is_open() {
            return Room::OPEN;
        }
        let links = links(model, joints);
        let radius = self.space.link_radius.unwrap_or(0.0);
        let taken = radius + self.space.margin;
        let mut room = Room::OPEN;
        if let Some(walls) = &self.space.walls {
            for (_, end) in links.iter().skip(1) {
                for (left, side) in room.walls.iter_mut().zip(sides(walls, end)) {
                    *left = left.min(side - taken);
                }
            }
        }
        for (left, block) in room.boxes.iter_mut().zip(&self.space.keep_out) {
            for link in links.iter().skip(1) {
                *left = left.min(link_to_block(link, block) - taken);
            }
        }
        for (first, second) in &self.pairs {
            let pair = (
                links.get(usize::from(*first)),
                links.get(usize::from(*second)),
            );
            if let (Some(a), Some(b)) = pair {
                room.itself = room.itself.min(between(a, b) - radius - taken);
            }
        }
        room
    }
}

/// Metres left to what the arm must not meet; negative inside. Infinite where nothing is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// To each wall.
    pub walls: [f64; 6],
    /// To each box.
    pub boxes: [f64; MAX_BOXES],
    /// Between two of its own links.
    pub itself: f64,
}

impl Room {
    /// Nothing is near.
    pub const OPEN: Room = Room {
        walls: [f64::INFINITY; 6],
        boxes: [f64::INFINITY; MAX_BOXES],
        itself: f64::INFINITY,
    };

    /// The least of all.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.each().fold(f64::INFINITY, f64::min)
    }

    /// The lesser of each.
    #[must_use]
    pub fn min(mut self, other: Room) -> Room {
        let walls = self.walls.iter_mut().zip(other.walls);
        let boxes = self.boxes.iter_mut().zip(other.boxes);
        for (left, other) in walls.chain(boxes) {
            *left = left.min(other);
        }
        self.itself = self.itself.min(other.itself);
        self
    }

    /// Whether nothing is met that was not met in `before`, and nothing deeper than there: room
    /// to one thing makes up for none to another.
    #[must_use]
    pub fn no_worse_than(&self, before: &Room) -> bool {
        let mut both = self.each().zip(before.each());
        both.all(|(now, before)| now >= before.min(0.0))
    }

    fn each(&self) -> impl Iterator<Item = f64> {
        let itself = std::iter::once(self.itself);
        self.walls.into_iter().chain(self.boxes).chain(itself)
    }
}

/// The links from joint to joint and on to the tool point.
fn links(model: &ArmModel, joints: &JointVec<Rad>) -> Vec<Link, MAX_JOINTS> {
    let pose = model.forward(joints);
    let origins = pose.axes().map(|(_, origin)| *origin);
    let ends = pose.axes().map(|(_, origin)| *origin).skip(1);
    let ends = ends.chain(std::iter::once(pose.tool.translation));
    origins.zip(ends).collect()
}

/// How far `point` is inside each side of `block`; negative beyond it.
fn sides(block: &Block, point: &Vector3<f64>) -> [f64; 6] {
    let [a, b, c] = block.min;
    let [d, e, f] = block.max;
    let (x, y, z) = (point.x, point.y, point.z);
    [x - a, y - b, z - c, d - x, e - y, f - z]
}

/// How deep `point` is inside `block`; negative outside.
fn inside(block: &Block, point: &Vector3<f64>) -> f64 {
    sides(block, point)
        .into_iter()
        .fold(f64::INFINITY, f64::min)
}

/// How far `point` is outside `block`; as deep as it is inside when negative.
fn outside(block: &Block, point: &Vector3<f64>) -> f64 {
    let depth = inside(block, point);
    if depth >= 0.0 {
        return -depth;
    }
    let sides = block.min.iter().zip(&block.max).zip(point.iter());
    let squares = sides.map(|((min, max), at)| {
        let away = (min - at).max(at - max).max(0.0);
        away * away
    });
    squares.sum::<f64>().sqrt()
}

/// The least distance of a link from a box: along a line it falls and then rises.
fn link_to_block((from, to): &Link, block: &Block) -> f64 {
    let at = |share: f64| outside(block, &(from + (to - from) * share));
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let third = (high - low) / 3.0;
        if at(low + third) < at(high - third) {
            high -= third;
        } else {
            low += third;
        }
    }
    at(low).min(at(high)).min(at(0.0)).min(at(1.0))
}

/// The least distance of two links (Ericson, *Real-Time Collision Detection*, 2005, 5.1.9).
fn between((p1, q1): &Link, (p2, q2): &Link) -> f64 {
    let (d1, d2, r) = (q1 - p1, q2 - p2, p1 - p2);
    let (a, e, f) = (d1.norm_squared(), d2.norm_squared(), d2.dot(&r));
    let (c, b) = (d1.dot(&r), d1.dot(&d2));
    let denominator = a * e - b * b;
    let share = |value: f64| {
        if value.is_finite() {
            value.clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let mut s = if denominator > 1e-12 * a * e {
        share((b * f - c * e) / denominator)
    } else {
        0.0
    };
    let mut t = (b * s + f) / e;
    if !(0.0..=1.0).contains(&t) {
        t = share(t);
        s = share((b * t - c) / a);
    }
    ((p1 + d1 * s) - (p2 + d2 * t)).norm()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::{joints, so101};

    const BOX: Block = Block {
        min: [-1.0, -1.0, -1.0],
        max: [1.0, 1.0, 1.0],
    };

    fn v(x: f64, y: f64, z: f64) -> Vector3<f64> {
        Vector3::new(x, y, z)
    }

    #[test]
    fn distances_are_those_of_geometry() {
        assert_eq!(inside(&BOX, &v(0.5, 0.0, 0.0)), 0.5);
        assert_eq!(outside(&BOX, &v(4.0, 5.0, 0.0)), 5.0);
        assert_eq!(outside(&BOX, &v(0.0, 0.0, 0.9)), -0.09999999999999998);
        let over = (v(-3.0, 0.0, 1.5), v(3.0, 0.0, 1.25));
        assert!((link_to_block(&over, &BOX) - 0.333).abs() < 0.1);
        let crossing = (v(-3.0, 0.0, 0.0), v(3.0, 0.0, 0.0));
        assert!(link_to_block(&crossing, &BOX) < -0.99);
        let (a, b) = (
            (v(0.0, 0.0, 0.0), v(1.0, 0.0, 0.0)),
            (v(0.5, 1.0, -1.0), v(0.5, 1.0, 1.0)),
        );
        assert!((between(&a, &b) - 1.0).abs() < 1e-12);
        let parallel = (v(3.0, 0.0, 0.0), v(2.0, 0.0, 0.0));
        assert!((between(&a, &parallel) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_arm_stretched_out_is_clear_of_itself_and_folded_up_is_less_so() {
        let model = so101();
        let space = Space {
            link_radius: Some(0.02),
            ..Space::default()
        };
        let clearance = Clearance::new(&model, space);
        let open = clearance.of(&model, &joints([0.0; 6])).least();
        let folded = clearance
            .of(&model, &joints([0.0, -1.7, 1.6, 1.6, 0.0, 0.0]))
            .least();
        assert!(open > 0.01 && folded < open, "{open} {folded}");
    }

    #[test]
    fn a_wall_and_a_box_are_met_by_the_tool_first() {
        let model = so101();
        let pose = joints([0.0, 0.2, 0.2, 0.5, 0.0, 0.0]);
        let tool = model.forward(&pose).tool.translation;
        let mut keep_out = Vec::new();
        keep_out
            .push(Block {
                min: [tool.x + 0.05, -1.0, -1.0],
                max: [2.0, 1.0, 1.0],
            })
            .unwrap();
        let boxed = Clearance::new(
            &model,
            Space {
                keep_out,
                ..Space::default()
            },
        );
        assert!((boxed.of(&model, &pose).least() - 0.05).abs() < 1e-6);
        let walled = Clearance::new(
            &model,
            Space {
                walls: Some(Block {
                    min: [-1.0; 3],
                    max: [tool.x + 0.03, 1.0, 1.0],
                }),
                margin: 0.01,
                ..Space::default()
            },
        );
        assert!((walled.of(&model, &pose).least() - 0.02).abs() < 1e-9);
    }
}
