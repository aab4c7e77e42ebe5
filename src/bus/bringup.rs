//! From an open port to an arm in service, one step at a time.
//!
//! ```text
//! Bus<Silent> ── find ──► Bus<Found> ── ready ──► Bus<Ready>   settings written, problems refused
//!  nothing sent            all looked at └─ adopt ──► Bus<Ready>   nothing written: a takeover
//! ```
//!
//! Each state has only what is safe in it. Nothing is written to any EEPROM, and no goal before
//! torque is asked for (a goal write switches torque on). May allocate; runs before the loop, or in
//! a guard that replaces another and has not sent anything yet.

mod look;

use std::time::Duration;

use super::dynamixel::Model;
use super::frames::ReplyFrames;
use super::map::map;
use super::port::Port;
use super::problem::{Problem, Trouble};
use super::register::{Block, Torque};
use super::service::{Health, RawReading, Reading, TorqueError};
use super::settings::ServoSettings;
use super::timeouts::Timeouts;
use super::transaction::{Answer, Bytes, Line, deadline_in, monotonic_now};
use crate::arm::Family;
use crate::arm::calibration::Calibration;
use crate::units::{JointVec, MonoTime};
use look::Look;

/// How often a servo is asked before it counts as silent: the first question after a takeover may
/// fall into the rest of a torn frame.
const ATTEMPTS: u32 = 3;
/// How often it is pinged; it has been asked before.
const PINGS: u32 = 2;
/// What adapter and kernel may take here: even one with its latency timer at 16 ms is to be named
/// as that, and not as six silent servos.
const PATIENCE: Duration = Duration::from_millis(40);
/// What they may take in service.
pub const MAX_TURNAROUND: Duration = Duration::from_millis(5);
/// Exchanges tried until two are fast enough: a busy machine delays some, a slow adapter all.
const LATENCY_SAMPLES: u32 = 16;

/// Why the arm was not brought into service.
#[derive(Debug, thiserror::Error)]
pub enum BringUpError {
    /// Something about the arm is wrong; nothing was written.
    #[error("the arm is not fit for service: {}", lines(.0))]
    Unfit(Vec<Problem>),
    /// Not one setting for each joint.
    #[error("{received} servo settings for {expected} joints")]
    SettingsCount {
        /// Joints.
        expected: usize,
        /// Settings.
        received: usize,
    },
    /// The settings were not taken.
    #[error("servo settings could not be written: {0}: check the cables and try again")]
    Settings(#[from] TorqueError),
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// Nothing has been sent yet.
#[derive(Debug)]
pub struct Silent(());

/// Every servo has been looked at.
#[derive(Debug)]
pub struct Found {
    servos: Vec<FoundServo>,
    problems: Vec<Problem>,
}

/// In service.
#[derive(Debug)]
pub struct Ready {
    pub(super) settings: Vec<ServoSettings>,
    pub(super) torque: Torque,
    /// Sent last; empty before any was.
    pub(super) goals: JointVec<i32>,
    /// How each servo's registers are read.
    pub(super) readings: JointVec<Reading>,
    /// The hardware error that each alert was for.
    pub(super) hardware: JointVec<u8>,
    pub(super) frames: ReplyFrames,
}

/// One servo as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundServo {
    /// Its model number, when it could be read.
    pub model: Option<i32>,
    /// Its firmware, when it could be read; a second number is Feetech's alone.
    pub firmware: Option<(i32, i32)>,
    /// What it measures.
    pub reading: RawReading,
    /// Its supply and temperature, where a tick does not read them.
    pub health: Option<Health>,
    /// Whether its torque is on, when it could be read.
    pub torque_on: Option<bool>,
}

impl FoundServo {
    /// How its registers are to be read.
    fn reading_of(&self, family: Family) -> Reading {
        let standard = Reading {
            health: self.health,
            ..Reading::of(family)
        };
        match (family, self.model.and_then(Model::of)) {
            (Family::Dynamixel, Some(model)) => Reading {
                load_at_stall: model.load_at_stall(),
                ..standard
            },
            (Family::Feetech, _) | (Family::Dynamixel, None) => standard,
        }
    }

