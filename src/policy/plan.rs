//! From a graph's output to a plan.
//!
//! Owns units, frames and times of actions, and whose part of an action is which arm's. A plan made
//! here is finite and of its arm's number of joints; whether it may be followed is the guard's to
//! decide.

use std::sync::Arc;

use super::PolicyError;
use super::embodiment::{Embodiment, grippers};
use super::finding::Findings;
use super::observation::Observation;
use super::package::{ActionLayout, Affine, JointAction, Package, Timing, UNUSED, Units};
use crate::messages::{MAX_WAYPOINTS, Plan, ToolSetpoint, Waypoints};
use crate::units::{JointVec, MonoTime, Rad};

#[derive(Debug)]
enum Layout {
    /// The column of each joint, in the arm's order.
    Joint {
        columns: Vec<usize>,
        /// Whether it is a gripper, likewise.
        grippers: Vec<bool>,
        units: Units,
        /// Of the grippers.
        gripper_units: Units,
        meaning: JointAction,
    },
    /// The columns of x, y, z, roll and gripper.
    Tool { columns: [usize; 5], tilt: f64 },
}

/// Makes plans of one package's output.
pub struct Decoder {
    layout: Layout,
    width: usize,
    /// How many waypoints a chunk becomes.
    waypoints: usize,
    denormalise: Affine,
    timing: Timing,
    arm: Arc<dyn Embodiment>,
}

impl Decoder {
    /// A decoder for `package` on this arm; `None` after an error.
    pub fn new(
        package: &Package,
        arm: &Arc<dyn Embodiment>,
        findings: &mut Findings,
    ) -> Option<Decoder> {
        let layout = match &package.robot.action {
            ActionLayout::Tool { .. } if arm.arms().len() > 1 => {
                findings.error(
                    package.robot.places.action.clone(),
                    "it moves one tool, and several arms have no one tool",
                    "use a policy whose actions are joint positions",
                );
                return None;
            }
            ActionLayout::Tool { columns, tilt_rad } => Layout::Tool {
                columns: *columns,
                tilt: *tilt_rad,
            },
            ActionLayout::Joint { order, meaning } => Layout::Joint {
                columns: columns(package, order.as_deref(), arm.as_ref(), findings)?,
                grippers: grippers(arm.as_ref()),
                units: package.robot.action_units,
                gripper_units: package.robot.gripper_units,
                meaning: *meaning,
            },
        };
        Some(Decoder {
            layout,
            width: package.output.width,
            waypoints: package.waypoints(),
            denormalise: package.output.denormalise.clone(),
            timing: package.robot.timing,
            arm: Arc::clone(arm),
        })
    }

