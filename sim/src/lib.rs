//! A simulated SO-101 workcell that speaks the real wire.
//!
//! Bytes on a line → registers → servo loops → rigid bodies → pictures and ground truth. The core
//! is deterministic and runs in virtual time; a real-time shell runs around it. It
//! knows nothing of any controller: they meet on the wire.

mod drive;
pub mod faults;
pub mod scene;
pub mod servo;
pub mod world;

pub use drive::{Drive, Motion};
pub use scene::Scene;
pub use world::{Snapshot, World};
