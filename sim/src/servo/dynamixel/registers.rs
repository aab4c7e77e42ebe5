//! The register map of the X series: address, size, who may write it, its value as made, and what
//! differs from model to model. Owns numbers only; what a register does is in [`super::device`].
//!
//! Addresses, units and initial values follow the control tables of the maker's manual.

use crate::servo::model::Model;

/// Who may write a register, and whether it outlives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Written by the servo alone.
    ReadOnly,
    /// Kept over a power cut; written with torque off only.
    Eeprom,
    /// Back at its initial value after a power cut.
    Ram,
}

use Access::{Eeprom, Ram, ReadOnly};

/// One register; its numbers are two's complement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// First byte.
    pub address: u16,
    /// Bytes, 1, 2 or 4 (little-endian).
    pub size: u8,
    /// Who may write it.
    pub access: Access,
    /// Value as made, where no model has another.
    pub initial: i32,
    /// Smallest and largest value a host may write.
    pub range: (i32, i32),
}

const fn reg(address: u16, size: u8, access: Access, initial: i32, range: (i32, i32)) -> Register {
    Register {
        address,
        size,
        access,
        initial,
        range,
    }
}

const ANY: (i32, i32) = (i32::MIN, i32::MAX);

/// Model number.
pub const MODEL: Register = reg(0, 2, ReadOnly, 0, ANY);
/// Firmware version.
pub const FIRMWARE: Register = reg(6, 1, ReadOnly, 45, ANY);
/// Bus id.
pub const ID: Register = reg(7, 1, Eeprom, 1, (0, 252));
/// Baud code, see [`baud_of`].
pub const BAUD: Register = reg(8, 1, Eeprom, 1, (0, 6));
/// Return delay, units of 2 µs.
pub const RETURN_DELAY: Register = reg(9, 1, Eeprom, 250, (0, 254));
/// Direction, profile and torque bits; readable, only 0 is simulated.
pub const DRIVE_MODE: Register = reg(10, 1, Eeprom, 0, (0, 13));
/// 3 position, 4 position over turns, 5 the same with limited current; others stand still.
pub const OPERATING_MODE: Register = reg(11, 1, Eeprom, 3, (0, 16));
/// A second id, obeyed without an answer; 253 and more for none.
pub const SECONDARY_ID: Register = reg(12, 1, Eeprom, 255, (0, 255));
/// Present = actual + this, counts.
pub const HOMING_OFFSET: Register = reg(20, 4, Eeprom, 0, (-1_044_479, 1_044_479));
/// Overheat above, °C.
pub const MAX_TEMPERATURE: Register = reg(31, 1, Eeprom, 72, (0, 100));
/// Supply error above, 0.1 V.
pub const MAX_VOLTAGE: Register = reg(32, 2, Eeprom, 140, (31, 160));
/// Supply error below, 0.1 V.
pub const MIN_VOLTAGE: Register = reg(34, 2, Eeprom, 60, (31, 160));
/// Bound of [`GOAL_PWM`].
pub const PWM_LIMIT: Register = reg(36, 2, Eeprom, 885, (0, 885));
/// Bound of [`GOAL_CURRENT`], in the model's unit.
pub const CURRENT_LIMIT: Register = reg(38, 2, Eeprom, 0, (0, 2047));
/// Bound of [`GOAL_VELOCITY`].
pub const VELOCITY_LIMIT: Register = reg(44, 4, Eeprom, 265, (0, 2047));
/// Highest goal in mode 3, counts.
pub const MAX_POSITION: Register = reg(48, 4, Eeprom, 4095, (0, 4095));
/// Lowest goal in mode 3, counts.
pub const MIN_POSITION: Register = reg(52, 4, Eeprom, 0, (0, 4095));
/// Which hardware errors take the torque.
pub const SHUTDOWN: Register = reg(63, 1, Eeprom, 52, (0, 63));
/// 0 off, 1 on.
pub const TORQUE_ENABLE: Register = reg(64, 1, Ram, 0, (0, 1));
/// 0: pings are answered; 1: reads too; 2: everything.
pub const STATUS_LEVEL: Register = reg(68, 1, Ram, 2, (0, 2));
/// 1 while a staged write waits.
pub const STAGED: Register = reg(69, 1, ReadOnly, 0, ANY);
/// Errors since the start.
pub const HARDWARE_ERROR: Register = reg(70, 1, ReadOnly, 0, ANY);
/// Damping gain.
pub const D_GAIN: Register = reg(80, 2, Ram, 4000, (0, 16_383));
/// Position gain.
pub const P_GAIN: Register = reg(84, 2, Ram, 640, (0, 16_383));
/// Units of 20 ms without an instruction until it stops; 0 never, −1 it has.
pub const BUS_WATCHDOG: Register = reg(98, 1, Ram, 0, (0, 127));
/// Most drive in position modes.
pub const GOAL_PWM: Register = reg(100, 2, Ram, 885, (-885, 885));
/// Most current in mode 5.
pub const GOAL_CURRENT: Register = reg(102, 2, Ram, 0, (-2047, 2047));
/// Goal of velocity mode, which is not simulated.
pub const GOAL_VELOCITY: Register = reg(104, 4, Ram, 0, (-2047, 2047));
/// Acceleration of the profile, 214.577 rev/min²; 0 is none.
pub const PROFILE_ACCELERATION: Register = reg(108, 4, Ram, 0, (0, 32_767));
/// Speed of the profile, 0.229 rev/min; 0 is none.
pub const PROFILE_VELOCITY: Register = reg(112, 4, Ram, 0, (0, 32_767));
/// Goal, counts.
pub const GOAL_POSITION: Register = reg(116, 4, Ram, 0, (-1_048_575, 1_048_575));
/// Milliseconds.
pub const REALTIME_TICK: Register = reg(120, 2, ReadOnly, 0, ANY);
/// 1 while it moves.
pub const MOVING: Register = reg(122, 1, ReadOnly, 0, ANY);
/// Drive of the motor, of 885.
pub const PRESENT_PWM: Register = reg(124, 2, ReadOnly, 0, ANY);
/// Load in 0.1 %, or current in the model's unit.
pub const PRESENT_LOAD: Register = reg(126, 2, ReadOnly, 0, ANY);
/// Velocity, 0.229 rev/min.
pub const PRESENT_VELOCITY: Register = reg(128, 4, ReadOnly, 0, ANY);
/// Position, counts.
pub const PRESENT_POSITION: Register = reg(132, 4, ReadOnly, 0, ANY);
/// Speed of the profile now.
pub const VELOCITY_TRAJECTORY: Register = reg(136, 4, ReadOnly, 0, ANY);
/// Where the profile is now.
pub const POSITION_TRAJECTORY: Register = reg(140, 4, ReadOnly, 0, ANY);
/// Supply, 0.1 V.
pub const PRESENT_VOLTAGE: Register = reg(144, 2, ReadOnly, 0, ANY);
/// Temperature, °C.
pub const PRESENT_TEMPERATURE: Register = reg(146, 1, ReadOnly, 0, ANY);

