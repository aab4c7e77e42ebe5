//! The poses of everything that moves, at one instant: what a picture is drawn from.

use std::sync::Arc;

use nalgebra::Isometry3;
use rapier3d::pipeline::PhysicsWorld;

use super::arm::Arm;
use super::isometry;
use super::objects::Objects;

/// The poses of everything that moves, at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// virtual seconds
    pub time_secs: f64,
    /// names of the links that carry mass
    pub link_names: Arc<[String]>,
    /// their world poses, in the same order
    pub links: Vec<Isometry3<f64>>,
    /// the cubes, in the scene's order
    pub cubes: Vec<Isometry3<f64>>,
}

impl Snapshot {
    /// World pose of a link that carries mass.
    #[must_use]
    pub fn link_pose(&self, name: &str) -> Option<&Isometry3<f64>> {
        let at = self.link_names.iter().position(|link| link == name)?;
        self.links.get(at)
    }

    pub(super) fn take(
        time_secs: f64,
        arm: &Arm,
        objects: &Objects,
        physics: &PhysicsWorld,
    ) -> Self {
        Self {
            time_secs,
            link_names: arm.link_names(),
            links: arm
                .links()
                .iter()
                .map(|link| isometry(physics.bodies[*link].position()))
                .collect(),
            cubes: objects.poses(physics).map(|(_, pose)| pose).collect(),
        }
    }
}
