//! Pictures of the workcell, by ray casting on the CPU: boxes, cylinders and spheres under one lamp.
//!
//! A picture is a pure function of the scene, a [`Snapshot`], the camera, the seed and the frame
//! number. The renderer never steps the physics and never reads a clock.

mod cull;
mod eye;
mod image;
mod noise;
mod paint;
mod solid;
mod stage;

use nalgebra::{Isometry3, Point3, Vector3};

use crate::scene::{CameraScene, NoiseScene, Scene, ViewScene};
use crate::world::Snapshot;

use cull::{Shadows, Tiles};
use eye::Eye;
pub use image::{Image, JpegError};
use paint::{Linear, Paint};
use solid::Placed;
use stage::Stage;

/// Rays a side of a pixel in pictures for people.
const VIEW_SAMPLES: u32 = 4;

/// Draws the pictures of one scene.
pub struct Renderer {
    stage: Stage,
    paint: Paint,
    cameras: Vec<CameraScene>,
    noise: NoiseScene,
    seed: u64,
}

impl Renderer {
    /// A renderer whose sensor noise follows from `seed`.
    #[must_use]
    pub fn new(scene: &Scene, seed: u64) -> Self {
        Self {
            stage: Stage::new(scene),
            paint: Paint::new(scene),
            cameras: scene.cameras.clone(),
            noise: scene.noise.clone(),
            seed,
        }
    }

    /// The cameras, in the scene's order.
    #[must_use]
    pub fn cameras(&self) -> &[CameraScene] {
        &self.cameras
    }

    /// The number [`Renderer::render`] takes for a camera's name.
    #[must_use]
    pub fn camera(&self, name: &str) -> Option<usize> {
        self.cameras.iter().position(|camera| camera.name == name)
    }

    /// What a camera's sensor delivers as its `frame`th picture, noise included: no two frames are
    /// the same bytes.
    ///
    /// # Panics
    /// When the scene has no such camera; [`Renderer::camera`] gives a number that exists.
    #[must_use]
    pub fn render(&self, snapshot: &Snapshot, camera: usize, frame: u64) -> Image {
        let scene = &self.cameras[camera];
        let mount = snapshot
            .link_pose(&scene.mount)
            .map_or_else(Isometry3::identity, |pose| pose.cast::<f32>());
        let eye = Eye::new(&mount, &Look::from(scene), [scene.width, scene.height]);
        let pixels = self.trace(snapshot, &eye, 1);
        noise::expose(
            &pixels,
            &eye,
            &self.noise,
            [self.seed, camera as u64, frame],
        )
    }

    /// A clean, smooth picture for people, from anywhere.
    #[must_use]
    pub fn view(&self, snapshot: &Snapshot, view: &ViewScene, width: u32, height: u32) -> Image {
        let eye = Eye::new(&Isometry3::identity(), &Look::from(view), [width, height]);
        let pixels = self.trace(snapshot, &eye, VIEW_SAMPLES);
        Image::from_linear(width, height, &pixels)
    }

    /// The light that reaches each pixel, `samples`² rays averaged.
    fn trace(&self, snapshot: &Snapshot, eye: &Eye, samples: u32) -> Vec<Linear> {
        let solids = self.stage.place(snapshot);
        let tiles = Tiles::new(&solids, eye);
        // Each ray of a pixel sees another point of the lamp: a lamp of some size, soft shadows.
        let lamps: Vec<Shadows> = (0..samples * samples)
            .map(|sub| Shadows::new(&solids, &self.paint.lamp_point(sub, samples)))
            .collect();
        let [width, height] = eye.size();
        let mut pixels = Vec::with_capacity(width as usize * height as usize);
        let share = 1.0 / (samples * samples) as f32;
        for y in 0..height {
            for x in 0..width {
                let near = tiles.at(x, y);
                let mut light = Linear::zeros();
                for (sub, shadows) in (0..).zip(&lamps) {
                    let offset = |n: u32| (n as f32 + 0.5) / samples as f32;
                    let ray = eye.ray(
                        x as f32 + offset(sub % samples),
                        y as f32 + offset(sub / samples),
                    );
                    light += self.light(&solids, near, shadows, eye.at(), &ray);
                }
                pixels.push(light * share);
            }
        }
        pixels
    }

    fn light(
        &self,
        solids: &[Placed],
        near: &[u16],
        shadows: &Shadows,
        from: &Point3<f32>,
        ray: &Vector3<f32>,
    ) -> Linear {
        let mut best = f32::INFINITY;
        let mut hit = None;
        for &at in near {
            let solid = &solids[usize::from(at)];
            if let Some(distance) = solid.enter(from, ray)
                && distance < best
            {
                best = distance;
                hit = Some(solid);
            }
        }
        if let Some((distance, normal)) = self.paint.table_hit(from, ray)
            && distance < best
        {
            let point = from + ray * distance;
            let lit = !shadows.dark(solids, &point, &normal);
            return self.paint.table(&point, &normal, lit);
        }
        match hit {
            None => self.paint.beyond(ray),
            Some(solid) => {
                let point = from + ray * best;
                let normal = solid.normal(&point);
                let lit = !shadows.dark(solids, &point, &normal);
                self.paint.solid(solid.finish(), &point, &normal, ray, lit)
            }
        }
    }
}

/// Where an eye is, in the frame it is mounted on.
struct Look {
    eye: [f64; 3],
    target: [f64; 3],
    up: [f64; 3],
    fov: f64,
}

impl From<&CameraScene> for Look {
    fn from(camera: &CameraScene) -> Self {
        Self {
            eye: camera.eye,
            target: camera.target,
            up: camera.up,
            fov: camera.fov,
        }
    }
}

impl From<&ViewScene> for Look {
    fn from(view: &ViewScene) -> Self {
        Self {
            eye: view.eye,
            target: view.target,
            up: view.up,
            fov: view.fov,
        }
    }
}

#[cfg(test)]
mod tests;
