//! What is not the arm: the table and the bin, which stay, and the cubes, which move.

use nalgebra::Isometry3;
use rapier3d::dynamics::{RigidBodyBuilder, RigidBodyHandle};
use rapier3d::geometry::ColliderBuilder;
use rapier3d::glamx::Vec3;
use rapier3d::pipeline::PhysicsWorld;

use super::{isometry, pose, real};
use crate::scene::{BinScene, Scene};

/// m. Thick enough that nothing is ever pressed through it.
const TABLE_THICKNESS: f64 = 0.05;

/// The cubes' bodies.
pub(super) struct Objects {
    /// name and body, in the scene's order
    cubes: Vec<(String, RigidBodyHandle)>,
}

impl Objects {
    pub(super) fn insert(scene: &Scene, physics: &mut PhysicsWorld) -> Self {
        let table = &scene.table;
        let fixed = || RigidBodyBuilder::fixed();
        physics.insert(
            fixed().translation(Vec3::new(
                real(table.centre[0]),
                real(table.centre[1]),
                real(-TABLE_THICKNESS / 2.0),
            )),
            ColliderBuilder::cuboid(
                real(table.size[0] / 2.0),
                real(table.size[1] / 2.0),
                real(TABLE_THICKNESS / 2.0),
            )
            .friction(real(table.friction))
            .friction_combine_rule(rapier3d::dynamics::CoefficientCombineRule::Min),
        );
        for part in bin_parts(&scene.bin) {
            let [x, y, z] = part.half.map(real);
            physics.insert(
                fixed().translation(Vec3::from_array(part.centre.map(real))),
                ColliderBuilder::cuboid(x, y, z).friction(real(scene.bin.friction)),
            );
        }
        let mut at = scene.placement.axis;
        at[0] += scene.placement.radius[0];
        let cubes = scene
            .cubes
            .iter()
            .map(|cube| {
                let half = real(cube.size / 2.0);
                let place = Vec3::new(real(at[0]), real(at[1]), half);
                at[0] += cube.size * 2.0;
                let (body, _) = physics.insert(
                    RigidBodyBuilder::dynamic()
                        .translation(place)
                        .can_sleep(false),
                    ColliderBuilder::cuboid(half, half, half)
                        .mass(real(cube.mass))
                        .friction(real(cube.friction)),
                );
                (cube.name.clone(), body)
            })
            .collect();
        Self { cubes }
    }

    pub(super) fn place(&self, cube: usize, at: &Isometry3<f64>, physics: &mut PhysicsWorld) {
        let Some((_, handle)) = self.cubes.get(cube) else {
            return;
        };
        if let Some(body) = physics.bodies.get_mut(*handle) {
            body.set_position(pose(at), true);
            body.set_linvel(Vec3::ZERO, true);
            body.set_angvel(Vec3::ZERO, true);
        }
    }

    pub(super) fn poses(
        &self,
        physics: &PhysicsWorld,
    ) -> impl Iterator<Item = (&str, Isometry3<f64>)> {
        self.cubes
            .iter()
            .map(|(name, body)| (name.as_str(), isometry(physics.bodies[*body].position())))
    }
}

/// An upright box, m.
pub(crate) struct Part {
    pub(crate) centre: [f64; 3],
    pub(crate) half: [f64; 3],
}

/// The floor and the four walls of the bin.
pub(crate) fn bin_parts(bin: &BinScene) -> [Part; 5] {
    let ([x, y], thick) = (bin.centre, bin.wall_thickness);
    let [half_x, half_y] = [bin.size[0] / 2.0, bin.size[1] / 2.0];
    let (half_wall, half_height) = (thick / 2.0, bin.wall_height / 2.0);
    let along_x = |side: f64| Part {
        centre: [x, y + side * (half_y + half_wall), half_height],
        half: [half_x + thick, half_wall, half_height],
    };
    let along_y = |side: f64| Part {
        centre: [x + side * (half_x + half_wall), y, half_height],
        half: [half_wall, half_y, half_height],
    };
    let floor = Part {
        centre: [x, y, half_wall],
        half: [half_x, half_y, half_wall],
    };
    [
        floor,
        along_x(1.0),
        along_x(-1.0),
        along_y(1.0),
        along_y(-1.0),
    ]
}
