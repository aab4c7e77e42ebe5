//! `surehand calibrate`: where each joint's counts begin and end, measured while a person moves the
//! arm by hand.
//!
//! Owns the conversation. Until all is measured nothing is written, but torque goes off; then the
//! file is written whole, and after it the servos, which can be gone on with at any time.

use std::path::PathBuf;

use serde_json::json;

mod move_by_hand;
mod verify;
mod write;

use super::dialog::Dialog;
use super::{Exit, Failure, Outcome, output};
use crate::arm::calibration::{Calibration, JointSpan};
use crate::cell::{Cell, Overrides};
use crate::commission::eeprom::torque_off;
use crate::commission::find::{Servo, look};
use crate::commission::record::{Calibrated, SaveError, joints_of, save, text};
use crate::commission::{ArmJoint, Part, Sighting, Wire, arm_joints};
use crate::record::clock;
use crate::units::Rad;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The cell file.
    cell: PathBuf,
    /// Another serial port than the cell's.
    #[arg(long)]
    port: Option<PathBuf>,
    /// Take over a calibration in LeRobot's format: into the cell's file and the servos.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["export", "verify"])]
    import: Option<PathBuf>,
    /// Write the cell's calibration to FILE, in LeRobot's format.
    #[arg(long, value_name = "FILE", conflicts_with = "verify")]
    export: Option<PathBuf>,
    /// Compare file, servos and URDF; move and write nothing.
    #[arg(long)]
    verify: bool,
}

impl From<SaveError> for Failure {
    fn from(error: SaveError) -> Failure {
        Failure::configuration(error)
    }
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let overrides = Overrides {
        port: args.port.clone(),
        ..Overrides::default()
    };
    let cell = Cell::load(&args.cell, &overrides).map_err(Failure::configuration)?;
    let joints = arm_joints(&cell).map_err(Failure::configuration)?;
    if let Some(file) = &args.export {
        return export(&cell, &joints, file, json);
    }
    if args.verify {
        return verify::run(&cell, &joints, json);
    }
    let again = format!("`surehand calibrate {}`", args.cell.display());
    let import = match &args.import {
        Some(file) => Some(joints_of(&load(file, &joints)?)),
        None => None,
    };
    let dialog = Dialog::begin(json, again)?;
    let wire = Wire::open(&cell.bus.port, cell.bus.baud, cell.bus.family)?;
    let mut calibrate = Calibrate {
        cell,
        joints,
        dialog,
        wire,
    };
    match import {
        Some(calibrated) => calibrate.take_over(&calibrated),
        None => calibrate.measure_all(),
    }
}

/// A calibration that is right for these joints.
fn load(file: &std::path::Path, joints: &[ArmJoint]) -> Result<Calibration, Failure> {
    Calibration::load(file, &spans(joints)).map_err(Failure::configuration)
}

fn spans(joints: &[ArmJoint]) -> Vec<JointSpan<'_>> {
    // A second servo is no joint of its own.
    let joints = joints.iter().filter(|joint| joint.part == Part::First);
    let spans = joints.map(|joint| {
        let (lower, upper) = joint.limits.unwrap_or_default();
        JointSpan {
            name: &joint.name,
            lower: Rad(lower),
            upper: Rad(upper),
        }
    });
    spans.collect()
}

fn export(cell: &Cell, joints: &[ArmJoint], file: &std::path::Path, json: bool) -> Outcome {
    let calibrated = joints_of(&load(&cell.arm.calibration, joints)?);
    let kept = save(file, &text(&calibrated), &clock::now().compact())?;
    let line = format!(
        "{} is written to {}; LeRobot looks for it as ~/.cache/huggingface/lerobot/calibration/robots/<robot>/<id>.json",
        cell.arm.calibration.display(),
        file.display()
    );
    if json {
        output::json(&json!({"event": "exported", "line": line, "file": file, "kept": kept}));
    } else {
        output::line_out(&line);
    }
    Ok(Exit::Done)
}

