//! Which registers play which part, family by family.
//!
//! Owns the parts that reading, writing and bring-up know of. Never a value.
//!
//! Real time: constants alone.

use super::register::{Block, RamRegister, Register};
use super::{dynamixel, feetech};
use crate::arm::Family;

/// The registers of a family by their parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// Bytes that a ping is answered with.
    pub ping_params: u8,
    /// Everything in EEPROM that bring-up compares.
    pub eeprom: Block,
    /// Torque, fence and goal: what a servo was told.
    pub control: Block,
    /// What a tick reads of every servo.
    pub present: Block,
    /// What it reads of one servo in turn, where supply and temperature are not in `present`.
    pub health: Option<Block>,
    /// Torque on or off.
    pub torque_enable: Register,
    /// Where it goes.
    pub goal_position: RamRegister,
    /// The fence: acceleration of the servo's own profile.
    pub acceleration: RamRegister,
    /// The fence: its speed.
    pub velocity: RamRegister,
    /// The fence: how hard the motor may push.
    pub torque: RamRegister,
    /// What stops a servo that hears nothing for a while, where there is such a thing.
    pub watchdog: Option<RamRegister>,
}

const FEETECH: Map = {
    use feetech::register as reg;
    Map {
        ping_params: 0,
        eeprom: reg::EEPROM,
        control: reg::CONTROL,
        present: reg::PRESENT,
        health: None,
        torque_enable: reg::TORQUE_ENABLE,
        goal_position: reg::WRITE_GOAL_POSITION,
        acceleration: reg::WRITE_ACCELERATION,
        velocity: reg::WRITE_GOAL_VELOCITY,
        torque: reg::WRITE_TORQUE_LIMIT,
        watchdog: None,
    }
};

const DYNAMIXEL: Map = {
    use dynamixel::register as reg;
    Map {
        ping_params: 3,
        eeprom: reg::EEPROM,
        control: reg::CONTROL,
        present: reg::PRESENT,
        health: Some(reg::HEALTH),
        torque_enable: reg::TORQUE_ENABLE,
        goal_position: reg::WRITE_GOAL_POSITION,
        acceleration: reg::WRITE_PROFILE_ACCELERATION,
        velocity: reg::WRITE_PROFILE_VELOCITY,
        torque: reg::WRITE_GOAL_PWM,
        watchdog: Some(reg::WRITE_BUS_WATCHDOG),
    }
};

/// The registers of `family`.
#[must_use]
pub fn map(family: Family) -> &'static Map {
    match family {
        Family::Feetech => &FEETECH,
        Family::Dynamixel => &DYNAMIXEL,
    }
}
