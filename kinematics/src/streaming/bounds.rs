//! How fast each joint may go in the next tick: speed, acceleration, and a stop before the limit.
//!
//! Owns the bounds and the promise that they are never empty: whatever was chosen inside them, the
//! next tick has a choice again. Never decides where to go.
//!
//! **Braking viability in discrete time.** A joint that covers `v·dt` in this tick and then loses
//! `a·dt` of speed in each that follows comes to rest after
//! `dt·(n + 1)·(v − n·a·dt/2)` with `n = ⌊v / (a·dt)⌋`. Setting that to the distance `d` that is left
//! and measuring it as `δ = d / (a·dt²)`, the largest speed is
//! `a·dt·(δ / (n + 1) + n / 2)` with `n = ⌊(√(1 + 8δ) − 1) / 2⌋` (the sum of an arithmetic series,
//! solved). Braking fully from it leaves exactly the speed that is viable in the place reached, so
//! the bound of the next tick holds a choice within the acceleration limit.

use crate::model::Limits;

/// A joint outside its limits comes back no faster than this share of its speed limit.
const GENTLY: f64 = 0.1;
/// Keeps the count of ticks of a stop in range where the way is endless.
const FAR: f64 = 1e12;

/// What the joints may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds<const N: usize> {
    limits: Limits<N>,
    /// Largest acceleration, radians or metres a second squared.
    acceleration: [f64; N],
    /// Way to a stop from the largest speed, radians or metres.
    stop: [f64; N],
    /// Seconds.
    period: f64,
}

/// Least and greatest velocity of each joint for one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Room<const N: usize> {
    pub(crate) least: [f64; N],
    pub(crate) most: [f64; N],
}

impl<const N: usize> Bounds<N> {
    /// Of limits that were checked, for ticks of `period` seconds.
    pub(crate) fn new(limits: Limits<N>, acceleration: [f64; N], period: f64) -> Bounds<N> {
        let mut stop = [0.0; N];
        for (joint, stop) in stop.iter_mut().enumerate() {
            let speed = limits.velocity[joint];
            // Never shorter than the discrete stop from this speed.
            *stop = speed * (0.5 * speed / acceleration[joint] + 2.0 * period);
        }
        Bounds {
            limits,
            acceleration,
            stop,
            period,
        }
    }

    pub(crate) fn limits(&self) -> &Limits<N> {
        &self.limits
    }

    pub(crate) fn acceleration(&self) -> &[f64; N] {
        &self.acceleration
    }

    pub(crate) fn period(&self) -> f64 {
        self.period
    }

    /// The velocities between which the next tick may choose, from positions `q` and velocities `v`.
    #[inline]
    pub(crate) fn room(&self, q: &[f64; N], v: &[f64; N]) -> Room<N> {
        let mut room = Room {
            least: [0.0; N],
            most: [0.0; N],
        };
        for joint in 0..N {
            let change = self.acceleration[joint] * self.period;
            let speed = self.limits.velocity[joint];
            let up = self.towards(joint, self.limits.upper[joint] - q[joint]);
            let down = -self.towards(joint, q[joint] - self.limits.lower[joint]);
            // What the acceleration allows is never given up: an excess of the others is braked.
            let (low, high) = (v[joint] - change, v[joint] + change);
            let most = up.min(speed).min(high).max(low);
            room.least[joint] = down.max(-speed).max(low).min(high).min(most);
            room.most[joint] = most;
        }
        room
    }

    /// Where the joints come to stand that move with `v` in this tick and then brake together, in the
    /// direction in which they move.
    #[inline]
    pub(crate) fn stands(&self, q: &[f64; N], v: &[f64; N]) -> [f64; N] {
        let (change, speed) = self.slowest_to_stop(v);
        let ticks = (speed / change).trunc();
        // The way of the one that takes longest, as a time at its speed; the others cover theirs in it.
        let time = if speed > 0.0 {
            self.period * (ticks + 1.0) * (1.0 - 0.5 * ticks * change / speed)
        } else {
            0.0
        };
        // At a position limit a joint is braked harder.
        std::array::from_fn(|joint| {
            let (lower, upper) = (self.limits.lower[joint], self.limits.upper[joint]);
            (q[joint] + v[joint] * time)
                .min(upper.max(q[joint]))
                .max(lower.min(q[joint]))
        })
    }

