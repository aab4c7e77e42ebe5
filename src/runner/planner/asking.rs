//! Asking the policy: what it is shown, what it is told, and what becomes of its answer.
//!
//! Owns one question from the pictures to the plan that is sent. When it is asked is the planner's.

use std::sync::Mutex;
use std::time::Duration;

use super::{Desk, Parts, Sent, SentPlan, Work, locked, watching};
use crate::cell::Joining;
use crate::messages::{MAX_WAYPOINTS, Percentiles, Plan};
use crate::policy::Continuation;
use crate::realtime;
use crate::runner::arms::CellLink;
use crate::runner::chunks::{Apart, Joined};
use crate::runner::sight::Sight;
use crate::units::MonoTime;

impl Work {
    /// Asks the policy about pictures newer than `seen`. `None` when there are none yet, or no
    /// plan came of them.
    pub(super) fn plan(
        &mut self,
        link: &CellLink,
        seen: MonoTime,
        desk: &Mutex<Desk>,
    ) -> Option<Sent> {
        let sight = Sight::take(self.looks, &self.parts.cameras, link)?;
        let captured_at = sight.captured_at;
        if captured_at <= seen {
            return None;
        }
        let (observation, frames) = (sight.observation(), sight.frames());
        let Parts {
            watching, policy, ..
        } = &mut self.parts;
        if let Some(why) = watching.refuses(policy, &observation, frames) {
            link.pause();
            locked(desk).refused = Some(why);
            return None;
        }
        let id = self.take_id();
        let began = realtime::now();
        let patience = self.starving.patience(began);
        let left_over = self.left_over(captured_at, began);
        let continuation = self.continuation(captured_at, began, &left_over);
        let planned = (self.parts.policy).plans_after(&continuation, &observation, id, patience);
        if let Some(held_up) = &mut self.parts.held_up {
            let until = realtime::now().0 + realtime::nanos(held_up.next());
            realtime::sleep_until(MonoTime(until));
        }
        let now = realtime::now();
        self.inference.record(now.since(began));
        self.parts.pace.note(Duration::from_nanos(now.since(began)));
        let chunks = match planned {
            Ok(chunks) => chunks,
            Err(error) => {
                tracing::error!("the policy gave no plan: {error}");
                if error.starves() {
                    self.starving.begin(error.cause());
                } else {
                    link.trip(error.cause());
                }
                return None;
            }
        };
        let ms = in_milliseconds(self.inference.percentiles());
        link.report(|report| report.inference_ms = ms);
        let Some((plans, apart)) = self.joined(link, chunks, now) else {
            tracing::warn!("the policy's chunk came after its last step was due and is dropped");
            // The guard stops the arm when what it has runs out.
            return Some(Sent {
                captured_at,
                runs_out: now,
                executed: None,
            });
        };
        self.parts.watching.joined(link, apart, now);
        let plans = self.at_its_pace(plans, now);
        let runs_out = plans.iter().map(Plan::end).min().unwrap_or(now);
        self.starving.fed_until(runs_out);
        link.send_plans(plans, self.bytes.as_mut_slice());
        let Parts {
            watching, policy, ..
        } = &mut self.parts;
        watching.observed(link, policy, &observation, frames, now);
        if let Some(tell) = &self.parts.tell {
            let newest_at = frames.iter().map(|frame| frame.captured_at).max();
            let sent = SentPlan {
                newest_at: newest_at.unwrap_or(captured_at),
                inference_ns: now.since(began),
                sent_at: realtime::now(),
            };
            // Nobody listens any more.
            let _ = tell.send(sent);
        }
        Some(Sent {
            captured_at,
            runs_out,
            executed: self.executed(captured_at),
        })
    }

