//! Every fault to survive, struck on whole processes over the simulated bus while the arm moves,
//! each measured on the wire from the injection to the first goal that brakes.
//!
//! The table of reactions at many phases is printed by
//! `cargo test --test rows table -- --ignored --nocapture`; SUREHAND_TRIALS says how many (20 when
//! left out), SUREHAND_ROW which row alone.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may panic")]

mod approvals;
#[path = "../common/mod.rs"]
mod common;
mod line;
mod machine;
mod measure;
mod operators;
mod policies;
mod processes;
mod promises;
mod records;
mod registry;
mod row;
mod strike;
mod struck;
mod watchdog;
