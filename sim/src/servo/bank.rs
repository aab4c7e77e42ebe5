//! Several servos on one line: host bytes in, timed reply bytes out, and a record of both.
//! Owns who answers what and when. Time is an argument and randomness comes from a seed, so the
//! same bytes at the same times give the same answers. Never moves a joint itself.

use serde::Serialize;

use super::bench::{Bench, Fate};
use super::collision::overlay;
use super::device::{Afflictions, Setup};
use super::dynamixel::packet as x;
use super::either::Servo;
use super::line::{Line, Troubles};
use super::log::{Direction, WireFrame};
use super::model::Protocol;
use super::motor::NOMINAL_VOLTS;
use super::packet as sts;
use crate::faults::{Fault, ends_at};
use crate::hands::{Hands, HandsError};
use crate::{Drive, Motion};

mod sts_line;
mod x_line;

/// The id every servo of either family listens to.
const BROADCAST: u8 = 0xFE;
/// ns between the last byte of a request and the first of the answer, return delay aside.
const TURNAROUND_NS: u64 = 10_000;
/// ns of quiet after which a frame that has begun is given up.
const GIVE_UP_NS: u64 = 10_000_000;
/// The most frames that wait to be fetched by [`Bank::drain_frames`].
const UNFETCHED_FRAMES: usize = 10_000;
/// Ω of the supply and its wiring.
const SUPPLY_OHMS: f64 = 0.05;

/// What has passed over the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    /// Good requests.
    pub requests: u64,
    /// Replies of servos.
    pub replies: u64,
    /// Runs of bytes from the host that were no request.
    pub bad_frames: u64,
    /// Requests that wrote a goal position.
    pub goal_writes: u64,
    /// When the last of them was on the wire.
    pub last_goal_write_ns: u64,
}

/// The servos of one arm.
#[derive(Debug, Clone)]
pub struct Bank {
    servos: Vec<Servo>,
    bench: Bench,
    parser: Parser,
    line: Line,
    frames: Vec<WireFrame>,
    counters: Counters,
    forced_volts: Option<f64>,
    now_ns: u64,
}

/// Finds requests in what the host sends.
#[derive(Debug, Clone)]
enum Parser {
    Sts(sts::Parser),
    X(x::Parser),
}

impl Parser {
    fn new(protocol: Protocol) -> Parser {
        match protocol {
            Protocol::Feetech => Parser::Sts(sts::Parser::default()),
            Protocol::Dynamixel => Parser::X(x::Parser::default()),
        }
    }

    fn protocol(&self) -> Protocol {
        match self {
            Parser::Sts(_) => Protocol::Feetech,
            Parser::X(_) => Protocol::Dynamixel,
        }
    }

    fn push(&mut self, byte: u8) -> Vec<Found> {
        match self {
            Parser::Sts(parser) => {
                let mut found = Vec::new();
                parser.push(byte, &mut found);
                found.into_iter().map(Found::Sts).collect()
            }
            Parser::X(parser) => {
                let mut found = Vec::new();
                parser.push(byte, &mut found);
                found.into_iter().map(Found::X).collect()
            }
        }
    }

    fn idle(&mut self) -> Vec<Found> {
        match self {
            Parser::Sts(parser) => {
                let mut found = Vec::new();
                parser.idle(&mut found);
                found.into_iter().map(Found::Sts).collect()
            }
            Parser::X(parser) => {
                let mut found = Vec::new();
                parser.idle(&mut found);
                found.into_iter().map(Found::X).collect()
            }
        }
    }
}

/// What it found.
enum Found {
    Sts(sts::Found),
    X(x::Found),
}

impl Bank {
    /// Servos in joint order, just powered up; all of them speak the protocol of the first. Fresh
    /// ones are not connected yet.
    #[must_use]
    pub fn new(setups: &[Setup], seed: u64) -> Bank {
        Bank {
            servos: setups.iter().map(Servo::new).collect(),
            bench: Bench::new(setups.iter().map(|setup| !setup.fresh).collect()),
            parser: Parser::new(
                setups
                    .first()
                    .map_or(Protocol::Feetech, |setup| setup.model.protocol()),
            ),
            line: Line::new(seed),
            frames: Vec::new(),
            counters: Counters::default(),
            forced_volts: None,
            now_ns: 0,
        }
    }

