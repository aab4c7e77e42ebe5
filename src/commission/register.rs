//! What commissioning sets on a servo, family by family: which EEPROM register holds it, and what
//! an arm's servo must hold. Owns names and right values; never writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::joints::{ArmJoint, Part};
use crate::arm::Family;
use crate::bus::map::map;
use crate::bus::register::{Block, Register, Sign};
use crate::bus::{dynamixel, feetech};

/// One thing that is set on a servo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Id on the bus.
    Id,
    /// Wait before an answer, units of 2 µs.
    ReturnDelay,
    /// Feetech: which requests are answered.
    StatusLevel,
    /// Feetech: bits of special functions, of which 16 makes positions count turns.
    Phase,
    /// Dynamixel: direction and kind of profile.
    DriveMode,
    /// Operating mode.
    Mode,
    /// Dynamixel: a second id it obeys.
    SecondId,
    /// Zero of the position, counts.
    HomingOffset,
    /// Lowest goal, counts.
    MinPosition,
    /// Highest goal, counts.
    MaxPosition,
    /// Code of the rate.
    Baud,
}

/// Values by setting, in the order they are written: the id first, so that a servo whose power fails
/// in between is not taken for the one that has its old id; the rate last.
pub type Settings = BTreeMap<Setting, i32>;

/// All there are.
pub const ALL: [Setting; 11] = [
    Setting::Id,
    Setting::ReturnDelay,
    Setting::StatusLevel,
    Setting::Phase,
    Setting::DriveMode,
    Setting::Mode,
    Setting::SecondId,
    Setting::HomingOffset,
    Setting::MinPosition,
    Setting::MaxPosition,
    Setting::Baud,
];

/// Feetech's register that keeps writes to the EEPROM area from being saved.
pub const LOCK: Register = byte(55);
/// The bit of Feetech's phase register that lets positions count turns.
const COUNTS_TURNS: i32 = 0x10;

/// The secondary id of a servo that has none.
const NO_ID: i32 = 255;

const fn byte(address: u16) -> Register {
    Register {
        address,
        width: 1,
        sign: Sign::None,
    }
}

impl Setting {
    /// Where a family holds it; `None` when it has no such thing.
    #[must_use]
    pub fn register(self, family: Family) -> Option<Register> {
        match family {
            Family::Feetech => self.feetech(),
            Family::Dynamixel => self.dynamixel(),
        }
    }

    fn feetech(self) -> Option<Register> {
        use feetech::register as reg;
        Some(match self {
            Setting::ReturnDelay => reg::RETURN_DELAY,
            Setting::StatusLevel => reg::STATUS_LEVEL,
            Setting::Phase => byte(18),
            Setting::Mode => reg::MODE,
            Setting::HomingOffset => reg::HOMING_OFFSET,
            Setting::MinPosition => reg::MIN_POSITION,
            Setting::MaxPosition => reg::MAX_POSITION,
            Setting::Id => reg::ID,
            Setting::Baud => byte(6),
            Setting::DriveMode | Setting::SecondId => return None,
        })
    }

    fn dynamixel(self) -> Option<Register> {
        use dynamixel::register as reg;
        Some(match self {
            Setting::ReturnDelay => reg::RETURN_DELAY,
            Setting::DriveMode => reg::DRIVE_MODE,
            Setting::Mode => reg::OPERATING_MODE,
            Setting::SecondId => reg::SECONDARY_ID,
            Setting::HomingOffset => reg::HOMING_OFFSET,
            Setting::MinPosition => reg::MIN_POSITION,
            Setting::MaxPosition => reg::MAX_POSITION,
            Setting::Id => byte(7),
            Setting::Baud => byte(8),
            Setting::StatusLevel | Setting::Phase => return None,
        })
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Setting::ReturnDelay => "return delay",
            Setting::StatusLevel => "status level",
            Setting::Phase => "phase",
            Setting::DriveMode => "drive mode",
            Setting::Mode => "operating mode",
            Setting::SecondId => "secondary id",
            Setting::HomingOffset => "homing offset",
            Setting::MinPosition => "lowest position",
            Setting::MaxPosition => "highest position",
            Setting::Id => "id",
            Setting::Baud => "baud code",
        }
    }
}

/// The block that holds every setting of a family.
#[must_use]
pub fn eeprom(family: Family) -> Block {
    map(family).eeprom
}

/// The settings in the bytes of [`eeprom`].
#[must_use]
pub fn settings_in(family: Family, bytes: &[u8]) -> Settings {
    let block = eeprom(family);
    let read = |setting: &Setting| {
        let value = block.get(bytes, setting.register(family)?)?;
        Some((*setting, value))
    };
    ALL.iter().filter_map(read).collect()
}

