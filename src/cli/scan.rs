//! `surehand scan`: what is plugged in, and what answers there. Asks and never writes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Exit, Failure, Outcome, output};
use crate::arm::Family;
use crate::commission::find::{Servo, find_at, likely_bauds};
use crate::commission::{Sighting, Sightings, Wire, WireError};
use crate::host::Host;
use crate::host::ports::adapters;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The serial port; the only one there is when left out.
    port: Option<PathBuf>,
    /// Servos of this family alone: feetech or dynamixel.
    #[arg(long, value_parser = family)]
    family: Option<Family>,
    /// Every rate the servos can be set to, and not only the likely ones.
    #[arg(long)]
    all_bauds: bool,
}

/// A family by its name.
pub(super) fn family(name: &str) -> Result<Family, String> {
    let known = [Family::Feetech, Family::Dynamixel];
    let found = known.into_iter().find(|family| family.name() == name);
    found.ok_or_else(|| "it is feetech or dynamixel".to_owned())
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Failure {
        Failure::hardware(error)
    }
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let voice = Voice { json };
    let port = match &args.port {
        Some(port) => port.clone(),
        None => match voice.only_port()? {
            Some(port) => port,
            None => return Ok(Exit::Done),
        },
    };
    let families: &[Family] = match &args.family {
        Some(family) => std::slice::from_ref(family),
        None => &[Family::Feetech, Family::Dynamixel],
    };
    let (first, likely) = (families.first().copied().unwrap_or_default(), 1_000_000);
    let mut wire = Wire::open(&port, likely, first)?;
    let mut found = Sightings::new();
    let mut asked = Vec::new();
    for family in families {
        let bauds = if args.all_bauds {
            family.bauds()
        } else {
            likely_bauds(*family)
        };
        for baud in bauds {
            voice.progress(*family, *baud);
            asked.push(format!("{} at {baud}", family.name()));
            found.extend(find_at(&mut wire, *family, *baud)?);
        }
    }
    voice.report(&port, &found, &asked, args.all_bauds);
    Ok(if found.is_empty() {
        Exit::Hardware
    } else {
        Exit::Done
    })
}

struct Voice {
    json: bool,
}

impl Voice {
    /// Lists the ports; the port, when there is but one.
    fn only_port(&self) -> Result<Option<PathBuf>, Failure> {
        let device = |tty: &str| Path::new("/dev").join(tty);
        let listed: Vec<(PathBuf, PathBuf)> = adapters(&Host::at(Path::new("/")))
            .into_iter()
            .map(|it| {
                (
                    it.stable.unwrap_or_else(|| device(&it.tty)),
                    device(&it.tty),
                )
            })
            .collect();
        match listed.as_slice() {
            [] => Err(Failure::hardware(
                "no serial adapter is plugged in: connect the arm's, or name a port as `surehand scan PORT`",
            )),
            [(only, _)] => Ok(Some(only.clone())),
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|(name, device)| format!("  {} ({})", name.display(), device.display()))
                    .collect();
                if self.json {
                    let ports: Vec<Value> = several
                        .iter()
                        .map(|(name, device)| json!({"port": name, "device": device}))
                        .collect();
                    output::json(&json!({"event": "ports", "ports": ports}));
                } else {
                    output::line_out("several serial ports; not all of them may be an arm's:");
                    names.iter().for_each(|name| output::line_out(name));
                    output::line_out("next: `surehand scan PORT` with the arm's");
                }
                Ok(None)
            }
        }
    }

    fn progress(&self, family: Family, baud: u32) {
        if !self.json {
            output::line_out(&format!(
                "asking for {} servos at {baud} baud …",
                family.name()
            ));
        }
    }

    fn report(&self, port: &Path, found: &Sightings, asked: &[String], all: bool) {
        let advice = advice(found);
        let next = next(found, all);
        if self.json {
            let sightings: Vec<Value> = found.iter().map(document).collect();
            output::json(&json!({
                "event": "found",
                "port": port,
                "asked": asked,
                "servos": sightings,
                "advice": advice,
                "next": next,
            }));
            return;
        }
        output::line_out(&port.display().to_string());
        if found.is_empty() {
            output::line_out("  nothing answers");
        } else {
            output::line_out(HEAD);
            found.iter().for_each(|it| output::line_out(&row(it)));
        }
        advice.iter().for_each(|line| output::line_out(line));
        output::line_out(&format!("next: {next}"));
    }
}

