//! The arm on its bus: every servo looked at, and asked a thousand times. Nothing is written.

use crate::arm::Shadow;
use crate::bus::{Bus, Found, FoundServo, Port, PortError, RawReading};
use crate::cell::{Arm, Cell};
use crate::host::Item;
use crate::stats::Times;

/// How often all servos are asked.
const ASKED: u32 = 1000;
/// Share of them that may fail in a healthy arm.
const MAY_FAIL: f64 = 0.001;
const ITEM: &str = "bus";

/// What is to be said of the arm of `cell`.
pub(super) fn items(cell: &Cell) -> Vec<Item> {
    let arm = match cell.load_arm() {
        Ok(arm) => arm,
        // The files are looked at elsewhere, and say why.
        Err(_) => return Vec::new(),
    };
    let port = match Port::open(&cell.bus.port, cell.bus.baud, cell.bus.family) {
        Ok(port) => port,
        Err(PortError::Busy(_)) => {
            return vec![Item::warning(
                ITEM,
                "another program has the port: the servos were not looked at",
                "end it (`surehand shutdown` ends a controller) and ask again",
            )];
        }
        // The port itself is looked at elsewhere.
        Err(_) => return Vec::new(),
    };
    let mut bus = Bus::new(port, arm.calibration.clone()).find();
    let mut items: Vec<Item> = (bus.problems().iter())
        .map(|problem| Item::error(ITEM, problem.to_string(), "then ask again"))
        .collect();
    items.extend(servos(&bus, &arm));
    if bus.problems().is_empty() {
        items.push(answers(&mut bus, &arm));
    }
    items
}

/// Each servo that could be read, with what it says of itself.
fn servos(bus: &Bus<Found>, arm: &Arm) -> Vec<Item> {
    let named = arm.calibration.joints().iter().zip(bus.servos());
    let seconds = arm.calibration.shadows().iter().map(Shadow::servo);
    named
        .chain(seconds.zip(bus.seconds()))
        .filter_map(|(joint, servo)| {
            let what = described(servo)?;
            let name = format!("servo {} (id {})", joint.name(), joint.id());
            Some(Item::good(name, what))
        })
        .collect()
}

fn described(servo: &FoundServo) -> Option<String> {
    let model = servo.model?;
    let firmware = match servo.firmware {
        Some((major, 0)) => format!(", firmware {major}"),
        Some((major, minor)) => format!(", firmware {major}.{minor}"),
        None => String::new(),
    };
    match servo.reading {
        RawReading::Fresh {
            voltage,
            temperature,
            errors: 0,
            ..
        } => Some(format!(
            "model {model}{firmware}, {:.1} V, {temperature} °C, no error",
            f64::from(voltage) / 10.0
        )),
        // Its problem says it.
        RawReading::Fresh { .. } | RawReading::Missing(_) => None,
    }
}

/// How well the whole bus answers.
fn answers(bus: &mut Bus<Found>, arm: &Arm) -> Item {
    let sample = bus.sample(ASKED);
    let mut times = Times::new();
    for took in &sample.took {
        times.record(crate::realtime::nanos(*took));
    }
    let times = times.percentiles();
    let what = format!(
        "{ASKED} questions to all servos, p50 {:.2} ms, p99 {:.2} ms",
        times.p50 * 1e-3,
        times.p99 * 1e-3
    );
    let joints = arm.calibration.joints().iter();
    let failed: Vec<String> = joints
        .zip(&sample.failed)
        .filter(|(_, failed)| **failed > 0)
        .map(|(joint, failed)| format!("{} {failed}", joint.name()))
        .collect();
    if failed.is_empty() {
        return Item::good(ITEM, format!("{what}, none unanswered"));
    }
    let what = format!("{what}; unanswered: {}", failed.join(", "));
    let most = sample.failed.iter().copied().max().unwrap_or(0);
    if f64::from(most) <= MAY_FAIL * f64::from(ASKED) {
        return Item::good(ITEM, what);
    }
    Item::warning(
        ITEM,
        what,
        "look at the plugs from the first of these joints on, and at the supply",
    )
}
