//! The arm as one value: its servos in order, their limits, and the chain to the tool.
//!
//! Owns reading a URDF (through `k`) and checking it against what the cell says of the arm. An
//! [`ArmModel`] that exists is complete. Loading may allocate; using it in the tick does not.

use std::path::Path;

use nalgebra::{Matrix3, Rotation3, Unit, Vector3};

use crate::arm::chain::{Chain, ChainJoint, ChainPose, Frame};
use crate::arm::limits::JointLimits;
use crate::units::{JointVec, MAX_JOINTS, Rad, RadPerSec, RadPerSec2};

/// The first joint may lean this far from vertical (URDF files round π), as a cosine.
const UPRIGHT: f64 = 0.999_999;

/// What the cell says of one joint.
#[derive(Debug, Clone, PartialEq)]
pub struct JointSpec {
    /// Its name in the URDF.
    pub name: String,
    /// Largest speed, above zero.
    pub velocity: RadPerSec,
    /// Largest acceleration, above zero.
    pub acceleration: RadPerSec2,
    /// Narrower lower limit than the URDF's.
    pub lower: Option<Rad>,
    /// Narrower upper limit than the URDF's.
    pub upper: Option<Rad>,
}

/// What the cell says of the arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmSpec {
    /// Every servo in the arm's joint order.
    pub joints: Vec<JointSpec>,
    /// The joint that opens the gripper, when there is one; it is not part of the chain.
    pub gripper: Option<String>,
    /// The link the chain begins at.
    pub base_link: String,
    /// The link that is the tool: its z axis is the approach direction.
    pub tool_link: String,
}

/// Why a URDF does not make the arm that the cell describes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{file}: {what}; {remedy}")]
pub struct ModelError {
    /// The URDF.
    pub file: String,
    /// What is wrong, naming joint or link.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// The vertical plane the arm moves in, turned by its first joint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmPlane {
    /// Up, along the first joint's axis, base frame.
    pub up: Vector3<f64>,
    /// The pan axis meets this point, base frame, metres.
    pub pan_origin: Vector3<f64>,
    /// The first joint's axis: `up`, or its opposite.
    pub pan_axis: Unit<Vector3<f64>>,
    /// Horizontal and away from the pan axis within the plane, at pan angle 0.
    pub outward_at_zero: Vector3<f64>,
}

impl ArmPlane {
    /// The outward direction at pan angle `pan`, radians.
    #[must_use]
    pub fn outward(&self, pan: f64) -> Vector3<f64> {
        Rotation3::from_axis_angle(&self.pan_axis, pan) * self.outward_at_zero
    }
}

/// A complete arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmModel {
    names: Vec<String>,
    limits: JointVec<JointLimits>,
    gripper: Option<usize>,
    chain: Chain,
    chain_joints: JointVec<usize>,
    plane: ArmPlane,
}

impl ArmModel {
    /// Reads `urdf` and builds the arm that `spec` describes from it.
    ///
    /// # Errors
    /// One line naming the file, the joint or link, and the remedy.
    pub fn load(urdf: &Path, spec: &ArmSpec) -> Result<ArmModel, ModelError> {
        let file = urdf.display().to_string();
        let text = std::fs::read_to_string(urdf).map_err(|error| ModelError {
            file: file.clone(),
            what: format!("cannot be read ({error})"),
            remedy: "give the path of a URDF file as `urdf`".into(),
        })?;
        ArmModel::parse(&file, &text, spec)
    }

    /// As [`ArmModel::load`], from a URDF's text; `file` is its name in errors.
    ///
    /// # Errors
    /// As [`ArmModel::load`].
    pub fn parse(file: &str, text: &str, spec: &ArmSpec) -> Result<ArmModel, ModelError> {
        Loader { file, spec }.load(text)
    }

    /// How many servos there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Never: an arm has a joint.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Joint names in the arm's order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Limits in the arm's order.
    #[must_use]
    pub fn limits(&self) -> &JointVec<JointLimits> {
        &self.limits
    }

    /// Which joint opens the gripper.
    #[must_use]
    pub fn gripper(&self) -> Option<usize> {
        self.gripper
    }

