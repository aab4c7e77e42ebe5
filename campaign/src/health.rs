//! What the readings of a tick demand: which of them must stop the arm, and which forbid a reset.
//!
//! Owns its own counts of bad readings in a row. Judges by the rules that a cell file sets, and
//! by nothing the code under test says but which position it believes.

use surehand::control::{CoreConfig, Inputs, JointReading, Measured, ReadFault};
use surehand::units::{JointVec, MonoTime};

use crate::motion::{Broken, Encoder, broken};

/// Why the arm must be latched after a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Demand {
    /// A servo can't be read.
    Unread(usize),
    /// A servo reports errors, heat or a wrong supply.
    Servo(usize),
    /// A servo has restarted.
    Restarted(u8),
    /// An encoder has jumped.
    Jump(usize),
    /// The loop was held up.
    HeldUp,
}

/// What was read of one joint.
#[derive(Debug, Clone, Copy, Default)]
struct Joint {
    misses: u32,
    hot: u32,
    unpowered: u32,
    /// A good reading came in this tick.
    fresh: bool,
    errors: bool,
    too_hot: bool,
    wrong_supply: bool,
    /// The position the core believes, and since when it is confirmed.
    believed: Option<(f64, MonoTime)>,
    /// What is believed could not be seen while the readings jumped.
    unsure: bool,
    /// Readings in a row that can't be believed at once.
    strange: u32,
    /// Since the tick before.
    encoder: Encoder,
}

/// What was read so far.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    joints: Vec<Joint>,
    last_tick: Option<MonoTime>,
}

impl Health {
    pub(crate) fn new(joints: usize) -> Health {
        Health {
            joints: vec![Joint::default(); joints],
            last_tick: None,
        }
    }

    /// Takes in a tick's readings and the positions believed after it; what they demand.
    ///
    /// # Errors
    /// When a position is believed that was not read, or a good reading is not.
    pub(crate) fn observe(
        &mut self,
        inputs: &Inputs<'_>,
        believed: Option<&JointVec<Measured>>,
        config: &CoreConfig,
    ) -> Result<Option<Demand>, Broken> {
        let timing = self.timing(inputs, config);
        let mut demand = timing.or(inputs.restarted.map(Demand::Restarted));
        for (index, (joint, reading)) in self.joints.iter_mut().zip(&inputs.joints).enumerate() {
            let found = joint.count(index, reading, config);
            demand = demand.or(found);
            let believed = believed.and_then(|all| all.get(index));
            let jumped = joint.belief(reading, believed, inputs.now, config)?;
            demand = demand.or(jumped.then_some(Demand::Jump(index)));
        }
        Ok(demand)
    }

    /// The next tick may come late: torque was just switched on.
    pub(crate) fn excuse_next(&mut self) {
        self.last_tick = None;
    }

    /// What this joint's encoder has done since the tick before.
    pub(crate) fn encoder(&self, joint: usize) -> Encoder {
        let joint = self.joints.get(joint);
        joint.map_or(Encoder::Steady, |joint| joint.encoder)
    }

    /// Whether `demand` is for heat and nothing else.
    pub(crate) fn only_hot(&self, demand: &Demand, config: &CoreConfig) -> bool {
        let joint = match demand {
            Demand::Servo(joint) => self.joints.get(*joint),
            Demand::Unread(_) | Demand::Restarted(_) | Demand::Jump(_) | Demand::HeldUp => None,
        };
        let unpowered = |joint: &Joint| joint.unpowered >= u32::from(config.monitors.out_of_range);
        joint.is_some_and(|joint| joint.too_hot && !joint.errors && !unpowered(joint))
    }

    /// What forbids a reset or an enable now.
    pub(crate) fn forbids(&self, config: &CoreConfig) -> Option<(usize, &'static str)> {
        let slack = config.monitors.outside_limits.0;
        self.joints.iter().enumerate().find_map(|(index, joint)| {
            let limits = config.model.limits().get(index).unwrap_or_default();
            let outside = joint
                .believed
                .is_none_or(|(at, _)| at < limits.lower.0 - slack || at > limits.upper.0 + slack);
            let why = if !joint.fresh {
                "could not be read"
            } else if joint.strange > 0 {
                "is read where it can't be"
            } else if joint.errors {
                "reports an error"
            } else if joint.too_hot {
                "is too hot"
            } else if joint.wrong_supply {
                "has a wrong supply"
            } else if outside {
                "is outside its limits"
            } else {
                return None;
            };
            Some((index, why))
        })
    }

