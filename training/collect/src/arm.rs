//! The arm of a cell as collected demonstrations see it.
//!
//! Owns loading it from the same cell file the controller reads, so that demonstrations are
//! made under the limits, gains and torque the policy will run under.

use std::path::Path;
use std::time::Duration;

use surehand::arm::Convention;
use surehand::bus::ServoSettings;
use surehand::cell::{Arm, Cell, Overrides};
use surehand::control::ik::tool_of;
use surehand::control::{CoreConfig, MonitorConfig, PlanRules};
use surehand::messages::ToolSetpoint;
use surehand::policy::Embodiment;
use surehand::policy::package::Units;
use surehand::units::{JointVec, Rad};

pub(crate) fn core_config(cell: &Cell, arm: &Arm) -> CoreConfig {
    let control = &cell.control;
    let period = Duration::from_secs_f64(1.0 / cell.control.rate_hz);
    CoreConfig {
        lease: control.lease,
        first_plan: control.first_plan,
        plans: PlanRules {
            max_age: control.max_plan_age,
            crossfade: control.crossfade,
            ..PlanRules::default()
        },
        monitors: MonitorConfig {
            max_temperature: cell.monitors.max_temperature,
            min_voltage: cell.monitors.min_voltage,
            max_voltage: cell.monitors.max_voltage,
            ..MonitorConfig::default()
        },
        ..CoreConfig::new(arm.model.clone(), period)
    }
}

const HEADROOM: f64 = 1.5;

pub(crate) fn servo_settings(cell: &Cell, arm: &Arm) -> Vec<ServoSettings> {
    arm.model
        .names()
        .iter()
        .zip(arm.model.limits())
        .map(|(name, limits)| {
            let torque = cell
                .limits
                .iter()
                .find(|(joint, _)| joint == name)
                .map_or(1.0, |(_, limits)| limits.torque);
            ServoSettings::beyond(limits, HEADROOM, torque).unwrap()
        })
        .collect()
}

/// An arm that answers a policy's questions.
#[derive(Debug, Clone)]
pub(crate) struct PolicyArm(pub(crate) Arm);

impl Embodiment for PolicyArm {
    fn joints(&self) -> &[String] {
        self.0.model.names()
    }

    fn tool_of(&self, joints: &JointVec<Rad>) -> Option<ToolSetpoint> {
        (joints.len() == self.0.model.len()).then(|| tool_of(&self.0.model, joints))
    }

    fn to_units(&self, _: usize, angle: Rad, _: Units) -> f64 {
        angle.0
    }

    fn from_units(&self, _: usize, value: f64, _: Units) -> Rad {
        Rad(value)
    }
}
