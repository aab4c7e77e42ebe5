//! The next joint velocities, tick after tick: a target or a path of the tool, followed within the
//! limits of every joint.
//!
//! ```text
//! target ─► Aim: joints for it, one Newton step a tick ──────────────┐
//! path ───► Horizon: joints ahead and how fast they may be passed ───┼─► Bounds ─► positions,
//! twist ──► Task: velocities by least squares, slowed as a whole ────┘             velocities
//! ```
//!
//! - **A path** ([`Follower::follow`]) is kept to: where the joints can't keep its speed, the speed
//!   along it drops, in time and within the accelerations, and the answer says how far it has got.
//! - **A target** ([`Follower::track`]) keeps its own time. Out of reach the arm follows as near as
//!   it can, the position first, stays on its branch, and comes back with the target.
//! - **A twist** ([`Follower::jog`]) is scaled as a whole where the joints can't keep it.
//!
//! Position, velocity and acceleration limits hold in every tick, whatever is asked; an arm that
//! starts outside its position limits comes back gently and never goes farther out.
//!
//! Real time: no allocation, lock, log or clock; a fixed bound on the work of a tick.
//!
//! ```
//! use surehand_kinematics::{Description, streaming::{Course, Follower}};
//!
//! # let urdf = include_str!("../tests/wild.urdf");
//! let arm = Description::read("arm.urdf", urdf, "base", "tip")?;
//! let model = arm.model::<7>().ok_or("another number of joints")?;
//! let start = [0.1; 7];
//! let mut follower = Follower::new(&model, [20.0; 7], 0.001, start)?;
//! let mut target = model.chain.pose(&start);
//! target.translation.z += 0.001;
//! while follower.track(&target).course != Course::Kept {}
//! assert!((model.chain.pose(&follower.positions()).translation - target.translation).norm() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(
    clippy::needless_range_loop,
    reason = "arrays with an entry a joint are walked together"
)]

mod aim;
mod answer;
mod bounds;
mod fence;
mod horizon;
mod join;
mod keep_away;
mod knot;
mod motion;
mod path;
mod programme;
mod task;

use nalgebra::Vector6;

use crate::chain::Chain;
use crate::clearance::{Clearance, ClearanceError};
use crate::frame::Frame;
use crate::model::Model;
use aim::Aim;
pub use answer::{Course, FollowerError, Step};
use bounds::Bounds;
use horizon::{Ground, Horizon};
pub use join::Reached;
use keep_away::{KeepAway, Seen};
use motion::shares;
pub use path::{Path, Waypoint};
use programme::{ActiveSet, Factors};
pub use task::{Residual, Task};

/// Shortest and longest tick, seconds.
pub const PERIODS: (f64, f64) = (1e-4, 0.1);
/// The rate at which joints that the task leaves free go to the posture, 1/s.
const PULL: f64 = 1.0;
/// A twist is damped as for the way it covers in this time, seconds.
pub const AHEAD: f64 = 0.02;
/// A twist of which this share is made is kept.
const KEPT: f64 = 0.99;
/// A target farther than this from the nearest place is out of reach, metres.
const BEYOND: f64 = 5e-5;
/// A path is begun on when the tool is this near to it, metres.
const AT_PATH: f64 = 2e-6;

/// Follows with `N` joints.
#[derive(Debug, Clone, PartialEq)]
pub struct Follower<const N: usize> {
    chain: Chain<N>,
    bounds: Bounds<N>,
    task: Task,
    posture: [f64; N],
    q: [f64; N],
    v: [f64; N],
    aim: Aim<N>,
    /// Velocity of what is pursued, as far as accelerations can follow it.
    feed: [f64; N],
    active: ActiveSet<N>,
    /// Whether the arm is where it is led, and not after it.
    level: bool,
    horizon: Horizon<N>,
    along: f64,
    share: f64,
    keep: Option<KeepAway<N>>,
    seen: Option<Seen<N>>,
    hurry: f64,
}

impl<const N: usize> Follower<N> {
    /// Stands at `start` for ticks of `period` seconds; `acceleration` is each joint's largest,
    /// radians or metres a second squared. The posture of joints left free is the start.
    ///
    /// # Errors
    /// A limit that is none, or a start that is not finite.
    pub fn new(
        model: &Model<N>,
        acceleration: [f64; N],
        period: f64,
        start: [f64; N],
    ) -> Result<Follower<N>, FollowerError> {
        if !(period >= PERIODS.0 && period <= PERIODS.1) {
            return Err(FollowerError::Period { seconds: period });
        }
        let limits = &model.limits;
        for joint in 0..N {
            let (lower, upper) = (limits.lower[joint], limits.upper[joint]);
            if lower.partial_cmp(&upper) != Some(std::cmp::Ordering::Less) {
                return Err(FollowerError::Range {
                    joint,
                    lower,
                    upper,
                });
            }
            for (what, value) in [
                ("velocity limit", limits.velocity[joint]),
                ("acceleration limit", acceleration[joint]),
            ] {
                if !(value > 0.0 && value.is_finite()) {
                    return Err(FollowerError::Limit { joint, what, value });
                }
            }
        }
        let bounds = Bounds::new(*limits, acceleration, period);
        let mut follower = Follower {
            chain: model.chain,
            bounds,
            task: Task::Pose,
            posture: limits.clamp(&start),
            q: start,
            v: [0.0; N],
            aim: Aim::at(&[0.0; N], limits),
            feed: [0.0; N],
            active: ActiveSet::free(),
            level: true,
            horizon: Horizon::new(&bounds),
            along: 0.0,
            share: 0.0,
            keep: None,
            seen: None,
            hurry: 1.0,
        };
        follower.reset(start, [0.0; N])?;
        Ok(follower)
    }

