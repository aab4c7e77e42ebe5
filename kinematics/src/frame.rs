//! A frame fixed in another: rotation matrix and translation.
//!
//! Owns composition and the difference of two. Never checks that a rotation is one: whoever takes a
//! pose from outside does.

use nalgebra::{Matrix3, Quaternion, UnitQuaternion, Vector3, Vector6};

/// `parent_from_child`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Columns are the child's axes in the parent.
    pub rotation: Matrix3<f64>,
    /// The child's origin in the parent, metres.
    pub translation: Vector3<f64>,
}

impl Frame {
    /// The parent itself.
    pub const IDENTITY: Frame = Frame {
        rotation: Matrix3::new(1., 0., 0., 0., 1., 0., 0., 0., 1.),
        translation: Vector3::new(0., 0., 0.),
    };

    /// `parent_from_child · child_from_grandchild`.
    #[inline]
    #[must_use]
    pub fn then(&self, next: &Frame) -> Frame {
        Frame {
            rotation: self.rotation * next.rotation,
            translation: self.translation + self.rotation * next.translation,
        }
    }

    /// `child_from_parent`.
    #[inline]
    #[must_use]
    pub fn inverse(&self) -> Frame {
        let rotation = self.rotation.transpose();
        Frame {
            rotation,
            translation: -(rotation * self.translation),
        }
    }

    /// The frame at `translation` (metres) turned by the quaternion `[x, y, z, w]`, brought to unit
    /// length; `None` when a number is not finite or the quaternion's length is not within 1e-3
    /// of 1.
    #[must_use]
    pub fn from_quaternion(translation: [f64; 3], quaternion: [f64; 4]) -> Option<Frame> {
        let [x, y, z, w] = quaternion;
        let quaternion = Quaternion::new(w, x, y, z);
        let finite = translation.iter().all(|number| number.is_finite());
        let unit = (quaternion.norm() - 1.0).abs() <= 1e-3;
        (finite && unit).then(|| Frame {
            rotation: UnitQuaternion::new_normalize(quaternion)
                .to_rotation_matrix()
                .into_inner(),
            translation: translation.into(),
        })
    }

    /// Whether every number is finite and the rotation one, to 1e-6.
    #[inline]
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let r = &self.rotation;
        let mut off = (r.determinant() - 1.0).abs();
        for i in 0..3 {
            off += (r.column(i).norm_squared() - 1.0).abs();
            off += r.column(i).dot(&r.column((i + 1) % 3)).abs();
        }
        // A number that is none is not within anything.
        off <= 1e-6 && self.translation.iter().all(|number| number.is_finite())
    }

    /// How this frame has to move to become `target`: metres above radians, both in the parent's
    /// axes. The angular part is the rotation vector of `target · selfᵀ`, 0 to π long.
    #[must_use]
    pub fn way_to(&self, target: &Frame) -> Vector6<f64> {
        let linear = target.translation - self.translation;
        let angular = rotation_vector(&(target.rotation * self.rotation.transpose()));
        Vector6::new(
            linear.x, linear.y, linear.z, angular.x, angular.y, angular.z,
        )
    }
}

/// The rotation vector (axis times angle, 0 to π) of `rotation`: the logarithm of SO(3), taken
/// through the quaternion where its antisymmetric part says little, near π.
#[must_use]
pub fn rotation_vector(rotation: &Matrix3<f64>) -> Vector3<f64> {
    let r = rotation;
    let twice_sine = Vector3::new(
        r[(2, 1)] - r[(1, 2)],
        r[(0, 2)] - r[(2, 0)],
        r[(1, 0)] - r[(0, 1)],
    );
    let cosine = 0.5 * (r.trace() - 1.0);
    let sine = 0.5 * twice_sine.norm();
    if cosine < -0.9 {
        // R + Rᵀ = 2 cos·1 + 2 (1 − cos) a aᵀ: the axis is the longest column of what is left.
        let symmetric = (r + r.transpose()) * 0.5 - Matrix3::identity() * cosine;
        let longest = symmetric.column_iter().max_by(|a, b| {
            let (a, b) = (a.norm_squared(), b.norm_squared());
            a.total_cmp(&b)
        });
        let axis = longest.map_or(Vector3::z(), |column| column.normalize());
        // Of the two directions the one that the antisymmetric part has.
        let axis = if axis.dot(&twice_sine) < 0.0 {
            -axis
        } else {
            axis
        };
        return axis * sine.atan2(cosine);
    }
    if sine < 1e-9 {
        // The angle over its sine is 1 to the last digit here.
        return twice_sine * 0.5;
    }
    twice_sine * (0.5 * sine.atan2(cosine) / sine)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use nalgebra::Rotation3;
    use std::f64::consts::PI;

    #[test]
    fn the_rotation_vector_is_the_one_it_was_made_of() {
        let axes = [
            Vector3::new(1.0, 0.0, 0.0),
            Vector3::new(-0.3, 0.5, 0.8),
            Vector3::new(0.0, -1.0, 1e-3),
        ];
        let angles = [0.0, 1e-12, 1e-7, 0.01, 1.0, 2.5, 3.0, PI - 1e-5, PI - 1e-7];
        for axis in axes.map(|axis| axis.normalize()) {
            for angle in angles {
                let rotation = Rotation3::new(axis * angle).into_inner();
                let found = rotation_vector(&rotation);
                assert!((found - axis * angle).norm() < 1e-8, "{axis} {angle}");
            }
        }
    }

    #[test]
    fn a_way_from_a_frame_leads_to_the_other_and_the_inverse_back() {
        let from = Frame::from_quaternion([0.1, 0.2, 0.3], [0.5, 0.5, -0.5, 0.5]).unwrap();
        let to = Frame::from_quaternion([-0.2, 0.0, 0.4], [0.0, 0.6, 0.0, 0.8]).unwrap();
        let way = from.way_to(&to);
        let turn = Rotation3::new(way.fixed_rows::<3>(3).into_owned()).into_inner();
        assert!((turn * from.rotation - to.rotation).norm() < 1e-12);
        assert!((from.then(&from.inverse()).way_to(&Frame::IDENTITY)).norm() < 1e-12);
    }

    #[test]
    fn nonsense_is_no_frame() {
        for quaternion in [[0.0; 4], [f64::NAN, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.1]] {
            assert_eq!(Frame::from_quaternion([0.0; 3], quaternion), None);
        }
        let unit = [0.0, 0.0, 0.0, 1.0];
        assert_eq!(
            Frame::from_quaternion([f64::INFINITY, 0.0, 0.0], unit),
            None
        );
        assert!(Frame::from_quaternion([0.0; 3], unit).is_some());
    }
}
