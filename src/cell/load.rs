//! From a cell to its arm: the URDF and the calibration it names, checked against each other.

use std::collections::BTreeMap;

use crate::arm::Parking;
use crate::arm::calibration::{Calibration, JointCalibration, JointSpan, SHADOW};
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
    /// Limits that the calibrated ranges take more than a trifle from.
    pub narrowed: Vec<Narrowed>,
}

/// A joint whose calibrated range does not reach its limits.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{joint} is calibrated from {:.3} to {:.3} rad and not to its limits {:.3} to {:.3}: it is kept inside both",
    .calibrated.0.0, .calibrated.1.0, .limits.0.0, .limits.1.0
)]
pub struct Narrowed {
    /// Its name.
    pub joint: String,
    /// The lowest and highest angle its servo was calibrated for.
    pub calibrated: (Rad, Rad),
    /// Its limits without that.
    pub limits: (Rad, Rad),
}

/// A calibrated range may fall short of a limit by this without a word, radians.
const TRIFLE: f64 = 0.01;

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
        let (model, narrowed) = self.narrow(model, &calibration)?;
        self.same_shadows(&calibration)?;
        let parking = self.parking(&model)?;
        Ok(Arm {
            model,
            calibration,
            parking,
            narrowed,
        })
    }

    /// `model` inside of what its servos were calibrated for: a goal beyond is none.
    fn narrow(
        &self,
        model: ArmModel,
        calibration: &Calibration,
    ) -> Result<(ArmModel, Vec<Narrowed>), CellError> {
        let spans: Vec<(Rad, Rad)> = calibration.joints().iter().map(|j| j.span()).collect();
        let limits = model.limits().iter().zip(&spans).zip(model.names());
        let all = limits.map(|((limits, calibrated), joint)| Narrowed {
            joint: joint.clone(),
            calibrated: *calibrated,
            limits: (limits.lower, limits.upper),
        });
        let short = |joint: &Narrowed| {
            joint.calibrated.0.0 > joint.limits.0.0 + TRIFLE
                || joint.calibrated.1.0 < joint.limits.1.0 - TRIFLE
        };
        let narrowed: Vec<Narrowed> = all.filter(short).collect();
        let nothing_left = || {
            let what = narrowed.iter().map(ToString::to_string).collect::<Vec<_>>();
            let what = format!("nothing is left of a joint's range: {}", what.join("; "));
            CellError::new(&self.arm.calibration, what + "; calibrate this arm again")
        };
        let model = model.within(&spans).ok_or_else(nothing_left)?;
        Ok((model, narrowed))
    }

    /// The joints that have limits, in the order of their ids in the calibration file; what is
    /// wrong with that file is told when it is read as a whole.
    fn joints_by_id(&self) -> Result<Vec<String>, CellError> {
        let path = &self.arm.calibration;
        let text = std::fs::read_to_string(path).map_err(|error| {
            CellError::new(
                &self.file,
                format!(
                    "calibration {} can't be read: {error}; an arm that has none gets one from `surehand calibrate {}`",
                    path.display(),
                    self.file.display()
                ),
            )
        })?;
        let entries: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|error| CellError::new(path, error.to_string()))?;
        let id = |name: &String| {
            let entry = entries.get(name)?;
            entry.get("id")?.as_i64()
        };
        if let Some(missing) = entries.keys().find(|name| {
            let joint = name.strip_suffix(SHADOW).unwrap_or(name);
            let limited = |name: &str| self.limits.iter().any(|(joint, _)| joint == name);
            !limited(name) && !limited(joint)
        }) {
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

    /// The second servos of the cell file must be those that were calibrated.
    fn same_shadows(&self, calibration: &Calibration) -> Result<(), CellError> {
        let named = |joint: &str| self.bus.shadows.iter().find(|it| it.joint == joint);
        for shadow in calibration.shadows() {
            let first = calibration.joints().get(shadow.joint());
            let joint = first.map_or("?", JointCalibration::name);
            let (id, mirrored) = (shadow.servo().id(), shadow.mirrored());
            if named(joint).is_none_or(|it| (it.id, it.mirrored) != (id, mirrored)) {
                let what = format!(
                    "the calibration has servo {id} as the second of {joint}: add `{joint} = {{ id = {id}, mirrored = {mirrored} }}` to `bus.shadows`, or calibrate again",
                );
                return Err(CellError::new(&self.file, what));
            }
        }
        let calibrated = |name: &str| {
            let joint = calibration.joints().iter().position(|it| it.name() == name);
            let mut shadows = calibration.shadows().iter();
            joint.is_some_and(|joint| shadows.any(|shadow| shadow.joint() == joint))
        };
        match self.bus.shadows.iter().find(|it| !calibrated(&it.joint)) {
            Some(shadow) => Err(CellError::new(
                &self.file,
                format!(
                    "`bus.shadows.{}` is in no joint's calibration: calibrate this arm again, or take it out",
                    shadow.joint
                ),
            )),
            None => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The shipped cell with `lines` of its calibration replaced.
    fn arm(from: &str, to: &str) -> Result<Arm, CellError> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut cell = Cell::load(&root.join("cells/sim.toml"), &Default::default()).unwrap();
        let text = std::fs::read_to_string(&cell.arm.calibration).unwrap();
        assert!(text.contains(from));
        let folder = tempfile::tempdir().unwrap();
        cell.arm.calibration = folder.path().join("arm.json");
        std::fs::write(&cell.arm.calibration, text.replacen(from, to, 1)).unwrap();
        cell.load_arm()
    }

    #[test]
    fn the_shipped_arm_is_calibrated_to_its_limits() {
        let arm = arm("795", "795").unwrap();
        assert_eq!(arm.narrowed, []);
    }

    #[test]
    fn second_servos_of_cell_and_calibration_must_agree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = root.join("cells/sim-dynamixel.toml");
        let mut cell = Cell::load(&file, &Default::default()).unwrap();
        let second = crate::cell::ShadowSection {
            joint: "shoulder_lift".into(),
            id: 7,
            mirrored: false,
        };
        cell.bus.shadows = vec![second];
        let line = cell.load_arm().unwrap_err().to_string();
        assert!(line.contains("in no joint's calibration"), "{line}");
        let text = std::fs::read_to_string(&cell.arm.calibration).unwrap();
        let entry = "{\n\"shoulder_lift_shadow\": {\"id\": 7, \"drive_mode\": 0, \"homing_offset\": 140, \"range_min\": 909, \"range_max\": 3185},";
        let folder = tempfile::tempdir().unwrap();
        cell.arm.calibration = folder.path().join("arm.json");
        std::fs::write(&cell.arm.calibration, text.replacen('{', entry, 1)).unwrap();
        let arm = cell.load_arm().unwrap();
        assert_eq!(arm.calibration.shadows().len(), 1);
        assert_eq!(arm.model.len(), 6);
        cell.bus.shadows.clear();
        let line = cell.load_arm().unwrap_err().to_string();
        assert!(line.contains("shoulder_lift = { id = 7"), "{line}");
    }

    #[test]
    fn a_joint_is_kept_inside_of_what_its_servo_was_calibrated_for() {
        let (whole, arm) = (arm("795", "795").unwrap(), arm("795", "895").unwrap());
        let limits = |arm: &Arm| arm.model.limits().get(0).unwrap();
        let (lower, upper) = arm.calibration.joints()[0].span();
        assert!(limits(&arm).lower.0 > limits(&whole).lower.0 + 0.05);
        assert_eq!((limits(&arm).lower, limits(&arm).upper), (lower, upper));
        assert_eq!(arm.narrowed.len(), 1);
        let line = arm.narrowed[0].to_string();
        assert!(
            line.starts_with("shoulder_pan is calibrated from -1.84"),
            "{line}"
        );
    }
}
