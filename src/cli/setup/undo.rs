//! Gives servos back what they held before a set-up, from its notebook, the last one first.

use serde_json::json;

use super::{Setup, codes, told};
use crate::cli::{Exit, Outcome};
use crate::commission::eeprom::Eeprom;
use crate::commission::notebook::Entry;
use crate::commission::{Setting, Settings};

impl Setup {
    /// Undoes every joint in the notebook.
    pub(super) fn undo_all(&mut self) -> Outcome {
        let file = self.notebook.path().display().to_string();
        self.dialog
            .go_on_by(format!("the same command (`--undo {file}`)"));
        let open = self.notebook.to_undo();
        if open.is_empty() {
            self.dialog.say(
                "done",
                &format!("{file}: there is nothing to undo"),
                json!({}),
            );
            return Ok(Exit::Done);
        }
        for (joint, was, became) in open {
            self.undo(&joint, &was, &became)?;
        }
        let line = "every servo holds what it held before the set-up";
        self.dialog.say("done", line, json!({}));
        Ok(Exit::Done)
    }

    fn undo(
        &mut self,
        joint: &str,
        was: &Settings,
        became: &Settings,
    ) -> Result<(), super::Failure> {
        let mut question = format!(
            "Connect the servo of {joint} alone and press Enter: it gets back what it held (or type skip)."
        );
        loop {
            if self.dialog.ask("connect", &question)? == "skip" {
                return Ok(());
            }
            let servo = match self.find_alone()? {
                Ok(servo) => servo,
                Err(why) => {
                    question = self.complain(joint, &why);
                    continue;
                }
            };
            let id = i32::from(servo.id);
            let known = [became, was].map(|it| it.get(&Setting::Id).copied());
            if known.iter().flatten().next().is_some() && !known.contains(&Some(id)) {
                let why = format!(
                    "this servo has id {id}, which that one never had: connect the right one"
                );
                question = self.complain(joint, &why);
                continue;
            }
            // Only what the set-up changed.
            let back: Settings = was
                .iter()
                .filter(|(setting, _)| became.contains_key(setting))
                .map(|(setting, value)| (*setting, *value))
                .collect();
            let written = Eeprom::of(&mut self.wire, servo.id).set(&back, &codes(servo.family));
            let Err(error) = written else {
                let joint = joint.to_owned();
                let line = format!("{joint}: holds what it held before. Read back, locked.");
                self.dialog
                    .say("undone", &line, json!({"joint": joint, "holds": back}));
                self.notebook.note(Entry::Undone { joint })?;
                return Ok(());
            };
            if let Err(why) = told(error)? {
                question = self.complain(joint, &why);
            }
        }
    }
}
