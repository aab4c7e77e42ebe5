//! What keeps a moving arm clear of itself and of obstacles: bounds on how fast distances may shrink.
//!
//! Owns the rows `gradient·x ≥ least` that a motion is held to, and how it is bent to keep them. Never
//! moves a joint, and never outweighs the joints' own bounds.
//!
//! **Velocity damper** (Faverjon and Tournassoud 1987). What is left of a distance above the margin may
//! shrink no faster than so that it would last a while at that speed; motion along a surface is free.
//! That while is the time `T` in which all joints can brake together from the speeds that they have, so
//! that half of what is left is enough to stop in. It is feasible from tick to tick: braking for `dt`
//! takes `dt/T` of the speed and of what is left alike, and leaves `T − dt`. Where a distance bends, the
//! place where the arm would come to stand is looked at too.

use crate::clearance::{Clearance, ClearanceError, check_distance};
use crate::streaming::bounds::{Bounds, Room};
use crate::streaming::fence::{BACK, CLOSER, Fence, KEPT, ROWS, Row};

/// What is left of a distance lasts this long at least, seconds.
const LASTS: f64 = 0.03;
/// Beyond its margin an arm comes back no faster than this, m/s.
const RETREAT: f64 = 0.05;
/// Of the margin this much, metres, and no more than this share, is for surfaces that bend.
const GRACE: (f64, f64) = (0.001, 0.2);
/// How often the way to a stop is looked at, at most.
const LOOKS: f64 = 12.0;
/// Sweeps over the rows, and corrections of each.
const SWEEPS: u32 = 12;
const CORRECTIONS: u32 = 4;
/// The clearance that is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeepAway<const N: usize> {
    clearance: Clearance<N>,
    /// Where the arm stops, metres.
    margin: f64,
    /// Of each joint, with which more of a motion is bent than with others.
    weights: [f64; N],
}

/// Where it was looked last, for motions of what size, and by how much nothing was in their way; the
/// least distance then, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen<const N: usize> {
    q: [f64; N],
    /// The size of the motions times what they had to leave enough for.
    reach: [f64; N],
    beyond: f64,
    nearest: f64,
}

impl<const N: usize> KeepAway<N> {
    pub(crate) fn new(
        clearance: Clearance<N>,
        margin: f64,
        bounds: &Bounds<N>,
    ) -> Result<KeepAway<N>, ClearanceError> {
        check_distance("the margin", margin)?;
        Ok(KeepAway {
            clearance,
            margin,
            weights: bounds.limits().velocity.map(|speed| speed * speed),
        })
    }

    /// The most that any distance changes from `from` to `to`.
    fn moved(&self, from: &[f64; N], to: &[f64; N]) -> f64 {
        along(self.clearance.levers(), from, to)
    }

    /// What velocities up to `most` from positions `q` are held to.
    #[inline]
    pub(crate) fn fence(
        &self,
        seen: &mut Option<Seen<N>>,
        bounds: &Bounds<N>,
        q: &[f64; N],
        most: &[f64; N],
    ) -> Fence<N> {
        let lasts = LASTS
            .max(2.0 * bounds.period())
            .max(bounds.time_to_stop(most));
        self.rows(seen, q, most, lasts, RETREAT)
    }

    /// What a step up to `most` from positions `q` is held to, that may use up a share of what is left,
    /// or bring back what is missing by up to `back` metres.
    #[inline]
    pub(crate) fn fence_of_step(
        &self,
        seen: &mut Option<Seen<N>>,
        q: &[f64; N],
        most: &[f64; N],
    ) -> Fence<N> {
        self.rows(seen, q, most, 1.0 / CLOSER, BACK)
    }

