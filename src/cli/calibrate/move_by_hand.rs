//! The part in which the person moves the arm: the middle pose, then every joint from end to end,
//! with a live table.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Calibrate;
use crate::arm::Family;
use crate::bus::map::map;
use crate::bus::{dynamixel, feetech};
use crate::cli::{Failure, output};
use crate::commission::find::Servo;
use crate::commission::measure::{RangeError, Track, encoder};
use crate::commission::record::Calibrated;
use crate::commission::{ArmJoint, Part};

/// Between two looks at all joints.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Between two tables where lines can't be drawn over, and between two events.
const TABLE_EVERY: Duration = Duration::from_millis(500);
/// A servo that says nothing for so long has lost its power or its cable.
const SILENCE: Duration = Duration::from_secs(2);

/// One joint while it is moved.
struct Moved<'a> {
    joint: &'a ArmJoint,
    servo: &'a Servo,
    track: Track,
    seen: Instant,
}

impl Calibrate {
    /// What comes of it: every joint's offset and range.
    pub(super) fn move_by_hand(&mut self, servos: &[Servo]) -> Result<Vec<Calibrated>, Failure> {
        let joints = self.joints.clone();
        loop {
            let middles = self.middles(&joints, servos)?;
            let mut moved: Vec<Moved<'_>> = joints
                .iter()
                .zip(servos)
                .zip(middles)
                .map(|((joint, servo), middle)| Moved {
                    joint,
                    servo,
                    track: Track::at_middle(middle),
                    seen: Instant::now(),
                })
                .collect();
            if let Some(calibrated) = self.ranges(&mut moved)? {
                return Ok(calibrated);
            }
        }
    }

    /// Every encoder in the middle pose.
    fn middles(&mut self, joints: &[ArmJoint], servos: &[Servo]) -> Result<Vec<i32>, Failure> {
        let round: Vec<&str> = joints
            .iter()
            .filter(|joint| joint.full_turn())
            .map(|joint| joint.name.as_str())
            .collect();
        let mut zero = String::new();
        if !round.is_empty() {
            zero = format!(
                " ({} at the zero of its URDF, as exactly as you can)",
                round.join(", ")
            );
        }
        let question = format!(
            "Put every joint into the middle of its range{zero}, hold the arm still and press Enter."
        );
        loop {
            self.dialog.ask("middle", &question)?;
            let mut middles = Vec::new();
            let mut wrong = Vec::new();
            for (joint, servo) in joints.iter().zip(servos) {
                match self.encoder_of(servo)? {
                    Some(at) => {
                        let turn = Track::at_middle(at).same_turn(self.cell.bus.family, joint);
                        match turn {
                            Err(why) if !joint.full_turn() => {
                                wrong.push(format!("{} {why}", joint.name));
                            }
                            Ok(()) | Err(_) => middles.push(at),
                        }
                    }
                    None => wrong.push(format!("{} does not answer: check its cable", joint.name)),
                }
            }
            if wrong.is_empty() {
                return Ok(middles);
            }
            for line in wrong {
                self.dialog.say("trouble", &line, json!({}));
            }
        }
    }

