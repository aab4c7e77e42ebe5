//! What a tool is led along: a pose for every value of a parameter.
//!
//! Owns the interface alone. The parameter is time as the path was meant, in seconds; the follower
//! goes along it at most that fast.

use nalgebra::Vector6;

use crate::frame::Frame;

/// A place on a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waypoint {
    /// The tool in the base frame.
    pub pose: Frame,
    /// How it moves with the parameter: metres a second above radians a second, base frame.
    pub tangent: Vector6<f64>,
}

/// A path of the tool, smooth but for its ends.
pub trait Path {
    /// The place at `along` seconds. Asked for places ahead of the arm, in no strict order.
    fn at(&self, along: f64) -> Waypoint;

    /// Where the path ends, seconds; the tool comes to rest there.
    fn end(&self) -> f64 {
        f64::INFINITY
    }
}

impl<F: Fn(f64) -> Waypoint> Path for F {
    fn at(&self, along: f64) -> Waypoint {
        self(along)
    }
}