    /// What a motion up to `most` is held to that has to leave enough for `lasts` times as much.
    #[inline]
    fn rows(
        &self,
        seen: &mut Option<Seen<N>>,
        q: &[f64; N],
        most: &[f64; N],
        lasts: f64,
        back: f64,
    ) -> Fence<N> {
        let mut fence = Fence::open();
        let still = [0.0; N];
        let reach = most.map(|most| most * lasts);
        if let Some(seen) = seen {
            let more = std::array::from_fn(|joint| (reach[joint] - seen.reach[joint]).max(0.0));
            if self.moved(&seen.q, q) + self.moved(&still, &more) <= seen.beyond {
                return fence;
            }
        }
        let within = |levers: &[f64; N]| self.margin + along(levers, &still, &reach);
        let (beyond, nearest) = self.clearance.near_each(q, within, |near| {
            let left = near.distance - self.margin;
            let closing: f64 = (0..N).map(|it| near.gradient[it].abs() * reach[it]).sum();
            if closing > left {
                fence.add(Row {
                    gradient: near.gradient,
                    left,
                    least: (-left / lasts).min(back),
                });
            }
        });
        *seen = Some(Seen {
            q: *q,
            reach,
            beyond,
            nearest,
        });
        fence
    }

    /// How far everything is from the joints `q` of a path, as far as it matters there, and the
    /// largest speed along it, where they change at `rate`.
    pub(crate) fn pass(&self, bounds: &Bounds<N>, q: &[f64; N], rate: &[f64; N]) -> (f64, f64) {
        let still = [0.0; N];
        let rates = rate.map(f64::abs);
        // At the share s of the path's speed braking takes s times as long.
        let stop = bounds.time_to_stop(rate);
        let least = LASTS.max(2.0 * bounds.period());
        let lasts = stop.max(least);
        let within = |levers: &[f64; N]| self.margin + lasts * along(levers, &still, &rates);
        let (mut nearest, mut speed) = (f64::INFINITY, f64::INFINITY);
        self.clearance.near_each(q, within, |near| {
            nearest = nearest.min(near.distance - self.margin);
            let closing: f64 = -(0..N).map(|it| near.gradient[it] * rate[it]).sum::<f64>();
            if closing > 0.0 {
                let left = (near.distance - self.margin).max(0.0);
                speed = speed.min(left / (least * closing));
                speed = speed.min((left / (stop * closing)).sqrt());
            }
        });
        (nearest, speed)
    }

    /// How much nearer than the margin anything is at `q`; 0 where nothing is.
    pub(crate) fn lacks(&self, q: &[f64; N]) -> f64 {
        self.margin - self.nearest(q, self.margin)
    }

    /// What is left of the least distance at `q` above the margin, or `most` where it is more.
    pub(crate) fn left(&self, q: &[f64; N], most: f64) -> f64 {
        self.nearest(q, self.margin + most) - self.margin
    }

    /// The least distance at `q`, or `within` where it is more.
    fn nearest(&self, q: &[f64; N], within: f64) -> f64 {
        let mut nearest = within;
        self.clearance.near(q, within, |near| {
            nearest = nearest.min(near.distance);
        });
        nearest
    }

    /// Whether the arm that moves with `v` in this tick and then brakes comes to stand clear, or no
    /// nearer than it is, and so on the way there.
    ///
    /// The way is gone along in steps that what is left of the distances is sure to cover (conservative
    /// advancement, Mirtich 1996), or a share of it, whichever is more.
    #[inline]
    pub(crate) fn stops_clear(
        &self,
        seen: Option<&Seen<N>>,
        bounds: &Bounds<N>,
        q: &[f64; N],
        v: &[f64; N],
    ) -> bool {
        let stands = bounds.stands(q, v);
        let whole = self.moved(q, &stands);
        let known = |seen: &Seen<N>| seen.nearest - self.moved(&seen.q, q);
        let mut nearest = seen.map_or(f64::NEG_INFINITY, known);
        if nearest - whole >= self.margin {
            return true;
        }
        let grace = GRACE.0.min(GRACE.1 * self.margin);
        let mut floor = self.margin - grace;
        if nearest < floor {
            nearest = self.nearest(q, self.margin + whole);
            floor = floor.min(nearest);
        }
        let mut share = 0.0_f64;
        while share < 1.0 {
            let sure = (nearest - floor) / whole;
            share = (share + sure.max(1.0 / LOOKS)).min(1.0);
            let there = std::array::from_fn(|it| q[it] + share * (stands[it] - q[it]));
            nearest = self.nearest(&there, self.margin + whole);
            if nearest < floor {
                return false;
            }
        }
        true
    }

