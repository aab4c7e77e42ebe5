//! One joint's command: where it is, and how far a tick may take it.
//!
//! Owns the command's state. A step is taken only when braking from where it ends stays inside
//! every limit; else the next gentler one is tried, and braking itself is the last. So braking
//! is always possible.
//!
//! Real time: no allocation, lock, log or clock.

use super::Measured;
use super::intercept::{Rates, Target, intercept};
use super::profile::{State, Stop};
use crate::arm::JointLimits;
use crate::control::clearance::Swing;

/// Coming back from outside the position limits: share of the speed limit.
const RETURN_SHARE: f64 = 0.1;
/// What rounding may put a goal past a limit, in the unit of the limit.
const ROUNDING: f64 = 1e-10;
/// At this little speed a joint stands, rad/s.
const STANDING: f64 = 1e-6;
/// A generated step may be off its rates by this share.
const RATE_SLACK: f64 = 1e-6;

/// One joint's command.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Axis {
    pub(super) limits: JointLimits,
    pub(super) state: State,
    /// The target of the tick before, inside the limits; `None` when there was none.
    target: Option<f64>,
    /// Ticks in which the target or the goal had to be cut.
    pub(super) clamped: u64,
}

impl Axis {
    /// Standing at `position`.
    pub(super) fn new(limits: JointLimits, position: f64) -> Axis {
        Axis {
            limits,
            state: State::at_rest(position),
            ..Axis::default()
        }
    }

    /// Stands at `position` from now on.
    pub(super) fn stand_at(&mut self, position: f64) {
        self.state = State::at_rest(position);
        self.target = None;
    }

    /// One tick towards `target`, a finite position that may move from tick to tick, at most at
    /// `most` rad/s. What is faster already slows down.
    pub(super) fn follow(&mut self, target: f64, measured: Measured, most: f64, period: f64) {
        let inside = target.clamp(self.limits.lower.0, self.limits.upper.0);
        if inside != target {
            self.clamped = self.clamped.saturating_add(1);
        }
        let target = self.aim(inside, period);
        let rates = self.rates(most);
        let step = (rates.velocity > STANDING)
            .then(|| intercept(&self.state, target, rates, period))
            .flatten()
            .filter(|next| self.within(next, rates, period));
        let coast = Some(self.coast(period))
            .filter(|next| next.velocity.abs() <= rates.velocity * (1.0 + RATE_SLACK));
        self.advance([step, coast], measured, period);
    }

    /// What it is `secs` into a stop from now.
    pub(super) fn stopping_after(&self, secs: f64) -> Axis {
        let stop = Stop::of(&self.state, &self.limits);
        Axis {
            state: stop.after(&self.state, secs),
            ..*self
        }
    }

    /// The speed that is reached once the acceleration is let go, rad/s.
    pub(super) fn speed_to_come(&self) -> f64 {
        let State {
            velocity,
            acceleration,
            ..
        } = self.state;
        velocity + acceleration * acceleration.abs() / (2.0 * self.limits.jerk.0)
    }

    /// The most speed on the way of a stop from now, rad/s.
    pub(super) fn fastest(&self) -> f64 {
        self.state.velocity.abs().max(self.speed_to_come().abs())
    }

    /// What this tick of `period` seconds may have done, and a stop from now still does.
    pub(super) fn swing(&self, period: f64) -> Swing {
        let State {
            velocity: now,
            acceleration,
            ..
        } = self.state;
        let jerk = self.limits.jerk.0;
        let falling = (acceleration.abs() / jerk).min(period);
        let lost = falling * (acceleration.abs() - jerk * falling / 2.0);
        let peak = now - lost.copysign(acceleration);
        let to_come = self.speed_to_come();
        Swing {
            low: peak.min(now).min(to_come).min(0.0),
            high: peak.max(now).max(to_come).max(0.0),
            way: self.stop_way(),
        }
    }

    /// From end to end of the way of a stop from now, radians.
    pub(super) fn stop_way(&self) -> f64 {
        let (low, high) = Stop::of(&self.state, &self.limits).span(&self.state);
        high - low
    }

    /// How long a stop from now takes, seconds.
    pub(super) fn stop_secs(&self) -> f64 {
        Stop::of(&self.state, &self.limits).secs()
    }

    /// One tick of braking, and of standing once at rest.
    pub(super) fn brake(&mut self, measured: Measured, period: f64) {
        self.target = None;
        self.advance([None, None], measured, period);
    }

    /// Where the target is at the end of this tick, and how fast it goes.
    fn aim(&mut self, inside: f64, period: f64) -> Target {
        let before = self.target.replace(inside).unwrap_or(inside);
        let velocity = (inside - before) / period;
        let moving = State {
            position: inside,
            velocity,
            acceleration: 0.0,
        };
        // A target that moved faster than the joint can has jumped: it is taken as standing. So
        // is one that moves on where the joint could not brake any more.
        let steady = velocity.abs() <= self.limits.velocity.0 && self.can_brake(&moving);
        Target {
            position: inside,
            velocity: if steady { velocity } else { 0.0 },
        }
    }

