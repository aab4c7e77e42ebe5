//! What is around an arm: walls, boxes to keep out of, and how thick its links are.
//!
//! Plain data in the base frame, metres; what comes of it is decided elsewhere.

use heapless::Vec;

/// The most boxes to keep out of.
pub const MAX_BOXES: usize = 8;

/// A box along the axes of the base frame, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// Lowest corner.
    pub min: [f64; 3],
    /// Highest corner.
    pub max: [f64; 3],
}

/// What the cell says of the space around the arm.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    /// The arm beyond its second joint stays inside.
    pub walls: Option<Block>,
    /// The links stay outside.
    pub keep_out: Vec<Block, MAX_BOXES>,
    /// Half the thickness of a link; `None` does not watch the links against each other.
    pub link_radius: Option<f64>,
    /// Kept free on top of everything, metres.
    pub margin: f64,
}
