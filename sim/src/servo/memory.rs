//! A servo's memory: bytes a host reads and writes, and the copy that outlives a power cut.
//! Owns access rules, ranges, sign-magnitude and the lock; never acts on a value.

use super::registers::{self as reg, Access, Register};

const SIZE: usize = 128;
const EEPROM: usize = reg::EEPROM_END as usize;

/// The registers of one servo.
#[derive(Debug, Clone)]
pub struct Memory {
    bytes: [u8; SIZE],
    saved: [u8; EEPROM],
}

impl Memory {
    /// A servo as it leaves the factory.
    #[must_use]
    pub fn factory() -> Memory {
        let mut memory = Memory {
            bytes: [0; SIZE],
            saved: [0; EEPROM],
        };
        for register in reg::REGISTERS {
            memory.set(register, register.initial);
        }
        memory.save();
        memory
    }

    /// Makes the EEPROM area as it is now the one that is found at the next power-up.
    pub fn save(&mut self) {
        let Memory { bytes, saved } = self;
        saved.copy_from_slice(bytes.split_at(EEPROM).0);
    }

    /// The EEPROM area as the next power-up finds it.
    #[must_use]
    pub fn saved(&self) -> &[u8] {
        &self.saved
    }

    /// Power comes back: what was saved is found again, RAM is at its initial values.
    pub fn power_up(&mut self) {
        let saved = self.saved;
        self.bytes = [0; SIZE];
        for register in reg::REGISTERS {
            self.set(register, register.initial);
        }
        self.bytes.split_at_mut(EEPROM).0.copy_from_slice(&saved);
        self.set(reg::TORQUE_LIMIT, self.get(reg::MAX_TORQUE));
    }

    /// `len` bytes from `address`, `None` when there are no such registers.
    #[must_use]
    pub fn read(&self, address: u8, len: u8) -> Option<&[u8]> {
        let from = usize::from(address);
        (len > 0)
            .then(|| self.bytes.get(from..from + usize::from(len)))
            .flatten()
    }

    /// A host's write from `address` on. Read-only and unknown bytes keep their value, a value
    /// out of range is cut to it. The EEPROM area is saved when the lock was open.
    pub fn write(&mut self, address: u8, data: &[u8]) {
        let unlocked = self.get(reg::LOCK) == 0;
        let span = Span::of(address, data.len());
        for register in reg::REGISTERS {
            if register.access == Access::ReadOnly || !span.touches(register) {
                continue;
            }
            for at in span.part_of(register) {
                if let (Some(slot), Some(byte)) = (self.bytes.get_mut(at), data.get(at - span.from))
                {
                    *slot = *byte;
                }
            }
            self.set(register, within(register, self.get(register)));
            if unlocked && register.access == Access::Eeprom {
                self.save_one(register);
            }
        }
    }

    /// The stored bits of a register.
    #[must_use]
    pub fn get(&self, register: Register) -> u16 {
        let byte = |offset| {
            let at = usize::from(register.address) + offset;
            u16::from(self.bytes.get(at).copied().unwrap_or(0))
        };
        match register.size {
            1 => byte(0),
            _ => byte(0) | byte(1) << 8,
        }
    }

    /// The value of a register, its sign bit understood.
    #[must_use]
    pub fn get_signed(&self, register: Register) -> i32 {
        let bits = self.get(register);
        match register.sign {
            Some(sign) if bits & 1 << sign != 0 => -i32::from(bits & ((1 << sign) - 1)),
            _ => i32::from(bits),
        }
    }

    /// Sets the stored bits.
    pub fn set(&mut self, register: Register, bits: u16) {
        let [low, high] = bits.to_le_bytes();
        let at = usize::from(register.address);
        if let Some(slot) = self.bytes.get_mut(at) {
            *slot = low;
        }
        if register.size == 2
            && let Some(slot) = self.bytes.get_mut(at + 1)
        {
            *slot = high;
        }
    }

