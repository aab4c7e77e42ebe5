//! Which family of servos an arm is made of: they speak different protocols and hold their numbers
//! in different units.

use serde::Deserialize;

/// A family of servos, all of which share a wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Feetech STS and SMS.
    #[default]
    Feetech,
    /// Dynamixel X, protocol 2.0.
    Dynamixel,
}

impl Family {
    /// As a cell file calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Family::Feetech => "feetech",
            Family::Dynamixel => "dynamixel",
        }
    }

    /// The rates its servos can be set to, bits a second.
    #[must_use]
    pub fn bauds(self) -> &'static [u32] {
        match self {
            Family::Feetech => &[
                1_000_000, 500_000, 250_000, 128_000, 115_200, 57_600, 38_400, 19_200,
            ],
            Family::Dynamixel => &[57_600, 115_200, 1_000_000, 2_000_000, 3_000_000, 4_000_000],
        }
    }
}
