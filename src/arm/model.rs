//! The arm as one value: its servos in order, their limits, and the chain to the tool.
//!
//! Reading it from a URDF, checked against what the cell says of the arm, is its submodule's. An
//! [`ArmModel`] that exists is complete. Loading may allocate; using it in the tick does not.

use std::path::Path;

use crate::arm::geometry::{ArmChain, ChainPose};
use crate::arm::limits::JointLimits;
use crate::arm::plane::ArmPlane;
use crate::units::{JointVec, Rad, RadPerSec, RadPerSec2, RadPerSec3};

mod load;

use load::Loader;

/// What the cell says of one joint.
#[derive(Debug, Clone, PartialEq)]
pub struct JointSpec {
    /// Its name in the URDF.
    pub name: String,
    /// Largest speed, above zero.
    pub velocity: RadPerSec,
    /// Largest acceleration, above zero.
    pub acceleration: RadPerSec2,
    /// Largest change of acceleration, above zero.
    pub jerk: RadPerSec3,
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

/// A complete arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmModel {
    names: Vec<String>,
    limits: JointVec<JointLimits>,
    gripper: Option<usize>,
    chain: ArmChain,
    chain_joints: JointVec<usize>,
    plane: Option<ArmPlane>,
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

    /// The arm with each joint's position limits narrowed to `spans`, in the arm's order; `None`
    /// when nothing is left of one.
    #[must_use]
    pub fn within(mut self, spans: &[(Rad, Rad)]) -> Option<ArmModel> {
        for (limits, (lower, upper)) in self.limits.iter_mut().zip(spans) {
            limits.lower = Rad(limits.lower.0.max(lower.0));
            limits.upper = Rad(limits.upper.0.min(upper.0));
            if limits.lower.0 >= limits.upper.0 {
                return None;
            }
        }
        Some(self)
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
    pub fn chain(&self) -> &ArmChain {
        &self.chain
    }

    /// The arm's index of each chain joint, base first.
    #[must_use]
    pub fn chain_joints(&self) -> &JointVec<usize> {
        &self.chain_joints
    }

    /// The plane the arm moves in, where its first joint turns about the vertical.
    #[must_use]
    pub fn plane(&self) -> Option<&ArmPlane> {
        self.plane.as_ref()
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

#[cfg(test)]
mod tests;
