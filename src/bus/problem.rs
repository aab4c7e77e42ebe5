//! What bring-up may find wrong with an arm: one line each, with numbers and what to do.

use std::fmt;
use std::time::Duration;

use crate::arm::Family;
use crate::units::Counts;

/// One thing that keeps the arm from being used.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The servo, by joint name and id; `None` when it concerns the whole bus.
    pub servo: Option<(String, u8)>,
    /// What it is.
    pub trouble: Trouble,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// It does not answer.
    Silent,
    /// Its answers are damaged, or come twice.
    Garbled,
    /// It answers pings, but a register block could not be read.
    Unreadable,
    /// It is another model.
    Model {
        /// Its model number.
        found: i32,
        /// The family of the bus.
        family: Family,
    },
    /// It waits too long before it answers.
    ReturnDelay {
        /// What it waits.
        found: Duration,
        /// The longest that is accepted.
        most: Duration,
    },
    /// Its status level is none that is known.
    StatusLevel {
        /// What it is.
        found: i32,
        /// What will do.
        right: &'static str,
    },
    /// It is not in position mode.
    Mode {
        /// What it is in.
        found: i32,
        /// What will do.
        right: &'static str,
    },
    /// It turns the other way round, or its profiles are times.
    DriveMode {
        /// Register 10.
        found: i32,
        /// What it must hold.
        right: i32,
    },
    /// It obeys a second id as well.
    SecondId {
        /// Which.
        found: i32,
    },
    /// It is the second servo of a joint, and does not obey the first one's id.
    NotSecond {
        /// Its secondary id.
        found: i32,
        /// The first servo's.
        first: u8,
    },
    /// It is the second servo of a joint and of another model than the first.
    OtherThanFirst {
        /// Its model number.
        found: i32,
        /// The first one's.
        first: i32,
    },
    /// The two servos of a joint measure different positions.
    Apart {
        /// What the second measures.
        found: Counts,
        /// The first.
        first: Counts,
    },
    /// The bus watchdog's commissioning test was passed with another firmware of this model.
    Watchdog {
        /// Its model.
        model: &'static str,
        /// Its firmware.
        firmware: i32,
    },
    /// Its homing offset is not the calibration's.
    HomingOffset {
        /// The servo's.
        found: i32,
        /// The calibration's.
        expected: i32,
    },
    /// Its limits are not the calibration's.
    Range {
        /// The servo's.
        found: (i32, i32),
        /// The calibration's.
        expected: (i32, i32),
    },
    /// It measures a position where the joint can't be.
    Position {
        /// Measured.
        found: Counts,
        /// The calibrated range.
        range: (i32, i32),
    },
    /// Everything it measures is zero.
    AllZero,
    /// It is too hot to start.
    Hot {
        /// °C.
        found: i32,
        /// Where it switches itself off.
        most: i32,
    },
    /// Its supply is out of range; in 0.1 V.
    Supply {
        /// Measured.
        found: i32,
        /// Its limits.
        range: (i32, i32),
    },
    /// It reports an error.
    Errors {
        /// The error bits of its replies.
        bits: u8,
    },
    /// The adapter is too slow.
    Latency {
        /// The fastest of several exchanges, less what the wire takes.
        found: Duration,
        /// The longest that is accepted.
        most: Duration,
    },
    /// The port failed.
    Port,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.servo {
            Some((name, id)) => write!(f, "servo {id} ({name}) {}", self.trouble),
            None => write!(f, "{}", self.trouble),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Trouble::Silent => f.write_str(
                "does not answer: check its cable, its id and the arm's power (`surehand scan`)",
            ),
            Trouble::Garbled => f.write_str(
                "answers twice or damaged: two servos may have this id, or a cable is bad (`surehand scan`)",
            ),
            Trouble::Unreadable => {
                f.write_str("answers, but can't be read without errors: check its cable")
            }
            Trouble::Model { found, family } => {
                let right = match family {
                    Family::Feetech => "not 777 (STS3215)",
                    Family::Dynamixel => "none of the X series that is known",
                };
                write!(f, "is model {found}, {right}: use the cell file of this arm")
            }
            Trouble::ReturnDelay { found, most } => write!(
                f,
                "waits {} µs before it answers, at most {} µs will do: run `surehand setup`",
                found.as_micros(),
                most.as_micros()
            ),
            Trouble::StatusLevel { found, right } => {
                write!(f, "has status level {found}, not {right}: run `surehand setup`")
            }
            Trouble::Mode { found, right } => write!(
                f,
                "is in operating mode {found}, not {right}: run `surehand setup`"
            ),
            Trouble::DriveMode { found, right } => {
                write!(
                    f,
                    "has drive mode {found}, not {right}: run `surehand setup`"
                )
            }
            Trouble::NotSecond { found, first } => write!(
                f,
                "has secondary id {found}, not {first}, and would stand still while the first servo of its joint turns: run `surehand setup`"
            ),
            Trouble::OtherThanFirst { found, first } => write!(
                f,
                "is model {found}, the first servo of its joint {first}: both must be of one model"
            ),
            Trouble::Apart { found, first } => write!(
                f,
                "is at {}, the first servo of its joint at {}: they would work against each other; look at horn and screws, and calibrate again",
                found.0, first.0
            ),
            Trouble::SecondId { found } => write!(
                f,
                "obeys id {found} as well (its secondary id): run `surehand setup`, which takes it away"
            ),
            Trouble::Watchdog { model, firmware } => write!(
                f,
                "is a {model} with firmware {firmware}, for which no bus watchdog test was passed: make the test and add \"{model} fw {firmware}\" to `bus.watchdog.tested`, or take this model out of it"
            ),
            Trouble::HomingOffset { found, expected } => write!(
                f,
                "has homing offset {found}, the calibration {expected}: use the calibration of this arm, or calibrate it again"
            ),
            Trouble::Range { found, expected } => write!(
                f,
                "has limits {}…{}, the calibration {}…{}: use the calibration of this arm, or calibrate it again",
                found.0, found.1, expected.0, expected.1
            ),
            Trouble::Position { found, range } => write!(
                f,
                "is at {}, outside its range {}…{}: move the joint back into it by hand, or calibrate again",
                found.0, range.0, range.1
            ),
            Trouble::AllZero => f.write_str(
                "reads zero throughout: switch the arm's power off and on, and check the cable",
            ),
            Trouble::Hot { found, most } => write!(
                f,
                "is at {found} °C, it switches off at {most} °C: let it cool down"
            ),
            Trouble::Supply { found, range } => write!(
                f,
                "is supplied with {}, it needs {} to {}: check the power supply",
                TenthVolts(found),
                TenthVolts(range.0),
                TenthVolts(range.1)
            ),
            Trouble::Errors { bits } => write!(
                f,
                "reports {}: remove the cause, then switch the arm's power off and on",
                crate::messages::error_bits(bits)
            ),
            Trouble::Latency { found, most } => write!(
                f,
                "the adapter adds {:.1} ms to each exchange, at most {:.1} ms will do: set its latency timer to 1 ms (`echo 1 | sudo tee /sys/bus/usb-serial/devices/*/latency_timer`)",
                found.as_secs_f64() * 1e3,
                most.as_secs_f64() * 1e3
            ),
            Trouble::Port => f.write_str(
                "the serial port failed: check the USB cable and connect the adapter again",
            ),
        }
    }
}

/// A supply as its register counts it.
struct TenthVolts(i32);

impl fmt::Display for TenthVolts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} V", f64::from(self.0) / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_with_servo_numbers_and_remedy() {
        let problem = Problem {
            servo: Some(("elbow_flex".into(), 3)),
            trouble: Trouble::HomingOffset {
                found: -12,
                expected: 212,
            },
        };
        assert_eq!(
            problem.to_string(),
            "servo 3 (elbow_flex) has homing offset -12, the calibration 212: use the calibration of this arm, or calibrate it again"
        );
        let slow = Problem {
            servo: None,
            trouble: Trouble::Latency {
                found: Duration::from_micros(16_040),
                most: Duration::from_millis(5),
            },
        };
        assert!(slow.to_string().contains("adds 16.0 ms"));
        assert!(slow.to_string().contains("latency_timer"));
    }
}
