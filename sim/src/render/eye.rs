//! A pinhole camera: from a pixel to a ray.

use nalgebra::{Isometry3, Point3, Vector3};

use super::Look;

/// A pinhole camera placed in the world.
pub(super) struct Eye {
    at: Point3<f32>,
    forward: Vector3<f32>,
    /// one pixel to the right, at distance 1
    right: Vector3<f32>,
    /// one pixel down, at distance 1
    down: Vector3<f32>,
    size: [u32; 2],
}

impl Eye {
    pub(super) fn new(mount: &Isometry3<f32>, look: &Look, size: [u32; 2]) -> Self {
        let at = Point3::from(look.eye).cast::<f32>();
        let target = Point3::from(look.target).cast::<f32>();
        let forward = (target - at).normalize();
        let right = forward
            .cross(&Vector3::from(look.up).cast::<f32>())
            .normalize();
        let down = forward.cross(&right);
        // Pixels are square, so the height alone gives the scale.
        let pixel = 2.0 * (look.fov as f32 / 2.0).tan() / size[1] as f32;
        Self {
            at: mount * at,
            forward: mount * forward,
            right: mount * right * pixel,
            down: mount * down * pixel,
            size,
        }
    }

    pub(super) fn at(&self) -> &Point3<f32> {
        &self.at
    }

    pub(super) fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Unit direction through a point of the picture, in pixels from its upper left corner.
    pub(super) fn ray(&self, x: f32, y: f32) -> Vector3<f32> {
        let [width, height] = self.size;
        (self.forward
            + self.right * (x - width as f32 / 2.0)
            + self.down * (y - height as f32 / 2.0))
            .normalize()
    }
}
