//! One joint under watch: what was read of it last, and what in it must stop the arm.
//!
//! A failed read never becomes a position. Never decides what comes of a finding.
//!
//! Real time: no allocation, lock, log or clock.

use super::Heat;
use crate::arm::JointLimits;
use crate::control::config::MonitorConfig;
use crate::control::io::{JointReading, ReadFault};
use crate::control::limiter::Measured;
use crate::messages::Cause;
use crate::units::{Celsius, MonoTime, Rad, RadPerSec, Volts};

/// One joint under watch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Watch {
    pub(super) limits: JointLimits,
    /// Goal − measured beyond which the joint is blocked, radians.
    pub(super) following: f64,
    pub(super) lags_since: Option<MonoTime>,
    pub(super) measured: Measured,
    /// When `measured` was read.
    pub(super) read_at: Option<MonoTime>,
    /// Whether it was read in this tick.
    pub(super) fresh: bool,
    /// Failed reads in a row.
    pub(super) misses: u8,
    pub(super) errors: u8,
    pub(super) temperature: Celsius,
    pub(super) voltage: Volts,
    /// Share of the stall torque, −1…1.
    pub(super) load: f64,
    /// Time it has worked too hard, seconds; what it rests is taken off.
    pub(super) strained: f64,
    /// Driven away from its goal since.
    pub(super) runs_since: Option<MonoTime>,
    /// Readings in a row out of range.
    pub(super) hot: u8,
    pub(super) unpowered: u8,
    /// Readings in a row that the joint can't have moved to, and the last of them.
    pub(super) strange: u8,
    pub(super) strange_at: f64,
    pub(super) rebased: bool,
}

impl Watch {
    pub(super) fn observe(
        &mut self,
        joint: u8,
        reading: &JointReading,
        now: MonoTime,
        config: &MonitorConfig,
        heat: Heat,
    ) -> Option<Cause> {
        self.fresh = false;
        self.rebased = false;
        match *reading {
            JointReading::Fresh {
                position,
                velocity,
                load,
                voltage,
                temperature,
                errors,
            } if position.0.is_finite() && velocity.0.is_finite() => {
                self.misses = 0;
                self.errors = errors;
                self.temperature = temperature;
                self.voltage = voltage;
                self.load = load;
                let before = self.read_at;
                let jump = self.position(position, velocity, now, config);
                jump.map(|step| Cause::EncoderJump { joint, step })
                    .or_else(|| self.servo(joint, config, heat))
                    .or_else(|| self.strain(joint, before, now, config))
            }
            JointReading::Fresh { .. } => self.missed(joint, ReadFault::Corrupt, config),
            JointReading::Missing(fault) => self.missed(joint, fault, config),
        }
    }

    fn missed(&mut self, joint: u8, fault: ReadFault, config: &MonitorConfig) -> Option<Cause> {
        self.misses = self.misses.saturating_add(1);
        let misses = self.misses;
        let too_many = misses >= config.misses;
        match fault {
            ReadFault::Port => Some(Cause::PortLost),
            ReadFault::WrongId => too_many.then_some(Cause::WrongReply { joint }),
            ReadFault::Timeout | ReadFault::Corrupt => {
                too_many.then_some(Cause::ServoSilent { joint, misses })
            }
        }
    }

    /// Takes a position over unless the joint can't have got there; then the step.
    ///
    /// One that stays at its new place is believed after a few readings: a servo acts on its
    /// own encoder, so the goal must come to where the servo thinks it is.
    fn position(
        &mut self,
        position: Rad,
        velocity: RadPerSec,
        now: MonoTime,
        config: &MonitorConfig,
    ) -> Option<f64> {
        let step = position.0 - self.measured.position.0;
        let jumped = self.read_at.is_some_and(|read_at| {
            let reach = config.encoder_speed.0 * now.secs_from(read_at).max(0.0);
            step.abs() > config.encoder_margin.0 + reach
        });
        if jumped {
            let again =
                self.strange > 0 && (position.0 - self.strange_at).abs() < config.encoder_margin.0;
            self.strange = if again {
                self.strange.saturating_add(1)
            } else {
                1
            };
            self.strange_at = position.0;
            if self.strange < config.misses {
                return Some(step);
            }
            self.rebased = true;
        }
        self.strange = 0;
        self.fresh = true;
        self.read_at = Some(now);
        self.measured = Measured { position, velocity };
        jumped.then_some(step)
    }

