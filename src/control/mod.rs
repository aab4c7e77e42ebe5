//! The control core: a pure function of time, inputs and its own state.
//!
//! Real time: no allocation, lock, log, clock, randomness or I/O anywhere below this folder.
//! The same inputs give the same bytes twice.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::as_conversions,
        clippy::panic
    )
)]

mod clearance;
mod config;
mod core;
mod io;
mod leader;
mod limiter;
mod mode;
mod monitor;
mod park;
mod plan;
mod resort;
mod route;
mod safety;
#[cfg(test)]
mod testing;

pub use clearance::{Clearance, Room};
pub use config::{ConfigError, CoreConfig, MonitorConfig, PlanRules};
pub use core::{Core, Counters};
pub use io::{
    Inputs, JointReading, Link, ReadFault, Relay, SafetyInputs, Signals, Step, TorqueAct,
};
pub use limiter::{Around, JointCommand, Limiter, Measured};
pub use mode::Torque;
pub use plan::Lag;
