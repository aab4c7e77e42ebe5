//! What the host says, into fixed buffers: ping, read, write, reboot, sync read and write.

use super::crc::Crc;
use super::packet::{AROUND, BROADCAST, HEADER, Packet, STUFFED, stuffing};
use crate::bus::request::{Frame, TooLong};

const PING: u8 = 0x01;
const READ: u8 = 0x02;
const WRITE: u8 = 0x03;
const REBOOT: u8 = 0x08;
const SYNC_READ: u8 = 0x82;
const SYNC_WRITE: u8 = 0x83;
const FAST_SYNC_READ: u8 = 0x8A;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instruction<'a> {
    /// Are you there? Answered with model and firmware.
    Ping {
        /// Who is asked.
        id: u8,
    },
    /// Give me `len` bytes from `address`.
    Read {
        /// Who is asked.
        id: u8,
        /// First register.
        address: u16,
        /// Bytes.
        len: u16,
    },
    /// Take these bytes from `address` on.
    Write {
        /// Who is told; [`BROADCAST`] tells all, and nobody answers.
        id: u8,
        /// First register.
        address: u16,
        /// The bytes.
        data: &'a [u8],
    },
    /// Start anew: the only way out of a hardware error, beside the power switch.
    Reboot {
        /// Who is told.
        id: u8,
    },
    /// Each of `ids` in turn: give me `len` bytes from `address`.
    SyncRead {
        /// First register.
        address: u16,
        /// Bytes a servo.
        len: u16,
        /// Who is asked, in the order of their answers.
        ids: &'a [u8],
    },
    /// The same, answered by all in one frame.
    FastSyncRead {
        /// First register.
        address: u16,
        /// Bytes a servo.
        len: u16,
        /// Who is asked, in the order of their answers.
        ids: &'a [u8],
    },
    /// Each takes its own bytes at the same time; nobody answers.
    SyncWrite {
        /// First register.
        address: u16,
        /// Bytes a servo.
        len: u16,
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
        let words = |address: u16, len: u16| {
            let ([a, b], [c, d]) = (address.to_le_bytes(), len.to_le_bytes());
            [a, b, c, d]
        };
        match *self {
            Instruction::Ping { id } => frame(id, PING, &[&[]]),
            Instruction::Reboot { id } => frame(id, REBOOT, &[&[]]),
            Instruction::Read { id, address, len } => frame(id, READ, &[&words(address, len)]),
            Instruction::Write { id, address, data } => {
                frame(id, WRITE, &[&address.to_le_bytes(), data])
            }
            Instruction::SyncRead { address, len, ids } => {
                frame(BROADCAST, SYNC_READ, &[&words(address, len), ids])
            }
            Instruction::FastSyncRead { address, len, ids } => {
                frame(BROADCAST, FAST_SYNC_READ, &[&words(address, len), ids])
            }
            Instruction::SyncWrite {
                address,
                len,
                entries,
            } => frame(BROADCAST, SYNC_WRITE, &[&words(address, len), entries]),
        }
    }

    /// Reads a frame as an instruction, its parameters put into `buffer`; `None` when it is
    /// another one, or its parameters do not fit it.
    #[must_use]
    pub fn parse(packet: &Packet<'_>, buffer: &'a mut [u8]) -> Option<Self> {
        let id = packet.id();
        let word = |low, high| u16::from_le_bytes([low, high]);
        match (packet.code(), packet.params(buffer)?) {
            (PING, []) => Some(Instruction::Ping { id }),
            (REBOOT, []) => Some(Instruction::Reboot { id }),
            (READ, &[a, b, c, d]) => Some(Instruction::Read {
                id,
                address: word(a, b),
                len: word(c, d),
            }),
            (WRITE, &[a, b, ref data @ ..]) if !data.is_empty() => Some(Instruction::Write {
                id,
                address: word(a, b),
                data,
            }),
            (code, &[a, b, c, d, ref rest @ ..]) if id == BROADCAST && !rest.is_empty() => {
                let (address, len) = (word(a, b), word(c, d));
                let whole = rest.len().checked_rem(usize::from(len) + 1) == Some(0);
                match code {
                    SYNC_READ => Some(Instruction::SyncRead {
                        address,
                        len,
                        ids: rest,
                    }),
                    FAST_SYNC_READ => Some(Instruction::FastSyncRead {
                        address,
                        len,
                        ids: rest,
                    }),
                    SYNC_WRITE if len > 0 && whole => Some(Instruction::SyncWrite {
                        address,
                        len,
                        entries: rest,
                    }),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// A frame from the pieces of its parameters.
fn frame(id: u8, code: u8, pieces: &[&[u8]]) -> Result<Frame, TooLong> {
    let params = || pieces.iter().flat_map(|piece| piece.iter().copied());
    let len = params().count() + stuffing(params()) + AROUND;
    let [low, high] = u16::try_from(len).map_err(|_| TooLong)?.to_le_bytes();
    let mut frame = Frame::new();
    let mut put = |bytes: &[u8]| frame.extend_from_slice(bytes).map_err(|_| TooLong);
    put(&HEADER)?;
    put(&[id, low, high, code])?;
    let mut last = [0; 3];
    for byte in params() {
        put(&[byte])?;
        let [_, b, c] = last;
        last = [b, c, byte];
        if last == STUFFED {
            put(&[0xFD])?;
        }
    }
    let check = Crc::of(&frame).bytes();
    frame.extend_from_slice(&check).map_err(|_| TooLong)?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golden(instruction: Instruction<'_>, bytes: &[u8]) {
        assert_eq!(instruction.emit().unwrap().as_slice(), bytes);
        let packet = Packet::new_checked(bytes).unwrap();
        let mut buffer = [0; 64];
        let parsed = Instruction::parse(&packet, &mut buffer);
        assert_eq!(parsed, Some(instruction));
    }

    #[test]
    fn ping_of_servo_one() {
        golden(
            Instruction::Ping { id: 1 },
            &[0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E],
        );
    }

    #[test]
    fn reboot_of_servo_one() {
        golden(
            Instruction::Reboot { id: 1 },
            &[0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x08, 0x2F, 0x4E],
        );
    }

    #[test]
    fn read_of_the_present_position() {
        golden(
            Instruction::Read {
                id: 1,
                address: 132,
                len: 4,
            },
            &[
                0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x07, 0x00, 0x02, 0x84, 0x00, 0x04, 0x00, 0x1D, 0x15,
            ],
        );
    }

    #[test]
    fn write_of_a_goal_position() {
        golden(
            Instruction::Write {
                id: 1,
                address: 116,
                data: &[0x00, 0x02, 0x00, 0x00],
            },
            &[
                0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x09, 0x00, 0x03, 0x74, 0x00, 0x00, 0x02, 0x00, 0x00,
                0xCA, 0x89,
            ],
        );
    }

    #[test]
    fn sync_read_of_two_positions() {
        golden(
            Instruction::SyncRead {
                address: 132,
                len: 4,
                ids: &[1, 2],
            },
            &[
                0xFF, 0xFF, 0xFD, 0x00, 0xFE, 0x09, 0x00, 0x82, 0x84, 0x00, 0x04, 0x00, 0x01, 0x02,
                0xCE, 0xFA,
            ],
        );
    }

    #[test]
    fn sync_write_of_two_goals() {
        golden(
            Instruction::SyncWrite {
                address: 116,
                len: 4,
                entries: &[1, 0x96, 0x00, 0x00, 0x00, 2, 0xAA, 0x00, 0x00, 0x00],
            },
            &[
                0xFF, 0xFF, 0xFD, 0x00, 0xFE, 0x11, 0x00, 0x83, 0x74, 0x00, 0x04, 0x00, 0x01, 0x96,
                0x00, 0x00, 0x00, 0x02, 0xAA, 0x00, 0x00, 0x00, 0x82, 0x87,
            ],
        );
    }

    #[test]
    fn six_servos_take_the_bytes_that_are_reckoned_with() {
        let ids = [1, 2, 3, 4, 5, 6];
        let entries = [0; 30];
        let goals = Instruction::SyncWrite {
            address: 116,
            len: 4,
            entries: &entries,
        };
        assert_eq!(goals.emit().unwrap().len(), 44);
        let read = Instruction::SyncRead {
            address: 126,
            len: 10,
            ids: &ids,
        };
        assert_eq!(read.emit().unwrap().len(), 20);
    }

    #[test]
    fn what_looks_like_a_header_is_stuffed() {
        let write = Instruction::Write {
            id: 1,
            address: 116,
            data: &[0xFF, 0xFF, 0xFD, 0x00],
        };
        let frame = write.emit().unwrap();
        let (length, body) = (frame.get(5..7).unwrap(), frame.get(10..15).unwrap());
        assert_eq!(length, [0x0A, 0x00]);
        assert_eq!(body, [0xFF, 0xFF, 0xFD, 0xFD, 0x00]);
    }

    #[test]
    fn a_frame_that_would_not_fit_is_refused() {
        let data = [0; 255];
        let write = Instruction::Write {
            id: 1,
            address: 40,
            data: &data,
        };
        assert_eq!(write.emit(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_parsed_back(
            id in 0u8..=0xFE,
            address: u16,
            data in prop::collection::vec(prop_oneof![Just(0xFFu8), Just(0xFD), any::<u8>()], 1..150),
        ) {
            let write = Instruction::Write { id, address, data: &data };
            let bytes = write.emit().unwrap();
            let packet = Packet::new_checked(&bytes).unwrap();
            let mut buffer = [0; 256];
            prop_assert_eq!(Instruction::parse(&packet, &mut buffer), Some(write));
            let again = bytes.windows(4).skip(1).filter(|w| *w == HEADER).count();
            prop_assert_eq!(again, 0, "no header shows inside a frame");
        }

        #[test]
        fn no_bytes_make_the_parser_panic(
            bytes in prop::collection::vec(prop_oneof![Just(0xFFu8), Just(0xFD), Just(0), any::<u8>()], 0..300),
        ) {
            if let Ok(packet) = Packet::new_checked(&bytes) {
                let _ = Instruction::parse(&packet, &mut [0; 64]);
            }
        }
    }
}
