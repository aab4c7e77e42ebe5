//! What the control core must know of its cell.
//!
//! Plain data, built once by whoever read the cell file. [`crate::control::Core::new`] checks it.

use std::time::Duration;

use crate::arm::{ArmModel, Parking};
use crate::control::clearance::Clearance;
use crate::units::{Celsius, JointVec, Rad, RadPerSec, Volts};

/// Everything the core is told once.
#[derive(Debug, Clone, PartialEq)]
pub struct CoreConfig {
    /// The arm, with the limits of its joints.
    pub model: ArmModel,
    /// Time between ticks.
    pub period: Duration,
    /// How long the runner may be silent while the arm runs.
    pub lease: Duration,
    /// How long an operator who holds the arm running may be silent.
    pub hold: Duration,
    /// Whether the arm runs only while an operator holds it running.
    pub hold_to_run: bool,
    /// How long `Running` holds still for its first plan.
    pub first_plan: Duration,
    /// What a plan must satisfy.
    pub plans: PlanRules,
    /// What the monitors watch.
    pub monitors: MonitorConfig,
    /// What the arm must not meet.
    pub clearance: Clearance,
    /// Where torque may go without the arm falling; `None` where there is no such pose.
    pub parking: Option<Parking>,
}

/// What a plan must satisfy to be admitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanRules {
    /// The oldest frames a plan may come from.
    pub max_age: Duration,
    /// How far in the future it may begin.
    pub max_lead: Duration,
    /// How long a new plan takes to blend in.
    pub crossfade: Duration,
    /// How far the arm may fall behind a plan of the tool before it is stopped.
    pub max_lag: Duration,
    /// Farthest distance of a joint from the present command to the plan; between waypoints
    /// the way the joint can cover in a step is added. The gripper may step.
    pub seam: Rad,
    /// The same for the tool point of a tool plan, metres.
    pub seam_metres: f64,
    /// A joint waypoint this far outside its limits is clamped; beyond, the plan is refused.
    pub limit_slack: Rad,
    /// A tool waypoint may be missed by this distance at the edge of the arm's reach, metres.
    pub reach_metres: f64,
    /// A tool waypoint's tilt and roll may be missed by this.
    pub reach_angle: Rad,
    /// The tool point is never sent below this height in the base frame, metres.
    pub floor: f64,
}

impl Default for PlanRules {
    fn default() -> Self {
        PlanRules {
            max_age: Duration::from_millis(500),
            max_lead: Duration::from_millis(1000),
            crossfade: Duration::from_millis(100),
            max_lag: Duration::from_millis(1000),
            seam: Rad(0.6),
            seam_metres: 0.10,
            limit_slack: Rad(0.1),
            reach_metres: 0.02,
            reach_angle: Rad(0.35),
            floor: f64::NEG_INFINITY,
        }
    }
}

/// Thresholds of the monitors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonitorConfig {
    /// Failed reads of one servo in a row that stop the arm.
    pub misses: u8,
    /// Missed ticks in a row that stop the arm.
    pub missed_ticks: u32,
    /// A single hold-up of the loop this long stops the arm.
    pub stall: Duration,
    /// A servo hotter than this stops the arm.
    pub max_temperature: Celsius,
    /// Above this the arm goes more slowly the hotter a servo is.
    pub slow_above: Celsius,
    /// Below this supply the arm goes more slowly the lower it is.
    pub slow_below: Volts,
    /// Never more slowly than this share for either.
    pub least_ease: f64,
    /// A servo that gives more than this share of its stall torque for `load_time` stops the arm.
    pub max_load: f64,
    /// See `max_load`; shorter than the servo's own patience.
    pub load_time: Duration,
    /// More failed reads than this share, over about 200 ticks, stop the arm.
    pub failing_reads: f64,
    /// A joint that is driven on faster than this after a stop...
    pub runaway_speed: RadPerSec,
    /// ... with more than this share of its stall torque...
    pub runaway_drive: f64,
    /// ... for this long is let go.
    pub runaway_time: Duration,
    /// Share of its torque that a joint keeps after it was blocked.
    pub blocked_torque: f64,
    /// Lowest supply.
    pub min_voltage: Volts,
    /// Highest supply.
    pub max_voltage: Volts,
    /// Temperature and voltage must be out of range this many readings in a row.
    pub out_of_range: u8,
    /// An encoder that steps farther than this plus `encoder_speed` times the time has jumped.
    pub encoder_margin: Rad,
    /// Faster than the joint can ever be moved, by hand included.
    pub encoder_speed: RadPerSec,
    /// A joint this far from its goal for `following_time` is blocked; infinite where it may
    /// be, as in a gripper. `None` takes nine tenths of each stopping distance, and infinite
    /// for the gripper.
    pub following_error: Option<JointVec<Rad>>,
    /// See `following_error`.
    pub following_time: Duration,
    /// An arm that stands this long for want of clearance while a plan wants to go on stops.
    pub hemmed_time: Duration,
    /// Slower than this counts as standing.
    pub standing: RadPerSec,
    /// A stop is over this long after the command stands, even when a joint is still measured
    /// to move.
    pub settle: Duration,
    /// A joint measured farther outside its limits than this can't be enabled: its encoder or
    /// its calibration is wrong.
    pub outside_limits: Rad,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        MonitorConfig {
            misses: 3,
            missed_ticks: 3,
            stall: Duration::from_millis(50),
            max_temperature: Celsius(65.0),
            slow_above: Celsius(55.0),
            slow_below: Volts(5.8),
            least_ease: 0.25,
            max_load: 0.75,
            load_time: Duration::from_millis(1200),
            failing_reads: 0.3,
            runaway_speed: RadPerSec(0.5),
            runaway_drive: 0.15,
            runaway_time: Duration::from_millis(100),
            blocked_torque: 0.5,
            min_voltage: Volts(5.5),
            max_voltage: Volts(8.6),
            out_of_range: 3,
            encoder_margin: Rad(0.2),
            encoder_speed: RadPerSec(12.0),
            following_error: None,
            following_time: Duration::from_millis(300),
            hemmed_time: Duration::from_millis(500),
            standing: RadPerSec(0.05),
            settle: Duration::from_millis(1000),
            outside_limits: Rad(0.2),
        }
    }
}

