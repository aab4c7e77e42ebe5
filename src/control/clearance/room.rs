//! What is left between the arm and each thing it must not meet.
//!
//! Plain numbers; where they come from is the clearance's. Real time: no allocation, lock, log or
//! clock.

use crate::arm::{MAX_BOXES, MAX_PLANES};
use crate::units::MAX_JOINTS;

/// The most pairs of links that are watched: of those with another between them.
pub(super) const MAX_PAIRS: usize = (MAX_JOINTS - 1) * (MAX_JOINTS - 2) / 2;

/// Metres left to what the arm must not meet; negative inside. Infinite where nothing is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// To each wall.
    pub walls: [f64; 6],
    /// To each plane.
    pub planes: [f64; MAX_PLANES],
    /// To each box.
    pub boxes: [f64; MAX_BOXES],
    /// Between each two of its own links that could meet.
    pub links: [f64; MAX_PAIRS],
}

impl Room {
    /// Nothing is near.
    pub const OPEN: Room = Room {
        walls: [f64::INFINITY; 6],
        planes: [f64::INFINITY; MAX_PLANES],
        boxes: [f64::INFINITY; MAX_BOXES],
        links: [f64::INFINITY; MAX_PAIRS],
    };

    /// The least of all.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.each().fold(f64::INFINITY, f64::min)
    }

    /// The lesser of each.
    #[must_use]
    pub fn min(self, other: Room) -> Room {
        self.with(other, f64::min)
    }

    /// The greater of each.
    #[must_use]
    pub fn max(self, other: Room) -> Room {
        self.with(other, f64::max)
    }

    /// How much more there is of each than in `best`, where that is none; all of it elsewhere.
    #[must_use]
    pub fn beyond(self, best: Room) -> Room {
        self.with(best, |left, best| left - best.min(0.0))
    }

    fn with(mut self, other: Room, of: fn(f64, f64) -> f64) -> Room {
        let walls = self.walls.iter_mut().zip(other.walls);
        let planes = self.planes.iter_mut().zip(other.planes);
        let boxes = self.boxes.iter_mut().zip(other.boxes);
        let links = self.links.iter_mut().zip(other.links);
        for (left, other) in walls.chain(planes).chain(boxes).chain(links) {
            *left = of(*left, other);
        }
        self
    }

    /// Whether nothing is met that was not met in `before`, and nothing deeper than there: room
    /// to one thing makes up for none to another.
    #[must_use]
    pub fn no_worse_than(&self, before: &Room) -> bool {
        let mut both = self.each().zip(before.each());
        both.all(|(now, before)| now >= before.min(0.0))
    }

    /// Walls, planes, boxes and pairs of links in turn.
    pub(super) fn each(&self) -> impl Iterator<Item = f64> {
        let around = self.walls.into_iter().chain(self.planes);
        around.chain(self.boxes).chain(self.links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_to_one_thing_makes_up_for_none_to_another() {
        let links = |first, second| {
            let mut room = Room::OPEN;
            (room.links[0], room.links[1]) = (first, second);
            room
        };
        let before = links(-0.02, 0.01);
        assert!(links(-0.02, 0.0).no_worse_than(&before));
        assert!(links(-0.01, 0.02).no_worse_than(&before));
        assert!(!links(-0.01, -0.01).no_worse_than(&before));
        assert!(!links(-0.03, 0.01).no_worse_than(&before));
        assert_eq!(links(0.03, 0.01).min(links(0.02, 0.02)), links(0.02, 0.01));
        assert_eq!(links(0.03, 0.01).max(links(0.02, 0.02)), links(0.03, 0.02));
        let back = links(-0.02, 0.01).beyond(links(-0.01, 0.02));
        assert_eq!((back.links[0], back.links[1]), (-0.01, 0.01));
    }
}
