//! Which servo belongs where: an arm's joints in order, their ids and their limits, before there is
//! any calibration. Reads the URDF and never a servo.

use std::path::Path;

use crate::arm::SHADOW;
use crate::cell::Cell;

/// Limits this far apart leave too little of a turn to tell its ends by: such a joint counts as
/// one that turns all the way round, radians.
const FULL_TURN: f64 = 300.0 / 360.0 * std::f64::consts::TAU;

/// One joint of an arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmJoint {
    /// Its name.
    pub name: String,
    /// The id its servo has or gets.
    pub id: u8,
    /// The URDF's limits, radians; `None` where only names were given.
    pub limits: Option<(f64, f64)>,
    /// What it is to another servo on its joint.
    pub part: Part,
}

/// Which of a joint's servos one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// The first, or the only one.
    #[default]
    First,
    /// One that obeys what the first is told, and goes by a name of its own.
    Second {
        /// The first one's id.
        first: u8,
        /// Whether it is mounted the other way round.
        mirrored: bool,
    },
}

/// Why the joints can't be told.
#[derive(Debug, thiserror::Error)]
pub enum JointsError {
    /// The URDF can't be read.
    #[error("{file}: {what}: correct `arm.urdf` in the cell file")]
    Urdf {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A joint with limits in the cell that the URDF has not.
    #[error(
        "{file} has no revolute joint `{joint}`: correct its name under [limits] in the cell file"
    )]
    NoJoint {
        /// The URDF.
        file: String,
        /// The joint.
        joint: String,
    },
    /// A second servo on a joint that the arm has not.
    #[error("`bus.shadows.{joint}`: the arm has no joint {joint}; correct its name")]
    NoFirst {
        /// The joint.
        joint: String,
    },
}

impl ArmJoint {
    /// Whether it turns (nearly) all the way round, so that its ends tell nothing.
    #[must_use]
    pub fn full_turn(&self) -> bool {
        self.limits
            .is_some_and(|(lower, upper)| upper - lower > FULL_TURN)
    }
}

/// The joints of a cell's arm in the order of their ids: those in its calibration file, and where
/// that has none (yet), 1, 2, 3 … from the base outwards. After each its second servo, where the
/// cell has one: what is written to the first reaches that as well, and is set right after it.
///
/// # Errors
/// When the URDF can't be read or lacks a joint, or the cell has a second servo on none.
pub fn arm_joints(cell: &Cell) -> Result<Vec<ArmJoint>, JointsError> {
    let text = std::fs::read_to_string(&cell.arm.urdf).map_err(|error| JointsError::Urdf {
        file: cell.arm.urdf.display().to_string(),
        what: error.to_string(),
    })?;
    let names: Vec<&str> = cell.limits.iter().map(|(name, _)| name.as_str()).collect();
    let ordered = outwards(&text, &cell.arm.urdf, &names, &cell.arm.gripper)?;
    let known = ids_in(&cell.arm.calibration);
    let shadows = &cell.bus.shadows;
    let mut joints: Vec<ArmJoint> = (1..=u8::MAX)
        .filter(|id| !shadows.iter().any(|shadow| shadow.id == *id))
        .zip(ordered)
        .map(|(place, (name, limits))| ArmJoint {
            id: known
                .iter()
                .find(|(joint, _)| *joint == name)
                .map_or(place, |(_, id)| *id),
            name,
            limits: Some(limits),
            part: Part::First,
        })
        .collect();
    joints.sort_by_key(|joint| joint.id);
    for shadow in shadows {
        let at = joints.iter().position(|joint| joint.name == shadow.joint);
        let Some((at, first)) = at.and_then(|at| Some((at, joints.get(at)?))) else {
            return Err(JointsError::NoFirst {
                joint: shadow.joint.clone(),
            });
        };
        let second = ArmJoint {
            name: format!("{}{SHADOW}", shadow.joint),
            id: shadow.id,
            limits: first.limits,
            part: Part::Second {
                first: first.id,
                mirrored: shadow.mirrored,
            },
        };
        joints.insert(at + 1, second);
    }
    Ok(joints)
}

