//! From a cell to what the core and the bus are told.

use std::time::Duration;

use super::GuardError;
use crate::bus::bringup::FoundServo;
use crate::bus::{Problem, ServoSettings, Trouble};
use crate::cell::{Arm, Cell};
use crate::control::{Clearance, CoreConfig, MonitorConfig, PlanRules};

/// Servo-side limits stand this far outside ours: a second fence, not the first.
const HEADROOM: f64 = 1.5;

/// A servo that gives no good answer for this long, and at least three times in a row, stops the
/// arm: the stop begins within 20 ms, and so it does for one that is silent because it lost power.
const SILENT: Duration = Duration::from_millis(15);

/// The core's settings for `cell`. Where real-time priority was refused the runner's lease is
/// the longer one: its heartbeat is held up like everybody.
#[must_use]
pub fn core_config(cell: &Cell, arm: &Arm, realtime: bool) -> CoreConfig {
    let control = &cell.control;
    let period = period(cell);
    let ticks = |time: Duration| (time.as_secs_f64() / period.as_secs_f64()).ceil().max(3.0);
    let standard = MonitorConfig::default();
    let hold_up = cell.monitors.hold_up;
    CoreConfig {
        lease: if realtime {
            control.lease
        } else {
            control.lease_without_realtime
        },
        hold_to_run: control.hold_to_run,
        first_plan: control.first_plan,
        plans: PlanRules {
            max_age: control.max_plan_age,
            crossfade: control.crossfade,
            max_lag: control.max_path_lag,
            floor: cell.arm.tool_floor,
            ..PlanRules::default()
        },
        monitors: MonitorConfig {
            misses: ticks(hold_up.unwrap_or(SILENT)) as u8,
            missed_ticks: hold_up.map_or(standard.missed_ticks, |time| ticks(time) as u32),
            stall: hold_up.map_or(standard.stall, |time| time.max(standard.stall)),
            max_temperature: cell.monitors.max_temperature,
            slow_above: cell.monitors.slow_above,
            slow_below: cell.monitors.slow_below,
            max_load: cell.monitors.max_load,
            min_voltage: cell.monitors.min_voltage,
            max_voltage: cell.monitors.max_voltage,
            ..standard
        },
        clearance: Clearance::new(&arm.model, cell.workspace.clone()),
        parking: arm.parking,
        ..CoreConfig::new(arm.model.clone(), period)
    }
}

/// Time between ticks.
#[must_use]
pub fn period(cell: &Cell) -> Duration {
    Duration::from_secs_f64(1.0 / cell.control.rate_hz)
}

/// What each servo is told of its own speed, acceleration and torque limits.
///
/// # Errors
/// When the cell's limits do not fit a servo's registers.
pub fn servo_settings(cell: &Cell, arm: &Arm) -> Result<Vec<ServoSettings>, GuardError> {
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
            ServoSettings::beyond(cell.bus.family, limits, HEADROOM, torque).map_err(|error| {
                GuardError::Configuration(format!("{}: {name}: {error}", cell.file.display()))
            })
        })
        .collect()
}

/// `settings` with the bus watchdog for each servo of `found` whose model and firmware have passed
/// its commissioning test; a servo of a model that is not named goes without. `names` are the
/// joints and their ids.
///
/// # Errors
/// A servo of a model that was tested with another firmware: what it does is not known.
pub fn watched<'a>(
    cell: &Cell,
    names: impl Iterator<Item = (&'a str, u8)>,
    found: &[FoundServo],
    settings: &[ServoSettings],
) -> Result<Vec<ServoSettings>, Problem> {
    let Some(watchdog) = &cell.bus.watchdog else {
        return Ok(settings.to_vec());
    };
    let servos = names.zip(found).zip(settings);
    servos
        .map(|(((name, id), found), settings)| {
            let Some((model, firmware)) = found.tested_as(cell.bus.family) else {
                return Ok(*settings);
            };
            let mut tested = watchdog.tested.iter().filter(|it| it.model == model);
            match tested.clone().next() {
                None => {
                    tracing::warn!(
                        "servo {id} ({name}), {model} with firmware {firmware}, goes without its bus watchdog: `bus.watchdog.tested` does not name it"
                    );
                    Ok(*settings)
                }
                Some(_) if tested.any(|it| it.firmware == firmware) => {
                    Ok(settings.watched(watchdog.units))
                }
                Some(_) => Err(Problem {
                    servo: Some((name.to_owned(), id)),
                    trouble: Trouble::Watchdog { model, firmware },
                }),
            }
        })
        .collect()
}
