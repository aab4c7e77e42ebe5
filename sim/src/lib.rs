//! A simulated SO-101 workcell that speaks the real wire.
//!
//! Bytes on a line → registers → servo loops → rigid bodies → pictures and ground truth. The core
//! is deterministic and runs in virtual time; [`process`] is the real-time shell around it. It
//! knows nothing of any controller: they meet on the wire.

mod drive;
pub mod faults;
pub mod hands;
pub mod process;
pub mod render;
pub mod scene;
pub mod servo;
pub mod workcell;
pub mod world;

pub use drive::{Drive, Motion};
pub use render::{Image, Renderer};
pub use scene::Scene;
pub use workcell::Workcell;
pub use world::{Snapshot, World};