    /// The plans, one an arm, that `output`, a chunk of actions row by row, asks for after
    /// `observation`.
    ///
    /// # Errors
    /// When a number is not finite, or where the tool was commanded to is not known.
    pub fn decode(
        &self,
        output: &[f32],
        observation: &Observation<'_>,
        id: u64,
    ) -> Result<Vec<Plan>, PolicyError> {
        finite(output, self.width)?;
        // A single action is repeated.
        let rows = output.chunks_exact(self.width).cycle();
        let rows = rows.take(self.waypoints.min(MAX_WAYPOINTS));
        let each = match &self.layout {
            Layout::Joint {
                columns,
                grippers,
                units,
                gripper_units,
                meaning,
            } => {
                let arms = self.arm.arms();
                let mut each = vec![heapless::Vec::new(); arms.len()];
                let base = |joint: usize| {
                    let command = observation.command.get(joint);
                    command.map_or(f64::NAN, |angle| self.arm.value_of(joint, *angle, *units))
                };
                let mut turned: Vec<f64> = (0..columns.len()).map(base).collect();
                for (step, row) in rows.enumerate() {
                    let joints = columns.iter().zip(grippers).zip(&mut turned).enumerate();
                    let angles = joints.map(|(joint, ((column, gripper), turned))| {
                        let value = self.value(row, *column);
                        match meaning {
                            _ if *gripper => self.arm.angle_of(joint, value, *gripper_units),
                            JointAction::Position => self.arm.angle_of(joint, value, *units),
                            JointAction::Offset => {
                                self.arm.angle_of(joint, *turned + value, *units)
                            }
                            JointAction::Velocity => {
                                *turned += value / self.timing.rate_hz;
                                self.arm.angle_of(joint, *turned, *units)
                            }
                        }
                    });
                    let angles: Vec<Rad> = angles.collect();
                    if !angles.iter().all(|angle| angle.0.is_finite()) {
                        return Err(PolicyError::NotFinite { step });
                    }
                    let mut angles = angles.into_iter();
                    for (points, joints) in each.iter_mut().zip(&arms) {
                        let point: JointVec<Rad> = angles.by_ref().take(*joints).collect();
                        let _never_full = points.push(point);
                    }
                }
                each.into_iter().map(Waypoints::Joint).collect()
            }
            Layout::Tool { columns, tilt } => {
                let base = self
                    .arm
                    .tool_of(&observation.command)
                    .ok_or(PolicyError::Tool)?;
                let mut points = heapless::Vec::new();
                for (step, row) in rows.enumerate() {
                    let point = self.tool_point(row, *columns, *tilt, &base);
                    let numbers = [point.roll, point.gripper];
                    if !point.position.iter().chain(&numbers).all(|n| n.is_finite()) {
                        return Err(PolicyError::NotFinite { step });
                    }
                    let _never_full = points.push(point);
                }
                vec![Waypoints::Tool(points)]
            }
        };
        let (start, step_ns) = self.due(observation.captured_at);
        let plan = |waypoints| Plan {
            id,
            captured_at: observation.captured_at,
            start,
            step_ns,
            waypoints,
        };
        Ok(each.into_iter().map(plan).collect())
    }

    /// When action 0 is due, and the time between two, nanoseconds.
    pub fn due(&self, captured_at: MonoTime) -> (MonoTime, u32) {
        let Timing {
            rate_hz,
            first_step,
        } = self.timing;
        let start = captured_at.offset_secs(first_step / rate_hz);
        (start, (1e9 / rate_hz).round() as u32)
    }

    /// The actions, row by row, that the graph would have to put out after `observation` for the
    /// waypoints of `plans`, one an arm, as far as all of them go; none for plans of another kind, or
    /// where the tool is not known.
    pub fn encode(&self, plans: &[Plan], observation: &Observation<'_>) -> Vec<f32> {
        let mut rows = Vec::new();
        let mut row = vec![0.0; self.width];
        let mut put = |values: &mut dyn Iterator<Item = (usize, f64)>| {
            row.fill(0.0);
            for (column, value) in values {
                if let Some(slot) = row.get_mut(column) {
                    *slot = self.denormalise.undo(column, value) as f32;
                }
            }
            rows.extend_from_slice(&row);
        };
        match (&self.layout, plans) {
            (
                Layout::Joint {
                    columns,
                    grippers,
                    units,
                    gripper_units,
                    meaning,
                },
                plans,
            ) => {
                let value_of = |joint, angle| self.arm.value_of(joint, angle, *units);
                // What an action is counted from, which for a velocity is the one before.
                let mut from = observation.command.clone();
                for angles in steps(plans) {
                    let joints = angles.iter().zip(columns).zip(grippers).zip(&from);
                    let values = joints.enumerate();
                    put(
                        &mut values.map(|(joint, (((angle, column), gripper), from))| {
                            let way = || value_of(joint, *angle) - value_of(joint, *from);
                            let value = match meaning {
                                _ if *gripper => self.arm.value_of(joint, *angle, *gripper_units),
                                JointAction::Position => value_of(joint, *angle),
                                JointAction::Offset => way(),
                                JointAction::Velocity => way() * self.timing.rate_hz,
                            };
                            (*column, value)
                        }),
                    );
                    if *meaning == JointAction::Velocity {
                        from = angles;
                    }
                }
            }
            (
                Layout::Tool { columns, .. },
                [
                    Plan {
                        waypoints: Waypoints::Tool(points),
                        ..
                    },
                ],
            ) => {
                let Some(base) = self.arm.tool_of(&observation.command) else {
                    return rows;
                };
                for point in points {
                    let [x, y, z] = point.position;
                    let [base_x, base_y, base_z] = base.position;
                    let (sine, cosine) = (point.roll - base.roll).sin_cos();
                    let roll = sine.atan2(cosine);
                    let values = [x - base_x, y - base_y, z - base_z, roll, point.gripper];
                    put(&mut columns.iter().copied().zip(values));
                }
            }
            (Layout::Tool { .. }, _) => {}
        }
        rows
    }

