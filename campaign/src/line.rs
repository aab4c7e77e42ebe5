//! The servos as the guard reads them: every reading true and of this very tick, or none.
//!
//! Owns the servos and what ails them and their line. Models what a drained transaction promises:
//! replies get lost, corrupt or mixed up, but an old one never stands for a new one.

use surehand::control::{JointReading, ReadFault};
use surehand::units::{Celsius, JointVec, Rad, RadPerSec, Volts};

use crate::fault::Fault;
use crate::motion::Broken;
use crate::rng::Rng;
use crate::servo::Servo;
use crate::wire::Wire;

/// Supply and temperature of a healthy servo.
const VOLTS: f64 = 7.4;
const CELSIUS: f64 = 35.0;
/// The share of scenarios in which the guard's own transaction is brought in.
const WIRED: f64 = 0.1;

/// Something that lasts until a moment, nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Spell<T> {
    until: u64,
    what: T,
}

impl<T: Copy> Spell<T> {
    fn at(&self, now: u64) -> Option<T> {
        (now < self.until).then_some(self.what)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Ailments {
    unread: Spell<ReadFault>,
    not_a_number: Spell<()>,
    errors: Spell<u8>,
    heat: Spell<f64>,
    jumped: bool,
    jump_until: u64,
    block_until: u64,
}

/// Servos on a line.
#[derive(Debug)]
pub struct Line {
    rng: Rng,
    servos: Vec<Servo>,
    ailments: Vec<Ailments>,
    drops: Spell<f64>,
    supply: Spell<f64>,
    restarted: Spell<usize>,
    port_lost_until: u64,
    late: bool,
    /// The guard's own transaction, in some scenarios.
    wire: Option<Wire>,
    /// Encoder noise, counts either way.
    noise: f64,
    now: u64,
}

impl Line {
    /// Healthy servos at `now`.
    ///
    /// # Errors
    /// When the system gives no socket pair for the guard's transaction.
    pub fn new(mut rng: Rng, servos: Vec<Servo>, now: u64) -> std::io::Result<Line> {
        let wired = rng.chance(WIRED);
        let wire = Rng::new(rng.bits());
        Ok(Line {
            late: false,
            wire: wired.then(|| Wire::new(wire)).transpose()?,
            ailments: vec![Ailments::default(); servos.len()],
            servos,
            drops: Spell::default(),
            supply: Spell::default(),
            restarted: Spell::default(),
            port_lost_until: 0,
            noise: rng.pick([0.0, 0.5, 1.0, 2.0]),
            rng,
            now,
        })
    }

    /// A fault strikes; those that are not the line's pass by.
    pub fn strike(&mut self, fault: Fault) {
        let now = self.now;
        let unread = |ailments: &mut Ailments, span, what| {
            ailments.unread = Spell {
                until: now + span,
                what,
            };
        };
        match fault {
            Fault::Silent { joint, span } => {
                unread(&mut self.ailments[joint], span, ReadFault::Timeout);
            }
            Fault::Corrupt { joint, span } => {
                unread(&mut self.ailments[joint], span, ReadFault::Corrupt);
            }
            Fault::WrongId { joint, span } => {
                unread(&mut self.ailments[joint], span, ReadFault::WrongId);
            }
            Fault::NotANumber { joint, span } => {
                self.ailments[joint].not_a_number.until = now + span;
            }
            Fault::Drops { share, span } => {
                self.drops = Spell {
                    until: now + span,
                    what: share,
                };
            }
            Fault::Errors { joint, bits, span } => {
                self.ailments[joint].errors = Spell {
                    until: now + span,
                    what: bits,
                };
            }
            Fault::Heat {
                joint,
                celsius,
                span,
            } => {
                self.ailments[joint].heat = Spell {
                    until: now + span,
                    what: celsius,
                };
            }
            Fault::Supply { volts, span } => {
                self.supply = Spell {
                    until: now + span,
                    what: volts,
                };
            }
            Fault::EncoderJump { joint, by, span } => {
                self.servos[joint].jump(by);
                self.ailments[joint].jumped = true;
                self.ailments[joint].jump_until = now + span;
            }
            Fault::Block { joint, span } => {
                self.servos[joint].blocked = true;
                self.ailments[joint].block_until = now + span;
            }
            Fault::Restart { joint, span } => {
                self.servos[joint].release();
                self.restarted = Spell {
                    until: now + span,
                    what: joint,
                };
            }
            Fault::Push { joint, by } => self.servos[joint].push(by),
            Fault::Late => self.late = true,
            Fault::PortLost { span } => self.port_lost_until = now + span,
            Fault::HoldUp { .. }
            | Fault::Hog { .. }
            | Fault::RunnerDies { .. }
            | Fault::RunnerFreezes { .. }
            | Fault::RunnerIdles { .. }
            | Fault::RunnerLeaves { .. }
            | Fault::RunnerTrips
            | Fault::GuardDies { .. }
            | Fault::Signal
            | Fault::Pressed { .. }
            | Fault::WireBroken { .. }
            | Fault::LetGo { .. }
            | Fault::HolderDies
            | Fault::HolderFreezes { .. } => {}
        }
    }

    /// Time passes until `now`, nanoseconds.
    pub fn advance(&mut self, now: u64) {
        let secs = now.saturating_sub(self.now) as f64 * 1e-9;
        self.now = now;
        for (servo, ailments) in self.servos.iter_mut().zip(&mut self.ailments) {
            servo.advance(secs);
            if servo.blocked && now >= ailments.block_until {
                servo.blocked = false;
            }
            if ailments.jumped && now >= ailments.jump_until {
                ailments.jumped = false;
                servo.mend();
            }
        }
    }

    /// What a read gives now.
    ///
    /// # Errors
    /// When the guard's own transaction, where it is brought in, gives something else.
    pub(crate) fn read(&mut self) -> Result<JointVec<JointReading>, Broken> {
        let mut readings = self.replies();
        let late = std::mem::take(&mut self.late);
        if let Some(wire) = &mut self.wire {
            let all = |reading: &JointReading| matches!(reading, JointReading::Fresh { .. });
            if late {
                wire.late(&readings)?;
            } else if readings.iter().all(all) {
                wire.check(&readings)?;
            }
        }
        if late {
            readings = readings.map(|_| JointReading::Missing(ReadFault::Timeout));
        }
        Ok(readings)
    }

    fn replies(&mut self) -> JointVec<JointReading> {
        let now = self.now;
        let volts = self.supply.at(now).unwrap_or(VOLTS);
        let drops = self.drops.at(now).unwrap_or(0.0);
        let mut readings = JointVec::default();
        for (servo, ailments) in self.servos.iter().zip(&self.ailments) {
            let lost = if now < self.port_lost_until {
                Some(ReadFault::Port)
            } else if drops > 0.0 && self.rng.chance(drops) {
                Some(ReadFault::Timeout)
            } else {
                ailments.unread.at(now)
            };
            let reading = lost.map_or_else(
                || healthy(servo, self.noise, &mut self.rng, volts, ailments, now),
                JointReading::Missing,
            );
            // As many servos as the arm has joints.
            let _ = readings.push(reading);
        }
        readings
    }

    /// A joint whose servo does not yet hold again what it was told.
    #[must_use]
    pub fn restarted(&self) -> Option<u8> {
        let joint = self.restarted.at(self.now)?;
        u8::try_from(joint).ok()
    }

    /// The goals arrive.
    pub fn write(&mut self, goals: &JointVec<Rad>) {
        if self.now < self.port_lost_until {
            return;
        }
        for (servo, goal) in self.servos.iter_mut().zip(goals) {
            servo.go(goal.0);
        }
    }

    /// The goals that the servos hold; a successor may fail to read one.
    #[must_use]
    pub fn goals(&self) -> JointVec<Option<Rad>> {
        let mut rng = Rng::new(self.now);
        let goals = self.servos.iter().map(|servo| {
            let read = !rng.chance(0.05);
            servo.goal().filter(|_| read).map(Rad)
        });
        goals.collect()
    }

    /// Torque off; from then on hands may move the joints.
    pub fn release(&mut self) {
        for servo in &mut self.servos {
            servo.release();
            let to = servo.between_stops(self.rng.between(0.2, 0.8));
            servo.hand = self.rng.chance(0.5).then_some(to);
        }
    }

    /// The servos, in the arm's order.
    #[must_use]
    pub fn servos(&self) -> &[Servo] {
        &self.servos
    }
}

fn healthy(
    servo: &Servo,
    noise: f64,
    rng: &mut Rng,
    volts: f64,
    ailments: &Ailments,
    now: u64,
) -> JointReading {
    let (position, velocity) = servo.read(noise, rng);
    let (position, velocity) = match ailments.not_a_number.at(now) {
        Some(()) => (rng.pick([f64::NAN, f64::INFINITY, position]), f64::NAN),
        None => (position, velocity),
    };
    JointReading::Fresh {
        position: Rad(position),
        velocity: RadPerSec(velocity),
        load: if servo.blocked { 0.9 } else { 0.1 },
        voltage: Volts(volts),
        temperature: Celsius(ailments.heat.at(now).unwrap_or(CELSIUS)),
        errors: ailments.errors.at(now).unwrap_or(0),
    }
}
