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
//!    So does it before the arm meets a wall, a box or itself, where a clearance is watched.
//! 3. **Jerk**, 4. **acceleration**, 5. **velocity**, and last the target.
//!
//! Real time: no allocation, lock, log or clock.

mod axis;
mod intercept;
mod profile;

use crate::arm::JointLimits;
use crate::control::clearance::Room;
use crate::units::{JointVec, Rad, RadPerSec};
use axis::Axis;

/// The most places along a stop at which the clearance is looked at.
const STOP_LOOKS: f64 = 24.0;

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

/// Turns targets into commands, one tick at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Limiter {
    period: f64,
    joints: JointVec<Axis>,
    /// The last tick braked because going on would have left no clearance.
    hemmed: bool,
}

impl Limiter {
    /// A limiter standing at `measured`, for ticks of `period_secs`.
    #[must_use]
    pub fn new(
        limits: &JointVec<JointLimits>,
        period_secs: f64,
        measured: &JointVec<Measured>,
    ) -> Limiter {
        let joints = limits.zip_with(measured, |limits, measured| {
            Axis::new(limits, measured.position.0)
        });
        Limiter {
            period: period_secs,
            joints,
            hemmed: false,
        }
    }

    /// One tick towards `target`, which may move: its velocity is estimated from the target of
    /// the tick before. A target with NaN, an infinity or another number of joints brakes.
    ///
    /// `clearance` says how far from anything the arm is at given joint positions, and `reach` how
    /// far any of it can be from any joint's axis, both in metres. No step is
    /// taken after which a stop would end with less than none; an arm that begins there may only
    /// get out.
    pub fn follow(
        &mut self,
        target: &JointVec<Rad>,
        measured: &JointVec<Measured>,
        clearance: impl Fn(&JointVec<Rad>) -> Room,
        reach: f64,
    ) -> JointCommand {
        let usable =
            target.len() == self.joints.len() && target.iter().all(|rad| rad.0.is_finite());
        if !usable {
            for axis in self.joints.iter_mut() {
                axis.clamped = axis.clamped.saturating_add(1);
            }
            return self.brake(measured);
        }
        let period = self.period;
        let before = self.joints;
        for ((axis, target), measured) in self.joints.iter_mut().zip(target).zip(measured) {
            axis.follow(target.0, *measured, period);
        }
        let least = self.least(&clearance, reach);
        // Where the arm is without room already, the way may be no deeper than that.
        let clear = least.least() >= 0.0
            || least.no_worse_than(&clearance(&before.map(|axis| Rad(axis.state.position))));
        if !clear {
            self.joints = before;
            let command = self.brake(measured);
            self.hemmed = true;
            return command;
        }
        self.hemmed = false;
        self.command()
    }

    /// The least clearance now and on the way of a stop: joints stop one by one, so the way is
    /// not straight. The next look is when what is left now could have been used up.
    fn least(&self, clearance: impl Fn(&JointVec<Rad>) -> Room, reach: f64) -> Room {
        let longest = self.joints.iter().map(Axis::stop_secs).fold(0.0, f64::max);
        let fastest = reach * self.joints.iter().map(Axis::fastest).sum::<f64>();
        let mut least = Room::OPEN;
        let mut secs = 0.0;
        loop {
            let left = clearance(&self.joints.map(|axis| Rad(axis.stopping_after(secs))));
            least = least.min(left);
            if secs >= longest {
                return least;
            }
            let step = (left.least() / fastest).max(longest / STOP_LOOKS);
            secs = (secs + step).min(longest);
        }
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
        JointCommand(self.joints.map(|axis| Rad(axis.state.position)))
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
