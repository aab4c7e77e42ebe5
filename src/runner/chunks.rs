//! From the chunks of a policy to one plan in time.
//!
//! Owns what was sent and what chunks said, and joins a new chunk to them: steps that are consumed
//! by the time it comes are dropped, the step under way is finished as it was begun, and what comes
//! after is appended, faded to, or averaged. What it makes is one whole plan. Never reads a clock,
//! and never decides whether a plan may be followed.

mod pace;
mod track;
mod weights;

use std::collections::VecDeque;
use std::time::Duration;

use crate::cell::Joining;
use crate::messages::{MAX_WAYPOINTS, Plan};
use crate::realtime;
use crate::units::MonoTime;

pub use pace::{Pace, SPARE};
pub use track::Apart;
use track::{Kind, Numbers, Track, apart, mix, near, waypoints};

/// Of what was sent, the last two: the newest may yet be refused.
const SENT: usize = 2;
/// An ensemble's most chunks.
const VOICES: usize = 64;

/// How chunks are joined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// In which way.
    pub joining: Joining,
    /// The step of a chunk by which a cross-fade is over; 0 does not fade.
    pub horizon: u16,
    /// The steepness of an ensemble's weights.
    pub ensemble_m: f64,
}

/// A chunk joined to those before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// What to send.
    pub plan: Plan,
    /// Steps of the chunk that were consumed before it came.
    pub consumed: usize,
    /// How far it is from the chunk before where both say something of steps to come; `None` when
    /// there is none.
    pub disagreement: Option<Apart>,
}

/// The chunks of one job so far.
#[derive(Debug, Clone)]
pub struct Chunks {
    rules: Rules,
    /// What the policy said, the oldest first.
    said: VecDeque<Track>,
    /// What was sent, the newest last.
    sent: VecDeque<Track>,
}

impl Chunks {
    /// None so far.
    #[must_use]
    pub fn new(rules: Rules) -> Chunks {
        Chunks {
            rules,
            said: VecDeque::new(),
            sent: VecDeque::new(),
        }
    }

    /// How they are joined.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Forgets all: what comes next begins anew.
    pub fn restart(&mut self) {
        self.said.clear();
        self.sent.clear();
    }

    /// The guard refused plan `id`: what was sent before goes on.
    pub fn refused(&mut self, id: u64) {
        self.said.retain(|track| track.id != id);
        self.sent.retain(|track| track.id != id);
    }

    /// When the pictures were taken that the step under way at `now` came from: for a mixed step,
    /// the mean of them by their say.
    #[must_use]
    pub fn seen_at(&self, now: MonoTime) -> Option<MonoTime> {
        self.sent.back()?.seen_at(now)
    }

    /// What is being executed at `steps` steps from `start` on, to its end, seen from `now`; `None`
    /// when nothing is.
    #[must_use]
    pub fn left_over(
        &self,
        start: MonoTime,
        step_ns: u32,
        steps: usize,
        now: MonoTime,
    ) -> Option<Plan> {
        let kind = self.sent.back()?.kind;
        let grid = Grid::from(start, step_ns);
        let told = |step: usize| {
            let due = grid.due(step as i64);
            let mut newest_first = self.sent.iter().rev();
            newest_first.find_map(|track| track.at(track.when(due, now)))
        };
        let all: Vec<Option<Numbers>> = (0..steps).map(told).collect();
        // Steps before all that was sent are consumed: they may be anything.
        let first = all.iter().copied().flatten().next()?;
        let untold = all.iter().take_while(|it| it.is_none()).count();
        let later = all.iter().skip(untold).map_while(|it| *it);
        let points: Vec<Numbers> = std::iter::repeat_n(first, untold).chain(later).collect();
        Some(Plan {
            id: self.sent.back()?.id,
            captured_at: start,
            start,
            step_ns,
            waypoints: waypoints(kind, &points),
        })
    }

