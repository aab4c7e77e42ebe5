//! One servo as bring-up found it: its model, and how its registers are to be read.
//!
//! Owns what was found. Never judges it.

use crate::arm::Family;
use crate::bus::dynamixel::Model;
use crate::bus::service::{Health, RawReading, Reading};
use crate::units::Counts;

/// One servo as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundServo {
    /// Its model number, when it could be read.
    pub model: Option<i32>,
    /// Its firmware, when it could be read; a second number is Feetech's alone.
    pub firmware: Option<(i32, i32)>,
    /// What it measures.
    pub reading: RawReading,
    /// Its supply and temperature, where a tick does not read them.
    pub health: Option<Health>,
    /// Whether its torque is on, when it could be read.
    pub torque_on: Option<bool>,
    /// The goal that it holds, when it holds and could be read.
    pub goal: Option<Counts>,
}

impl FoundServo {
    /// How its registers are to be read.
    pub(super) fn reading_of(&self, family: Family) -> Reading {
        let standard = Reading {
            health: self.health,
            ..Reading::of(family)
        };
        match (family, self.model.and_then(Model::of)) {
            (Family::Dynamixel, Some(model)) => Reading {
                load_at_stall: model.load_at_stall(),
                ..standard
            },
            (Family::Feetech, _) | (Family::Dynamixel, None) => standard,
        }
    }

    /// The model, as its maker calls it, and the firmware that a commissioning test stands for;
    /// `None` for a servo without a bus watchdog, or one that could not be read.
    #[must_use]
    pub fn tested_as(&self, family: Family) -> Option<(&'static str, i32)> {
        match family {
            Family::Feetech => None,
            Family::Dynamixel => {
                let (firmware, _) = self.firmware?;
                Some((Model::of(self.model?)?.name(), firmware))
            }
        }
    }
}
