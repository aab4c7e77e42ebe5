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

mod found;
mod look;
mod sample;

use std::time::Duration;

use super::frames::ReplyFrames;
use super::map::map;
use super::port::Port;
use super::problem::{Problem, Trouble};
use super::register::{Block, Torque};
use super::service::{Health, RawReading, Reading, Second, TorqueError};
use super::settings::ServoSettings;
use super::timeouts::Timeouts;
use super::transaction::{Answer, Bytes, Line, deadline_in, monotonic_now};
use crate::arm::Family;
use crate::arm::calibration::{Calibration, JointCalibration};
use crate::units::{JointVec, MonoTime};
pub use found::FoundServo;
use look::{Look, Part};
pub use sample::Sample;

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
/// The two servos of a joint measure no farther apart, counts: 5°, of which gears and a calibration by
/// hand take some.
const APART: u32 = 57;
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
    seconds: Vec<FoundServo>,
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
    /// The second servos of joints that two drive.
    pub(super) seconds: JointVec<Second>,
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
        let ids = self.ids;
        let looks = self.look_at(&ids);
        let awake: JointVec<u8> = ids
            .iter()
            .zip(&looks)
            .filter(|(_, look)| matches!(look.ping, Answer::Data { .. }))
            .map(|(id, _)| *id)
            .collect();
        let joints = self.calibration.joints().iter();
        let mut problems = Vec::new();
        for (joint, look) in joints.zip(&looks) {
            problems.extend(named(joint, look.troubles(joint, Part::First)));
        }
        let seconds = self.calibration.shadows().iter();
        let seconds: JointVec<u8> = seconds.map(|shadow| shadow.servo().id()).collect();
        let second_looks = self.look_at(&seconds);
        for (shadow, look) in self.calibration.shadows().iter().zip(&second_looks) {
            let servo = shadow.servo();
            let part = Part::Second {
                first: ids.get(shadow.joint()).unwrap_or_default(),
                mirrored: shadow.mirrored(),
            };
            let mut troubles = look.troubles(servo, part);
            if let Some(first) = looks.get(shadow.joint()) {
                troubles.extend(beside(&look.found(), &first.found()));
            }
            problems.extend(named(servo, troubles));
        }
        let servos = looks.iter().map(Look::found).collect();
        let seconds = second_looks.iter().map(Look::found).collect();
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
        let found = Found {
            servos,
            seconds,
            problems,
        };
        self.into_state(found).0
    }

    /// Everything that the servos with these ids say, in their order.
    fn look_at(&mut self, ids: &JointVec<u8>) -> Vec<Look> {
        // First a sync read: it tells an echoing adapter from its own answer, a ping can't.
        let map = map(self.family());
        let present = self.read_patiently(map.present, ids, ids);
        let pings = self.ping_all(ids);
        // Those that are silent have cost enough time: a takeover must not take long.
        let awake: JointVec<u8> = ids
            .iter()
            .zip(&pings)
            .filter(|(_, ping)| matches!(ping, Answer::Data { .. }))
            .map(|(id, _)| *id)
            .collect();
        let eeprom = self.read_patiently(map.eeprom, ids, &awake);
        let control = self.read_patiently(map.control, ids, &awake);
        let health = map
            .health
            .map(|block| self.read_patiently(block, ids, &awake));
        let look = |index| Look {
            family: self.family(),
            ping: pings.get(index).unwrap_or_default(),
            present: present.get(index).unwrap_or_default(),
            health: (health.as_ref()).and_then(|health| Health::from_answer(&health.get(index)?)),
            eeprom: eeprom.get(index).and_then(data),
            control: control.get(index).and_then(data),
        };
        (0..ids.len()).map(look).collect()
    }

    fn present(&self) -> Block {
        map(self.family()).present
    }

    /// Asks each servo whether it is there, once more while it is silent.
    fn ping_all(&mut self, ids: &JointVec<u8>) -> JointVec<Answer> {
        let wait = self.patience().ping();
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
    /// for each of `ids`; nothing from those not asked.
    fn read_patiently(
        &mut self,
        block: Block,
        ids: &JointVec<u8>,
        asked: &JointVec<u8>,
    ) -> JointVec<Answer> {
        let timeouts = self.patience();
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
            for (answer, id) in answers.iter_mut().zip(ids) {
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

    /// The second servos of joints that two drive, in the calibration's order.
    #[must_use]
    pub fn seconds(&self) -> &[FoundServo] {
        &self.state.seconds
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
        let servos = self.ids.len() + self.state.seconds.len();
        let wait = timeouts.sync_read(servos, control) * 8;
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
        let mut all = servos.iter().chain(&self.state.seconds);
        let torque = if all.any(|servo| servo.torque_on == Some(true)) {
            Torque::On
        } else {
            Torque::Off
        };
        let family = self.family();
        let seconds = self.calibration.shadows().iter().zip(&self.state.seconds);
        let seconds = seconds
            .map(|(shadow, found)| Second::new(shadow.joint(), shadow.servo().id(), found.health));
        let ready = Ready {
            seconds: seconds.collect(),
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

fn named(
    servo: &JointCalibration,
    troubles: Vec<Trouble>,
) -> impl Iterator<Item = Problem> + use<> {
    let servo = Some((servo.name().to_owned(), servo.id()));
    troubles.into_iter().map(move |trouble| Problem {
        servo: servo.clone(),
        trouble,
    })
}

/// What is wrong with a joint's second servo beside the first.
fn beside(second: &FoundServo, first: &FoundServo) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    if let (Some(found), Some(first)) = (second.model, first.model)
        && found != first
    {
        troubles.push(Trouble::OtherThanFirst { found, first });
    }
    if let (
        RawReading::Fresh {
            position: found, ..
        },
        RawReading::Fresh {
            position: first, ..
        },
    ) = (second.reading, first.reading)
        && found.0.abs_diff(first.0) > APART
    {
        troubles.push(Trouble::Apart { found, first });
    }
    troubles
}

fn data(answer: Answer) -> Option<Bytes> {
    match answer {
        Answer::Data { bytes, .. } => Some(bytes),
        Answer::Missing(_) => None,
    }
}