    /// Of a chunk whose steps are due from `start` on and which is asked for at `now`, after an
    /// inference of `latency`: how many steps will be consumed or under way by the time it comes, and
    /// from which on it will have all say.
    #[must_use]
    pub fn span(
        &self,
        start: MonoTime,
        step_ns: u32,
        now: MonoTime,
        latency: Duration,
    ) -> (u32, u32) {
        let grid = Grid::from(start, step_ns);
        let comes = MonoTime(now.0.saturating_add(realtime::nanos(latency)));
        let delay = (grid.after(comes) + 1).max(0);
        let end = self.fade_end(&grid, delay, now).max(delay);
        let steps = |steps: i64| u32::try_from(steps).unwrap_or(u32::MAX);
        (steps(delay), steps(end))
    }

    /// Joins `chunk`, which has come at `now`. `None` when all of its steps are consumed by then,
    /// and nothing is to be sent.
    pub fn join(&mut self, chunk: Plan, now: MonoTime) -> Option<Joined> {
        let fresh = Track::of(&chunk)?;
        self.said
            .retain(|track| track.end() > now && track.kind == fresh.kind);
        self.sent
            .retain(|track| track.end() > now && track.kind == fresh.kind);
        let grid = Grid::of(&chunk);
        // The step that the arm is on its way to.
        let next = grid.after(now);
        if next >= fresh.len() as i64 {
            return None;
        }
        let disagreement = self.disagreement(&fresh, &grid, next);
        if self.said.len() == VOICES {
            self.said.pop_front();
        }
        self.said.push_back(fresh);
        let (first, points, seen) = self.steps(&chunk, &grid, next, now)?;
        let mut plan = chunk;
        plan.start = grid.due(first);
        plan.waypoints = waypoints(self.said.back()?.kind, &points);
        let mut track = Track::of(&plan)?;
        track.set_seen(seen);
        if self.sent.len() == SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(track);
        Some(Joined {
            plan,
            consumed: usize::try_from(next).unwrap_or(0),
            disagreement,
        })
    }

    /// The plan that was joined last, going on from where it is at `now` in `times` the time. What
    /// comes next is joined to it in the policy's own time, so that slowing down does not add up.
    pub fn slow(&mut self, plan: Plan, now: MonoTime, times: f64) -> Plan {
        let mut plan = plan;
        let gone = now.secs_from(plan.start) * times;
        plan.start = now.offset_secs(-gone);
        plan.step_ns = (f64::from(plan.step_ns) * times).round() as u32;
        if let Some(last) = self.sent.back_mut().filter(|last| last.id == plan.id) {
            last.set_times(plan.start, plan.step_ns, times);
        }
        plan
    }

    /// The steps from the one before that under way on; the index of the first, and when the
    /// pictures behind each were taken.
    fn steps(
        &self,
        chunk: &Plan,
        grid: &Grid,
        next: i64,
        now: MonoTime,
    ) -> Option<(i64, Vec<Numbers>, Vec<MonoTime>)> {
        let fresh = self.said.back()?;
        let base = self.sent.back();
        let delay = next + 1;
        let end = self.fade_end(grid, delay, now);
        let (mut first, mut points, mut seen) = (next - 2, Vec::new(), Vec::new());
        // The curve at the step under way has the slope that the one before it gives it.
        for step in next - 2..fresh.len() as i64 {
            let due = grid.due(step);
            let new = usize::try_from(step).ok().and_then(|it| fresh.point(it));
            let old = base.and_then(|base| {
                let when = base.when(due, now);
                Some((base.at(when)?, base.seen_at(when)?))
            });
            let (numbers, taken) = match (old, new) {
                (None, None) => {
                    points.clear();
                    seen.clear();
                    first = step + 1;
                    continue;
                }
                (Some(old), None) => old,
                (None, Some(new)) => (*new, chunk.captured_at),
                (Some(old), Some(_)) if step < delay => old,
                (Some((old, old_seen)), Some(new)) => match self.rules.joining {
                    Joining::Append => (old, old_seen),
                    Joining::CrossFade => {
                        let say = weights::of_the_chunk_before(step, delay, end);
                        let mixed = mix(fresh.kind, new, &old, say);
                        (
                            mixed,
                            mean([(chunk.captured_at, 1.0 - say), (old_seen, say)]),
                        )
                    }
                    Joining::Ensemble => self.ensemble(new, fresh.kind, due),
                },
            };
            points.push(numbers);
            seen.push(taken);
            if points.len() == MAX_WAYPOINTS {
                break;
            }
        }
        // Numbers of one plan go from one to the next without whole turns between them.
        for index in 1..points.len() {
            if let (Some(before), Some(point)) =
                (points.get(index - 1).copied(), points.get_mut(index))
            {
                *point = near(fresh.kind, point, &before);
            }
        }
        Some((first, points, seen))
    }

