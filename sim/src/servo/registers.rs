//! The register map of an STS3215: address, size, who may write it, its value at first power-up.
//! Owns numbers only; what a register does is in [`super::device`] and [`super::motor`].
//!
//! Addresses, units and sign bits follow the vendor's STS/SMS memory table.

/// Who may write a register, and whether it outlives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Written by the servo alone; a host's write is ignored.
    ReadOnly,
    /// Kept over a power cut when it was written with the lock open.
    Eeprom,
    /// Back at its initial value after a power cut.
    Ram,
}

/// One register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// First byte.
    pub address: u8,
    /// Bytes, 1 or 2 (little-endian).
    pub size: u8,
    /// Who may write it.
    pub access: Access,
    /// Value at first power-up, as stored.
    pub initial: u16,
    /// Largest magnitude; more is cut to it.
    pub max: u16,
    /// Bit that holds the sign (sign-magnitude), when the register has one.
    pub sign: Option<u8>,
}

const fn register(address: u8, size: u8, access: Access, initial: u16, max: u16) -> Register {
    Register {
        address,
        size,
        access,
        initial,
        max,
        sign: None,
    }
}

const fn signed(address: u8, access: Access, max: u16, sign: u8) -> Register {
    Register {
        address,
        size: 2,
        access,
        initial: 0,
        max,
        sign: Some(sign),
    }
}

use Access::{Eeprom, Ram, ReadOnly};

/// Firmware version, major.
pub const FIRMWARE_MAJOR: Register = register(0, 1, ReadOnly, 3, 255);
/// Firmware version, minor.
pub const FIRMWARE_MINOR: Register = register(1, 1, ReadOnly, 10, 255);
/// Model number, 777.
pub const MODEL: Register = register(3, 2, ReadOnly, 777, u16::MAX);
/// Bus id.
pub const ID: Register = register(5, 1, Eeprom, 1, 253);
/// Baud code, see [`baud_of`].
pub const BAUD: Register = register(6, 1, Eeprom, 0, 7);
/// Return delay, units of 2 µs.
pub const RETURN_DELAY: Register = register(7, 1, Eeprom, 250, 254);
/// 0: only ping and read are answered; 1: every request to this id is.
pub const STATUS_LEVEL: Register = register(8, 1, Eeprom, 1, 1);
/// Lowest goal, counts.
pub const MIN_POSITION: Register = register(9, 2, Eeprom, 0, 4095);
/// Highest goal, counts.
pub const MAX_POSITION: Register = register(11, 2, Eeprom, 4095, 4095);
/// Overheat above, °C.
pub const MAX_TEMPERATURE: Register = register(13, 1, Eeprom, 70, 100);
/// Voltage error above, 0.1 V.
pub const MAX_VOLTAGE: Register = register(14, 1, Eeprom, 80, 254);
/// Voltage error below, 0.1 V.
pub const MIN_VOLTAGE: Register = register(15, 1, Eeprom, 40, 254);
/// Largest torque, 0.1 %; the power-up value of [`TORQUE_LIMIT`].
pub const MAX_TORQUE: Register = register(16, 2, Eeprom, 1000, 1000);
/// Special functions; bit 3: goal velocity 0 is maximum speed.
pub const PHASE: Register = register(18, 1, Eeprom, 12, 254);
/// Which error bits drop the torque.
pub const UNLOAD_CONDITION: Register = register(19, 1, Eeprom, 44, 254);
/// Which error bits light the LED.
pub const LED_CONDITION: Register = register(20, 1, Eeprom, 47, 254);
/// Position gain.
pub const P_GAIN: Register = register(21, 1, Eeprom, 32, 254);
/// Damping gain.
pub const D_GAIN: Register = register(22, 1, Eeprom, 32, 254);
/// Integral gain; readable, not simulated.
pub const I_GAIN: Register = register(23, 1, Eeprom, 0, 254);
/// Start-up force, 0.1 %.
pub const STARTUP_FORCE: Register = register(24, 2, Eeprom, 16, 1000);
/// Dead zone forward, counts.
pub const DEAD_ZONE_FORWARD: Register = register(26, 1, Eeprom, 1, 32);
/// Dead zone backward, counts.
pub const DEAD_ZONE_BACKWARD: Register = register(27, 1, Eeprom, 1, 32);
/// Over-current above, 6.5 mA.
pub const PROTECTION_CURRENT: Register = register(28, 2, Eeprom, 500, 511);
/// Counts a step.
pub const RESOLUTION: Register = register(30, 1, Eeprom, 1, 100);
/// Present = actual − this, counts.
pub const HOMING_OFFSET: Register = signed(31, Eeprom, 2047, 11);
/// 0: position servo, the only mode simulated.
pub const MODE: Register = register(33, 1, Eeprom, 0, 3);
/// Torque that is left after overload, %.
pub const PROTECTIVE_TORQUE: Register = register(34, 1, Eeprom, 20, 100);
/// How long an overload is borne, 10 ms.
pub const PROTECTION_TIME: Register = register(35, 1, Eeprom, 200, 254);
/// Overload above, %.
pub const OVERLOAD_TORQUE: Register = register(36, 1, Eeprom, 80, 100);
/// Gain of the velocity loop, used in velocity mode only.
pub const VELOCITY_P_GAIN: Register = register(37, 1, Eeprom, 10, 254);
/// How long an over-current is borne, 10 ms.
pub const OVER_CURRENT_TIME: Register = register(38, 1, Eeprom, 200, 254);
/// Integral gain of the velocity loop, used in velocity mode only.
pub const VELOCITY_I_GAIN: Register = register(39, 1, Eeprom, 10, 254);

