//! The kernel's own drivers, without the hardware: runs inside the virtual machine that
//! `tests/vm/run` starts. A camera that is a test driver, an FTDI adapter that the machine emulates,
//! and a USB serial adapter (ttyACM) that the guest is itself, with a real unplugging.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod arm;
mod bridge;
mod cameras;
#[path = "../common/mod.rs"]
mod common;
mod ftdi;
mod gadget;
