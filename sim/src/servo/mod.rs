//! Six STS3215 servos as bytes: what the host sends comes in with a time stamp, what the servos
//! answer goes out with the time each reply is due.
//!
//! Owns the wire format, the register map, the servo's own control loop and its protections.
//! Never reads a clock, never owns a device, and knows nothing of any host software: its codec
//! is its own, so that simulator and controller cannot share a mistake.
//!
//! - [`packet`]: bytes on the wire, and the parser that finds requests in them
//! - [`registers`], [`memory`]: the register map and what it remembers over a power cut
//! - [`device`]: one servo answering requests
//! - [`motor`], [`protection`]: one servo moving its joint, and looking after itself
//! - [`line`]: when bytes are on the line, and what faults do to them
//! - [`bank`]: several servos on one line
//! - [`log`]: what has passed over it

pub mod bank;
pub mod device;
pub mod line;
pub mod log;
pub mod memory;
pub mod motor;
pub mod packet;
pub mod protection;
pub mod registers;

pub use bank::{Bank, Counters};
pub use device::{Servo, Setup};
pub use log::{Direction, WireFrame, WireLog};
