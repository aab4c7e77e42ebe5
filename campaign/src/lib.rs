//! The fault campaign: the control core and simulated servos in virtual time.
//!
//! In the order of a tick: [`beat`] wakes the loop, [`line`] reads the [`servo`]s, [`operator`] and
//! [`runner`] (with its [`plans`]) ask for things, [`buttons`] are pressed and let go, the real core
//! decides, [`invariants`] judge, and
//! the goals go back to the servos. [`fault`] strikes any of them. [`scenario`] is one such run
//! from one seed, [`campaign`] is many on all cores.
//!
//! In some scenarios [`wire`] brings in the guard's own transaction. Never reads a clock (the
//! transaction does, with deadlines that do not matter) and never shares a judgement with the code
//! under test.

mod admission;
mod beat;
mod buttons;
pub mod campaign;
pub mod cell;
pub mod digest;
pub mod fault;
mod health;
mod invariants;
mod law;
pub mod line;
mod motion;
pub mod operator;
#[path = "../../src/guard/pace.rs"]
mod pace;
pub mod plans;
pub mod rng;
mod room;
pub mod runner;
pub mod scenario;
pub mod servo;
mod shape;
pub mod tally;
mod touch;
mod wire;

// The guard's row of deadlines finds its units here.
use surehand::units;
