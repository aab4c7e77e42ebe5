//! The shapes pictures are made of, and where a ray enters them.

use nalgebra::{Isometry3, Matrix3, Point3, Vector3};

use super::paint::Finish;

/// Rays that start on a surface must not meet it again, m.
const SKIN: f32 = 2e-5;
/// Width of the rounded look of a box's edges, m.
const BEVEL: f32 = 0.0012;

/// A shape about its own origin, m.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// half sizes
    Box(Vector3<f32>),
    /// along z
    Cylinder {
        radius: f32,
        half_length: f32,
    },
    Sphere {
        radius: f32,
    },
}

impl Shape {
    /// Radius of the sphere around it.
    fn bound(&self) -> f32 {
        match self {
            Self::Box(half) => half.norm(),
            Self::Cylinder {
                radius,
                half_length,
            } => radius.hypot(*half_length),
            Self::Sphere { radius } => *radius,
        }
    }
}

/// A shape where it is now.
pub(super) struct Placed {
    shape: Shape,
    centre: Point3<f32>,
    /// world → local
    turn: Matrix3<f32>,
    bound: f32,
    finish: Finish,
}

impl Placed {
    pub(super) fn new(shape: Shape, pose: &Isometry3<f32>, finish: Finish) -> Self {
        Self {
            shape,
            centre: pose.translation.vector.into(),
            turn: pose.rotation.inverse().to_rotation_matrix().into_inner(),
            bound: shape.bound(),
            finish,
        }
    }

    pub(super) fn centre(&self) -> &Point3<f32> {
        &self.centre
    }

    pub(super) fn bound(&self) -> f32 {
        self.bound
    }

    pub(super) fn finish(&self) -> &Finish {
        &self.finish
    }

    /// Distance along a unit ray to where it enters the shape from outside.
    pub(super) fn enter(&self, from: &Point3<f32>, ray: &Vector3<f32>) -> Option<f32> {
        let start = self.turn * (from - self.centre);
        let along = self.turn * ray;
        match self.shape {
            Shape::Box(half) => enter_box(&half, &start, &along),
            Shape::Cylinder {
                radius,
                half_length,
            } => enter_cylinder(radius, half_length, &start, &along),
            Shape::Sphere { radius } => enter_quadric(
                1.0,
                start.dot(&along),
                start.norm_squared() - radius * radius,
            ),
        }
    }

    /// Outward unit normal at a point of the surface, rounded at a box's edges.
    pub(super) fn normal(&self, point: &Point3<f32>) -> Vector3<f32> {
        let local = self.turn * (point - self.centre);
        let normal = match self.shape {
            Shape::Box(half) => local
                .zip_map(&half, |at, half| {
                    ((at.abs() - half + BEVEL) / BEVEL).max(0.0) * at.signum()
                })
                .normalize(),
            Shape::Cylinder {
                radius,
                half_length,
            } => {
                let across = local.xy().norm() - radius;
                let end = local.z.abs() - half_length;
                if across > end {
                    Vector3::new(local.x, local.y, 0.0).normalize()
                } else {
                    Vector3::z() * local.z.signum()
                }
            }
            Shape::Sphere { .. } => local.normalize(),
        };
        self.turn.tr_mul(&normal)
    }
}

fn enter_box(half: &Vector3<f32>, start: &Vector3<f32>, along: &Vector3<f32>) -> Option<f32> {
    let (mut near, mut far) = (f32::NEG_INFINITY, f32::INFINITY);
    for axis in 0..3 {
        // A ray in a face's plane gives infinities of both signs, which the comparisons settle.
        let inverse = 1.0 / along[axis];
        let one = (-half[axis] - start[axis]) * inverse;
        let two = (half[axis] - start[axis]) * inverse;
        near = near.max(one.min(two));
        far = far.min(one.max(two));
    }
    (near <= far && near > SKIN).then_some(near)
}

fn enter_cylinder(
    radius: f32,
    half_length: f32,
    start: &Vector3<f32>,
    along: &Vector3<f32>,
) -> Option<f32> {
    let side = enter_quadric(
        along.xy().norm_squared(),
        start.xy().dot(&along.xy()),
        start.xy().norm_squared() - radius * radius,
    )
    .filter(|t| (start.z + along.z * t).abs() <= half_length);
    // The end that faces the ray.
    let end = (-half_length * along.z.signum() - start.z) / along.z;
    let end = (end > SKIN && (start.xy() + along.xy() * end).norm_squared() <= radius * radius)
        .then_some(end);
    match (side, end) {
        (Some(side), Some(end)) => Some(side.min(end)),
        (side, end) => side.or(end),
    }
}

/// Smaller root of `a t² + 2 b t + c`.
fn enter_quadric(a: f32, b: f32, c: f32) -> Option<f32> {
    let under = b * b - a * c;
    if under < 0.0 || a <= 0.0 {
        return None;
    }
    let t = (-b - under.sqrt()) / a;
    (t > SKIN).then_some(t)
}
