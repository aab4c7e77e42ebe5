//! `calibrate --verify`: file, servos and URDF held against each other. Writes nothing, moves
//! nothing, and leaves torque as it is.

use serde_json::json;

use super::{Calibration, load};
use crate::arm::Family;
use crate::cell::Cell;
use crate::cli::{Exit, Failure, Outcome, output};
use crate::commission::find::{Servo, look};
use crate::commission::record::{Calibrated, joints_of};
use crate::commission::register::missing;
use crate::commission::{ArmJoint, Sighting, Wire};

/// How far outside its range a joint may rest, counts.
const REST: i32 = crate::arm::calibration::REST_TOLERANCE;

pub(super) fn run(cell: &Cell, joints: &[ArmJoint], json: bool) -> Outcome {
    // This holds the file against the URDF.
    let calibration: Calibration = load(&cell.arm.calibration, joints)?;
    let mut wire = Wire::open(&cell.bus.port, cell.bus.baud, cell.bus.family)?;
    let mut wrong = Vec::new();
    for joint in joints_of(&calibration) {
        let servo = match look(&mut wire, joint.id)? {
            Some(Sighting::One(servo)) => servo,
            Some(Sighting::Several { .. }) => {
                wrong.push(format!(
                    "{}: several servos answer as id {}: set them up with `surehand setup {}`",
                    joint.joint,
                    joint.id,
                    cell.file.display()
                ));
                continue;
            }
            None => {
                wrong.push(format!(
                    "{}: servo {} does not answer: check its cable and power",
                    joint.joint, joint.id
                ));
                continue;
            }
        };
        let found = differences(cell.bus.family, &joint, &servo);
        let at = servo.position.map_or("?".to_owned(), |it| it.to_string());
        if found.is_empty() && !json {
            output::line_out(&format!(
                "{}: servo {} holds offset {}, range {}…{}, and is at {at}",
                joint.joint, joint.id, joint.homing_offset, joint.range.0, joint.range.1
            ));
        }
        wrong.extend(found);
    }
    let narrowed = cell.load_arm().map_err(Failure::configuration)?.narrowed;
    let notes: Vec<String> = narrowed.iter().map(ToString::to_string).collect();
    let next = if wrong.is_empty() {
        format!("`surehand check {}`", cell.file.display())
    } else {
        format!("`surehand calibrate {}`", cell.file.display())
    };
    if json {
        output::json(&json!({
            "event": "verified",
            "ok": wrong.is_empty(),
            "wrong": wrong,
            "notes": notes,
            "next": next,
        }));
    } else {
        wrong
            .iter()
            .chain(&notes)
            .for_each(|line| output::line_out(line));
        output::line_out(&format!("next: {next}"));
    }
    Ok(if wrong.is_empty() {
        Exit::Done
    } else {
        Exit::Configuration
    })
}

/// The joints whose servos do not hold their calibration.
pub(super) fn lacking(family: Family, calibrated: &[Calibrated], servos: &[Servo]) -> Vec<String> {
    let joints = calibrated.iter().zip(servos);
    joints
        .filter(|(joint, servo)| !held(family, joint, servo).is_empty())
        .map(|(joint, _)| joint.joint.clone())
        .collect()
}

/// What a servo holds otherwise than its calibration says.
fn held(family: Family, joint: &Calibrated, servo: &Servo) -> Vec<String> {
    let mut right = joint.settings(family, &servo.settings);
    // Any position mode will do.
    right.remove(&crate::commission::Setting::Mode);
    let wrong = missing(&servo.settings, &right);
    let line = |(setting, value): (&crate::commission::Setting, &i32)| {
        let holds = servo
            .settings
            .get(setting)
            .map_or("nothing".to_owned(), ToString::to_string);
        format!(
            "{}: servo {} holds {holds} as its {}, the file says {value}",
            joint.joint,
            joint.id,
            setting.name()
        )
    };
    wrong.iter().map(line).collect()
}

fn differences(family: Family, joint: &Calibrated, servo: &Servo) -> Vec<String> {
    let mut lines = held(family, joint, servo);
    if let Some(at) = servo.position.filter(|_| lines.is_empty())
        && !(joint.range.0 - REST..=joint.range.1 + REST).contains(&at)
    {
        lines.push(format!(
            "{}: servo {} is at {at}, outside its range {}…{}: move the joint back by hand, or calibrate it again",
            joint.joint, joint.id, joint.range.0, joint.range.1
        ));
    }
    lines
}