    /// The model, as its maker calls it, and the firmware that a commissioning test stands for;
    /// `None` for a servo without a bus watchdog, or one that could not be read.
    #[must_use]
    pub fn tested_as(&self, family: Family) -> Option<(&'static str, i32)> {
        match family {
            Family::Feetech => None,
            Family::Dynamixel => {
                let (firmware, _) = self.firmware?;
                Some((Model::of(self.model?)?.name(), firmware))
            }
        }
    }
}

/// An arm on a port. `S` is how far its bring-up has come.
#[derive(Debug)]
pub struct Bus<S> {
    port: Port,
    calibration: Calibration,
    ids: JointVec<u8>,
    state: S,
}

impl<S> Bus<S> {
    /// The calibration the bus was opened with.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// The family of its servos.
    #[must_use]
    pub fn family(&self) -> Family {
        self.port.family()
    }

    pub(super) fn line(&mut self) -> &mut Line {
        self.port.line()
    }

    pub(super) fn ids(&self) -> &JointVec<u8> {
        &self.ids
    }

    pub(super) fn state(&self) -> &S {
        &self.state
    }

    pub(super) fn state_mut(&mut self) -> &mut S {
        &mut self.state
    }

    pub(super) fn sync_read(&mut self, block: Block, deadline: MonoTime) -> JointVec<Answer> {
        let ids = self.ids;
        self.line().sync_read(&ids, block, deadline)
    }

    fn patience(&self) -> Timeouts {
        Timeouts::new(self.family(), self.port.baud(), PATIENCE)
    }

    fn into_state<T>(self, state: T) -> (Bus<T>, S) {
        let bus = Bus {
            port: self.port,
            calibration: self.calibration,
            ids: self.ids,
            state,
        };
        (bus, self.state)
    }
}

impl Bus<Silent> {
    /// The arm of `calibration` on `port`.
    #[must_use]
    pub fn new(port: Port, calibration: Calibration) -> Bus<Silent> {
        let ids = calibration
            .joints()
            .iter()
            .map(|joint| joint.id())
            .collect();
        Bus {
            port,
            calibration,
            ids,
            state: Silent(()),
        }
    }

    /// Looks at every servo: asks it, reads its model, EEPROM, state and measurements, and compares
    /// them with the calibration. Writes nothing, so it may be used on an arm that moves.
    #[must_use]
    pub fn find(mut self) -> Bus<Found> {
        // First a sync read: it tells an echoing adapter from its own answer, a ping can't.
        let ids = self.ids;
        let map = map(self.family());
        let present = self.read_patiently(map.present, &ids);
        let pings = self.ping_all();
        // Those that are silent have cost enough time: a takeover must not take long.
        let awake: JointVec<u8> = ids
            .iter()
            .zip(&pings)
            .filter(|(_, ping)| matches!(ping, Answer::Data { .. }))
            .map(|(id, _)| *id)
            .collect();
        let eeprom = self.read_patiently(map.eeprom, &awake);
        let control = self.read_patiently(map.control, &awake);
        let health = map.health.map(|block| self.read_patiently(block, &awake));
        let mut problems = Vec::new();
        let mut servos = Vec::new();
        for (index, joint) in self.calibration.joints().iter().enumerate() {
            let look = Look {
                family: self.family(),
                ping: pings.get(index).unwrap_or_default(),
                present: present.get(index).unwrap_or_default(),
                health: (health.as_ref())
                    .and_then(|health| Health::from_answer(&health.get(index)?)),
                eeprom: eeprom.get(index).and_then(data),
                control: control.get(index).and_then(data),
            };
            let servo = Some((joint.name().to_owned(), joint.id()));
            let troubles = look.troubles(joint);
            problems.extend(troubles.into_iter().map(|trouble| Problem {
                servo: servo.clone(),
                trouble,
            }));
            servos.push(look.found());
        }
        if problems
            .iter()
            .any(|problem| problem.trouble == Trouble::Port)
        {
            problems = vec![Problem {
                servo: None,
                trouble: Trouble::Port,
            }];
        }
        problems.extend(self.latency(&awake).map(|trouble| Problem {
            servo: None,
            trouble,
        }));
        self.into_state(Found { servos, problems }).0
    }

    fn present(&self) -> Block {
        map(self.family()).present
    }

    /// Asks each servo whether it is there, once more while it is silent.
    fn ping_all(&mut self) -> JointVec<Answer> {
        let wait = self.patience().ping();
        let ids = self.ids;
        ids.map(|id| {
            let mut answer = Answer::default();
            for _ in 0..PINGS {
                answer = self.line().ping(id, deadline_in(wait));
                if answer != Answer::default() {
                    break;
                }
            }
            answer
        })
    }