/// The head of a table of servos.
pub(super) const HEAD: &str =
    "   id  baud     model         firmware  position  supply  temp   errors";

/// A line of it.
pub(super) fn row(sighting: &Sighting) -> String {
    match sighting {
        Sighting::One(servo) => servo_row(servo),
        Sighting::Several {
            id,
            baud,
            spoilt,
            asked,
        } => {
            format!("  {id:>3}  {baud:<7}  several servos: {spoilt} of {asked} answers are garbled")
        }
    }
}

fn servo_row(servo: &Servo) -> String {
    let number = |value: Option<i32>| value.map_or("?".to_owned(), |value| value.to_string());
    let volts = servo.volts.map_or("?".to_owned(), |it| {
        format!("{:.1} V", f64::from(it) / 10.0)
    });
    format!(
        "  {:>3}  {:<7}  {:<12}  {:<8}  {:>8}  {:>6}  {:>3} °C  {}",
        servo.id,
        servo.baud,
        servo.model_text(),
        servo.firmware.as_deref().unwrap_or("?"),
        number(servo.position),
        volts,
        number(servo.celsius),
        servo.errors_text().as_deref().unwrap_or("none"),
    )
}

fn document(sighting: &Sighting) -> Value {
    match sighting {
        Sighting::One(servo) => servo.json(),
        Sighting::Several {
            id,
            baud,
            spoilt,
            asked,
        } => json!({"several": true, "id": id, "baud": baud, "garbled": spoilt, "of": asked}),
    }
}

/// What is odd about them.
fn advice(found: &Sightings) -> Vec<String> {
    let mut lines = Vec::new();
    for sighting in found {
        match sighting {
            Sighting::Several { id, baud, .. } => lines.push(format!(
                "id {id} at {baud} baud: several servos have this id (new ones all have 1), or a cable is bad; connect one servo at a time, as `surehand setup` asks for"
            )),
            Sighting::One(servo) if servo.model_name().is_none() => lines.push(format!(
                "servo {} is {}: no model this controller drives",
                servo.id,
                servo.model_text()
            )),
            Sighting::One(servo) => {
                if let Some(first) = servo.obeys() {
                    lines.push(format!(
                        "servo {} obeys what servo {first} is told: it must be the second on that one's joint (`bus.shadows` in the cell file)",
                        servo.id
                    ));
                }
                if let Some(errors) = servo.errors_text() {
                    lines.push(format!(
                        "servo {} reports {errors}: remove the cause, then switch the arm's power off and on",
                        servo.id
                    ));
                }
            }
        }
    }
    let bauds: std::collections::BTreeSet<u32> = found.iter().map(Sighting::baud).collect();
    if bauds.len() > 1 {
        lines.push("not all servos speak at one rate: `surehand setup` sets them".into());
    }
    lines
}

/// The command to go on with.
fn next(found: &Sightings, all: bool) -> String {
    let in_order = |sighting: &Sighting| match sighting {
        Sighting::One(servo) => !servo.looks_fresh() && servo.model_name().is_some(),
        Sighting::Several { .. } => false,
    };
    if found.is_empty() && !all {
        return "check the arm's power and cables, then `surehand scan PORT --all-bauds`".into();
    }
    if found.is_empty() {
        return "check the arm's power, cables and adapter; then scan again".into();
    }
    let bauds: std::collections::BTreeSet<u32> = found.iter().map(Sighting::baud).collect();
    if found.iter().all(in_order) && bauds.len() == 1 {
        return "`surehand calibrate CELL`, or `surehand check CELL` for an arm that is calibrated"
            .into();
    }
    "`surehand setup CELL`, one servo at a time".into()
}
