//! Faults a test can ask for: what they are called, what they need, and whether they make sense
//! in this cell. Owns the vocabulary; what a fault does belongs to the part it strikes.

use serde::Deserialize;

/// One fault, as `{"fault": "silence", "id": 3, "for_ms": 120}`.
///
/// Where `for_ms` is left out, the fault lasts until faults are cleared. Rates are chances a
/// reply, 0…1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the fields say what they are: ids, counts, durations, rates"
)]
pub enum Fault {
    /// A servo hears and obeys but does not answer.
    Silence { id: u8, for_ms: Option<u64> },
    /// A byte of a reply is changed.
    Corrupt { rate: f64 },
    /// A reply ends early.
    Truncate { rate: f64 },
    /// A reply is lost.
    Drop { rate: f64 },
    /// Bursts of random bytes, up to one a millisecond at rate 1.
    Noise { rate: f64 },
    /// The next `count` replies of a servo come late.
    DelayReply { id: u8, ms: f64, count: u32 },
    /// The adapter gives the host its own bytes back.
    Echo { on: bool },
    /// The adapter holds every reply back.
    Latency { ms: f64 },
    /// The adapter is pulled out.
    Unplug {},
    /// The adapter is plugged in again.
    Replug {},
    /// A servo latches its overload protection.
    Overload { id: u8 },
    /// A Dynamixel's bus watchdog trips, as if it had heard nothing; other servos have none.
    Watchdog { id: u8 },
    /// A servo loses power for a moment and boots.
    Brownout { id: u8 },
    /// A servo's temperature stays at a value.
    Overheat { id: u8, celsius: f64 },
    /// The supply stays at a value.
    Voltage { volts: f64 },
    /// A joint is jammed where it is.
    Stall { id: u8, for_ms: Option<u64> },
    /// A servo's motor drives on at full torque, whatever the goal, until torque is off.
    Runaway { id: u8, for_ms: Option<u64> },
    /// A servo's reported position is off by some counts.
    EncoderJump { id: u8, counts: i32 },
    /// A servo's answers carry nothing but zeros.
    Zeros { id: u8, for_ms: Option<u64> },
    /// A servo answers under another one's id.
    DuplicateId {
        id: u8,
        #[serde(rename = "as")]
        to: u8,
    },
    /// A camera repeats its last picture.
    CameraFreeze { camera: String, for_ms: Option<u64> },
    /// A camera sees nothing.
    CameraBlack { camera: String, for_ms: Option<u64> },
    /// A camera delivers nothing.
    CameraDrop { camera: String, for_ms: Option<u64> },
    /// A camera delivers another size.
    CameraResize {
        camera: String,
        width: u32,
        height: u32,
    },
}

/// Why a fault was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FaultError {
    /// Not a fault of the contract.
    #[error(
        "not a fault: {0}; give one object such as {{\"fault\": \"silence\", \"id\": 3, \"for_ms\": 120}}"
    )]
    Unreadable(String),
    /// No servo has that id.
    #[error("no servo has id {id}; there are {known:?}")]
    NoServo {
        /// As asked for.
        id: u8,
        /// Those there are.
        known: Vec<u8>,
    },
    /// No camera has that name.
    #[error("no camera is called {camera:?}; there are {known:?}")]
    NoCamera {
        /// As asked for.
        camera: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A number outside what makes sense.
    #[error("{field} is {value}; give {low} to {high}")]
    OutOfRange {
        /// Which number.
        field: &'static str,
        /// As asked for.
        value: f64,
        /// Least that is accepted.
        low: f64,
        /// Most that is accepted.
        high: f64,
    },
}

impl Fault {
    /// Reads one fault from JSON.
    ///
    /// # Errors
    /// When it is not one object of the contract.
    pub fn parse(json: &[u8]) -> Result<Fault, FaultError> {
        serde_json::from_slice(json).map_err(|e| FaultError::Unreadable(e.to_string()))
    }

    /// Checks that ids, cameras and numbers fit this cell.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check(&self, ids: &[u8], cameras: &[String]) -> Result<(), FaultError> {
        match self {
            Fault::Silence { id, .. }
            | Fault::Zeros { id, .. }
            | Fault::Overload { id }
            | Fault::Brownout { id }
            | Fault::Watchdog { id }
            | Fault::Runaway { id, .. }
            | Fault::Stall { id, .. } => servo(*id, ids),
            Fault::Corrupt { rate }
            | Fault::Truncate { rate }
            | Fault::Drop { rate }
            | Fault::Noise { rate } => within("rate", *rate, 0.0, 1.0),
            Fault::DelayReply { id, ms, .. } => {
                servo(*id, ids)?;
                within("ms", *ms, 0.0, 60_000.0)
            }
            Fault::Latency { ms } => within("ms", *ms, 0.0, 60_000.0),
            Fault::Overheat { id, celsius } => {
                servo(*id, ids)?;
                within("celsius", *celsius, -40.0, 250.0)
            }
            Fault::Voltage { volts } => within("volts", *volts, 0.0, 25.0),
            Fault::EncoderJump { id, counts } => {
                servo(*id, ids)?;
                within("counts", f64::from(*counts), -28_000.0, 28_000.0)
            }
            Fault::DuplicateId { id, to } => {
                servo(*id, ids)?;
                servo(*to, ids)
            }
            Fault::CameraFreeze { camera, .. }
            | Fault::CameraBlack { camera, .. }
            | Fault::CameraDrop { camera, .. } => named(camera, cameras),
            Fault::CameraResize {
                camera,
                width,
                height,
            } => {
                named(camera, cameras)?;
                within("width", f64::from(*width), 8.0, 1280.0)?;
                within("height", f64::from(*height), 8.0, 1280.0)
            }
            Fault::Echo { .. } | Fault::Unplug {} | Fault::Replug {} => Ok(()),
        }
    }
}

