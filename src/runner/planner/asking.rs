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
use crate::runner::chunks::Joined;
use crate::runner::link::GuardLink;
use crate::runner::sight::Sight;
use crate::units::MonoTime;

impl Work {
    /// Asks the policy about pictures newer than `seen`. `None` when there are none yet, or no
    /// plan came of them.
    pub(super) fn plan(
        &mut self,
        link: &GuardLink,
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
        let continuation = self.continuation(captured_at, began, left_over.as_ref());
        let planned = (self.parts.policy).plan_after(&continuation, &observation, id, patience);
        if let Some(held_up) = &mut self.parts.held_up {
            let until = realtime::now().0 + realtime::nanos(held_up.next());
            realtime::sleep_until(MonoTime(until));
        }
        let now = realtime::now();
        self.inference.record(now.since(began));
        self.parts.pace.note(Duration::from_nanos(now.since(began)));
        let chunk = match planned {
            Ok(chunk) => chunk,
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
        if let Some((refused, _)) = link.latest().and_then(|latest| latest.refused) {
            self.parts.chunks.refused(refused);
        }
        let joined = self.parts.chunks.join(chunk, now);
        let Some(Joined {
            plan, disagreement, ..
        }) = joined
        else {
            tracing::warn!("the policy's chunk came after its last step was due and is dropped");
            // The guard stops the arm when what it has runs out.
            return Some(Sent {
                captured_at,
                runs_out: now,
                executed: None,
            });
        };
        self.parts.watching.joined(link, disagreement, now);
        let plan = if self.parts.watching.slow() {
            self.parts.chunks.slow(plan, now, watching::SLOWER)
        } else {
            plan
        };
        let runs_out = plan.end();
        self.starving.fed_until(runs_out);
        link.send_plan(plan, self.bytes.as_mut_slice());
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

    /// When the last action of a chunk is due that is meant to be executed, where not all are and the
    /// next chunk does not wait for the end of this one: from then on the arm would be on its way to
    /// the first of those in reserve.
    fn executed(&self, captured_at: MonoTime) -> Option<(MonoTime, Duration)> {
        let Parts { policy, chunks, .. } = &self.parts;
        let package = policy.package();
        let steps = package.executed.filter(|it| *it < package.output.chunk)?;
        let steps = u64::try_from(steps)
            .ok()
            .filter(|_| chunks.rules().joining != Joining::Append)?;
        let (start, step_ns) = policy.due(captured_at);
        let step_ns = u64::from(step_ns);
        Some((
            MonoTime(start.0 + steps.saturating_sub(1) * step_ns),
            Duration::from_nanos(step_ns),
        ))
    }

    /// What is left of the plan at the steps of a chunk whose pictures were taken at `captured_at`,
    /// for a policy that goes on from there.
    fn left_over(&self, captured_at: MonoTime, now: MonoTime) -> Option<Plan> {
        let (start, step_ns) = self.parts.policy.due(captured_at);
        let wanted = self.parts.policy.package().continues();
        wanted
            .then(|| (self.parts.chunks).left_over(start, step_ns, MAX_WAYPOINTS, now))
            .flatten()
    }

    /// What a policy that is asked at `now` is told of what is being executed.
    fn continuation<'a>(
        &self,
        captured_at: MonoTime,
        now: MonoTime,
        left_over: Option<&'a Plan>,
    ) -> Continuation<'a> {
        let (start, step_ns) = self.parts.policy.due(captured_at);
        let (delay, horizon) =
            (self.parts.chunks).span(start, step_ns, now, self.parts.pace.latency());
        Continuation {
            left_over,
            delay,
            horizon,
            max_guidance_weight: self.parts.max_guidance_weight,
        }
    }

    /// Shows the policy a moment that it is not asked about, where it looks at several.
    pub(super) fn see(&mut self, link: &GuardLink) {
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