    /// The velocities one tick of braking together after `v`.
    #[inline]
    pub(crate) fn braked(&self, v: &[f64; N]) -> [f64; N] {
        let (change, speed) = self.slowest_to_stop(v);
        let share = if speed > change {
            1.0 - change / speed
        } else {
            0.0
        };
        v.map(|v| share * v)
    }

    /// How long the joint takes to brake from `v` that takes longest, seconds.
    #[inline]
    pub(crate) fn time_to_stop(&self, v: &[f64; N]) -> f64 {
        let (change, speed) = self.slowest_to_stop(v);
        speed / change * self.period
    }

    /// How much the joint that takes longest to brake from `v` changes its speed in a tick, and its
    /// speed.
    #[inline]
    fn slowest_to_stop(&self, v: &[f64; N]) -> (f64, f64) {
        let (mut change, mut speed) = (1.0, 0.0);
        for joint in 0..N {
            let (a, b) = (self.acceleration[joint] * self.period, v[joint].abs());
            if b * change > speed * a {
                (change, speed) = (a, b);
            }
        }
        (change, speed)
    }

    /// The largest speed of `joint` towards a limit `distance` away; negative, back inside, where
    /// it is beyond.
    #[inline]
    fn towards(&self, joint: usize, distance: f64) -> f64 {
        if distance >= self.stop[joint] {
            self.limits.velocity[joint]
        } else if distance >= 0.0 {
            stoppable(distance, self.acceleration[joint], self.period)
        } else {
            let back = stoppable(-distance, self.acceleration[joint], self.period);
            -back.min(GENTLY * self.limits.velocity[joint])
        }
    }
}

/// The largest speed from which a joint stops within `distance` (not negative), see the module.
#[inline]
pub(crate) fn stoppable(distance: f64, acceleration: f64, period: f64) -> f64 {
    let change = acceleration * period;
    let way = (distance / (change * period)).min(FAR);
    let ticks = (0.5 * ((1.0 + 8.0 * way).sqrt() - 1.0)).trunc();
    change * (way / (ticks + 1.0) + 0.5 * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stop_from_the_largest_speed_ends_at_the_limit(
            distance in 0.0..3.0f64,
            acceleration in 0.1..100.0f64,
            period in 0.0005..0.02f64,
        ) {
            let mut speed = stoppable(distance, acceleration, period);
            let mut way = 0.0;
            while speed > 0.0 {
                way += speed * period;
                speed -= acceleration * period;
            }
            prop_assert!((way - distance).abs() < 1e-9, "{way} {distance}");
        }
    }

    #[test]
    fn joints_that_brake_together_stand_where_it_is_foretold() {
        let limits = Limits {
            lower: [-9.0; 3],
            upper: [9.0; 3],
            velocity: [2.0; 3],
        };
        let bounds = Bounds::new(limits, [10.0, 20.0, 5.0], 0.004);
        let (mut q, mut v) = ([0.1, 0.2, 0.3], [1.3, -1.9, 0.2]);
        let stands = bounds.stands(&q, &v);
        for _ in 0..100 {
            for joint in 0..3 {
                q[joint] += 0.004 * v[joint];
            }
            let next = bounds.braked(&v);
            for joint in 0..3 {
                let change = (next[joint] - v[joint]).abs();
                assert!(change <= bounds.acceleration()[joint] * 0.004 + 1e-12);
            }
            v = next;
        }
        assert_eq!(v, [0.0; 3]);
        for joint in 0..3 {
            assert!((q[joint] - stands[joint]).abs() < 1e-12);
        }
        assert_eq!(bounds.stands(&q, &v), q);
    }

    #[test]
    fn no_way_allows_no_speed_and_an_endless_one_any() {
        assert_eq!(stoppable(0.0, 10.0, 0.001), 0.0);
        assert!(stoppable(f64::INFINITY, 10.0, 0.001) > 1000.0);
    }
}
