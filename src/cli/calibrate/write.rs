//! The calibration into the servos, one after the other, however often their power fails.

use serde_json::json;

use super::Calibrate;
use crate::cli::{Exit, Failure, Outcome};
use crate::commission::eeprom::{Eeprom, EepromError};
use crate::commission::find::describe;
use crate::commission::record::Calibrated;

impl Calibrate {
    /// Writes and reads back every servo.
    pub(super) fn write_all(&mut self, calibrated: &[Calibrated]) -> Outcome {
        for joint in calibrated {
            while let Some(why) = self.write(joint)? {
                self.dialog
                    .say("trouble", &why, json!({"joint": joint.joint}));
                let question = "Restore power and cables, then press Enter to go on writing; the file is whole, nothing has to be measured again.";
                self.dialog.ask("write_again", question)?;
            }
            let line = format!(
                "{}: offset {}, range {}…{}, written to servo {} and read back.",
                joint.joint, joint.homing_offset, joint.range.0, joint.range.1, joint.id
            );
            self.dialog.say(
                "written",
                &line,
                json!({"joint": joint.joint, "id": joint.id}),
            );
        }
        let next = format!("`surehand check {}`", self.cell.file.display());
        let line = format!("The arm is calibrated, and still limp. next: {next}");
        self.dialog.say("next", &line, json!({"next": next}));
        Ok(Exit::Done)
    }

    /// Writes one; what went wrong, for the person.
    fn write(&mut self, joint: &Calibrated) -> Result<Option<String>, Failure> {
        let (family, baud) = (self.cell.bus.family, self.cell.bus.baud);
        self.wire.tune(family, baud)?;
        let servo = describe(&mut self.wire, joint.id)?;
        if servo.settings.is_empty() {
            return Ok(Some(format!(
                "servo {} ({}) does not answer: its power or its cable failed",
                joint.id, joint.joint
            )));
        }
        let right = joint.settings(family, &servo.settings);
        match Eeprom::of(&mut self.wire, joint.id).set(&right, &[]) {
            Ok(()) => Ok(None),
            Err(EepromError::Wire(error)) => Err(error.into()),
            Err(error @ (EepromError::Silent { .. } | EepromError::Refused { .. })) => {
                Ok(Some(error.to_string()))
            }
        }
    }
}
