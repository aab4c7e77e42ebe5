//! The only maker of joint commands: position, speed and acceleration limits on every tick.
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
//! 3. **Acceleration**, then 4. **velocity**, then 5. the target.
//!
//! Real time: no allocation, lock, log or clock.

use crate::arm::JointLimits;
use crate::units::{JointVec, Rad, RadPerSec};

/// Coming back from outside the position limits: share of the speed limit.
const RETURN_SHARE: f64 = 0.1;
/// A goal that braking brought to the edge of the lead window may be past it by this, radians.
const ROUNDING: f64 = 1e-9;

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
}

impl Limiter {
    /// A limiter standing at `measured`, for ticks of `period_secs`.
    #[must_use]
    pub fn new(
        limits: &JointVec<JointLimits>,
        period_secs: f64,
        measured: &JointVec<Measured>,
    ) -> Limiter {
        let joints = limits.zip_with(measured, |limits, measured| Axis {
            limits,
            position: measured.position.0,
            ..Axis::default()
        });
        Limiter {
            period: period_secs,
            joints,
        }
    }

    /// One tick towards `target`, which may move: its velocity is estimated from the target of
    /// the tick before. A target with NaN, an infinity or another number of joints brakes.
    pub fn follow(
        &mut self,
        target: &JointVec<Rad>,
        measured: &JointVec<Measured>,
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
        for ((axis, target), measured) in self.joints.iter_mut().zip(target).zip(measured) {
            let speed = axis.towards(target.0, period);
            axis.advance(speed, *measured, period);
        }
        self.command()
    }

    /// One tick of braking to a standstill, and of standing once there.
    pub fn brake(&mut self, measured: &JointVec<Measured>) -> JointCommand {
        let period = self.period;
        for (axis, measured) in self.joints.iter_mut().zip(measured) {
            axis.target = None;
            axis.advance(0.0, *measured, period);
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
            axis.position = measured.position.0;
            axis.velocity = 0.0;
            axis.target = None;
        }
    }

    /// The command as it stands.
    #[must_use]
    pub fn command(&self) -> JointCommand {
        JointCommand(self.joints.map(|axis| Rad(axis.position)))
    }

    /// The command's velocity.
    #[must_use]
    pub fn velocities(&self) -> JointVec<RadPerSec> {
        self.joints.map(|axis| RadPerSec(axis.velocity))
    }

    /// Whether the command stands still.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.joints.iter().all(|axis| axis.velocity == 0.0)
    }

    /// Ticks in which each joint's target had to be cut: not finite, outside the position
    /// limits, or farther ahead of the joint than its stopping distance.
    #[must_use]
    pub fn clamped(&self) -> JointVec<u64> {
        self.joints.map(|axis| axis.clamped)
    }
}

/// One joint's command.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Axis {
    limits: JointLimits,
    position: f64,
    velocity: f64,
    /// The target of the tick before, inside the limits; `None` when there was none.
    target: Option<f64>,
    clamped: u64,
}

impl Axis {
    /// The speed that catches up with a moving target and arrives with its velocity.
    fn towards(&mut self, target: f64, period: f64) -> f64 {
        let inside = target.clamp(self.limits.lower.0, self.limits.upper.0);
        if inside != target {
            self.clamped = self.clamped.saturating_add(1);
        }
        let before = self.target.replace(inside).unwrap_or(inside);
        let target_velocity = (inside - before) / period;
        // A target that moved faster than the joint can has jumped: it is taken as standing.
        let (from, drift) = if target_velocity.abs() <= self.limits.velocity.0 {
            (before, target_velocity)
        } else {
            (inside, 0.0)
        };
        let way = from - self.position;
        drift + self.stoppable(way.abs(), period).copysign(way)
    }

    /// The largest speed for this tick from which braking, this tick's way included, takes no
    /// more than `room`. With the tick's speed step A = a·T, braking from speed v in whole
    /// ticks covers T·(n·v − A·n(n+1)/2), n = ⌊v/A⌋; this is its inverse.
    fn stoppable(&self, room: f64, period: f64) -> f64 {
        if room <= 0.0 {
            return 0.0;
        }
        let step = self.limits.acceleration.0 * period;
        let n = (((1.0 + 8.0 * room / (step * period)).sqrt() - 1.0) / 2.0).floor();
        (room / period + step * n * (n + 1.0) / 2.0) / (n + 1.0)
    }

    /// Moves the command by one tick at the speed nearest to `wanted` that every limit allows.
    fn advance(&mut self, wanted: f64, measured: Measured, period: f64) {
        let limits = self.limits;
        let step = limits.acceleration.0 * period;
        let lowest = (self.velocity - step).max(-limits.velocity.0);
        let highest = (self.velocity + step).min(limits.velocity.0);
        let window = self.window(measured);

        let mut speed = wanted;
        if let Some((low, high)) = window {
            // The bound moves with the joint: only what is faster than the joint must be braked.
            let along = measured.velocity.0.max(0.0).min(self.velocity.max(0.0));
            let against = measured.velocity.0.min(0.0).max(self.velocity.min(0.0));
            let up = along + self.stoppable(high - self.position, period);
            let down = against - self.stoppable(self.position - low, period);
            speed = speed.min(up).max(down);
        }
        speed = speed.max(lowest).min(highest);
        speed = speed
            .min(self.stoppable(limits.upper.0 - self.position, period))
            .max(-self.stoppable(self.position - limits.lower.0, period));
        let gentle = RETURN_SHARE * limits.velocity.0;
        if self.position > limits.upper.0 {
            speed = speed.max(-gentle).min(highest);
        } else if self.position < limits.lower.0 {
            speed = speed.min(gentle).max(lowest);
        }

        let next = self.position + speed * period;
        match window {
            Some((low, high)) if next < low || next > high => self.cut(next, speed, low, high),
            _ => {
                self.position = next;
                self.velocity = speed;
            }
        }
    }

    /// The last word: the goal goes to the edge of the lead window, and what is left of its
    /// speed is what it moved, never more than it had and never backwards.
    fn cut(&mut self, next: f64, speed: f64, low: f64, high: f64) {
        let kept = next.max(low).min(high);
        if (next - kept).abs() < ROUNDING {
            self.position = kept;
            self.velocity = speed;
            return;
        }
        let share = (kept - self.position) / (next - self.position);
        let moving_on = next != self.position && (0.0..1.0).contains(&share);
        self.velocity = if moving_on { speed * share } else { 0.0 };
        self.position = kept;
        self.clamped = self.clamped.saturating_add(1);
    }

    /// How far the goal may be either way; `None` when the measured position is no number.
    fn window(&self, measured: Measured) -> Option<(f64, f64)> {
        let lead = self.limits.stopping_distance().0;
        let at = measured.position.0;
        (at.is_finite() && measured.velocity.0.is_finite()).then_some((at - lead, at + lead))
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
