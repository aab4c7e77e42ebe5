//! The cell's arm, or its arms, as policies meet them: names, units and where a tool is.

use crate::arm::conventions::Convention;
use crate::arm::tool::tool_of;
use crate::cell::{Arm, joint_of};
use crate::messages::ToolSetpoint;
use crate::policy::Embodiment;
use crate::policy::package::Units;
use crate::units::{JointVec, Rad};

/// An arm that answers a policy's questions.
#[derive(Debug, Clone)]
pub struct PolicyArm(pub Arm);

impl PolicyArm {
    /// What `units` mean for joint `index`: the gripper's range is 0…100 in all but SI.
    fn convention(&self, index: usize, units: Units) -> Convention {
        let gripper = self.0.model.gripper() == Some(index);
        match (units, gripper) {
            (Units::Si, _) => Convention::Radians,
            (Units::Degrees | Units::Percent, true) => Convention::Percent,
            (Units::Degrees, false) => Convention::Degrees,
            (Units::Percent, false) => Convention::Symmetric,
        }
    }
}

impl Embodiment for PolicyArm {
    fn joints(&self) -> &[String] {
        self.0.model.names()
    }

    fn tool_of(&self, joints: &[Rad]) -> Option<ToolSetpoint> {
        let fits = joints.len() == self.0.model.len();
        let joints = JointVec::from_slice(joints).filter(|_| fits)?;
        tool_of(&self.0.model, &joints)
    }

    fn value_of(&self, index: usize, angle: Rad, units: Units) -> f64 {
        let joint = self.0.calibration.joints().get(index);
        joint.map_or(f64::NAN, |joint| {
            self.convention(index, units).value(joint, angle)
        })
    }

    fn angle_of(&self, index: usize, value: f64, units: Units) -> Rad {
        let joint = self.0.calibration.joints().get(index);
        let angle = joint.and_then(|joint| self.convention(index, units).angle(joint, value));
        angle.unwrap_or(Rad(f64::NAN))
    }
}

/// Several arms as one policy meets them: joints are `ARM_joint`, arm after arm.
#[derive(Debug, Clone)]
pub struct PolicyArms {
    arms: Vec<PolicyArm>,
    joints: Vec<String>,
}

impl PolicyArms {
    /// Of arms with their names.
    #[must_use]
    pub fn new<'a>(arms: impl IntoIterator<Item = (&'a str, &'a Arm)>) -> PolicyArms {
        let (mut all, mut joints) = (Vec::new(), Vec::new());
        for (name, arm) in arms {
            joints.extend(arm.model.names().iter().map(|it| joint_of(name, it)));
            all.push(PolicyArm(arm.clone()));
        }
        PolicyArms { arms: all, joints }
    }

    /// The arm that joint `index` of all is of, and its index there.
    fn at(&self, index: usize) -> Option<(&PolicyArm, usize)> {
        let mut left = index;
        for arm in &self.arms {
            let joints = arm.joints().len();
            if left < joints {
                return Some((arm, left));
            }
            left -= joints;
        }
        None
    }
}

impl Embodiment for PolicyArms {
    fn joints(&self) -> &[String] {
        &self.joints
    }

    fn arms(&self) -> Vec<usize> {
        self.arms.iter().map(|arm| arm.joints().len()).collect()
    }

    fn tool_of(&self, joints: &[Rad]) -> Option<ToolSetpoint> {
        match self.arms.as_slice() {
            [one] => one.tool_of(joints),
            _ => None,
        }
    }

    fn value_of(&self, index: usize, angle: Rad, units: Units) -> f64 {
        let arm = self.at(index);
        arm.map_or(f64::NAN, |(arm, joint)| arm.value_of(joint, angle, units))
    }

    fn angle_of(&self, index: usize, value: f64, units: Units) -> Rad {
        let arm = self.at(index);
        arm.map_or(Rad(f64::NAN), |(arm, joint)| {
            arm.angle_of(joint, value, units)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::cell::Cell;
    use crate::messages::{Plan, Waypoints};
    use crate::policy::finding::Findings;
    use crate::policy::{Decoder, Observation, Package, fits};
    use crate::units::{MonoTime, RadPerSec};

    fn both() -> (Arc<dyn Embodiment>, usize) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cell = Cell::load(&root.join("cells/sim.toml"), &Default::default()).unwrap();
        let arm = cell.load_arm().unwrap();
        let joints = arm.model.len();
        let both = PolicyArms::new([("left", &arm), ("right", &arm)]);
        (Arc::new(both), joints)
    }

    fn package(name: &str) -> Package {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Package::load(&root.join("tests/packages").join(name)).unwrap()
    }

    #[test]
    fn each_arm_gets_its_part_of_a_chunk_with_one_id_and_one_capture_time() {
        let (both, joints) = both();
        assert_eq!(both.joints()[joints], "right_shoulder_pan");
        let package = package("two_sways");
        let mut findings = Findings::default();
        let decoder = Decoder::new(&package, &both, &mut findings).unwrap();
        let observation = Observation {
            captured_at: MonoTime(5),
            pictures: Vec::new(),
            measured: vec![Rad(0.1); 2 * joints],
            command: vec![Rad(0.1); 2 * joints],
            velocity: vec![RadPerSec(0.0); 2 * joints],
        };
        let width = package.output.width;
        let row: Vec<f32> = (0..width).map(|value| 0.01 * value as f32).collect();
        let rows = row.repeat(package.output.chunk);
        let plans = decoder.decode(&rows, &observation, 7).unwrap();
        let first = |plan: &Plan| match &plan.waypoints {
            Waypoints::Joint(points) => points[0].as_slice().to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(plans.len(), 2);
        assert!(
            plans
                .iter()
                .all(|plan| plan.id == 7 && plan.captured_at == MonoTime(5))
        );
        for (arm, plan) in plans.iter().enumerate() {
            for (joint, angle) in first(plan).iter().enumerate() {
                let expected = 0.01 * (arm * joints + joint) as f64;
                assert!(
                    (angle.0 - expected).abs() < 1e-6,
                    "{arm} {joint}: {angle:?}"
                );
            }
        }
        let again = decoder.encode(&plans, &observation);
        assert_eq!(again.len(), rows.len());
        assert!(again.iter().zip(&rows).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn a_policy_of_one_arm_or_of_a_tool_does_not_fit_two() {
        let (both, _) = both();
        let cameras = ["overhead", "wrist"];
        let of = |name: &str| {
            let found = fits(&package(name), &both, &cameras);
            let lines = found.iter().map(ToString::to_string);
            lines.collect::<Vec<_>>().join("; ")
        };
        assert_eq!(of("two_sways"), "");
        assert!(of("sway").contains("the arm 12 joints"), "{}", of("sway"));
        assert!(of("circle").contains("no one tool"), "{}", of("circle"));
    }
}
