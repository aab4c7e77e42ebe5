//! The arm's URDF, parsed once. It owns names and fixed geometry, never joint positions.

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use rapier3d_urdf::urdf_rs::{self, JointType, Robot};

/// The arm as its URDF describes it.
#[derive(Debug)]
pub struct ArmModel {
    robot: Robot,
}

/// An arm without links: what a scene holds until its URDF is read.
impl Default for ArmModel {
    fn default() -> Self {
        Self {
            robot: Robot {
                name: String::new(),
                links: Vec::new(),
                joints: Vec::new(),
                materials: Vec::new(),
            },
        }
    }
}

impl ArmModel {
    pub(super) fn parse(urdf: &str) -> Result<Self, String> {
        let robot = urdf_rs::read_from_string(urdf)
            .map_err(|error| error.to_string().lines().collect::<Vec<_>>().join(" "))?;
        for joint in &robot.joints {
            for link in [&joint.parent.link, &joint.child.link] {
                if !robot.links.iter().any(|l| l.name == *link) {
                    return Err(format!(
                        "joint {} names link {link}, which is not there",
                        joint.name
                    ));
                }
            }
        }
        Ok(Self { robot })
    }

    /// The parsed URDF.
    pub(crate) fn robot(&self) -> &Robot {
        &self.robot
    }

    /// Lower and upper limit of a revolute joint, rad.
    #[must_use]
    pub fn limits(&self, joint: &str) -> Option<[f64; 2]> {
        self.robot
            .joints
            .iter()
            .find(|j| j.name == joint && j.joint_type == JointType::Revolute)
            .map(|j| [j.limit.lower, j.limit.upper])
    }

    /// Names of the joints that need a servo, in the file's order.
    pub fn actuated(&self) -> impl Iterator<Item = &str> {
        self.robot
            .joints
            .iter()
            .filter(|j| j.joint_type != JointType::Fixed)
            .map(|j| j.name.as_str())
    }

    /// Link names, in the file's order.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.robot.links.iter().map(|link| link.name.as_str())
    }

    /// The link that moves as `link` does and carries mass, and `link`'s pose in it: a frame that
    /// hangs on fixed joints belongs to the body it hangs on.
    pub(crate) fn carrier(&self, link: &str) -> (String, Isometry3<f64>) {
        let mut carrier = link.to_owned();
        let mut pose = Isometry3::identity();
        while let Some(joint) = self
            .robot
            .joints
            .iter()
            .find(|j| j.child.link == carrier && j.joint_type == JointType::Fixed)
        {
            pose = isometry(&joint.origin) * pose;
            carrier.clone_from(&joint.parent.link);
        }
        (carrier, pose)
    }
}

/// A URDF origin: fixed-axis roll, pitch, yaw.
pub(crate) fn isometry(origin: &urdf_rs::Pose) -> Isometry3<f64> {
    let [x, y, z] = origin.xyz.0;
    let [roll, pitch, yaw] = origin.rpy.0;
    Isometry3::from_parts(
        Translation3::from(Vector3::new(x, y, z)),
        UnitQuaternion::from_euler_angles(roll, pitch, yaw),
    )
}
