//! An arm's servos as bytes: what the host sends comes in with a time stamp, what the servos
//! answer goes out with the time each reply is due.
//!
//! Owns the wire formats, the register maps, the servo's own control loop and its protections.
//! Never reads a clock, never owns a device, and knows nothing of any host software: its codecs
//! are its own, so that simulator and controller cannot share a mistake.
//!
//! - [`model`]: what kinds of servo there are
//! - [`packet`], [`registers`], [`memory`], [`device`]: Feetech's STS3215: bytes on the wire, the
//!   register map and what it remembers over a power cut, one servo answering requests
//! - [`dynamixel`]: the same of Dynamixel's X series
//! - [`either`]: a servo of whichever family
//! - [`motor`], [`protection`]: one servo moving its joint, and looking after itself
//! - `bench`, `collision`: which servos hang on the line, and what two at once make of it
//! - [`line`]: when bytes are on the line, and what faults do to them
//! - [`bank`]: several servos on one line
//! - [`log`]: what has passed over it

pub mod bank;
mod bench;
mod collision;
pub mod device;
pub mod dynamixel;
pub mod either;
pub mod line;
pub mod log;
pub mod memory;
pub mod model;
pub mod motor;
pub mod packet;
pub mod protection;
pub mod registers;

pub use bank::{Bank, Counters};
pub use device::Setup;
pub use either::Servo;
pub use log::{Direction, WireFrame, WireLog};
pub use model::Model;
