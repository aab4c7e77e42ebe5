//! What one servo says of itself at bring-up, held against its calibration.
//!
//! Owns the list of what may be wrong with a servo. Never asks it anything.

use std::time::Duration;

use super::FoundServo;
use crate::arm::Family;
use crate::arm::calibration::{JointCalibration, REST_TOLERANCE};
use crate::bus::dynamixel::Model;
use crate::bus::dynamixel::register as dynamixel;
use crate::bus::dynamixel::status::ALERT;
use crate::bus::feetech::register as feetech;
use crate::bus::map::map;
use crate::bus::problem::Trouble;
use crate::bus::register::Register;
use crate::bus::service::{Health, RawReading, Reading};
use crate::bus::timeouts::MAX_RETURN_DELAY;
use crate::bus::transaction::{Answer, Bytes};
use crate::control::ReadFault;
use crate::units::Counts;

/// Everything one servo has said.
pub(super) struct Look {
    pub(super) family: Family,
    pub(super) ping: Answer,
    pub(super) present: Answer,
    pub(super) health: Option<Health>,
    pub(super) eeprom: Option<Bytes>,
    pub(super) control: Option<Bytes>,
}

impl Look {
    /// The servo, as far as it could be read.
    pub(super) fn found(&self) -> FoundServo {
        let map = map(self.family);
        let eeprom = |register| {
            self.eeprom
                .and_then(|b| map.eeprom.get(b.as_slice(), register))
        };
        let (model, firmware) = match self.family {
            Family::Feetech => (
                eeprom(feetech::MODEL),
                eeprom(feetech::FIRMWARE_MAJOR).zip(eeprom(feetech::FIRMWARE_MINOR)),
            ),
            Family::Dynamixel => (
                eeprom(dynamixel::MODEL),
                eeprom(dynamixel::FIRMWARE).map(|version| (version, 0)),
            ),
        };
        let control = |register| {
            self.control
                .and_then(|bytes| map.control.get(bytes.as_slice(), register))
        };
        let torque_on = control(map.torque_enable).map(|value| value != 0);
        FoundServo {
            model,
            firmware,
            reading: self.reading(),
            health: self.health,
            torque_on,
            goal: control(map.goal_position.register())
                .filter(|_| torque_on == Some(true))
                .map(Counts),
        }
    }

    fn reading(&self) -> RawReading {
        let reading = Reading {
            health: self.health,
            ..Reading::of(self.family)
        };
        RawReading::from_answer(reading, &self.present)
    }

    /// What keeps it from being used as this part of its joint.
    pub(super) fn troubles(&self, joint: &JointCalibration, part: Part) -> Vec<Trouble> {
        let ping_errors = match self.ping {
            Answer::Data { errors, .. } => errors,
            Answer::Missing(ReadFault::Timeout) => return vec![Trouble::Silent],
            Answer::Missing(ReadFault::Port) => return vec![Trouble::Port],
            Answer::Missing(ReadFault::Corrupt | ReadFault::WrongId) => {
                return vec![Trouble::Garbled];
            }
        };
        let (Some(eeprom), Some(control)) = (&self.eeprom, &self.control) else {
            return vec![Trouble::Unreadable];
        };
        let map = map(self.family);
        let get = |register: Register| {
            let eeprom = map.eeprom.get(eeprom.as_slice(), register);
            let control = || map.control.get(control.as_slice(), register);
            eeprom.or_else(control).unwrap_or(-1)
        };
        let limits = match self.family {
            Family::Feetech => {
                let model = get(feetech::MODEL);
                if model != feetech::STS3215 {
                    // The meaning of all other registers is then unknown.
                    return vec![Trouble::Model {
                        found: model,
                        family: self.family,
                    }];
                }
                Limits {
                    celsius: get(feetech::MAX_TEMPERATURE),
                    supply: (get(feetech::MIN_VOLTAGE), get(feetech::MAX_VOLTAGE)),
                    errors: ping_errors,
                }
            }
            Family::Dynamixel => {
                let model = get(dynamixel::MODEL);
                if Model::of(model).is_none() {
                    return vec![Trouble::Model {
                        found: model,
                        family: self.family,
                    }];
                }
                let error = u8::try_from(get(dynamixel::HARDWARE_ERROR)).unwrap_or(0);
                let alert = if error == 0 { 0 } else { ALERT };
                Limits {
                    celsius: get(dynamixel::MAX_TEMPERATURE),
                    supply: (get(dynamixel::MIN_VOLTAGE), get(dynamixel::MAX_VOLTAGE)),
                    errors: error | alert | ping_errors & ALERT,
                }
            }
        };
        let mut troubles = match self.family {
            Family::Feetech => feetech_troubles(get, joint),
            Family::Dynamixel => dynamixel_troubles(get, joint, part),
        };
        let reading = self.reading();
        let answered = matches!(self.present, Answer::Data { .. });
        troubles.extend(present_troubles(&reading, answered, &limits, joint));
        troubles
    }
}

