//! One tick on the fastest jerk-limited way to a target that moves at a steady speed.
//!
//! Solved in the frame that moves with the target: there it is a way to rest, so the joint comes
//! to the target, not to where the target was. The profile is the time-optimal one of Berscheid
//! and Kröger, *Jerk-limited Real-time Trajectory Generation with Arbitrary Target States*,
//! 2021, as `rsruckig` computes it.
//!
//! Owns nothing: a function of its arguments. Real time: no allocation, lock, log or clock (the
//! generator's own interface has both on its error path; its first step has neither).

use rsruckig::block::Block;
use rsruckig::position_third_step1::PositionThirdOrderStep1;
use rsruckig::profile::Profile;

use super::profile::State;

/// A target is taken to move at most at this share of the speed limit: the rest is for
/// catching up with it.
const TARGET_SHARE: f64 = 0.95;

/// Rates a tick may take, above zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    /// rad/s.
    pub(super) velocity: f64,
    /// rad/s².
    pub(super) acceleration: f64,
    /// rad/s³.
    pub(super) jerk: f64,
}

/// A target in motion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// Where it is at the end of the tick, radians.
    pub(super) position: f64,
    /// rad/s.
    pub(super) velocity: f64,
}

/// The state one tick of `period` seconds on from `from`, on the fastest way to `target` within
/// `rates`; `None` when the generator finds none.
pub(super) fn intercept(from: &State, target: Target, rates: Rates, period: f64) -> Option<State> {
    let most = TARGET_SHARE * rates.velocity;
    let drift = target.velocity.clamp(-most, most);
    let ahead = State {
        position: from.position - (target.position - drift * period),
        velocity: from.velocity - drift,
        acceleration: from.acceleration,
    };
    let next = to_rest(&ahead, drift, rates, period)?;
    let next = State {
        position: target.position + next.position,
        velocity: drift + next.velocity,
        acceleration: next.acceleration,
    };
    let finite = [next.position, next.velocity, next.acceleration];
    finite.iter().all(|value| value.is_finite()).then_some(next)
}

/// `period` seconds of the fastest way from `from` to rest at zero, in a frame that moves at
/// `drift`.
fn to_rest(from: &State, drift: f64, rates: Rates, period: f64) -> Option<State> {
    let (fastest, slowest) = (rates.velocity - drift, -rates.velocity - drift);
    let (a, j) = (rates.acceleration, rates.jerk);
    let mut profile = Profile::default();
    profile.brake.get_position_brake_trajectory(
        from.velocity,
        from.acceleration,
        fastest,
        slowest,
        a,
        -a,
        j,
    );
    profile.set_boundary(
        from.position,
        from.velocity,
        from.acceleration,
        0.0,
        0.0,
        0.0,
    );
    let [mut p, ..] = profile.p;
    let [mut v, ..] = profile.v;
    let [mut acceleration, ..] = profile.a;
    profile.brake.finalize(&mut p, &mut v, &mut acceleration);
    (profile.p[0], profile.v[0], profile.a[0]) = (p, v, acceleration);
    let mut step = PositionThirdOrderStep1::new(
        p,
        v,
        acceleration,
        0.0,
        0.0,
        0.0,
        fastest,
        slowest,
        a,
        -a,
        j,
    );
    let mut block = Block::default();
    step.get_profile(&profile, &mut block)
        .then(|| sample(from, &block.p_min, period))
}

/// `from` after `secs` of `profile`; at rest at zero when it is over.
fn sample(from: &State, profile: &Profile, mut secs: f64) -> State {
    let braking = if profile.brake.duration > 0.0 {
        profile.brake.t
    } else {
        [0.0; 2]
    };
    let phases = braking.into_iter().zip(profile.brake.j);
    let phases = phases.chain(profile.t.into_iter().zip(profile.j));
    let mut at = *from;
    for (lasts, jerk) in phases {
        if secs < lasts {
            return at.after(secs, jerk);
        }
        at = at.after(lasts, jerk);
        secs -= lasts;
    }
    State::default()
}
