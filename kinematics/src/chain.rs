//! A serial chain moved by exactly `N` variables: forward kinematics and geometric Jacobian.
//!
//! Owns the geometry and nothing else: no names, no limits. Fixed joints are folded into the next
//! moving one, and every joint's frame is turned so that it moves about, or along, its own z axis.

use nalgebra::{ArrayStorage, Matrix3, Rotation3, SMatrix, Unit, Vector3, Vector6};

use crate::frame::Frame;
use crate::model::{Limits, MAX_JOINTS};

/// Velocity of the tool (linear above angular, base frame) by joint velocity.
pub type Jacobian<const N: usize> = SMatrix<f64, 6, N>;

/// How a joint moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Turns about its axis, radians: revolute and continuous joints.
    Turning,
    /// Slides along its axis, metres: prismatic joints.
    Sliding,
}

/// A moving joint as a URDF has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joint {
    /// The joint's frame at position 0, in the frame of the joint before (or the base).
    pub origin: Frame,
    /// The axis in the joint's own frame.
    pub axis: Unit<Vector3<f64>>,
    /// What its position does.
    pub motion: Motion,
}

/// Which position a joint takes: that of a variable of the chain, or one that follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Driver {
    /// Index of the variable, base first.
    pub variable: usize,
    /// What the variable is multiplied by; 1 for a joint of its own.
    pub multiplier: f64,
    /// What is added then, radians or metres.
    pub offset: f64,
}

/// A joint in the frame of the one before, which is turned already so that only a turn about x is
/// left between the two axes (as in Denavit and Hartenberg's convention, but with any translation:
/// nearly parallel axes have no common normal worth having).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stage {
    translation: [f64; 3],
    /// Cosine and sine of the turn about x.
    tilt: [f64; 2],
    /// What is added to the joint's angle, so that both frames are turned right.
    offset: f64,
    motion: Motion,
}

/// Joints of which some follow others (mimic joints in a URDF).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coupled {
    stages: [Stage; MAX_JOINTS],
    drivers: [Driver; MAX_JOINTS],
    len: usize,
}

/// Joints in a row that `N` variables move, and the tool frame after the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chain<const N: usize> {
    /// The first joint's frame at position 0; its z axis is the joint's.
    first: Frame,
    stages: [Stage; N],
    /// In place of the stages where there are more joints than variables.
    coupled: Option<Coupled>,
    /// The tool in the last joint's frame, whose z axis is the joint's.
    tip: Frame,
}

impl<const N: usize> Chain<N> {
    /// The chain of `joints`, base first, with the tool at `tip` in the last joint's frame.
    #[must_use]
    pub fn new(joints: &[Joint; N], tip: Frame) -> Chain<N> {
        let mut stages = joints.map(|joint| Stage::still(joint.motion));
        let (first, before) = Stage::connect(joints.iter(), &mut stages);
        Chain {
            first,
            stages,
            coupled: None,
            tip: seen_from(&before, &tip),
        }
    }

    /// As [`Chain::new`], of joints of which some follow others; `None` when there are more than
    /// [`MAX_JOINTS`], a driver names no variable, or a variable moves nothing.
    #[must_use]
    pub fn coupled(joints: &[(Joint, Driver)], tip: Frame) -> Option<Chain<N>> {
        let (joint, driver) = joints.first()?;
        let mut coupled = Coupled {
            stages: [Stage::still(joint.motion); MAX_JOINTS],
            drivers: [*driver; MAX_JOINTS],
            len: joints.len(),
        };
        let slots = coupled.stages.get_mut(..joints.len())?;
        for ((slot, drives), (joint, driver)) in
            slots.iter_mut().zip(&mut coupled.drivers).zip(joints)
        {
            *slot = Stage::still(joint.motion);
            *drives = *driver;
        }
        let (first, before) = Stage::connect(joints.iter().map(|(joint, _)| joint), slots);
        let mut own = [None; N];
        for (stage, driver) in slots.iter().zip(&coupled.drivers) {
            own.get_mut(driver.variable)?.get_or_insert(*stage);
        }
        if own.iter().any(Option::is_none) {
            return None;
        }
        Some(Chain {
            first,
            stages: own.map(|stage| stage.unwrap_or(coupled.stages[0])),
            coupled: Some(coupled),
            tip: seen_from(&before, &tip),
        })
    }

    /// How the joint of each variable moves, base first.
    #[must_use]
    pub fn motions(&self) -> [Motion; N] {
        self.stages.map(|stage| stage.motion)
    }