    /// Sets a value, cut to the register's range.
    pub fn set_signed(&mut self, register: Register, value: i32) {
        let magnitude = value.unsigned_abs().min(u32::from(register.max)) as u16;
        let bits = match register.sign {
            Some(sign) if value < 0 => magnitude | 1 << sign,
            None if value < 0 => 0,
            _ => magnitude,
        };
        self.set(register, bits);
    }

    /// Saves one register whatever the lock says.
    pub fn save_one(&mut self, register: Register) {
        let from = usize::from(register.address);
        let range = from..from + usize::from(register.size);
        if let (Some(to), Some(now)) = (self.saved.get_mut(range.clone()), self.bytes.get(range)) {
            to.copy_from_slice(now);
        }
    }
}

/// The addresses a write covers.
#[derive(Clone, Copy)]
pub(super) struct Span {
    from: usize,
    to: usize,
}

impl Span {
    pub(super) fn of(address: u8, len: usize) -> Span {
        let from = usize::from(address);
        Span {
            from,
            to: from + len,
        }
    }

    pub(super) fn touches(self, register: Register) -> bool {
        !self.part_of(register).is_empty()
    }

    fn part_of(self, register: Register) -> std::ops::Range<usize> {
        let from = usize::from(register.address);
        self.from.max(from)..self.to.min(from + usize::from(register.size))
    }
}

fn within(register: Register, bits: u16) -> u16 {
    match register.sign {
        Some(sign) => {
            let magnitude = bits & ((1 << sign) - 1);
            (bits & 1 << sign) | magnitude.min(register.max)
        }
        None => bits.min(register.max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eeprom_area_survives_a_power_cut_only_when_unlocked() {
        let mut memory = Memory::factory();
        memory.write(21, &[16]);
        assert_eq!(memory.get(reg::P_GAIN), 16);
        memory.power_up();
        assert_eq!(memory.get(reg::P_GAIN), 32);

        memory.write(55, &[0]);
        memory.write(21, &[16]);
        memory.write(55, &[1]);
        memory.power_up();
        assert_eq!(memory.get(reg::P_GAIN), 16);
    }

    #[test]
    fn ram_returns_to_its_defaults() {
        let mut memory = Memory::factory();
        memory.write(41, &[20, 0x00, 0x08, 0, 0, 0xE8, 0x03, 0xF4, 0x01]);
        memory.power_up();
        assert_eq!(memory.get(reg::ACCELERATION), 0);
        assert_eq!(memory.get(reg::GOAL_POSITION), 0);
        assert_eq!(memory.get(reg::TORQUE_LIMIT), 1000);
    }

    #[test]
    fn read_only_registers_keep_their_value() {
        let mut memory = Memory::factory();
        memory.write(3, &[1, 2]);
        assert_eq!(memory.read(3, 2), Some(&[0x09, 0x03][..]));
    }

    #[test]
    fn signs_are_bits_not_twos_complement() {
        let mut memory = Memory::factory();
        memory.set_signed(reg::HOMING_OFFSET, -37);
        assert_eq!(memory.read(31, 2), Some(&[0x25, 0x08][..]));
        memory.set_signed(reg::PRESENT_LOAD, -300);
        assert_eq!(memory.read(60, 2), Some(&[0x2C, 0x05][..]));
        memory.set_signed(reg::PRESENT_POSITION, -1);
        assert_eq!(memory.read(56, 2), Some(&[0x01, 0x80][..]));
        assert_eq!(memory.get_signed(reg::PRESENT_POSITION), -1);
    }

    #[test]
    fn a_value_out_of_range_is_cut() {
        let mut memory = Memory::factory();
        memory.write(48, &0x7FFFu16.to_le_bytes());
        assert_eq!(memory.get(reg::TORQUE_LIMIT), 1000);
    }

    #[test]
    fn registers_that_do_not_exist_cannot_be_read() {
        let memory = Memory::factory();
        assert_eq!(memory.read(120, 20), None);
        assert_eq!(memory.read(56, 0), None);
    }
}
