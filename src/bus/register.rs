//! Registers of a servo, whatever its family: where they lie and how they hold numbers.
//!
//! Only a [`RamRegister`] can be written, and torque only as [`Torque`]; the families' maps make
//! them, and none of an EEPROM. Never knows what a register means.
//!
//! Real time: nothing here allocates, blocks or reads a clock.

/// How a register writes a negative number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Never negative.
    None,
    /// Magnitude, with this bit set when negative.
    Bit(u8),
    /// Two's complement over the register's width.
    Two,
}

/// One register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Address of its first byte.
    pub address: u16,
    /// Bytes, 1, 2 or 4, little-endian.
    pub width: u8,
    /// Its sign.
    pub sign: Sign,
}

/// A register in RAM that may be written in operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RamRegister(Register);

/// What may be written to a torque register. There is no third value: a Feetech servo's 128 would
/// move the encoder's zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Torque {
    /// Limp.
    Off,
    /// Holding its goal.
    On,
}

impl Torque {
    /// The byte on the wire.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Torque::Off => 0,
            Torque::On => 1,
        }
    }
}

impl RamRegister {
    /// `register` for writing; for the maps alone.
    pub(super) const fn new(register: Register) -> RamRegister {
        RamRegister(register)
    }

    /// The register.
    #[must_use]
    pub fn register(self) -> Register {
        self.0
    }
}

impl Register {
    /// An unsigned register.
    pub(super) const fn unsigned(address: u16, width: u8) -> Register {
        Register {
            address,
            width,
            sign: Sign::None,
        }
    }

    /// The number that the register's bytes hold; `None` when there are not as many as it is
    /// wide, or it is larger than any register means.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<i32> {
        let (raw, twos) = match (self.width, bytes) {
            (1, &[low]) => (u32::from(low), i32::from(i8::from_le_bytes([low]))),
            (2, &[low, high]) => (
                u32::from(u16::from_le_bytes([low, high])),
                i32::from(i16::from_le_bytes([low, high])),
            ),
            (4, &[a, b, c, d]) => (
                u32::from_le_bytes([a, b, c, d]),
                i32::from_le_bytes([a, b, c, d]),
            ),
            _ => return None,
        };
        match self.sign {
            Sign::None => i32::try_from(raw).ok(),
            Sign::Two => Some(twos),
            Sign::Bit(bit) => {
                let flag = 1u32.checked_shl(u32::from(bit))?;
                let magnitude = i32::try_from(raw & (flag - 1)).ok()?;
                Some(if raw & flag == 0 {
                    magnitude
                } else {
                    -magnitude
                })
            }
        }
    }

    /// The bytes that hold `value`, low byte first; `None` when it does not fit. A register uses
    /// as many of them as it is wide.
    #[must_use]
    pub fn encode(self, value: i32) -> Option<[u8; 4]> {
        let bits = u32::from(self.width) * 8;
        let raw = match self.sign {
            Sign::None => u32::try_from(value).ok()?,
            Sign::Two => {
                let most = 1i64.checked_shl(bits.checked_sub(1)?)?;
                if !(-most..most).contains(&i64::from(value)) {
                    return None;
                }
                return Some(value.to_le_bytes());
            }
            Sign::Bit(bit) => {
                let flag = 1u32.checked_shl(u32::from(bit))?;
                let magnitude = value.unsigned_abs();
                if magnitude >= flag {
                    return None;
                }
                if value < 0 {
                    magnitude | flag
                } else {
                    magnitude
                }
            }
        };
        (u64::from(raw) >> bits == 0).then(|| raw.to_le_bytes())
    }
}

/// Consecutive registers read in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Address of the first byte.
    pub address: u16,
    /// Bytes.
    pub len: u8,
}

impl Block {
    /// The block of one register.
    #[must_use]
    pub fn of(register: Register) -> Block {
        Block {
            address: register.address,
            len: register.width,
        }
    }

    /// The number in `register`, from this block's `bytes`; `None` when it lies outside.
    #[must_use]
    pub fn get(self, bytes: &[u8], register: Register) -> Option<i32> {
        let start = usize::from(register.address.checked_sub(self.address)?);
        let end = start + usize::from(register.width);
        register.decode(bytes.get(start..end)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDE: Register = Register {
        address: 132,
        width: 4,
        sign: Sign::Two,
    };
    const WORD: Register = Register {
        address: 126,
        width: 2,
        sign: Sign::Two,
    };

    #[test]
    fn twos_complement_reads_as_it_is_written() {
        assert_eq!(WIDE.decode(&[0xFF, 0xFF, 0xFF, 0xFF]), Some(-1));
        assert_eq!(WIDE.decode(&[0x00, 0x08, 0x00, 0x00]), Some(2048));
        assert_eq!(WORD.decode(&[0x9C, 0xFF]), Some(-100));
        assert_eq!(WORD.encode(-100), Some([0x9C, 0xFF, 0xFF, 0xFF]));
        assert_eq!(WORD.encode(40_000), None);
        assert_eq!(WORD.encode(-32_769), None);
        assert_eq!(Register::unsigned(98, 1).encode(256), None);
        assert_eq!(Register::unsigned(112, 4).encode(-1), None);
        assert_eq!(Register::unsigned(112, 4).decode(&[0xFF; 4]), None);
    }

    proptest! {
        #[test]
        fn every_number_survives_the_wire(value: i32, word in -32_768i32..32_768) {
            let bytes = WIDE.encode(value).unwrap();
            prop_assert_eq!(WIDE.decode(&bytes), Some(value));
            let [low, high, ..] = WORD.encode(word).unwrap();
            prop_assert_eq!(WORD.decode(&[low, high]), Some(word));
        }
    }
}