    /// Whether every variable moves one joint and no other.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.coupled.is_none()
    }

    /// The first joint's frame at position 0 in the base; its z axis is the joint's.
    #[must_use]
    pub fn first(&self) -> Frame {
        self.first
    }

    /// The tool in the last joint's frame, whose z axis is the joint's.
    #[must_use]
    pub fn tip(&self) -> Frame {
        self.tip
    }

    /// A distance from the first joint that the tool never exceeds, metres.
    #[must_use]
    pub fn reach(&self, limits: &Limits<N>) -> f64 {
        let extent = |lower: f64, upper: f64| lower.abs().max(upper.abs());
        let mut sum = self.tip.translation.norm();
        let mut add = |stage: &Stage, lower: f64, upper: f64| {
            sum += Vector3::from(stage.translation).norm();
            if stage.motion == Motion::Sliding {
                sum += extent(lower, upper);
            }
        };
        match &self.coupled {
            None => {
                for ((stage, lower), upper) in
                    self.stages.iter().zip(&limits.lower).zip(&limits.upper)
                {
                    add(stage, *lower, *upper);
                }
            }
            Some(coupled) => {
                let stages = coupled.stages.iter().zip(&coupled.drivers);
                for (stage, driver) in stages.take(coupled.len) {
                    let of = |bounds: &[f64; N]| {
                        let bound = bounds.get(driver.variable).copied().unwrap_or(0.0);
                        driver.multiplier * bound + driver.offset
                    };
                    add(stage, of(&limits.lower), of(&limits.upper));
                }
            }
        }
        sum
    }

    /// The tool's pose at positions `q` (radians or metres, base first).
    #[inline]
    #[must_use]
    pub fn pose(&self, q: &[f64; N]) -> Frame {
        match &self.coupled {
            None => sweep(&self.first, &self.stages, q, N, &self.tip).tool,
            Some(coupled) => coupled.sweep(&self.first, q, &self.tip).tool,
        }
    }

    /// The tool's pose at positions `q` (radians or metres, base first), and how it moves with them.
    #[inline]
    #[must_use]
    pub fn linearise(&self, q: &[f64; N]) -> Linearised<N> {
        match &self.coupled {
            None => {
                let swept = sweep(&self.first, &self.stages, q, N, &self.tip);
                let mut columns = [[0.0; 6]; N];
                for (i, column) in columns.iter_mut().enumerate() {
                    *column = swept.moves(i, self.stages[i].motion);
                }
                Linearised {
                    tool: swept.tool,
                    jacobian: SMatrix::from_data(ArrayStorage(columns)),
                }
            }
            Some(coupled) => coupled.linearise(&self.first, q, &self.tip),
        }
    }
}

impl Coupled {
    fn sweep<const N: usize>(&self, first: &Frame, q: &[f64; N], tip: &Frame) -> Swept<MAX_JOINTS> {
        let positions = self.drivers.map(|driver| {
            // The driver was checked to name a variable.
            let variable = q.get(driver.variable).copied().unwrap_or(0.0);
            driver.multiplier * variable + driver.offset
        });
        sweep(first, &self.stages, &positions, self.len, tip)
    }

    fn linearise<const N: usize>(&self, first: &Frame, q: &[f64; N], tip: &Frame) -> Linearised<N> {
        let swept = self.sweep(first, q, tip);
        let mut jacobian = Jacobian::<N>::zeros();
        for (i, (stage, driver)) in (self.stages.iter().zip(&self.drivers))
            .take(self.len)
            .enumerate()
        {
            let mut column = jacobian.column_mut(driver.variable);
            column += Vector6::from(swept.moves(i, stage.motion)) * driver.multiplier;
        }
        Linearised {
            tool: swept.tool,
            jacobian,
        }
    }
}

impl Stage {
    /// One that sits where the joint before it does.
    fn still(motion: Motion) -> Stage {
        Stage {
            translation: [0.0; 3],
            tilt: [1.0, 0.0],
            offset: 0.0,
            motion,
        }
    }

    /// Places `stages`, one for each of `joints`, each in the frame of the one before; the first
    /// joint's frame, and the turn of the last stage's frame against the last joint's.
    fn connect<'a>(
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
struct Swept<const M: usize> {
    directions: [[f64; 3]; M],
    points: [[f64; 3]; M],
    tool: Frame,
}

/// The first `len` of `stages` at `positions`.
#[inline(always)]
fn sweep<const M: usize>(
    first: &Frame,
    stages: &[Stage; M],
    positions: &[f64; M],
    len: usize,
    tip: &Frame,
) -> Swept<M> {
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
    let mut swept = Swept {
        directions: [[0.0; 3]; M],
        points: [[0.0; 3]; M],
        tool: Frame::IDENTITY,
    };
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
        swept.directions[i] = z;
        swept.points[i] = p;
    }
    let frame = Frame {
        rotation: Matrix3::from([x, y, z]),
        translation: p.into(),
    };
    swept.tool = frame.then(tip);
    swept
}

impl<const M: usize> Swept<M> {
    /// How the tool moves with joint `i`: a turning joint's column is
    /// `(axis × (tool − point), axis)`, a sliding one's `(axis, 0)`.
    #[inline(always)]
    fn moves(&self, i: usize, motion: Motion) -> [f64; 6] {
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

/// Where the tool is, and how it moves with the joints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linearised<const N: usize> {
    /// The tool in the base frame.
    pub tool: Frame,
    /// The geometric Jacobian of the tool's origin.
    pub jacobian: Jacobian<N>,
}

impl<const N: usize> Linearised<N> {
    /// How the tool accelerates (linear above angular, base frame) when the joints move at the
    /// constant speed `q`: J̇ q̇, by ∂Jᵢ/∂qⱼ = zⱼ × Jᵢ for a joint j before i.
    #[inline(always)]
    #[must_use]
    pub fn bend(&self, q: &[f64; N]) -> [f64; 6] {
        let mut sum = [0.0; 6];
        let mut before = [0.0; 3];
        for (column, speed) in self.jacobian.data.0.iter().zip(q) {
            let [x, y, z, a, b, c] = column.map(|row| row * speed);
            let [u, v, w] = before;
            let with = [u + a, v + b, w + c];
            let [k, l, m] = [u + with[0], v + with[1], w + with[2]];
            sum[0] += l * z - m * y;
            sum[1] += m * x - k * z;
            sum[2] += k * y - l * x;
            sum[3] += v * c - w * b;
            sum[4] += w * a - u * c;
            sum[5] += u * b - v * a;
            before = with;
        }
        sum
    }
}

/// `frame` in a parent that is turned by `turn`.
fn seen_from(turn: &Matrix3<f64>, frame: &Frame) -> Frame {
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

mod axes;
mod trigonometry;

pub use axes::Axes;

#[cfg(test)]
mod tests;
