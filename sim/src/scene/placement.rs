//! Where an episode puts the cubes. It draws poses; it moves nothing.

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use rand::{Rng, RngExt};
use serde::Deserialize;

use super::{BinScene, CubeScene, Scene};

/// Draws tried before the best one so far is taken: a rule that leaves no room must not hang.
const ATTEMPTS: usize = 200;

/// The placement rule: polar about an axis of the arm.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// m, world; the pan axis
    pub axis: [f64; 2],
    /// m, from the axis, least and most
    pub radius: [f64; 2],
    /// rad, from the x axis, least and most
    pub angle: [f64; 2],
    /// rad, about the vertical, least and most
    pub yaw: [f64; 2],
    /// m, least gap between a cube and the bin's walls, or another cube
    pub bin_clearance: f64,
}

impl Scene {
    /// One pose for each cube, lying on the table, clear of the bin and of each other.
    pub fn draw_placement(&self, rng: &mut impl Rng) -> Vec<Isometry3<f64>> {
        let mut poses: Vec<Isometry3<f64>> = Vec::with_capacity(self.cubes.len());
        for (i, cube) in self.cubes.iter().enumerate() {
            let gap = |pose: &Isometry3<f64>| {
                let others = poses.iter().zip(&self.cubes).take(i);
                others
                    .map(|(other, it)| {
                        (pose.translation.vector - other.translation.vector)
                            .xy()
                            .norm()
                            - reach(cube)
                            - reach(it)
                    })
                    .fold(bin_gap(&self.bin, cube, pose), f64::min)
            };
            let mut best = self.placement.draw(cube, rng);
            for _ in 0..ATTEMPTS {
                if gap(&best) >= self.placement.bin_clearance {
                    break;
                }
                let next = self.placement.draw(cube, rng);
                if gap(&next) > gap(&best) {
                    best = next;
                }
            }
            poses.push(best);
        }
        poses
    }
}

impl Placement {
    fn draw(&self, cube: &CubeScene, rng: &mut impl Rng) -> Isometry3<f64> {
        let radius = between(rng, self.radius);
        let angle = between(rng, self.angle);
        let yaw = between(rng, self.yaw);
        Isometry3::from_parts(
            Translation3::new(
                self.axis[0] + radius * angle.cos(),
                self.axis[1] + radius * angle.sin(),
                cube.size / 2.0,
            ),
            UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw),
        )
    }
}

fn between(rng: &mut impl Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// From a cube's centre to a corner, seen from above.
fn reach(cube: &CubeScene) -> f64 {
    cube.size * std::f64::consts::FRAC_1_SQRT_2
}

/// Gap between a cube and the outside of the bin's walls, m.
fn bin_gap(bin: &BinScene, cube: &CubeScene, pose: &Isometry3<f64>) -> f64 {
    let outside = |axis: usize| {
        let half = bin.size[axis] / 2.0 + bin.wall_thickness;
        ((pose.translation.vector[axis] - bin.centre[axis]).abs() - half).max(0.0)
    };
    outside(0).hypot(outside(1)) - reach(cube)
}
