//! The only maker of joint commands: position, speed, acceleration and jerk limits on every tick.
//!
//! Owns the command's state. Never decides where to go, only how far this tick may take it.
//!
//! Which limit wins, strongest first:
//! 1. **Lead**: a goal is never farther from the measured position than the joint's stopping
//!    distance. The command brakes towards that bound; when the joint is blocked or pushed and
//!    braking does not suffice, the goal is cut there at once. That cut only ever moves a goal
//!    towards where the joint already is, so it may exceed the rate limits, and the position
//!    limits too where the joint itself is outside them.
//! 2. **Position**: braking always fits before a limit.
//!    So does it before the arm meets a wall, a plane, a box or itself, where these are watched.
//! 3. **Jerk**, 4. **acceleration**, 5. **velocity**, the speed of links, the pace, and slowing
//!    down towards what is near; last the target.
//!
//! Real time: no allocation, lock, log or clock.

mod around;
mod axis;
mod intercept;
mod profile;

use crate::arm::JointLimits;
use crate::control::clearance::{Room, Swing};
use crate::units::{JointSet, JointVec, Rad, RadPerSec};
pub use around::Around;
use around::Shape;
use axis::Axis;

/// The fewest places along a stop that has no room to spare at which the clearance is looked at.
const STOP_LOOKS: f64 = 24.0;
/// The most places: they bound the time that a tick takes.
const MOST_LOOKS: f64 = 64.0;
/// How far into its margin the arm may swing between two looks, metres.
const SWING: f64 = 0.000_5;
/// How far a stop may lead an arm back again on its way out of a margin, metres.
const BACK: f64 = 0.001;
/// The share of the speed limit of links that is aimed at: the rest is for levers that grow.
const AIM: f64 = 0.98;

/// A command inside every limit. Only [`Limiter`] makes one; the bus accepts nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointCommand(JointVec<Rad>);

impl JointCommand {
    /// The goal of every joint in the arm's order, finite.
    #[must_use]
    pub fn positions(&self) -> JointVec<Rad> {
        self.0
    }
}

/// Where a joint is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Position.
    pub position: Rad,
    /// Velocity.
    pub velocity: RadPerSec,
}

/// What a stop leads past.
#[derive(Debug, Clone, Copy, PartialEq)]
struct StopWay {
    /// The least room to each thing on the way.
    least: Room,
    /// How far it leads back in where it has led out of something, below zero.
    back: Room,
}

/// Turns targets into commands, one tick at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limiter {
    period: f64,
    joints: JointVec<Axis>,
    /// The last tick braked because going on would have left no clearance.
    hemmed: bool,
}

impl Limiter {
    /// A limiter standing at `positions`, for ticks of `period_secs`.
    #[must_use]
    pub fn new(
        limits: &JointVec<JointLimits>,
        period_secs: f64,
        positions: &JointVec<Rad>,
    ) -> Limiter {
        let joints = limits.zip_with(positions, |limits, position| Axis::new(limits, position.0));
        Limiter {
            period: period_secs,
            joints,
            hemmed: false,
        }
    }

    /// One tick towards `target`, which may move: its velocity is estimated from the target of
    /// the tick before. A target with NaN, an infinity or another number of joints brakes.
    ///
    /// No step is taken after which a stop would end with less room than none, or take an end of
    /// a link beyond its speed limit; an arm that begins there may only get out.
    pub fn follow(
        &mut self,
        target: &JointVec<Rad>,
        measured: &JointVec<Measured>,
        around: &Around<'_>,
    ) -> JointCommand {
        self.lead(JointSet::all(target.len()), target, measured, around)
    }

