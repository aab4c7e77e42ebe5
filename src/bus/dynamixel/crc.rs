//! The CRC-16 of protocol 2.0: polynomial 0x8005, from 0, most significant bit first, nothing
//! inverted. Never sees a frame.

/// The polynomial without its highest bit.
const POLYNOMIAL: u16 = 0x8005;
/// What each value of the highest byte adds.
const TABLE: [u16; 256] = table();

#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "worked out by the compiler, which refuses what does not fit"
)]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 0x8000 == 0 {
                rest << 1
            } else {
                rest << 1 ^ POLYNOMIAL
            };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
}

/// The CRC of what was taken in so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crc(u16);

impl Crc {
    /// Of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Crc {
        Crc::default().and(bytes)
    }

    /// Of the same and `bytes` after it.
    #[must_use]
    pub fn and(self, bytes: &[u8]) -> Crc {
        Crc(bytes.iter().fold(self.0, |crc, byte| {
            let [high, low] = crc.to_be_bytes();
            let added = TABLE.get(usize::from(high ^ byte)).copied().unwrap_or(0);
            u16::from_be_bytes([low, 0]) ^ added
        }))
    }

    /// As it stands on the wire: low byte first.
    #[must_use]
    pub fn bytes(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_this_crc_is_fee8() {
        // CRC-16/UMTS of the digits "123456789".
        assert_eq!(Crc::of(b"123456789").bytes(), [0xE8, 0xFE]);
    }

    #[test]
    fn pieces_give_the_crc_of_the_whole() {
        let bytes = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01];
        assert_eq!(Crc::of(&bytes[..3]).and(&bytes[3..]), Crc::of(&bytes));
        // The ping of servo 1, as the protocol's description gives it.
        assert_eq!(Crc::of(&bytes).bytes(), [0x19, 0x4E]);
    }
}
