//! The runner as the guard's shell sees it: a link that is heard or not, and plans.
//!
//! Owns whether it lives, when it was last heard, and its plan ids. Never looks into the core
//! beyond what telemetry tells a runner.

use std::time::Duration;

use surehand::arm::ArmModel;
use surehand::control::Link;
use surehand::messages::{Mode, Plan};
use surehand::units::{JointVec, MonoTime, Rad};

use crate::fault::Fault;
use crate::plans::Policy;
use crate::rng::Rng;

/// How the runner is. Moments are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// Not there until then, having left in order or never come.
    Away {
        until: u64,
    },
    /// Dead until another takes its place.
    Dead {
        until: u64,
    },
    /// Frozen: connected and silent.
    Frozen {
        until: u64,
    },
    Well,
}

/// The runner.
#[derive(Debug)]
pub struct Runner {
    rng: Rng,
    policy: Policy,
    health: Health,
    heard_at: MonoTime,
    /// No plans until then.
    idle_until: u64,
    next_beat: u64,
    next_plan: u64,
    /// Mean time between heartbeats and between plans.
    beat: f64,
    pace: f64,
    /// Its heartbeats answer to ticks: it falls silent for a whole number of periods.
    in_step: bool,
    next_id: u64,
    /// What it would have sent while it was frozen, and may send when it thaws.
    held: Option<Plan>,
    plan: Option<Plan>,
}

impl Runner {
    /// One that connects soon after `now` and knows the lease it must keep.
    #[must_use]
    pub fn new(mut rng: Rng, now: u64, lease: Duration) -> Runner {
        let policy = Policy::new(rng.fork());
        // Most keep the lease and plan ahead; some are as slow as the lease or the plans are long.
        let lease = lease.as_nanos() as f64;
        let beat = lease * rng.pick([0.1, 0.2, 0.3, 0.4, 0.7]);
        let pace = policy.plan_ns() * rng.pick([0.1, 0.2, 0.3, 0.4, 0.5, 0.8]);
        Runner {
            policy,
            health: Health::Away {
                until: now + rng.millis(1.0, 200.0),
            },
            heard_at: MonoTime(now),
            idle_until: 0,
            next_beat: now,
            next_plan: now,
            beat,
            pace,
            in_step: rng.chance(0.3),
            next_id: 1,
            held: None,
            plan: None,
            rng,
        }
    }

    /// A fault strikes at `now`; those that are not the runner's pass by.
    pub fn strike(&mut self, fault: Fault, now: u64) {
        match fault {
            Fault::RunnerDies { span } => self.health = Health::Dead { until: now + span },
            Fault::RunnerFreezes { span } if self.health == Health::Well => {
                self.health = Health::Frozen { until: now + span };
            }
            Fault::RunnerLeaves { span } => self.health = Health::Away { until: now + span },
            Fault::RunnerIdles { span } => self.idle_until = now + span,
            // It connects anew to the new guard.
            Fault::GuardDies { span } => {
                self.health = Health::Away {
                    until: now + span + self.rng.millis(1.0, 100.0),
                };
            }
            _ => {}
        }
    }

    /// What has come from it by `now`: the state of its link, and a plan.
    pub fn poll(
        &mut self,
        now: MonoTime,
        missed: u32,
        mode: Mode,
        model: &ArmModel,
        command: Option<&JointVec<Rad>>,
    ) -> (Link, Option<&Plan>) {
        self.plan = None;
        self.wake(now);
        let due = now.0 >= self.next_plan && now.0 >= self.idle_until;
        let wanted = mode == Mode::Running || self.rng.chance(0.02);
        match (self.health, command) {
            (Health::Well, Some(command)) if due && wanted => {
                let plan = self.policy.plan(self.next_id, now, model, command);
                self.next_id += 1;
                self.next_plan = now.0 + (self.pace * self.rng.between(0.5, 1.5)) as u64;
                self.plan = Some(plan);
            }
            (Health::Frozen { .. }, Some(command)) if self.held.is_none() && wanted => {
                self.held = Some(self.policy.plan(self.next_id, now, model, command));
                self.next_id += 1;
            }
            _ => {}
        }
        if self.health == Health::Well {
            self.beat(now, missed > 0);
        }
        let link = match self.health {
            Health::Away { .. } => Link::Absent,
            Health::Dead { .. } => Link::Closed,
            Health::Frozen { .. } | Health::Well => Link::Up {
                heard_at: self.heard_at,
            },
        };
        (link, self.plan.as_ref())
    }

    /// Heartbeats since the tick before. What holds up the guard may hold up the runner too.
    fn beat(&mut self, now: MonoTime, held_up: bool) {
        if held_up && self.next_beat < now.0 && self.rng.chance(0.5) {
            self.heard_at = self.heard_at.max(MonoTime(self.next_beat));
            self.next_beat = now.0 + 1;
        }
        if self.in_step && self.next_beat <= now.0 {
            self.heard_at = now;
            self.next_beat = now.0 + self.beat as u64;
        }
        while self.next_beat <= now.0 {
            self.heard_at = MonoTime(self.next_beat);
            self.next_beat += (self.beat * self.rng.between(0.5, 1.5)) as u64;
        }
    }

    fn wake(&mut self, now: MonoTime) {
        match self.health {
            Health::Away { until } | Health::Dead { until } if now.0 >= until => {
                self.health = Health::Well;
                self.heard_at = now;
                self.next_beat = now.0 + 1;
                // Another process counts from the beginning.
                self.next_id = 1;
                self.held = None;
            }
            Health::Frozen { until } if now.0 >= until => {
                self.health = Health::Well;
                self.heard_at = now;
                self.next_beat = now.0 + 1;
                self.plan = self.held.take();
            }
            Health::Away { .. } | Health::Dead { .. } | Health::Frozen { .. } | Health::Well => {}
        }
    }
}
