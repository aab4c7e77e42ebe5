//! The arm as a rapier multibody: it applies drives to joints and reads joints back.
//!
//! It owns the mapping from servos to degrees of freedom and never decides what a joint should do.

use std::sync::Arc;

use nalgebra::Isometry3;
use rapier3d::dynamics::RigidBodyBuilder;
use rapier3d::dynamics::{JointAxis, MotorModel, MultibodyJointHandle, RigidBodyHandle};
use rapier3d::geometry::ColliderBuilder;
use rapier3d::pipeline::PhysicsWorld;
use rapier3d_urdf::{UrdfLoaderOptions, UrdfMultibodyOptions, UrdfRobot};

use super::{isometry, real};
use crate::drive::{Drive, Motion};
use crate::scene::Scene;

/// rapier turns every URDF axis into its joint frame's x.
const AXIS: JointAxis = JointAxis::AngX;
/// The coordinate of [`AXIS`] among a joint's six.
const COORDINATE: usize = 3;

/// A servo's joint.
struct Joint {
    handle: MultibodyJointHandle,
    limits: [f64; 2],
}

/// The arm's bodies and joints.
pub(super) struct Arm {
    /// in servo order
    joints: Vec<Joint>,
    /// the links that carry mass
    links: Vec<RigidBodyHandle>,
    link_names: Arc<[String]>,
    /// frames on fixed joints: name, index of the link that carries them, pose in it
    frames: Vec<(String, usize, Isometry3<f64>)>,
    tool: usize,
}

impl Arm {
    pub(super) fn insert(scene: &Scene, physics: &mut PhysicsWorld) -> Self {
        let robot = scene.model().robot();
        let options = UrdfLoaderOptions {
            make_roots_fixed: true,
            collider_blueprint: ColliderBuilder::default()
                .density(0.0)
                .friction(real(scene.arm.friction)),
            // A sleeping arm would ignore its motors.
            rigid_body_blueprint: RigidBodyBuilder::dynamic().can_sleep(false),
            ..UrdfLoaderOptions::default()
        };
        // No shape is loaded from a file, so the folder of meshes is not used.
        let mut model = UrdfRobot::from_robot(robot, options, std::path::Path::new(""));
        for link in &mut model.links {
            let name = &robot.links[link.urdf_link_index].name;
            if scene.arm.jaws.links.contains(name) {
                for shape in &mut link.colliders {
                    shape.collider.set_friction(real(scene.arm.jaws.friction));
                }
            }
        }
        let names: Vec<usize> = model.links.iter().map(|l| l.urdf_link_index).collect();
        let sources: Vec<usize> = model
            .joints
            .iter()
            .map(rapier3d_urdf::UrdfJoint::source_urdf_joint_index)
            .collect();
        let handles = model.insert_using_multibody_joints(
            &mut physics.bodies,
            &mut physics.colliders,
            &mut physics.multibody_joints,
            UrdfMultibodyOptions::empty(),
        );
        let link_names: Arc<[String]> = names
            .iter()
            .map(|&index| robot.links[index].name.clone())
            .collect();
        let links = handles.links.iter().map(|link| link.body).collect();
        let joints = scene
            .arm
            .servos
            .iter()
            .filter_map(|servo| {
                let at = sources
                    .iter()
                    .position(|&s| robot.joints[s].name == servo.joint)?;
                Some(Joint {
                    handle: handles.joints[at].joint?,
                    limits: scene.model().limits(&servo.joint)?,
                })
            })
            .collect();
        let frames: Vec<_> = scene
            .model()
            .links()
            .filter_map(|name| {
                let (carrier, pose) = scene.model().carrier(name);
                let at = link_names.iter().position(|link| *link == carrier)?;
                Some((name.to_owned(), at, pose))
            })
            .collect();
        let tool = frames
            .iter()
            .position(|(name, ..)| *name == scene.arm.tool)
            .unwrap_or(0);
        let mut arm = Self {
            joints,
            links,
            link_names,
            frames,
            tool,
        };
        arm.prepare(real(scene.arm.armature), physics);
        arm
    }

