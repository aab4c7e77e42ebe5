//! What a graph made for real-time chunking is told of the plan that the arm is following, so that
//! its next chunk goes on from there.
//!
//! Owns what is told; which graphs ask for it is the package's, and what is left of a plan the
//! runner's.

use super::noise::Noise;
use super::package::ChunkPart;
use crate::messages::Plan;

/// What is told with an observation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Continuation<'a> {
    /// Where each arm's plan leads at the steps of the chunk to come; none where nothing is
    /// followed, and then the chunk is led by nothing.
    pub left_over: &'a [Plan],
    /// Steps that will be consumed or under way by the time the chunk comes.
    pub delay: u32,
    /// The step from which on the chunk is free.
    pub horizon: u32,
    /// The most that it is led.
    pub max_guidance_weight: f64,
}

/// The same as a graph takes it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Told {
    /// Rows of actions as the graph puts them out, not longer than what there is.
    pub(super) rows: Vec<f32>,
    pub(super) delay: f32,
    pub(super) horizon: f32,
    pub(super) max_guidance_weight: f32,
    /// Where the numbers come from that a policy makes its actions of.
    pub(super) noise: Noise,
}

impl Told {
    /// `continuation` with its plan in `rows`. With none left the horizon is 0: zeros are no chunk
    /// to go on from.
    pub(super) fn of(continuation: &Continuation<'_>, rows: Vec<f32>, noise: Noise) -> Told {
        if rows.is_empty() {
            return Told {
                noise,
                ..Told::default()
            };
        }
        Told {
            rows,
            delay: continuation.delay as f32,
            horizon: continuation.horizon as f32,
            max_guidance_weight: continuation.max_guidance_weight as f32,
            noise,
        }
    }

    /// `part` as a whole number, where it is one: steps, exact far beyond any chunk.
    pub(super) fn steps(&self, part: ChunkPart) -> i32 {
        match part {
            ChunkPart::Delay => self.delay as i32,
            ChunkPart::Horizon => self.horizon as i32,
            ChunkPart::LeftOver | ChunkPart::Guidance => 0,
        }
    }

    /// Puts `part` of it into `data`.
    pub(super) fn put(&self, part: ChunkPart, data: &mut [f32]) {
        match part {
            ChunkPart::LeftOver => {
                data.fill(0.0);
                for (slot, value) in data.iter_mut().zip(&self.rows) {
                    *slot = *value;
                }
            }
            ChunkPart::Delay => data.fill(self.delay),
            ChunkPart::Horizon => data.fill(self.horizon),
            ChunkPart::Guidance => data.fill(self.max_guidance_weight),
        }
    }
}