/// The first register that names an address to be found at [`INDIRECT_DATA`], 2 bytes each.
pub const INDIRECT_ADDRESS: u16 = 168;
/// The first byte that stands for an address named at [`INDIRECT_ADDRESS`].
pub const INDIRECT_DATA: u16 = 224;
/// How many there are.
pub const INDIRECTS: u16 = 28;

/// The whole map but the indirect part, by address.
pub const REGISTERS: [Register; 60] = [
    MODEL,
    reg(2, 4, ReadOnly, 0, ANY),
    FIRMWARE,
    ID,
    BAUD,
    RETURN_DELAY,
    DRIVE_MODE,
    OPERATING_MODE,
    SECONDARY_ID,
    reg(13, 1, Eeprom, 2, (1, 22)),
    HOMING_OFFSET,
    reg(24, 4, Eeprom, 10, (0, 1023)),
    MAX_TEMPERATURE,
    MAX_VOLTAGE,
    MIN_VOLTAGE,
    PWM_LIMIT,
    CURRENT_LIMIT,
    VELOCITY_LIMIT,
    MAX_POSITION,
    MIN_POSITION,
    reg(60, 1, Eeprom, 0, (0, 3)),
    SHUTDOWN,
    TORQUE_ENABLE,
    reg(65, 1, Ram, 0, (0, 1)),
    STATUS_LEVEL,
    STAGED,
    HARDWARE_ERROR,
    // Gains of the velocity loop, the integral and feed-forward gains: readable, of no effect.
    reg(76, 2, Ram, 1000, (0, 16_383)),
    reg(78, 2, Ram, 100, (0, 16_383)),
    D_GAIN,
    reg(82, 2, Ram, 0, (0, 16_383)),
    P_GAIN,
    reg(88, 2, Ram, 0, (0, 16_383)),
    reg(90, 2, Ram, 0, (0, 16_383)),
    BUS_WATCHDOG,
    GOAL_PWM,
    GOAL_CURRENT,
    GOAL_VELOCITY,
    PROFILE_ACCELERATION,
    PROFILE_VELOCITY,
    GOAL_POSITION,
    REALTIME_TICK,
    MOVING,
    reg(123, 1, ReadOnly, 0, ANY),
    PRESENT_PWM,
    PRESENT_LOAD,
    PRESENT_VELOCITY,
    PRESENT_POSITION,
    VELOCITY_TRAJECTORY,
    POSITION_TRAJECTORY,
    PRESENT_VOLTAGE,
    PRESENT_TEMPERATURE,
    reg(147, 1, ReadOnly, 0, ANY),
    // External ports, none of which is connected.
    reg(56, 1, ReadOnly, 0, ANY),
    reg(57, 1, ReadOnly, 0, ANY),
    reg(58, 1, ReadOnly, 0, ANY),
    reg(152, 2, ReadOnly, 0, ANY),
    reg(154, 2, ReadOnly, 0, ANY),
    reg(156, 2, ReadOnly, 0, ANY),
    reg(158, 2, ReadOnly, 0, ANY),
];

