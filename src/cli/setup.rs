//! `surehand setup`: ids and rates of an arm's servos, one servo at a time.
//!
//! Owns the conversation. What a servo held is written down before it is changed; whatever goes
//! wrong on the way ends in a line that says what to do, and the same command goes on.

use std::path::{Path, PathBuf};

use serde_json::json;

mod alone;
mod undo;

use super::dialog::Dialog;
use super::scan::family;
use super::{Exit, Failure, Outcome};
use crate::arm::Family;
use crate::cell::{Cell, Overrides};
use crate::commission::eeprom::{Eeprom, EepromError};
use crate::commission::find::{Servo, look};
use crate::commission::notebook::{Entry, Notebook, NotebookError};
use crate::commission::register::{in_service, missing};
use crate::commission::{ArmJoint, Part, Setting, Settings, Sighting, Wire, arm_joints};
use crate::record::clock;

/// What an arm runs at where nobody says otherwise.
const BAUD: u32 = 1_000_000;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The cell file.
    #[arg(required_unless_present = "family")]
    cell: Option<PathBuf>,
    /// Without a cell file: feetech or dynamixel.
    #[arg(long, value_parser = family, conflicts_with = "cell", requires_all = ["joints", "port"])]
    family: Option<Family>,
    /// Without a cell file: the joints, from the base outwards; their servos get the ids 1, 2, 3 …
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    joints: Vec<String>,
    /// Another serial port than the cell's.
    #[arg(long)]
    port: Option<PathBuf>,
    /// The rate the servos get without a cell file.
    #[arg(long, default_value_t = BAUD)]
    baud: u32,
    /// This joint alone, even if it was done before.
    #[arg(long, value_name = "NAME")]
    joint: Vec<String>,
    /// Where it is written down what the servos held; beside the cell file when left out.
    #[arg(long, value_name = "FILE")]
    notebook: Option<PathBuf>,
    /// Give the servos back what they held, from the notebook of a set-up.
    #[arg(long, value_name = "FILE", conflicts_with = "notebook")]
    undo: Option<PathBuf>,
}

impl From<NotebookError> for Failure {
    fn from(error: NotebookError) -> Failure {
        Failure::configuration(error)
    }
}

/// What is to be set up.
struct Plan {
    family: Family,
    port: PathBuf,
    baud: u32,
    joints: Vec<ArmJoint>,
    notebook: PathBuf,
    /// The command that goes on with it.
    again: String,
    /// The command after it.
    next: String,
}

impl Plan {
    fn of(args: &Args) -> Result<Plan, Failure> {
        match (&args.cell, args.family) {
            (Some(cell), _) => Plan::of_cell(args, cell),
            (None, Some(family)) => Plan::without_cell(args, family),
            (None, None) => Err(Failure::configuration(
                "name a cell file, or --family, --joints and --port",
            )),
        }
    }

    fn of_cell(args: &Args, path: &Path) -> Result<Plan, Failure> {
        let overrides = Overrides {
            port: args.port.clone(),
            ..Overrides::default()
        };
        let cell = Cell::load(path, &overrides).map_err(Failure::configuration)?;
        let joints = arm_joints(&cell).map_err(Failure::configuration)?;
        Ok(Plan {
            family: cell.bus.family,
            port: cell.bus.port.clone(),
            baud: cell.bus.baud,
            joints,
            notebook: path.with_extension("setup.jsonl"),
            again: format!("`surehand setup {}`", path.display()),
            next: format!("`surehand calibrate {}`", path.display()),
        })
    }

    fn without_cell(args: &Args, family: Family) -> Result<Plan, Failure> {
        if !family.bauds().contains(&args.baud) {
            return Err(Failure::configuration(format!(
                "--baud must be one of {:?} for {} servos",
                family.bauds(),
                family.name()
            )));
        }
        let joints = (1..).zip(&args.joints).map(|(id, name)| ArmJoint {
            name: name.clone(),
            id,
            limits: None,
            part: Part::First,
        });
        Ok(Plan {
            family,
            port: args.port.clone().unwrap_or_default(),
            baud: args.baud,
            joints: joints.collect(),
            notebook: "surehand.setup.jsonl".into(),
            again: "the same command".into(),
            next: "write a cell file (docs/cell.md), then `surehand calibrate CELL`".into(),
        })
    }

    /// Rates by their codes.
    fn codes(&self) -> Vec<(i32, u32)> {
        codes(self.family)
    }
}

