//! One joint's motion at constant jerk, and the fastest jerk-limited stop from any state.
//!
//! Arithmetic only. The stop is the one of minimum time: jerk towards the braking side, full
//! deceleration where it is reached, and jerk back to rest (Biagiotti and Melchiorri, *Trajectory
//! Planning for Automatic Machines and Robots*, 2008, section 3.4).
//!
//! Real time: no allocation, lock, log or clock.

use crate::arm::JointLimits;

/// Position, velocity and acceleration of one joint's command.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct State {
    /// Radians.
    pub(super) position: f64,
    /// rad/s.
    pub(super) velocity: f64,
    /// rad/s².
    pub(super) acceleration: f64,
}

impl State {
    /// Standing at `position`.
    pub(super) fn at_rest(position: f64) -> State {
        State {
            position,
            ..State::default()
        }
    }

    /// Whether it stands and goes on standing.
    pub(super) fn rests(&self) -> bool {
        self.velocity == 0.0 && self.acceleration == 0.0
    }

    /// The state after `secs` of `jerk`.
    pub(super) fn after(&self, secs: f64, jerk: f64) -> State {
        let State {
            position: p,
            velocity: v,
            acceleration: a,
        } = *self;
        State {
            position: p + secs * (v + secs * (a / 2.0 + secs * jerk / 6.0)),
            velocity: v + secs * (a + secs * jerk / 2.0),
            acceleration: a + secs * jerk,
        }
    }

    /// Lowest and highest position within `secs` of `jerk`, where it turns included.
    fn span(&self, secs: f64, jerk: f64) -> (f64, f64) {
        let end = self.after(secs, jerk);
        let mut span = (
            self.position.min(end.position),
            self.position.max(end.position),
        );
        // A speed that rises or falls all the way, or is bent away from zero, keeps its sign.
        let even = self.acceleration * end.acceleration >= 0.0 || jerk * self.velocity <= 0.0;
        if even && self.velocity * end.velocity > 0.0 {
            return span;
        }
        for at in turns(self.velocity, self.acceleration, jerk) {
            if at > 0.0 && at < secs {
                let turn = self.after(at, jerk).position;
                span = (span.0.min(turn), span.1.max(turn));
            }
        }
        span
    }
}

/// When the velocity `v + a·t + j·t²/2` is zero; NaN where it never is.
fn turns(velocity: f64, acceleration: f64, jerk: f64) -> [f64; 2] {
    if jerk == 0.0 {
        return [-velocity / acceleration, f64::NAN];
    }
    let root = (acceleration * acceleration - 2.0 * jerk * velocity).sqrt();
    [(-acceleration + root) / jerk, (-acceleration - root) / jerk]
}

/// The fastest stop from one state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// Seconds and jerk of each phase.
    phases: [(f64, f64); 3],
}

impl Stop {
    /// The stop from `state`.
    pub(super) fn of(state: &State, limits: &JointLimits) -> Stop {
        let (most, jerk) = (limits.acceleration.0, limits.jerk.0);
        let (v, a) = (state.velocity, state.acceleration);
        // The velocity left once the acceleration is brought to zero says which way to brake.
        let left = v + a * a.abs() / (2.0 * jerk);
        let way = if left < 0.0 { -1.0 } else { 1.0 };
        let (v, a) = (way * v, way * a);
        let peak = (jerk * v + a * a / 2.0).max(0.0).sqrt().min(most);
        let to_peak = ((a + peak) / jerk).max(0.0);
        let held = (v + a * a / (2.0 * jerk) - peak * peak / jerk) / peak;
        let held = if peak < most || !held.is_finite() {
            0.0
        } else {
            held.max(0.0)
        };
        Stop {
            phases: [
                (to_peak, -way * jerk),
                (held, 0.0),
                (peak / jerk, way * jerk),
            ],
        }
    }

    /// How long it takes.
    pub(super) fn secs(&self) -> f64 {
        self.phases.iter().map(|(lasts, _)| lasts).sum()
    }

    /// Where `state` is after `secs` of this stop; exactly at rest once it is over.
    pub(super) fn after(&self, state: &State, mut secs: f64) -> State {
        let mut at = *state;
        for (lasts, jerk) in self.phases {
            if secs < lasts {
                return at.after(secs, jerk);
            }
            at = at.after(lasts, jerk);
            secs -= lasts;
        }
        State::at_rest(at.position)
    }

    /// Where it ends.
    pub(super) fn end(&self, state: &State) -> f64 {
        let phases = self.phases.iter();
        let end = phases.fold(*state, |at, (lasts, jerk)| at.after(*lasts, *jerk));
        end.position
    }

    /// Lowest and highest position from `state` to rest.
    pub(super) fn span(&self, state: &State) -> (f64, f64) {
        let mut at = *state;
        let mut span = (state.position, state.position);
        for (lasts, jerk) in self.phases {
            let (low, high) = at.span(lasts, jerk);
            span = (span.0.min(low), span.1.max(high));
            at = at.after(lasts, jerk);
        }
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Rad, RadPerSec, RadPerSec2, RadPerSec3};
    use proptest::prelude::*;

    fn limits() -> JointLimits {
        JointLimits {
            lower: Rad(-1.0),
            upper: Rad(1.0),
            velocity: RadPerSec(3.0),
            acceleration: RadPerSec2(15.0),
            jerk: RadPerSec3(600.0),
        }
    }

    proptest! {
        #[test]
        fn a_stop_ends_at_rest_inside_every_limit(v in -3.0..3.0f64, a in -15.0..15.0f64) {
            let start = State { position: 0.3, velocity: v, acceleration: a };
            let stop = Stop::of(&start, &limits());
            let (low, high) = stop.span(&start);
            let mut before = start;
            for tick in 1..1000 {
                let now = stop.after(&start, f64::from(tick) * 0.001);
                prop_assert!(now.acceleration.abs() <= 15.0 + 1e-9);
                prop_assert!((now.acceleration - before.acceleration).abs() <= 0.6 + 1e-9);
                let step = (now.velocity - before.velocity).abs();
                prop_assert!(step <= 0.015 + 1e-9, "a jump of {step} rad/s");
                prop_assert!((low - 1e-9..=high + 1e-9).contains(&now.position));
                before = now;
            }
            prop_assert!(before.rests());
            prop_assert!((before.position - low).abs() < 1e-9 || (before.position - high).abs() < 1e-9
                || (low..=high).contains(&before.position));
        }

        #[test]
        fn a_stop_taken_tick_by_tick_is_the_same_stop(v in -3.0..3.0f64, a in -15.0..15.0f64) {
            let start = State { position: 0.0, velocity: v, acceleration: a };
            let whole = Stop::of(&start, &limits());
            let mut at = start;
            for tick in 1..200 {
                at = Stop::of(&at, &limits()).after(&at, 0.005);
                let expected = whole.after(&start, f64::from(tick) * 0.005);
                prop_assert!((at.position - expected.position).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn the_way_from_full_speed_is_the_stopping_distance() {
        for jerk in [20.0, 75.0, 600.0, 1e5] {
            let limits = JointLimits {
                jerk: RadPerSec3(jerk),
                ..limits()
            };
            let start = State {
                velocity: 3.0,
                ..State::default()
            };
            let (_, high) = Stop::of(&start, &limits).span(&start);
            assert!((high - limits.stopping_distance().0).abs() < 1e-9);
        }
    }
}