/// First address past the EEPROM area.
pub const EEPROM_END: u16 = 64;

/// Bits a second by baud code.
pub const RATES: [u32; 7] = [
    9_600, 57_600, 115_200, 1_000_000, 2_000_000, 3_000_000, 4_000_000,
];
/// Baud code of 1 000 000 bits a second.
pub const ONE_MEGABAUD: i32 = 3;

/// Bits a second of baud code `code`, `None` for a code that does not exist.
#[must_use]
pub fn baud_of(code: i32) -> Option<u32> {
    RATES.get(usize::try_from(code).ok()?).copied()
}

/// The code of `baud` bits a second, `None` for a rate it can't be set to.
#[must_use]
pub fn baud_code(baud: u32) -> Option<i32> {
    let code = RATES.iter().position(|rate| *rate == baud)?;
    i32::try_from(code).ok()
}

/// What differs from model to model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Make {
    /// Values as made.
    pub initial: &'static [(Register, i32)],
    /// A in one unit of a current; `None` where register 126 is a load.
    pub amps_unit: Option<f64>,
    /// A at stall.
    pub stall_amps: f64,
    /// V of a supply of its own, beside that of the arm; the line alone is shared.
    pub supply: Option<f64>,
    /// Whether the motor stops when its bus watchdog trips: on the smallest it turns on.
    pub watchdog_stops: bool,
}

const XL330: [(Register, i32); 8] = [
    (MAX_TEMPERATURE, 70),
    (MAX_VOLTAGE, 70),
    (MIN_VOLTAGE, 35),
    (CURRENT_LIMIT, 1750),
    (VELOCITY_LIMIT, 445),
    (SHUTDOWN, 53),
    (D_GAIN, 0),
    (P_GAIN, 400),
];
const XM430: [(Register, i32); 7] = [
    (MAX_TEMPERATURE, 80),
    (MAX_VOLTAGE, 160),
    (MIN_VOLTAGE, 95),
    (CURRENT_LIMIT, 1193),
    (VELOCITY_LIMIT, 200),
    (D_GAIN, 0),
    (P_GAIN, 800),
];

/// The number of a model of the X series.
#[must_use]
pub fn number_of(model: Model) -> i32 {
    match model {
        Model::Sts3215 => 0,
        Model::Xl330M077 => 1190,
        Model::Xl330M288 => 1200,
        Model::Xl430W250 => 1060,
        Model::Xc430W150 => 1070,
        Model::Xm430W350 => 1020,
        Model::Xm540W270 => 1120,
    }
}

/// How a model is made.
#[must_use]
pub fn make_of(model: Model) -> Make {
    match model {
        Model::Xl330M077 | Model::Xl330M288 => Make {
            initial: &XL330,
            amps_unit: Some(0.001),
            stall_amps: 1.47,
            supply: Some(5.0),
            watchdog_stops: false,
        },
        Model::Xm430W350 | Model::Xm540W270 => Make {
            initial: &XM430,
            amps_unit: Some(0.00269),
            stall_amps: if model == Model::Xm430W350 { 2.3 } else { 4.4 },
            supply: Some(12.0),
            watchdog_stops: true,
        },
        Model::Sts3215 | Model::Xl430W250 | Model::Xc430W150 => Make {
            initial: &[],
            amps_unit: None,
            stall_amps: 1.4,
            supply: None,
            watchdog_stops: true,
        },
    }
}

/// Errors of a status frame.
pub mod error {
    /// It could not be carried out.
    pub const FAILED: u8 = 1;
    /// No such instruction.
    pub const INSTRUCTION: u8 = 2;
    /// A value that is out of range, or a register that takes none just now.
    pub const RANGE: u8 = 4;
    /// Half a register.
    pub const LENGTH: u8 = 5;
    /// A value beyond a limit register.
    pub const LIMIT: u8 = 6;
    /// A register that can't be written, or not with torque on.
    pub const ACCESS: u8 = 7;
    /// The hardware error register holds something.
    pub const ALERT: u8 = 0x80;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_do_not_overlap_and_eeprom_ends_where_ram_begins() {
        let mut taken = [false; 256];
        for register in REGISTERS {
            for offset in 0..u16::from(register.size) {
                let at = usize::from(register.address + offset);
                assert!(!taken[at], "address {at} twice");
                taken[at] = true;
            }
            match register.access {
                Access::Eeprom => assert!(register.address < EEPROM_END),
                Access::Ram => assert!(register.address >= EEPROM_END),
                Access::ReadOnly => {}
            }
        }
        let (from, to) = (INDIRECT_ADDRESS, INDIRECT_ADDRESS + 2 * INDIRECTS);
        assert_eq!(to, INDIRECT_DATA);
        assert!(!taken[usize::from(from)..256].contains(&true));
    }
}
