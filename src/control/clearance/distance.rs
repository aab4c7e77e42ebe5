//! Distances of points and links from boxes, planes and each other.
//!
//! Arithmetic only; metres, base frame. Real time: no allocation, lock, log or clock.

use nalgebra::Vector3;

use crate::arm::{Block, Plane};

/// Halvings of a link while the point of it nearest to a box is looked for.
const HALVINGS: u32 = 20;

/// A link from one point to another.
pub(super) type Link = (Vector3<f64>, Vector3<f64>);

/// How far `point` is on the free side of `plane`; negative behind it.
pub(super) fn in_front(plane: &Plane, point: &Vector3<f64>) -> f64 {
    let away = point - Vector3::from(plane.point);
    away.dot(&Vector3::from(plane.normal))
}

/// How far `point` is inside each side of `block`; negative beyond it.
pub(super) fn sides(block: &Block, point: &Vector3<f64>) -> [f64; 6] {
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

/// The least distance of a link from a box: along a line it falls and then rises. Where it is
/// sure to be more than `far`, any number between that and the distance.
pub(super) fn link_to_block((from, to): &Link, block: &Block, far: f64) -> f64 {
    let at = |share: f64| outside(block, &(from + (to - from) * share));
    let sure = at(0.5) - (to - from).norm() / 2.0;
    if sure > far {
        return sure;
    }
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
pub(super) fn between((p1, q1): &Link, (p2, q2): &Link) -> f64 {
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
        let least = link_to_block(&over, &BOX, 9.0);
        assert!((least - 0.333).abs() < 0.1);
        let crossing = (v(-3.0, 0.0, 0.0), v(3.0, 0.0, 0.0));
        assert!(link_to_block(&crossing, &BOX, 9.0) < -0.99);
        let (a, b) = (
            (v(0.0, 0.0, 0.0), v(1.0, 0.0, 0.0)),
            (v(0.5, 1.0, -1.0), v(0.5, 1.0, 1.0)),
        );
        assert!((between(&a, &b) - 1.0).abs() < 1e-12);
        let parallel = (v(3.0, 0.0, 0.0), v(2.0, 0.0, 0.0));
        assert!((between(&a, &parallel) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_box_that_is_far_is_at_most_as_far_as_it_is_said_to_be() {
        let link = (v(4.0, 0.0, 0.0), v(5.0, 0.0, 0.0));
        assert_eq!(link_to_block(&link, &BOX, 2.0), 3.0);
        assert!((link_to_block(&link, &BOX, 9.0) - 3.0).abs() < 1e-3);
        let along = (v(2.5, -3.0, 0.0), v(2.5, 3.0, 0.0));
        let sure = link_to_block(&along, &BOX, -2.0);
        assert!(sure <= 1.5 && sure > -2.0, "{sure}");
    }

    #[test]
    fn a_plane_has_two_sides() {
        let plane = Plane {
            point: [0.0, 0.0, 0.2],
            normal: [0.0, 0.0, 1.0],
        };
        assert!((in_front(&plane, &v(3.0, -1.0, 0.25)) - 0.05).abs() < 1e-12);
        assert!((in_front(&plane, &v(0.0, 0.0, 0.1)) + 0.1).abs() < 1e-12);
    }
}
