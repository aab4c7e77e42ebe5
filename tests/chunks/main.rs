//! Chunks of a policy in time: what comes late, disagrees or does not come at all.
//!
//! The control core, the runner's joining of chunks and its pace are driven in virtual time, with a
//! policy whose successive chunks disagree by a known amount; whole processes with inference that is
//! held up follow. The table of seams is printed by
//! `cargo test --test chunks table -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod delays;
mod process;
mod rig;
mod setup;
#[path = "../common/so101.rs"]
mod so101;
mod table;
mod watched;
