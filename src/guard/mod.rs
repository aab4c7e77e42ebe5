//! The guard: the controller box in a process, sole owner of the serial port.
//!
//! Owns the real-time thread, its pacing, its sockets and the port: the shell around control and
//! bus. It links no camera, policy or web code into its loop, and its loop decides nothing: the
//! control core does.

mod audit;
mod claim;
mod clients;
mod holder;
mod inputs;
mod pace;
mod port;
mod recent;
mod relay;
pub mod settings;
mod shell;
mod status;
mod vigil;
mod watchdogs;

use std::path::Path;

use crate::cell::Cell;

/// How a guard comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// The first one.
    Fresh,
    /// In place of one that was lost: it takes over an arm that may be moving.
    Replacing,
    /// In place of one whose port was unplugged and is there again.
    Replugged,
}

/// Why a guard does not run.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A file is wrong; nothing was touched.
    #[error("{0}")]
    Configuration(String),
    /// The port or a servo is not there or not right; no torque was switched on.
    #[error("{0}")]
    Hardware(String),
}

/// Runs the guard of `cell`, listening at `socket`, until it is told to end.
///
/// # Errors
/// One line, when it can't come up.
pub fn run(cell: &Cell, socket: &Path, boot: Boot) -> Result<(), GuardError> {
    shell::Shell::start(cell, socket, boot)?.run();
    Ok(())
}
