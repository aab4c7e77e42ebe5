//! The simulated workcell.

mod drive;
pub mod scene;
pub mod world;

pub use drive::{Drive, Motion};
pub use scene::Scene;
pub use world::{Snapshot, World};
