//! The register map that the X series shares, and numbers as it holds them.
//!
//! Source: the control tables of XL330, XL430, XC430 and XM430. Registers below 64 are EEPROM;
//! none of them is made a [`RamRegister`], so that there is no way to write one.

use super::super::register::{Block, RamRegister, Register, Sign};

const fn byte(address: u16) -> Register {
    Register::unsigned(address, 1)
}

const fn word(address: u16) -> Register {
    Register::unsigned(address, 2)
}

const fn signed(address: u16, width: u8) -> Register {
    Register {
        address,
        width,
        sign: Sign::Two,
    }
}

/// Model number.
pub const MODEL: Register = word(0);
/// Firmware version.
pub const FIRMWARE: Register = byte(6);
/// Wait before a reply, units of 2 µs.
pub const RETURN_DELAY: Register = byte(9);
/// Bit 0 turns the direction, bit 2 makes profiles times, bit 3 makes goals switch torque on.
pub const DRIVE_MODE: Register = byte(10);
/// 3 position, 4 position over turns, 5 the same with limited current.
pub const OPERATING_MODE: Register = byte(11);
/// A second id it obeys without answering, 253 and more for none.
pub const SECONDARY_ID: Register = byte(12);
/// Homing offset, counts: present = actual + offset.
pub const HOMING_OFFSET: Register = signed(20, 4);
/// Temperature at which torque drops, °C.
pub const MAX_TEMPERATURE: Register = byte(31);
/// Highest supply, 0.1 V.
pub const MAX_VOLTAGE: Register = word(32);
/// Lowest supply, 0.1 V.
pub const MIN_VOLTAGE: Register = word(34);
/// Highest goal accepted in mode 3, counts.
pub const MAX_POSITION: Register = signed(48, 4);
/// Lowest goal accepted in mode 3, counts.
pub const MIN_POSITION: Register = signed(52, 4);
/// Torque on or off.
pub const TORQUE_ENABLE: Register = byte(64);
/// What is answered: 0 pings, 1 reads too, 2 everything.
pub const STATUS_LEVEL: Register = byte(68);
/// What has switched it off: `01` supply, `04` heat, `08` encoder, `10` shock, `20` overload.
pub const HARDWARE_ERROR: Register = byte(70);
/// Bus watchdog, units of 20 ms; 0 off, −1 tripped.
pub const BUS_WATCHDOG: Register = signed(98, 1);
/// Most drive of the motor in position modes, of 885.
pub const GOAL_PWM: Register = signed(100, 2);
/// Acceleration of the servo's own profile, 214.577 rev/min²; 0 is without limit.
pub const PROFILE_ACCELERATION: Register = Register::unsigned(108, 4);
/// Speed of the servo's own profile, 0.229 rev/min; 0 is without limit.
pub const PROFILE_VELOCITY: Register = Register::unsigned(112, 4);
/// Goal, counts.
pub const GOAL_POSITION: Register = signed(116, 4);
/// Load in 0.1 %, or current in a unit of the model's.
pub const PRESENT_LOAD: Register = signed(126, 2);
/// Measured velocity, 0.229 rev/min.
pub const PRESENT_VELOCITY: Register = signed(128, 4);
/// Measured position, counts.
pub const PRESENT_POSITION: Register = signed(132, 4);
/// Supply, 0.1 V.
pub const PRESENT_VOLTAGE: Register = word(144);
/// Temperature, °C.
pub const PRESENT_TEMPERATURE: Register = byte(146);

/// [`BUS_WATCHDOG`] for writing.
pub const WRITE_BUS_WATCHDOG: RamRegister = RamRegister::new(BUS_WATCHDOG);
/// [`GOAL_PWM`] for writing.
pub const WRITE_GOAL_PWM: RamRegister = RamRegister::new(GOAL_PWM);
/// [`PROFILE_ACCELERATION`] for writing.
pub const WRITE_PROFILE_ACCELERATION: RamRegister = RamRegister::new(PROFILE_ACCELERATION);
/// [`PROFILE_VELOCITY`] for writing.
pub const WRITE_PROFILE_VELOCITY: RamRegister = RamRegister::new(PROFILE_VELOCITY);
/// [`GOAL_POSITION`] for writing.
pub const WRITE_GOAL_POSITION: RamRegister = RamRegister::new(GOAL_POSITION);

/// Everything in EEPROM that bring-up compares.
pub const EEPROM: Block = Block {
    address: 0,
    len: 56,
};
/// Torque enable to goal position.
pub const CONTROL: Block = Block {
    address: 64,
    len: 56,
};
/// Load, velocity and position: what a tick reads of every servo.
pub const PRESENT: Block = Block {
    address: 126,
    len: 10,
};
/// Supply and temperature: what a tick reads of one servo in turn.
pub const HEALTH: Block = Block {
    address: 144,
    len: 3,
};

/// Goal PWM at full drive.
pub const FULL_PWM: f64 = 885.0;
/// Counts/s in one unit of a velocity: 0.229 rev/min of 4096 counts.
pub const VELOCITY_UNIT: f64 = 0.229 * 4096.0 / 60.0;
/// Counts/s² in one unit of an acceleration: 214.577 rev/min².
pub const ACCELERATION_UNIT: f64 = 214.577 * 4096.0 / 3600.0;
/// The highest value of either profile register.
pub const MAX_PROFILE: f64 = 32_767.0;
/// The bus watchdog's value once it has tripped.
pub const TRIPPED: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_its_registers_and_no_others() {
        let bytes = [0x9C, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0, 0];
        assert_eq!(PRESENT.get(&bytes, PRESENT_LOAD), Some(-100));
        assert_eq!(PRESENT.get(&bytes, PRESENT_VELOCITY), Some(-2));
        assert_eq!(PRESENT.get(&bytes, PRESENT_POSITION), Some(2047));
        assert_eq!(HEALTH.get(&[120, 0, 31], PRESENT_VOLTAGE), Some(120));
        assert_eq!(HEALTH.get(&[120, 0, 31], PRESENT_TEMPERATURE), Some(31));
        assert_eq!(PRESENT.get(&bytes, GOAL_POSITION), None);
    }

    #[test]
    fn no_writable_register_is_in_eeprom_and_a_watchdog_trips_to_minus_one() {
        for register in [
            WRITE_BUS_WATCHDOG,
            WRITE_GOAL_PWM,
            WRITE_PROFILE_ACCELERATION,
            WRITE_PROFILE_VELOCITY,
            WRITE_GOAL_POSITION,
        ] {
            assert!(register.register().address > TORQUE_ENABLE.address);
        }
        assert_eq!(BUS_WATCHDOG.decode(&[0xFF]), Some(TRIPPED));
        assert_eq!(BUS_WATCHDOG.encode(127), Some([127, 0, 0, 0]));
    }
}