    /// Reads a block of the servos of `asked`, again of those that did not answer well. One answer
    /// for each servo of the arm; nothing from those not asked.
    fn read_patiently(&mut self, block: Block, asked: &JointVec<u8>) -> JointVec<Answer> {
        let timeouts = self.patience();
        let ids = self.ids;
        let mut answers: JointVec<Answer> = JointVec::repeat(Answer::default(), ids.len());
        for _ in 0..ATTEMPTS {
            let lacks = |id: u8, answer: &Answer| {
                matches!(answer, Answer::Missing(_)) && asked.iter().any(|asked| *asked == id)
            };
            let missing: JointVec<u8> = ids
                .iter()
                .zip(&answers)
                .filter(|(id, answer)| lacks(**id, answer))
                .map(|(id, _)| *id)
                .collect();
            if missing.is_empty() {
                break;
            }
            let deadline = deadline_in(timeouts.sync_read(missing.len(), block));
            let again = self.line().sync_read(&missing, block, deadline);
            let mut again = again.iter();
            for (answer, id) in answers.iter_mut().zip(&ids) {
                if lacks(*id, answer) {
                    *answer = again.next().copied().unwrap_or_default();
                }
            }
        }
        answers
    }

    /// Whether the adapter is too slow for service, asked of the servos that answer.
    fn latency(&mut self, awake: &JointVec<u8>) -> Option<Trouble> {
        if awake.is_empty() {
            return None;
        }
        let timeouts = self.patience();
        let wait = timeouts.sync_read(awake.len(), self.present());
        let wire = wait.saturating_sub(PATIENCE);
        let mut fastest: Option<Duration> = None;
        let mut in_time = 0;
        for _ in 0..LATENCY_SAMPLES {
            let start = monotonic_now();
            let block = self.present();
            let answers = self.line().sync_read(awake, block, deadline_in(wait));
            let took = Duration::from_nanos(monotonic_now().since(start)).saturating_sub(wire);
            if answers.iter().any(|a| matches!(a, Answer::Missing(_))) {
                continue;
            }
            fastest = Some(fastest.map_or(took, |fastest| fastest.min(took)));
            if took <= MAX_TURNAROUND {
                in_time += 1;
            }
            // Twice, because a slow adapter's timer may run out by chance at the right moment.
            if in_time == 2 {
                return None;
            }
        }
        fastest.map(|found| Trouble::Latency {
            found,
            most: MAX_TURNAROUND,
        })
    }
}

impl Bus<Found> {
    /// What keeps the arm from being used; empty when nothing does.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.state.problems
    }

    /// The servos in the arm's order.
    #[must_use]
    pub fn servos(&self) -> &[FoundServo] {
        &self.state.servos
    }

    /// Into service: writes each servo's settings (in the arm's order) and reads them back. Torque
    /// stays as it is, and no goal is written.
    ///
    /// # Errors
    /// When there are problems (then nothing is written), or a servo does not take its settings.
    pub fn ready(self, settings: &[ServoSettings]) -> Result<Bus<Ready>, BringUpError> {
        if !self.state.problems.is_empty() {
            return Err(BringUpError::Unfit(self.state.problems));
        }
        let timeouts = self.patience();
        // Four registers at most, each written and read back.
        let control = map(self.family()).control;
        let wait = timeouts.sync_read(self.ids.len(), control) * 8;
        let mut bus = self.adopt(settings)?;
        let mut tries = 1;
        loop {
            match bus.configure(deadline_in(wait)) {
                Ok(()) => return Ok(bus),
                Err(_) if tries < ATTEMPTS => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Into service as the arm is, for a guard that takes over from another: writes nothing, and
    /// does not mind problems. The arm keeps the goals it has, which are safe stops.
    ///
    /// # Errors
    /// When there is not one setting for each joint.
    pub fn adopt(self, settings: &[ServoSettings]) -> Result<Bus<Ready>, BringUpError> {
        if settings.len() != self.ids.len() {
            return Err(BringUpError::SettingsCount {
                expected: self.ids.len(),
                received: settings.len(),
            });
        }
        let servos = &self.state.servos;
        let torque = if servos.iter().any(|servo| servo.torque_on == Some(true)) {
            Torque::On
        } else {
            Torque::Off
        };
        let family = self.family();
        let ready = Ready {
            settings: settings.to_vec(),
            torque,
            goals: JointVec::default(),
            readings: servos
                .iter()
                .map(|servo| servo.reading_of(family))
                .collect(),
            hardware: JointVec::repeat(0, servos.len()),
            frames: ReplyFrames::default(),
        };
        Ok(self.into_state(ready).0)
    }
}

fn data(answer: Answer) -> Option<Bytes> {
    match answer {
        Answer::Data { bytes, .. } => Some(bytes),
        Answer::Missing(_) => None,
    }
}
