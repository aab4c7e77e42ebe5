//! What a cell says about successive chunks of a policy: how they become one plan, and how late they
//! are made to come.

use std::time::Duration;

/// How a new chunk is joined to what is left of those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Joining {
    /// The chunk before runs to its end, and the new one goes on from there.
    Append,
    /// The plan changes over to the new one, step by step.
    CrossFade,
    /// Every step is a weighted mean of what all chunks say of it.
    Ensemble,
}

impl Joining {
    /// As the cell file spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Joining::Append => "append",
            Joining::CrossFade => "cross-fade",
            Joining::Ensemble => "ensemble",
        }
    }
}

/// How a job executes chunks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChunkSection {
    /// `None`: as the package was evaluated, or by a cross-fade.
    pub joining: Option<Joining>,
    /// The step of a chunk by which a cross-fade is over, counted from its first: LeRobot's
    /// `execution_horizon`.
    pub horizon: u16,
    /// An ensemble weighs prediction `i`, 0 the oldest, with exp(−m · i); `None` as the package
    /// says, or 0.01.
    pub ensemble_m: Option<f64>,
    /// The most that a graph made for real-time chunking is led by the chunk before.
    pub max_guidance_weight: f64,
}

impl Default for ChunkSection {
    fn default() -> ChunkSection {
        ChunkSection {
            joining: None,
            horizon: 10,
            ensemble_m: None,
            max_guidance_weight: 10.0,
        }
    }
}

/// By how much inference is held up on purpose, to try how a cell fares with a slower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldUpSection {
    /// Each inference by this.
    pub by: Duration,
    /// And by up to this more, differently each time.
    pub jitter: Duration,
    /// Inference `stall_at`, counted from 1, by this more.
    pub stall: Duration,
    /// Which inference stalls.
    pub stall_at: u64,
}
