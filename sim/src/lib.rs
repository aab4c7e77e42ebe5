//! The simulated workcell.

mod drive;

pub use drive::{Drive, Motion};
