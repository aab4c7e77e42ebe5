//! Watches what was read and when, and says what must stop the arm.
//!
//! Owns the last good reading of every joint; a failed read never becomes a position. Never
//! decides what a finding does to the mode: that is the core's.
//!
//! Real time: no allocation, lock, log or clock.

use std::time::Duration;

use crate::arm::JointLimits;
use crate::control::config::{CoreConfig, MonitorConfig};
use crate::control::io::{Inputs, JointReading, Link, ReadFault};
use crate::control::limiter::Measured;
use crate::messages::Cause;
use crate::units::{Celsius, JointVec, MonoTime, Rad, RadPerSec, Volts};

/// A blocked joint's goal stands at its whole stopping distance: this share of it is an error.
const FOLLOWING_SHARE: f64 = 0.9;

/// Whether a servo that is too hot is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heat {
    /// It stops the arm.
    Stops,
    /// It has, and the arm is being put away for it.
    Known,
}

/// What is known of the arm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Monitor {
    config: MonitorConfig,
    joints: JointVec<Watch>,
    last_tick: Option<MonoTime>,
}

impl Monitor {
    /// Nothing is known yet.
    #[must_use]
    pub(crate) fn new(config: &CoreConfig) -> Monitor {
        let model = &config.model;
        let limits = model.limits().iter().enumerate();
        let joints = limits
            .map(|(joint, limits)| {
                let by_default = if model.gripper() == Some(joint) {
                    f64::INFINITY
                } else {
                    FOLLOWING_SHARE * limits.stopping_distance().0
                };
                let following = config
                    .monitors
                    .following_error
                    .and_then(|all| all.get(joint));
                Watch {
                    limits: *limits,
                    following: following.map_or(by_default, |error| error.0),
                    ..Watch::default()
                }
            })
            .collect();
        Monitor {
            config: config.monitors,
            joints,
            last_tick: None,
        }
    }

    /// Takes in this tick's readings; the first finding that must stop the arm. A heat that is
    /// `known` and being seen to is no finding.
    pub(crate) fn observe(&mut self, inputs: &Inputs<'_>, heat: Heat) -> Option<Cause> {
        let config = self.config;
        let mut finding = self.timing(inputs);
        let readings = inputs.joints.iter().copied();
        let readings = readings.chain(std::iter::repeat(JointReading::default()));
        for ((joint, watch), reading) in (0..).zip(self.joints.iter_mut()).zip(readings) {
            let found = watch.observe(joint, &reading, inputs.now, &config, heat);
            finding = finding.or(found);
        }
        finding
    }

    /// Compares the goals on the wire with where the joints are; call it while torque is on.
    pub(crate) fn following(&mut self, goals: &JointVec<Rad>, now: MonoTime) -> Option<Cause> {
        let patience = self.config.following_time.as_secs_f64();
        let mut finding = None;
        for ((joint, watch), goal) in (0..).zip(self.joints.iter_mut()).zip(goals) {
            let error = goal.0 - watch.measured.position.0;
            if watch.read_at.is_none() || error.abs() <= watch.following {
                watch.lags_since = None;
                continue;
            }
            let since = *watch.lags_since.get_or_insert(now);
            if now.secs_from(since) >= patience {
                finding = finding.or(Some(Cause::FollowingError { joint, error }));
            }
        }
        finding
    }

    /// Torque is off: no joint follows anything.
    pub(crate) fn limp(&mut self) {
        for watch in self.joints.iter_mut() {
            watch.lags_since = None;
        }
    }

    /// Where every joint was when last read; `None` until each was read once.
    #[must_use]
    pub(crate) fn measured(&self) -> Option<JointVec<Measured>> {
        let all_read = self.joints.iter().all(|watch| watch.read_at.is_some());
        all_read.then(|| self.joints.map(|watch| watch.measured))
    }

    /// Joints whose encoder jumped and stayed there: their position is another now.
    pub(crate) fn rebased(&self) -> impl Iterator<Item = (usize, Measured)> {
        self.joints
            .iter()
            .enumerate()
            .filter(|(_, watch)| watch.rebased)
            .map(|(joint, watch)| (joint, watch.measured))
    }

