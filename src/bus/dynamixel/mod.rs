//! The wire format of Dynamixel's protocol 2.0 as the X series speaks it: bytes apart from meaning.
//!
//! Real time: nothing below this folder allocates, blocks or reads a clock.
//! Owns frames, byte stuffing, the CRC, and the register map. Never does I/O.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

pub mod crc;
pub mod instruction;
pub mod model;
pub mod packet;
pub mod register;
pub mod scan;
pub mod status;

pub use crc::Crc;
pub use instruction::Instruction;
pub use model::Model;
pub use packet::{BROADCAST, MAX_ID, Packet, PacketError};
