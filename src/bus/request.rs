//! What the host asks of servos, whatever their family, and the frame that carries it.
//!
//! Owns the choice of the family's codec. Never knows a register.
//!
//! Real time: nothing here allocates, blocks or reads a clock.

use super::register::Block;
use super::{dynamixel, feetech};
use crate::arm::Family;

/// The longest frame either family's instructions fill.
pub const MAX_FRAME: usize = 4 + 255;

/// A buffer that holds any one frame.
pub type Frame = heapless::Vec<u8, MAX_FRAME>;

/// The parameters do not fit into one frame, or an address not into its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an instruction with more parameters than a frame can carry")]
pub struct TooLong;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Are you there?
    Ping {
        /// Who is asked.
        id: u8,
    },
    /// Everybody takes these bytes from `address` on; nobody answers.
    WriteAll {
        /// First register.
        address: u16,
        /// The bytes.
        data: &'a [u8],
    },
    /// Each of `ids` in turn gives a block in a frame of its own.
    SyncRead {
        /// The registers.
        block: Block,
        /// Who is asked, in the order of their answers.
        ids: &'a [u8],
    },
    /// Each of `ids` adds a block to one frame; for families that know it, else as
    /// [`Request::SyncRead`].
    FastSyncRead {
        /// The registers.
        block: Block,
        /// Who is asked, in the order of their answers.
        ids: &'a [u8],
    },
    /// Each takes its own bytes at the same time; nobody answers.
    SyncWrite {
        /// First register.
        address: u16,
        /// Bytes a servo.
        len: u8,
        /// `id data…` of one servo after another.
        entries: &'a [u8],
    },
}

impl Request<'_> {
    /// The request as a frame of `family`.
    ///
    /// # Errors
    /// When its parameters exceed what a frame can carry.
    pub fn emit(&self, family: Family) -> Result<Frame, TooLong> {
        match family {
            Family::Feetech => self.feetech(),
            Family::Dynamixel => self.dynamixel().emit(),
        }
    }

    fn feetech(&self) -> Result<Frame, TooLong> {
        use feetech::Instruction;
        let short = |address: u16| u8::try_from(address).map_err(|_| TooLong);
        match *self {
            Request::Ping { id } => Instruction::Ping { id },
            Request::WriteAll { address, data } => Instruction::Write {
                id: feetech::BROADCAST,
                address: short(address)?,
                data,
            },
            Request::SyncRead { block, ids } | Request::FastSyncRead { block, ids } => {
                Instruction::SyncRead {
                    address: short(block.address)?,
                    len: block.len,
                    ids,
                }
            }
            Request::SyncWrite {
                address,
                len,
                entries,
            } => Instruction::SyncWrite {
                address: short(address)?,
                len,
                entries,
            },
        }
        .emit()
    }

    fn dynamixel(&self) -> dynamixel::Instruction<'_> {
        use dynamixel::Instruction;
        match *self {
            Request::Ping { id } => Instruction::Ping { id },
            Request::WriteAll { address, data } => Instruction::Write {
                id: dynamixel::BROADCAST,
                address,
                data,
            },
            Request::SyncRead { block, ids } => Instruction::SyncRead {
                address: block.address,
                len: u16::from(block.len),
                ids,
            },
            Request::FastSyncRead { block, ids } => Instruction::FastSyncRead {
                address: block.address,
                len: u16::from(block.len),
                ids,
            },
            Request::SyncWrite {
                address,
                len,
                entries,
            } => Instruction::SyncWrite {
                address,
                len: u16::from(len),
                entries,
            },
        }
    }
}
