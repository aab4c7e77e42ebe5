//! The joints that a target asks for, followed from tick to tick without regard to speed.
//!
//! Owns a configuration that takes one Newton step a tick towards the target, inside the position
//! limits and bound to its branch: where the target is out of reach it stays as near as it can, and
//! comes back with it. Never decides how fast the arm follows.

use crate::chain::Chain;
use crate::frame::Frame;
use crate::model::Limits;
use crate::streaming::programme::Side;
use crate::streaming::PULL;
use crate::streaming::task::{Residual, Task, beside};

/// The second order of a step up to which it is not damped, metres a second squared: that of an arm
/// a metre long whose joints turn at 3 rad/s.
const SECOND: f64 = 4.0;
/// A joint's largest step in one tick, radians or metres.
const STEP: f64 = 0.2;
/// A target this near is reached, metres.
const REACHED: f64 = 1e-4;
/// The share of the way to the present joints that the memory of a good bend goes in one tick, a
/// second.
const FORGET: f64 = 1.0;
/// How far the bend that is begun with is from the start, so that an arm that starts stretched is
/// on a branch, radians or metres.
const BEND: f64 = 0.1;

/// Where the joints ought to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Aim<const N: usize> {
    pub(crate) q: [f64; N],
    /// What the last step leaves to first order.
    pub(crate) left: Residual,
    /// Where the arm was bent when it last reached its target.
    bent: [f64; N],
    sides: [Side; N],
    /// Whether the last step was damped.
    strained: bool,
}

impl<const N: usize> Aim<N> {
    pub(crate) fn at(q: &[f64; N], limits: &Limits<N>) -> Aim<N> {
        let q = limits.clamp(q);
        let mut bent = q;
        for joint in 0..N {
            let up = limits.upper[joint] - q[joint];
            bent[joint] += if up > BEND { BEND } else { -BEND };
        }
        Aim {
            q,
            left: Residual::default(),
            bent,
            sides: [Side::Free; N],
            strained: false,
        }
    }

    /// One step towards `target`; joints that the task leaves free go to `posture`.
    #[inline]
    pub(crate) fn step(
        &mut self,
        chain: &Chain<N>,
        limits: &Limits<N>,
        task: Task,
        target: &Frame,
        posture: &[f64; N],
        period: f64,
    ) {
        let pull = PULL * period;
        let at = chain.linearise(&self.q);
        let (mut free, mut bent) = ([0.0; N], [0.0; N]);
        let (mut least, mut most) = ([0.0; N], [0.0; N]);
        for joint in 0..N {
            free[joint] = pull * (posture[joint] - self.q[joint]);
            bent[joint] = self.bent[joint] - self.q[joint];
            least[joint] = (limits.lower[joint] - self.q[joint]).max(-STEP);
            most[joint] = (limits.upper[joint] - self.q[joint]).min(STEP);
        }
        let mut wanted = task.approach(&at, target, &free);
        let mut step = [0.0; N];
        // One that strained a tick ago and is still far off will again.
        let mut strained = self.strained && wanted.residual.position > REACHED * 10.0;
        if !strained {
            step = wanted.programme.solve(&least, &most, &mut self.sides);
            strained = beside(&at.jacobian, &step) > SECOND * period * period;
        }
        if strained {
            wanted.damp(&at.jacobian, &bent);
            step = wanted.programme.solve(&least, &most, &mut self.sides);
        }
        self.strained = strained;
        self.left = wanted.left(&at.jacobian, &step);
        let good = self.left.position < REACHED;
        for joint in 0..N {
            self.q[joint] += step[joint];
            if good {
                self.bent[joint] += FORGET * period * (self.q[joint] - self.bent[joint]);
            }
        }
    }
}
