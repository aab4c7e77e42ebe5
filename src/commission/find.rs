//! Finds the servos on a line: which ids answer at which rate, whether more than one servo has an
//! id, and what each says of itself. Asks and never writes.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::register::{Setting, Settings, settings_in};
use super::wire::{Said, Wire, WireError};
use crate::arm::Family;
use crate::bus::map::map;
use crate::bus::register::{Block, Register};
use crate::bus::{dynamixel, feetech};

/// Ids that a servo may have.
const IDS: std::ops::RangeInclusive<u8> = 0..=252;
/// How long each id is waited for before the next is asked; answers that come later still count.
const WINDOW: Duration = Duration::from_millis(3);
/// Questions to one id, half of them for what two servos would answer differently.
const LOOKS: u32 = 8;
/// Answers spoilt of these before several servos are suspected and not the line alone.
const SPOILT: u32 = 2;

/// What was seen under one id at one rate.
#[derive(Debug, Clone, PartialEq)]
pub enum Sighting {
    /// One servo.
    One(Box<Servo>),
    /// Answers that several servos must have given, or a very bad line.
    Several {
        /// The id they share.
        id: u8,
        /// Their rate.
        baud: u32,
        /// Answers that were spoilt or doubled.
        spoilt: u32,
        /// Of so many.
        asked: u32,
    },
}

/// All that was seen.
pub type Sightings = Vec<Sighting>;

/// What one servo says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Servo {
    /// Its family.
    pub family: Family,
    /// Its id.
    pub id: u8,
    /// Its rate.
    pub baud: u32,
    /// Its model number.
    pub model: Option<i32>,
    /// Its firmware.
    pub firmware: Option<String>,
    /// What is set on it.
    pub settings: Settings,
    /// Position, counts.
    pub position: Option<i32>,
    /// Supply, 0.1 V.
    pub volts: Option<i32>,
    /// °C.
    pub celsius: Option<i32>,
    /// Whether torque is on.
    pub torque_on: Option<bool>,
    /// Error bits, as its family has them.
    pub errors: u8,
}

impl Sighting {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> u8 {
        match self {
            Sighting::One(servo) => servo.id,
            Sighting::Several { id, .. } => *id,
        }
    }

    /// Its rate.
    #[must_use]
    pub fn baud(&self) -> u32 {
        match self {
            Sighting::One(servo) => servo.baud,
            Sighting::Several { baud, .. } => *baud,
        }
    }
}

impl Servo {
    /// What its maker calls it; `None` for a model that is not known.
    #[must_use]
    pub fn model_name(&self) -> Option<&'static str> {
        let model = self.model?;
        match self.family {
            Family::Feetech => (model == feetech::register::STS3215).then_some("STS3215"),
            Family::Dynamixel => Some(dynamixel::Model::of(model)?.name()),
        }
    }

    /// The same for people, whatever it is.
    #[must_use]
    pub fn model_text(&self) -> String {
        match (self.model_name(), self.model) {
            (Some(name), _) => name.to_owned(),
            (None, Some(model)) => format!("model {model}"),
            (None, None) => "unreadable".to_owned(),
        }
    }

    /// Whether it is still as the factory made it, as far as a set-up one never is.
    #[must_use]
    pub fn looks_fresh(&self) -> bool {
        self.settings.get(&Setting::ReturnDelay) == Some(&250)
    }

    /// Another id that it obeys without answering, of a joint's second servo.
    #[must_use]
    pub fn obeys(&self) -> Option<i32> {
        let second = self.settings.get(&Setting::SecondId).copied();
        second.filter(|id| (0..=252).contains(id))
    }

    /// What it says is wrong with it; `None` when nothing is.
    #[must_use]
    pub fn errors_text(&self) -> Option<String> {
        (self.errors != 0).then(|| crate::messages::error_bits(self.errors))
    }

    /// As an event.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "family": self.family.name(),
            "id": self.id,
            "baud": self.baud,
            "model": self.model_text(),
            "model_number": self.model,
            "firmware": self.firmware,
            "position": self.position,
            "volts": self.volts.map(|tenths| f64::from(tenths) / 10.0),
            "celsius": self.celsius,
            "torque_on": self.torque_on,
            "error_bits": self.errors,
            "errors": self.errors_text(),
            "settings": self.settings,
        })
    }
}

/// The rates at which servos of a family most probably are: as made, and as arms use them.
#[must_use]
pub fn likely_bauds(family: Family) -> &'static [u32] {
    match family {
        Family::Feetech => &[1_000_000],
        Family::Dynamixel => &[57_600, 1_000_000],
    }
}

