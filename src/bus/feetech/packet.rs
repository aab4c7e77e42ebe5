//! One frame as bytes: header, length and checksum are right, nothing is said about its meaning.
//!
//! `FF FF ID LEN CODE params… CHK`, `LEN = params + 2`, `CHK = !(ID + LEN + CODE + params)`.
//! Never knows registers or instructions.

/// The id every servo listens to and none has.
pub const BROADCAST: u8 = 0xFE;
/// The highest id a servo can have.
pub const MAX_ID: u8 = 0xFD;
/// The longest frame: two header bytes, id, length byte and what the length byte can count.
pub const MAX_FRAME: usize = 4 + 255;
/// Bytes of a frame that are not parameters.
pub const OVERHEAD: usize = 6;
/// Both bytes of the header.
pub const HEADER: u8 = 0xFF;

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Fewer bytes than the length byte asks for, or than any frame has.
    #[error("a frame of {received} bytes is cut short: {expected} expected")]
    Truncated {
        /// Bytes needed.
        expected: usize,
        /// Bytes there.
        received: usize,
    },
    /// It does not begin with `FF FF`.
    #[error("a frame begins with FF FF")]
    NoHeader,
    /// The length byte is below 2.
    #[error("the length byte of a frame is {0}, at least 2 is needed")]
    BadLength(u8),
    /// The checksum does not match.
    #[error("checksum {received:#04x}, {expected:#04x} expected")]
    Checksum {
        /// As computed.
        expected: u8,
        /// As received.
        received: u8,
    },
}

/// A checked frame; bytes after it are not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    id: u8,
    code: u8,
    params: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks header, length and checksum of the frame at the beginning of `bytes`.
    ///
    /// # Errors
    /// When there is no whole and right frame there.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let &[h0, h1, id, len, code, ref rest @ ..] = bytes else {
            return Err(PacketError::Truncated {
                expected: OVERHEAD,
                received: bytes.len(),
            });
        };
        if h0 != HEADER || h1 != HEADER {
            return Err(PacketError::NoHeader);
        }
        let Some(params) = usize::from(len).checked_sub(2) else {
            return Err(PacketError::BadLength(len));
        };
        let (Some(params), Some(&received)) = (rest.get(..params), rest.get(params)) else {
            return Err(PacketError::Truncated {
                expected: OVERHEAD + params,
                received: bytes.len(),
            });
        };
        let expected = checksum(id, len, code, params);
        if received != expected {
            return Err(PacketError::Checksum { expected, received });
        }
        Ok(Packet { id, code, params })
    }

    /// Who sends it (status) or is meant (instruction).
    #[must_use]
    pub fn id(&self) -> u8 {
        self.id
    }

    /// The instruction, or the error bits of a status frame.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &'a [u8] {
        self.params
    }

    /// Length of the whole frame in bytes.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        OVERHEAD + self.params.len()
    }
}

/// The checksum of a frame: the inverted sum of everything between header and checksum.
#[must_use]
pub fn checksum(id: u8, len: u8, code: u8, params: &[u8]) -> u8 {
    let sum = params
        .iter()
        .fold(id.wrapping_add(len).wrapping_add(code), |sum, byte| {
            sum.wrapping_add(*byte)
        });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_frame_is_read_from_its_bytes() {
        let packet = Packet::new_checked(&[0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB]).unwrap();
        assert_eq!((packet.id(), packet.code()), (1, 1));
        assert!(packet.params().is_empty());
        assert_eq!(packet.frame_len(), 6);
    }

    #[test]
    fn bytes_after_the_frame_are_left_alone() {
        let packet = Packet::new_checked(&[0xFF, 0xFF, 1, 2, 1, 0xFB, 0xAA, 0xFF]).unwrap();
        assert_eq!(packet.frame_len(), 6);
    }

    #[test]
    fn each_kind_of_damage_has_its_name() {
        assert_eq!(
            Packet::new_checked(&[0xFF, 0xFF, 1]),
            Err(PacketError::Truncated {
                expected: 6,
                received: 3
            })
        );
        assert_eq!(
            Packet::new_checked(&[0xFF, 0xFE, 1, 2, 1, 0xFB]),
            Err(PacketError::NoHeader)
        );
        assert_eq!(
            Packet::new_checked(&[0xFF, 0xFF, 1, 1, 1, 0xFB]),
            Err(PacketError::BadLength(1))
        );
        assert_eq!(
            Packet::new_checked(&[0xFF, 0xFF, 1, 4, 0, 0x18, 0x05]),
            Err(PacketError::Truncated {
                expected: 8,
                received: 7
            })
        );
        assert_eq!(
            Packet::new_checked(&[0xFF, 0xFF, 1, 2, 1, 0xFA]),
            Err(PacketError::Checksum {
                expected: 0xFB,
                received: 0xFA
            })
        );
    }
}
