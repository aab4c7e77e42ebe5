//! The simulated workcell.

mod drive;
pub mod render;
pub mod scene;
pub mod world;

pub use drive::{Drive, Motion};
pub use render::{Image, Renderer};
pub use scene::Scene;
pub use world::{Snapshot, World};
