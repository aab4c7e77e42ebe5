//! Servos of Dynamixel's X series: their own wire format, register map and manners.
//!
//! - [`packet`]: bytes on the wire, and the parser that finds requests in them
//! - [`registers`], [`memory`]: the register map, who may write what and when
//! - [`device`]: one servo answering requests, with its shutdown and its bus watchdog

pub mod device;
pub mod memory;
pub mod packet;
pub mod registers;

pub use device::XServo;
