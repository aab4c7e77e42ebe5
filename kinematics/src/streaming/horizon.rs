//! The stretch of a path that lies ahead, in the joints, and how fast each place may be passed.
//!
//! Owns knots: places of the path with the joints that reach them, on the branch that the arm is
//! on. They are solved one Newton step a tick, each from the one before, so that the arm never
//! jumps to another branch, and closer together where the joints move far. Never moves the arm.

use nalgebra::Vector6;

use crate::chain::Chain;
use crate::streaming::bounds::Bounds;
use crate::streaming::keep_away::KeepAway;
use crate::streaming::knot::{Knot, ceiling};
use crate::streaming::path::Path;
use crate::streaming::programme::{ActiveSet, Factors};
use crate::streaming::task::Task;

/// Most knots.
const KNOTS: usize = 64;
/// The farthest a joint moves between knots, radians or metres.
const STRIDE: f64 = 0.05;
/// A view this many times as long as the longest stop.
const VIEW: f64 = 2.5;
/// Newton's steps for a knot.
const STEPS: u32 = 8;
/// A step this short has arrived: what is left is of second order.
const ARRIVED: f64 = 1e-5;
/// What may be left then, metres and radians.
const NEAR: (f64, f64) = (2e-5, 1e-4);
/// How far the tool may be from the path halfway between knots, metres and radians.
const MIDWAY: (f64, f64) = (5e-6, 5e-5);
/// The largest change of the joints' rates between knots, as a share of the largest rate, unless
/// the joints move less than the second there, radians or metres.
const ROUGH: f64 = 0.25;
const SMALL: f64 = 0.005;
/// Joints that move less between knots stand: their rates are rounding, radians or metres.
const STANDS: f64 = 1e-6;
/// How far the rate of the way between knots may be from the mean of theirs, as a share of the largest.
const BULGE: f64 = 0.4;
/// What is left of a path that is at its end, in ticks.
const LEAST: f64 = 1e-6;
/// Bounds renewed in one tick.
const SWEEP: usize = 4;
/// How much nearer than the margin the arm may be halfway between knots, metres.
const TOO_NEAR: f64 = 1e-4;
/// The shortest distance of knots, in ticks, before the path counts as blocked.
const SHORTEST: f64 = 0.001;

/// A knot being solved.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Draft<const N: usize> {
    along: f64,
    q: [f64; N],
    steps: u32,
}

/// Why the view is no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It grows.
    Open,
    /// The path ends here.
    End,
    /// The arm can't go on along it.
    Blocked,
}

/// Knots from where the arm is, nearest first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Horizon<const N: usize> {
    knots: [Knot<N>; KNOTS],
    first: usize,
    len: usize,
    draft: Option<Draft<N>>,
    /// Distance of the next knot, and the largest.
    spacing: f64,
    widest: f64,
    /// Knots added since the bounds were renewed.
    added: usize,
    /// The knot whose bound is renewed next.
    sweep: Option<usize>,
    sight: Sight,
    active: ActiveSet<N>,
}

/// What a knot is solved with.
pub(crate) struct Ground<'a, const N: usize> {
    pub(crate) chain: &'a Chain<N>,
    pub(crate) bounds: &'a Bounds<N>,
    pub(crate) task: Task,
    /// The rate at which joints left free go to the posture, 1/s, and the posture.
    pub(crate) pull: f64,
    pub(crate) posture: &'a [f64; N],
    pub(crate) keep: Option<&'a KeepAway<N>>,
    /// The largest share of the path's speed.
    pub(crate) hurry: f64,
}

