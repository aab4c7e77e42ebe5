//! One joint after the other: the steps that forward kinematics goes by.
//!
//! Owns the frames between joints, made so that a step is few products, and the walk over them. Never
//! knows which variable moves a joint.

use nalgebra::{Matrix3, Rotation3, Unit, Vector3};

use super::{Joint, Motion, trigonometry};
use crate::frame::Frame;

/// A joint in the frame of the one before, which is turned already so that only a turn about x is
/// left between the two axes (as in Denavit and Hartenberg's convention, but with any translation:
/// nearly parallel axes have no common normal worth having).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stage {
    pub(super) translation: [f64; 3],
    /// Cosine and sine of the turn about x.
    pub(super) tilt: [f64; 2],
    /// What is added to the joint's angle, so that both frames are turned right.
    pub(super) offset: f64,
    pub(super) motion: Motion,
}

impl Stage {
    /// One that sits where the joint before it does.
    pub(super) fn still(motion: Motion) -> Stage {
        Stage {
            translation: [0.0; 3],
            tilt: [1.0, 0.0],
            offset: 0.0,
            motion,
        }
    }

    /// Places `stages`, one for each of `joints`, each in the frame of the one before; the first
    /// joint's frame, and the turn of the last stage's frame against the last joint's.
    pub(super) fn connect<'a>(
        joints: impl Iterator<Item = &'a Joint>,
        stages: &mut [Stage],
    ) -> (Frame, Matrix3<f64>) {
        let mut first = Frame::IDENTITY;
        let mut before = Matrix3::identity();
        for (i, joint) in joints.enumerate().take(stages.len()) {
            let align = turn_z_to(&joint.axis);
            let mut origin = seen_from(&before, &joint.origin);
            origin.rotation *= align;
            before = align;
            if i == 0 {
                first = origin;
                continue;
            }
            // Rotation = Rz(pan) Rx(tilt) Rz(roll).
            let r = &origin.rotation;
            let pan = if r[(0, 2)].hypot(r[(1, 2)]) > 0.0 {
                r[(0, 2)].atan2(-r[(1, 2)])
            } else {
                0.0
            };
            let unpan = Rotation3::from_axis_angle(&Vector3::z_axis(), -pan).into_inner();
            let left = unpan * r;
            let tilt = left[(2, 2)].clamp(-1.0, 1.0);
            let tilt = (-left[(1, 2)]).atan2(tilt);
            let untilt = Rotation3::from_axis_angle(&Vector3::x_axis(), -tilt).into_inner();
            let left = untilt * left;
            let roll = left[(1, 0)].atan2(left[(0, 0)]);
            stages[i - 1].offset += pan;
            stages[i].translation = (unpan * origin.translation).into();
            stages[i].tilt = [tilt.cos(), tilt.sin()];
            stages[i].offset = roll;
        }
        (first, before)
    }
}

/// Every joint's axis in the base frame, and the tool.
pub(super) struct Swept<const M: usize> {
    pub(super) directions: [[f64; 3]; M],
    pub(super) points: [[f64; 3]; M],
    pub(super) tool: Frame,
}

/// The first `len` of `stages` at `positions`.
#[inline(always)]
pub(super) fn sweep<const M: usize>(
    first: &Frame,
    stages: &[Stage; M],
    positions: &[f64; M],
    len: usize,
    tip: &Frame,
) -> Swept<M> {
    let mut swept = Swept {
        directions: [[0.0; 3]; M],
        points: [[0.0; 3]; M],
        tool: Frame::IDENTITY,
    };
    let last = walk(first, stages, positions, len, |i, _, _, z, p| {
        swept.directions[i] = z;
        swept.points[i] = p;
    });
    swept.tool = last.then(tip);
    swept
}

/// Goes from joint to joint, showing `visit` the axes and the origin of each one's frame; the last.
#[inline(always)]
pub(super) fn walk<const M: usize>(
    first: &Frame,
    stages: &[Stage; M],
    positions: &[f64; M],
    len: usize,
    mut visit: impl FnMut(usize, [f64; 3], [f64; 3], [f64; 3], [f64; 3]),
) -> Frame {
    let mut angles = [0.0; M];
    for i in 0..M {
        angles[i] = stages[i].offset
            + match stages[i].motion {
                Motion::Turning => positions[i],
                Motion::Sliding => 0.0,
            };
    }
    let (sines, cosines) = trigonometry::sin_cos(&angles);
    let [mut x, mut y, mut z]: [[f64; 3]; 3] = first.rotation.into();
    let mut p: [f64; 3] = first.translation.into();
    for i in 0..len.min(M) {
        let stage = &stages[i];
        if i > 0 {
            let [tx, ty, tz] = stage.translation;
            let [cosine, sine] = stage.tilt;
            for a in 0..3 {
                p[a] += x[a] * tx + y[a] * ty + z[a] * tz;
                (y[a], z[a]) = (y[a] * cosine + z[a] * sine, z[a] * cosine - y[a] * sine);
            }
        }
        if stage.motion == Motion::Sliding {
            for a in 0..3 {
                p[a] += z[a] * positions[i];
            }
        }
        let (sine, cosine) = (sines[i], cosines[i]);
        for a in 0..3 {
            (x[a], y[a]) = (x[a] * cosine + y[a] * sine, y[a] * cosine - x[a] * sine);
        }
        visit(i, x, y, z, p);
    }
    Frame {
        rotation: Matrix3::from([x, y, z]),
        translation: p.into(),
    }
}

impl<const M: usize> Swept<M> {
    /// How the tool moves with joint `i`: a turning joint's column is
    /// `(axis × (tool − point), axis)`, a sliding one's `(axis, 0)`.
    #[inline(always)]
    pub(super) fn moves(&self, i: usize, motion: Motion) -> [f64; 6] {
        let d = &self.directions[i];
        match motion {
            Motion::Sliding => [d[0], d[1], d[2], 0.0, 0.0, 0.0],
            Motion::Turning => {
                let t = &self.tool.translation;
                let p = &self.points[i];
                let r = [t.x - p[0], t.y - p[1], t.z - p[2]];
                [
                    d[1] * r[2] - d[2] * r[1],
                    d[2] * r[0] - d[0] * r[2],
                    d[0] * r[1] - d[1] * r[0],
                    d[0],
                    d[1],
                    d[2],
                ]
            }
        }
    }
}

/// `frame` in a parent that is turned by `turn`.
pub(super) fn seen_from(turn: &Matrix3<f64>, frame: &Frame) -> Frame {
    Frame {
        rotation: turn.transpose() * frame.rotation,
        translation: turn.transpose() * frame.translation,
    }
}

/// A rotation whose z axis is `axis`.
fn turn_z_to(axis: &Unit<Vector3<f64>>) -> Matrix3<f64> {
    Rotation3::rotation_between(&Vector3::z(), axis)
        // Opposite to z there are many; this is one.
        .unwrap_or_else(|| Rotation3::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI))
        .into_inner()
}
