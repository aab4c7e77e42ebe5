//! All points within a radius of a segment: what a link is taken to be.
//!
//! Owns how one is laid around the shapes of a URDF so that all of the shape is inside. Never smaller
//! than what it stands for.

use nalgebra::{Matrix3, Vector3};

use crate::frame::Frame;

/// Most capsules side by side for a flat box.
const STRIPS: u32 = 2;
/// Radii that are tried, as multiples of the least: a thicker capsule may be a shorter one.
const RADII: [f64; 9] = [1.0, 1.01, 1.03, 1.06, 1.1, 1.15, 1.2, 1.3, 1.42];

/// A segment with a radius, metres; a sphere where its ends are one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capsule {
    /// Where the segment begins.
    pub from: Vector3<f64>,
    /// Where it ends.
    pub to: Vector3<f64>,
    /// How far its surface is from it, not below 0.
    pub radius: f64,
}

impl Capsule {
    /// A ball.
    #[must_use]
    pub fn sphere(centre: Vector3<f64>, radius: f64) -> Capsule {
        Capsule {
            from: centre,
            to: centre,
            radius,
        }
    }

    /// The same in the parent that `frame` is in.
    #[inline]
    #[must_use]
    pub fn placed(&self, frame: &Frame) -> Capsule {
        Capsule {
            from: frame.translation + frame.rotation * self.from,
            to: frame.translation + frame.rotation * self.to,
            radius: self.radius,
        }
    }

    /// Whether its numbers are finite and the radius is not below 0.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let ends = self.from.iter().chain(self.to.iter());
        self.radius >= 0.0 && ends.chain([&self.radius]).all(|it| it.is_finite())
    }

    /// How far `point` is outside; negative inside.
    #[must_use]
    pub fn distance(&self, point: &Vector3<f64>) -> f64 {
        let along = self.to - self.from;
        let length = along.norm_squared();
        let share = if length > 0.0 {
            ((point - self.from).dot(&along) / length).clamp(0.0, 1.0)
        } else {
            0.0
        };
        (point - self.from - along * share).norm() - self.radius
    }

    /// Around a cylinder, its axis along z and its middle in the origin.
    #[must_use]
    pub fn around_cylinder(radius: f64, length: f64) -> Capsule {
        let (radius, half) = least(radius, 0.5 * length);
        Capsule {
            from: Vector3::new(0.0, 0.0, -half),
            to: Vector3::new(0.0, 0.0, half),
            radius,
        }
    }

    /// Around a box with its middle in the origin: along its longest side, several side by side where
    /// it is flat.
    pub fn around_box(size: [f64; 3]) -> impl Iterator<Item = Capsule> {
        let mut order = [0, 1, 2];
        order.sort_by(|a, b| size[*b].total_cmp(&size[*a]));
        let [long, wide, thin] = order;
        let flat = size[wide] / size[thin].max(1e-9);
        // Rounded: a strip half as wide again as it is thick is as good as a square.
        let strips = (1..STRIPS).find(|strips| flat < f64::from(*strips) + 0.5);
        let strips = strips.unwrap_or(STRIPS);
        let width = size[wide] / f64::from(strips);
        let (radius, half) = least(0.5 * width.hypot(size[thin]), 0.5 * size[long]);
        (0..strips).map(move |strip| {
            let mut middle = Vector3::zeros();
            middle[wide] = (f64::from(strip) + 0.5) * width - 0.5 * size[wide];
            let mut along = Vector3::zeros();
            along[long] = half;
            Capsule {
                from: middle - along,
                to: middle + along,
                radius,
            }
        })
    }

    /// Around points; `None` without any, or where one is not finite. Of capsules along the axes and
    /// along the points' own principal ones it is the smallest.
    #[must_use]
    pub fn around(points: &[Vector3<f64>]) -> Option<Capsule> {
        if points.is_empty() || !points.iter().flatten().all(|it| it.is_finite()) {
            return None;
        }
        let share = 1.0 / points.iter().map(|_| 1.0).sum::<f64>();
        let mean: Vector3<f64> = points.iter().sum::<Vector3<f64>>() * share;
        let mut spread = Matrix3::zeros();
        for point in points {
            spread += (point - mean) * (point - mean).transpose();
        }
        let principal = spread.symmetric_eigen().eigenvectors;
        let axes = (0..3).map(|i| principal.column(i).into_owned());
        let axes = axes.chain([Vector3::x(), Vector3::y(), Vector3::z()]);
        let capsules = axes.map(|axis| Capsule::along(&axis, points));
        capsules.min_by(|a, b| a.volume().total_cmp(&b.volume()))
    }

    /// The smallest around `points` with its segment along `axis`.
    fn along(axis: &Vector3<f64>, points: &[Vector3<f64>]) -> Capsule {
        let centre = centre_across(axis, points);
        let across = |point: &Vector3<f64>| {
            let off = point - centre;
            (off - axis * off.dot(axis)).norm()
        };
        let least = points.iter().map(across).fold(0.0, f64::max);
        let tries = RADII.map(|times| {
            let radius = times * least;
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for point in points {
                let at = (point - centre).dot(axis);
                let cap = (radius * radius - across(point).powi(2)).max(0.0).sqrt();
                low = low.min(at + cap);
                high = high.max(at - cap);
            }
            // One cap may reach beyond the other: any point between them does for both.
            let (low, high) = if low > high {
                (0.5 * (low + high), 0.5 * (low + high))
            } else {
                (low, high)
            };
            Capsule {
                from: centre + axis * low,
                to: centre + axis * high,
                radius,
            }
        });
        let smaller = |a: Capsule, b: Capsule| if b.volume() < a.volume() { b } else { a };
        let [first, rest @ ..] = tries;
        rest.into_iter().fold(first, smaller)
    }

    fn volume(&self) -> f64 {
        let length = (self.to - self.from).norm();
        self.radius * self.radius * (length + 4.0 / 3.0 * self.radius)
    }
}

