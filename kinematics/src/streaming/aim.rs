//! The joints that a target asks for, followed from tick to tick without regard to speed.
//!
//! Owns a configuration that takes one Newton step a tick towards the target, inside the position
//! limits and bound to its branch: where the target is out of reach it stays as near as it can, and
//! comes back with it. Never decides how fast the arm follows.
//!
//! Out of reach the nearest place may be a dead end: against joint limits, or bent over backward. So
//! once a target is lost a scout goes out again and again from where it was last reached, from where
//! the arm was in the long run, and from its posture, and where it finds much the better place, the
//! arm goes there: back to the branch that it was on.

use crate::chain::Chain;
use crate::frame::Frame;
use crate::model::Limits;
use crate::streaming::PULL;
use crate::streaming::fence::Fence;
use crate::streaming::keep_away::{KeepAway, Seen};
use crate::streaming::programme::ActiveSet;
use crate::streaming::task::{Residual, Task, beside};

/// The second order of a step up to which it is not damped, metres a second squared: that of an arm
/// a metre long whose joints turn at 3 rad/s.
const SECOND: f64 = 4.0;
/// How much of that a step may have at most: a longer one is shortened.
const STRAIN: f64 = 4.0;
/// The same for the scout, metres, which no arm follows.
const LEAP: f64 = 0.004;
/// A joint's largest step in one tick, radians or metres.
const STEP: f64 = 0.2;
/// A target this near is reached, metres.
const REACHED: f64 = 1e-4;
/// And turned this near, radians.
const TURNED: f64 = 1e-3;
/// The share of the way to the present joints that the memory of a good bend goes in a second.
const FORGET: f64 = 1.0;
/// How far the bend that is begun with is from the start, so that an arm that starts stretched is
/// on a branch, radians or metres.
const BEND: f64 = 0.1;
/// Steps of the scout before it is sent out anew.
const ERRAND: u32 = 40;
/// How long errands may find no better place before the one held is kept, seconds.
const PATIENCE: f64 = 5.0;
/// What is left is as little as it was when it is no more than this many times as much, squared, or
/// this much.
const AS_BEFORE: (f64, f64) = (2.0, 1e-6);
/// A place is better when what is left there, squared, is this share of what is left here.
const BETTER: f64 = 0.25;

/// What a search goes by.
pub(crate) struct Search<'a, const N: usize> {
    pub(crate) chain: &'a Chain<N>,
    pub(crate) limits: &'a Limits<N>,
    pub(crate) task: Task,
    pub(crate) posture: &'a [f64; N],
    pub(crate) period: f64,
    pub(crate) keep: Option<&'a KeepAway<N>>,
    /// What velocities are held to at some positions.
    pub(crate) fence: Option<(&'a [f64; N], &'a Fence<N>)>,
}

/// A configuration on its way to a target.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seeker<const N: usize> {
    q: [f64; N],
    /// What the last step leaves to first order.
    left: Residual,
    /// Whether the last step was damped.
    strained: bool,
    active: ActiveSet<N>,
    seen: Option<Seen<N>>,
}

/// Where the joints ought to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Aim<const N: usize> {
    main: Seeker<N>,
    scout: Seeker<N>,
    /// Steps that the scout has made since the target was lost or was last out of reach; `None`
    /// while it is not lost.
    lost: Option<u32>,
    /// Whether the scout rests in the next tick: it goes every other one.
    rests: bool,
    /// Where the target was last reached, and what was left there, squared.
    home: [f64; N],
    left_at_home: f64,
    /// The same, as it was in the long run: what is left of a turn that the arm can't make grows before
    /// the target is lost.
    bent: [f64; N],
    left_in_the_long_run: f64,
}

impl<const N: usize> Aim<N> {
    pub(crate) fn at(q: &[f64; N], limits: &Limits<N>) -> Aim<N> {
        let q = limits.clamp(q);
        let mut bent = q;
        for joint in 0..N {
            let up = limits.upper[joint] - q[joint];
            bent[joint] += if up > BEND { BEND } else { -BEND };
        }
        let main = Seeker::at(q);
        Aim {
            main,
            scout: main,
            lost: None,
            rests: false,
            home: q,
            left_at_home: 0.0,
            bent,
            left_in_the_long_run: 0.0,
        }
    }

    /// The joints, inside the limits.
    pub(crate) fn joints(&self) -> &[f64; N] {
        &self.main.q
    }

    /// Where the arm was well bent.
    pub(crate) fn bent(&self) -> &[f64; N] {
        &self.bent
    }

    /// The arm is well bent where it is, for another `period`.
    pub(crate) fn remember(&mut self, period: f64) {
        for joint in 0..N {
            let way = self.main.q[joint] - self.bent[joint];
            self.bent[joint] += FORGET * period * way;
        }
    }

    /// What of the target is out of reach.
    pub(crate) fn left(&self) -> Residual {
        self.main.left
    }