/// A family's rates by their codes.
fn codes(family: Family) -> Vec<(i32, u32)> {
    use crate::commission::register::baud_code;
    let bauds = family.bauds().iter();
    bauds
        .filter_map(|baud| Some((baud_code(family, *baud)?, *baud)))
        .collect()
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let mut plan = Plan::of(args)?;
    if let Some(notebook) = args.undo.as_ref().or(args.notebook.as_ref()) {
        plan.notebook.clone_from(notebook);
    }
    for name in &args.joint {
        if !plan.joints.iter().any(|joint| joint.name == *name) {
            let names: Vec<&str> = plan.joints.iter().map(|it| it.name.as_str()).collect();
            return Err(Failure::configuration(format!(
                "there is no joint {name}; joints are: {}",
                names.join(", ")
            )));
        }
    }
    let notebook = Notebook::open(&plan.notebook)?;
    let dialog = Dialog::begin(json, plan.again.clone())?;
    let wire = Wire::open(&plan.port, plan.baud, plan.family)?;
    let mut setup = Setup {
        plan,
        dialog,
        wire,
        notebook,
    };
    if args.undo.is_some() {
        return setup.undo_all();
    }
    setup.set_up_all(&args.joint)
}

struct Setup {
    plan: Plan,
    dialog: Dialog,
    wire: Wire,
    notebook: Notebook,
}

impl Setup {
    fn set_up_all(&mut self, only: &[String]) -> Outcome {
        let joints = self.plan.joints.clone();
        self.dialog.say(
            "setup",
            &format!(
                "{} {} servos on {}: one at a time gets its id and {} baud. What each held before is written to {}.",
                joints.len(),
                self.plan.family.name(),
                self.plan.port.display(),
                self.plan.baud,
                self.notebook.path().display()
            ),
            json!({"joints": joints.iter().map(|it| &it.name).collect::<Vec<_>>()}),
        );
        for joint in &joints {
            let wanted = only.is_empty() || only.contains(&joint.name);
            match self.notebook.done(&joint.name) {
                _ if !wanted => {}
                Some(id) if only.is_empty() && id == joint.id => self.dialog.say(
                    "skipped",
                    &format!(
                        "{}: done before, as id {id} (`--joint {}` does it again)",
                        joint.name, joint.name
                    ),
                    json!({"joint": joint.name, "id": id}),
                ),
                Some(_) | None => self.set_up(joint)?,
            }
        }
        self.check_together(&joints)
    }

    /// Sets up the servo of one joint, however often it takes.
    fn set_up(&mut self, joint: &ArmJoint) -> Result<(), Failure> {
        let mut question = format!(
            "Connect the servo of {} alone to the adapter (it gets id {}), switch its power on and press Enter.",
            joint.name, joint.id
        );
        loop {
            let answer = self.dialog.ask("connect", &question)?;
            if answer == "skip" {
                return Ok(());
            }
            let servo = match self.find_alone()? {
                Ok(servo) => servo,
                Err(why) => {
                    question = self.complain(&joint.name, &why);
                    continue;
                }
            };
            if !self.right_one(joint, &servo)? {
                question = format!("Connect the servo of {} alone and press Enter.", joint.name);
                continue;
            }
            match self.write(joint, &servo)? {
                Ok(()) => return Ok(()),
                Err(why) => question = self.complain(&joint.name, &why),
            }
        }
    }

    fn complain(&self, joint: &str, why: &str) -> String {
        self.dialog.say(
            "trouble",
            &format!("{joint}: {why}"),
            json!({"joint": joint}),
        );
        format!("Then press Enter to look for the servo of {joint} again, or type skip.")
    }

    /// Whether a servo that bears another joint's id is the one that is meant all the same.
    fn right_one(&mut self, joint: &ArmJoint, servo: &Servo) -> Result<bool, Failure> {
        let other = self.plan.joints.iter().find(|other| {
            let done = self.notebook.done(&other.name).is_some();
            other.id == servo.id && other.name != joint.name && done
        });
        let Some(other) = other.filter(|_| !servo.looks_fresh()) else {
            return Ok(true);
        };
        let question = format!(
            "This servo has id {}, as that of {} was given. Is it truly the one of {}? Type yes, or press Enter to connect another.",
            servo.id, other.name, joint.name
        );
        self.dialog.agree("other_joint", &question)
    }

