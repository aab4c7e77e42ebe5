//! How far an arm is from itself and from what stands around it, and how that changes with each joint.
//!
//! Owns the capsules of the links, which of them are watched against which, and the distances with
//! their gradients. What is done about a distance is the caller's. Everything is in the base frame.
//!
//! **Gradient.** With `p` and `q` the nearest points of two capsules' segments, and `n` the direction
//! from `q` to `p`, the distance `|p − q| − r` changes with joint `k` by `n·(ṗ_k − q̇_k)`, the points
//! fixed to their links: where they move along the segments, that is across `n` (or they stay at an
//! end). Joints before both links move neither against the other. Where two segments cross, the
//! distance has no direction, and one across both is taken.
//!
//! Real time: after [`Clearance::new`] no allocation; a loop over the pairs and no other.

mod capsule;
mod distance;
mod pairs;
mod shapes;

use nalgebra::Vector3;

pub use capsule::Capsule;
pub use pairs::{LeftOut, Reason};
pub use shapes::{Meshes, Shapes, Source};

use crate::chain::{Chain, Places};
use crate::frame::Frame;
use crate::model::Model;

/// Farther than asked it is looked, so that the next time need not, metres.
const AHEAD: f64 = 0.02;
/// Most capsules of an arm.
pub const MAX_CAPSULES: usize = 48;

/// Something that stands in the base frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Obstacle {
    /// A half space; the arm stays where the normal points.
    Plane {
        /// On its surface, metres.
        point: Vector3<f64>,
        /// Out of it; of length one.
        normal: Vector3<f64>,
    },
    /// A box, turned as it likes.
    Box {
        /// Its middle, its sides along the axes.
        frame: Frame,
        /// Half of each side, metres.
        half: Vector3<f64>,
    },
}

/// Two things that are watched against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Two capsules by their indices in [`Shapes::capsules`].
    Links(usize, usize),
    /// A capsule and an obstacle by its index.
    World(usize, usize),
}

/// How far the two of a pair are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearness<const N: usize> {
    /// Which two.
    pub pair: Pair,
    /// Metres; negative where they overlap.
    pub distance: f64,
    /// Its change with each variable of the chain, metres a radian or metre.
    pub gradient: [f64; N],
}

/// Why there is no clearance.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ClearanceError {
    /// Not finite, or a radius below 0.
    #[error("capsule {capsule} of body {body} has a number that is none, or a radius below 0")]
    Capsule {
        /// Index.
        capsule: usize,
        /// Of which body.
        body: usize,
    },
    /// There is no such body.
    #[error("capsule {capsule} is of body {body}; bodies are 0 (the base) to {last}")]
    Body {
        /// Index.
        capsule: usize,
        /// As given.
        body: usize,
        /// The last there is.
        last: usize,
    },
    /// Too many.
    #[error("the arm has {given} capsules; at most {MAX_CAPSULES} are watched: give fewer")]
    TooMany {
        /// As given.
        given: usize,
    },
    /// Not finite, no side, or a normal that is not of length one.
    #[error(
        "obstacle {obstacle} is none: a number is not finite, a side not above 0, or its direction not one"
    )]
    Obstacle {
        /// Index.
        obstacle: usize,
    },
    /// Not a finite number, or below 0.
    #[error("{what} is {metres} m; give a finite distance, not below 0")]
    Distance {
        /// Which.
        what: &'static str,
        /// As given.
        metres: f64,
    },
}

/// A capsule in the frame of the joint that moves it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    body: usize,
    /// In the joint's frame, or the base's.
    capsule: Capsule,
    /// No point of it is farther from its middle, metres.
    bound: f64,
}

/// The links of an arm and the space around them.
#[derive(Debug, Clone, PartialEq)]
pub struct Clearance<const N: usize> {
    chain: Chain<N>,
    parts: Vec<Part>,
    obstacles: Vec<Obstacle>,
    pairs: Vec<Pair>,
    left_out: Vec<LeftOut>,
    levers: [f64; N],
    /// The same of each pair.
    pair_levers: Vec<[f64; N]>,
}

/// The segments of all capsules at one configuration.
struct Placed {
    places: Places,
    ends: [(Vector3<f64>, Vector3<f64>); MAX_CAPSULES],
}

