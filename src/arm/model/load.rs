//! Reads an arm out of a URDF, through `k`, and checks it against the cell.
//!
//! Owns every error that a URDF can be wrong by; each is one line naming file, joint or link, and
//! remedy. Never keeps anything of `k`: its numbers are taken over at load.

use nalgebra::{Matrix3, Unit, Vector3};
use surehand_kinematics::{Frame, Joint, Motion};

use super::{ArmModel, ArmSpec, JointSpec, ModelError};
use crate::arm::geometry::ArmChain;
use crate::arm::limits::JointLimits;
use crate::arm::plane::ArmPlane;
use crate::units::{JointVec, MAX_JOINTS, Rad};

/// The steps of reading one URDF; every error carries the file.
pub(super) struct Loader<'a> {
    pub(super) file: &'a str,
    pub(super) spec: &'a ArmSpec,
}

/// A joint of the URDF on the way from base to tool, through `k`.
struct PathJoint {
    name: String,
    origin: Frame,
    axis: Option<Unit<Vector3<f64>>>,
}

impl Loader<'_> {
    fn error(&self, what: String, remedy: impl Into<String>) -> ModelError {
        ModelError {
            file: self.file.to_owned(),
            what,
            remedy: remedy.into(),
        }
    }

    pub(super) fn load(&self, text: &str) -> Result<ArmModel, ModelError> {
        let robot = urdf_rs::read_from_string(text).map_err(|error| {
            let error = error.to_string().replace('\n', " ");
            self.error(
                format!("is not a URDF ({error})"),
                "correct the file or give another as `urdf`",
            )
        })?;
        self.check_names()?;
        self.check_mimics(&robot)?;
        let tree = k::Chain::<f64>::from(&robot);
        let limits = self.limits(&robot)?;
        let path = self.path(&robot, &tree)?;
        let (chain, chain_joints) = self.chain(&path)?;
        let gripper = match &self.spec.gripper {
            Some(name) => Some(self.index_of(name).ok_or_else(|| {
                self.error(
                    format!("the gripper `{name}` is not one of the arm's joints"),
                    "name one of them as `gripper`",
                )
            })?),
            None => None,
        };
        self.check_all_used(&chain_joints, gripper)?;
        let middle = chain_joints.map(|joint| {
            let limits = limits.get(joint).unwrap_or_default();
            (limits.lower.0 + limits.upper.0) / 2.0
        });
        let plane = ArmPlane::of(&chain, &middle);
        Ok(ArmModel {
            names: self.spec.joints.iter().map(|j| j.name.clone()).collect(),
            limits,
            gripper,
            chain,
            chain_joints,
            plane,
        })
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.spec.joints.iter().position(|joint| joint.name == name)
    }

    fn check_names(&self) -> Result<(), ModelError> {
        let joints = &self.spec.joints;
        if joints.is_empty() || joints.len() > MAX_JOINTS {
            return Err(self.error(
                format!("an arm of {} joints was asked for", joints.len()),
                format!("give 1 to {MAX_JOINTS} joints"),
            ));
        }
        for (index, joint) in joints.iter().enumerate() {
            if self.index_of(&joint.name) != Some(index) {
                return Err(self.error(
                    format!("joint `{}` is given twice", joint.name),
                    "give each joint once",
                ));
            }
        }
        Ok(())
    }

    /// `k` panics on a mimic of a joint that is not there.
    fn check_mimics(&self, robot: &urdf_rs::Robot) -> Result<(), ModelError> {
        for joint in &robot.joints {
            let Some(mimic) = &joint.mimic else { continue };
            if !robot.joints.iter().any(|other| other.name == mimic.joint) {
                return Err(self.error(
                    format!(
                        "joint `{}` mimics `{}`, which is not there",
                        joint.name, mimic.joint
                    ),
                    "correct the <mimic> element",
                ));
            }
        }
        Ok(())
    }

    fn limits(&self, robot: &urdf_rs::Robot) -> Result<JointVec<JointLimits>, ModelError> {
        let mut all = JointVec::default();
        for spec in &self.spec.joints {
            let limits = self.joint_limits(robot, spec)?;
            // The number of joints was checked.
            let _ = all.push(limits);
        }
        Ok(all)
    }

    fn joint_limits(
        &self,
        robot: &urdf_rs::Robot,
        spec: &JointSpec,
    ) -> Result<JointLimits, ModelError> {
        let name = &spec.name;
        let joint = robot
            .joints
            .iter()
            .find(|joint| joint.name == *name)
            .ok_or_else(|| {
                let names: Vec<&str> = robot.joints.iter().map(|j| j.name.as_str()).collect();
                self.error(
                    format!("there is no joint `{name}`"),
                    format!("joints are: {}", names.join(", ")),
                )
            })?;
        if joint.joint_type != urdf_rs::JointType::Revolute {
            return Err(self.error(
                format!("joint `{name}` is not of type `revolute`"),
                "give it that type and a <limit>: only revolute joints with limits are driven",
            ));
        }
        let (lower, upper) = (joint.limit.lower, joint.limit.upper);
        if !(lower.is_finite() && upper.is_finite() && lower < upper) {
            return Err(self.error(
                format!("joint `{name}` has no limits"),
                "give it a <limit> with lower < upper in radians",
            ));
        }
        let limits = JointLimits {
            lower: Rad(spec.lower.map_or(lower, |narrow| narrow.0.max(lower))),
            upper: Rad(spec.upper.map_or(upper, |narrow| narrow.0.min(upper))),
            velocity: spec.velocity,
            acceleration: spec.acceleration,
            jerk: spec.jerk,
        };
        let ordered = limits.lower.0 < limits.upper.0;
        if !ordered {
            return Err(self.error(
                format!("joint `{name}` is left no range by the cell's limits"),
                format!("its range is {lower:.3} to {upper:.3} rad"),
            ));
        }
        let rates = [spec.velocity.0, spec.acceleration.0, spec.jerk.0];
        if !rates.iter().all(|rate| rate.is_finite() && *rate > 0.0) {
            return Err(self.error(
                format!(
                    "joint `{name}` has a speed, acceleration or jerk limit that is not above zero"
                ),
                "correct its limits in the cell file",
            ));
        }
        Ok(limits)
    }

    /// Every joint from the base link to the tool link.
    fn path(
        &self,
        robot: &urdf_rs::Robot,
        tree: &k::Chain<f64>,
    ) -> Result<Vec<PathJoint>, ModelError> {
        let links = || {
            let names: Vec<&str> = robot.links.iter().map(|l| l.name.as_str()).collect();
            format!("links are: {}", names.join(", "))
        };
        for link in [&self.spec.base_link, &self.spec.tool_link] {
            if !robot.links.iter().any(|other| other.name == *link) {
                return Err(self.error(format!("there is no link `{link}`"), links()));
            }
        }
        let unconnected = || {
            self.error(
                format!(
                    "link `{}` does not hang from link `{}`",
                    self.spec.tool_link, self.spec.base_link
                ),
                "name the base and the tool of one chain",
            )
        };
        let tip = tree
            .find_link(&self.spec.tool_link)
            .ok_or_else(unconnected)?;
        let mut path = Vec::new();
        for node in tip.iter_ancestors() {
            let link = node.link().as_ref().map(|link| link.name.clone());
            if link.as_deref() == Some(&self.spec.base_link) {
                path.reverse();
                return Ok(path);
            }
            path.push(path_joint(&node.joint()));
        }
        Err(unconnected())
    }

    /// Folds fixed joints and finds each movable one in the arm's order.
    fn chain(&self, path: &[PathJoint]) -> Result<(ArmChain, JointVec<usize>), ModelError> {
        let mut pending = Frame::IDENTITY;
        let mut joints = Vec::new();
        let mut indices = JointVec::default();
        for joint in path {
            pending = pending.then(&joint.origin);
            let Some(axis) = joint.axis else { continue };
            let index = self.index_of(&joint.name).ok_or_else(|| {
                self.error(
                    format!(
                        "joint `{}` moves the tool but no servo drives it",
                        joint.name
                    ),
                    "add it to the arm's joints, or make it fixed",
                )
            })?;
            if indices.iter().any(|earlier| *earlier > index) {
                return Err(self.error(
                    format!("joint `{}` comes after joints it carries", joint.name),
                    "give the arm's joints in order from base to tool",
                ));
            }
            if indices.push(index).is_err() {
                return Err(self.error(
                    "the chain has too many joints".into(),
                    format!("at most {MAX_JOINTS} are supported"),
                ));
            }
            let origin = std::mem::replace(&mut pending, Frame::IDENTITY);
            joints.push(Joint {
                origin,
                axis,
                motion: Motion::Turning,
            });
        }
        let chain = ArmChain::new(&joints, pending).ok_or_else(|| {
            self.error(
                format!(
                    "no joint lies between link `{}` and link `{}`",
                    self.spec.base_link, self.spec.tool_link
                ),
                "name the arm's base and tool links",
            )
        })?;
        Ok((chain, indices))
    }

    /// A joint that neither moves the tool nor is the gripper hangs somewhere else.
    fn check_all_used(
        &self,
        chain: &JointVec<usize>,
        gripper: Option<usize>,
    ) -> Result<(), ModelError> {
        for (index, joint) in self.spec.joints.iter().enumerate() {
            let in_chain = chain.iter().any(|used| *used == index);
            let is_gripper = gripper == Some(index);
            if in_chain == is_gripper {
                let what = if in_chain {
                    "is the gripper but also moves the tool"
                } else {
                    "neither moves the tool nor is the gripper"
                };
                return Err(self.error(
                    format!(
                        "joint `{}` {what} (chain `{}` to `{}`)",
                        joint.name, self.spec.base_link, self.spec.tool_link
                    ),
                    "correct its parent in the URDF, or the arm's joints, gripper and links",
                ));
            }
        }
        Ok(())
    }
}

/// A joint of `k` as plain numbers: `k` carries its own version of nalgebra.
fn path_joint(joint: &k::Joint<f64>) -> PathJoint {
    let origin = joint.origin();
    let rotation = origin.rotation.to_rotation_matrix();
    let columns: [[f64; 3]; 3] = (*rotation.matrix()).into();
    let translation: [f64; 3] = origin.translation.vector.into();
    let axis: Option<[f64; 3]> = match &joint.joint_type {
        k::JointType::Rotational { axis } | k::JointType::Linear { axis } => {
            Some(axis.into_inner().into())
        }
        k::JointType::Fixed => None,
    };
    PathJoint {
        name: joint.name.clone(),
        origin: Frame {
            rotation: Matrix3::from(columns),
            translation: Vector3::from(translation),
        },
        axis: axis.map(|axis| Unit::new_normalize(Vector3::from(axis))),
    }
}
