//! What keeps demonstrations from being too perfect.
//!
//! Owns the noise that is laid over the executed motion, never over the labels: a policy that
//! only ever saw perfect motion has not seen how to come back. Correlated noise of a few
//! millimetres, and now and then a kick.

use rand::{Rng, RngExt};

use crate::expert::{CHUNK, STEP_SECS};

/// Standard deviation of the correlated noise: metres on x, y, z, radians of roll and gripper.
const WANDER: [f64; 5] = [0.003, 0.003, 0.002, 0.03, 0.03];
/// Where the gripper stands in a waypoint.
const GRIPPER: usize = 4;
/// How long the noise remembers, seconds.
const MEMORY_SECS: f64 = 0.4;
/// Chance of a kick at each waypoint, and its size.
const KICK_CHANCE: f64 = 0.03;
const KICK: [f64; 5] = [0.006, 0.006, 0.004, 0.06, 0.06];

/// A disturbance that goes on from plan to plan.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disturbance {
    offset: [f64; 5],
}

impl Disturbance {
    /// How far the next waypoints are pushed off, relative to where the disturbance is now.
    pub(crate) fn over_chunk(&self, rng: &mut impl Rng) -> Pushed {
        let keep = (-STEP_SECS / MEMORY_SECS).exp();
        let fresh = (1.0 - keep * keep).sqrt();
        let mut offset = self.offset;
        let mut waypoints = [[0.0; 5]; CHUNK];
        for waypoint in &mut waypoints {
            let kick = rng.random::<f64>() < KICK_CHANCE;
            for axis in 0..5 {
                offset[axis] = keep * offset[axis] + fresh * WANDER[axis] * gauss(rng);
                if kick {
                    offset[axis] += KICK[axis] * gauss(rng);
                }
                // The command that a chunk starts from already has the tool's push in it, but
                // the gripper is told where to be, not how far to go.
                let since = if axis == GRIPPER {
                    0.0
                } else {
                    self.offset[axis]
                };
                waypoint[axis] = offset[axis] - since;
            }
        }
        Pushed {
            from: self.offset,
            waypoints,
        }
    }

    /// Goes on from where `pushed` is after `steps` waypoints.
    pub(crate) fn after(pushed: &Pushed, steps: usize) -> Disturbance {
        let Some(last) = steps.checked_sub(1).and_then(|i| pushed.waypoints.get(i)) else {
            return Disturbance {
                offset: pushed.from,
            };
        };
        Disturbance {
            offset: std::array::from_fn(|axis| {
                let since = if axis == GRIPPER {
                    0.0
                } else {
                    pushed.from[axis]
                };
                since + last[axis]
            }),
        }
    }
}

/// One chunk's disturbance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pushed {
    from: [f64; 5],
    /// x, y, z, roll and gripper for each waypoint.
    pub(crate) waypoints: [[f64; 5]; CHUNK],
}

/// A standard normal number (Box and Muller).
pub(crate) fn gauss(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_disturbance_is_a_few_millimetres_and_goes_on_without_a_step() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut disturbance = Disturbance::default();
        let (mut square, mut count) = (0.0, 0.0);
        for _ in 0..500 {
            let pushed = disturbance.over_chunk(&mut rng);
            assert!(pushed.waypoints[0][0].abs() < 0.03);
            disturbance = Disturbance::after(&pushed, 3);
            square += disturbance.offset[0].powi(2);
            count += 1.0;
        }
        let spread = f64::sqrt(square / count);
        assert!((0.002..0.006).contains(&spread), "{spread}");
    }
}
