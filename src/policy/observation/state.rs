//! Values of the robot, bound to the arm's joints.

use super::Observation;
use crate::policy::PolicyError;
use crate::policy::embodiment::{Embodiment, index_of};
use crate::policy::finding::Findings;
use crate::policy::package::{Axis, Input, Package, Source, StateEntry, Units};
use crate::units::Rad;

/// One value, bound to the arm's joints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Position(usize),
    Lag(usize),
    Velocity(usize),
    Tool(Axis),
    LastAction(usize),
    Nothing,
}

/// What `input` shows of the robot, and in which units; `None` after an error.
pub(super) fn values(
    package: &Package,
    input: &Input,
    arm: &dyn Embodiment,
    findings: &mut Findings,
) -> Option<(Vec<Value>, Units)> {
    let robot = &package.robot;
    match &input.source {
        Source::Values {
            entries,
            units,
            place,
        } => Some((bound(entries, place, arm, findings)?, *units)),
        _ => {
            let place = &robot.places.state;
            let width = input.shape.last().copied().unwrap_or(0);
            let values = match &robot.state {
                Some(entries) => bound(entries, &format!("{place}.order"), arm, findings)?,
                None if width == arm.joints().len() => (0..width).map(Value::Position).collect(),
                None => {
                    let joints = arm.joints().len();
                    findings.error(
                        place.clone(),
                        format!("it has {width} values, the arm {joints} joints"),
                        "name the values with order",
                    );
                    return None;
                }
            };
            Some((values, robot.state_units))
        }
    }
}

fn bound(
    entries: &[StateEntry],
    place: &str,
    arm: &dyn Embodiment,
    findings: &mut Findings,
) -> Option<Vec<Value>> {
    let tool = |entry: &StateEntry| matches!(entry, StateEntry::Tool(_));
    if arm.arms().len() > 1 && entries.iter().any(tool) {
        findings.error(
            place,
            "it has the place of a tool, and several arms have no one tool",
            "use a policy whose state is of joints alone",
        );
        return None;
    }
    let mut find = |joint: &String| {
        let index = index_of(arm, joint);
        if index.is_none() {
            findings.error(
                place,
                format!("{joint:?} is no joint of the arm"),
                format!("its joints are {}", arm.joints().join(", ")),
            );
        }
        index
    };
    let values: Vec<Option<Value>> = entries
        .iter()
        .map(|entry| match entry {
            StateEntry::Position(joint) => find(joint).map(Value::Position),
            StateEntry::Lag(joint) => find(joint).map(Value::Lag),
            StateEntry::Velocity(joint) => find(joint).map(Value::Velocity),
            StateEntry::Tool(axis) => Some(Value::Tool(*axis)),
            StateEntry::LastAction(column) => Some(Value::LastAction(*column)),
            StateEntry::Nothing => Some(Value::Nothing),
        })
        .collect();
    values.into_iter().collect()
}

/// One value now; `action` is what the graph gave before.
///
/// # Errors
/// When a joint is missing, or the tool's place can't be told.
pub(super) fn now(
    value: Value,
    observation: &Observation<'_>,
    arm: &dyn Embodiment,
    units: Units,
    action: &[f32],
) -> Result<f64, PolicyError> {
    let angle = |joints: &[Rad], index: usize| {
        joints
            .get(index)
            .map(|angle| arm.value_of(index, *angle, units))
            .ok_or(PolicyError::Joint { index })
    };
    match value {
        Value::Position(index) => angle(&observation.measured, index),
        Value::Lag(index) => {
            Ok(angle(&observation.command, index)? - angle(&observation.measured, index)?)
        }
        Value::Velocity(index) => observation
            .velocity
            .get(index)
            .map(|speed| speed.0)
            .ok_or(PolicyError::Joint { index }),
        Value::Tool(axis) => arm
            .tool_of(&observation.measured)
            .and_then(|tool| tool.position.get(axis.index()).copied())
            .ok_or(PolicyError::Tool),
        Value::LastAction(column) => Ok(action.get(column).map_or(0.0, |value| f64::from(*value))),
        Value::Nothing => Ok(0.0),
    }
}
