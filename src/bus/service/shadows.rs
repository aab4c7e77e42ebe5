//! The second servos of joints that two drive: asked in turn, and told of with their joint.
//!
//! They obey what is written to the first one's id and never answer for it, so nothing is ever
//! written to them by themselves. A joint is as hot as the hotter of its two, and in error when
//! either is; one whose second servo is silent is silent.
//!
//! Real time: no allocation, lock or log below this line.

use super::{Bus, Health, RawReading, Ready};
use crate::bus::dynamixel::register as dynamixel;
use crate::bus::dynamixel::status::ALERT;
use crate::bus::transaction::Answer;
use crate::control::ReadFault;
use crate::units::{JointVec, MonoTime};

/// So many answers lacking in a row are a silence.
const SILENCE: u8 = 3;

/// What is known of a joint's second servo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Second {
    joint: u8,
    id: u8,
    health: Option<Health>,
    errors: u8,
    silent: u8,
}

impl Second {
    /// Of servo `id` on the joint at `joint`, with this health when it was last asked.
    #[must_use]
    pub(in crate::bus) fn new(joint: usize, id: u8, health: Option<Health>) -> Second {
        Second {
            // An arm has few joints.
            joint: u8::try_from(joint).unwrap_or(u8::MAX),
            id,
            health,
            errors: 0,
            silent: 0,
        }
    }

    fn joint(&self) -> usize {
        usize::from(self.joint)
    }
}

impl Bus<Ready> {
    /// How many second servos there are.
    #[must_use]
    pub fn seconds(&self) -> usize {
        self.state().seconds.len()
    }

    /// The joints of the second servos, and their ids.
    pub(super) fn second_ids(&self) -> (JointVec<usize>, JointVec<u8>) {
        let seconds = &self.state().seconds;
        (
            seconds.iter().map(Second::joint).collect(),
            seconds.map(|second| second.id),
        )
    }

    /// The id of the second servo of `joint`.
    pub(super) fn second_of(&self, joint: usize) -> Option<u8> {
        let mut seconds = self.state().seconds.iter();
        seconds.find(|it| it.joint() == joint).map(|it| it.id)
    }

    /// The second servo of `joint` gave an answer, or none.
    pub(super) fn note_second(&mut self, joint: usize, answered: bool) {
        let mut seconds = self.state_mut().seconds.iter_mut();
        if let Some(second) = seconds.find(|second| second.joint() == joint) {
            second.silent = if answered {
                0
            } else {
                second.silent.saturating_add(1)
            };
        }
    }

    /// Asks the second servo at `index` for its supply, temperature and errors.
    pub(super) fn ask_second(&mut self, index: usize, deadline: MonoTime) {
        let Some(second) = self.state().seconds.get(index) else {
            return;
        };
        let ids = JointVec::repeat(second.id, 1);
        let answers = self.line().sync_read(&ids, dynamixel::HEALTH, deadline);
        let answer = answers.get(0).unwrap_or_default();
        let errors = match &answer {
            Answer::Missing(_) => None,
            Answer::Data { errors, .. } if errors & ALERT == 0 => Some(0),
            Answer::Data { .. } => Some(ALERT | self.hardware_error(second.id, deadline)),
        };
        self.note_second(second.joint(), errors.is_some());
        if let (Some(errors), Some(held)) = (
            errors,
            self.state_mut().seconds.as_mut_slice().get_mut(index),
        ) {
            held.errors = errors;
            held.health = Health::from_answer(&answer).or(held.health);
        }
    }

    /// Adds to each joint's reading what is known of its second servo.
    pub(super) fn with_seconds(&self, readings: &mut JointVec<RawReading>) {
        for second in &self.state().seconds {
            let Some(reading) = readings.as_mut_slice().get_mut(second.joint()) else {
                continue;
            };
            if second.silent >= SILENCE {
                *reading = RawReading::Missing(ReadFault::Timeout);
            }
            if let RawReading::Fresh {
                voltage,
                temperature,
                errors,
                ..
            } = reading
            {
                *errors |= second.errors;
                if let Some(health) = second.health {
                    *voltage = health.voltage.min(*voltage);
                    *temperature = health.temperature.max(*temperature);
                }
            }
        }
    }
}