impl<const N: usize> Clearance<N> {
    /// The arm of `model` with the capsules of `shapes` among `obstacles`.
    ///
    /// Links next to each other are not watched, nor are pairs that touch by design (links over more
    /// than half of the joints' range, a link and an obstacle over all of it) or that never come nearer than `nearest` metres: those that are left
    /// out are in [`Clearance::left_out`]. The same for the same arguments.
    ///
    /// # Errors
    /// A capsule, an obstacle or a distance that is none, a body that is not there.
    pub fn new(
        model: &Model<N>,
        shapes: &Shapes,
        obstacles: &[Obstacle],
        nearest: f64,
    ) -> Result<Clearance<N>, ClearanceError> {
        check(model.chain.joints(), shapes, obstacles)?;
        let what = "the distance that pairs have to come within";
        check_distance(what, nearest)?;
        let mut clearance = Clearance::of(model, shapes, obstacles);
        clearance.choose(model, nearest);
        clearance.measure_levers(model);
        Ok(clearance)
    }

    /// As [`Clearance::new`] with the pairs chosen by the caller: nothing is tried, so that it takes no
    /// time. A pair of something that is not there is never near.
    ///
    /// # Errors
    /// A capsule or an obstacle that is none, a body that is not there.
    pub fn watching(
        model: &Model<N>,
        shapes: &Shapes,
        obstacles: &[Obstacle],
        pairs: &[Pair],
    ) -> Result<Clearance<N>, ClearanceError> {
        check(model.chain.joints(), shapes, obstacles)?;
        let mut clearance = Clearance::of(model, shapes, obstacles);
        clearance.pairs = pairs.to_vec();
        clearance.measure_levers(model);
        Ok(clearance)
    }

    /// With no pairs yet.
    fn of(model: &Model<N>, shapes: &Shapes, obstacles: &[Obstacle]) -> Clearance<N> {
        let places = model.chain.places(&[0.0; N]);
        let parts = shapes.capsules().iter().map(|(body, capsule)| {
            let frame = body.checked_sub(1).and_then(|it| places.frames().get(it));
            let capsule = frame.map_or(*capsule, |frame| capsule.placed(&frame.inverse()));
            Part {
                body: *body,
                bound: 0.5 * (capsule.to - capsule.from).norm() + capsule.radius,
                capsule,
            }
        });
        Clearance {
            chain: model.chain,
            parts: parts.collect(),
            obstacles: obstacles.to_vec(),
            pairs: Vec::new(),
            left_out: Vec::new(),
            levers: [0.0; N],
            pair_levers: Vec::new(),
        }
    }

    fn measure_levers(&mut self, model: &Model<N>) {
        for pair in &self.pairs {
            let of_pair = pairs::levers(model, &self.parts, *pair);
            for (lever, of_pair) in self.levers.iter_mut().zip(&of_pair) {
                *lever = lever.max(*of_pair);
            }
            self.pair_levers.push(of_pair);
        }
    }

    /// What is watched.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// What is not, and why.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Of each variable: no distance changes by more, metres a radian or metre.
    #[must_use]
    pub fn levers(&self) -> &[f64; N] {
        &self.levers
    }

    /// The pair that is nearest at positions `q`; `None` where nothing is watched.
    #[must_use]
    pub fn least(&self, q: &[f64; N]) -> Option<Nearness<N>> {
        let mut least: Option<Nearness<N>> = None;
        let placed = self.place(q);
        let mut within = f64::INFINITY;
        for pair in &self.pairs {
            if let Some(near) = self.measure(&placed, *pair, within) {
                within = near.distance;
                least = Some(near);
            }
        }
        least
    }

    /// Shows `found` every pair that is nearer than `within` metres at positions `q`, in the order of
    /// [`Clearance::pairs`].
    #[inline]
    pub fn near(&self, q: &[f64; N], within: f64, mut found: impl FnMut(&Nearness<N>)) {
        let placed = self.place(q);
        for pair in &self.pairs {
            if let Some(near) = self.measure(&placed, *pair, within) {
                found(&near);
            }
        }
    }

