//! What is around an arm: walls, planes, boxes to keep out of, how thick its links are, and how
//! fast it may go there.
//!
//! Plain data in the base frame, metres; what comes of it is decided elsewhere.

use heapless::Vec;

/// The most boxes to keep out of.
pub const MAX_BOXES: usize = 8;

/// The most planes to keep behind.
pub const MAX_PLANES: usize = 8;

/// A box along the axes of the base frame, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// Lowest corner.
    pub min: [f64; 3],
    /// Highest corner.
    pub max: [f64; 3],
}

/// A plane that the arm stays on one side of, base frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// A point on it, metres.
    pub point: [f64; 3],
    /// Of length one, towards the side where the arm may be.
    pub normal: [f64; 3],
}

/// What the cell says of the space around the arm.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    /// The arm beyond its second joint stays inside.
    pub walls: Option<Block>,
    /// The arm beyond its second joint stays on the side the normals point to.
    pub planes: Vec<Plane, MAX_PLANES>,
    /// The links stay outside.
    pub keep_out: Vec<Block, MAX_BOXES>,
    /// Half the thickness of a link; `None` does not watch the links against each other.
    pub link_radius: Option<f64>,
    /// Kept free on top of everything, metres.
    pub margin: f64,
    /// Nearer than this to anything the arm slows down towards it, metres; 0 for never.
    pub slow_zone: f64,
    /// No end of a link goes faster than this, m/s; `None` leaves it to the joints' limits.
    pub tool_speed: Option<f64>,
}