impl<const N: usize> Horizon<N> {
    /// Nothing in sight.
    pub(crate) fn new(bounds: &Bounds<N>) -> Horizon<N> {
        let mut stop = 0.0f64;
        for joint in 0..N {
            stop = stop.max(bounds.limits().velocity[joint] / bounds.acceleration()[joint]);
        }
        let widest = (VIEW * stop / KNOTS as f64).max(3.0 * bounds.period());
        Horizon {
            knots: [Knot {
                along: 0.0,
                q: [0.0; N],
                rate: [0.0; N],
                cap: 0.0,
                ceiling: 0.0,
                clear: f64::INFINITY,
            }; KNOTS],
            first: 0,
            len: 0,
            draft: None,
            spacing: widest,
            widest,
            added: 0,
            sweep: None,
            sight: Sight::Open,
            active: ActiveSet::free(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        self.first = 0;
        self.len = 0;
        self.draft = None;
        self.spacing = self.widest;
        self.added = 0;
        self.sweep = None;
        self.sight = Sight::Open;
    }

    pub(crate) fn sight(&self) -> Sight {
        self.sight
    }

    /// Where the view ends, seconds along the path.
    pub(crate) fn end(&self) -> f64 {
        self.knot(self.len.saturating_sub(1)).along
    }

    fn knot(&self, index: usize) -> &Knot<N> {
        &self.knots[(self.first + index) % KNOTS]
    }

    fn knot_mut(&mut self, index: usize) -> &mut Knot<N> {
        &mut self.knots[(self.first + index) % KNOTS]
    }

    /// Begins at `along` with joints `q` that reach it; not where the path has no tangent that can
    /// be reckoned with.
    pub(crate) fn begin(
        &mut self,
        ground: &Ground<'_, N>,
        path: &impl Path,
        along: f64,
        q: &[f64; N],
    ) {
        self.clear();
        let tangent = path.at(along).tangent;
        let jacobian = ground.chain.linearise(q).jacobian;
        let rate = rate(ground, &jacobian, &tangent, q);
        if rate.iter().all(|rate| rate.is_finite()) {
            let mut knot = Knot::new(ground.bounds, along, *q, rate, ground.hurry);
            if let Some(keep) = ground.keep {
                knot.keep_clear(ground.bounds, keep);
            }
            self.push(knot);
        }
    }

    fn push(&mut self, knot: Knot<N>) {
        *self.knot_mut(self.len) = knot;
        self.len += 1;
    }

    /// Forgets what is behind `along`.
    pub(crate) fn pass(&mut self, along: f64) {
        while self.len > 2 && self.knot(1).along <= along {
            self.first = (self.first + 1) % KNOTS;
            self.len -= 1;
            self.sweep = self.sweep.and_then(|index| index.checked_sub(1));
        }
    }

    /// A tick's share of looking ahead.
    #[inline]
    pub(crate) fn look(&mut self, ground: &Ground<'_, N>, path: &impl Path) {
        if let Some(index) = self.sweep {
            self.renew(ground.bounds, index);
        }
        let due = self.added > self.len / 4
            || (self.added > 0 && (self.sight != Sight::Open || self.len == KNOTS));
        if self.sweep.is_none() && due {
            self.added = 0;
            self.sweep = self.len.checked_sub(2);
        }
        if self.len < KNOTS && self.sight == Sight::Open {
            self.solve(ground, path);
        }
    }

    /// One Newton step for the next knot.
    #[inline]
    fn solve(&mut self, ground: &Ground<'_, N>, path: &impl Path) {
        let last = *self.knot(self.len - 1);
        let mut draft = match self.draft {
            Some(draft) => draft,
            None => self.draft(&last, path.end()),
        };
        if draft.along <= last.along + LEAST * ground.bounds.period() {
            self.sight = Sight::End;
            return;
        }
        let place = path.at(draft.along);
        let finite = place.tangent.iter().all(|it| it.is_finite())
            && place.pose.translation.iter().all(|it| it.is_finite())
            && place.pose.rotation.iter().all(|it| it.is_finite());
        if !finite {
            self.shorten(ground.bounds.period());
            return;
        }
        let still = [0.0; N];
        let limits = ground.bounds.limits();
        let (mut least, mut most) = (still, still);
        for joint in 0..N {
            // Outside only as far as it was: an arm that begins there may only come in.
            let lower = limits.lower[joint].min(last.q[joint]);
            let upper = limits.upper[joint].max(last.q[joint]);
            draft.q[joint] = draft.q[joint].max(lower).min(upper);
            least[joint] = lower - draft.q[joint];
            most[joint] = upper - draft.q[joint];
        }
        let at = ground.chain.linearise(&draft.q);
        let wanted = ground.task.approach(&at, &place.pose, &still);
        let step = wanted.programme.solve(&least, &most, &mut self.active);
        if !step.iter().all(|way| way.is_finite()) {
            self.shorten(ground.bounds.period());
            return;
        }
        let (mut longest, mut stride) = (0.0f64, 0.0f64);
        for joint in 0..N {
            draft.q[joint] += step[joint];
            longest = longest.max(step[joint].abs());
            stride = stride.max((draft.q[joint] - last.q[joint]).abs());
        }
        draft.steps += 1;
        if longest < ARRIVED {
            let whole = ground.task == Task::Position || N < 6;
            let near =
                wanted.residual.position < NEAR.0 && (whole || wanted.residual.angle < NEAR.1);
            if !near || stride > 2.0 * STRIDE {
                self.shorten(ground.bounds.period());
                return;
            }
            let rate = rate(ground, &at.jacobian, &place.tangent, &draft.q);
            if !rate.iter().all(|rate| rate.is_finite()) {
                self.shorten(ground.bounds.period());
                return;
            }
            let mut knot = Knot::new(ground.bounds, draft.along, draft.q, rate, ground.hurry);
            if let Some(keep) = ground.keep {
                knot.keep_clear(ground.bounds, keep);
                // Out of what is too near already, or not at all.
                if knot.clear < last.clear.min(0.0) {
                    self.shorten(ground.bounds.period());
                    return;
                }
            }
            self.push(knot);
            let rough = self.rough(stride, draft.along >= path.end());
            let midway = 0.5 * (last.along + draft.along);
            let between = self.at(midway);
            let way = ground.chain.pose(&between).way_to(&path.at(midway).pose);
            let apart = way.fixed_rows::<3>(0).norm();
            let near = ground.keep.is_some_and(|keep| {
                // Where both ends are far enough for the way between them there is no need to look.
                let far = last.clear.min(knot.clear);
                far < f64::INFINITY && keep.lacks(&between) > TOO_NEAR - far.min(0.0)
            });
            if near
                || rough
                || apart > MIDWAY.0
                || !(whole || way.fixed_rows::<3>(3).norm() < MIDWAY.1)
            {
                self.len -= 1;
                self.shorten(ground.bounds.period());
                return;
            }
            self.added += 1;
            self.draft = None;
            let wider = self.spacing * (STRIDE / stride.max(0.5 * STRIDE));
            self.spacing = wider.min(self.widest);
        } else if draft.steps > STEPS || stride > 6.0 * STRIDE {
            self.shorten(ground.bounds.period());
        } else {
            self.draft = Some(draft);
        }
    }

    /// Whether the last two knots say too little of what is between them.
    fn rough(&mut self, stride: f64, ends: bool) -> bool {
        if stride < STANDS {
            return false;
        }
        let (from, to) = (*self.knot(self.len - 2), *self.knot(self.len - 1));
        let h = to.along - from.along;
        let (mut change, mut bulge, mut largest) = (0.0f64, 0.0f64, 0.0f64);
        for joint in 0..N {
            let (a, b) = (from.rate[joint], to.rate[joint]);
            let chord = (to.q[joint] - from.q[joint]) / h;
            change = change.max((b - a).abs());
            bulge = bulge.max((2.0 * chord - a - b).abs());
            largest = largest.max(a.abs()).max(b.abs()).max(chord.abs());
        }
        let wild = bulge > BULGE * largest;
        if wild && self.len == 2 {
            // A path out of a singularity: the rate where the arm stands is that of the way.
            for joint in 0..N {
                let chord = (to.q[joint] - from.q[joint]) / h;
                self.knot_mut(0).rate[joint] = 2.0 * chord - to.rate[joint];
            }
            return stride > SMALL;
        }
        if wild && ends {
            // And one that ends in a singularity the other way round.
            let last = self.len - 1;
            for joint in 0..N {
                let chord = (to.q[joint] - from.q[joint]) / h;
                self.knot_mut(last).rate[joint] = 2.0 * chord - from.rate[joint];
            }
            return stride > SMALL;
        }
        wild || (change > ROUGH * largest && stride > SMALL)
    }

    /// The next knot, foretold.
    fn draft(&self, last: &Knot<N>, end: f64) -> Draft<N> {
        let rest = end - last.along;
        // No sliver of a path is left for the last knot.
        let (step, along) = if rest < 1.2 * self.spacing {
            (rest, end)
        } else {
            (self.spacing, last.along + self.spacing)
        };
        let before = if self.len > 1 {
            *self.knot(self.len - 2)
        } else {
            *last
        };
        let between = (last.along - before.along).max(step);
        let mut q = last.q;
        for joint in 0..N {
            let bend = (last.rate[joint] - before.rate[joint]) / between;
            q[joint] += step * (last.rate[joint] + 0.5 * step * bend);
        }
        Draft { along, q, steps: 0 }
    }

    fn shorten(&mut self, period: f64) {
        self.draft = None;
        self.spacing *= 0.4;
        if self.spacing < SHORTEST * period {
            self.sight = Sight::Blocked;
        }
    }

    /// Renews a few bounds, backward from `index`.
    fn renew(&mut self, bounds: &Bounds<N>, index: usize) {
        let mut index = index;
        for _ in 0..SWEEP {
            let before = self.knot(index).ceiling;
            let ceiling = ceiling(bounds, self.knot(index), self.knot(index + 1));
            self.knot_mut(index).ceiling = ceiling;
            // One that was never renewed says nothing of those before it.
            let same = before > 0.0 && (ceiling - before).abs() <= 1e-9 * before.max(ceiling);
            if same || index == 0 {
                self.sweep = None;
                return;
            }
            index -= 1;
        }
        self.sweep = Some(index);
    }

    /// The segment that holds `along`, and the share of it.
    #[inline]
    fn segment(&self, along: f64) -> (&Knot<N>, &Knot<N>, f64) {
        let mut index = 0;
        while index + 2 < self.len && self.knot(index + 1).along < along {
            index += 1;
        }
        let (from, to) = (self.knot(index), self.knot((index + 1).min(self.len - 1)));
        let length = to.along - from.along;
        let share = if length > 0.0 {
            ((along - from.along) / length).clamp(0.0, 1.0)
        } else {
            0.0
        };
        (from, to, share)
    }

    /// The joints at `along`: cubic between knots (Hermite).
    #[inline]
    pub(crate) fn at(&self, along: f64) -> [f64; N] {
        let (from, to, t) = self.segment(along);
        let h = to.along - from.along;
        let (rest, turn) = (1.0 - t, t * (1.0 - t));
        let mut q = [0.0; N];
        for joint in 0..N {
            let (a, b) = (from.q[joint], to.q[joint]);
            let chord = b - a;
            let (out, into) = (h * from.rate[joint] - chord, chord - h * to.rate[joint]);
            q[joint] = rest * a + t * b + turn * (rest * out + t * into);
        }
        q
    }

    /// How the joints change at `along`.
    #[inline]
    pub(crate) fn rate(&self, along: f64) -> [f64; N] {
        let (from, to, t) = self.segment(along);
        let h = (to.along - from.along).max(f64::MIN_POSITIVE);
        let mut rate = [0.0; N];
        for joint in 0..N {
            let chord = (to.q[joint] - from.q[joint]) / h;
            let (a, b) = (from.rate[joint], to.rate[joint]);
            rate[joint] = a * (1.0 - t) * (1.0 - 3.0 * t)
                + b * t * (3.0 * t - 2.0)
                + 6.0 * chord * t * (1.0 - t);
        }
        rate
    }

    /// The largest speed along the path for a tick of `period` from `along`, whose end is expected
    /// at about `speed`: between knots the square of the speed is linear.
    #[inline]
    pub(crate) fn speed(&self, along: f64, speed: f64, period: f64) -> f64 {
        let (from, to, _) = self.segment(along + speed * period);
        let length = to.along - from.along;
        if length <= 0.0 {
            return 0.0;
        }
        // s² = x(along + s·period), where x(p) = x₀ + slope·(p − p₀).
        let slope = (to.ceiling - from.ceiling) / length;
        let here = from.ceiling + slope * (along - from.along);
        let half = 0.5 * slope * period;
        let root = half * half + here;
        if root <= 0.0 {
            return 0.0;
        }
        (half + root.sqrt()).max(0.0)
    }
}

/// The rate of the joints along the path.
fn rate<const N: usize>(
    ground: &Ground<'_, N>,
    jacobian: &crate::chain::Jacobian<N>,
    tangent: &Vector6<f64>,
    q: &[f64; N],
) -> [f64; N] {
    let mut free = [0.0; N];
    for joint in 0..N {
        free[joint] = ground.pull * (ground.posture[joint] - q[joint]);
    }
    let programme = ground.task.tangent(jacobian, tangent, &free);
    let rate = Factors::of(&programme.hessian).solve(&programme.linear);
    let limits = ground.bounds.limits();
    let at = |joint: usize| {
        (
            q[joint] <= limits.lower[joint],
            q[joint] >= limits.upper[joint],
        )
    };
    let blocked = |joint: usize| {
        let (low, high) = at(joint);
        (low && rate[joint] < 0.0) || (high && rate[joint] > 0.0)
    };
    if !(0..N).any(blocked) {
        return rate;
    }
    // A joint at its limit goes no farther: the others make of the path what they can.
    let least = std::array::from_fn(|joint| if at(joint).0 { 0.0 } else { -f64::MAX });
    let most = std::array::from_fn(|joint| if at(joint).1 { 0.0 } else { f64::MAX });
    programme.solve(&least, &most, &mut ActiveSet::free())
}
