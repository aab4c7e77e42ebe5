//! The one servo on the line, at whatever rate and id; and what to do when it is not one.

use super::Setup;
use crate::arm::Family;
use crate::cli::Failure;
use crate::commission::find::{Servo, find_at, likely_bauds, look};
use crate::commission::{Sighting, Sightings};

impl Setup {
    /// The only servo that answers. The inner error is for the person.
    pub(super) fn find_alone(&mut self) -> Result<Result<Servo, String>, Failure> {
        let family = self.plan.family;
        let likely = self.likely();
        let mut found = Sightings::new();
        for baud in &likely {
            found.extend(find_at(&mut self.wire, family, *baud)?);
        }
        if found.is_empty() {
            let others = family.bauds().iter().filter(|it| !likely.contains(it));
            for baud in others {
                found.extend(find_at(&mut self.wire, family, *baud)?);
                if !found.is_empty() {
                    break;
                }
            }
        }
        let port = self.plan.port.display();
        let servo = match found.as_slice() {
            [] => return Ok(Err(self.nobody()?)),
            [Sighting::One(servo)] => servo.clone(),
            [Sighting::Several { id, .. }] => {
                return Ok(Err(format!(
                    "several servos answer as id {id} at once: unplug all but one"
                )));
            }
            several => {
                let ids: Vec<String> = several.iter().map(|it| it.id().to_string()).collect();
                return Ok(Err(format!(
                    "{} servos answer on {port} (ids {}): unplug all but one",
                    several.len(),
                    ids.join(", ")
                )));
            }
        };
        if servo.model_name().is_none() {
            return Ok(Err(format!(
                "the servo that answers is {}, which this controller does not drive: use one of the models in docs/cell.md",
                servo.model_text()
            )));
        }
        self.wire.tune(family, servo.baud)?;
        Ok(Ok(*servo))
    }

    /// The arm's own rate and those that servos come with.
    fn likely(&self) -> Vec<u32> {
        let mut bauds = vec![self.plan.baud];
        let likely = likely_bauds(self.plan.family).iter();
        bauds.extend(likely.filter(|baud| **baud != self.plan.baud));
        bauds
    }

    /// What to do when nobody answers: perhaps it is the other family.
    fn nobody(&mut self) -> Result<String, Failure> {
        let other = match self.plan.family {
            Family::Feetech => Family::Dynamixel,
            Family::Dynamixel => Family::Feetech,
        };
        for baud in likely_bauds(other) {
            self.wire.tune(other, *baud)?;
            if look(&mut self.wire, 1)?.is_some() {
                return Ok(format!(
                    "a {} servo answers, and this arm's are {}: use the cell file (or --family) of this arm",
                    other.name(),
                    self.plan.family.name()
                ));
            }
        }
        Ok(format!(
            "nothing answers on {} at any rate: check that the servo has power (its LED blinks when it comes on), that its cable is in, and that this is the arm's port (`surehand scan` lists them)",
            self.plan.port.display()
        ))
    }
}