    /// The servos in joint order.
    #[must_use]
    pub fn servos(&self) -> &[Servo] {
        &self.servos
    }

    /// Which of them hang on the line, in joint order.
    #[must_use]
    pub fn connected(&self) -> &[bool] {
        self.bench.connected()
    }

    /// The ids in their registers, in joint order.
    #[must_use]
    pub fn ids(&self) -> Vec<u8> {
        self.servos.iter().map(Servo::own_id).collect()
    }

    /// What has passed over the line.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The frames that passed over the line since the last call.
    pub fn drain_frames(&mut self) -> Vec<WireFrame> {
        std::mem::take(&mut self.frames)
    }

    /// The host's port runs at `baud`; a servo set to another rate understands nothing.
    pub fn set_host_baud(&mut self, baud: u32) {
        self.line.set_baud(baud);
    }

    /// Bytes the host gave its adapter at `now_ns`.
    pub fn receive(&mut self, now_ns: u64, bytes: &[u8]) {
        if now_ns > self.line.free_ns().saturating_add(GIVE_UP_NS) {
            let found = self.parser.idle();
            self.attend(found, now_ns);
        }
        let mut unechoed = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let sent_ns = self.line.host_byte(now_ns);
            let found = self.parser.push(*byte);
            if !found.is_empty() || at + 1 == bytes.len() {
                let run = bytes.get(unechoed..=at).unwrap_or(&[]);
                self.line.echo(run, sent_ns);
                unechoed = at + 1;
                self.attend(found, sent_ns);
            }
        }
    }

    /// When the host next gets bytes, if any are under way.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        self.line.next_due()
    }

    /// Appends to `bytes` all that the host has by `now_ns`.
    pub fn take_due(&mut self, now_ns: u64, bytes: &mut Vec<u8>) {
        while let Some(arrival) = self.line.take(now_ns) {
            bytes.extend_from_slice(&arrival.bytes);
            if let Some(wire_ns) = arrival.wire_ns {
                self.note(wire_ns, Direction::Servo, arrival.bytes);
            }
        }
    }

    /// The host's port went away: what was under way is lost, and half a request with it.
    pub fn hang_up(&mut self) {
        self.line.clear();
        self.parser = Parser::new(self.parser.protocol());
    }

    fn attend(&mut self, found: Vec<Found>, now_ns: u64) {
        for found in found {
            let raw = match found {
                Found::Sts(sts::Found::Request(request)) => {
                    self.counters.requests += 1;
                    let fate = self.bench.fate(request.writes_eeprom());
                    if fate != Fate::Lost {
                        self.obey_sts(&request, now_ns);
                    }
                    self.suffer_fate(fate, now_ns);
                    request.raw
                }
                Found::X(x::Found::Request(request)) => {
                    self.counters.requests += 1;
                    let fate = self.bench.fate(request.writes_eeprom());
                    if fate != Fate::Lost {
                        self.obey_x(&request, now_ns);
                    }
                    self.suffer_fate(fate, now_ns);
                    request.raw
                }
                Found::Sts(sts::Found::Rejected(bytes)) | Found::X(x::Found::Rejected(bytes)) => {
                    self.counters.bad_frames += 1;
                    bytes
                }
            };
            self.note(now_ns, Direction::Host, raw);
        }
    }

    fn note_goal(&mut self, sets_goal: bool, now_ns: u64) {
        if sets_goal {
            self.counters.goal_writes += 1;
            self.counters.last_goal_write_ns = now_ns;
        }
    }

    fn listening(&mut self, id: u8, now_ns: u64) -> impl Iterator<Item = &mut Servo> {
        let baud = self.line.baud();
        let servos = self.servos.iter_mut().zip(self.bench.live());
        servos.filter_map(move |(servo, live)| {
            let meant = id == BROADCAST || servo.id() == id;
            (live && servo.awake(now_ns) && servo.baud() == baud && meant).then_some(servo)
        })
    }

    /// What the line makes of the answers that were given at once.
    fn together(&mut self, mut answers: Vec<Vec<u8>>) -> Option<Vec<u8>> {
        if answers.len() < 2 {
            return answers.pop();
        }
        let mut late = || self.line.jitter_ns();
        let frames: Vec<_> = answers.into_iter().map(|it| (late(), it)).collect();
        Some(overlay(&frames, self.line.bit_ns()))
    }

    fn suffer_fate(&mut self, fate: Fate, now_ns: u64) {
        if fate != Fate::Obeyed {
            self.power(false, now_ns);
        }
    }

    fn power(&mut self, on: bool, now_ns: u64) {
        self.bench.power(on);
        self.line.clear();
        for servo in &mut self.servos {
            servo.reboot(now_ns);
        }
    }

    /// Lets a person's hands do something at `now_ns`.
    ///
    /// # Errors
    /// When it is not possible; nothing has changed then.
    pub fn handle(&mut self, hands: &Hands, now_ns: u64) -> Result<(), HandsError> {
        match hands {
            Hands::Connect { servos } => {
                let wanted = servos
                    .iter()
                    .map(|joint| self.index_of(joint))
                    .collect::<Result<Vec<_>, _>>()?;
                let count = self.servos.len();
                let plugged: Vec<bool> = (0..count).map(|at| wanted.contains(&at)).collect();
                let before = self.bench.connected().iter();
                let changes = self.servos.iter_mut().zip(before).zip(&plugged);
                for ((servo, before), after) in changes {
                    if before != after {
                        servo.reboot(now_ns);
                    }
                }
                self.bench.connect(plugged);
                self.line.clear();
            }
            Hands::Turn { joint, to } => {
                let at = self.index_of(joint)?;
                if !to.is_finite() {
                    return Err(HandsError::OutOfRange {
                        field: "to",
                        value: to.to_string(),
                        right: "an angle in radians",
                    });
                }
                if let Some(servo) = self.servos.get_mut(at) {
                    if servo.torque_on() {
                        return Err(HandsError::Stiff(joint.clone()));
                    }
                    servo.motor_mut().lead(Some(*to));
                }
            }
            Hands::LetGo {} => {
                for servo in &mut self.servos {
                    servo.motor_mut().lead(None);
                }
            }
            Hands::Mount {
                joint,
                encoder_at_zero,
            } => {
                let at = self.index_of(joint)?;
                if !(0..4096).contains(encoder_at_zero) {
                    return Err(HandsError::OutOfRange {
                        field: "encoder_at_zero",
                        value: encoder_at_zero.to_string(),
                        right: "0 to 4095",
                    });
                }
                if let Some(servo) = self.servos.get_mut(at) {
                    servo.motor_mut().mount(*encoder_at_zero);
                    servo.reboot(now_ns);
                }
            }
            Hands::Power { on } => self.power(*on, now_ns),
            Hands::CutPower { at_write, kept } => self.bench.cut_at(*at_write, *kept),
        }
        Ok(())
    }

    fn index_of(&self, joint: &str) -> Result<usize, HandsError> {
        let mut names = self.servos.iter().map(Servo::name);
        names
            .position(|name| name == joint)
            .ok_or_else(|| HandsError::NoJoint {
                joint: joint.to_owned(),
                known: self.servos.iter().map(|it| it.name().to_owned()).collect(),
            })
    }

    fn note(&mut self, t_ns: u64, direction: Direction, bytes: Vec<u8>) {
        if self.frames.len() < UNFETCHED_FRAMES {
            self.frames.push(WireFrame {
                t_ns,
                direction,
                bytes,
            });
        }
    }

    /// Supply at the servos, V: it sags with the current drawn.
    #[must_use]
    pub fn volts(&self) -> f64 {
        let amps: f64 = self.servos.iter().map(|servo| servo.motor().amps()).sum();
        self.forced_volts
            .unwrap_or(NOMINAL_VOLTS - SUPPLY_OHMS * amps)
    }

    /// What each servo asks of its joint during the next `dt` seconds.
    pub fn drives(&mut self, now_ns: u64, dt: f64) -> Vec<Drive> {
        let volts = self.volts();
        self.now_ns = now_ns;
        self.servos
            .iter_mut()
            .map(|servo| servo.drive(now_ns, volts, dt))
            .collect()
    }

    /// What the physics made of it, in joint order.
    pub fn sense(&mut self, motions: &[Motion], dt: f64) {
        let volts = self.volts();
        for (servo, motion) in self.servos.iter_mut().zip(motions) {
            servo.sense(*motion, volts, dt, self.now_ns);
        }
    }

    /// Lets a fault of the bus happen at `now_ns`; faults of other parts are ignored.
    pub fn suffer(&mut self, fault: &Fault, now_ns: u64) {
        let troubles = &mut self.line.troubles;
        match *fault {
            Fault::Corrupt { rate } => troubles.corrupt = rate,
            Fault::Truncate { rate } => troubles.truncate = rate,
            Fault::Drop { rate } => troubles.drop = rate,
            Fault::Noise { rate } => troubles.noise = rate,
            Fault::Echo { on } => troubles.echo = on,
            Fault::Latency { ms } => troubles.latency_ns = (ms * 1e6) as u64,
            Fault::Voltage { volts } => self.forced_volts = Some(volts),
            Fault::Silence { id, for_ms } => {
                self.afflict(id, |it| it.silent_until_ns = ends_at(now_ns, for_ms));
            }
            Fault::Zeros { id, for_ms } => {
                self.afflict(id, |it| it.zeros_until_ns = ends_at(now_ns, for_ms));
            }
            Fault::DelayReply { id, ms, count } => {
                self.afflict(id, |it| it.late = Some((count, (ms * 1e6) as u64)));
            }
            Fault::Stall { id, for_ms } => {
                self.afflict(id, |it| it.jammed_until_ns = ends_at(now_ns, for_ms));
            }
            Fault::Runaway { id, for_ms } => {
                self.afflict(id, |it| it.runs_until_ns = ends_at(now_ns, for_ms));
            }
            Fault::EncoderJump { id, counts } => self.afflict(id, |it| it.jump += counts),
            Fault::DuplicateId { id, to } => self.afflict(id, |it| it.answers_as = Some(to)),
            Fault::Overload { id } => {
                self.strike(id, |servo| servo.protection_mut().latch_overload())
            }
            Fault::Brownout { id } => self.strike(id, |servo| servo.reboot(now_ns)),
            Fault::Overheat { id, celsius } => {
                self.strike(id, |servo| {
                    servo.protection_mut().force_celsius(Some(celsius))
                });
            }
            Fault::Watchdog { id } => self.strike(id, |servo| {
                if let Servo::X(servo) = servo {
                    servo.trip();
                }
            }),
            Fault::Unplug {}
            | Fault::Replug {}
            | Fault::CameraFreeze { .. }
            | Fault::CameraBlack { .. }
            | Fault::CameraDrop { .. }
            | Fault::CameraResize { .. } => {}
        }
    }

    /// Ends every fault that lasts; what servos have latched or lost stays with them.
    pub fn recover(&mut self) {
        self.line.troubles = Troubles::default();
        self.forced_volts = None;
        for servo in &mut self.servos {
            *servo.afflictions_mut() = Afflictions::default();
            servo.protection_mut().force_celsius(None);
        }
    }

    fn afflict(&mut self, id: u8, change: impl FnOnce(&mut Afflictions)) {
        self.strike(id, |servo| change(servo.afflictions_mut()));
    }

    /// The servo that has `id` in its registers, whatever id it answers under.
    fn strike(&mut self, id: u8, change: impl FnOnce(&mut Servo)) {
        let own = |servo: &&mut Servo| servo.own_id() == id;
        if let Some(servo) = self.servos.iter_mut().find(own) {
            change(servo);
        }
    }
}

/// ns by which this answer is late.
fn lateness(afflictions: &mut Afflictions) -> u64 {
    match afflictions.late {
        Some((left, ns)) if left > 0 => {
            afflictions.late = Some((left - 1, ns));
            ns
        }
        _ => 0,
    }
}