/// 0 off, 1 on, 2 damping, 128 makes the present position 2048.
pub const TORQUE_ENABLE: Register = register(40, 1, Ram, 0, 128);
/// Acceleration of the goal profile, 100 counts/s²; 0 leaves [`MAX_ACCELERATION`] alone to limit it.
pub const ACCELERATION: Register = register(41, 1, Ram, 0, 254);
/// Goal, counts.
pub const GOAL_POSITION: Register = signed(42, Ram, 32767, 15);
/// Goal time; the position loop does not use it.
pub const GOAL_TIME: Register = register(44, 2, Ram, 0, u16::MAX);
/// Speed of the goal profile, counts/s; 0 is maximum speed, never a stop.
pub const GOAL_VELOCITY: Register = signed(46, Ram, 32767, 15);
/// Largest torque, 0.1 %; taken from [`MAX_TORQUE`] at power-up.
pub const TORQUE_LIMIT: Register = register(48, 2, Ram, 1000, 1000);
/// 0: writes to the EEPROM area are kept; 1: they are lost at power-off.
pub const LOCK: Register = register(55, 1, Ram, 1, 1);
/// Position, counts.
pub const PRESENT_POSITION: Register = signed(56, ReadOnly, 32767, 15);
/// Velocity, counts/s.
pub const PRESENT_VELOCITY: Register = signed(58, ReadOnly, 32767, 15);
/// Drive, 0.1 % of stall torque.
pub const PRESENT_LOAD: Register = signed(60, ReadOnly, 1000, 10);
/// Supply, 0.1 V.
pub const PRESENT_VOLTAGE: Register = register(62, 1, ReadOnly, 0, 255);
/// Temperature, °C.
pub const PRESENT_TEMPERATURE: Register = register(63, 1, ReadOnly, 0, 255);
/// 1 while a staged write waits.
pub const STAGED: Register = register(64, 1, ReadOnly, 0, 1);
/// Error bits, as in each status frame.
pub const STATUS: Register = register(65, 1, ReadOnly, 0, 255);
/// 1 while the goal is not reached.
pub const MOVING: Register = register(66, 1, ReadOnly, 0, 1);
/// Motor current, 6.5 mA.
pub const PRESENT_CURRENT: Register = signed(69, ReadOnly, 32767, 15);
/// Cap on the profile's acceleration, 100 counts/s²; 0 is none.
pub const MAX_ACCELERATION: Register = register(85, 1, Ram, 254, 254);