    /// Motors and rotor inertia on; rapier's own joint damping off, for a servo brings its own.
    fn prepare(&mut self, armature: f32, physics: &mut PhysicsWorld) {
        for joint in &self.joints {
            let Some((multibody, id)) = physics.multibody_joints.get_mut(joint.handle) else {
                continue;
            };
            let Some(link) = multibody.link_mut(id) else {
                continue;
            };
            link.joint
                .data
                .set_motor_model(AXIS, MotorModel::ForceBased);
        }
        let first = self.joints.first().map(|joint| joint.handle);
        if let Some((multibody, _)) = first.and_then(|h| physics.multibody_joints.get_mut(h)) {
            // Fixes the base: only now does the multibody have one degree of freedom a joint.
            multibody.forward_kinematics(&physics.bodies, true);
            multibody.damping_mut().fill(0.0);
            multibody.armature_mut().fill(armature);
        }
    }

    pub(super) fn joints(&self) -> usize {
        self.joints.len()
    }

    pub(super) fn links(&self) -> &[RigidBodyHandle] {
        &self.links
    }

    pub(super) fn link_names(&self) -> Arc<[String]> {
        Arc::clone(&self.link_names)
    }

    /// Hands the drives to the joints' motors; a joint without one is limp.
    pub(super) fn drive(&self, drives: &[Drive], physics: &mut PhysicsWorld) {
        for (i, joint) in self.joints.iter().enumerate() {
            let drive = drives.get(i).copied().unwrap_or_default();
            let Some((multibody, id)) = physics.multibody_joints.get_mut(joint.handle) else {
                continue;
            };
            let Some(link) = multibody.link_mut(id) else {
                continue;
            };
            let dof = link.assembly_id();
            // A motor without spring or damper would be an infinitely stiff brake to rapier.
            let live = drive.stiffness > 0.0 || drive.damping > 0.0;
            let torque = if live { drive.max_torque } else { 0.0 };
            link.joint.data.set_motor(
                AXIS,
                real(drive.target),
                real(drive.target_velocity),
                real(drive.stiffness),
                real(drive.damping),
            );
            link.joint.data.set_motor_max_force(AXIS, real(torque));
            multibody.frictions_mut()[dof] = real(drive.friction);
        }
    }

    /// Reads the joints back. The torque is the motor's law at the end of the step, which is what
    /// an implicit motor applied.
    pub(super) fn read(&self, drives: &[Drive], physics: &PhysicsWorld, motions: &mut [Motion]) {
        for (i, (joint, motion)) in self.joints.iter().zip(motions).enumerate() {
            let Some((multibody, id)) = physics.multibody_joints.get(joint.handle) else {
                continue;
            };
            let Some(link) = multibody.link(id) else {
                continue;
            };
            let drive = drives.get(i).copied().unwrap_or_default();
            let position = f64::from(link.joint.coords()[COORDINATE]);
            let velocity = f64::from(multibody.generalized_velocity()[link.assembly_id()]);
            let wanted = drive.stiffness * (drive.target - position)
                + drive.damping * (drive.target_velocity - velocity);
            *motion = Motion {
                position,
                velocity,
                torque: wanted.clamp(-drive.max_torque, drive.max_torque),
            };
        }
    }

    /// Puts the joints at these angles, inside their limits and at rest.
    pub(super) fn set(&self, positions: &[f64], physics: &mut PhysicsWorld) {
        for (joint, position) in self.joints.iter().zip(positions) {
            let Some((multibody, id)) = physics.multibody_joints.get_mut(joint.handle) else {
                continue;
            };
            let Some(link) = multibody.link_mut(id) else {
                continue;
            };
            let wanted = real(position.clamp(joint.limits[0], joint.limits[1]));
            let change = wanted - link.joint.coords()[COORDINATE];
            link.joint.apply_displacement(&[change]);
        }
        let first = self.joints.first().map(|joint| joint.handle);
        if let Some((multibody, _)) = first.and_then(|h| physics.multibody_joints.get_mut(h)) {
            multibody.generalized_velocity_mut().fill(0.0);
            multibody.forward_kinematics(&physics.bodies, false);
            multibody.update_rigid_bodies(&mut physics.bodies, true);
        }
    }

    pub(super) fn link_pose(&self, name: &str, physics: &PhysicsWorld) -> Option<Isometry3<f64>> {
        let frame = self.frames.iter().position(|(frame, ..)| frame == name)?;
        Some(self.frame_pose(frame, physics))
    }

    pub(super) fn tool_pose(&self, physics: &PhysicsWorld) -> Isometry3<f64> {
        self.frame_pose(self.tool, physics)
    }

    fn frame_pose(&self, frame: usize, physics: &PhysicsWorld) -> Isometry3<f64> {
        let (_, link, pose) = &self.frames[frame];
        isometry(physics.bodies[self.links[*link]].position()) * pose
    }
}
