//! From a graph's output to a plan.
//!
//! Owns units, frames and times of actions. A plan made here is finite and of the arm's number
//! of joints; whether it may be followed is the guard's to decide.

use std::sync::Arc;

use super::PolicyError;
use super::embodiment::Embodiment;
use super::finding::Findings;
use super::observation::Observation;
use super::package::{ActionLayout, Affine, Package, Timing, Units};
use crate::messages::{MAX_WAYPOINTS, Plan, ToolSetpoint, Waypoints};
use crate::units::{JointVec, Rad};

#[derive(Debug)]
enum Layout {
    /// The column of each joint, in the arm's order.
    Joint { columns: Vec<usize>, units: Units },
    /// The columns of x, y, z, roll and gripper.
    Tool { columns: [usize; 5], tilt: f64 },
}

/// Makes plans of one package's output.
pub struct Decoder {
    layout: Layout,
    width: usize,
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
            ActionLayout::Tool { columns, tilt_rad } => Layout::Tool {
                columns: *columns,
                tilt: *tilt_rad,
            },
            ActionLayout::Joint(order) => Layout::Joint {
                columns: columns(
                    order.as_deref(),
                    package.output.width,
                    arm.as_ref(),
                    findings,
                )?,
                units: package.robot.action_units,
            },
        };
        Some(Decoder {
            layout,
            width: package.output.width,
            denormalise: package.output.denormalise.clone(),
            timing: package.robot.timing,
            arm: Arc::clone(arm),
        })
    }

    /// The plan that `output`, a chunk of actions row by row, asks for after `observation`.
    ///
    /// # Errors
    /// When a number is not finite, or where the tool was commanded to is not known.
    pub fn decode(
        &self,
        output: &[f32],
        observation: &Observation<'_>,
        id: u64,
    ) -> Result<Plan, PolicyError> {
        finite(output, self.width)?;
        let rows = output.chunks_exact(self.width).take(MAX_WAYPOINTS);
        let waypoints = match &self.layout {
            Layout::Joint { columns, units } => {
                let mut points = heapless::Vec::new();
                for (step, row) in rows.enumerate() {
                    let point: JointVec<Rad> = columns
                        .iter()
                        .enumerate()
                        .map(|(joint, column)| {
                            let value = self.value(row, *column);
                            self.arm.angle_of(joint, value, *units)
                        })
                        .collect();
                    if !point.iter().all(|angle| angle.0.is_finite()) {
                        return Err(PolicyError::NotFinite { step });
                    }
                    let _never_full = points.push(point);
                }
                Waypoints::Joint(points)
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
                Waypoints::Tool(points)
            }
        };
        let Timing {
            rate_hz,
            first_step,
        } = self.timing;
        Ok(Plan {
            id,
            captured_at: observation.captured_at,
            start: observation.captured_at.offset_secs(first_step / rate_hz),
            step_ns: (1e9 / rate_hz).round() as u32,
            waypoints,
        })
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
    order: Option<&[String]>,
    width: usize,
    arm: &dyn Embodiment,
    findings: &mut Findings,
) -> Option<Vec<usize>> {
    const PLACE: &str = "manifest.json: hardware.robots[0].action";
    if width != arm.joints().len() {
        findings.error(
            PLACE,
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
                format!("{PLACE}.order"),
                format!("it lacks the arm's joint {joint:?}"),
                format!("name {}", arm.joints().join(", ")),
            );
            return None;
        };
        columns.push(column);
    }
    Some(columns)
}