/// The code of a rate; `None` when the family has none for it.
#[must_use]
pub fn baud_code(family: Family, baud: u32) -> Option<i32> {
    let rates: &[u32] = match family {
        Family::Feetech => Family::Feetech.bauds(),
        Family::Dynamixel => &[
            9_600, 57_600, 115_200, 1_000_000, 2_000_000, 3_000_000, 4_000_000,
        ],
    };
    let at = rates.iter().position(|rate| *rate == baud)?;
    i32::try_from(at).ok()
}

/// What the servo of `joint` must hold in service beside its calibration, for one that holds
/// `found` now; `None` when its family has no such rate.
#[must_use]
pub fn in_service(
    family: Family,
    found: &Settings,
    joint: &ArmJoint,
    baud: u32,
) -> Option<Settings> {
    let now = |setting| found.get(&setting).copied().unwrap_or(0);
    let mut right = Settings::from([
        (Setting::ReturnDelay, 0),
        (Setting::Id, i32::from(joint.id)),
        (Setting::Baud, baud_code(family, baud)?),
    ]);
    match family {
        Family::Feetech => right.extend([
            (Setting::StatusLevel, 1),
            (Setting::Phase, now(Setting::Phase) & !COUNTS_TURNS),
            (Setting::Mode, 0),
        ]),
        Family::Dynamixel => {
            let mode = now(Setting::Mode);
            let (drive_mode, second_id) = match joint.part {
                Part::First => (0, NO_ID),
                Part::Second { first, mirrored } => (i32::from(mirrored), i32::from(first)),
            };
            right.extend([
                (Setting::DriveMode, drive_mode),
                (
                    Setting::Mode,
                    if (3..=5).contains(&mode) { mode } else { 3 },
                ),
                (Setting::SecondId, second_id),
            ]);
        }
    }
    Some(right)
}

/// Of `right`, what differs from `found`.
#[must_use]
pub fn missing(found: &Settings, right: &Settings) -> Settings {
    let differs = |(setting, value): &(&Setting, &i32)| found.get(setting) != Some(*value);
    right
        .iter()
        .filter(differs)
        .map(|(setting, value)| (*setting, *value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_lies_in_the_block_that_is_read() {
        for family in [Family::Feetech, Family::Dynamixel] {
            let block = eeprom(family);
            for register in ALL.iter().filter_map(|it| it.register(family)) {
                let end = register.address + u16::from(register.width);
                assert!(end <= block.address + u16::from(block.len), "{register:?}");
            }
        }
    }

    #[test]
    fn rates_have_the_makers_codes() {
        assert_eq!(baud_code(Family::Feetech, 1_000_000), Some(0));
        assert_eq!(baud_code(Family::Feetech, 115_200), Some(4));
        assert_eq!(baud_code(Family::Dynamixel, 57_600), Some(1));
        assert_eq!(baud_code(Family::Dynamixel, 4_000_000), Some(6));
        assert_eq!(baud_code(Family::Dynamixel, 500_000), None);
    }

    #[test]
    fn a_second_servo_obeys_the_first_and_turns_its_counts_where_it_is_mirrored() {
        let mut joint = ArmJoint {
            name: "shoulder_shadow".into(),
            id: 3,
            limits: None,
            part: Part::Second {
                first: 2,
                mirrored: true,
            },
        };
        let found = Settings::from([(Setting::Mode, 3)]);
        let right = |joint: &ArmJoint| {
            let right = in_service(Family::Dynamixel, &found, joint, 1_000_000).unwrap();
            (right[&Setting::SecondId], right[&Setting::DriveMode])
        };
        assert_eq!(right(&joint), (2, 1));
        joint.part = Part::First;
        assert_eq!(right(&joint), (255, 0));
    }

    #[test]
    fn only_what_differs_is_written_the_id_first_and_the_rate_last() {
        let found = Settings::from([
            (Setting::ReturnDelay, 250),
            (Setting::StatusLevel, 1),
            (Setting::Phase, 12),
            (Setting::Mode, 0),
            (Setting::Id, 1),
            (Setting::Baud, 4),
        ]);
        let joint = ArmJoint {
            name: "elbow_flex".into(),
            id: 3,
            limits: None,
            part: Part::First,
        };
        let right = in_service(Family::Feetech, &found, &joint, 1_000_000).unwrap();
        let missing: Vec<Setting> = missing(&found, &right).into_keys().collect();
        assert_eq!(missing, [Setting::Id, Setting::ReturnDelay, Setting::Baud]);
    }
}