/// Which of a joint's servos it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The first, or the only one.
    First,
    /// One that obeys what the first is told.
    Second {
        /// The first one's id.
        first: u8,
        /// Whether it is mounted the other way round.
        mirrored: bool,
    },
}

/// What a servo's own protections allow, and the errors it has told of.
struct Limits {
    celsius: i32,
    /// Lowest and highest, 0.1 V.
    supply: (i32, i32),
    errors: u8,
}

fn feetech_troubles(get: impl Fn(Register) -> i32, joint: &JointCalibration) -> Vec<Trouble> {
    let mut troubles = return_delay(get(feetech::RETURN_DELAY));
    let status_level = get(feetech::STATUS_LEVEL);
    if !(0..=1).contains(&status_level) {
        troubles.push(Trouble::StatusLevel {
            found: status_level,
            right: "0 or 1",
        });
    }
    let mode = get(feetech::MODE);
    if mode != 0 {
        troubles.push(Trouble::Mode {
            found: mode,
            right: "0 (position)",
        });
    }
    let range = (get(feetech::MIN_POSITION), get(feetech::MAX_POSITION));
    troubles.extend(calibration_troubles(
        get(feetech::HOMING_OFFSET),
        range,
        joint,
    ));
    troubles
}

fn dynamixel_troubles(
    get: impl Fn(Register) -> i32,
    joint: &JointCalibration,
    part: Part,
) -> Vec<Trouble> {
    let mut troubles = return_delay(get(dynamixel::RETURN_DELAY));
    let status_level = get(dynamixel::STATUS_LEVEL);
    if !(1..=2).contains(&status_level) {
        troubles.push(Trouble::StatusLevel {
            found: status_level,
            right: "1 or 2",
        });
    }
    let mode = get(dynamixel::OPERATING_MODE);
    if !(3..=5).contains(&mode) {
        troubles.push(Trouble::Mode {
            found: mode,
            right: "3 (position), 4 (over turns) or 5 (limited current)",
        });
    }
    let drive_mode = get(dynamixel::DRIVE_MODE);
    let right = match part {
        Part::First => 0,
        Part::Second { mirrored, .. } => i32::from(mirrored),
    };
    if drive_mode != right {
        troubles.push(Trouble::DriveMode {
            found: drive_mode,
            right,
        });
    }
    let found = get(dynamixel::SECONDARY_ID);
    match part {
        Part::First if (0..=252).contains(&found) => troubles.push(Trouble::SecondId { found }),
        Part::Second { first, .. } if found != i32::from(first) => {
            troubles.push(Trouble::NotSecond { found, first });
        }
        Part::First | Part::Second { .. } => {}
    }
    let range = (get(dynamixel::MIN_POSITION), get(dynamixel::MAX_POSITION));
    troubles.extend(calibration_troubles(
        get(dynamixel::HOMING_OFFSET),
        range,
        joint,
    ));
    troubles
}

fn return_delay(units: i32) -> Vec<Trouble> {
    let delay = Duration::from_micros(2) * u32::try_from(units).unwrap_or(u32::MAX);
    let too_long = (delay > MAX_RETURN_DELAY).then_some(Trouble::ReturnDelay {
        found: delay,
        most: MAX_RETURN_DELAY,
    });
    too_long.into_iter().collect()
}

fn calibration_troubles(
    homing: i32,
    range: (i32, i32),
    joint: &JointCalibration,
) -> impl Iterator<Item = Trouble> {
    let homing = (homing != joint.homing_offset()).then_some(Trouble::HomingOffset {
        found: homing,
        expected: joint.homing_offset(),
    });
    let range = (range != calibrated(joint)).then_some(Trouble::Range {
        found: range,
        expected: calibrated(joint),
    });
    homing.into_iter().chain(range)
}

fn present_troubles(
    reading: &RawReading,
    answered: bool,
    limits: &Limits,
    joint: &JointCalibration,
) -> Vec<Trouble> {
    let RawReading::Fresh {
        position,
        voltage,
        temperature,
        errors,
        ..
    } = *reading
    else {
        return vec![if answered {
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
    if temperature >= limits.celsius {
        troubles.push(Trouble::Hot {
            found: temperature,
            most: limits.celsius,
        });
    }
    if !(limits.supply.0..=limits.supply.1).contains(&voltage) {
        troubles.push(Trouble::Supply {
            found: voltage,
            range: limits.supply,
        });
    }
    let bits = errors | limits.errors;
    if bits != 0 {
        troubles.push(Trouble::Errors { bits });
    }
    troubles
}

fn calibrated(joint: &JointCalibration) -> (i32, i32) {
    let (min, max) = joint.range();
    (min.0, max.0)
}
