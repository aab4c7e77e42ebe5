//! What the arm is led clear of: the links and the space that the limiter watches, for the kinematics.
//!
//! Owns the step from one to the other: the same rods, the same pairs. The limiter measures them by
//! itself, as the last instance must share no mistake with what it checks; this keeps a little more
//! away, so that the arm slows down and goes around before it is stopped.
//!
//! Built once; never asked in a tick.

use nalgebra::Vector3;
use surehand_kinematics::{Clearance as Kept, Frame, Model, Obstacle, Pair, Shapes};

use crate::control::clearance::Clearance;

/// What is kept on top of the limiter's margin, metres: commands follow what leads them a little
/// beside it.
pub(super) const MORE: f64 = 0.003;

/// The links of `model` among what is in `clearance`, and what is kept free, metres; `None` when a
/// number of it is none.
pub(super) fn surroundings<const N: usize>(
    model: &Model<N>,
    clearance: &Clearance,
) -> Option<(Kept<N>, f64)> {
    let space = clearance.space();
    let shapes = Shapes::rods(model, space.link_radius.unwrap_or(0.0));
    let mut obstacles = Vec::new();
    let mut pairs: Vec<Pair> = (clearance.pairs().iter())
        .map(|(one, other)| Pair::Links(usize::from(*one), usize::from(*other)))
        .collect();
    let mut beside = |obstacle: Obstacle, first: usize| {
        let index = obstacles.len();
        obstacles.push(obstacle);
        pairs.extend((first..N).map(|link| Pair::World(link, index)));
    };
    // Of planes the ends of links beyond the second joint count: a rod has both of its ends.
    let beyond = N.saturating_sub(1).clamp(1, 2);
    let mut keep_behind = |point: [f64; 3], normal: Vector3<f64>| {
        let point = point.into();
        beside(Obstacle::Plane { point, normal }, beyond);
    };
    for plane in &space.planes {
        keep_behind(plane.point, plane.normal.into());
    }
    if let Some(walls) = &space.walls {
        for axis in [Vector3::x(), Vector3::y(), Vector3::z()] {
            keep_behind(walls.min, axis);
            keep_behind(walls.max, -axis);
        }
    }
    for block in &space.keep_out {
        let (min, max) = (Vector3::from(block.min), Vector3::from(block.max));
        let frame = Frame {
            translation: (min + max) / 2.0,
            ..Frame::IDENTITY
        };
        let half = (max - min) / 2.0;
        beside(Obstacle::Box { frame, half }, 1);
    }
    let kept = Kept::watching(model, &shapes, &obstacles, &pairs).ok()?;
    Some((kept, space.margin + MORE))
}