    /// The velocities nearest to `v` within `room` that keep to `fence`, or come nearest to it.
    ///
    /// A row at a time is brought to where it is kept, with more or less of its gradient added, over
    /// and over (Hildreth 1957).
    #[inline]
    pub(crate) fn bend(&self, fence: &Fence<N>, v: &[f64; N], room: &Room<N>) -> [f64; N] {
        let inside = |v: &[f64; N]| -> [f64; N] {
            std::array::from_fn(|joint| v[joint].max(room.least[joint]).min(room.most[joint]))
        };
        let mut free = *v;
        let mut x = inside(&free);
        let mut amounts = [0.0_f64; ROWS];
        for _ in 0..SWEEPS {
            let mut worst = 0.0_f64;
            for (row, amount) in fence.rows().iter().zip(&mut amounts) {
                for _ in 0..CORRECTIONS {
                    let lacks = row.least - row.along(&x);
                    if lacks.abs() < KEPT || (lacks < 0.0 && *amount == 0.0) {
                        break;
                    }
                    worst = worst.max(lacks.abs());
                    let mut slope = 0.0;
                    for joint in 0..N {
                        let held = x[joint] != free[joint];
                        if !held {
                            slope += self.weights[joint] * row.gradient[joint].powi(2);
                        }
                    }
                    // With all joints at their bounds: by as much as would free them.
                    if slope < 1e-12 {
                        slope = (0..N)
                            .map(|it| self.weights[it] * row.gradient[it].powi(2))
                            .sum::<f64>()
                            .max(1e-12);
                    }
                    let change = (lacks / slope).max(-*amount);
                    *amount += change;
                    for joint in 0..N {
                        free[joint] += change * self.weights[joint] * row.gradient[joint];
                    }
                    x = inside(&free);
                }
            }
            if worst < 10.0 * KEPT {
                return x;
            }
        }
        // What is still off is braked as far as it has to be.
        let brake = inside(&[0.0; N]);
        let mut share = 1.0_f64;
        for row in fence.rows() {
            let (along, braked) = (row.along(&x), row.along(&brake));
            if along < row.least - KEPT && braked > along {
                share = share.min(((braked - row.least) / (braked - along)).max(0.0));
            }
        }
        std::array::from_fn(|joint| brake[joint] + share * (x[joint] - brake[joint]))
    }
}

