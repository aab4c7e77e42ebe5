//! A servo's memory: bytes a host reads and writes, and the copy that outlives a power cut. Owns
//! access rules, ranges and the indirect addresses; never acts on a value.

use super::registers::{self as reg, Access, Register, error};
use crate::servo::model::Model;

const SIZE: usize = 256;
const EEPROM: usize = reg::EEPROM_END as usize;

/// The registers of one servo.
#[derive(Debug, Clone)]
pub struct Memory {
    model: Model,
    bytes: [u8; SIZE],
    saved: [u8; EEPROM],
}

impl Memory {
    /// A servo as it leaves the factory.
    #[must_use]
    pub fn factory(model: Model) -> Memory {
        let mut memory = Memory {
            model,
            bytes: [0; SIZE],
            saved: [0; EEPROM],
        };
        memory.initialise();
        memory.save();
        memory
    }

    fn initialise(&mut self) {
        self.bytes = [0; SIZE];
        for register in reg::REGISTERS {
            self.set(register, register.initial);
        }
        for (register, initial) in reg::make_of(self.model).initial {
            self.set(*register, *initial);
        }
        self.set(reg::MODEL, reg::number_of(self.model));
        for index in 0..reg::INDIRECTS {
            self.set(indirect(index), i32::from(reg::INDIRECT_DATA + index));
        }
    }

    /// What the EEPROM area holds now is found at the next power-up.
    pub fn save(&mut self) {
        let Memory { bytes, saved, .. } = self;
        saved.copy_from_slice(bytes.split_at(EEPROM).0);
    }

    /// The EEPROM area as the next power-up finds it.
    #[must_use]
    pub fn saved(&self) -> &[u8] {
        &self.saved
    }

    /// Power comes back: EEPROM is found again, RAM is at its initial values and limits.
    pub fn power_up(&mut self) {
        let saved = self.saved;
        self.initialise();
        self.bytes.split_at_mut(EEPROM).0.copy_from_slice(&saved);
        self.set(reg::GOAL_PWM, self.get(reg::PWM_LIMIT));
        self.set(reg::GOAL_CURRENT, self.get(reg::CURRENT_LIMIT));
    }

    /// `len` bytes from `address`, `None` when there are no such registers.
    #[must_use]
    pub fn read(&self, address: u16, len: u16) -> Option<Vec<u8>> {
        let end = address.checked_add(len)?;
        let whole = len > 0 && usize::from(end) <= SIZE;
        let byte = |at| self.bytes.get(self.resolved(at)).copied();
        whole.then(|| (address..end).filter_map(byte).collect())
    }

    /// Where a byte truly is: an indirect one elsewhere.
    fn resolved(&self, at: u16) -> usize {
        let index = at.checked_sub(reg::INDIRECT_DATA);
        let named = index
            .filter(|index| *index < reg::INDIRECTS)
            .map(|index| self.get(indirect(index)));
        let named = named.and_then(|named| usize::try_from(named).ok());
        named
            .filter(|named| *named < usize::from(reg::INDIRECT_DATA))
            .unwrap_or(usize::from(at))
    }

    /// A host's write from `address` on: all of it, or nothing and why.
    ///
    /// # Errors
    /// The error of the status frame.
    pub fn write(&mut self, address: u16, data: &[u8]) -> Result<(), u8> {
        let torque = self.get(reg::TORQUE_ENABLE) != 0;
        let mut after = self.clone();
        for (at, byte) in (address..).zip(data) {
            let at = self.resolved(at);
            *after.bytes.get_mut(at).ok_or(error::FAILED)? = *byte;
        }
        let touched = |register: Register| {
            let wrote = |offset| {
                let at = usize::from(register.address) + offset;
                let mut written = (address..).take(data.len());
                written.any(|to| self.resolved(to) == at)
            };
            (0..usize::from(register.size))
                .filter(|offset| wrote(*offset))
                .count()
        };
        let mut bytes = 0;
        let indirects = (0..reg::INDIRECTS).map(indirect);
        for register in reg::REGISTERS.into_iter().chain(indirects) {
            let count = touched(register);
            bytes += count;
            match (count, register.access) {
                (0, _) => continue,
                (_, Access::ReadOnly) => return Err(error::ACCESS),
                (_, Access::Eeprom) if torque => return Err(error::ACCESS),
                (count, _) if count < usize::from(register.size) => return Err(error::LENGTH),
                (_, Access::Eeprom | Access::Ram) => {}
            }
            let (low, high) = register.range;
            if !(low..=high).contains(&after.get(register)) {
                return Err(error::RANGE);
            }
            if register.address >= reg::INDIRECT_ADDRESS && torque {
                return Err(error::ACCESS);
            }
        }
        let plain = (address..)
            .take(data.len())
            .filter(|at| self.resolved(*at) >= usize::from(reg::INDIRECT_DATA));
        if bytes + plain.count() < data.len() {
            return Err(error::ACCESS);
        }
        *self = after;
        if address < reg::EEPROM_END {
            self.save();
        }
        Ok(())
    }