    /// The chain from base to tool.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The arm's index of each chain joint, base first.
    #[must_use]
    pub fn chain_joints(&self) -> &JointVec<usize> {
        &self.chain_joints
    }

    /// The plane the arm moves in.
    #[must_use]
    pub fn plane(&self) -> &ArmPlane {
        &self.plane
    }

    /// The limits of the chain joints, base first.
    #[must_use]
    pub fn chain_limits(&self) -> JointVec<JointLimits> {
        self.chain_joints
            .map(|joint| self.limits.get(joint).unwrap_or_default())
    }

    /// The chain's angles out of all joints'.
    #[must_use]
    pub fn chain_of(&self, joints: &JointVec<Rad>) -> JointVec<f64> {
        self.chain_joints
            .map(|joint| joints.get(joint).unwrap_or_default().0)
    }

    /// `joints` with the chain's angles replaced.
    #[must_use]
    pub fn with_chain(&self, joints: &JointVec<Rad>, chain: &JointVec<f64>) -> JointVec<Rad> {
        let mut joints = *joints;
        for (joint, angle) in self.chain_joints.iter().zip(chain) {
            if let Some(slot) = joints.as_mut_slice().get_mut(*joint) {
                *slot = Rad(*angle);
            }
        }
        joints
    }

    /// Forward kinematics of all joints' angles.
    #[must_use]
    pub fn forward(&self, joints: &JointVec<Rad>) -> ChainPose {
        self.chain.forward(&self.chain_of(joints))
    }
}

/// The steps of reading one URDF; every error carries the file.
struct Loader<'a> {
    file: &'a str,
    spec: &'a ArmSpec,
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

    fn load(&self, text: &str) -> Result<ArmModel, ModelError> {
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
        let plane = self.plane(&chain)?;
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
        };
        let ordered = limits.lower.0 < limits.upper.0;
        if !ordered {
            return Err(self.error(
                format!("joint `{name}` is left no range by the cell's limits"),
                format!("its range is {lower:.3} to {upper:.3} rad"),
            ));
        }
        let rates = [spec.velocity.0, spec.acceleration.0];
        if !rates.iter().all(|rate| rate.is_finite() && *rate > 0.0) {
            return Err(self.error(
                format!("joint `{name}` has a speed or acceleration limit that is not above zero"),
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
    fn chain(&self, path: &[PathJoint]) -> Result<(Chain, JointVec<usize>), ModelError> {
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
            joints.push(ChainJoint { origin, axis });
        }
        let chain = Chain::new(&joints, pending).ok_or_else(|| {
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

    fn plane(&self, chain: &Chain) -> Result<ArmPlane, ModelError> {
        let at_zero = chain.forward(&JointVec::repeat(0.0, chain.len()));
        let mut axes = at_zero.axes();
        let sideways_or_tilted = || {
            self.error(
                "the arm's first joint does not turn about the vertical".into(),
                "choose the base link whose z axis points up; other arms are not supported",
            )
        };
        let (pan_axis, pan_origin) = axes.next().ok_or_else(sideways_or_tilted)?;
        if pan_axis.z.abs() < UPRIGHT {
            return Err(sideways_or_tilted());
        }
        let up = pan_axis * pan_axis.z.signum();
        // The second joint's axis is the normal of the plane; without one, the tool's side is out.
        let normal = axes.next().map(|(axis, _)| axis.cross(&up));
        let to_tool = at_zero.tool.translation - pan_origin;
        let flat = to_tool - up * up.dot(&to_tool);
        let outward = match normal {
            Some(in_plane) if in_plane.norm() > 1e-6 => {
                in_plane * if in_plane.dot(&flat) < 0.0 { -1.0 } else { 1.0 }
            }
            _ if flat.norm() > 1e-6 => flat,
            _ => Vector3::x(),
        };
        let outward = (outward - up * up.dot(&outward)).normalize();
        Ok(ArmPlane {
            up,
            pan_origin: *pan_origin,
            pan_axis: Unit::new_normalize(*pan_axis),
            outward_at_zero: outward,
        })
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

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