    /// Stands or moves elsewhere, with no target: an arm that was moved by others.
    ///
    /// # Errors
    /// A number that is not finite; the follower is as before.
    pub fn reset(
        &mut self,
        positions: [f64; N],
        velocities: [f64; N],
    ) -> Result<(), FollowerError> {
        for joint in 0..N {
            let (position, velocity) = (positions[joint], velocities[joint]);
            if !(position.is_finite() && velocity.is_finite()) {
                return Err(FollowerError::Start {
                    joint,
                    position,
                    velocity,
                });
            }
        }
        self.q = positions;
        self.v = velocities;
        self.feed = velocities;
        self.aim = Aim::at(&positions, self.bounds.limits());
        self.begin(0.0);
        Ok(())
    }

    /// What the tool is to keep; the whole pose unless set.
    pub fn set_task(&mut self, task: Task) {
        self.task = task;
        self.begin(self.along);
    }

    /// A path may be gone along at up to `hurry` times its speed, 1 or more and 1 unless set: what is
    /// asked for in [`Follower::follow`] goes up to here. Another number changes nothing.
    pub fn set_hurry(&mut self, hurry: f64) {
        if hurry >= 1.0 && hurry.is_finite() {
            self.hurry = hurry;
            self.begin(self.along);
        }
    }

    /// Keeps `clearance` from now on: in [`Follower::track`] and [`Follower::jog`] the arm slows down
    /// towards whatever is near and slides along it, in [`Follower::follow`] it slows down on the path;
    /// at `margin` metres it stops. Within the last millimetre of the margin, or its last fifth, it may
    /// come where surfaces bend. Joint limits go first: an arm that begins too near comes back as it
    /// can.
    ///
    /// # Errors
    /// A margin that is not a finite number, or below 0; the follower is as before.
    pub fn set_clearance(
        &mut self,
        clearance: Clearance<N>,
        margin: f64,
    ) -> Result<(), ClearanceError> {
        self.keep = Some(KeepAway::new(clearance, margin, &self.bounds)?);
        self.forget();
        Ok(())
    }

    /// How much is left above the margin of the nearest distance with the joints at `q`, metres, or
    /// `most` where it is more; `None` where nothing is kept away from.
    #[must_use]
    pub fn left(&self, q: &[f64; N], most: f64) -> Option<f64> {
        let keep = self.keep.as_ref()?;
        Some(keep.left(q, most))
    }

    /// Keeps away from nothing any more.
    pub fn unset_clearance(&mut self) {
        self.keep = None;
        self.forget();
    }

    /// What was seen of what is near.
    fn forget(&mut self) {
        self.seen = None;
        self.aim.forget();
        self.begin(self.along);
    }

    /// Where joints go that the task leaves free, brought inside the limits; a number that is none
    /// changes nothing.
    pub fn set_posture(&mut self, posture: [f64; N]) {
        if posture.iter().all(|position| position.is_finite()) {
            self.posture = self.bounds.limits().clamp(&posture);
            self.begin(self.along);
        }
    }

    /// The next path begins at `along`, and what was seen of the last is forgotten.
    pub fn begin(&mut self, along: f64) {
        self.along = along;
        self.share = 0.0;
        self.horizon.clear();
    }

    /// The joints' positions, base first.
    #[must_use]
    pub fn positions(&self) -> [f64; N] {
        self.q
    }

    /// The joints' velocities, base first.
    #[must_use]
    pub fn velocities(&self) -> [f64; N] {
        self.v
    }

    /// How far along the path the arm is, seconds.
    #[must_use]
    pub fn along(&self) -> f64 {
        self.along
    }

    /// A tick towards `target`, which moves in its own time.
    pub fn track(&mut self, target: &Frame) -> Step<N> {
        let finite = target.translation.iter().all(|it| it.is_finite())
            && target.rotation.iter().all(|it| it.is_finite());
        if !finite {
            return self.brake();
        }
        self.horizon.clear();
        self.share = 0.0;
        let level = self.approach(target);
        let near = self.aim.left().position <= BEYOND;
        let course = match (level, near) {
            (true, true) => Course::Kept,
            (_, false) => Course::Beyond,
            (false, true) => Course::Behind,
        };
        self.answer(if level { 1.0 } else { 0.0 }, course)
    }

