//! What a person's hands do to the arm: plug servos in and out, turn joints, switch the power.
//! Owns the vocabulary; what it does to a servo is the bank's business.

use serde::Deserialize;

/// One act, as `{"hands": "connect", "servos": ["gripper"]}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "hands", rename_all = "snake_case", deny_unknown_fields)]
pub enum Hands {
    /// Exactly these servos, by their joints, hang on the line; others are unplugged. One that is
    /// plugged in powers up.
    Connect {
        /// Names of joints.
        servos: Vec<String>,
    },
    /// Takes a limp joint to an angle, as far as its stops let it, and holds it there.
    Turn {
        /// Its name.
        joint: String,
        /// rad
        to: f64,
    },
    /// Holds no joint any more: a limp one falls.
    LetGo {},
    /// Puts a joint's horn on so that the encoder reads this at joint angle zero.
    Mount {
        /// Its name.
        joint: String,
        /// Counts, 0 to 4095.
        encoder_at_zero: i32,
    },
    /// Switches the servos' supply.
    Power {
        /// Whether there is power.
        on: bool,
    },
    /// The power fails at a write to EEPROM, counted from now on from 1.
    CutPower {
        /// Which.
        at_write: u32,
        /// Whether that one is kept. None is ever kept in part.
        kept: bool,
    },
}

/// Why an act is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandsError {
    /// Not an act there is.
    #[error(
        "not an act of hands: {0}; give one object such as {{\"hands\": \"connect\", \"servos\": [\"gripper\"]}}"
    )]
    Unreadable(String),
    /// No joint has that name.
    #[error("there is no joint {joint:?}; there are {known:?}")]
    NoJoint {
        /// As asked for.
        joint: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The joint's motor holds it.
    #[error("joint {0} can't be turned by hand while its torque is on")]
    Stiff(String),
    /// A number that makes no sense.
    #[error("{field} is {value}; give {right}")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// As asked for.
        value: String,
        /// What would do.
        right: &'static str,
    },
}

impl Hands {
    /// Reads one act from JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(json: &[u8]) -> Result<Hands, HandsError> {
        serde_json::from_slice(json).map_err(|e| HandsError::Unreadable(e.to_string()))
    }
}