struct Calibrate {
    cell: Cell,
    joints: Vec<ArmJoint>,
    dialog: Dialog,
    wire: Wire,
}

impl Calibrate {
    /// Measures all joints and writes what comes of it.
    fn measure_all(&mut self) -> Outcome {
        let servos = self.find_all()?;
        if let Some(calibrated) = self.unfinished(&servos)? {
            return self.write_all(&calibrated);
        }
        self.let_go(&servos)?;
        let calibrated = self.move_by_hand(&servos)?;
        self.keep(&calibrated)?;
        self.write_all(&calibrated)
    }

    /// Takes over a calibration from elsewhere.
    fn take_over(&mut self, calibrated: &[Calibrated]) -> Outcome {
        let servos = self.find_all()?;
        self.let_go(&servos)?;
        self.keep(calibrated)?;
        self.write_all(calibrated)
    }

    /// All servos of the arm, each alone under its id.
    fn find_all(&mut self) -> Result<Vec<Servo>, Failure> {
        let mut servos = Vec::new();
        let mut wrong = Vec::new();
        for joint in &self.joints {
            let (name, id) = (&joint.name, joint.id);
            match look(&mut self.wire, id)? {
                Some(Sighting::One(servo)) if servo.model_name().is_some() => servos.push(*servo),
                Some(Sighting::One(servo)) => {
                    wrong.push(format!("servo {id} ({name}) is {}", servo.model_text()));
                }
                Some(Sighting::Several { .. }) => {
                    wrong.push(format!("several servos answer as id {id} ({name})"));
                }
                None => wrong.push(format!("servo {id} ({name}) does not answer")),
            }
        }
        if wrong.is_empty() {
            return Ok(servos);
        }
        Err(Failure::hardware(format!(
            "{}: check cables and power, and set the servos up with `surehand setup {}`",
            wrong.join("; "),
            self.cell.file.display()
        )))
    }

    /// A calibration that is in the file and not yet in all servos, when the person wants to go on
    /// with it.
    fn unfinished(&mut self, servos: &[Servo]) -> Result<Option<Vec<Calibrated>>, Failure> {
        let file = &self.cell.arm.calibration;
        let Ok(calibration) = Calibration::load(file, &spans(&self.joints)) else {
            return Ok(None);
        };
        let calibrated = joints_of(&calibration);
        let lacking = verify::lacking(self.cell.bus.family, &calibrated, servos);
        if lacking.is_empty() {
            return Ok(None);
        }
        let question = format!(
            "{} is a whole calibration of this arm, but the servos of {} do not hold it. Type write to write it to them, or press Enter to measure anew.",
            file.display(),
            lacking.join(", ")
        );
        let answer = self.dialog.ask("write_or_measure", &question)?;
        Ok((answer == "write").then_some(calibrated))
    }

    /// Torque off, once the arm is held.
    fn let_go(&mut self, servos: &[Servo]) -> Result<(), Failure> {
        let question = "Torque goes off now, and an arm without brakes falls. Hold it, or lay it down, and type yes.";
        while !self.dialog.agree("support", question)? {}
        let mut stiff = Vec::new();
        for servo in servos {
            if !torque_off(&mut self.wire, servo.id)? {
                stiff.push(servo.id.to_string());
            }
        }
        if stiff.is_empty() {
            self.dialog.say("limp", "All joints are limp.", json!({}));
            return Ok(());
        }
        Err(Failure::hardware(format!(
            "servos {} do not let go: check their cables, or switch the arm's power off",
            stiff.join(", ")
        )))
    }

    /// Writes the file, the old one kept.
    fn keep(&mut self, calibrated: &[Calibrated]) -> Result<(), Failure> {
        let file = self.cell.arm.calibration.clone();
        let kept = save(&file, &text(calibrated), &clock::now().compact())?;
        let kept = kept.map_or(String::new(), |kept| {
            format!("; the one before is {}", kept.display())
        });
        let line = format!("{} is written{kept}.", file.display());
        self.dialog.say("saved", &line, json!({"file": file}));
        Ok(())
    }
}
