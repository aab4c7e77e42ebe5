//! Domain randomisation: the same task under other paint, another lamp and cameras a little off.
//!
//! It changes what is seen, never what is felt: sizes, masses and frictions stay.

use rand::{Rng, RngExt};

use super::{Colour, Scene};

/// m, how far a camera's eye and target wander on each axis.
const CAMERA_WANDER: f64 = 0.006;
/// Least distance between the colours of a cube and of what it lies on or in.
const CONTRAST: f32 = 0.35;
/// Draws tried for a colour that stands out.
const ATTEMPTS: usize = 50;

impl Scene {
    /// This scene with colours, lamp and camera poses drawn anew.
    #[must_use]
    pub fn randomised(&self, rng: &mut impl Rng) -> Self {
        let mut scene = self.clone();
        scene.table.colour = paint(rng);
        scene.table.surroundings = paint(rng);
        scene.table.texture = rng.random_range(0.0..0.2);
        scene.bin.colour = apart(rng, &[scene.table.colour]);
        for colour in scene.arm.colours.values_mut() {
            *colour = paint(rng);
        }
        let backdrop = [scene.table.colour, scene.bin.colour];
        for cube in &mut scene.cubes {
            cube.colour = apart(rng, &backdrop);
        }
        let bearing = rng.random_range(0.0..std::f64::consts::TAU);
        let lean = rng.random_range(0.1..1.2);
        scene.light.towards = [lean * bearing.cos(), lean * bearing.sin(), 1.0];
        scene.light.strength = rng.random_range(0.5..1.0);
        scene.light.ambient = rng.random_range(0.25..0.6);
        for part in &mut scene.light.colour {
            *part = rng.random_range(0.88..1.0);
        }
        for camera in &mut scene.cameras {
            for value in camera.eye.iter_mut().chain(&mut camera.target) {
                *value += rng.random_range(-CAMERA_WANDER..CAMERA_WANDER);
            }
            camera.fov *= rng.random_range(0.98..1.02);
        }
        scene
    }
}

/// A colour anywhere but pitch black.
fn paint(rng: &mut impl Rng) -> Colour {
    std::array::from_fn(|_| rng.random_range(0.06..0.96))
}

/// A colour that stands out from `others`, or the best of many draws.
fn apart(rng: &mut impl Rng, others: &[Colour]) -> Colour {
    let distance = |colour: &Colour| {
        others
            .iter()
            .map(|other| {
                let square = |i: usize| (colour[i] - other[i]).powi(2);
                (square(0) + square(1) + square(2)).sqrt()
            })
            .fold(f32::INFINITY, f32::min)
    };
    let mut best = paint(rng);
    for _ in 0..ATTEMPTS {
        if distance(&best) >= CONTRAST {
            break;
        }
        let next = paint(rng);
        if distance(&next) > distance(&best) {
            best = next;
        }
    }
    best
}
