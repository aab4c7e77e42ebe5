//! Getting onto a path in motion: joints for a place on it, a view ahead, and the change-over.
//!
//! Owns what a follower does before it leads: somebody else brings the arm to the path meanwhile.
//! Never moves the arm.
//!
//! ```text
//! reach ─► joints for the place ─► prepare ─► survey, tick after tick ─► join ─► follow
//! ```

use super::horizon::Ground;
use super::programme::ActiveSet;
use super::task::{Residual, beside};
use super::{Follower, FollowerError, PULL, Path};
use crate::frame::Frame;

/// A joint's largest step, radians or metres, and the largest second order of one, metres.
const STEP: f64 = 0.2;
const LEAP: f64 = 0.004;
/// What is left to first order above this is out of reach: steps are damped, metres.
const BEYOND: f64 = 1e-4;
/// A step this short has arrived, radians or metres.
const ARRIVED: f64 = 1e-7;

/// Joints for a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached<const N: usize> {
    /// Inside the position limits, radians or metres, base first.
    pub joints: [f64; N],
    /// How far the tool is from the place there.
    pub residual: Residual,
}

impl<const N: usize> Follower<N> {
    /// The joints beside `from` that bring the tool to `target`, or as near as they can, the
    /// position first: at most `steps` of Newton's, and no other branch. The arm is not moved.
    #[must_use]
    pub fn reach(&self, from: &[f64; N], target: &Frame, steps: u32) -> Reached<N> {
        let limits = self.bounds.limits();
        let mut q = limits.clamp(from);
        let mut active = ActiveSet::free();
        let still = [0.0; N];
        for _ in 0..steps {
            let at = self.chain.linearise(&q);
            let (mut least, mut most) = (still, still);
            for joint in 0..N {
                least[joint] = (limits.lower[joint] - q[joint]).max(-STEP);
                most[joint] = (limits.upper[joint] - q[joint]).min(STEP);
            }
            active.look_anew();
            let mut wanted = self.task.approach(&at, target, &still);
            let mut step = wanted.programme.solve(&least, &most, &mut active);
            let left = wanted.left(&at.jacobian, &step);
            if left.position > BEYOND || beside(&at.jacobian, &step) > LEAP {
                wanted.damp(&at.jacobian, &still);
                active.look_anew();
                step = wanted.programme.solve(&least, &most, &mut active);
            }
            if !step.iter().all(|way| way.is_finite()) {
                break;
            }
            let share = (LEAP / beside(&at.jacobian, &step).max(LEAP)).sqrt();
            let mut longest = 0.0f64;
            for joint in 0..N {
                q[joint] += share * step[joint];
                longest = longest.max(step[joint].abs());
            }
            if longest < ARRIVED {
                break;
            }
        }
        let at = self.chain.linearise(&q);
        let residual = self.task.approach(&at, target, &still).residual;
        Reached {
            joints: limits.clamp(&q),
            residual,
        }
    }

    /// The next path is joined at `along`, where `joints` reach it: what [`Follower::survey`] sees
    /// from there is kept for [`Follower::join`]. How the joints change there with the path, which
    /// is the velocity to join it with.
    pub fn prepare(&mut self, path: &impl Path, along: f64, joints: &[f64; N]) -> [f64; N] {
        self.begin(along);
        if along.is_finite() && joints.iter().all(|joint| joint.is_finite()) {
            let mut horizon = self.horizon;
            horizon.begin(&self.ground(), path, along, joints);
            self.horizon = horizon;
        }
        if self.horizon.is_empty() {
            [0.0; N]
        } else {
            self.horizon.rate(along)
        }
    }

    /// Looks a little farther along the path that was prepared for.
    pub fn survey(&mut self, path: &impl Path) {
        if self.horizon.is_empty() {
            return;
        }
        let ground = Ground {
            chain: &self.chain,
            bounds: &self.bounds,
            task: self.task,
            pull: PULL,
            posture: &self.posture,
            keep: self.keep.as_ref(),
            hurry: self.hurry,
        };
        self.horizon.look(&ground, path);
    }

    /// The arm is at the place that was prepared for, or beside it, and moves: from here
    /// [`Follower::follow`] leads, without a halt.
    ///
    /// # Errors
    /// A number that is not finite; the follower is as before.
    pub fn join(&mut self, positions: [f64; N], velocities: [f64; N]) -> Result<(), FollowerError> {
        let (horizon, along) = (self.horizon, self.along);
        self.reset(positions, velocities)?;
        self.horizon = horizon;
        self.along = along;
        self.level = true;
        let rate = self.horizon.rate(along);
        let (mut with, mut whole) = (0.0, 0.0);
        for joint in 0..N {
            with += velocities[joint] * rate[joint];
            whole += rate[joint] * rate[joint];
        }
        // On a path that stands still any share is as good.
        self.share = if whole > 1e-12 {
            (with / whole).clamp(0.0, 1.0)
        } else {
            1.0
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::{Course, Waypoint};
    use super::*;
    use crate::Description;
    use nalgebra::Vector6;

    #[test]
    fn a_path_is_joined_in_motion_and_without_a_halt() {
        let text = include_str!("../../tests/wild.urdf");
        let arm = Description::read("wild.urdf", text, "base", "tip").unwrap();
        let model = arm.model::<7>().unwrap();
        let start = [0.1; 7];
        let period = 0.005;
        let mut follower = Follower::new(&model, [10.0; 7], period, start).unwrap();
        let home = model.chain.pose(&start);
        let path = |along: f64| {
            let mut pose = home;
            pose.translation.z += 0.02 * along;
            let mut tangent = Vector6::zeros();
            tangent[2] = 0.02;
            Waypoint { pose, tangent }
        };
        let here = follower.reach(&start, &path(0.1).pose, 20);
        assert!(here.residual.position < 1e-9 && here.residual.angle < 1e-6);
        let speed = follower.prepare(&path, 0.1, &here.joints);
        for _ in 0..60 {
            follower.survey(&path);
        }
        follower.join(here.joints, speed).unwrap();
        for tick in 0..100 {
            let step = follower.follow(&path, 1.0);
            assert!(step.share > 0.99, "{tick}: {step:?}");
            assert_eq!(step.course, Course::Kept);
            let tool = model.chain.pose(&step.positions);
            let apart = tool.translation - path(follower.along()).pose.translation;
            assert!(apart.norm() < 1e-5, "{tick}: {apart}");
        }
    }

    #[test]
    fn the_nearest_place_is_found_for_one_out_of_reach() {
        let text = include_str!("../../tests/wild.urdf");
        let arm = Description::read("wild.urdf", text, "base", "tip").unwrap();
        let model = arm.model::<7>().unwrap();
        let follower = Follower::new(&model, [10.0; 7], 0.005, [0.3; 7]).unwrap();
        let mut far = model.chain.pose(&[0.3; 7]);
        far.translation *= 100.0;
        let reached = follower.reach(&[0.3; 7], &far, 60);
        assert!(reached.residual.position > 1.0);
        assert!(model.limits.hold(&reached.joints, 0.0));
    }
}