    /// Follows the joints until the person is done and all of them were moved as they should;
    /// `None` to begin again from the middle.
    fn ranges(&mut self, moved: &mut [Moved<'_>]) -> Result<Option<Vec<Calibrated>>, Failure> {
        let mut question = "Move each joint slowly from one end of its range to the other; press Enter when all are done (or type again to start from the middle).".to_owned();
        loop {
            self.dialog.say("ask", &question, json!({"key": "range"}));
            if self.follow(moved)? == "again" {
                return Ok(None);
            }
            let mut wrong = Vec::new();
            for it in moved.iter() {
                if let Err(why) = it.track.range(it.joint) {
                    wrong.push((why.clone(), format!("{} {why}", it.joint.name)));
                }
            }
            if wrong.is_empty() {
                let calibrated = moved.iter().map(|it| self.calibrated(it)).collect();
                return Ok(Some(together(calibrated, moved)));
            }
            for (_, line) in &wrong {
                self.dialog.say("trouble", line, json!({}));
            }
            if wrong.iter().any(|(why, _)| *why == RangeError::OffMiddle) {
                return Ok(None);
            }
            question =
                "Move those, and press Enter again (or type again to start from the middle)."
                    .into();
        }
    }

    /// Follows the joints until the person says something; what.
    fn follow(&mut self, moved: &mut [Moved<'_>]) -> Result<String, Failure> {
        let mut drawn = false;
        let mut last: Option<(Instant, String)> = None;
        loop {
            for it in moved.iter_mut() {
                match self.encoder_of(it.servo)? {
                    Some(at) => {
                        it.track.see(at);
                        it.seen = Instant::now();
                    }
                    None if it.seen.elapsed() > SILENCE => {
                        return Err(Failure::hardware(format!(
                            "servo {} ({}) has fallen silent; nothing was written: restore its power or cable, then run `surehand calibrate {}` again",
                            it.servo.id,
                            it.joint.name,
                            self.cell.file.display()
                        )));
                    }
                    None => {}
                }
            }
            let table = table(moved);
            let due = match &last {
                None => true,
                Some((at, before)) => {
                    *before != table && (self.dialog.live() || at.elapsed() >= TABLE_EVERY)
                }
            };
            if due {
                self.draw(moved, &table, drawn);
                drawn = true;
                last = Some((Instant::now(), table));
            }
            if let Some(answer) = self.dialog.answer_within(LOOK_EVERY)? {
                return Ok(answer);
            }
        }
    }

    fn draw(&self, moved: &[Moved<'_>], table: &str, again: bool) {
        if self.dialog.json() {
            let joints: Vec<_> = moved
                .iter()
                .map(|it| {
                    let (min, now, max) = it.track.counts();
                    json!({"joint": it.joint.name, "min": min, "now": now, "max": max})
                })
                .collect();
            output::json(&json!({"event": "range", "joints": joints}));
            return;
        }
        if again && self.dialog.live() {
            // Back to the first line of the table.
            let lines = table.lines().count();
            output::line_out(&format!("\x1b[{lines}A\r\x1b[J{table}"));
        } else {
            output::line_out(&format!("\n{table}"));
        }
    }

    /// A joint's encoder; `None` when it does not answer.
    fn encoder_of(&mut self, servo: &Servo) -> Result<Option<i32>, Failure> {
        let family = self.cell.bus.family;
        let register = match family {
            Family::Feetech => feetech::register::PRESENT_POSITION,
            Family::Dynamixel => dynamixel::register::PRESENT_POSITION,
        };
        let block = map(family).present;
        let said = self.wire.read(servo.id, block)?;
        let present = said.and_then(|said| block.get(&said.bytes, register));
        Ok(present.map(|present| encoder(family, &servo.settings, present)))
    }

    fn calibrated(&self, it: &Moved<'_>) -> Calibrated {
        let family = self.cell.bus.family;
        Calibrated {
            joint: it.joint.name.clone(),
            id: it.joint.id,
            reversed: match it.joint.part {
                Part::First => false,
                Part::Second { mirrored, .. } => mirrored,
            },
            homing_offset: it.track.homing_offset(family),
            range: it.track.range(it.joint).unwrap_or((0, 4095)),
            same_turn: it.track.same_turn(family, it.joint).is_ok(),
        }
    }
}

/// A second servo obeys the first one's goals: it gets the first one's range.
fn together(mut calibrated: Vec<Calibrated>, moved: &[Moved<'_>]) -> Vec<Calibrated> {
    let ranges: Vec<(u8, (i32, i32))> = calibrated.iter().map(|it| (it.id, it.range)).collect();
    for (it, moved) in calibrated.iter_mut().zip(moved) {
        if let Part::Second { first, .. } = moved.joint.part
            && let Some((_, range)) = ranges.iter().find(|(id, _)| *id == first)
        {
            it.range = *range;
        }
    }
    calibrated
}

fn table(moved: &[Moved<'_>]) -> String {
    let mut lines = vec!["  joint             min    now    max".to_owned()];
    lines.extend(moved.iter().map(|it| {
        let (min, now, max) = it.track.counts();
        let state = match it.track.range(it.joint) {
            Ok(_) if it.joint.full_turn() => "turns round",
            Ok(_) => "done",
            Err(RangeError::NotMoved) => "not moved yet",
            Err(RangeError::TooSmall { .. }) => "not at both ends yet",
            Err(RangeError::TooLarge { .. }) => "too far",
            Err(RangeError::OffMiddle | RangeError::TurnsOver { .. }) => "off its middle",
        };
        format!(
            "  {:<15} {min:>5}  {now:>5}  {max:>5}  {state}",
            it.joint.name
        )
    }));
    lines.join("\n")
}
