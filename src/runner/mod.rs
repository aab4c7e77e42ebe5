//! The runner.
pub mod guard_process;
pub mod history;
pub mod link;
pub mod moves;
