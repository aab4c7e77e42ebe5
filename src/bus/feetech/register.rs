//! The register map of the STS3215, and numbers as it holds them.
//!
//! Source: the Feetech STS/SMS memory table. Registers below 40 are EEPROM; none of them is made a
//! [`RamRegister`], so that there is no way to write one.

use super::super::register::{Block, RamRegister, Register, Sign};

const fn byte(address: u16) -> Register {
    Register::unsigned(address, 1)
}

const fn word(address: u16) -> Register {
    Register::unsigned(address, 2)
}

const fn signed(address: u16, bit: u8) -> Register {
    Register {
        address,
        width: 2,
        sign: Sign::Bit(bit),
    }
}

/// Firmware version, major.
pub const FIRMWARE_MAJOR: Register = byte(0);
/// Firmware version, minor.
pub const FIRMWARE_MINOR: Register = byte(1);
/// Model number, 777 for the STS3215.
pub const MODEL: Register = word(3);
/// Id on the bus.
pub const ID: Register = byte(5);
/// Wait before a reply, units of 2 µs.
pub const RETURN_DELAY: Register = byte(7);
/// What is answered.
pub const STATUS_LEVEL: Register = byte(8);
/// Lowest goal accepted, counts.
pub const MIN_POSITION: Register = signed(9, 15);
/// Highest goal accepted, counts.
pub const MAX_POSITION: Register = signed(11, 15);
/// Temperature at which torque drops, °C.
pub const MAX_TEMPERATURE: Register = byte(13);
/// Highest supply, 0.1 V.
pub const MAX_VOLTAGE: Register = byte(14);
/// Lowest supply, 0.1 V.
pub const MIN_VOLTAGE: Register = byte(15);
/// Homing offset, counts: present = actual − offset.
pub const HOMING_OFFSET: Register = signed(31, 11);
/// Operating mode, 0 is position.
pub const MODE: Register = byte(33);
/// Torque on or off.
pub const TORQUE_ENABLE: Register = byte(40);
/// Acceleration of the servo's own profile, 100 counts/s².
pub const ACCELERATION: Register = byte(41);
/// Goal, counts.
pub const GOAL_POSITION: Register = signed(42, 15);
/// Speed of the servo's own profile, counts/s; 0 may mean the fastest.
pub const GOAL_VELOCITY: Register = signed(46, 15);
/// Torque limit, 0.1 %.
pub const TORQUE_LIMIT: Register = word(48);
/// Measured position, counts.
pub const PRESENT_POSITION: Register = signed(56, 15);
/// Measured velocity, counts/s.
pub const PRESENT_VELOCITY: Register = signed(58, 15);
/// Drive of the motor, 0.1 %.
pub const PRESENT_LOAD: Register = signed(60, 10);
/// Supply, 0.1 V.
pub const PRESENT_VOLTAGE: Register = byte(62);
/// Temperature, °C.
pub const PRESENT_TEMPERATURE: Register = byte(63);

/// [`ACCELERATION`] for writing.
pub const WRITE_ACCELERATION: RamRegister = RamRegister::new(ACCELERATION);
/// [`GOAL_POSITION`] for writing.
pub const WRITE_GOAL_POSITION: RamRegister = RamRegister::new(GOAL_POSITION);
/// [`GOAL_VELOCITY`] for writing.
pub const WRITE_GOAL_VELOCITY: RamRegister = RamRegister::new(GOAL_VELOCITY);
/// [`TORQUE_LIMIT`] for writing.
pub const WRITE_TORQUE_LIMIT: RamRegister = RamRegister::new(TORQUE_LIMIT);

/// The model number of an STS3215.
pub const STS3215: i32 = 777;
/// Counts in a turn.
pub const COUNTS_PER_TURN: f64 = 4096.0;

/// Everything in EEPROM that bring-up compares.
pub const EEPROM: Block = Block {
    address: 0,
    len: 40,
};
/// Torque enable to torque limit.
pub const CONTROL: Block = Block {
    address: 40,
    len: 10,
};
/// Position to temperature: what a tick reads.
pub const PRESENT: Block = Block {
    address: 56,
    len: 8,
};

#[cfg(test)]
mod tests {
    use super::super::super::register::Torque;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn negative_numbers_are_sign_and_magnitude() {
        assert_eq!(PRESENT_POSITION.decode(&[0x05, 0x80]), Some(-5));
        assert_eq!(PRESENT_POSITION.decode(&[0x18, 0x05]), Some(0x0518));
        assert_eq!(HOMING_OFFSET.decode(&[0x8C, 0x08]), Some(-140));
        assert_eq!(HOMING_OFFSET.encode(-140), Some([0x8C, 0x08, 0, 0]));
        assert_eq!(PRESENT_LOAD.decode(&[0x64, 0x04]), Some(-100));
        assert_eq!(PRESENT_VELOCITY.decode(&[0x00, 0x80]), Some(0));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(HOMING_OFFSET.encode(2048), None);
        assert_eq!(GOAL_POSITION.encode(40_000), None);
        assert_eq!(TORQUE_LIMIT.encode(-1), None);
        assert_eq!(ACCELERATION.encode(256), None);
        assert_eq!(ACCELERATION.decode(&[1, 2]), None);
    }

    #[test]
    fn a_block_gives_its_registers_and_no_others() {
        let bytes = [0xFF, 0x07, 0x0A, 0x80, 0x64, 0x04, 74, 31];
        assert_eq!(PRESENT.get(&bytes, PRESENT_POSITION), Some(2047));
        assert_eq!(PRESENT.get(&bytes, PRESENT_VELOCITY), Some(-10));
        assert_eq!(PRESENT.get(&bytes, PRESENT_LOAD), Some(-100));
        assert_eq!(PRESENT.get(&bytes, PRESENT_VOLTAGE), Some(74));
        assert_eq!(PRESENT.get(&bytes, PRESENT_TEMPERATURE), Some(31));
        assert_eq!(PRESENT.get(&bytes, MODEL), None);
        assert_eq!(PRESENT.get(&bytes, GOAL_POSITION), None);
        assert_eq!(PRESENT.get(&bytes[..7], PRESENT_TEMPERATURE), None);
    }

    #[test]
    fn no_writable_register_is_in_eeprom_and_torque_is_zero_or_one() {
        for register in [
            WRITE_ACCELERATION,
            WRITE_GOAL_POSITION,
            WRITE_GOAL_VELOCITY,
            WRITE_TORQUE_LIMIT,
        ] {
            assert!(register.register().address > TORQUE_ENABLE.address);
        }
        assert_eq!([Torque::Off.byte(), Torque::On.byte()], [0, 1]);
    }

    proptest! {
        #[test]
        fn every_signed_number_survives_the_wire(value in -32767i32..=32767) {
            let bytes = GOAL_POSITION.encode(value).unwrap();
            prop_assert_eq!(GOAL_POSITION.decode(&bytes[..2]), Some(value));
        }

        #[test]
        fn every_homing_offset_survives_the_wire(value in -2047i32..=2047) {
            let bytes = HOMING_OFFSET.encode(value).unwrap();
            prop_assert_eq!(HOMING_OFFSET.decode(&bytes[..2]), Some(value));
        }
    }
}
