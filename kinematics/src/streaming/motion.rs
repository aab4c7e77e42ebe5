//! How the arm moves in a tick: along a path, after joints that move, or with velocities.
//!
//! Owns the last step before the joints: whatever it was led to, positions and velocities leave here
//! within the bounds, and clear of what is to be kept away from. Never decides where to go.

use super::aim::Search;
use super::bounds::{Room, stoppable};
use super::fence::Fence;
use super::horizon::Sight;
use super::{Course, Follower, Step};
use crate::frame::Frame;

/// Of its acceleration a joint keeps the first share for the motion of what it pursues, and the
/// second to close up on it.
const AFTER_TARGET: (f64, f64) = (0.45, 0.45);
const ON_PATH: (f64, f64) = (0.8, 0.15);
/// Tries to find the way along a path that the joints can cover in a tick, and the share of
/// the shares there is room for that is kept clear of at their ends.
const TRIES: u32 = 3;
const EDGE: f64 = 0.05;

impl<const N: usize> Follower<N> {
    /// A tick along the path as far as it is in sight.
    #[inline]
    pub(super) fn advance(&mut self, pace: f64) -> Step<N> {
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
        let mut sight = self.horizon.speed(self.along, self.share, period);
        let fence = self.fence(&room);
        if let Some(fence) = &fence {
            sight = sight.min(fence.share(&rate));
        }
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
            share = share.clamp(0.0, self.hurry).min(left);
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
        let way = Way {
            shares: ON_PATH,
            clear: true,
        };
        self.pursue(&here, &to, &room, fence.as_ref(), way);
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

    pub(super) fn answer(&self, share: f64, course: Course) -> Step<N> {
        Step {
            positions: self.q,
            velocities: self.v,
            share,
            course,
            residual: self.aim.left(),
        }
    }

    /// Moves with `velocities` as far as there is room and clearance, and aims where that leads.
    pub(super) fn take(&mut self, velocities: &[f64; N], room: &Room<N>, fence: Option<&Fence<N>>) {
        let kept = self.kept_clear(velocities, room, fence);
        self.go(&kept.unwrap_or(*velocities), room);
    }

    /// Moves with `velocities` as far as there is room.
    pub(super) fn go(&mut self, velocities: &[f64; N], room: &Room<N>) {
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

    /// What the velocities of this tick are held to.
    #[inline]
    pub(super) fn fence(&mut self, room: &Room<N>) -> Option<Fence<N>> {
        let keep = self.keep.as_ref()?;
        let most = std::array::from_fn(|it| room.least[it].abs().max(room.most[it].abs()));
        Some(keep.fence(&mut self.seen, &self.bounds, &self.q, &most))
    }

    /// Velocities within `room` that keep clear in place of `velocities`, where those do not.
    #[inline]
    fn kept_clear(
        &self,
        velocities: &[f64; N],
        room: &Room<N>,
        fence: Option<&Fence<N>>,
    ) -> Option<[f64; N]> {
        let (keep, fence) = (self.keep.as_ref()?, fence?);
        let inside = |v: &[f64; N]| -> [f64; N] {
            std::array::from_fn(|joint| v[joint].max(room.least[joint]).min(room.most[joint]))
        };
        let mut kept = inside(velocities);
        let holds = fence.holds(&kept);
        if !holds {
            kept = keep.bend(fence, velocities, room);
        }
        let clear = keep.stops_clear(self.seen.as_ref(), &self.bounds, &self.q, &kept);
        if !clear {
            kept = inside(&self.bounds.braked(&self.v));
        }
        (!holds || !clear).then_some(kept)
    }

    /// A step of the aim towards `target` and one of the arm after it.
    #[inline]
    pub(super) fn approach(&mut self, target: &Frame) -> bool {
        let from = *self.aim.joints();
        let room = self.bounds.room(&self.q, &self.v);
        let fence = self.fence(&room);
        let search = Search {
            chain: &self.chain,
            limits: self.bounds.limits(),
            task: self.task,
            posture: &self.posture,
            period: self.bounds.period(),
            keep: self.keep.as_ref(),
            fence: fence.as_ref().map(|fence| (&self.q, fence)),
        };
        self.aim.step(&search, target);
        let to = *self.aim.joints();
        let way = Way {
            shares: AFTER_TARGET,
            clear: false,
        };
        self.pursue(&from, &to, &room, fence.as_ref(), way)
    }

    /// Goes after joints that move from `from` to `to` in this tick; whether it is with them.
    ///
    /// A joint that can be there is. Else it takes the other's velocity, as far as the first of the
    /// `shares` of its acceleration brings it, and closes up at the largest speed from which the second
    /// stops it there.
    #[inline]
    fn pursue(
        &mut self,
        from: &[f64; N],
        to: &[f64; N],
        room: &Room<N>,
        fence: Option<&Fence<N>>,
        way: Way,
    ) -> bool {
        let period = self.bounds.period();
        let mut velocities = [0.0; N];
        let mut level = true;
        for joint in 0..N {
            let v = (to[joint] - self.q[joint]) / period;
            velocities[joint] = v;
            level &= v >= room.least[joint] && v <= room.most[joint];
        }
        if level && !way.clear {
            level = self.kept_clear(&velocities, room, fence).is_none();
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
            let change = way.shares.0 * acceleration * period;
            let pursued = ((to[joint] - from[joint]) / period).clamp(-speed, speed);
            self.feed[joint] += (pursued - self.feed[joint]).clamp(-change, change);
            let distance = from[joint] - self.q[joint];
            let closing =
                stoppable(distance.abs(), way.shares.1 * acceleration, period).copysign(distance);
            velocities[joint] = (self.feed[joint] + closing)
                .max(room.least[joint])
                .min(room.most[joint]);
        }
        if let Some(kept) = self.kept_clear(&velocities, room, fence) {
            velocities = kept;
        }
        self.v = velocities;
        for joint in 0..N {
            self.q[joint] += velocities[joint] * period;
        }
        false
    }
}

/// How a way is pursued.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Way {
    shares: (f64, f64),
    /// Whether it was looked at before, and keeps clear.
    clear: bool,
}

/// The shares `s` for which `off + s·rate` has room, least and most; crossed when there is none.
#[inline]
pub(super) fn shares<const N: usize>(
    room: &Room<N>,
    off: &[f64; N],
    rate: &[f64; N],
) -> (f64, f64) {
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