    fn servo(&mut self, joint: u8, config: &MonitorConfig, heat: Heat) -> Option<Cause> {
        let count = |count: &mut u8, out: bool| {
            *count = if out { count.saturating_add(1) } else { 0 };
            *count >= config.out_of_range
        };
        let (hot, unpowered) = (self.is_hot(config), self.is_unpowered(config));
        let too_hot = count(&mut self.hot, hot);
        let wrong_supply = count(&mut self.unpowered, unpowered);
        if self.errors != 0 {
            Some(Cause::ServoFault {
                joint,
                bits: self.errors,
            })
        } else if too_hot && heat == Heat::Stops {
            Some(Cause::Overheat {
                joint,
                celsius: self.temperature.0,
            })
        } else if wrong_supply {
            Some(Cause::Voltage {
                joint,
                volts: self.voltage.0,
            })
        } else {
            None
        }
    }

    /// A servo that works too hard for long cuts its own torque, and the arm sags: stop before.
    fn strain(
        &mut self,
        joint: u8,
        before: Option<MonoTime>,
        now: MonoTime,
        config: &MonitorConfig,
    ) -> Option<Cause> {
        let secs = before.map_or(0.0, |before| now.secs_from(before).clamp(0.0, 0.1));
        let most = config.load_time.as_secs_f64();
        let too_hard = self.load.abs() > config.max_load;
        let change = if too_hard { secs } else { -secs };
        self.strained = (self.strained + change).clamp(0.0, most);
        (too_hard && self.strained >= most).then_some(Cause::Overload {
            joint,
            load: self.load,
        })
    }

    /// Notes since when the motor drives the joint on, away from `goal`, or at all where there is
    /// none. One that falls or is pushed is not driven.
    pub(super) fn look_for_runaway(
        &mut self,
        goal: Option<Rad>,
        now: MonoTime,
        config: &MonitorConfig,
    ) {
        let (at, velocity) = (self.measured.position.0, self.measured.velocity.0);
        let fast = velocity.abs() > config.runaway_speed.0;
        let away = goal.is_none_or(|goal| (at - goal.0) * velocity > 0.0);
        let driven = self.load * velocity > 0.0 && self.load.abs() > config.runaway_drive;
        if self.fresh && fast && away && driven {
            self.runs_since.get_or_insert(now);
        } else if self.fresh {
            self.runs_since = None;
        }
    }

    pub(super) fn stands(&self, config: &MonitorConfig) -> bool {
        self.measured.velocity.0.abs() <= config.standing.0
    }

    /// Share of its speed that it may have, 1 where all is well.
    pub(super) fn ease(&self, config: &MonitorConfig) -> f64 {
        if self.read_at.is_none() {
            return 1.0;
        }
        let share = |left: f64, span: f64| {
            if span > 0.0 {
                (left / span).clamp(config.least_ease, 1.0)
            } else {
                1.0
            }
        };
        let cool = share(
            config.max_temperature.0 - self.temperature.0,
            config.max_temperature.0 - config.slow_above.0,
        );
        let supplied = share(
            self.voltage.0 - config.min_voltage.0,
            config.slow_below.0 - config.min_voltage.0,
        );
        cool.min(supplied)
    }

    fn is_hot(&self, config: &MonitorConfig) -> bool {
        self.temperature.0 > config.max_temperature.0
    }

    fn is_unpowered(&self, config: &MonitorConfig) -> bool {
        let range = config.min_voltage.0..=config.max_voltage.0;
        !range.contains(&self.voltage.0)
    }

    pub(super) fn healthy(&self, config: &MonitorConfig) -> bool {
        self.healthy_but_for_heat(config) && !self.is_hot(config)
    }

    pub(super) fn healthy_but_for_heat(&self, config: &MonitorConfig) -> bool {
        self.fresh && self.errors == 0 && !self.is_unpowered(config) && self.lags_since.is_none()
    }
}
