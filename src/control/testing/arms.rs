//! Arms of six, seven and eight joints for the core: the kinematics' own, as URDF files.
//!
//! Owns the step from a chain to the text of a URDF, so that such an arm is loaded as any other.

use nalgebra::{Rotation3, Vector3};
use surehand_kinematics::{Frame, Model};

use crate::arm::{ArmModel, ArmSpec, JointSpec};
use crate::control::testing::Rig;
use crate::control::{CoreConfig, Torque};
use crate::messages::Cause;
use crate::units::{JointVec, RadPerSec, RadPerSec2, RadPerSec3};

#[path = "../../../kinematics/robots/mod.rs"]
mod robots;

/// An arm, and a pose that it can go anywhere from.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    pub(crate) model: ArmModel,
    pub(crate) ready: JointVec<f64>,
}

impl Arm {
    /// Booted, reset, enabled and started with the arm where it can go anywhere from.
    pub(crate) fn started(&self, change: impl FnOnce(&mut CoreConfig)) -> Rig {
        self.started_at(self.ready, change)
    }

    /// The same with its joints at `positions`.
    pub(crate) fn started_at(
        &self,
        positions: JointVec<f64>,
        change: impl FnOnce(&mut CoreConfig),
    ) -> Rig {
        let mut rig = Rig::booted(Cause::Boot, Torque::Off, |config| {
            config.model = self.model.clone();
            change(config);
        });
        rig.positions = positions;
        rig.start();
        rig
    }
}

/// A joint that turns about its own z axis: where it is on the one before, and its limits.
struct Link {
    on: Frame,
    lower: f64,
    upper: f64,
}

/// The joints of `model` and its tool on the last one.
fn links<const N: usize>(model: &Model<N>) -> (Vec<Link>, Frame) {
    let places = model.chain.places(&[0.0; N]);
    let mut before = Frame::IDENTITY;
    let joints = places.frames().iter().enumerate().map(|(joint, frame)| {
        let on = before.inverse().then(frame);
        before = *frame;
        Link {
            on,
            lower: model.limits.lower[joint],
            upper: model.limits.upper[joint],
        }
    });
    let links = joints.collect();
    let tool = model.chain.pose(&[0.0; N]);
    (links, before.inverse().then(&tool))
}

/// Six joints: Universal Robots' UR5e.
pub(crate) fn ur5e() -> Arm {
    let (links, tool) = links(&robots::ur5e());
    arm("ur5e", &links, &tool, &[0.3, -1.3, 1.6, -1.9, -1.4, 0.2])
}

/// Seven joints: Franka Emika's Panda.
pub(crate) fn panda() -> Arm {
    let (links, tool) = links(&robots::panda());
    arm(
        "panda",
        &links,
        &tool,
        &[0.2, -0.4, 0.1, -2.0, 0.2, 1.7, 0.6],
    )
}

/// Eight joints: the Panda on a turning column.
pub(crate) fn on_a_column() -> Arm {
    let (mut links, tool) = links(&robots::panda());
    links.insert(
        0,
        Link {
            on: Frame::IDENTITY,
            lower: -2.0,
            upper: 2.0,
        },
    );
    links[1].on.translation += Vector3::new(0.15, 0.0, 0.2);
    arm(
        "column",
        &links,
        &tool,
        &[0.1, 0.2, -0.4, 0.1, -2.0, 0.2, 1.7, 0.6],
    )
}

fn arm(name: &str, links: &[Link], tool: &Frame, ready: &[f64]) -> Arm {
    let names: Vec<String> = (1..=links.len()).map(|it| format!("joint{it}")).collect();
    let joint = |name: &String| JointSpec {
        name: name.clone(),
        velocity: RadPerSec(2.0),
        acceleration: RadPerSec2(8.0),
        jerk: RadPerSec3(800.0),
        lower: None,
        upper: None,
    };
    let spec = ArmSpec {
        joints: names.iter().map(joint).collect(),
        gripper: None,
        base_link: "link0".into(),
        tool_link: "tool".into(),
    };
    Arm {
        model: ArmModel::parse(name, &urdf(name, links, tool), &spec).unwrap(),
        ready: ready.iter().copied().collect(),
    }
}

fn urdf(name: &str, links: &[Link], tool: &Frame) -> String {
    let mut text = format!("<robot name=\"{name}\"><link name=\"tool\"/><link name=\"link0\"/>");
    for (index, link) in (1..).zip(links) {
        let (before, origin) = (index - 1, origin(&link.on));
        let (lower, upper) = (link.lower, link.upper);
        text += &format!(
            "<link name=\"link{index}\"/><joint name=\"joint{index}\" type=\"revolute\">\
             <parent link=\"link{before}\"/><child link=\"link{index}\"/>{origin}\
             <axis xyz=\"0 0 1\"/>\
             <limit lower=\"{lower}\" upper=\"{upper}\" velocity=\"2\" effort=\"9\"/></joint>"
        );
    }
    let (last, origin) = (links.len(), origin(tool));
    text + &format!(
        "<joint name=\"hand\" type=\"fixed\"><parent link=\"link{last}\"/>\
         <child link=\"tool\"/>{origin}</joint></robot>"
    )
}

fn origin(frame: &Frame) -> String {
    let turn = Rotation3::from_matrix_unchecked(frame.rotation);
    let ((roll, pitch, yaw), at) = (turn.euler_angles(), frame.translation);
    format!(
        "<origin xyz=\"{} {} {}\" rpy=\"{roll} {pitch} {yaw}\"/>",
        at.x, at.y, at.z
    )
}
