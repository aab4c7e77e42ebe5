//! Where the arm may be: walls around it, boxes to keep out of, and its own links.
//!
//! Owns the geometry: how much room is left, how fast the arm may go on towards what is near, and
//! how fast any of it may get. What is done about it is the limiter's: no step is taken after
//! which a stop would end with less room than none. Links are capsules from joint to joint;
//! everything is in the base frame, metres.
//!
//! Real time: no allocation, lock, log or clock.

use heapless::Vec;

use crate::arm::{ArmModel, Space};
use crate::units::{JointVec, MAX_JOINTS, Rad};

mod distance;
mod room;
mod swing;

use distance::{Link, between, in_front, link_to_block, sides};
use room::MAX_PAIRS;
pub use room::Room;
pub(crate) use swing::Swing;

/// Links nearer than this in the middle of every joint's range touch by design, metres.
const BY_DESIGN: f64 = 0.005;
/// In the slow zone what is left lasts at least this long at the speed towards it, seconds.
const SLOWING_SECS: f64 = 0.15;
/// As slow as this is slow enough: the margin is reached, not only approached, m/s.
const CREEP: f64 = 0.005;
/// Boxes farther away than this are not looked at closely, metres.
const FAR: f64 = 0.05;

/// The space around one arm.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Clearance {
    space: Space,
    /// Links that could meet, by the joint each begins at.
    pairs: Vec<(u8, u8), MAX_PAIRS>,
    /// Of each link, base first, metres.
    lengths: JointVec<f64>,
    /// Of each of the arm's joints: no link is farther from its axis, metres.
    levers: JointVec<f64>,
}

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
        let lengths: JointVec<f64> = links.iter().map(|(from, to)| (to - from).norm()).collect();
        let mut levers = JointVec::repeat(0.0, model.len());
        for (link, joint) in model.chain_joints().iter().enumerate() {
            if let Some(lever) = levers.as_mut_slice().get_mut(*joint) {
                *lever = lengths.iter().skip(link).sum();
            }
        }
        Clearance {
            space,
            pairs,
            lengths,
            levers,
        }
    }

    /// What the cell says of the space.
    pub(crate) fn space(&self) -> &Space {
        &self.space
    }

    /// Links that are watched against each other, by the chain's joint that each begins at.
    pub(crate) fn pairs(&self) -> &[(u8, u8)] {
        &self.pairs
    }

    /// How far from the axis of each of the arm's joints any link can be, metres.
    #[must_use]
    pub fn levers(&self) -> &JointVec<f64> {
        &self.levers
    }

    /// The length of all links together, metres: nothing is farther from any joint's axis.
    #[must_use]
    pub fn reach(&self) -> f64 {
        self.lengths.iter().sum()
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let Space {
            walls,
            planes,
            keep_out,
            ..
        } = &self.space;
        walls.is_none() && planes.is_empty() && keep_out.is_empty() && self.pairs.is_empty()
    }

    /// The most speed of the end of any link, m/s; infinite where the cell gives none.
    #[must_use]
    pub fn tool_speed(&self) -> f64 {
        self.space.tool_speed.unwrap_or(f64::INFINITY)
    }

    /// Nearer than this to anything the arm slows down, metres.
    #[must_use]
    pub fn slow_zone(&self) -> f64 {
        self.space.slow_zone
    }

    /// The share of its speed that an arm may keep that is `here` and will be `ahead` in `secs` at
    /// that speed: 1 but where it goes too fast towards something that its stop, with `least` on
    /// its way, would end near. The way back is free.
    #[must_use]
    pub fn share(&self, least: &Room, here: &Room, ahead: &Room, secs: f64) -> f64 {
        let near = least.each().zip(here.each()).zip(ahead.each());
        let near = near.filter(|((least, _), _)| *least < self.space.slow_zone);
        let shares = near.map(|((_, here), ahead)| {
            let towards = (here - ahead) / secs;
            let most = (here / SLOWING_SECS).max(CREEP);
            if towards > most { most / towards } else { 1.0 }
        });
        shares.fold(1.0, f64::min)
    }

    /// The most speed that the end of any link can have, from `joints` on and until the arm
    /// stands, m/s.
    pub(crate) fn fastest(
        &self,
        model: &ArmModel,
        joints: &JointVec<Rad>,
        swings: &JointVec<Swing>,
    ) -> f64 {
        swing::fastest(model, &self.lengths, joints, swings)
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
        for (left, plane) in room.planes.iter_mut().zip(&self.space.planes) {
            for (_, end) in links.iter().skip(1) {
                *left = left.min(in_front(plane, end) - taken);
            }
        }
        let far = self.space.slow_zone.max(FAR) + taken;
        for (left, block) in room.boxes.iter_mut().zip(&self.space.keep_out) {
            for link in links.iter().skip(1) {
                *left = left.min(link_to_block(link, block, far) - taken);
            }
        }
        for (left, (first, second)) in room.links.iter_mut().zip(&self.pairs) {
            let pair = (
                links.get(usize::from(*first)),
                links.get(usize::from(*second)),
            );
            if let (Some(a), Some(b)) = pair {
                *left = between(a, b) - radius - taken;
            }
        }
        room
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::{Block, Plane};
    use crate::control::testing::{joints, so101};

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

    #[test]
    fn planes_are_met_like_walls() {
        let model = so101();
        let pose = joints([0.0, 0.2, 0.2, 0.5, 0.0, 0.0]);
        let tool = model.forward(&pose).tool.translation;
        let mut planes = Vec::new();
        planes
            .push(Plane {
                point: [tool.x + 0.03, 0.0, 0.0],
                normal: [-1.0, 0.0, 0.0],
            })
            .unwrap();
        let space = Space {
            planes,
            margin: 0.01,
            ..Space::default()
        };
        let clearance = Clearance::new(&model, space);
        assert!(!clearance.is_open());
        assert!((clearance.of(&model, &pose).least() - 0.02).abs() < 1e-9);
    }

    #[test]
    fn the_nearer_it_is_the_slower_it_may_go_on_and_the_way_back_is_free() {
        let space = Space {
            slow_zone: 0.03,
            ..Space::default()
        };
        let clearance = Clearance::new(&so101(), space);
        let at = |left| Room {
            boxes: [left; 8],
            ..Room::OPEN
        };
        let share =
            |here: f64, speed: f64| clearance.share(&at(here), &at(here), &at(here - speed), 1.0);
        assert_eq!(share(0.04, 1.0), 1.0);
        assert!((share(0.015, 0.2) - 0.5).abs() < 1e-9);
        assert!((share(0.0, 0.01) - 0.5).abs() < 1e-9);
        assert_eq!(share(0.0, -1.0), 1.0);
        assert_eq!(share(0.015, 0.09), 1.0);
    }
}
