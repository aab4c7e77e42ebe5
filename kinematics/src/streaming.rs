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
mod horizon;
mod join;
mod knot;
mod path;
mod programme;
mod task;

use nalgebra::Vector6;

use crate::chain::Chain;
use crate::frame::Frame;
use crate::model::Model;
use aim::{Aim, Search};
pub use answer::{Course, FollowerError, Step};
use bounds::{Bounds, Room, stoppable};
use horizon::{Ground, Horizon, Sight};
pub use join::Reached;
pub use path::{Path, Waypoint};
use programme::{Factors, Side};
pub use task::{Residual, Task};

/// Shortest and longest tick, seconds.
pub const PERIODS: (f64, f64) = (1e-4, 0.1);
/// The rate at which joints that the task leaves free go to the posture, 1/s.
const PULL: f64 = 1.0;
/// Of its acceleration a joint keeps the first share for the motion of what it pursues, and the
/// second to close up on it.
const AFTER_TARGET: (f64, f64) = (0.45, 0.45);
const ON_PATH: (f64, f64) = (0.8, 0.15);
/// Tries to find the way along a path that the joints can cover in a tick, and the share of
/// the shares there is room for that is kept clear of at their ends.
const TRIES: u32 = 3;
const EDGE: f64 = 0.05;
/// A twist is damped as for the way it covers in this time, seconds.
const AHEAD: f64 = 0.02;
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
    sides: [Side; N],
    /// Whether the arm is where it is led, and not after it.
    level: bool,
    horizon: Horizon<N>,
    along: f64,
    share: f64,
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
            sides: [Side::Free; N],
            level: true,
            horizon: Horizon::new(&bounds),
            along: 0.0,
            share: 0.0,
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

    /// A tick along `path`, at most the share `pace` (0 to 1) of its speed; 0 brings the tool to
    /// rest on it. First the arm goes to where the path begins.
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
        };
        self.horizon.look(&ground, path);
        self.advance(pace.clamp(0.0, 1.0))
    }

    fn ground(&self) -> Ground<'_, N> {
        Ground {
            chain: &self.chain,
            bounds: &self.bounds,
            task: self.task,
            pull: PULL,
            posture: &self.posture,
        }
    }

    /// A tick along the path as far as it is in sight.
    #[inline]
    fn advance(&mut self, pace: f64) -> Step<N> {
        let period = self.bounds.period();
        let room = self.bounds.room(&self.q, &self.v);
        // Between knots at a limit the way may bulge beyond it by a hair, where no joint can be.
        let limits = *self.bounds.limits();
        let here = limits.clamp(&self.horizon.at(self.along));
        let mut rate = self.horizon.rate(self.along + 0.5 * self.share * period);
        let mut off = [0.0; N];
        for joint in 0..N {
            if self.level {
                off[joint] = (here[joint] - self.q[joint]) / period;
            }
        }
        let sight = self.horizon.speed(self.along, self.share, period);
        let end = self.horizon.end();
        let left = ((end - self.along) / period).max(0.0);
        let mut share = 0.0;
        let mut to = here;
        // The rate is not known before the way is: the second and third time it is that of the way.
        for _ in 0..TRIES {
            let (least, most) = shares(&room, &off, &rate);
            share = if least > most {
                // The least that is wrong: the nearest to what it was.
                self.share.clamp(most, least)
            } else {
                let edge = EDGE * (most.min(2.0) - least).max(0.0);
                let slowest = if least > 0.0 { least + edge } else { 0.0 };
                // An arm that is off the path waits for itself.
                let fastest = if self.level { sight.min(pace) } else { 0.0 };
                fastest.min(most - edge).max(slowest)
            };
            share = share.clamp(0.0, 1.0).min(left);
            to = limits.clamp(&self.horizon.at(self.along + share * period));
            let mut inside = true;
            for joint in 0..N {
                let v = (to[joint] - self.q[joint]) / period;
                inside &= v >= room.least[joint] && v <= room.most[joint];
                if share > 0.0 {
                    rate[joint] = (v - off[joint]) / share;
                }
            }
            if inside {
                break;
            }
        }
        let along = self.along + share * period;
        self.pursue(&here, &to, &room, ON_PATH);
        self.along = along;
        self.share = share;
        self.horizon.pass(along);
        self.aim.set(to);
        let near = end - along < 1e-9;
        let course = match self.horizon.sight() {
            Sight::End if near => Course::Done,
            Sight::Blocked if end - along < period => Course::Blocked,
            _ if self.level => Course::Kept,
            _ => Course::Behind,
        };
        self.answer(share, course)
    }

    /// A tick in which the tool moves with `twist`: metres a second above radians a second, base
    /// frame.
    pub fn jog(&mut self, twist: &Vector6<f64>) -> Step<N> {
        if !twist.iter().all(|number| number.is_finite()) {
            return self.brake();
        }
        self.horizon.clear();
        let room = self.bounds.room(&self.q, &self.v);
        let jacobian = self.chain.linearise(&self.q).jacobian;
        let mut free = [0.0; N];
        for joint in 0..N {
            free[joint] = PULL * (self.posture[joint] - self.q[joint]);
        }
        let programme = self.task.tangent(&jacobian, twist, &free, AHEAD);
        let rate = Factors::of(&programme.hessian).solve(&programme.linear);
        if !rate.iter().all(|rate| rate.is_finite()) {
            return self.brake();
        }
        let (least, most) = shares(&room, &[0.0; N], &rate);
        let (share, velocities) = if least <= most {
            let share = most.min(1.0);
            (share, rate.map(|rate| share * rate))
        } else {
            let sides = &mut self.sides;
            let velocities = programme.solve(&room.least, &room.most, sides);
            (0.0, velocities)
        };
        self.take(&velocities, &room);
        let course = if share >= 1.0 {
            Course::Kept
        } else {
            Course::Behind
        };
        self.answer(share, course)
    }

    /// A tick of braking.
    pub fn brake(&mut self) -> Step<N> {
        self.horizon.clear();
        self.share = 0.0;
        let room = self.bounds.room(&self.q, &self.v);
        self.take(&[0.0; N], &room);
        self.answer(0.0, Course::Braking)
    }

    fn answer(&self, share: f64, course: Course) -> Step<N> {
        Step {
            positions: self.q,
            velocities: self.v,
            share,
            course,
            residual: self.aim.left(),
        }
    }

    /// Moves with `velocities` as far as there is room, and aims where that leads.
    fn take(&mut self, velocities: &[f64; N], room: &Room<N>) {
        for joint in 0..N {
            let v = velocities[joint]
                .max(room.least[joint])
                .min(room.most[joint]);
            self.v[joint] = v;
            self.q[joint] += v * self.bounds.period();
        }
        self.feed = self.v;
        self.aim.set(self.bounds.limits().clamp(&self.q));
    }

    /// A step of the aim towards `target` and one of the arm after it.
    #[inline]
    fn approach(&mut self, target: &Frame) -> bool {
        let from = *self.aim.joints();
        let search = Search {
            chain: &self.chain,
            limits: self.bounds.limits(),
            task: self.task,
            posture: &self.posture,
            period: self.bounds.period(),
        };
        self.aim.step(&search, target);
        let room = self.bounds.room(&self.q, &self.v);
        let to = *self.aim.joints();
        self.pursue(&from, &to, &room, AFTER_TARGET)
    }

    /// Goes after joints that move from `from` to `to` in this tick; whether it is with them.
    ///
    /// A joint that can be there is. Else it takes the other's velocity, as far as the first of the `shares` of its
    /// acceleration brings it, and closes up at the largest speed from which the second stops it there.
    #[inline]
    fn pursue(
        &mut self,
        from: &[f64; N],
        to: &[f64; N],
        room: &Room<N>,
        shares: (f64, f64),
    ) -> bool {
        let period = self.bounds.period();
        let mut velocities = [0.0; N];
        let mut level = true;
        for joint in 0..N {
            let v = (to[joint] - self.q[joint]) / period;
            velocities[joint] = v;
            level &= v >= room.least[joint] && v <= room.most[joint];
        }
        self.level = level;
        if level {
            self.q = *to;
            self.v = velocities;
            self.feed = velocities;
            return true;
        }
        for joint in 0..N {
            let speed = self.bounds.limits().velocity[joint];
            let acceleration = self.bounds.acceleration()[joint];
            let change = shares.0 * acceleration * period;
            let pursued = ((to[joint] - from[joint]) / period).clamp(-speed, speed);
            self.feed[joint] += (pursued - self.feed[joint]).clamp(-change, change);
            let distance = from[joint] - self.q[joint];
            let closing =
                stoppable(distance.abs(), shares.1 * acceleration, period).copysign(distance);
            let v = (self.feed[joint] + closing)
                .max(room.least[joint])
                .min(room.most[joint]);
            self.v[joint] = v;
            self.q[joint] += v * period;
        }
        false
    }
}

/// The shares `s` for which `off + s·rate` has room, least and most; crossed when there is none.
#[inline]
fn shares<const N: usize>(room: &Room<N>, off: &[f64; N], rate: &[f64; N]) -> (f64, f64) {
    let (mut least, mut most) = (0.0f64, f64::INFINITY);
    for joint in 0..N {
        let (low, high) = (
            room.least[joint] - off[joint],
            room.most[joint] - off[joint],
        );
        if rate[joint].abs() > 1e-12 {
            let inverse = 1.0 / rate[joint];
            let (one, other) = (low * inverse, high * inverse);
            least = least.max(one.min(other));
            most = most.min(one.max(other));
        } else if low > 0.0 || high < 0.0 {
            most = -1.0;
        }
    }
    (least, most)
}
