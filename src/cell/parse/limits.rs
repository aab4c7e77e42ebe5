//! What a cell says of the limits: motion, monitors, and the space around the arm.

use serde::Deserialize;
use toml::Spanned;

use super::{Source, Table};
use crate::arm::{Block, MAX_BOXES, MAX_PLANES, Plane, Space};
use crate::cell::{CellError, MonitorSection, MotionLimits};
use crate::units::{Celsius, Rad, RadPerSec, RadPerSec2, RadPerSec3, Volts};

/// Where a cell gives no jerk limit: full acceleration is reached in this time, seconds.
const FULL_ACCELERATION_IN: f64 = 0.02;
/// Where a cell does not say from where on the arm slows down: this far before it stops.
const SLOW_CELSIUS: f64 = 10.0;
const SLOW_VOLTS: f64 = 0.3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    velocity: Spanned<f64>,
    acceleration: Spanned<f64>,
    /// See [`FULL_ACCELERATION_IN`].
    jerk: Option<Spanned<f64>>,
    torque: Option<Spanned<f64>>,
    lower: Option<Spanned<f64>>,
    upper: Option<Spanned<f64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMonitors {
    max_temperature_c: Option<Spanned<f64>>,
    slow_above_c: Option<Spanned<f64>>,
    slow_below_v: Option<Spanned<f64>>,
    max_load: Option<Spanned<f64>>,
    min_voltage_v: Option<Spanned<f64>>,
    max_voltage_v: Option<Spanned<f64>>,
    hold_up_ms: Option<Spanned<f64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorkspace {
    walls: Option<Spanned<RawBlock>>,
    #[serde(default)]
    planes: Vec<Spanned<RawPlane>>,
    #[serde(default)]
    keep_out: Vec<Spanned<RawBlock>>,
    link_radius_m: Option<Spanned<f64>>,
    margin_m: Option<Spanned<f64>>,
    slow_zone_m: Option<Spanned<f64>>,
    tool_speed_mm_s: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlane {
    point: [f64; 3],
    normal: [f64; 3],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBlock {
    min: [f64; 3],
    max: [f64; 3],
}

pub(super) fn limits(
    source: &Source<'_>,
    raw: Table<RawLimits>,
) -> Result<Vec<(String, MotionLimits)>, CellError> {
    raw.into_iter()
        .map(|(joint, raw)| {
            let key = |what: &str| format!("limits.{joint}.{what}");
            let bound = |what: &str, value: Option<&Spanned<f64>>| {
                value
                    .map(|value| source.number(&key(what), value, -10.0..=10.0).map(Rad))
                    .transpose()
            };
            let torque = raw.torque.as_ref();
            let acceleration =
                source.number(&key("acceleration"), &raw.acceleration, 0.1..=500.0)?;
            let jerk = source.optional(
                &key("jerk"),
                raw.jerk.as_ref(),
                acceleration / FULL_ACCELERATION_IN,
                1.0..=1e6,
            )?;
            let limits = MotionLimits {
                velocity: RadPerSec(source.number(&key("velocity"), &raw.velocity, 0.01..=20.0)?),
                acceleration: RadPerSec2(acceleration),
                jerk: RadPerSec3(jerk),
                torque: source.optional(&key("torque"), torque, 1.0, 0.01..=1.0)?,
                lower: bound("lower", raw.lower.as_ref())?,
                upper: bound("upper", raw.upper.as_ref())?,
            };
            Ok((joint, limits))
        })
        .collect()
}

pub(super) fn monitors(
    source: &Source<'_>,
    raw: &RawMonitors,
) -> Result<MonitorSection, CellError> {
    let temperature = raw.max_temperature_c.as_ref();
    let hottest = source.optional("max_temperature_c", temperature, 65.0, 30.0..=90.0)?;
    let lowest = raw.min_voltage_v.as_ref();
    let lowest = source.optional("min_voltage_v", lowest, 6.0, 3.0..=30.0)?;
    let slow_above = raw.slow_above_c.as_ref();
    let slow_below = raw.slow_below_v.as_ref();
    let section = MonitorSection {
        max_temperature: Celsius(hottest),
        slow_above: Celsius(source.optional(
            "slow_above_c",
            slow_above,
            hottest - SLOW_CELSIUS,
            0.0..=hottest,
        )?),
        slow_below: Volts(source.optional(
            "slow_below_v",
            slow_below,
            lowest + SLOW_VOLTS,
            lowest..=30.0,
        )?),
        max_load: source.optional("max_load", raw.max_load.as_ref(), 0.75, 0.05..=1.0)?,
        min_voltage: Volts(lowest),
        max_voltage: Volts(source.optional(
            "max_voltage_v",
            raw.max_voltage_v.as_ref(),
            8.6,
            3.0..=30.0,
        )?),
        hold_up: raw
            .hold_up_ms
            .as_ref()
            .map(|value| source.millis("hold_up_ms", Some(value), 30.0, 15.0..=250.0))
            .transpose()?,
    };
    if section.min_voltage >= section.max_voltage {
        let span = raw.min_voltage_v.as_ref().map_or(0..0, Spanned::span);
        return Err(source.at(span, "`min_voltage_v` must be below `max_voltage_v`"));
    }
    Ok(section)
}

pub(super) fn workspace(source: &Source<'_>, raw: &RawWorkspace) -> Result<Space, CellError> {
    let block = |key: &str, raw: &Spanned<RawBlock>| {
        let RawBlock { min, max } = raw.get_ref();
        let ordered = min.iter().zip(max).all(|(min, max)| min < max);
        if !ordered {
            let what = format!("`workspace.{key}` must have each number of `min` below its `max`");
            return Err(source.at(raw.span(), what));
        }
        Ok(Block {
            min: *min,
            max: *max,
        })
    };
    let mut planes = heapless::Vec::new();
    for raw in &raw.planes {
        planes.push(plane(source, raw)?).map_err(|_| {
            let what = format!("`workspace.planes` has more than {MAX_PLANES} planes");
            source.at(raw.span(), what)
        })?;
    }
    let mut keep_out = heapless::Vec::new();
    for raw in &raw.keep_out {
        keep_out.push(block("keep_out", raw)?).map_err(|_| {
            let what = format!("`workspace.keep_out` has more than {MAX_BOXES} boxes");
            source.at(raw.span(), what)
        })?;
    }
    let radius = raw.link_radius_m.as_ref();
    Ok(Space {
        walls: raw
            .walls
            .as_ref()
            .map(|raw| block("walls", raw))
            .transpose()?,
        planes,
        keep_out,
        link_radius: radius
            .map(|value| source.number("workspace.link_radius_m", value, 0.001..=0.3))
            .transpose()?,
        margin: source.optional(
            "workspace.margin_m",
            raw.margin_m.as_ref(),
            0.005,
            0.0..=0.2,
        )?,
        slow_zone: source.optional(
            "workspace.slow_zone_m",
            raw.slow_zone_m.as_ref(),
            0.03,
            0.0..=0.2,
        )?,
        tool_speed: raw
            .tool_speed_mm_s
            .as_ref()
            .map(|value| source.number("workspace.tool_speed_mm_s", value, 10.0..=10_000.0))
            .transpose()?
            .map(|mm| mm * 1e-3),
    })
}

/// A plane whose normal is given in any length but none.
fn plane(source: &Source<'_>, raw: &Spanned<RawPlane>) -> Result<Plane, CellError> {
    let RawPlane { point, normal } = raw.get_ref();
    let length = normal.iter().map(|side| side * side).sum::<f64>().sqrt();
    let there = point.iter().all(|at| at.is_finite());
    if !(there && length.is_finite() && length > 1e-6) {
        let what = "`workspace.planes` must have finite numbers, and a `normal` that is not zero";
        return Err(source.at(raw.span(), what));
    }
    Ok(Plane {
        point: *point,
        normal: normal.map(|side| side / length),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parsed(text: &str) -> Result<Space, CellError> {
        let source = Source {
            file: Path::new("x.toml"),
            text,
        };
        workspace(&source, &toml::from_str(text).unwrap())
    }

    #[test]
    fn planes_slow_zone_and_tool_speed_are_read() {
        let space = parsed(
            "planes = [{ point = [0.0, 0.0, -0.01], normal = [0.0, 0.0, 5.0] }]\n\
             slow_zone_m = 0.05\ntool_speed_mm_s = 250",
        );
        let space = space.unwrap();
        assert_eq!(space.planes[0].normal, [0.0, 0.0, 1.0]);
        assert_eq!((space.slow_zone, space.tool_speed), (0.05, Some(0.25)));
        let space = parsed("").unwrap();
        assert_eq!((space.slow_zone, space.tool_speed), (0.03, None));
    }

    #[test]
    fn a_plane_without_a_direction_and_one_too_many_are_refused() {
        let flat = parsed("planes = [{ point = [0, 0, 0], normal = [0, 0, 0] }]").unwrap_err();
        assert!(flat.to_string().contains("`normal`"), "{flat}");
        let plane = "{ point = [0, 0, 0], normal = [0, 0, 1] }";
        let many = parsed(&format!("planes = [{}]", [plane; 9].join(", "))).unwrap_err();
        assert!(many.to_string().contains("more than 8"), "{many}");
        let slow = parsed("tool_speed_mm_s = 1").unwrap_err();
        assert!(slow.to_string().contains("10 to 10000"), "{slow}");
    }
}