    /// The chunks of all arms, each joined to what its arm has; `None` when they come too late.
    fn joined(
        &mut self,
        link: &CellLink,
        chunks: Vec<Plan>,
        now: MonoTime,
    ) -> Option<(Vec<Plan>, Option<Apart>)> {
        let (mut plans, mut apart) = (Vec::new(), None::<Apart>);
        let arms = self.parts.chunks.iter_mut().zip(link.arms()).zip(chunks);
        for ((arm, guard), chunk) in arms {
            if let Some((refused, _)) = guard.latest().and_then(|latest| latest.refused) {
                arm.refused(refused);
            }
            let Joined {
                plan, disagreement, ..
            } = arm.join(chunk, now)?;
            plans.push(plan);
            apart = match (apart, disagreement) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (one, other) => one.or(other),
            };
        }
        Some((plans, apart))
    }

    /// `plans` as fast as they are to be executed.
    fn at_its_pace(&mut self, plans: Vec<Plan>, now: MonoTime) -> Vec<Plan> {
        if !self.parts.watching.slow() {
            return plans;
        }
        let arms = self.parts.chunks.iter_mut().zip(plans);
        arms.map(|(arm, plan)| arm.slow(plan, now, watching::SLOWER))
            .collect()
    }

    /// When the last action of a chunk is due that is meant to be executed, where not all are and the
    /// next chunk does not wait for the end of this one: from then on the arm would be on its way to
    /// the first of those in reserve.
    fn executed(&self, captured_at: MonoTime) -> Option<(MonoTime, Duration)> {
        let Parts { policy, rules, .. } = &self.parts;
        let package = policy.package();
        let steps = package.executed.filter(|it| *it < package.output.chunk)?;
        let steps = u64::try_from(steps)
            .ok()
            .filter(|_| rules.joining != Joining::Append)?;
        let (start, step_ns) = policy.due(captured_at);
        let step_ns = u64::from(step_ns);
        Some((
            MonoTime(start.0 + steps.saturating_sub(1) * step_ns),
            Duration::from_nanos(step_ns),
        ))
    }

    /// What is left of each arm's plan at the steps of a chunk whose pictures were taken at
    /// `captured_at`, for a policy that goes on from there; nothing where one arm has nothing.
    fn left_over(&self, captured_at: MonoTime, now: MonoTime) -> Vec<Plan> {
        if !self.parts.policy.package().continues() {
            return Vec::new();
        }
        let (start, step_ns) = self.parts.policy.due(captured_at);
        let arms = self.parts.chunks.iter();
        let left = arms.map(|arm| arm.left_over(start, step_ns, MAX_WAYPOINTS, now));
        left.collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    /// What a policy that is asked at `now` is told of what is being executed.
    fn continuation<'a>(
        &self,
        captured_at: MonoTime,
        now: MonoTime,
        left_over: &'a [Plan],
    ) -> Continuation<'a> {
        let (start, step_ns) = self.parts.policy.due(captured_at);
        let latency = self.parts.pace.latency();
        let arms = self.parts.chunks.iter();
        let spans = arms.map(|arm| arm.span(start, step_ns, now, latency));
        // All arms are asked for one chunk: the longer of what each has under way.
        let (delay, horizon) = spans.fold((0, 0), |most, span| {
            (most.0.max(span.0), most.1.max(span.1))
        });
        Continuation {
            left_over,
            delay,
            horizon,
            max_guidance_weight: self.parts.max_guidance_weight,
        }
    }

    /// Shows the policy a moment that it is not asked about, where it looks at several.
    pub(super) fn see(&mut self, link: &CellLink) {
        if self.parts.policy.package().moments <= 1 {
            return;
        }
        let sight = Sight::take(self.looks, &self.parts.cameras, link);
        let Some(sight) = sight.filter(|it| self.parts.policy.wants(it.captured_at)) else {
            return;
        };
        if let Err(error) = self.parts.policy.see(&sight.observation()) {
            tracing::error!("the policy can't see: {error}");
            link.trip(error.cause());
        }
    }
}

fn in_milliseconds(us: Percentiles) -> Percentiles {
    Percentiles {
        p50: us.p50 * 1e-3,
        p99: us.p99 * 1e-3,
        p999: us.p999 * 1e-3,
        max: us.max * 1e-3,
    }
}
