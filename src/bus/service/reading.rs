//! One servo as read: what its reply says, in counts and then in the joint's units.
//!
//! Real time: arithmetic only. Owns what either family's registers mean. Never does I/O.

use crate::arm::Family;
use crate::arm::calibration::{JointCalibration, round};
use crate::bus::dynamixel::register as dynamixel;
use crate::bus::dynamixel::status::ALERT;
use crate::bus::feetech::register as feetech;
use crate::bus::transaction::Answer;
use crate::control::{JointReading, ReadFault};
use crate::units::{Celsius, Counts, Volts};

/// How a servo's registers are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Its family.
    pub family: Family,
    /// What its load register holds at the stall torque.
    pub load_at_stall: i32,
    /// What it said last, where supply and temperature are asked for in turn.
    pub health: Option<Health>,
}

/// Supply and temperature of a servo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Supply, 0.1 V.
    pub voltage: i32,
    /// Temperature, °C.
    pub temperature: i32,
}

impl Health {
    /// What an answer to a read of a Dynamixel's health says. Zeros are none: a servo that can
    /// answer has a supply and a temperature.
    #[must_use]
    pub fn from_answer(answer: &Answer) -> Option<Health> {
        let Answer::Data { bytes, .. } = answer else {
            return None;
        };
        let get = |register| dynamixel::HEALTH.get(bytes.as_slice(), register);
        let health = Health {
            voltage: get(dynamixel::PRESENT_VOLTAGE)?,
            temperature: get(dynamixel::PRESENT_TEMPERATURE)?,
        };
        (health != Health::default()).then_some(health)
    }
}

impl Reading {
    /// Of a servo of `family` whose model is not known.
    #[must_use]
    pub fn of(family: Family) -> Reading {
        Reading {
            family,
            load_at_stall: 1000,
            health: None,
        }
    }
}

/// One servo as read, in counts and the units of Feetech's registers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RawReading {
    /// A checked reply.
    Fresh {
        /// Measured position.
        position: Counts,
        /// Measured velocity, counts/s.
        velocity: i32,
        /// Drive of the motor, 0.1 %.
        load: i32,
        /// Supply, 0.1 V.
        voltage: i32,
        /// Temperature, °C.
        temperature: i32,
        /// Error bits: those of a Feetech reply, or [`ALERT`] and a Dynamixel's hardware error.
        errors: u8,
    },
    /// Nothing to be believed.
    Missing(ReadFault),
}

impl Default for RawReading {
    fn default() -> Self {
        RawReading::Missing(ReadFault::Timeout)
    }
}

impl RawReading {
    /// What an answer to a read of what a tick reads says. A Feetech reply of zeros throughout is
    /// none: a servo that can answer has a supply and a temperature. A Dynamixel's says nothing
    /// before its health is known.
    #[must_use]
    pub fn from_answer(reading: Reading, answer: &Answer) -> RawReading {
        let (errors, bytes) = match answer {
            Answer::Data { errors, bytes } => (*errors, bytes.as_slice()),
            Answer::Missing(fault) => return RawReading::Missing(*fault),
        };
        match reading.family {
            Family::Feetech => {
                RawReading::feetech(errors, bytes).filter(|_| bytes.iter().any(|byte| *byte != 0))
            }
            Family::Dynamixel => RawReading::dynamixel(reading, errors, bytes),
        }
        .unwrap_or(RawReading::Missing(ReadFault::Corrupt))
    }

    fn feetech(errors: u8, bytes: &[u8]) -> Option<RawReading> {
        let get = |register| feetech::PRESENT.get(bytes, register);
        Some(RawReading::Fresh {
            position: Counts(get(feetech::PRESENT_POSITION)?),
            velocity: get(feetech::PRESENT_VELOCITY)?,
            load: get(feetech::PRESENT_LOAD)?,
            voltage: get(feetech::PRESENT_VOLTAGE)?,
            temperature: get(feetech::PRESENT_TEMPERATURE)?,
            errors,
        })
    }

    fn dynamixel(reading: Reading, errors: u8, bytes: &[u8]) -> Option<RawReading> {
        let get = |register| dynamixel::PRESENT.get(bytes, register);
        let health = reading.health?;
        let velocity = f64::from(get(dynamixel::PRESENT_VELOCITY)?) * dynamixel::VELOCITY_UNIT;
        let load = get(dynamixel::PRESENT_LOAD)?.saturating_mul(1000);
        Some(RawReading::Fresh {
            position: Counts(get(dynamixel::PRESENT_POSITION)?),
            velocity: round(velocity)?,
            load: load.checked_div(reading.load_at_stall)?,
            voltage: health.voltage,
            temperature: health.temperature,
            errors: errors & ALERT,
        })
    }

    /// The reading in the joint's units.
    #[must_use]
    pub fn in_joint_units(&self, joint: &JointCalibration) -> JointReading {
        match *self {
            RawReading::Fresh {
                position,
                velocity,
                load,
                voltage,
                temperature,
                errors,
            } => JointReading::Fresh {
                position: joint.angle(position),
                velocity: joint.velocity(velocity),
                load: f64::from(load) / 1000.0,
                voltage: Volts(f64::from(voltage) / 10.0),
                temperature: Celsius(f64::from(temperature)),
                errors,
            },
            RawReading::Missing(fault) => JointReading::Missing(fault),
        }
    }
}