    /// A tick along `path`, at most the share `pace` (0 to 1, or to that of
    /// [`Follower::set_hurry`]) of its speed; 0 brings the tool to rest on it. First the arm goes to where the path begins.
    ///
    /// The path is looked at ahead of the arm: another one begins with [`Follower::begin`].
    pub fn follow(&mut self, path: &impl Path, pace: f64) -> Step<N> {
        if !pace.is_finite() || !self.along.is_finite() {
            return self.brake();
        }
        if self.horizon.is_empty() {
            let place = path.at(self.along);
            let finite = place.pose.translation.iter().all(|it| it.is_finite())
                && place.pose.rotation.iter().all(|it| it.is_finite());
            if !finite {
                return self.brake();
            }
            let level = self.approach(&place.pose);
            let still = (0..N).all(|joint| self.v[joint] * self.bounds.period() < 1e-9);
            if level && still && self.aim.left().position < AT_PATH {
                let mut horizon = self.horizon;
                horizon.begin(&self.ground(), path, self.along, &self.q);
                self.horizon = horizon;
            }
            let course = if level && still && self.aim.left().position > BEYOND {
                Course::Blocked
            } else {
                Course::Behind
            };
            return self.answer(0.0, course);
        }
        let ground = Ground {
            chain: &self.chain,
            bounds: &self.bounds,
            task: self.task,
            pull: PULL,
            posture: &self.posture,
            keep: self.keep.as_ref(),
            hurry: self.hurry,
        };
        self.horizon.look(&ground, path);
        self.advance(pace.clamp(0.0, self.hurry))
    }

    fn ground(&self) -> Ground<'_, N> {
        Ground {
            chain: &self.chain,
            bounds: &self.bounds,
            task: self.task,
            pull: PULL,
            posture: &self.posture,
            keep: self.keep.as_ref(),
            hurry: self.hurry,
        }
    }

    /// A tick in which the tool moves with `twist`: metres a second above radians a second, base
    /// frame.
    ///
    /// A twist is led by a hand that may turn it in any tick, so nothing is looked for ahead of the arm
    /// but what each joint and every distance needs to stop. Where a joint can't keep it, all of it is
    /// slowed down, so that the tool keeps to its direction; at a position limit it comes to rest.
    /// Near a singularity it is damped, as far as the way of the next [`AHEAD`] seconds bends: there and
    /// at the border of what is in reach the tool turns aside, along the border, and the arm stays bent
    /// enough to come back at once. The share in the answer is that of the twist which is made.
    pub fn jog(&mut self, twist: &Vector6<f64>) -> Step<N> {
        if !twist.iter().all(|number| number.is_finite()) {
            return self.brake();
        }
        self.horizon.clear();
        let room = self.bounds.room(&self.q, &self.v);
        let jacobian = self.chain.linearise(&self.q).jacobian;
        let (mut free, mut back) = ([0.0; N], [0.0; N]);
        for joint in 0..N {
            free[joint] = PULL * (self.posture[joint] - self.q[joint]);
            back[joint] = self.aim.bent()[joint] - self.q[joint];
        }
        let programme = self.task.led(&jacobian, twist, &free, &back, AHEAD);
        let rate = Factors::of(&programme.hessian).solve(&programme.linear);
        if !rate.iter().all(|rate| rate.is_finite()) {
            return self.brake();
        }
        let fence = self.fence(&room);
        let blocked = fence.as_ref().filter(|fence| !fence.holds(&rate));
        let rate = blocked.map_or(rate, |fence| {
            let (least, most) = ([-f64::MAX; N], [f64::MAX; N]);
            programme.solve_within(&least, &most, &mut ActiveSet::free(), fence)
        });
        let (least, most) = shares(&room, &[0.0; N], &rate);
        // A joint that rounding has put beyond its limit is at it.
        let velocities = if least <= most + 1e-9 {
            rate.map(|rate| most.clamp(0.0, 1.0) * rate)
        } else {
            programme.solve(&room.least, &room.most, &mut self.active)
        };
        self.take(&velocities, &room, fence.as_ref());
        let made = self.task.share(&jacobian, twist, &self.v);
        let course = if made >= KEPT {
            self.aim.remember(self.bounds.period());
            Course::Kept
        } else {
            Course::Behind
        };
        self.answer(made.clamp(0.0, 1.0), course)
    }

    /// A tick of braking.
    pub fn brake(&mut self) -> Step<N> {
        self.horizon.clear();
        self.share = 0.0;
        let room = self.bounds.room(&self.q, &self.v);
        self.go(&[0.0; N], &room);
        self.answer(0.0, Course::Braking)
    }
}