    /// As [`Limiter::follow`] for the joints of `led` alone: the others brake, and then stand where
    /// they are, outside their limits too.
    pub fn lead(
        &mut self,
        led: JointSet,
        target: &JointVec<Rad>,
        measured: &JointVec<Measured>,
        around: &Around<'_>,
    ) -> JointCommand {
        let usable =
            target.len() == self.joints.len() && target.iter().all(|rad| rad.0.is_finite());
        if !usable {
            for axis in self.joints.iter_mut() {
                axis.clamped = axis.clamped.saturating_add(1);
            }
        }
        let Some(pace) = around.pace().filter(|_| usable) else {
            return self.brake(measured);
        };
        let before = *self;
        let most = self.joints.map(|axis| pace * axis.limits.velocity.0);
        self.advance(led, target, measured, &most);
        let mut way = around.watched().map(|shape| self.stop_way(&shape));
        if let Some((shape, share)) = before.share(self, way.as_ref(), around) {
            let speeds = self.joints.iter().map(Axis::speed_to_come).enumerate();
            let held = speeds.zip(&most).map(|((index, speed), most)| {
                if shape.moves(index) {
                    share * speed.abs()
                } else {
                    *most
                }
            });
            let held = held.collect();
            *self = before;
            self.advance(led, target, measured, &held);
            way = around.watched().map(|shape| self.stop_way(&shape));
        }
        let clear = way.is_none_or(|way| before.may_stop_along(&way, around));
        if clear && before.stays_slow(self, around) {
            return self.command();
        }
        *self = before;
        let command = self.brake(measured);
        self.hemmed = !clear;
        command
    }

    /// Takes every joint a tick on, at most at these speeds, rad/s.
    fn advance(
        &mut self,
        led: JointSet,
        target: &JointVec<Rad>,
        measured: &JointVec<Measured>,
        most: &JointVec<f64>,
    ) {
        let period = self.period;
        self.hemmed = false;
        let joints = self.joints.iter_mut().zip(target).zip(measured);
        for (joint, (((axis, target), measured), most)) in joints.zip(most).enumerate() {
            if led.contains(joint) {
                axis.follow(target.0, *measured, *most, period);
            } else {
                axis.brake(*measured, period);
            }
        }
    }

