//! The calibration that comes of measuring: LeRobot's file, written whole or not at all with the
//! old one kept, and what each servo must hold for it.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::measure::dynamixel_mode;
use super::register::{Setting, Settings};
use crate::arm::Family;
use crate::arm::calibration::{Calibration, JointCalibration};

/// One joint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calibrated {
    /// Its name.
    pub joint: String,
    /// Its servo's id.
    pub id: u8,
    /// Whether counts fall while its angle rises; of a second servo, whether it is mounted so.
    pub reversed: bool,
    /// What its servo holds as homing offset.
    pub homing_offset: i32,
    /// Lowest and highest count.
    pub range: (i32, i32),
    /// Whether a power-up anywhere in the range finds the same turn of the encoder.
    pub same_turn: bool,
}

/// A calibration file that can't be written.
#[derive(Debug, thiserror::Error)]
#[error("calibration {}: {source}: make its folder writable and run the same command", path.display())]
pub struct SaveError {
    path: PathBuf,
    source: std::io::Error,
}

/// The joints of a calibration that is valid for its arm, each before its second servo.
#[must_use]
pub fn joints_of(calibration: &Calibration) -> Vec<Calibrated> {
    let calibrated = |joint: &JointCalibration, reversed| {
        let (least, most) = joint.range();
        Calibrated {
            joint: joint.name().to_owned(),
            id: joint.id(),
            reversed,
            homing_offset: joint.homing_offset(),
            range: (least.0, most.0),
            same_turn: true,
        }
    };
    let mut all = Vec::new();
    for (index, joint) in calibration.joints().iter().enumerate() {
        all.push(calibrated(joint, joint.reversed()));
        let seconds = calibration.shadows().iter();
        let seconds = seconds.filter(|shadow| shadow.joint() == index);
        all.extend(seconds.map(|shadow| calibrated(shadow.servo(), shadow.mirrored())));
    }
    all
}

impl Calibrated {
    /// What its servo must hold, for one that holds `found`.
    #[must_use]
    pub fn settings(&self, family: Family, found: &Settings) -> Settings {
        let mut right = Settings::from([
            (Setting::HomingOffset, self.homing_offset),
            (Setting::MinPosition, self.range.0),
            (Setting::MaxPosition, self.range.1),
        ]);
        if family == Family::Dynamixel {
            let mode = found.get(&Setting::Mode).copied().unwrap_or(0);
            let mode = dynamixel_mode(self.homing_offset, self.same_turn, mode);
            right.insert(Setting::Mode, mode);
        }
        right
    }
}

/// The text of LeRobot's file.
#[must_use]
pub fn text(joints: &[Calibrated]) -> String {
    let lines: Vec<String> = joints
        .iter()
        .map(|joint| {
            format!(
                "  {}: {{\"id\": {}, \"drive_mode\": {}, \"homing_offset\": {}, \"range_min\": {}, \"range_max\": {}}}",
                Value::from(joint.joint.as_str()),
                joint.id,
                i32::from(joint.reversed),
                joint.homing_offset,
                joint.range.0,
                joint.range.1
            )
        })
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// Puts `text` at `path`, whole or not at all. A file that was there and says something else is
/// kept beside it, with `stamp` in its name; its new path.
///
/// # Errors
/// When it can't be written; what was there is there still.
pub fn save(path: &Path, text: &str, stamp: &str) -> Result<Option<PathBuf>, SaveError> {
    let failed = |source| SaveError {
        path: path.to_owned(),
        source,
    };
    let old = std::fs::read_to_string(path).ok();
    if old.as_deref() == Some(text) {
        return Ok(None);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<Option<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let fresh = path.with_extension(format!("{stamp}.new"));
        let mut file = std::fs::File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let kept = old
            .is_some()
            .then(|| path.with_extension(format!("{stamp}.json")));
        if let Some(kept) = &kept {
            std::fs::copy(path, kept)?;
        }
        std::fs::rename(&fresh, path)?;
        std::fs::File::open(folder)?.sync_all()?;
        Ok(kept)
    };
    write().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::calibration::JointSpan;
    use crate::units::Rad;

    fn elbow(offset: i32) -> Calibrated {
        Calibrated {
            joint: "elbow_flex".into(),
            id: 3,
            reversed: false,
            homing_offset: offset,
            range: (945, 3149),
            same_turn: true,
        }
    }

    #[test]
    fn the_file_is_read_back_as_it_was_meant() {
        let span = JointSpan {
            name: "elbow_flex",
            lower: Rad(-1.69),
            upper: Rad(1.69),
        };
        let calibration = Calibration::parse(&text(&[elbow(212)]), "x", &[span]).unwrap();
        assert_eq!(joints_of(&calibration), [elbow(212)]);
    }

    #[test]
    fn the_old_file_is_kept_unless_nothing_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/arm.json");
        assert_eq!(save(&path, "one", "t1").unwrap(), None);
        assert_eq!(save(&path, "one", "t2").unwrap(), None);
        let kept = save(&path, "two", "t3").unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "one");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(
            std::fs::read_dir(folder.path().join("new"))
                .unwrap()
                .count(),
            2
        );
    }

    #[test]
    fn a_dynamixel_goes_over_turns_only_where_its_offset_asks_for_it() {
        let found = Settings::from([(Setting::Mode, 3)]);
        let mode = |offset| elbow(offset).settings(Family::Dynamixel, &found)[&Setting::Mode];
        assert_eq!((mode(-212), mode(1500)), (3, 4));
        let feetech = elbow(212).settings(Family::Feetech, &found);
        assert_eq!(feetech.get(&Setting::Mode), None);
    }
}
