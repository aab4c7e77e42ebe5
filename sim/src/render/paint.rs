//! How surfaces answer light: the lamp, the ambient light, the table's grain and what lies beyond.

use std::sync::LazyLock;

use nalgebra::{Point3, Vector3};

use super::noise::hash;
use crate::scene::{Colour, Scene};

/// Red, green, blue as amounts of light.
pub(super) type Linear = Vector3<f32>;

/// m, how thick the table looks.
const TABLE_THICKNESS: f32 = 0.02;
/// Width of the lamp, as an angle seen from the scene, rad.
const LAMP_SIZE: f32 = 0.10;
/// Cells a side of the grain, and cells a metre along and across it.
const GRAIN: usize = 512;
const GRAIN_PER_M: [f32; 2] = [110.0, 520.0];

/// The grain of every table: brightness around 0, the same in every run.
static WOOD: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let value = |x: usize, y: usize| (hash((x * 7919 + y) as u64) >> 40) as f32 / (1 << 23) as f32;
    let raw: Vec<f32> = (0..GRAIN * GRAIN)
        .map(|i| value(i % GRAIN, i / GRAIN) - 1.0)
        .collect();
    // Averaging along x turns dots into streaks.
    (0..GRAIN * GRAIN)
        .map(|i| {
            let (x, y) = (i % GRAIN, i / GRAIN);
            let sum: f32 = (0..9).map(|n| raw[y * GRAIN + (x + n) % GRAIN]).sum();
            sum / 3.0
        })
        .collect()
});

/// What a surface is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finish {
    colour: Linear,
    /// 0 dull to 1 polished
    gloss: f32,
}

impl Finish {
    pub(super) fn new(colour: Colour, gloss: f32) -> Self {
        Self {
            colour: linear(colour),
            gloss,
        }
    }
}

/// The light of a scene and the table under it.
pub(super) struct Paint {
    towards: Vector3<f32>,
    lamp: Linear,
    ambient: f32,
    table: Linear,
    texture: f32,
    surroundings: Linear,
    low: Vector3<f32>,
    high: Vector3<f32>,
}

impl Paint {
    pub(super) fn new(scene: &Scene) -> Self {
        let table = &scene.table;
        let edge =
            |side: f64| [0, 1].map(|axis| table.centre[axis] + side * table.size[axis] / 2.0);
        let ([low_x, low_y], [high_x, high_y]) = (edge(-1.0), edge(1.0));
        let mut low = Vector3::new(low_x, low_y, 0.0).cast::<f32>();
        low.z = -TABLE_THICKNESS;
        Self {
            towards: Vector3::from(scene.light.towards).cast::<f32>().normalize(),
            lamp: linear(scene.light.colour) * scene.light.strength,
            ambient: scene.light.ambient,
            table: linear(table.colour),
            texture: table.texture,
            surroundings: linear(table.surroundings),
            low,
            high: Vector3::new(high_x, high_y, 0.0).cast(),
        }
    }

    /// Direction to one of `samples`² points of the lamp; with one sample, its middle.
    pub(super) fn lamp_point(&self, sub: u32, samples: u32) -> Vector3<f32> {
        let across = self.towards.cross(&Vector3::x()).normalize();
        let along = self.towards.cross(&across);
        let offset = |n: u32| LAMP_SIZE * ((n as f32 + 0.5) / samples as f32 - 0.5);
        let (x, y) = (offset(sub % samples), offset(sub / samples));
        (self.towards + across * y + along * x).normalize()
    }

    /// Distance and normal where a ray meets the table.
    pub(super) fn table_hit(
        &self,
        from: &Point3<f32>,
        ray: &Vector3<f32>,
    ) -> Option<(f32, Vector3<f32>)> {
        let (mut near, mut far) = (f32::NEG_INFINITY, f32::INFINITY);
        let mut face = 2;
        for axis in 0..3 {
            let inverse = 1.0 / ray[axis];
            let one = (self.low[axis] - from[axis]) * inverse;
            let two = (self.high[axis] - from[axis]) * inverse;
            if one.min(two) > near {
                near = one.min(two);
                face = axis;
            }
            far = far.min(one.max(two));
        }
        (near <= far && near > 0.0).then(|| {
            let mut normal = Vector3::zeros();
            normal[face] = -ray[face].signum();
            (near, normal)
        })
    }

    pub(super) fn table(&self, point: &Point3<f32>, normal: &Vector3<f32>, lit: bool) -> Linear {
        let cell = |axis: usize| {
            let steps = (point[axis] - self.low[axis]) * GRAIN_PER_M[axis];
            steps.max(0.0) as usize % GRAIN
        };
        let grain = 1.0 + self.texture * WOOD[cell(1) * GRAIN + cell(0)];
        self.table.component_mul(&self.incident(normal, lit)) * grain
    }

    pub(super) fn solid(
        &self,
        finish: &Finish,
        point: &Point3<f32>,
        normal: &Vector3<f32>,
        ray: &Vector3<f32>,
        lit: bool,
    ) -> Linear {
        // Close to the table less light comes from around.
        let open = 0.72 + 0.28 * (point.z / 0.05).clamp(0.0, 1.0);
        let mut light = finish
            .colour
            .component_mul(&(self.incident(normal, lit) * open));
        if lit {
            let halfway = (self.towards - ray).normalize();
            let shine = normal.dot(&halfway).max(0.0);
            // shine^32, by squaring
            let shine = shine * shine;
            let shine = shine * shine;
            let shine = shine * shine;
            let shine = shine * shine;
            light += self.lamp * (finish.gloss * 0.5 * shine * shine);
        }
        light
    }

    /// What is seen past the edge of the table.
    pub(super) fn beyond(&self, ray: &Vector3<f32>) -> Linear {
        self.surroundings * (self.ambient + 0.35 + 0.25 * ray.z)
    }

    /// The light that falls on a surface.
    fn incident(&self, normal: &Vector3<f32>, lit: bool) -> Linear {
        let around = self.ambient * (0.75 + 0.25 * normal.z);
        let direct = if lit {
            normal.dot(&self.towards).max(0.0)
        } else {
            0.0
        };
        Linear::repeat(around) + self.lamp * direct
    }
}

/// From a screen's values to amounts of light.
fn linear(colour: Colour) -> Linear {
    Linear::from(colour).map(|part| {
        if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    })
}
