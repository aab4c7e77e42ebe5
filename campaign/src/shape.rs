//! How far an arm's links are from all there is to meet.
//!
//! Owns its own geometry: the ends of links for walls and planes, a few points of each for
//! boxes, and the links for each other. Never calls the code under test for a distance.

use surehand::arm::{ArmModel, Block, Plane, Space};
use surehand::units::{JointVec, Rad};

/// Links nearer than this in the middle of every joint's range touch by design, metres.
const BY_DESIGN: f64 = 0.005;
/// Points of a link that are looked at, and where there may be no room for it.
const POINTS: (u32, u32) = (4, 64);

/// A point in the base frame, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point([f64; 3]);

impl Point {
    fn minus(&self, other: &Point) -> Point {
        Point(std::array::from_fn(|axis| self.0[axis] - other.0[axis]))
    }

    fn dot(&self, other: &Point) -> f64 {
        self.0.iter().zip(other.0).map(|(a, b)| a * b).sum()
    }

    /// `share` of the way to `other`.
    fn towards(&self, other: &Point, share: f64) -> Point {
        Point(std::array::from_fn(|axis| {
            self.0[axis] + share * (other.0[axis] - self.0[axis])
        }))
    }

    /// Metres from `other`.
    pub(crate) fn distance(&self, other: &Point) -> f64 {
        let way = self.minus(other);
        way.dot(&way).sqrt()
    }
}

/// The arm's links and what is around them.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    space: Space,
    /// Links that are to stay apart, by the ends they begin at.
    pairs: Vec<(usize, usize)>,
}

impl Shape {
    pub(crate) fn new(model: &ArmModel, space: &Space) -> Shape {
        let mut shape = Shape {
            space: space.clone(),
            pairs: Vec::new(),
        };
        let Some(radius) = space.link_radius else {
            return shape;
        };
        let middle = model
            .limits()
            .map(|limits| Rad((limits.lower.0 + limits.upper.0) / 2.0));
        let ends = shape.ends(model, &middle);
        let links = ends.len() - 1;
        let all =
            (0..links).flat_map(|first| (first + 2..links).map(move |second| (first, second)));
        shape.pairs = all
            .filter(|pair| apart(&ends, *pair) - 2.0 * radius > BY_DESIGN)
            .collect();
        shape
    }

    /// Whether there is nothing to meet.
    pub(crate) fn is_open(&self) -> bool {
        let Space {
            walls,
            planes,
            keep_out,
            ..
        } = &self.space;
        walls.is_none() && planes.is_empty() && keep_out.is_empty() && self.pairs.is_empty()
    }

    /// Every joint and the tool point, base first.
    pub(crate) fn ends(&self, model: &ArmModel, joints: &JointVec<Rad>) -> Vec<Point> {
        let pose = model.forward(joints);
        let origins = pose.axes().map(|(_, origin)| *origin);
        let ends = origins.chain(std::iter::once(pose.tool.translation));
        ends.map(|end| Point([end.x, end.y, end.z])).collect()
    }

    /// What is left to each wall, plane and box and between each pair of links.
    pub(crate) fn left(&self, ends: &[Point]) -> Vec<f64> {
        let radius = self.space.link_radius.unwrap_or(0.0);
        let taken = radius + self.space.margin;
        // The arm beyond its second joint.
        let outer = ends.get(1..).unwrap_or_default();
        let mut left = Vec::with_capacity(16);
        let mut note = |points: &mut dyn Iterator<Item = f64>, taken: f64| {
            left.push(points.fold(f64::INFINITY, f64::min) - taken);
        };
        let tips = || outer.iter().skip(1);
        if let Some(walls) = &self.space.walls {
            for axis in 0..3 {
                note(&mut tips().map(|end| end.0[axis] - walls.min[axis]), taken);
                note(&mut tips().map(|end| walls.max[axis] - end.0[axis]), taken);
            }
        }
        for plane in &self.space.planes {
            note(&mut tips().map(|end| height(plane, end)), taken);
        }
        for block in &self.space.keep_out {
            let least = |points: u32| {
                let along = |link: &[Point], at| {
                    let point = link[0].towards(&link[1], f64::from(at) / f64::from(points));
                    distance(block, &point)
                };
                let links = outer.windows(2);
                let all = links.flat_map(|link| (1..=points).map(move |at| along(link, at)));
                all.fold(f64::INFINITY, f64::min)
            };
            let (few, many) = POINTS;
            let seen = least(few);
            // No point of a link is farther from one of the few than half of what is between them.
            let lengths = outer.windows(2).map(|link| link[0].distance(&link[1]));
            let between = lengths.fold(0.0, f64::max) / f64::from(few);
            let seen = if seen < taken + between / 2.0 {
                least(many)
            } else {
                seen
            };
            note(&mut std::iter::once(seen), taken);
        }
        for pair in &self.pairs {
            note(&mut std::iter::once(apart(ends, *pair)), radius + taken);
        }
        left
    }
}