fn servo(id: u8, ids: &[u8]) -> Result<(), FaultError> {
    if ids.contains(&id) {
        return Ok(());
    }
    let known = ids.to_vec();
    Err(FaultError::NoServo { id, known })
}

fn named(camera: &str, cameras: &[String]) -> Result<(), FaultError> {
    if cameras.iter().any(|known| known == camera) {
        return Ok(());
    }
    let (camera, known) = (camera.to_owned(), cameras.to_vec());
    Err(FaultError::NoCamera { camera, known })
}

fn within(field: &'static str, value: f64, low: f64, high: f64) -> Result<(), FaultError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(FaultError::OutOfRange {
        field,
        value,
        low,
        high,
    })
}

/// When a fault that lasts `for_ms` from `now_ns` ends; without a duration it does not.
#[must_use]
pub fn ends_at(now_ns: u64, for_ms: Option<u64>) -> u64 {
    for_ms.map_or(u64::MAX, |ms| {
        now_ns.saturating_add(ms.saturating_mul(1_000_000))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_FAULT: [&str; 24] = [
        r#"{"fault": "silence", "id": 3, "for_ms": 120}"#,
        r#"{"fault": "zeros", "id": 3, "for_ms": 120}"#,
        r#"{"fault": "corrupt", "rate": 0.1}"#,
        r#"{"fault": "truncate", "rate": 0.1}"#,
        r#"{"fault": "drop", "rate": 0.2}"#,
        r#"{"fault": "noise", "rate": 1}"#,
        r#"{"fault": "delay_reply", "id": 2, "ms": 80, "count": 1}"#,
        r#"{"fault": "echo", "on": true}"#,
        r#"{"fault": "latency", "ms": 16}"#,
        r#"{"fault": "unplug"}"#,
        r#"{"fault": "replug"}"#,
        r#"{"fault": "overload", "id": 2}"#,
        r#"{"fault": "brownout", "id": 2}"#,
        r#"{"fault": "watchdog", "id": 2}"#,
        r#"{"fault": "overheat", "id": 2, "celsius": 80}"#,
        r#"{"fault": "voltage", "volts": 5.5}"#,
        r#"{"fault": "stall", "id": 1, "for_ms": 300}"#,
        r#"{"fault": "runaway", "id": 1, "for_ms": 300}"#,
        r#"{"fault": "encoder_jump", "id": 1, "counts": -4096}"#,
        r#"{"fault": "duplicate_id", "id": 1, "as": 2}"#,
        r#"{"fault": "camera_freeze", "camera": "wrist", "for_ms": 500}"#,
        r#"{"fault": "camera_black", "camera": "wrist", "for_ms": 500}"#,
        r#"{"fault": "camera_drop", "camera": "wrist"}"#,
        r#"{"fault": "camera_resize", "camera": "wrist", "width": 64, "height": 48}"#,
    ];

    fn check(json: &str) -> Result<(), FaultError> {
        Fault::parse(json.as_bytes())?.check(&[1, 2, 3], &["wrist".to_owned()])
    }

    #[test]
    fn every_fault_of_the_contract_is_read() {
        for json in EVERY_FAULT {
            assert_eq!(check(json), Ok(()), "{json}");
        }
    }

    #[test]
    fn a_bad_fault_is_refused_in_one_line() {
        for (json, part) in [
            ("{", "not a fault"),
            (r#"{"fault": "sleep"}"#, "unknown variant `sleep`"),
            (r#"{"fault": "drop"}"#, "missing field `rate`"),
            (r#"{"fault": "drop", "rate": 2}"#, "rate is 2; give 0 to 1"),
            (r#"{"fault": "drop", "rate": "x"}"#, "invalid type"),
            (r#"{"fault": "unplug", "id": 2}"#, "unknown field `id`"),
            (
                r#"{"fault": "silence", "id": 9, "for_ms": 1}"#,
                "no servo has id 9",
            ),
            (
                r#"{"fault": "camera_drop", "camera": "left"}"#,
                "no camera is called \"left\"",
            ),
        ] {
            let error = check(json).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
        }
    }
}
