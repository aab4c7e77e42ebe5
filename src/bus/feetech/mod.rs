//! The Feetech STS wire format: bytes apart from meaning.
//!
//! Real time: nothing below this folder allocates, blocks or reads a clock.
//! Owns frames, checksums, sign-magnitude numbers and the register map. Never does I/O.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

pub mod instruction;
pub mod packet;
pub mod register;
pub mod scan;
pub mod status;

pub use instruction::Instruction;
pub use packet::{BROADCAST, MAX_FRAME, MAX_ID, Packet, PacketError};