/// Looks for servos of `family` at `baud`, under every id.
///
/// # Errors
/// When the port fails.
pub fn find_at(wire: &mut Wire, family: Family, baud: u32) -> Result<Sightings, WireError> {
    wire.tune(family, baud)?;
    let ids: Vec<u8> = IDS.collect();
    let heard = wire.sweep(&ids, WINDOW)?;
    let suspects: BTreeSet<u8> = heard.into_iter().collect();
    let mut found = Vec::new();
    for id in suspects {
        found.extend(look(wire, id)?);
    }
    Ok(found)
}

/// Looks closely at one id at the wire's rate; `None` when nobody is there.
///
/// # Errors
/// When the port fails.
pub fn look(wire: &mut Wire, id: u8) -> Result<Option<Sighting>, WireError> {
    let (mut clear, mut spoilt) = (0, 0);
    let present = map(wire.family()).present;
    for turn in 0..LOOKS {
        // The first tells of a servo that answers nothing but this, the others of two that differ.
        let heard = if turn % 2 == 0 {
            wire.call(id)?
        } else {
            wire.read_once(id, present)?
        };
        if heard.is_silence() {
            if turn >= 2 && clear + spoilt == 0 {
                return Ok(None);
            }
            continue;
        }
        match heard.clear(id) {
            Some(_) => clear += 1,
            None => spoilt += 1,
        }
    }
    if spoilt >= SPOILT {
        let (baud, asked) = (wire.baud(), LOOKS);
        return Ok(Some(Sighting::Several {
            id,
            baud,
            spoilt,
            asked,
        }));
    }
    if clear == 0 {
        return Ok(None);
    }
    Ok(Some(Sighting::One(Box::new(describe(wire, id)?))))
}

/// Asks a servo for all that it says of itself.
///
/// # Errors
/// When the port fails.
pub fn describe(wire: &mut Wire, id: u8) -> Result<Servo, WireError> {
    let (family, baud) = (wire.family(), wire.baud());
    let map = map(family);
    let eeprom = wire.read(id, map.eeprom)?;
    let control = wire.read(id, map.control)?;
    let present = wire.read(id, map.present)?;
    let health = match map.health {
        Some(block) => wire.read(id, block)?.map(|said| (block, said)),
        None => present.clone().map(|said| (map.present, said)),
    };
    let get = |block: Block, said: &Option<Said>, register: Register| {
        block.get(&said.as_ref()?.bytes, register)
    };
    let in_eeprom = |register| get(map.eeprom, &eeprom, register);
    let in_health = |register| {
        let (block, said) = health.as_ref()?;
        block.get(&said.bytes, register)
    };
    let (model, firmware, position, volts, celsius, errors) = match family {
        Family::Feetech => {
            use feetech::register as reg;
            let version = in_eeprom(reg::FIRMWARE_MAJOR).zip(in_eeprom(reg::FIRMWARE_MINOR));
            (
                in_eeprom(reg::MODEL),
                version.map(|(major, minor)| format!("{major}.{minor}")),
                get(map.present, &present, reg::PRESENT_POSITION),
                in_health(reg::PRESENT_VOLTAGE),
                in_health(reg::PRESENT_TEMPERATURE),
                present.as_ref().map_or(0, |said| said.errors),
            )
        }
        Family::Dynamixel => {
            use dynamixel::register as reg;
            let error = get(map.control, &control, reg::HARDWARE_ERROR);
            (
                in_eeprom(reg::MODEL),
                in_eeprom(reg::FIRMWARE).map(|version| version.to_string()),
                get(map.present, &present, reg::PRESENT_POSITION),
                in_health(reg::PRESENT_VOLTAGE),
                in_health(reg::PRESENT_TEMPERATURE),
                // Marked as what it is: a hardware error.
                match error.and_then(|error| u8::try_from(error).ok()) {
                    None | Some(0) => 0,
                    Some(error) => error | dynamixel::status::ALERT,
                },
            )
        }
    };
    let torque = get(map.control, &control, map.torque_enable);
    Ok(Servo {
        family,
        id,
        baud,
        model,
        firmware,
        settings: eeprom
            .as_ref()
            .map(|said| settings_in(family, &said.bytes))
            .unwrap_or_default(),
        position,
        volts,
        celsius,
        torque_on: torque.map(|torque| torque != 0),
        errors,
    })
}