    /// Makes a servo the one of its joint. The inner error is for the person.
    fn write(&mut self, joint: &ArmJoint, servo: &Servo) -> Result<Result<(), String>, Failure> {
        let right = in_service(servo.family, &servo.settings, joint, self.plan.baud);
        let Some(right) = right else {
            return Ok(Err("its family has no such rate".into()));
        };
        let changes = missing(&servo.settings, &right);
        if !changes.is_empty() {
            self.notebook.note(Entry::Was {
                joint: joint.name.clone(),
                family: servo.family.name().to_owned(),
                model: servo.model,
                was: servo.settings.clone(),
                becomes: changes.clone(),
                time: clock::now().rfc3339(),
            })?;
        }
        let codes = self.plan.codes();
        let written = Eeprom::of(&mut self.wire, servo.id).set(&right, &codes);
        if let Err(error) = written {
            return told(error);
        }
        self.notebook.note(Entry::Done {
            joint: joint.name.clone(),
            id: joint.id,
        })?;
        self.dialog.say(
            "written",
            &format!(
                "{}: {}. Read back, locked. Label it {}.",
                joint.name,
                told_changes(&servo.settings, &changes),
                joint.id
            ),
            json!({"joint": joint.name, "id": joint.id, "was": servo.settings, "becomes": changes}),
        );
        Ok(Ok(()))
    }

    /// All servos at once, as they are in service.
    fn check_together(&mut self, joints: &[ArmJoint]) -> Outcome {
        let mut question =
            "Now connect all servos, switch the power on and press Enter for a check of all together (or type skip).".to_owned();
        loop {
            if self.dialog.ask("connect_all", &question)? == "skip" {
                break;
            }
            self.wire.tune(self.plan.family, self.plan.baud)?;
            let mut wrong = Vec::new();
            for joint in joints {
                wrong.extend(
                    self.check(joint)?
                        .map(|why| format!("{}: {why}", joint.name)),
                );
            }
            if wrong.is_empty() {
                let line = format!("all {} servos answer as they should", joints.len());
                self.dialog
                    .say("checked", &line, json!({"servos": joints.len()}));
                break;
            }
            for line in &wrong {
                self.dialog.say("trouble", line, json!({}));
            }
            question = "Press Enter to check again, or type skip and run the same command for what is missing.".to_owned();
        }
        let next = &self.plan.next;
        self.dialog
            .say("next", &format!("next: {next}"), json!({"next": next}));
        Ok(Exit::Done)
    }

    /// What is wrong with one servo among all.
    fn check(&mut self, joint: &ArmJoint) -> Result<Option<String>, Failure> {
        let id = joint.id;
        Ok(match look(&mut self.wire, id)? {
            None => Some(format!(
                "id {id} does not answer: check its cable, or set it up with `--joint {}`",
                joint.name
            )),
            Some(Sighting::Several { .. }) => Some(format!(
                "several servos answer as id {id}: one of them was left out; set it up alone"
            )),
            Some(Sighting::One(servo)) => {
                let right = in_service(self.plan.family, &servo.settings, joint, self.plan.baud);
                let wrong = right.map(|right| missing(&servo.settings, &right));
                let wrong = wrong.unwrap_or_default();
                wrong.keys().next().map(|setting| {
                    format!(
                        "its {} is not right: set it up with `--joint {}`",
                        setting.name(),
                        joint.name
                    )
                })
            }
        })
    }
}

/// What went wrong with a write, for the person, unless the port has.
fn told(error: EepromError) -> Result<Result<(), String>, Failure> {
    match error {
        EepromError::Wire(error) => Err(error.into()),
        silent @ EepromError::Silent { .. } => Ok(Err(format!(
            "{silent}. Each value is written whole or not at all, so nothing is lost: restore its power, leave it alone on the line"
        ))),
        refused @ EepromError::Refused { .. } => Ok(Err(format!(
            "{refused}: switch its power off and on, and if it refuses again, look at it with its maker's tool"
        ))),
    }
}

/// Changes for people.
fn told_changes(was: &Settings, changes: &Settings) -> String {
    if changes.is_empty() {
        return "was set up already".into();
    }
    let change = |(setting, value): (&Setting, &i32)| {
        let before = was.get(setting).map_or("?".to_owned(), ToString::to_string);
        format!("{} {before} → {value}", setting.name())
    };
    changes.iter().map(change).collect::<Vec<_>>().join(", ")
}