    /// As [`Clearance::near`], each pair within a distance of its own, given its levers; the least that
    /// any pair is beyond its distance, and the least distance of any, as far as they are known: no
    /// more than they are.
    #[inline]
    pub(crate) fn near_each(
        &self,
        q: &[f64; N],
        within: impl Fn(&[f64; N]) -> f64,
        mut found: impl FnMut(&Nearness<N>),
    ) -> (f64, f64) {
        let placed = self.place(q);
        let (mut beyond, mut nearest) = (f64::INFINITY, f64::INFINITY);
        for (pair, levers) in self.pairs.iter().zip(&self.pair_levers) {
            let within = within(levers);
            let distance = match self.measure(&placed, *pair, within + AHEAD) {
                Some(near) => {
                    if near.distance < within {
                        found(&near);
                    }
                    near.distance
                }
                None => within + AHEAD,
            };
            beyond = beyond.min(distance - within);
            nearest = nearest.min(distance);
        }
        (beyond, nearest)
    }

    fn place(&self, q: &[f64; N]) -> Placed {
        let places = self.chain.places(q);
        let mut ends = [(Vector3::zeros(), Vector3::zeros()); MAX_CAPSULES];
        for (ends, part) in ends.iter_mut().zip(&self.parts) {
            let frame = part.body.checked_sub(1);
            *ends = match frame.and_then(|it| places.frames().get(it)) {
                None => (part.capsule.from, part.capsule.to),
                Some(frame) => {
                    let there = part.capsule.placed(frame);
                    (there.from, there.to)
                }
            };
        }
        Placed { places, ends }
    }

    /// Of one pair, if it is nearer than `within`.
    #[inline]
    fn measure(&self, placed: &Placed, pair: Pair, within: f64) -> Option<Nearness<N>> {
        match pair {
            Pair::Links(a, b) => {
                let (one, other) = (self.parts.get(a)?, self.parts.get(b)?);
                let ((p, q), (r, s)) = (placed.ends.get(a)?, placed.ends.get(b)?);
                let far = within + one.bound + other.bound;
                if far > 0.0 && 0.25 * ((p + q) - (r + s)).norm_squared() > far * far {
                    return None;
                }
                let (here, there) = distance::of_segments((p, q), (r, s));
                let apart = here - there;
                let length = apart.norm();
                let distance = length - one.capsule.radius - other.capsule.radius;
                if distance >= within {
                    return None;
                }
                let direction = if length > 1e-9 {
                    apart / length
                } else {
                    across(&(q - p), &(s - r))
                };
                let (from, to, point, direction) = if one.body < other.body {
                    (one.body, other.body, there, -direction)
                } else {
                    (other.body, one.body, here, direction)
                };
                let mut gradient = [0.0; N];
                (placed.places).add_moves(from, to, &point, &direction, &mut gradient);
                Some(Nearness {
                    pair,
                    distance,
                    gradient,
                })
            }
            Pair::World(a, obstacle) => {
                let (part, (p, q)) = (self.parts.get(a)?, placed.ends.get(a)?);
                let (point, distance, direction) = match self.obstacles.get(obstacle)? {
                    Obstacle::Plane { point, normal } => {
                        let (one, other) = ((p - point).dot(normal), (q - point).dot(normal));
                        let (at, off) = if one < other { (p, one) } else { (q, other) };
                        (*at, off, *normal)
                    }
                    Obstacle::Box { frame, half } => {
                        let far = within + part.bound + half.norm();
                        let away = 0.5 * (p + q) - frame.translation;
                        if far > 0.0 && away.norm_squared() > far * far {
                            return None;
                        }
                        distance::from_box((p, q), frame, half)
                    }
                };
                let distance = distance - part.capsule.radius;
                if distance >= within {
                    return None;
                }
                let mut gradient = [0.0; N];
                (placed.places).add_moves(0, part.body, &point, &direction, &mut gradient);
                Some(Nearness {
                    pair,
                    distance,
                    gradient,
                })
            }
        }
    }
}

/// Across two segments that cross, or across the one that has a length.
fn across(one: &Vector3<f64>, other: &Vector3<f64>) -> Vector3<f64> {
    let candidates = [
        one.cross(other),
        one.cross(&Vector3::x()),
        one.cross(&Vector3::y()),
        other.cross(&Vector3::x()),
        other.cross(&Vector3::y()),
    ];
    let sound = candidates.iter().find_map(|it| it.try_normalize(1e-9));
    sound.unwrap_or_else(Vector3::z)
}

