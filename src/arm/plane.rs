//! The vertical plane that an arm moves in, turned by its first joint.
//!
//! Owns the way between a tool's pose and its tilt and roll in that plane. An arm whose first
//! joint does not turn about the vertical has none.
//!
//! In the plane at the first joint's angle, with `outward` horizontal and away from the pan
//! axis, `up` and `side = up × outward`, approach axis `a` (the tool's z) and the tool's x:
//! `tilt = atan2(a·outward, −a·up)`, and with `u = outward·cos tilt + up·sin tilt`,
//! `roll = atan2(−x·side, −x·u)`. Both are independent of the first joint.
//!
//! The way back: the tool's point is beside the plane through the pan axis by a distance that
//! changes with the roll alone, so that the point says how far the plane is turned.
//!
//! Real time: arithmetic only.

use nalgebra::{Matrix3, Rotation3, Unit, Vector3};
use surehand_kinematics::Frame;

use crate::arm::geometry::ArmChain;
use crate::units::JointVec;

/// The first joint may lean this far from vertical (URDF files round π), as a cosine.
const UPRIGHT: f64 = 0.999_999;
/// Turns of the last joint at which the tool's place beside the plane is taken, radians.
const TURNS: [f64; 3] = [-1.0, 0.0, 1.0];

/// The vertical plane the arm moves in, turned by its first joint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmPlane {
    /// Up, along the first joint's axis, base frame.
    pub up: Vector3<f64>,
    /// The pan axis meets this point, base frame, metres.
    pub pan_origin: Vector3<f64>,
    /// The first joint's axis: `up`, or its opposite.
    pub pan_axis: Unit<Vector3<f64>>,
    /// Horizontal and away from the pan axis within the plane, at pan angle 0.
    pub outward_at_zero: Vector3<f64>,
    /// How far the tool's point is beside the plane, metres: the first number, and the others
    /// with the cosine and sine of the roll.
    beside: [f64; 3],
}

/// The tool in the arm's plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attitude {
    /// Radians from straight down, outward positive.
    pub tilt: f64,
    /// Radians about the approach axis.
    pub roll: f64,
}

impl ArmPlane {
    /// That of the arm with `chain`; `middle` is a configuration far from its limits. `None`
    /// where the first joint does not turn about the vertical.
    #[must_use]
    pub fn of(chain: &ArmChain, middle: &JointVec<f64>) -> Option<ArmPlane> {
        let at_zero = chain.forward(&middle.map(|_| 0.0));
        let mut axes = at_zero.axes();
        let (pan_axis, pan_origin) = axes.next()?;
        if pan_axis.z.abs() < UPRIGHT {
            return None;
        }
        let up = pan_axis * pan_axis.z.signum();
        // The second joint's axis is the normal of the plane; without one, the tool's side is out.
        let normal = axes.next().map(|(axis, _)| axis.cross(&up));
        let to_tool = at_zero.tool.translation - pan_origin;
        let flat = to_tool - up * up.dot(&to_tool);
        let outward = match normal {
            Some(in_plane) if in_plane.norm() > 1e-6 => {
                in_plane * if in_plane.dot(&flat) < 0.0 { -1.0 } else { 1.0 }
            }
            _ if flat.norm() > 1e-6 => flat,
            _ => Vector3::x(),
        };
        let mut plane = ArmPlane {
            up,
            pan_origin: *pan_origin,
            pan_axis: Unit::new_normalize(*pan_axis),
            outward_at_zero: (outward - up * up.dot(&outward)).normalize(),
            beside: [0.0; 3],
        };
        plane.beside = plane.measure(chain, middle);
        Some(plane)
    }

    /// The tool's place beside the plane at three turns of the last joint, solved for the three
    /// numbers of [`ArmPlane::beside`].
    fn measure(&self, chain: &ArmChain, middle: &JointVec<f64>) -> [f64; 3] {
        let places = TURNS.map(|turn| {
            let mut angles = *middle;
            if let Some(last) = angles.as_mut_slice().last_mut() {
                *last += turn;
            }
            let tool = chain.tool(&angles);
            let pan = angles.get(0).unwrap_or_default();
            let side = self.up.cross(&self.outward(pan));
            let roll = self.attitude(&tool, pan).roll;
            (roll, side.dot(&(tool.translation - self.pan_origin)))
        });
        let rows = places.map(|(roll, _)| [1.0, roll.cos(), roll.sin()]);
        let [first, ..] = places.map(|(_, beside)| beside);
        // An arm whose last joint does not roll the tool has only one roll.
        let inverse = Matrix3::from(rows).transpose().try_inverse();
        let beside = Vector3::from(places.map(|(_, beside)| beside));
        inverse.map_or([first, 0.0, 0.0], |inverse| (inverse * beside).into())
    }

    /// The outward direction at pan angle `pan`, radians.
    #[must_use]
    pub fn outward(&self, pan: f64) -> Vector3<f64> {
        Rotation3::from_axis_angle(&self.pan_axis, pan) * self.outward_at_zero
    }

    /// The tilt and roll of a tool with the first joint at `pan` radians. They lie in −π…π.
    #[must_use]
    pub fn attitude(&self, tool: &Frame, pan: f64) -> Attitude {
        let (outward, up) = (self.outward(pan), self.up);
        let side = up.cross(&outward);
        let approach: Vector3<f64> = tool.rotation.column(2).into();
        let x: Vector3<f64> = -tool.rotation.column(0);
        let tilt = approach.dot(&outward).atan2(-approach.dot(&up));
        let u = outward * tilt.cos() + up * tilt.sin();
        Attitude {
            tilt,
            roll: x.dot(&side).atan2(x.dot(&u)),
        }
    }

    /// Whether the tool of an arm with its first joint at `pan` reaches back over the pan axis.
    #[must_use]
    pub fn reaches_back(&self, tool: &Frame, pan: f64) -> bool {
        self.outward(pan).dot(&(tool.translation - self.pan_origin)) < 0.0
    }

    /// The pose of a tool at `position` (metres, base frame) with this attitude, of an arm that
    /// reaches back over its pan axis or does not.
    #[must_use]
    pub fn pose(&self, position: Vector3<f64>, attitude: Attitude, back: bool) -> Frame {
        let Attitude { tilt, roll } = attitude;
        let [fixed, cosine, sine] = self.beside;
        let beside = fixed + cosine * roll.cos() + sine * roll.sin();
        let way = position - self.pan_origin;
        let flat = way - self.up * self.up.dot(&way);
        // Nearer to the pan axis than it is beside the plane no tool can be.
        let along = (flat.norm_squared() - beside * beside).max(0.0).sqrt();
        let along = if back { -along } else { along };
        // flat = along · outward + beside · side, and side = up × outward.
        let outward = flat * along - self.up.cross(&flat) * beside;
        let outward = outward.try_normalize(1e-9).unwrap_or(self.outward_at_zero);
        let side = self.up.cross(&outward);
        let approach = outward * tilt.sin() - self.up * tilt.cos();
        let u = outward * tilt.cos() + self.up * tilt.sin();
        let x = -(u * roll.cos() + side * roll.sin());
        Frame {
            rotation: Matrix3::from_columns(&[x, approach.cross(&x), approach]),
            translation: position,
        }
    }
}