/// The whole map, by address.
pub const REGISTERS: [Register; 52] = [
    FIRMWARE_MAJOR,
    FIRMWARE_MINOR,
    MODEL,
    ID,
    BAUD,
    RETURN_DELAY,
    STATUS_LEVEL,
    MIN_POSITION,
    MAX_POSITION,
    MAX_TEMPERATURE,
    MAX_VOLTAGE,
    MIN_VOLTAGE,
    MAX_TORQUE,
    PHASE,
    UNLOAD_CONDITION,
    LED_CONDITION,
    P_GAIN,
    D_GAIN,
    I_GAIN,
    STARTUP_FORCE,
    DEAD_ZONE_FORWARD,
    DEAD_ZONE_BACKWARD,
    PROTECTION_CURRENT,
    RESOLUTION,
    HOMING_OFFSET,
    MODE,
    PROTECTIVE_TORQUE,
    PROTECTION_TIME,
    OVERLOAD_TORQUE,
    VELOCITY_P_GAIN,
    OVER_CURRENT_TIME,
    VELOCITY_I_GAIN,
    TORQUE_ENABLE,
    ACCELERATION,
    GOAL_POSITION,
    GOAL_TIME,
    GOAL_VELOCITY,
    TORQUE_LIMIT,
    LOCK,
    PRESENT_POSITION,
    PRESENT_VELOCITY,
    PRESENT_LOAD,
    PRESENT_VOLTAGE,
    PRESENT_TEMPERATURE,
    STAGED,
    STATUS,
    MOVING,
    PRESENT_CURRENT,
    MAX_ACCELERATION,
    // Factory area: readable, of no effect here.
    register(80, 1, ReadOnly, 1, 255),
    register(84, 1, ReadOnly, 50, 255),
    register(86, 1, ReadOnly, 1, 255),
];

/// First address past the EEPROM area.
pub const EEPROM_END: u8 = 40;

/// Bits a second by baud code.
pub const RATES: [u32; 8] = [
    1_000_000, 500_000, 250_000, 128_000, 115_200, 57_600, 38_400, 19_200,
];

/// Bits a second of baud code `code`, `None` for a code that does not exist.
#[must_use]
pub fn baud_of(code: u16) -> Option<u32> {
    RATES.get(usize::from(code)).copied()
}

/// The code of `baud` bits a second, `None` for a rate it can't be set to.
#[must_use]
pub fn baud_code(baud: u32) -> Option<u16> {
    let code = RATES.iter().position(|rate| *rate == baud)?;
    u16::try_from(code).ok()
}

/// Error bits of the status frame and of [`STATUS`].
pub mod error {
    /// Supply outside its limits.
    pub const VOLTAGE: u8 = 0x01;
    /// Temperature above its limit.
    pub const OVERHEAT: u8 = 0x04;
    /// Current above its limit for too long.
    pub const OVER_CURRENT: u8 = 0x08;
    /// Load above its limit for too long.
    pub const OVERLOAD: u8 = 0x20;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_do_not_overlap() {
        let mut taken = [false; 256];
        for register in REGISTERS {
            for offset in 0..register.size {
                let at = usize::from(register.address + offset);
                assert!(!taken[at], "address {at} twice");
                taken[at] = true;
            }
        }
    }

    #[test]
    fn the_eeprom_area_ends_where_ram_begins() {
        for register in REGISTERS {
            match register.access {
                Access::Eeprom => assert!(register.address < EEPROM_END),
                Access::Ram => assert!(register.address >= EEPROM_END),
                Access::ReadOnly => {}
            }
        }
    }
}