    fn tool_point(
        &self,
        row: &[f32],
        columns: [usize; 5],
        tilt: f64,
        base: &ToolSetpoint,
    ) -> ToolSetpoint {
        let [x, y, z, roll, gripper] = columns.map(|column| self.value(row, column));
        let [base_x, base_y, base_z] = base.position;
        ToolSetpoint {
            position: [base_x + x, base_y + y, base_z + z],
            tilt,
            roll: base.roll + roll,
            gripper,
        }
    }

    fn value(&self, row: &[f32], column: usize) -> f64 {
        // A column beyond the row can't be: its index was checked when the decoder was made.
        let raw = row.get(column).copied().unwrap_or(f32::NAN);
        self.denormalise.apply(column, f64::from(raw))
    }
}

/// The angles of all arms' joints, one after the other, at each step that all of `plans` have.
fn steps(plans: &[Plan]) -> Vec<Vec<Rad>> {
    let points = |plan: &Plan| match &plan.waypoints {
        Waypoints::Joint(points) => points.len(),
        Waypoints::Tool(_) | Waypoints::Pose(_) => 0,
    };
    let length = plans.iter().map(points).min().unwrap_or(0);
    let at = |step: usize| {
        let each = plans.iter().filter_map(|plan| match &plan.waypoints {
            Waypoints::Joint(points) => points.get(step),
            Waypoints::Tool(_) | Waypoints::Pose(_) => None,
        });
        each.flat_map(|point| point.as_slice().iter().copied())
            .collect()
    };
    (0..length).map(at).collect()
}

/// Checks a chunk of actions of `width` values.
///
/// # Errors
/// Names the first action with a number that is not finite.
pub(super) fn finite(output: &[f32], width: usize) -> Result<(), PolicyError> {
    match output.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(PolicyError::NotFinite {
            step: index / width.max(1),
        }),
    }
}

/// The column of each of the arm's joints.
fn columns(
    package: &Package,
    order: Option<&[String]>,
    arm: &dyn Embodiment,
    findings: &mut Findings,
) -> Option<Vec<usize>> {
    let place = &package.robot.places.action;
    let unused = order
        .into_iter()
        .flatten()
        .filter(|name| *name == UNUSED)
        .count();
    let width = package.output.width - unused;
    if width != arm.joints().len() {
        findings.error(
            place.clone(),
            format!(
                "it has {width} values, the arm {} joints",
                arm.joints().len()
            ),
            "use a policy that was trained on this arm",
        );
        return None;
    }
    let Some(order) = order else {
        return Some((0..width).collect());
    };
    let mut columns = Vec::new();
    for joint in arm.joints() {
        let Some(column) = order.iter().position(|name| name == joint) else {
            findings.error(
                format!("{place}.order"),
                format!("it lacks the arm's joint {joint:?}"),
                format!("name {}", arm.joints().join(", ")),
            );
            return None;
        };
        columns.push(column);
    }
    Some(columns)
}