fn check(joints: usize, shapes: &Shapes, obstacles: &[Obstacle]) -> Result<(), ClearanceError> {
    let given = shapes.capsules().len();
    if given > MAX_CAPSULES {
        return Err(ClearanceError::TooMany { given });
    }
    for (capsule, (body, shape)) in shapes.capsules().iter().enumerate() {
        let body = *body;
        if body > joints {
            return Err(ClearanceError::Body {
                capsule,
                body,
                last: joints,
            });
        }
        if !shape.is_sound() {
            return Err(ClearanceError::Capsule { capsule, body });
        }
    }
    for (obstacle, shape) in obstacles.iter().enumerate() {
        let sound = match shape {
            Obstacle::Plane { point, normal } => {
                point.iter().all(|it| it.is_finite()) && (normal.norm() - 1.0).abs() < 1e-6
            }
            Obstacle::Box { frame, half } => {
                frame.is_sound() && half.iter().all(|it| it.is_finite() && *it > 0.0)
            }
        };
        if !sound {
            return Err(ClearanceError::Obstacle { obstacle });
        }
    }
    Ok(())
}

pub(crate) fn check_distance(what: &'static str, metres: f64) -> Result<(), ClearanceError> {
    if metres.is_finite() && metres >= 0.0 {
        Ok(())
    } else {
        Err(ClearanceError::Distance { what, metres })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::Description;
    use crate::global::{Sequence, windows};

    /// No distance changes faster than its pair's levers say, and none that is near is missed by them.
    fn levers_hold<const N: usize>(model: &Model<N>, clearance: &Clearance<N>) {
        let windows = windows(&model.chain, &model.limits, 1.0);
        let mut sequence = Sequence::<N>::new(3, N);
        let mut draw = || -> [f64; N] {
            let point = sequence.next();
            std::array::from_fn(|i| windows[i][0] + (windows[i][1] - windows[i][0]) * point[i])
        };
        for _ in 0..300 {
            let (one, other) = (draw(), draw());
            let (here, there) = (clearance.place(&one), clearance.place(&other));
            for (pair, levers) in clearance.pairs.iter().zip(&clearance.pair_levers) {
                let distance = |placed: &Placed| {
                    let near = clearance.measure(placed, *pair, f64::INFINITY);
                    near.unwrap().distance
                };
                let most: f64 = (0..N).map(|i| levers[i] * (one[i] - other[i]).abs()).sum();
                let change = (distance(&here) - distance(&there)).abs();
                assert!(change <= most + 1e-9, "{pair:?} {change} {most}");
            }
            let mut found = 0;
            let (beyond, nearest) = clearance.near_each(&one, |_| 0.05, |_| found += 1);
            let mut near = 0;
            clearance.near(&one, 0.05, |_| near += 1);
            assert_eq!(found, near);
            let least = clearance.least(&one).unwrap().distance;
            assert!(nearest <= least + 1e-12 && beyond <= least - 0.05 + 1e-12);
        }
    }

    #[test]
    fn no_distance_changes_faster_than_its_own_levers_say() {
        let text = include_str!("../../urdf/so101.urdf");
        let description = Description::read("so101.urdf", text, "base", "gripper_frame").unwrap();
        let so101: Model<5> = description.model().unwrap();
        let shapes = Shapes::read("so101.urdf", text, "base", "gripper_frame", &|_| None).unwrap();
        let wall = Obstacle::Plane {
            point: Vector3::new(0.2, 0.0, 0.0),
            normal: -Vector3::x(),
        };
        levers_hold(
            &so101,
            &Clearance::new(&so101, &shapes, &[wall], 0.5).unwrap(),
        );
        let text = include_str!("../tests/wild.urdf");
        let description = Description::read("wild.urdf", text, "base", "tip").unwrap();
        let wild: Model<7> = description.model().unwrap();
        let mut rods = Shapes::rods(&wild, 0.02);
        rods.add(0, Capsule::sphere(Vector3::new(0.1, 0.2, 0.1), 0.1));
        levers_hold(&wild, &Clearance::new(&wild, &rods, &[wall], 0.5).unwrap());
    }
}
