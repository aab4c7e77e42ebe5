//! What one servo says of itself at bring-up, held against its calibration.
//!
//! Owns the list of what may be wrong with a servo. Never asks it anything.

use std::time::Duration;

use super::FoundServo;
use crate::arm::calibration::{JointCalibration, REST_TOLERANCE};
use crate::bus::feetech::register::{
    CONTROL, EEPROM, FIRMWARE_MAJOR, FIRMWARE_MINOR, HOMING_OFFSET, MAX_POSITION, MAX_TEMPERATURE,
    MAX_VOLTAGE, MIN_POSITION, MIN_VOLTAGE, MODE, MODEL, RETURN_DELAY, Register, STATUS_LEVEL,
    STS3215, TORQUE_ENABLE,
};
use crate::bus::problem::Trouble;
use crate::bus::service::RawReading;
use crate::bus::timeouts::MAX_RETURN_DELAY;
use crate::bus::transaction::{Answer, Bytes};
use crate::control::ReadFault;

/// Everything one servo has said.
pub(super) struct Look {
    pub(super) ping: Answer,
    pub(super) present: Answer,
    pub(super) eeprom: Option<Bytes>,
    pub(super) control: Option<Bytes>,
}

impl Look {
    /// The servo, as far as it could be read.
    pub(super) fn found(&self) -> FoundServo {
        let eeprom = |register| self.eeprom.and_then(|b| EEPROM.get(b.as_slice(), register));
        FoundServo {
            model: eeprom(MODEL),
            firmware: eeprom(FIRMWARE_MAJOR).zip(eeprom(FIRMWARE_MINOR)),
            reading: RawReading::from_answer(&self.present),
            torque_on: self
                .control
                .and_then(|bytes| CONTROL.get(bytes.as_slice(), TORQUE_ENABLE))
                .map(|value| value != 0),
        }
    }

    /// What keeps it from being used.
    pub(super) fn troubles(&self, joint: &JointCalibration) -> Vec<Trouble> {
        let ping_errors = match self.ping {
            Answer::Data { errors, .. } => errors,
            Answer::Missing(ReadFault::Timeout) => return vec![Trouble::Silent],
            Answer::Missing(ReadFault::Port) => return vec![Trouble::Port],
            Answer::Missing(ReadFault::Corrupt | ReadFault::WrongId) => {
                return vec![Trouble::Garbled];
            }
        };
        let (Some(eeprom), Some(_)) = (&self.eeprom, &self.control) else {
            return vec![Trouble::Unreadable];
        };
        let get = |register: Register| EEPROM.get(eeprom.as_slice(), register).unwrap_or(-1);
        let model = get(MODEL);
        if model != STS3215 {
            // The meaning of all other registers is then unknown.
            return vec![Trouble::Model { found: model }];
        }
        let mut troubles = eeprom_troubles(get, joint);
        troubles.extend(present_troubles(&self.present, ping_errors, get, joint));
        troubles
    }
}

fn eeprom_troubles(get: impl Fn(Register) -> i32, joint: &JointCalibration) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let delay = Duration::from_micros(2) * u32::try_from(get(RETURN_DELAY)).unwrap_or(u32::MAX);
    if delay > MAX_RETURN_DELAY {
        troubles.push(Trouble::ReturnDelay {
            found: delay,
            most: MAX_RETURN_DELAY,
        });
    }
    let status_level = get(STATUS_LEVEL);
    if !(0..=1).contains(&status_level) {
        troubles.push(Trouble::StatusLevel {
            found: status_level,
        });
    }
    let mode = get(MODE);
    if mode != 0 {
        troubles.push(Trouble::Mode { found: mode });
    }
    let homing = get(HOMING_OFFSET);
    if homing != joint.homing_offset() {
        troubles.push(Trouble::HomingOffset {
            found: homing,
            expected: joint.homing_offset(),
        });
    }
    let range = (get(MIN_POSITION), get(MAX_POSITION));
    if range != calibrated(joint) {
        troubles.push(Trouble::Range {
            found: range,
            expected: calibrated(joint),
        });
    }
    troubles
}

fn present_troubles(
    present: &Answer,
    ping_errors: u8,
    limit: impl Fn(Register) -> i32,
    joint: &JointCalibration,
) -> Vec<Trouble> {
    let RawReading::Fresh {
        position,
        voltage,
        temperature,
        errors,
        ..
    } = RawReading::from_answer(present)
    else {
        let zeros = matches!(present, Answer::Data { .. });
        return vec![if zeros {
            Trouble::AllZero
        } else {
            Trouble::Unreadable
        }];
    };
    let mut troubles = Vec::new();
    let (min, max) = calibrated(joint);
    if !(min - REST_TOLERANCE..=max + REST_TOLERANCE).contains(&position.0) {
        troubles.push(Trouble::Position {
            found: position,
            range: (min, max),
        });
    }
    if temperature >= limit(MAX_TEMPERATURE) {
        troubles.push(Trouble::Hot {
            found: temperature,
            most: limit(MAX_TEMPERATURE),
        });
    }
    let supply = (limit(MIN_VOLTAGE), limit(MAX_VOLTAGE));
    if !(supply.0..=supply.1).contains(&voltage) {
        troubles.push(Trouble::Supply {
            found: voltage,
            range: supply,
        });
    }
    let bits = errors | ping_errors;
    if bits != 0 {
        troubles.push(Trouble::Errors { bits });
    }
    troubles
}

fn calibrated(joint: &JointCalibration) -> (i32, i32) {
    let (min, max) = joint.range();
    (min.0, max.0)
}
