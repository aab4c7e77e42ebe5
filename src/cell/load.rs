//! From a cell to its arm: the URDF and the calibration it names, checked against each other.

use std::collections::BTreeMap;

use crate::arm::Parking;
use crate::arm::calibration::{Calibration, JointSpan};
use crate::arm::model::{ArmModel, ArmSpec, JointSpec};
use crate::units::{JointVec, Rad};

use super::{Cell, CellError, JobSection};

/// A cell's arm: model, limits and calibration that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// Chain and limits; the joints in the order of their servo ids.
    pub model: ArmModel,
    /// Counts and radians.
    pub calibration: Calibration,
    /// Where it is put away.
    pub parking: Option<Parking>,
}

impl Cell {
    /// Reads URDF and calibration.
    ///
    /// # Errors
    /// One line naming file, joint and remedy.
    pub fn load_arm(&self) -> Result<Arm, CellError> {
        let plain = |error: &dyn std::fmt::Display| CellError::new(&self.file, error.to_string());
        let names = self.joints_by_id()?;
        let spec = |narrowed: bool| ArmSpec {
            joints: names
                .iter()
                .filter_map(|name| {
                    let (_, limits) = self.limits.iter().find(|(joint, _)| joint == name)?;
                    Some(JointSpec {
                        name: name.clone(),
                        velocity: limits.velocity,
                        acceleration: limits.acceleration,
                        jerk: limits.jerk,
                        lower: limits.lower.filter(|_| narrowed),
                        upper: limits.upper.filter(|_| narrowed),
                    })
                })
                .collect(),
            gripper: Some(self.arm.gripper.clone()),
            base_link: self.arm.base.clone(),
            tool_link: self.arm.tip.clone(),
        };
        let whole = ArmModel::load(&self.arm.urdf, &spec(false)).map_err(|e| plain(&e))?;
        let model = ArmModel::load(&self.arm.urdf, &spec(true)).map_err(|e| plain(&e))?;
        let spans: Vec<JointSpan<'_>> = names
            .iter()
            .zip(whole.limits())
            .map(|(name, limits)| JointSpan {
                name,
                lower: limits.lower,
                upper: limits.upper,
            })
            .collect();
        let calibration =
            Calibration::load(&self.arm.calibration, &spans).map_err(|e| plain(&e))?;
        let parking = self.parking(&model)?;
        Ok(Arm {
            model,
            calibration,
            parking,
        })
    }

    /// The joints that have limits, in the order of their ids in the calibration file; what is
    /// wrong with that file is told when it is read as a whole.
    fn joints_by_id(&self) -> Result<Vec<String>, CellError> {
        let path = &self.arm.calibration;
        let text = std::fs::read_to_string(path).map_err(|error| {
            CellError::new(
                &self.file,
                format!("calibration {} can't be read: {error}", path.display()),
            )
        })?;
        let entries: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|error| CellError::new(path, error.to_string()))?;
        let id = |name: &String| {
            let entry = entries.get(name)?;
            entry.get("id")?.as_i64()
        };
        if let Some(missing) = entries
            .keys()
            .find(|name| !self.limits.iter().any(|(joint, _)| joint == *name))
        {
            return Err(CellError::new(
                &self.file,
                format!(
                    "joint {missing} of {} has no limits; add `{missing} = {{ velocity = …, acceleration = … }}` under [limits]",
                    path.display()
                ),
            ));
        }
        let mut names: Vec<String> = self.limits.iter().map(|(name, _)| name.clone()).collect();
        names.sort_by_key(|name| id(name).unwrap_or(i64::MAX));
        Ok(names)
    }

    /// The start pose of `job` in the arm's joint order.
    ///
    /// # Errors
    /// When a joint is missing, unknown, or outside its limits.
    pub fn start_pose(&self, job: &JobSection, arm: &Arm) -> Result<JointVec<Rad>, CellError> {
        let key = format!("jobs.{}.start", job.name);
        let pose = self.pose(&key, &job.start, &arm.model)?;
        let missing = |name: &String| {
            let what = format!("`{key}.{name}` is missing: give every joint a start");
            CellError::new(&self.file, what)
        };
        (pose.iter().zip(arm.model.names()))
            .map(|(angle, name)| angle.ok_or_else(|| missing(name)))
            .collect()
    }

    /// Where the arm is put away, in its joint order; `None` when the cell has no such place.
    fn parking(&self, model: &ArmModel) -> Result<Option<Parking>, CellError> {
        let section = self.parking.as_ref();
        let parking = section.map(|section| {
            Ok(Parking {
                pose: self.pose("parking.pose", &section.pose, model)?,
                speed: section.speed,
                at_exit: section.at_exit,
                when_hot: section.when_hot,
            })
        });
        parking.transpose()
    }

    /// The angles named under `key`, in the arm's joint order.
    fn pose(
        &self,
        key: &str,
        angles: &[(String, Rad)],
        model: &ArmModel,
    ) -> Result<JointVec<Option<Rad>>, CellError> {
        let names = model.names();
        if let Some((unknown, _)) = angles.iter().find(|(name, _)| !names.contains(name)) {
            return Err(CellError::new(
                &self.file,
                format!(
                    "`{key}.{unknown}`: the arm has no such joint; its joints are {}",
                    names.join(", ")
                ),
            ));
        }
        (names.iter().zip(model.limits()))
            .map(|(name, limits)| {
                let angle = angles.iter().find(|(joint, _)| joint == name);
                match angle {
                    Some((_, angle)) if !(limits.lower..=limits.upper).contains(angle) => {
                        Err(CellError::new(
                            &self.file,
                            format!(
                                "`{key}.{name}` is {}, outside the joint's limits {:.3} to {:.3}",
                                angle.0, limits.lower.0, limits.upper.0
                            ),
                        ))
                    }
                    found => Ok(found.map(|(_, angle)| *angle)),
                }
            })
            .collect()
    }
}