    /// Whether every joint that still answers is measured to stand.
    #[must_use]
    pub(crate) fn standing(&self) -> bool {
        let still = self.config.standing.0;
        self.joints
            .iter()
            .all(|watch| !watch.fresh || watch.measured.velocity.0.abs() <= still)
    }

    /// Whether every joint is about where it may be; a position far outside is a wrong encoder
    /// or calibration, and never becomes a goal.
    #[must_use]
    pub(crate) fn plausible(&self) -> bool {
        let slack = self.config.outside_limits.0;
        self.joints.iter().all(|watch| {
            let at = watch.measured.position.0;
            at >= watch.limits.lower.0 - slack && at <= watch.limits.upper.0 + slack
        })
    }

    /// Whether all is well now: every joint just read, inside its ranges and where it was sent.
    #[must_use]
    pub(crate) fn healthy(&self) -> bool {
        self.plausible() && self.joints.iter().all(|watch| watch.healthy(&self.config))
    }

    /// Whether every joint can be moved, hot as it may be: read just now, without an error, well
    /// supplied, and where it was sent.
    #[must_use]
    pub(crate) fn movable(&self) -> bool {
        let ready = |watch: &Watch| watch.healthy_but_for_heat(&self.config);
        self.plausible() && self.joints.iter().all(ready)
    }

    /// The next tick may come late: switching torque on waits for every servo to confirm.
    pub(crate) fn excuse_next(&mut self) {
        self.last_tick = None;
    }

    fn timing(&mut self, inputs: &Inputs<'_>) -> Option<Cause> {
        let before = self.last_tick.replace(inputs.now);
        let stalled = before
            .is_some_and(|before| inputs.now.secs_from(before) >= self.config.stall.as_secs_f64());
        (stalled || inputs.missed >= self.config.missed_ticks).then_some(Cause::MissedTicks {
            count: inputs.missed,
        })
    }
}

/// What the runner's link is a cause for while the arm runs.
#[must_use]
pub(crate) fn runner_lost(link: Link, now: MonoTime, lease: Duration) -> Option<Cause> {
    match link {
        Link::Absent | Link::Closed => Some(Cause::RunnerDied),
        Link::Up { heard_at } => {
            let silent = now.since(heard_at);
            (u128::from(silent) > lease.as_nanos()).then(|| Cause::RunnerSilent {
                silent_ms: millis(silent),
            })
        }
    }
}

/// Whole milliseconds in `ns`.
pub(crate) fn millis(ns: u64) -> u32 {
    u32::try_from(ns / 1_000_000).unwrap_or(u32::MAX)
}

/// One joint under watch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Watch {
    limits: JointLimits,
    /// Goal − measured beyond which the joint is blocked, radians.
    following: f64,
    lags_since: Option<MonoTime>,
    measured: Measured,
    /// When `measured` was read.
    read_at: Option<MonoTime>,
    /// Whether it was read in this tick.
    fresh: bool,
    /// Failed reads in a row.
    misses: u8,
    errors: u8,
    temperature: Celsius,
    voltage: Volts,
    /// Readings in a row out of range.
    hot: u8,
    unpowered: u8,
    /// Readings in a row that the joint can't have moved to, and the last of them.
    strange: u8,
    strange_at: f64,
    rebased: bool,
}

impl Watch {
    fn observe(
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
                load: _,
                voltage,
                temperature,
                errors,
            } if position.0.is_finite() && velocity.0.is_finite() => {
                self.misses = 0;
                self.errors = errors;
                self.temperature = temperature;
                self.voltage = voltage;
                let jump = self.position(position, velocity, now, config);
                jump.map(|step| Cause::EncoderJump { joint, step })
                    .or_else(|| self.servo(joint, config, heat))
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

    fn is_hot(&self, config: &MonitorConfig) -> bool {
        self.temperature.0 > config.max_temperature.0
    }

    fn is_unpowered(&self, config: &MonitorConfig) -> bool {
        let range = config.min_voltage.0..=config.max_voltage.0;
        !range.contains(&self.voltage.0)
    }

    fn healthy(&self, config: &MonitorConfig) -> bool {
        self.healthy_but_for_heat(config) && !self.is_hot(config)
    }

    fn healthy_but_for_heat(&self, config: &MonitorConfig) -> bool {
        self.fresh && self.errors == 0 && !self.is_unpowered(config) && self.lags_since.is_none()
    }
}