    /// The rates for this tick: gentle on the way back from outside.
    fn rates(&self, most: f64) -> Rates {
        let (lower, upper) = self.bounds();
        let outside = !(lower..=upper).contains(&self.state.position);
        Rates {
            velocity: most.min(self.limits.velocity.0 * if outside { RETURN_SHARE } else { 1.0 }),
            acceleration: self.limits.acceleration.0,
            jerk: self.limits.jerk.0,
        }
    }

    /// Whether a step to `next` respects `rates`; what is beyond them already may only get less.
    fn within(&self, next: &State, rates: Rates, period: f64) -> bool {
        let most = |limit: f64, now: f64| limit.max(now.abs()) * (1.0 + RATE_SLACK);
        let jerk = (next.acceleration - self.state.acceleration) / period;
        next.velocity.abs() <= most(rates.velocity, self.state.velocity)
            && next.acceleration.abs() <= most(rates.acceleration, self.state.acceleration)
            && jerk.abs() <= most(rates.jerk, 0.0)
    }

    /// One tick of going on at the speed that is left once nothing accelerates any more.
    fn coast(&self, period: f64) -> State {
        let acceleration = self.state.acceleration;
        let jerk = self.limits.jerk.0.min(acceleration.abs() / period);
        self.state.after(period, -jerk.copysign(acceleration))
    }

    /// Takes the first of `steps` after which braking stays inside every limit, else brakes.
    fn advance(&mut self, steps: [Option<State>; 2], measured: Measured, period: f64) {
        let window = self.window(measured);
        let safe = steps.into_iter().flatten().find(|next| {
            self.can_brake(next)
                && window.is_none_or(|window| self.keeps_near(next, measured, window))
        });
        let next =
            safe.unwrap_or_else(|| Stop::of(&self.state, &self.limits).after(&self.state, period));
        match window {
            Some((low, high))
                if next.position < low - ROUNDING || next.position > high + ROUNDING =>
            {
                self.cut(&next, low, high);
            }
            _ => self.state = next,
        }
    }

    /// Whether a stop from `next` stays inside the position limits; outside them, whether it
    /// leads no farther out than now, and not out again once on the way in.
    fn can_brake(&self, next: &State) -> bool {
        let (lower, upper) = self.bounds();
        let stop = Stop::of(next, &self.limits);
        let (low, high) = stop.span(next);
        let (now, at) = (self.state.position, next.position);
        if at < lower {
            return low >= now.min(lower) && stop.end(next) >= high.min(lower);
        }
        if at > upper {
            return high <= now.max(upper) && stop.end(next) <= low.max(upper);
        }
        low >= lower && high <= upper
    }

    /// The position limits, and what rounding may put a goal past them.
    fn bounds(&self) -> (f64, f64) {
        let JointLimits { lower, upper, .. } = self.limits;
        (lower.0 - ROUNDING, upper.0 + ROUNDING)
    }

    /// Whether a stop from `next` stays near the joint. The window moves with the joint: only
    /// what is faster than the joint must be braked.
    fn keeps_near(&self, next: &State, measured: Measured, (low, high): (f64, f64)) -> bool {
        let v = next.velocity;
        let along = measured.velocity.0.clamp(v.min(0.0), v.max(0.0));
        let relative = State {
            velocity: v - along,
            ..*next
        };
        let (lowest, highest) = Stop::of(&relative, &self.limits).span(&relative);
        lowest >= low - ROUNDING && highest <= high + ROUNDING
    }

    /// The last word: the goal goes to the edge of the lead window, and what is left of its
    /// speed is what it moved, never more than it had, never backwards, and never more than can
    /// be braked.
    fn cut(&mut self, next: &State, low: f64, high: f64) {
        let kept = next.position.max(low).min(high);
        let way = next.position - self.state.position;
        let share = (kept - self.state.position) / way;
        let moving_on = way != 0.0 && (0.0..1.0).contains(&share);
        let left = State {
            position: kept,
            velocity: if moving_on {
                next.velocity * share
            } else {
                0.0
            },
            acceleration: 0.0,
        };
        self.state = if self.can_brake(&left) {
            left
        } else {
            State::at_rest(kept)
        };
        self.clamped = self.clamped.saturating_add(1);
    }

    /// How far the goal may be either way; `None` when the measured position is no number.
    fn window(&self, measured: Measured) -> Option<(f64, f64)> {
        let lead = self.limits.stopping_distance().0;
        let at = measured.position.0;
        (at.is_finite() && measured.velocity.0.is_finite()).then_some((at - lead, at + lead))
    }
}
