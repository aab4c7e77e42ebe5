//! Whether the arm stays where it may be: inside its walls and outside of its boxes.
//!
//! Owns its own geometry, of the ends of links alone. Knows the way of a goal that is pulled to
//! its joint: there the lead is the stronger limit.

use surehand::arm::{ArmModel, Block, Space};
use surehand::units::{JointVec, Rad};

use crate::motion::{Broken, broken};

/// Metres by which an arm that begins outside may get deeper before it gets out: 20 mm were seen,
/// once in a hundred hours. From inside, ten hours of faults never took it out by 5 mm.
const BRAKING: f64 = 0.03;

/// The space around one arm, and how much of it was left.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    space: Space,
    /// What was left where it began outside, and since it is inside.
    least: f64,
}

impl Room {
    pub(crate) fn new(space: Space) -> Room {
        Room {
            space,
            least: f64::NEG_INFINITY,
        }
    }

    /// The goals begin anew.
    pub(crate) fn forget(&mut self) {
        self.least = f64::NEG_INFINITY;
    }

    /// Takes in the goals of a tick; `pulled` when the lead had a say in one of them.
    ///
    /// # Errors
    /// When they lead out of the space, or farther out.
    pub(crate) fn step(
        &mut self,
        model: &ArmModel,
        goals: &JointVec<Rad>,
        pulled: bool,
    ) -> Result<(), Broken> {
        if self.space.walls.is_none() && self.space.keep_out.is_empty() {
            return Ok(());
        }
        let left = self.left(model, goals);
        if pulled {
            self.least = left;
            return Ok(());
        }
        if left < self.least.min(0.0) - BRAKING {
            return broken(
                "the arm stays inside its walls and out of its boxes",
                format!("{left} m left after {} m", self.least),
            );
        }
        if left >= 0.0 {
            self.least = left;
        }
        Ok(())
    }

    /// The room that is left to the nearest wall or box.
    fn left(&self, model: &ArmModel, goals: &JointVec<Rad>) -> f64 {
        let pose = model.forward(goals);
        let joints = pose.axes().skip(2).map(|(_, origin)| *origin);
        let radius = self.space.link_radius.unwrap_or(0.0);
        let mut least = f64::INFINITY;
        for end in joints.chain(std::iter::once(pose.tool.translation)) {
            let point = [end.x, end.y, end.z];
            if let Some(walls) = &self.space.walls {
                least = least.min(depth(walls, point));
            }
            for block in &self.space.keep_out {
                least = least.min(distance(block, point));
            }
        }
        least - radius
    }
}

/// How far `point` is outside `block`, below zero inside.
fn distance(block: &Block, point: [f64; 3]) -> f64 {
    let depth = depth(block, point);
    if depth >= 0.0 {
        return -depth;
    }
    let beyond = |axis: usize| {
        (block.min[axis] - point[axis])
            .max(point[axis] - block.max[axis])
            .max(0.0)
    };
    (0..3).map(|axis| beyond(axis).powi(2)).sum::<f64>().sqrt()
}

/// How deep `point` is inside `block`, below zero outside.
fn depth(block: &Block, point: [f64; 3]) -> f64 {
    (0..3)
        .map(|axis| (point[axis] - block.min[axis]).min(block.max[axis] - point[axis]))
        .fold(f64::INFINITY, f64::min)
}