    /// The step by which a cross-fade that begins at `delay` is over: the horizon, but half of it at
    /// least is left for fading, and no longer than there is something to fade from.
    fn fade_end(&self, grid: &Grid, delay: i64, now: MonoTime) -> i64 {
        let horizon = i64::from(self.rules.horizon);
        let end = horizon.max(delay + (horizon + 1) / 2);
        let base_end = |base: &Track| grid.after(base.end_seen_from(now));
        let last = self.sent.back().map_or(delay, base_end);
        if horizon == 0 { delay } else { end.min(last) }
    }

    /// The mean of all that was said of `due`.
    fn ensemble(&self, newest: &Numbers, kind: Kind, due: MonoTime) -> (Numbers, MonoTime) {
        let voices: Vec<(Numbers, MonoTime)> = (self.said.iter())
            .filter_map(|track| Some((near(kind, &track.at(due)?, newest), track.seen_at(due)?)))
            .collect();
        let says: Vec<f64> = weights::of_an_ensemble(voices.len(), self.rules.ensemble_m).collect();
        let mut whole = 0.0;
        let mut mixed = *newest;
        for ((numbers, _), say) in voices.iter().zip(&says) {
            whole += say;
            mixed = mix(kind, &mixed, numbers, say / whole);
        }
        let taken = voices
            .iter()
            .zip(&says)
            .map(|((_, seen), say)| (*seen, *say));
        (mixed, mean(taken))
    }

    /// How far `fresh` is from what was said last, at the steps from `next` on of which both speak.
    fn disagreement(&self, fresh: &Track, grid: &Grid, next: i64) -> Option<Apart> {
        let last = self.said.back()?;
        let each = (next.max(0)..fresh.len() as i64).filter_map(|step| {
            let new = fresh.point(usize::try_from(step).ok()?)?;
            Some(apart(fresh.kind, new, &last.at(grid.due(step))?))
        });
        each.reduce(Apart::max)
    }
}

/// The mean of moments by their weights, which add up to one.
fn mean(moments: impl IntoIterator<Item = (MonoTime, f64)>) -> MonoTime {
    let mut moments = moments.into_iter();
    let Some((first, _)) = moments.next() else {
        return MonoTime::default();
    };
    let later = moments.map(|(moment, weight)| moment.secs_from(first) * weight);
    first.offset_secs(later.sum())
}

/// When the steps of a chunk are due.
struct Grid {
    start: MonoTime,
    step_ns: u64,
}

impl Grid {
    fn of(chunk: &Plan) -> Grid {
        Grid::from(chunk.start, chunk.step_ns)
    }

    fn from(start: MonoTime, step_ns: u32) -> Grid {
        Grid {
            start,
            step_ns: u64::from(step_ns.max(1)),
        }
    }

    /// When step `step` is due; those before the first come before the chunk's start.
    fn due(&self, step: i64) -> MonoTime {
        let offset = step.saturating_mul(self.step_ns as i64);
        MonoTime(self.start.0.saturating_add_signed(offset))
    }

    /// The first step that is due later than `now`.
    fn after(&self, now: MonoTime) -> i64 {
        if now >= self.start {
            (now.since(self.start) / self.step_ns) as i64 + 1
        } else {
            -(((self.start.since(now) - 1) / self.step_ns) as i64)
        }
    }
}

#[cfg(test)]
mod tests;