/// Joints in a calibration file with their ids; none where there is no such file.
fn ids_in(calibration: &Path) -> Vec<(String, u8)> {
    let text = std::fs::read_to_string(calibration).unwrap_or_default();
    let entries: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).unwrap_or_default();
    let id = |entry: &serde_json::Value| u8::try_from(entry.get("id")?.as_u64()?).ok();
    entries
        .iter()
        .filter_map(|(name, entry)| Some((name.clone(), id(entry)?)))
        .collect()
}

/// A joint's name and limits.
type Limited = (String, (f64, f64));

/// The joints of `names` from the base outwards, the gripper last, with their limits.
fn outwards(
    text: &str,
    file: &Path,
    names: &[&str],
    gripper: &str,
) -> Result<Vec<Limited>, JointsError> {
    let robot = urdf_rs::read_from_string(text).map_err(|error| JointsError::Urdf {
        file: file.display().to_string(),
        what: error.to_string().replace('\n', " "),
    })?;
    let mut found = Vec::new();
    for name in names {
        let joint = robot
            .joints
            .iter()
            .find(|joint| joint.name == *name && joint.joint_type == urdf_rs::JointType::Revolute);
        let Some(joint) = joint else {
            return Err(JointsError::NoJoint {
                file: file.display().to_string(),
                joint: (*name).to_owned(),
            });
        };
        let key = (*name == gripper, depth(&robot, &joint.child.link));
        let limits = (joint.limit.lower, joint.limit.upper);
        found.push((key, ((*name).to_owned(), limits)));
    }
    found.sort_by_key(|(key, _)| *key);
    Ok(found.into_iter().map(|(_, joint)| joint).collect())
}

/// Joints between a link and the root.
fn depth<'a>(robot: &'a urdf_rs::Robot, mut link: &'a str) -> usize {
    // As many steps as there are joints at most: a ring must not hold us.
    for steps in 0..robot.joints.len() {
        let mut joints = robot.joints.iter();
        let Some(above) = joints.find(|joint| joint.child.link == link) else {
            return steps;
        };
        link = &above.parent.link;
    }
    robot.joints.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Overrides;
    use crate::so101;

    #[test]
    fn the_cell_of_a_bare_arm_needs_nothing_but_its_urdf() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for file in ["cells/so101.toml", "cells/koch.toml"] {
            let cell = Cell::load(&root.join(file), &Overrides::default()).unwrap();
            assert_eq!(arm_joints(&cell).unwrap().len(), 6, "{file}");
            let line = cell.load_arm().unwrap_err().to_string();
            assert!(line.contains("surehand calibrate"), "{line}");
        }
    }

    #[test]
    fn a_second_servo_comes_after_the_first_and_takes_no_other_joints_id() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut cell = Cell::load(&root.join("cells/koch.toml"), &Overrides::default()).unwrap();
        cell.bus.shadows = vec![crate::cell::ShadowSection {
            joint: "shoulder_lift".into(),
            id: 3,
            mirrored: true,
        }];
        let joints = arm_joints(&cell).unwrap();
        let named: Vec<(&str, u8)> = joints.iter().map(|it| (it.name.as_str(), it.id)).collect();
        assert_eq!(
            named[..4],
            [
                ("shoulder_pan", 1),
                ("shoulder_lift", 2),
                ("shoulder_lift_shadow", 3),
                ("elbow_flex", 4)
            ]
        );
        let second = Part::Second {
            first: 2,
            mirrored: true,
        };
        assert_eq!(joints[2].part, second);
        cell.bus.shadows[0].joint = "knee".into();
        let line = arm_joints(&cell).unwrap_err().to_string();
        assert!(line.contains("knee"), "{line}");
    }

    #[test]
    fn without_a_calibration_ids_count_from_the_base_outwards() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut cell = Cell::load(&root.join("cells/sim.toml"), &Overrides::default()).unwrap();
        cell.arm.calibration = "/none/arm.json".into();
        let joints = arm_joints(&cell).unwrap();
        let names: Vec<&str> = joints.iter().map(|joint| joint.name.as_str()).collect();
        assert_eq!(names, so101::NAMES);
        let ids: Vec<u8> = joints.iter().map(|joint| joint.id).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
        let full: Vec<bool> = joints.iter().map(ArmJoint::full_turn).collect();
        assert_eq!(full, [false, false, false, false, true, false]);
    }
}