/// A point that is nearly the middle of the smallest circle around `points` as they are seen along
/// `axis`: from the mean, ever shorter steps towards the farthest (Bădoiu and Clarkson 2003).
fn centre_across(axis: &Vector3<f64>, points: &[Vector3<f64>]) -> Vector3<f64> {
    let flat = |point: &Vector3<f64>| point - axis * point.dot(axis);
    let Some(first) = points.first() else {
        return Vector3::zeros();
    };
    let mut centre = flat(first);
    for step in 1..200_u32 {
        let away = |point: &&Vector3<f64>| (flat(point) - centre).norm_squared();
        let farthest = points.iter().max_by(|a, b| away(a).total_cmp(&away(b)));
        if let Some(farthest) = farthest {
            centre += (flat(farthest) - centre) / f64::from(step + 1);
        }
    }
    centre
}

/// Radius and half length of the smallest capsule around what is `across` thick at `half` to either
/// side of its middle.
fn least(across: f64, half: f64) -> (f64, f64) {
    let mut best = (f64::INFINITY, 0.0, 0.0);
    let ball = across.hypot(half) / across.max(1e-12);
    for times in RADII.into_iter().chain([ball]) {
        let radius = times * across;
        let cap = (radius * radius - across * across).max(0.0).sqrt();
        let length = (half - cap).max(0.0);
        let volume = radius * radius * (2.0 * length + 4.0 / 3.0 * radius);
        if volume < best.0 && cap.max(half) <= cap + length + 1e-12 {
            best = (volume, radius, length);
        }
    }
    (best.1, best.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn corners([x, y, z]: [f64; 3]) -> impl Iterator<Item = Vector3<f64>> {
        (0..8_u32).map(move |corner| {
            let side = |bit: u32| if corner & bit == 0 { -0.5 } else { 0.5 };
            Vector3::new(x * side(1), y * side(2), z * side(4))
        })
    }

    proptest! {
        #[test]
        fn all_of_a_box_is_inside_its_capsules(
            size in prop::array::uniform3(0.001..0.5f64),
            shares in prop::array::uniform3(-0.5..0.5f64),
        ) {
            let capsules: Vec<Capsule> = Capsule::around_box(size).collect();
            let [x, y, z] = shares;
            let inside = Vector3::new(x * size[0], y * size[1], z * size[2]);
            for point in corners(size).chain([inside]) {
                let least = capsules.iter().map(|it| it.distance(&point)).fold(1.0, f64::min);
                prop_assert!(least < 1e-9, "{least} {point}");
            }
        }

        #[test]
        fn all_of_a_cylinder_is_inside_its_capsule(radius in 0.001..0.5f64, length in 0.001..0.5f64) {
            let capsule = Capsule::around_cylinder(radius, length);
            let rim = Vector3::new(radius, 0.0, 0.5 * length);
            prop_assert!(capsule.distance(&rim) < 1e-9);
            prop_assert!(capsule.radius <= 1.0001 * radius.hypot(0.5 * length).max(1.43 * radius));
        }

        #[test]
        fn all_points_are_inside_the_capsule_around_them(
            points in prop::collection::vec(prop::array::uniform3(-1.0..1.0f64), 1..40),
            stretch in prop::array::uniform3(0.0..1.0f64),
        ) {
            let stretch = Vector3::from(stretch);
            let points: Vec<Vector3<f64>> =
                points.iter().map(|it| Vector3::from(*it).component_mul(&stretch)).collect();
            let capsule = Capsule::around(&points).unwrap();
            for point in &points {
                prop_assert!(capsule.distance(point) < 1e-9, "{capsule:?} {point}");
            }
        }
    }

    #[test]
    fn a_rods_capsule_is_a_rod_and_a_balls_a_ball() {
        let rod: Vec<Vector3<f64>> = (0..50)
            .flat_map(|i| {
                let at = f64::from(i) / 49.0;
                let turn = f64::from(i) * 2.4;
                let across = Vector3::new(0.0, turn.cos(), turn.sin()) * 0.02;
                [Vector3::x() * at + across, Vector3::x() * at - across]
            })
            .collect();
        let capsule = Capsule::around(&rod).unwrap();
        assert!(capsule.radius < 0.03, "{capsule:?}");
        assert!((capsule.to - capsule.from).norm() > 0.9);
        let ball: Vec<Vector3<f64>> = corners([1.0; 3]).map(|it| it.normalize()).collect();
        let capsule = Capsule::around(&ball).unwrap();
        assert!(capsule.radius < 1.1 && (capsule.to - capsule.from).norm() < 0.6);
        assert_eq!(Capsule::around(&[]), None);
        assert_eq!(Capsule::around(&[Vector3::repeat(f64::NAN)]), None);
    }
}
