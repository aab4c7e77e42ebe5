//! The physics of the workcell: the arm's rigid bodies, the table, the cubes and the bin.
//!
//! One [`World::step`] is one physics step in virtual time: the same scene, drives and placements
//! give the same bits. It never reads a clock, draws a number or knows what a servo is.

mod arm;
mod objects;
mod snapshot;

use nalgebra::Isometry3;
use rapier3d::glamx::{Quat, Vec3};
use rapier3d::math::Pose;
use rapier3d::pipeline::PhysicsWorld;

use crate::drive::{Drive, Motion};
use crate::scene::Scene;

use arm::Arm;
use objects::Objects;
pub(crate) use objects::bin_parts;
pub use snapshot::Snapshot;

/// m/s², standard gravity.
const GRAVITY: f32 = 9.806_65;
/// Solver substeps in a step, and sweeps over the constraints in a substep. One sweep lets the cube
/// slip out of jaws that lean against its faces.
const SUBSTEPS: usize = 2;
const SWEEPS: usize = 3;
/// Contact stiffness decides whether a grasp holds. Measured over 48 grasps at 400 steps a second:
/// 40 to 150 Hz hold 47 or 48 of them, 300 Hz none, because a contact that stiff rings at the
/// substep's rate.
const CONTACT_HZ_PER_STEP_HZ: f32 = 0.25;

/// The rigid bodies of one workcell.
pub struct World {
    physics: PhysicsWorld,
    arm: Arm,
    objects: Objects,
    motions: Vec<Motion>,
    steps: u64,
    step_secs: f64,
}

impl World {
    /// The scene at power-up: the arm at its rest angles, the cubes in a row where the placement
    /// rule begins.
    #[must_use]
    pub fn new(scene: &Scene) -> Self {
        let mut physics = PhysicsWorld::new();
        physics.gravity = Vec3::new(0.0, 0.0, -GRAVITY);
        let parameters = &mut physics.integration_parameters;
        parameters.dt = real(scene.step_secs());
        parameters.num_solver_iterations = SUBSTEPS;
        parameters.num_internal_pgs_iterations = SWEEPS;
        let contact_hz = CONTACT_HZ_PER_STEP_HZ * parameters.inv_dt();
        parameters.contact_softness.natural_frequency = contact_hz;
        parameters.static_contact_softness.natural_frequency = contact_hz;
        // A recycled contact may be stale by millimetres, and a cube is 25 of them.
        parameters.contact_recycling = false;
        let objects = Objects::insert(scene, &mut physics);
        let arm = Arm::insert(scene, &mut physics);
        let mut world = Self {
            motions: vec![Motion::default(); arm.joints()],
            physics,
            arm,
            objects,
            steps: 0,
            step_secs: scene.step_secs(),
        };
        world.set_joints(&scene.rest());
        world
    }

    /// One physics step. `drives` are in servo order; a joint without one is limp.
    pub fn step(&mut self, drives: &[Drive]) {
        self.arm.drive(drives, &mut self.physics);
        self.physics.step();
        self.arm.read(drives, &self.physics, &mut self.motions);
        self.steps += 1;
    }

    /// What each joint did in the last step, in servo order.
    #[must_use]
    pub fn motions(&self) -> &[Motion] {
        &self.motions
    }

    /// Virtual seconds since the world was made.
    #[must_use]
    pub fn time_secs(&self) -> f64 {
        // Exact for longer than any run: a step count below 2^53.
        self.steps as f64 * self.step_secs
    }

    /// Puts the joints at these angles (rad, servo order), at rest.
    pub fn set_joints(&mut self, positions: &[f64]) {
        self.arm.set(positions, &mut self.physics);
        for (motion, position) in self.motions.iter_mut().zip(positions) {
            *motion = Motion {
                position: *position,
                ..Motion::default()
            };
        }
    }

    /// Puts a cube (by its order in the scene) at a pose, at rest. Others are ignored.
    pub fn place(&mut self, cube: usize, pose: &Isometry3<f64>) {
        self.objects.place(cube, pose, &mut self.physics);
    }

    /// Name and pose of each cube, in the scene's order.
    pub fn objects(&self) -> impl Iterator<Item = (&str, Isometry3<f64>)> {
        self.objects.poses(&self.physics)
    }

    /// World pose of a cube, by its order in the scene.
    #[must_use]
    pub fn object_pose(&self, cube: usize) -> Option<Isometry3<f64>> {
        self.objects().nth(cube).map(|(_, pose)| pose)
    }

    /// World pose of a link; fixed frames such as `grasp_frame` count.
    #[must_use]
    pub fn link_pose(&self, link: &str) -> Option<Isometry3<f64>> {
        self.arm.link_pose(link, &self.physics)
    }

    /// World pose of the scene's tool frame.
    #[must_use]
    pub fn tool_pose(&self) -> Isometry3<f64> {
        self.arm.tool_pose(&self.physics)
    }

    /// All that a picture needs, to be drawn elsewhere.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(self.time_secs(), &self.arm, &self.objects, &self.physics)
    }
}

/// The physics works in single precision.
fn real(value: f64) -> f32 {
    value as f32
}

fn isometry(pose: &Pose) -> Isometry3<f64> {
    let (t, r) = (pose.translation, pose.rotation);
    Isometry3::from_parts(
        nalgebra::Translation3::new(f64::from(t.x), f64::from(t.y), f64::from(t.z)),
        nalgebra::UnitQuaternion::from_quaternion(nalgebra::Quaternion::new(
            f64::from(r.w),
            f64::from(r.x),
            f64::from(r.y),
            f64::from(r.z),
        )),
    )
}

fn pose(isometry: &Isometry3<f64>) -> Pose {
    let (t, r) = (&isometry.translation, &isometry.rotation);
    Pose::from_parts(
        Vec3::new(real(t.x), real(t.y), real(t.z)),
        Quat::from_xyzw(real(r.i), real(r.j), real(r.k), real(r.w)),
    )
}

#[cfg(test)]
mod tests;
