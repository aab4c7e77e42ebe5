//! A serial chain moved by exactly `N` variables: forward kinematics and geometric Jacobian.
//!
//! Owns the geometry and nothing else: no names, no limits. Fixed joints are folded into the next
//! moving one, and every joint's frame is turned so that it moves about, or along, its own z axis.

use nalgebra::{ArrayStorage, Matrix3, SMatrix, Unit, Vector3, Vector6};

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
        let spans = self.spans(limits);
        self.tip.translation.norm() + spans.iter().take(self.joints()).sum::<f64>()
    }

    /// How far each joint's origin is from that of the one before at most, metres; 0 for the first
    /// where it turns.
    pub(crate) fn spans(&self, limits: &Limits<N>) -> [f64; MAX_JOINTS] {
        let mut spans = [0.0; MAX_JOINTS];
        let span = |stage: &Stage, one: f64, other: f64| {
            let fixed = Vector3::from(stage.translation).norm();
            match stage.motion {
                Motion::Turning => fixed,
                Motion::Sliding => fixed + one.abs().max(other.abs()),
            }
        };
        match &self.coupled {
            None => {
                let bounds = limits.lower.iter().zip(&limits.upper);
                for (slot, (stage, (lower, upper))) in
                    spans.iter_mut().zip(self.stages.iter().zip(bounds))
                {
                    *slot = span(stage, *lower, *upper);
                }
            }
            Some(coupled) => {
                let stages = coupled.stages.iter().zip(&coupled.drivers);
                for (slot, (stage, driver)) in spans.iter_mut().zip(stages).take(coupled.len) {
                    let of = |bounds: &[f64; N]| {
                        let bound = bounds.get(driver.variable).copied().unwrap_or(0.0);
                        driver.multiplier * bound + driver.offset
                    };
                    *slot = span(stage, of(&limits.lower), of(&limits.upper));
                }
            }
        }
        spans
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

    /// Every joint's frame at positions `q` (radians or metres, base first).
    #[inline]
    #[must_use]
    pub fn places(&self, q: &[f64; N]) -> Places {
        let mut places = Places {
            frames: [Frame::IDENTITY; MAX_JOINTS],
            moves: [Moves::STILL; MAX_JOINTS],
            len: 0,
        };
        let mut visit = |i: usize, x, y, z, p: [f64; 3]| {
            if let Some(frame) = places.frames.get_mut(i) {
                *frame = Frame {
                    rotation: Matrix3::from([x, y, z]),
                    translation: p.into(),
                };
            }
        };
        match &self.coupled {
            None => {
                walk(&self.first, &self.stages, q, N, visit);
                for (i, moves) in places.moves.iter_mut().enumerate().take(N) {
                    *moves = Moves {
                        variable: i,
                        multiplier: 1.0,
                        motion: self.stages[i].motion,
                    };
                }
                places.len = N.min(MAX_JOINTS);
            }
            Some(coupled) => {
                let positions = coupled.positions(q);
                walk(
                    &self.first,
                    &coupled.stages,
                    &positions,
                    coupled.len,
                    &mut visit,
                );
                let joints = coupled.stages.iter().zip(&coupled.drivers);
                for (moves, (stage, driver)) in places.moves.iter_mut().zip(joints) {
                    *moves = Moves {
                        variable: driver.variable,
                        multiplier: driver.multiplier,
                        motion: stage.motion,
                    };
                }
                places.len = coupled.len;
            }
        }
        places
    }

    /// How many joints there are, those that follow others among them.
    #[must_use]
    pub fn joints(&self) -> usize {
        self.coupled.as_ref().map_or(N, |coupled| coupled.len)
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
    fn positions<const N: usize>(&self, q: &[f64; N]) -> [f64; MAX_JOINTS] {
        self.drivers.map(|driver| {
            // The driver was checked to name a variable.
            let variable = q.get(driver.variable).copied().unwrap_or(0.0);
            driver.multiplier * variable + driver.offset
        })
    }

    fn sweep<const N: usize>(&self, first: &Frame, q: &[f64; N], tip: &Frame) -> Swept<MAX_JOINTS> {
        let positions = self.positions(q);
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

mod axes;
mod places;
mod stage;
mod trigonometry;

pub use axes::Axes;
pub use places::{Moves, Places};
use stage::{Stage, Swept, seen_from, sweep, walk};

#[cfg(test)]
mod tests;
