//! Sets a servo's EEPROM: torque off, unlock, write what differs, read it back, lock.
//!
//! Each register is one write that a servo takes whole or not at all. After a failure in between
//! every servo is found again and the same call goes on with what is missing. Never decides what
//! is right.

use super::find::describe;
use super::register::{LOCK, Setting, Settings, missing};
use super::wire::{Wire, WireError};
use crate::arm::Family;
use crate::bus::map::map;
use crate::bus::register::{Register, Torque};

/// How often one register is written before the servo counts as refusing.
const TRIES: u32 = 3;

/// Why a servo was not set.
#[derive(Debug, thiserror::Error)]
pub enum EepromError {
    /// The port.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// It fell silent.
    #[error(
        "servo {id} fell silent while its {what} was being written: its power or its cable failed"
    )]
    Silent {
        /// The id it had.
        id: u8,
        /// What was being written.
        what: &'static str,
    },
    /// It answers and does not take a value.
    #[error("servo {id} does not take {value} as its {what} and stays at {held}")]
    Refused {
        /// Its id.
        id: u8,
        /// What was written.
        what: &'static str,
        /// The value.
        value: i32,
        /// What it holds.
        held: i32,
    },
}

/// A servo under the pen.
pub struct Eeprom<'a> {
    wire: &'a mut Wire,
    id: u8,
}

impl<'a> Eeprom<'a> {
    /// The servo with `id` at the wire's rate.
    pub fn of(wire: &'a mut Wire, id: u8) -> Eeprom<'a> {
        Eeprom { wire, id }
    }

    /// Makes the servo hold `right`, and proves it. Torque is off afterwards, the lock closed, and
    /// the wire at the servo's rate.
    ///
    /// # Errors
    /// When the port fails, the servo falls silent, or it does not take a value. What was written
    /// until then is whole, register by register.
    pub fn set(mut self, right: &Settings, bauds: &[(i32, u32)]) -> Result<(), EepromError> {
        let found = describe(self.wire, self.id)?.settings;
        let wanted = missing(&found, right);
        if wanted.is_empty() {
            return self.close();
        }
        self.torque_off()?;
        self.lock(false)?;
        for (setting, value) in wanted {
            self.put(setting, value, bauds)?;
        }
        let held = describe(self.wire, self.id)?.settings;
        if let Some((setting, value)) = missing(&held, right).into_iter().next() {
            return Err(match held.get(&setting) {
                Some(held) => self.refused(setting.name(), value, *held),
                None => self.silent(setting.name()),
            });
        }
        self.close()
    }

    fn put(
        &mut self,
        setting: Setting,
        value: i32,
        bauds: &[(i32, u32)],
    ) -> Result<(), EepromError> {
        let Some(register) = setting.register(self.wire.family()) else {
            return Ok(());
        };
        let what = setting.name();
        let (before, after) = match setting {
            Setting::Id => (self.id, u8::try_from(value).unwrap_or(self.id)),
            _ => (self.id, self.id),
        };
        let rate = bauds.iter().find(|(code, _)| *code == value);
        let rate = rate
            .map(|(_, rate)| *rate)
            .filter(|_| setting == Setting::Baud);
        let (family, old_rate) = (self.wire.family(), self.wire.baud());
        let mut held = None;
        for _ in 0..TRIES {
            self.write(before, register, value)?;
            self.id = after;
            if let Some(rate) = rate {
                self.wire.tune(family, rate)?;
            }
            held = self.wire.read_register(after, register)?;
            if held == Some(value) {
                return Ok(());
            }
            // It may not have heard of its new name or rate.
            self.id = before;
            self.wire.tune(family, old_rate)?;
            if held.is_none() {
                held = self.wire.read_register(before, register)?;
            }
            if held.is_none() {
                break;
            }
        }
        Err(match held {
            Some(held) => self.refused(what, value, held),
            None => self.silent(what),
        })
    }

    /// Torque off: a Dynamixel's EEPROM is closed while it is on.
    fn torque_off(&mut self) -> Result<(), EepromError> {
        let register = map(self.wire.family()).torque_enable;
        self.hold(register, i32::from(Torque::Off.byte()), "torque")
    }

    fn lock(&mut self, closed: bool) -> Result<(), EepromError> {
        match self.wire.family() {
            Family::Feetech => self.hold(LOCK, i32::from(closed), "EEPROM lock"),
            Family::Dynamixel => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), EepromError> {
        self.lock(true)
    }

    /// Makes a register hold a value.
    fn hold(
        &mut self,
        register: Register,
        value: i32,
        what: &'static str,
    ) -> Result<(), EepromError> {
        let mut held = None;
        for _ in 0..TRIES {
            held = self.wire.read_register(self.id, register)?;
            if held == Some(value) {
                return Ok(());
            }
            if held.is_none() {
                break;
            }
            self.write(self.id, register, value)?;
        }
        let last = self.wire.read_register(self.id, register)?;
        match last.or(held) {
            Some(last) if last == value => Ok(()),
            Some(last) => Err(self.refused(what, value, last)),
            None => Err(self.silent(what)),
        }
    }

    fn write(&mut self, id: u8, register: Register, value: i32) -> Result<(), WireError> {
        let Some(bytes) = register.encode(value) else {
            return Ok(());
        };
        let bytes = bytes.get(..usize::from(register.width)).unwrap_or(&[]);
        // Whether it was taken is read back: an answer may be lost, or not be given at all.
        self.wire.write(id, register.address, bytes).map(|_| ())
    }

    fn silent(&self, what: &'static str) -> EepromError {
        EepromError::Silent { id: self.id, what }
    }

    fn refused(&self, what: &'static str, value: i32, held: i32) -> EepromError {
        let id = self.id;
        EepromError::Refused {
            id,
            what,
            value,
            held,
        }
    }
}

/// Torque off for one servo, read back; whether it is.
///
/// # Errors
/// When the port fails.
pub fn torque_off(wire: &mut Wire, id: u8) -> Result<bool, WireError> {
    match Eeprom::of(wire, id).torque_off() {
        Ok(()) => Ok(true),
        Err(EepromError::Wire(error)) => Err(error),
        Err(EepromError::Silent { .. } | EepromError::Refused { .. }) => Ok(false),
    }
}