    /// The share of its speed that the arm may keep on the way to `next`, where it may not keep
    /// all of it; `way` is that of a stop from there.
    fn share<'a>(
        &self,
        next: &Limiter,
        way: Option<&StopWay>,
        around: &Around<'a>,
    ) -> Option<(Shape<'a>, f64)> {
        let slow = around.speed_limit().map(|(shape, most)| {
            let fastest = next.fastest_link(&shape);
            (shape, AIM * most / fastest)
        });
        let near = around.watched().zip(way).and_then(|(shape, way)| {
            if shape.is_far(way.least.least()) {
                return None;
            }
            // Where it would be a tick later, at the speed that is to come.
            let ahead = next
                .joints
                .map(|axis| Rad(axis.state.position + axis.speed_to_come() * self.period));
            let here = shape.room(&next.positions());
            let share = shape.share(&way.least, &here, &shape.room(&ahead), self.period);
            Some((shape, share))
        });
        let shares = slow.into_iter().chain(near);
        let least = shares.min_by(|(_, a), (_, b)| a.total_cmp(b));
        least.filter(|(_, share)| *share < 1.0)
    }

    /// Whether a stop on `way` leaves room to everything; where there is none already, whether it
    /// leads no deeper, nor in again once it has led out.
    fn may_stop_along(&self, way: &StopWay, around: &Around<'_>) -> bool {
        let here = || around.watched().map(|shape| shape.room(&self.positions()));
        way.least.least() >= 0.0
            || (way.back.least() >= -BACK
                && here().is_none_or(|here| way.least.no_worse_than(&here)))
    }

    /// Whether no link gets too fast in a stop from `next`; where one is too fast already,
    /// whether it is on its way to be slower.
    fn stays_slow(&self, next: &Limiter, around: &Around<'_>) -> bool {
        around.speed_limit().is_none_or(|(shape, most)| {
            let fastest = next.fastest_link(&shape);
            fastest <= most || fastest < self.fastest_link(&shape)
        })
    }

    /// The most speed that the end of any link can have in a stop from now, m/s.
    fn fastest_link(&self, shape: &Shape<'_>) -> f64 {
        let swings: JointVec<Swing> = self.joints.map(|axis| axis.swing(self.period));
        shape.fastest(&self.positions(), &swings)
    }

    /// The way of a stop from now: joints stop one by one, so it is not straight. The next look
    /// is when what is left now could have been used up, and there is none where all that is left
    /// of the way leads near nothing.
    fn stop_way(&self, shape: &Shape<'_>) -> StopWay {
        let longest = self.joints.iter().map(Axis::stop_secs).fold(0.0, f64::max);
        let densest = self.look_every(shape, longest);
        let mut way = StopWay {
            least: Room::OPEN,
            back: Room::OPEN,
        };
        let mut best = shape.room(&self.positions());
        let mut secs = 0.0;
        loop {
            let at = self.joints.map(|axis| axis.stopping_after(secs));
            let left = shape.room(&at.map(|axis| Rad(axis.state.position)));
            way.least = way.least.min(left);
            best = best.max(left);
            way.back = way.back.min(left.beyond(best));
            let left = left.least();
            let sum = |of: fn(&Axis) -> f64| shape.sum(&at.map(|axis| of(&axis)));
            if secs >= longest || shape.is_far(left - sum(Axis::stop_way)) {
                return way;
            }
            let step = (left / sum(Axis::fastest)).max(densest);
            secs = (secs + step).min(longest);
        }
    }

    /// Seconds between two looks on a way without room to spare, of a stop that takes `longest`.
    /// Between two moments that are `t` apart and clear, a point that accelerates by at most `a`
    /// gets no deeper than `a t² / 8`.
    fn look_every(&self, shape: &Shape<'_>, longest: f64) -> f64 {
        let along = shape.sum(&self.joints.map(|axis| axis.limits.acceleration.0));
        let speeds = self.joints.map(|axis| axis.fastest());
        // All joints before a point turn the way that each of them moves it.
        let turning: f64 = speeds.iter().sum();
        let across = turning * shape.sum(&speeds);
        let needed = (8.0 * SWING / (along + across)).sqrt();
        needed.clamp(longest / MOST_LOOKS, longest / STOP_LOOKS)
    }

    fn positions(&self) -> JointVec<Rad> {
        self.joints.map(|axis| Rad(axis.state.position))
    }

    /// Whether the last tick braked for want of clearance.
    #[must_use]
    pub fn hemmed(&self) -> bool {
        self.hemmed
    }

    /// One tick of braking to a standstill, and of standing once there.
    pub fn brake(&mut self, measured: &JointVec<Measured>) -> JointCommand {
        let period = self.period;
        self.hemmed = false;
        for (axis, measured) in self.joints.iter_mut().zip(measured) {
            axis.brake(*measured, period);
        }
        self.command()
    }

    /// Forgets where the command was: it stands at `measured` now. Only for when torque is off
    /// or about to come on, or nothing is known of the goals on the wire.
    pub fn resynchronise(&mut self, measured: &JointVec<Measured>) -> JointCommand {
        for index in 0..self.joints.len() {
            if let Some(measured) = measured.get(index) {
                self.resynchronise_joint(index, measured);
            }
        }
        self.command()
    }

    /// As [`Limiter::resynchronise`] for one joint.
    pub fn resynchronise_joint(&mut self, joint: usize, measured: Measured) {
        if let Some(axis) = self.joints.as_mut_slice().get_mut(joint)
            && measured.position.0.is_finite()
        {
            axis.stand_at(measured.position.0);
        }
    }

    /// The command as it stands.
    #[must_use]
    pub fn command(&self) -> JointCommand {
        JointCommand(self.positions())
    }

    /// The command's velocity.
    #[must_use]
    pub fn velocities(&self) -> JointVec<RadPerSec> {
        self.joints.map(|axis| RadPerSec(axis.state.velocity))
    }

    /// Whether the command stands still.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.joints.iter().all(|axis| axis.state.rests())
    }

    /// Ticks in which each joint's target had to be cut: not finite, outside the position
    /// limits, or farther ahead of the joint than its stopping distance.
    #[must_use]
    pub fn clamped(&self) -> JointVec<u64> {
        self.joints.map(|axis| axis.clamped)
    }
}

#[cfg(test)]
mod tests;