/// `Σ levers·|to − from|`; a joint that stands counts nothing, however long its lever.
#[inline]
fn along<const N: usize>(levers: &[f64; N], from: &[f64; N], to: &[f64; N]) -> f64 {
    let mut sum = 0.0;
    for joint in 0..N {
        let way = (to[joint] - from[joint]).abs();
        if way > 0.0 {
            sum += levers[joint] * way;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Chain, Joint, Motion};
    use crate::clearance::{Obstacle, Shapes};
    use crate::frame::Frame;
    use crate::model::{Limits, Model};
    use crate::streaming::programme::{ActiveSet, Programme};
    use nalgebra::Vector3;
    use proptest::prelude::*;

    fn fence(rows: &[([f64; 4], f64)]) -> Fence<4> {
        let mut fence = Fence::open();
        for (gradient, least) in rows {
            fence.add(Row {
                gradient: *gradient,
                least: *least,
                left: 0.0,
            });
        }
        fence
    }

    const LIMITS: Limits<4> = Limits {
        lower: [-3.0; 4],
        upper: [3.0; 4],
        velocity: [1.0, 2.0, 3.0, 4.0],
    };

    fn keep() -> KeepAway<4> {
        let joint = Joint {
            origin: Frame {
                translation: Vector3::new(0.3, 0.0, 0.0),
                ..Frame::IDENTITY
            },
            axis: Vector3::z_axis(),
            motion: Motion::Turning,
        };
        let model = Model {
            names: ["a", "b", "c", "d"].map(str::to_owned),
            chain: Chain::new(&[joint; 4], Frame::IDENTITY),
            limits: LIMITS,
        };
        let wall = Obstacle::Plane {
            point: Vector3::new(1.0, 0.0, 0.0),
            normal: -Vector3::x(),
        };
        let shapes = Shapes::rods(&model, 0.02);
        let clearance = Clearance::new(&model, &shapes, &[wall], 0.1).unwrap();
        let bounds = Bounds::new(LIMITS, [10.0; 4], 0.001);
        KeepAway::new(clearance, 0.01, &bounds).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn velocities_are_bent_to_keep_every_row_where_there_is_room(
            rows in prop::collection::vec(
                (prop::array::uniform4(-1.0..1.0f64), 0.0..0.3f64), 1..4),
            v in prop::array::uniform4(-1.0..1.0f64),
        ) {
            // Standing still keeps every row, so that there are velocities that do.
            let rows: Vec<_> = rows.into_iter().map(|(row, left)| (row, -left)).collect();
            let (keep, fence) = (keep(), fence(&rows));
            let room = Room { least: [-1.0; 4], most: [1.0; 4] };
            let x = keep.bend(&fence, &v, &room);
            for joint in 0..4 {
                prop_assert!(x[joint].abs() <= 1.0);
            }
            for row in fence.rows() {
                prop_assert!(row.along(&x) >= row.least - 1e-6, "{} {}", row.along(&x), row.least);
            }
            if fence.holds(&v) {
                prop_assert_eq!(x, v);
            }
        }

        #[test]
        fn a_programme_keeps_to_the_rows_and_is_the_best_that_does(
            rows in prop::collection::vec(
                (prop::array::uniform4(-1.0..1.0f64), 0.0..0.3f64), 1..3),
            linear in prop::array::uniform4(-1.0..1.0f64),
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(row, left)| (row, -left)).collect();
            let fence = fence(&rows);
            let mut hessian = [[0.0; 4]; 4];
            for (i, row) in hessian.iter_mut().enumerate() {
                row[i] = 1.0 + i as f64;
            }
            let programme = Programme { hessian, linear };
            let value = |x: &[f64; 4]| -> f64 {
                (0..4).map(|i| 0.5 * hessian[i][i] * x[i] * x[i] - linear[i] * x[i]).sum()
            };
            let (least, most) = ([-1.0; 4], [1.0; 4]);
            let x = programme.solve_within(&least, &most, &mut ActiveSet::free(), &fence);
            for row in fence.rows() {
                prop_assert!(row.along(&x) >= row.least - 1e-6);
            }
            // A little to any side is no better, or beyond a row.
            for i in 0..4 {
                for step in [-1e-3, 1e-3] {
                    let mut beside = x;
                    beside[i] = (beside[i] + step).clamp(-1.0, 1.0);
                    let worse = value(&beside) > value(&x) - 1e-6;
                    prop_assert!(worse || !fence.holds(&beside));
                }
            }
        }
    }

    #[test]
    fn what_was_far_is_not_looked_at_again_until_the_arm_has_moved_enough() {
        let (keep, bounds) = (keep(), Bounds::new(LIMITS, [10.0; 4], 0.001));
        let mut seen = None;
        let q = [1.5, 0.2, 0.0, 0.0];
        assert!(keep.fence(&mut seen, &bounds, &q, &[0.01; 4]).is_open());
        let before = seen;
        assert!(before.is_some());
        let near = [1.5, 0.201, 0.0, 0.0];
        assert!(keep.fence(&mut seen, &bounds, &near, &[0.01; 4]).is_open());
        assert_eq!(seen, before);
        let far = [0.2, 0.2, 0.0, 0.0];
        assert!(!keep.fence(&mut seen, &bounds, &far, &[0.5; 4]).is_open());
        assert_ne!(seen, before);
    }
}
