//! What the host says, into fixed buffers: ping, read, write, sync read, sync write.

use super::packet::{BROADCAST, HEADER, Packet, checksum};
use crate::bus::request::{Frame, TooLong};

const PING: u8 = 0x01;
const READ: u8 = 0x02;
const WRITE: u8 = 0x03;
const SYNC_READ: u8 = 0x82;
const SYNC_WRITE: u8 = 0x83;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instruction<'a> {
    /// Are you there?
    Ping {
        /// Who is asked.
        id: u8,
    },
    /// Give me `len` bytes from `address`.
    Read {
        /// Who is asked.
        id: u8,
        /// First register.
        address: u8,
        /// Bytes.
        len: u8,
    },
    /// Take these bytes from `address` on.
    Write {
        /// Who is told; [`BROADCAST`] tells all, and nobody answers.
        id: u8,
        /// First register.
        address: u8,
        /// The bytes.
        data: &'a [u8],
    },
    /// Each of `ids` in turn: give me `len` bytes from `address`.
    SyncRead {
        /// First register.
        address: u8,
        /// Bytes a servo.
        len: u8,
        /// Who is asked, in the order of their answers.
        ids: &'a [u8],
    },
    /// Each takes its own bytes at the same time; nobody answers.
    SyncWrite {
        /// First register.
        address: u8,
        /// Bytes a servo.
        len: u8,
        /// `id data…` of one servo after another.
        entries: &'a [u8],
    },
}

impl<'a> Instruction<'a> {
    /// The instruction as a frame.
    ///
    /// # Errors
    /// When its parameters exceed what a frame can carry.
    pub fn emit(&self) -> Result<Frame, TooLong> {
        match *self {
            Instruction::Ping { id } => frame(id, PING, &[&[]]),
            Instruction::Read { id, address, len } => frame(id, READ, &[&[address, len]]),
            Instruction::Write { id, address, data } => frame(id, WRITE, &[&[address], data]),
            Instruction::SyncRead { address, len, ids } => {
                frame(BROADCAST, SYNC_READ, &[&[address, len], ids])
            }
            Instruction::SyncWrite {
                address,
                len,
                entries,
            } => frame(BROADCAST, SYNC_WRITE, &[&[address, len], entries]),
        }
    }

    /// Reads a frame as an instruction; `None` when it is another one, or its parameters do not
    /// fit it.
    #[must_use]
    pub fn parse(packet: &Packet<'a>) -> Option<Self> {
        let id = packet.id();
        match (packet.code(), packet.params()) {
            (PING, []) => Some(Instruction::Ping { id }),
            (READ, &[address, len]) => Some(Instruction::Read { id, address, len }),
            (WRITE, &[address, ref data @ ..]) if !data.is_empty() => {
                Some(Instruction::Write { id, address, data })
            }
            (SYNC_READ, &[address, len, ref ids @ ..]) if id == BROADCAST && !ids.is_empty() => {
                Some(Instruction::SyncRead { address, len, ids })
            }
            (SYNC_WRITE, &[address, len, ref entries @ ..])
                if id == BROADCAST
                    && len > 0
                    && !entries.is_empty()
                    && entries.len() % (usize::from(len) + 1) == 0 =>
            {
                Some(Instruction::SyncWrite {
                    address,
                    len,
                    entries,
                })
            }
            _ => None,
        }
    }
}

/// A frame from the pieces of its parameters.
fn frame(id: u8, code: u8, pieces: &[&[u8]]) -> Result<Frame, TooLong> {
    let params = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    let len = u8::try_from(params + 2).map_err(|_| TooLong)?;
    let mut frame = Frame::new();
    let head = [HEADER, HEADER, id, len, code];
    frame.extend_from_slice(&head).map_err(|_| TooLong)?;
    for piece in pieces {
        frame.extend_from_slice(piece).map_err(|_| TooLong)?;
    }
    let check = checksum(id, len, code, frame.get(head.len()..).unwrap_or(&[]));
    frame.push(check).map_err(|_| TooLong)?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golden(instruction: Instruction<'_>, bytes: &[u8]) {
        assert_eq!(instruction.emit().unwrap().as_slice(), bytes);
        let packet = Packet::new_checked(bytes).unwrap();
        assert_eq!(Instruction::parse(&packet), Some(instruction));
    }

    #[test]
    fn ping_of_servo_one() {
        golden(
            Instruction::Ping { id: 1 },
            &[0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB],
        );
    }

    #[test]
    fn read_of_the_present_position() {
        // ~(01 + 04 + 02 + 38 + 02) = ~41
        golden(
            Instruction::Read {
                id: 1,
                address: 0x38,
                len: 2,
            },
            &[0xFF, 0xFF, 0x01, 0x04, 0x02, 0x38, 0x02, 0xBE],
        );
    }

    #[test]
    fn torque_off_for_everybody() {
        // ~(FE + 04 + 03 + 28 + 00) = ~2D
        golden(
            Instruction::Write {
                id: BROADCAST,
                address: 40,
                data: &[0],
            },
            &[0xFF, 0xFF, 0xFE, 0x04, 0x03, 0x28, 0x00, 0xD2],
        );
    }

    #[test]
    fn sync_read_of_position_to_temperature_of_six_servos() {
        // LEN = 6 + 4; ~(FE + 0A + 82 + 38 + 08 + 1 + 2 + 3 + 4 + 5 + 6) = ~DF
        golden(
            Instruction::SyncRead {
                address: 56,
                len: 8,
                ids: &[1, 2, 3, 4, 5, 6],
            },
            &[
                0xFF, 0xFF, 0xFE, 0x0A, 0x82, 0x38, 0x08, 1, 2, 3, 4, 5, 6, 0x20,
            ],
        );
    }

    #[test]
    fn sync_write_of_two_goal_positions() {
        // LEN = 3 · 2 + 4; ~(FE + 0A + 83 + 2A + 02 + 01 + FF + 07 + 02 + 00 + 08) = ~C8
        golden(
            Instruction::SyncWrite {
                address: 42,
                len: 2,
                entries: &[1, 0xFF, 0x07, 2, 0x00, 0x08],
            },
            &[
                0xFF, 0xFF, 0xFE, 0x0A, 0x83, 0x2A, 0x02, 1, 0xFF, 0x07, 2, 0x00, 0x08, 0x37,
            ],
        );
    }

    #[test]
    fn a_frame_that_would_not_fit_is_refused() {
        let data = [0; 253];
        let write = Instruction::Write {
            id: 1,
            address: 40,
            data: &data,
        };
        assert_eq!(write.emit(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_parsed_back(id in 0u8..=0xFE, address: u8,
                                          data in prop::collection::vec(any::<u8>(), 1..200)) {
            let write = Instruction::Write { id, address, data: &data };
            let bytes = write.emit().unwrap();
            let packet = Packet::new_checked(&bytes).unwrap();
            prop_assert_eq!(Instruction::parse(&packet), Some(write));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(packet) = Packet::new_checked(&bytes) {
                let _ = Instruction::parse(&packet);
            }
        }
    }
}
