//! The way onto a new plan: a cubic in joint space from the present command and its velocity.
//!
//! Owns the shape. Never decides where it leads.

use super::curve::hermite;
use crate::arm::ArmModel;
use crate::units::{JointVec, MonoTime, Rad};

/// A cubic from one place and velocity to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bridge {
    pub(super) begin: MonoTime,
    pub(super) end: MonoTime,
    pub(super) from: JointVec<Rad>,
    pub(super) from_speed: JointVec<f64>,
    pub(super) to: JointVec<Rad>,
    pub(super) to_speed: JointVec<f64>,
}

/// The share of speed and acceleration limits that a bridge onto a path is made for.
const SHARE: f64 = 0.8;

/// How long the chain's joints need for a bridge from rest to rest, seconds: the cubic's peak
/// speed is 1.5 and its peak acceleration 6, in units of way and duration.
pub(super) fn secs(from: &JointVec<f64>, to: &JointVec<f64>, model: &ArmModel) -> f64 {
    let ways = from.zip_with(to, |from, to| (to - from).abs());
    let limits = model.chain_limits();
    let times = ways.iter().zip(&limits).map(|(way, limits)| {
        let by_speed = 1.5 * way / (SHARE * limits.velocity.0);
        let by_acceleration = (6.0 * way / (SHARE * limits.acceleration.0)).sqrt();
        by_speed.max(by_acceleration)
    });
    times.fold(0.0, f64::max)
}

/// The share of a path's speed that a bridge of `secs` may end with, with this way, the
/// velocities that it begins with, and the path's: so much that the joints need not go back to
/// take a run-up. A cubic stays on its way up to three times its mean speed.
pub(super) fn share(
    way: &JointVec<f64>,
    leaving: &JointVec<f64>,
    path: &JointVec<f64>,
    secs: f64,
) -> f64 {
    let along = |other: &JointVec<f64>| {
        let products = other.iter().zip(path).map(|(a, b)| a * b);
        products.sum::<f64>()
    };
    let whole = along(path);
    if whole <= 0.0 || secs <= 0.0 {
        return 1.0;
    }
    let by_way = 3.0 * along(way) / (secs * whole);
    let by_speed = along(leaving) / whole;
    by_way.max(by_speed).clamp(0.0, 1.0)
}

impl Bridge {
    /// The joints at `now`, between its beginning and its end.
    pub(super) fn at(&self, now: MonoTime) -> JointVec<Rad> {
        let secs = self.end.secs_from(self.begin);
        let share = now.secs_from(self.begin) / secs;
        let places = self.from.zip_with(&self.to, |from, to| (from.0, to.0));
        let speeds = self
            .from_speed
            .zip_with(&self.to_speed, |from, to| (from * secs, to * secs));
        places.zip_with(&speeds, |(from, to), (leave, arrive)| {
            Rad(hermite(from, leave, to, arrive, share))
        })
    }
}