    /// The arm was led to `q` otherwise.
    pub(crate) fn set(&mut self, q: [f64; N]) {
        self.main.q = q;
        self.main.left = Residual::default();
        self.main.strained = false;
        self.lost = None;
        self.home = q;
        self.left_at_home = 0.0;
        self.left_in_the_long_run = 0.0;
    }

    /// What is near was told anew.
    pub(crate) fn forget(&mut self) {
        self.main.seen = None;
        self.scout.seen = None;
    }

    /// One step towards `target`.
    #[inline]
    pub(crate) fn step(&mut self, search: &Search<'_, N>, target: &Frame) {
        let longest = STRAIN * SECOND * search.period * search.period;
        self.main.step(search, target, &self.bent, longest);
        let left = self.main.left;
        // A turn that is left is no loss to an arm that can't make every turn, unless a limit is in the
        // way.
        let whole = N >= 6 || self.main.active.is_any();
        let turned = left.angle < TURNED || !whole;
        let reached = !self.main.strained && left.position < REACHED && turned;
        match self.lost {
            Some(_) if self.rests => self.rests = false,
            Some(steps) => {
                self.rests = true;
                self.seek(search, target, steps, reached);
            }
            None if !reached => self.lost = Some(0),
            None => {
                self.home = self.main.q;
                self.left_at_home = left.square();
                self.remember(search.period);
                let more = self.left_at_home - self.left_in_the_long_run;
                self.left_in_the_long_run += FORGET * search.period * more;
            }
        }
    }

    /// A step of the scout, the one after `steps`.
    fn seek(&mut self, search: &Search<'_, N>, target: &Frame, steps: u32, reached: bool) {
        if steps.is_multiple_of(ERRAND) {
            self.scout = Seeker::at(match (steps / ERRAND) % 3 {
                0 => self.home,
                1 => self.bent,
                _ => *search.posture,
            });
        }
        self.scout.step(search, target, &self.bent, LEAP);
        let arrived = !self.scout.strained && self.scout.left.position < REACHED;
        if arrived && self.scout.left.square() < BETTER * self.main.left.square() - 1e-9 {
            self.main = self.scout;
        }
        let (times, least) = AS_BEFORE;
        let before = self.left_at_home.min(self.left_in_the_long_run);
        let back = self.main.left.square() <= times * before + least;
        // Out of reach there is no end to patience.
        let next = if reached {
            steps + 1
        } else {
            (steps + 1) % (3 * ERRAND)
        };
        let patient = f64::from(next) * search.period < PATIENCE;
        self.lost = (patient && !(reached && back)).then_some(next);
    }
}

impl<const N: usize> Seeker<N> {
    fn at(q: [f64; N]) -> Seeker<N> {
        Seeker {
            q,
            left: Residual::default(),
            strained: false,
            active: ActiveSet::free(),
            seen: None,
        }
    }

    /// One step towards `target`, its second order at most `longest` metres; joints that the task
    /// leaves free go to the posture.
    #[inline]
    fn step(&mut self, search: &Search<'_, N>, target: &Frame, bent: &[f64; N], longest: f64) {
        let at = search.chain.linearise(&self.q);
        let limits = search.limits;
        let (mut free, mut back) = ([0.0; N], [0.0; N]);
        let (mut least, mut most) = ([0.0; N], [0.0; N]);
        for joint in 0..N {
            let q = self.q[joint];
            free[joint] = PULL * search.period * (search.posture[joint] - q);
            back[joint] = bent[joint] - q;
            least[joint] = (limits.lower[joint] - q).max(-STEP);
            most[joint] = (limits.upper[joint] - q).min(STEP);
        }
        let mut wanted = search.task.approach(&at, target, &free);
        let mut step = [0.0; N];
        // One that strained a tick ago and is still far off will again.
        self.strained &= wanted.residual.position > 10.0 * REACHED;
        if !self.strained {
            step = wanted.programme.solve(&least, &most, &mut self.active);
            let second = beside(&at.jacobian, &step);
            self.strained = second > SECOND * search.period * search.period;
        }
        if self.strained {
            wanted.damp(&at.jacobian, &back);
            step = wanted.programme.solve(&least, &most, &mut self.active);
        }
        if let Some(keep) = search.keep
            && step.iter().all(|way| way.is_finite())
        {
            let fence = match search.fence {
                Some((q, fence)) if *q == self.q => fence.of_step(),
                _ => keep.fence_of_step(&mut self.seen, &self.q, &step.map(f64::abs)),
            };
            if !fence.holds(&step) {
                let programme = &wanted.programme;
                step = programme.solve_within(&least, &most, &mut self.active, &fence);
            }
        }
        if !step.iter().all(|way| way.is_finite()) {
            // A target beyond what can be reckoned with, or turned by what is no rotation.
            self.left = Residual::BEYOND_RECKONING;
            return;
        }
        self.left = wanted.left(&at.jacobian, &step);
        let share = if self.strained {
            let second = beside(&at.jacobian, &step);
            (longest / second.max(longest)).sqrt()
        } else {
            1.0
        };
        for joint in 0..N {
            self.q[joint] += share * step[joint];
        }
    }
}
