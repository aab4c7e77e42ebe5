//! One frame as bytes: header, length and CRC are right, nothing is said about its meaning.
//!
//! `FF FF FD 00 ID LEN_L LEN_H CODE params… CRC_L CRC_H`, `LEN` = bytes from CODE to the end. In
//! what LEN counts, a further `FD` follows each `FF FF FD`, so that no header can show there; the
//! CRC is taken with it. Never knows registers or instructions.

use super::crc::Crc;

/// What every frame begins with; the last byte is reserved.
pub const HEADER: [u8; 4] = [0xFF, 0xFF, 0xFD, 0x00];
/// What is followed by a further `FD` inside a frame.
pub const STUFFED: [u8; 3] = [0xFF, 0xFF, 0xFD];
/// The id every servo listens to and none has.
pub const BROADCAST: u8 = 0xFE;
/// The highest id a servo can have.
pub const MAX_ID: u8 = 252;
/// Bytes before those that the length counts.
pub const HEAD: usize = 7;
/// Code and CRC, which the length counts beside the parameters.
pub const AROUND: usize = 3;
/// Bytes of a frame that are not parameters.
pub const OVERHEAD: usize = HEAD + AROUND;

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Fewer bytes than its length asks for, or than any frame has.
    #[error("a frame of {received} bytes is cut short: {expected} expected")]
    Truncated {
        /// Bytes needed.
        expected: usize,
        /// Bytes there.
        received: usize,
    },
    /// It does not begin with `FF FF FD 00`.
    #[error("a frame begins with FF FF FD 00")]
    NoHeader,
    /// Its length is below 3.
    #[error("the length of a frame is {0}, at least 3 is needed")]
    BadLength(u16),
    /// The CRC does not match.
    #[error("CRC {received:02x?}, {expected:02x?} expected")]
    Crc {
        /// As computed.
        expected: [u8; 2],
        /// As received.
        received: [u8; 2],
    },
}

/// A checked frame; bytes after it are not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    id: u8,
    code: u8,
    stuffed: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks header, length and CRC of the frame at the beginning of `bytes`.
    ///
    /// # Errors
    /// When there is no whole and right frame there.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let truncated = |expected| PacketError::Truncated {
            expected,
            received: bytes.len(),
        };
        let &[h0, h1, h2, h3, id, low, high, code, ref rest @ ..] = bytes else {
            return Err(truncated(OVERHEAD));
        };
        if [h0, h1, h2, h3] != HEADER {
            return Err(PacketError::NoHeader);
        }
        let len = u16::from_le_bytes([low, high]);
        let Some(count) = usize::from(len).checked_sub(AROUND) else {
            return Err(PacketError::BadLength(len));
        };
        let (Some(stuffed), Some(&[low, high])) =
            (rest.get(..count), rest.get(count..count.saturating_add(2)))
        else {
            return Err(truncated(OVERHEAD + count));
        };
        let covered = bytes.get(..HEAD + 1 + count).unwrap_or(&[]);
        let (expected, received) = (Crc::of(covered).bytes(), [low, high]);
        if expected != received {
            return Err(PacketError::Crc { expected, received });
        }
        Ok(Packet { id, code, stuffed })
    }

    /// Who sends it (status) or is meant (instruction).
    #[must_use]
    pub fn id(&self) -> u8 {
        self.id
    }

    /// The instruction, or that it is a status.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// The parameters as on the wire, with the stuffing.
    #[must_use]
    pub fn stuffed(&self) -> &'a [u8] {
        self.stuffed
    }

    /// The parameters without the stuffing, put into `buffer`; `None` when they do not fit, or
    /// what should be stuffed is not.
    #[must_use]
    pub fn params<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let mut held = 0;
        // The code stands before the parameters, and no code is one of the bytes to be stuffed.
        let mut rest = self.stuffed.iter();
        while let Some(byte) = rest.next() {
            *buffer.get_mut(held)? = *byte;
            held += 1;
            let ends_with = |tail: &[u8]| buffer.get(..held).is_some_and(|b| b.ends_with(tail));
            if ends_with(&STUFFED) && rest.next() != Some(&0xFD) {
                return None;
            }
        }
        buffer.get(..held)
    }
}

/// How many bytes of stuffing `params` need.
#[must_use]
pub fn stuffing(params: impl Iterator<Item = u8>) -> usize {
    let mut last = [0; 3];
    let mut count = 0;
    for byte in params {
        let [_, b, c] = last;
        last = [b, c, byte];
        if last == STUFFED {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_ping_frame_is_read_from_its_bytes() {
        let bytes = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E];
        let packet = Packet::new_checked(&bytes).unwrap();
        assert_eq!((packet.id(), packet.code()), (1, 1));
        assert!(packet.stuffed().is_empty());
    }

    #[test]
    fn each_kind_of_damage_has_its_name() {
        let good = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E];
        let with = |at: usize, byte| {
            let mut bytes = good;
            bytes[at] = byte;
            bytes
        };
        assert_eq!(
            Packet::new_checked(&good[..9]),
            Err(PacketError::Truncated {
                expected: 10,
                received: 9
            })
        );
        assert_eq!(Packet::new_checked(&with(3, 1)), Err(PacketError::NoHeader));
        assert_eq!(
            Packet::new_checked(&with(5, 2)),
            Err(PacketError::BadLength(2))
        );
        assert_eq!(
            Packet::new_checked(&with(9, 0x4F)),
            Err(PacketError::Crc {
                expected: [0x19, 0x4E],
                received: [0x19, 0x4F]
            })
        );
    }

    #[test]
    fn stuffing_is_counted_and_taken_out_again() {
        let params = [0xFF, 0xFF, 0xFD, 0xFF, 0xFF, 0xFD, 0x01];
        assert_eq!(stuffing(params.into_iter()), 2);
        let packet = Packet {
            id: 1,
            code: 3,
            stuffed: &[0xFF, 0xFF, 0xFD, 0xFD, 0xFF, 0xFF, 0xFD, 0xFD, 0x01],
        };
        assert_eq!(packet.params(&mut [0; 16]), Some(&params[..]));
        assert_eq!(packet.params(&mut [0; 6]), None);
        let unstuffed = Packet {
            stuffed: &[0xFF, 0xFF, 0xFD, 0x00],
            ..packet
        };
        assert_eq!(unstuffed.params(&mut [0; 16]), None);
    }
}