    /// The value of a register.
    #[must_use]
    pub fn get(&self, register: Register) -> i32 {
        let byte = |offset| {
            let at = usize::from(register.address) + offset;
            self.bytes.get(at).copied().unwrap_or(0)
        };
        match register.size {
            1 => i32::from(byte(0)),
            2 if register.range.0 >= 0 => i32::from(u16::from_le_bytes([byte(0), byte(1)])),
            2 => i32::from(i16::from_le_bytes([byte(0), byte(1)])),
            _ => i32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]),
        }
    }

    /// Sets a register, cut to what it can hold.
    pub fn set(&mut self, register: Register, value: i32) {
        let value = match register.size {
            1 => value.clamp(-128, 255),
            2 => value.clamp(-32_768, 65_535),
            _ => value,
        };
        let bytes = value.to_le_bytes();
        for (offset, byte) in bytes.iter().enumerate().take(usize::from(register.size)) {
            if let Some(slot) = self.bytes.get_mut(usize::from(register.address) + offset) {
                *slot = *byte;
            }
        }
    }
}

/// The register that names the address of indirect byte `index`.
fn indirect(index: u16) -> Register {
    Register {
        address: reg::INDIRECT_ADDRESS + 2 * index,
        size: 2,
        access: Access::Ram,
        initial: i32::from(reg::INDIRECT_DATA + index),
        range: (64, i32::from(reg::INDIRECT_DATA + reg::INDIRECTS) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        Memory::factory(Model::Xl430W250)
    }

    #[test]
    fn each_model_says_which_it_is_and_has_its_own_gains() {
        assert_eq!(memory().read(0, 2), Some(vec![0x24, 0x04]));
        assert_eq!(memory().get(reg::P_GAIN), 640);
        let small = Memory::factory(Model::Xl330M288);
        assert_eq!(small.read(0, 2), Some(vec![0xB0, 0x04]));
        assert_eq!((small.get(reg::P_GAIN), small.get(reg::D_GAIN)), (400, 0));
    }

    #[test]
    fn eeprom_is_kept_and_written_with_torque_off_only() {
        let mut memory = memory();
        assert_eq!(memory.write(20, &(-37i32).to_le_bytes()), Ok(()));
        memory.write(64, &[1]).unwrap();
        assert_eq!(memory.write(11, &[4]), Err(error::ACCESS));
        memory.power_up();
        assert_eq!(memory.get(reg::HOMING_OFFSET), -37);
        assert_eq!(memory.get(reg::TORQUE_ENABLE), 0);
    }

    #[test]
    fn a_write_is_taken_whole_or_not_at_all() {
        let mut memory = memory();
        let profile = [10, 0, 0, 0, 20, 0, 0, 0];
        assert_eq!(memory.write(108, &profile), Ok(()));
        assert_eq!(memory.read(108, 8), Some(profile.to_vec()));
        assert_eq!(memory.write(108, &[1, 0]), Err(error::LENGTH));
        assert_eq!(memory.write(112, &[0xFF; 4]), Err(error::RANGE));
        assert_eq!(memory.write(132, &[0; 4]), Err(error::ACCESS));
        assert_eq!(memory.write(161, &[1]), Err(error::ACCESS), "no register");
        assert_eq!(memory.write(250, &[0; 9]), Err(error::FAILED));
        assert_eq!(memory.read(108, 8), Some(profile.to_vec()));
        assert_eq!(memory.read(250, 9), None);
    }

    #[test]
    fn an_indirect_byte_is_the_one_it_names() {
        let mut memory = memory();
        memory
            .write(168, &[116, 0, 117, 0, 118, 0, 119, 0])
            .unwrap();
        memory.write(224, &[0x00, 0x08, 0x00, 0x00]).unwrap();
        assert_eq!(memory.get(reg::GOAL_POSITION), 2048);
        assert_eq!(memory.read(224, 2), Some(vec![0x00, 0x08]));
        memory.write(228, &[5]).unwrap();
        assert_eq!(memory.read(228, 1), Some(vec![5]));
    }
}