/// How far `point` is on the free side of `plane`.
fn height(plane: &Plane, point: &Point) -> f64 {
    point.minus(&Point(plane.point)).dot(&Point(plane.normal))
}

/// How far `point` is outside `block`, below zero inside.
fn distance(block: &Block, Point(point): &Point) -> f64 {
    let beyond: [f64; 3] = std::array::from_fn(|axis| {
        (block.min[axis] - point[axis]).max(point[axis] - block.max[axis])
    });
    let deepest = beyond.into_iter().fold(f64::NEG_INFINITY, f64::max);
    if deepest <= 0.0 {
        return deepest;
    }
    let squares = beyond.into_iter().map(|side| side.max(0.0).powi(2));
    squares.sum::<f64>().sqrt()
}

/// How far two links, that begin at these ends, are from each other. Where they are nearest one
/// of four ends has a say, or the line between them is upright on both.
fn apart(ends: &[Point], (first, second): (usize, usize)) -> f64 {
    let (a, b) = (&ends[first], &ends[first + 1]);
    let (c, d) = (&ends[second], &ends[second + 1]);
    let at_ends = [(a, c, d), (b, c, d), (c, a, b), (d, a, b)];
    let least = at_ends
        .into_iter()
        .map(|(point, from, to)| off(point, from, to))
        .fold(f64::INFINITY, f64::min);
    let (one, other, between) = (b.minus(a), d.minus(c), c.minus(a));
    let (aa, bb, ab) = (one.dot(&one), other.dot(&other), one.dot(&other));
    let (an, bn) = (one.dot(&between), other.dot(&between));
    let square = aa * bb - ab * ab;
    let (s, t) = ((an * bb - bn * ab) / square, (an * ab - bn * aa) / square);
    let upright = (0.0..=1.0).contains(&s) && (0.0..=1.0).contains(&t);
    if upright {
        least.min(a.towards(b, s).distance(&c.towards(d, t)))
    } else {
        least
    }
}

/// How far `point` is from the link between two others.
fn off(point: &Point, from: &Point, to: &Point) -> f64 {
    let way = to.minus(from);
    let share = point.minus(from).dot(&way) / way.dot(&way);
    point.distance(&from.towards(to, share.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_as_far_apart_as_they_are() {
        let ends = |c, d| [Point([0.0; 3]), Point([2.0, 0.0, 0.0]), Point(c), Point(d)];
        let crossing = ends([1.0, 1.0, -1.0], [1.0, 1.0, 1.0]);
        assert!((apart(&crossing, (0, 2)) - 1.0).abs() < 1e-12);
        let beyond = ends([5.0, 4.0, -1.0], [5.0, 4.0, 1.0]);
        assert!((apart(&beyond, (0, 2)) - 5.0).abs() < 1e-12);
        let along = ends([0.5, 3.0, 0.0], [1.5, 3.0, 0.0]);
        assert!((apart(&along, (0, 2)) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_box_is_met_from_outside_and_inside() {
        let block = Block {
            min: [-1.0; 3],
            max: [1.0; 3],
        };
        assert_eq!(distance(&block, &Point([4.0, 5.0, 0.0])), 5.0);
        assert_eq!(distance(&block, &Point([0.0, 0.75, 0.0])), -0.25);
    }
}