    fn timing(&mut self, inputs: &Inputs<'_>, config: &CoreConfig) -> Option<Demand> {
        let before = self.last_tick.replace(inputs.now);
        let stalled = before.is_some_and(|before| {
            u128::from(inputs.now.0 - before.0) >= config.monitors.stall.as_nanos()
        });
        (stalled || inputs.missed >= config.monitors.missed_ticks).then_some(Demand::HeldUp)
    }
}

impl Joint {
    fn count(
        &mut self,
        index: usize,
        reading: &JointReading,
        config: &CoreConfig,
    ) -> Option<Demand> {
        let monitors = &config.monitors;
        self.fresh = false;
        match *reading {
            JointReading::Missing(ReadFault::Port) => {
                self.misses += 1;
                Some(Demand::Unread(index))
            }
            JointReading::Fresh {
                position,
                velocity,
                voltage,
                temperature,
                errors,
                ..
            } if position.0.is_finite() && velocity.0.is_finite() => {
                self.fresh = true;
                self.misses = 0;
                self.errors = errors != 0;
                self.too_hot = temperature.0 > monitors.max_temperature.0;
                self.wrong_supply =
                    voltage.0 < monitors.min_voltage.0 || voltage.0 > monitors.max_voltage.0;
                self.hot = if self.too_hot { self.hot + 1 } else { 0 };
                self.unpowered = if self.wrong_supply {
                    self.unpowered + 1
                } else {
                    0
                };
                let most = u32::from(monitors.out_of_range);
                (self.errors || self.hot >= most || self.unpowered >= most)
                    .then_some(Demand::Servo(index))
            }
            JointReading::Missing(_) | JointReading::Fresh { .. } => {
                self.misses += 1;
                (self.misses >= u32::from(monitors.misses)).then_some(Demand::Unread(index))
            }
        }
    }

    /// A position within reach of the last one is believed at once; one beyond it only after it
    /// was read several times; and nothing is believed that was not read. Whether it has jumped.
    fn belief(
        &mut self,
        reading: &JointReading,
        believed: Option<Measured>,
        now: MonoTime,
        config: &CoreConfig,
    ) -> Result<bool, Broken> {
        self.encoder = Encoder::Steady;
        let read = match *reading {
            JointReading::Fresh { position, .. } if self.fresh => Some(position.0),
            JointReading::Fresh { .. } | JointReading::Missing(_) => None,
        };
        // Until every joint was read once nobody can see what is believed: the rule must do.
        let after = believed.map(|measured| measured.position.0);
        let Some((before, since)) = self.believed else {
            if self.unsure {
                // Once it can be seen again, that is where it is. Where it was just read, the jump is
                // believed; elsewhere it can't be known how often one was read by then.
                self.believed = after.map(|after| (after, now));
                self.strange = if after == read {
                    0
                } else {
                    u32::from(config.monitors.misses)
                };
                self.unsure = after.is_none();
                if after.is_some() && after == read {
                    self.encoder = Encoder::MayHaveJumped;
                }
                return Ok(false);
            }
            self.believed = read
                .filter(|read| after.is_none_or(|after| after == *read))
                .map(|read| (read, now));
            return Ok(false);
        };
        let Some(read) = read else {
            return if after.is_none_or(|after| after == before) {
                Ok(false)
            } else {
                broken(
                    "an unread joint stays where it was",
                    format!("{before} to {after:?} rad without a reading"),
                )
                .map(|()| false)
            };
        };
        let monitors = &config.monitors;
        let secs = (now.0 - since.0) as f64 * 1e-9;
        let reach = monitors.encoder_margin.0 + monitors.encoder_speed.0 * secs;
        let jumped = (read - before).abs() > reach;
        self.strange = if jumped { self.strange + 1 } else { 0 };
        let patient = self.strange >= u32::from(monitors.misses);
        let expected = match after {
            Some(after) => after,
            None if jumped => before,
            None => read,
        };
        if expected == read && (!jumped || patient) {
            if jumped {
                self.encoder = Encoder::Jumped;
            }
            self.strange = 0;
            self.believed = Some((read, now));
            return Ok(jumped);
        }
        if expected == before && jumped {
            if after.is_none() && patient {
                // It may be believed there by now.
                self.believed = None;
                self.unsure = true;
                self.strange = 0;
            }
            return Ok(true);
        }
        broken(
            "a joint is believed where it was read, and a jump only when it lasts",
            format!(
                "read at {read}, believed at {expected} after {before} rad, {reach} in reach, {} strange",
                self.strange
            ),
        )
        .map(|()| false)
    }
}