impl CoreConfig {
    /// `model` at `period`, everything else at its default.
    #[must_use]
    pub fn new(model: ArmModel, period: Duration) -> CoreConfig {
        CoreConfig {
            model,
            period,
            lease: Duration::from_millis(35),
            // Three of its heartbeats lost; with a tick to see it, the stop begins within 100 ms.
            hold: Duration::from_millis(90),
            hold_to_run: false,
            first_plan: Duration::from_millis(2000),
            plans: PlanRules::default(),
            monitors: MonitorConfig::default(),
            clearance: Clearance::default(),
            parking: None,
        }
    }

    /// # Errors
    /// When a value is out of range, naming it.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |what, remedy| Err(ConfigError { what, remedy });
        if !(Duration::from_millis(1)..=Duration::from_millis(100)).contains(&self.period) {
            return wrong("the control period", "1 to 100 ms");
        }
        if self.lease < self.period {
            return wrong("the runner's lease", "at least one control period");
        }
        if self.hold < self.period {
            return wrong(
                "the patience with an operator's hold",
                "at least one control period",
            );
        }
        if self.monitors.misses == 0 || self.monitors.missed_ticks == 0 {
            return wrong("a monitor's count", "at least 1");
        }
        let monitors = &self.monitors;
        let positive = [
            self.plans.seam.0,
            self.plans.seam_metres,
            self.plans.reach_metres,
            self.plans.reach_angle.0,
            monitors.encoder_margin.0,
            monitors.encoder_speed.0,
            monitors.standing.0,
        ];
        if !positive.iter().all(|value| *value > 0.0) {
            return wrong("a seam, reach or encoder threshold", "above zero");
        }
        if self.plans.max_lag < self.period {
            return wrong("the lag behind a path", "at least one control period");
        }
        let supply = monitors.min_voltage.0 < monitors.max_voltage.0;
        if !supply {
            return wrong("the supply range", "min_voltage below max_voltage");
        }
        if !(self.plans.limit_slack.0 >= 0.0 && monitors.outside_limits.0 >= 0.0) {
            return wrong("a slack outside the joint limits", "zero or more");
        }
        let following = monitors.following_error.is_none_or(|all| {
            all.len() == self.model.len() && all.iter().all(|error| error.0 > 0.0)
        });
        if !following {
            return wrong("the following errors", "one for each joint, above zero");
        }
        if let Some(parking) = &self.parking {
            if !(parking.speed > 0.0 && parking.speed <= 1.0) {
                return wrong("the parking speed", "a share above 0, at most 1");
            }
            let inside = parking
                .pose
                .iter()
                .zip(self.model.limits())
                .all(|(at, limits)| {
                    at.is_none_or(|at| (limits.lower..=limits.upper).contains(&at))
                });
            if parking.pose.len() != self.model.len() || !inside {
                return wrong(
                    "the park pose",
                    "a position inside its limits for each joint",
                );
            }
            let whole: JointVec<Rad> = parking.pose.iter().copied().flatten().collect();
            let clear = whole.len() < self.model.len()
                || self.clearance.of(&self.model, &whole).least() >= 0.0;
            if !clear {
                return wrong(
                    "the park pose",
                    "one clear of walls, boxes and the arm itself",
                );
            }
        }
        Ok(())
    }
}

/// A value the core can't work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} is out of range: give {remedy} in the cell file")]
pub struct ConfigError {
    what: &'static str,
    remedy: &'static str,
}

impl ConfigError {
    /// Of limits by which no arm can be led.
    pub(crate) fn not_led() -> ConfigError {
        ConfigError {
            what: "a joint's limits",
            remedy: "a range, and a speed and acceleration above zero",
        }
    }
}
