//! Watches what was read and when, and says what must stop the arm.
//!
//! Owns the last good reading of every joint; a failed read never becomes a position. Never
//! decides what a finding does to the mode: that is the core's.
//!
//! Real time: no allocation, lock, log or clock.

mod watch;

use std::time::Duration;

use crate::control::config::{CoreConfig, MonitorConfig};
use crate::control::io::{Inputs, JointReading, Link};
use crate::control::limiter::Measured;
use crate::messages::Cause;
use crate::units::{JointSet, JointVec, MonoTime, Rad};
use watch::Watch;

/// The share of failed reads is that of about this many ticks.
const RECENT_TICKS: f64 = 200.0;
/// A blocked joint's goal stands at its whole stopping distance: this share of it is an error.
const FOLLOWING_SHARE: f64 = 0.9;

/// Whether a servo that is too hot is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heat {
    /// It stops the arm.
    Stops,
    /// It has, and the arm is being put away for it.
    Known,
}

/// What is known of the arm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Monitor {
    config: MonitorConfig,
    joints: JointVec<Watch>,
    last_tick: Option<MonoTime>,
    /// Share of the reads that failed lately, 0…1.
    failing: f64,
}

impl Monitor {
    /// Nothing is known yet.
    #[must_use]
    pub(crate) fn new(config: &CoreConfig) -> Monitor {
        let model = &config.model;
        let limits = model.limits().iter().enumerate();
        let joints = limits
            .map(|(joint, limits)| {
                let by_default = if model.gripper() == Some(joint) {
                    f64::INFINITY
                } else {
                    FOLLOWING_SHARE * limits.stopping_distance().0
                };
                let following = config
                    .monitors
                    .following_error
                    .and_then(|all| all.get(joint));
                Watch {
                    limits: *limits,
                    following: following.map_or(by_default, |error| error.0),
                    ..Watch::default()
                }
            })
            .collect();
        Monitor {
            config: config.monitors,
            joints,
            last_tick: None,
            failing: 0.0,
        }
    }

    /// Whether a joint that is at `measured` may be on its way to `goal`.
    pub(crate) fn follows(&self, joint: usize, goal: Rad, measured: &Measured) -> bool {
        let error = (goal.0 - measured.position.0).abs();
        let watch = self.joints.get(joint);
        watch.is_some_and(|watch| error <= watch.following)
    }

    /// Takes in this tick's readings; the first finding that must stop the arm. A heat that is
    /// `known` and being seen to is no finding.
    pub(crate) fn observe(&mut self, inputs: &Inputs<'_>, heat: Heat) -> Option<Cause> {
        let config = self.config;
        let mut finding = self.timing(inputs);
        let readings = inputs.joints.iter().copied();
        let readings = readings.chain(std::iter::repeat(JointReading::default()));
        for ((joint, watch), reading) in (0..).zip(self.joints.iter_mut()).zip(readings) {
            let found = watch.observe(joint, &reading, inputs.now, &config, heat);
            finding = finding.or(found);
        }
        finding.or(self.line())
    }

    /// Whether too many reads fail, of whichever servo.
    fn line(&mut self) -> Option<Cause> {
        let count = |few: usize| u32::try_from(few).map_or(0.0, f64::from);
        let failed = self.joints.iter().filter(|watch| !watch.fresh).count();
        let share = count(failed) / count(self.joints.len()).max(1.0);
        self.failing += (share - self.failing) / RECENT_TICKS;
        let too_many = self.failing > self.config.failing_reads;
        too_many.then_some(Cause::BusFailing {
            share: self.failing,
        })
    }

    /// Share of the reads that failed in the last second or so, 0…1.
    #[must_use]
    pub(crate) fn failing(&self) -> f64 {
        self.failing
    }

    /// Share of its speed that the arm may have: less when a servo comes near its limits of heat
    /// or supply, so that a job slows down before it has to stop.
    #[must_use]
    pub(crate) fn ease(&self) -> f64 {
        let eases = self.joints.iter().map(|watch| watch.ease(&self.config));
        eases.fold(1.0, f64::min)
    }

    /// Joints that are not known to stand: measured to move, or not measured.
    #[must_use]
    pub(crate) fn not_standing(&self) -> JointSet {
        self.those(|watch| !watch.fresh || !watch.stands(&self.config))
    }

    /// Joints whose motor drives them on, in this tick and for a while: away from where `goals`
    /// are, and at all when they are meant to be limp.
    pub(crate) fn running_away(
        &mut self,
        goals: Option<&JointVec<Rad>>,
        now: MonoTime,
    ) -> JointSet {
        let config = self.config;
        for (joint, watch) in self.joints.iter_mut().enumerate() {
            let goal = goals.and_then(|goals| goals.get(joint));
            watch.look_for_runaway(goal, now, &config);
        }
        let long = config.runaway_time.as_secs_f64();
        self.those(|watch| {
            watch
                .runs_since
                .is_some_and(|since| now.secs_from(since) >= long)
        })
    }

    fn those(&self, wanted: impl Fn(&Watch) -> bool) -> JointSet {
        let mut found = JointSet::default();
        for (joint, watch) in self.joints.iter().enumerate() {
            if wanted(watch) {
                found.insert(joint);
            }
        }
        found
    }

    /// Compares the goals on the wire with where the joints are; `None` while torque is off, when
    /// no joint follows anything. One of `driven` is not waited for.
    pub(crate) fn following(
        &mut self,
        goals: Option<&JointVec<Rad>>,
        driven: JointSet,
        now: MonoTime,
    ) -> Option<Cause> {
        let Some(goals) = goals else {
            for watch in self.joints.iter_mut() {
                watch.lags_since = None;
            }
            return None;
        };
        let patience = self.config.following_time.as_secs_f64();
        let mut finding = None;
        for ((joint, watch), goal) in (0..).zip(self.joints.iter_mut()).zip(goals) {
            let error = goal.0 - watch.measured.position.0;
            let cause = Cause::FollowingError { joint, error };
            if driven.contains(usize::from(joint)) {
                finding = finding.or(Some(cause));
            }
            if watch.read_at.is_none() || error.abs() <= watch.following {
                watch.lags_since = None;
                continue;
            }
            let since = *watch.lags_since.get_or_insert(now);
            if now.secs_from(since) >= patience {
                finding = finding.or(Some(cause));
            }
        }
        finding
    }

    /// Where every joint was when last read; `None` until each was read once.
    #[must_use]
    pub(crate) fn measured(&self) -> Option<JointVec<Measured>> {
        let all_read = self.joints.iter().all(|watch| watch.read_at.is_some());
        all_read.then(|| self.joints.map(|watch| watch.measured))
    }

    /// Joints whose encoder jumped and stayed there: their position is another now.
    pub(crate) fn rebased(&self) -> impl Iterator<Item = (usize, Measured)> {
        self.joints
            .iter()
            .enumerate()
            .filter(|(_, watch)| watch.rebased)
            .map(|(joint, watch)| (joint, watch.measured))
    }

    /// Whether every joint that still answers is measured to stand.
    #[must_use]
    pub(crate) fn standing(&self) -> bool {
        let standing = |watch: &Watch| !watch.fresh || watch.stands(&self.config);
        self.joints.iter().all(standing)
    }

    /// Whether every joint is about where it may be; a position far outside is a wrong encoder
    /// or calibration, and never becomes a goal.
    #[must_use]
    pub(crate) fn plausible(&self) -> bool {
        let slack = self.config.outside_limits.0;
        self.joints.iter().all(|watch| {
            let at = watch.measured.position.0;
            at >= watch.limits.lower.0 - slack && at <= watch.limits.upper.0 + slack
        })
    }

    /// Whether all is well now: every joint just read, inside its ranges and where it was sent.
    #[must_use]
    pub(crate) fn healthy(&self) -> bool {
        self.plausible() && self.joints.iter().all(|watch| watch.healthy(&self.config))
    }

    /// Whether every joint can be moved, hot as it may be: read just now, without an error, well
    /// supplied, and where it was sent.
    #[must_use]
    pub(crate) fn movable(&self) -> bool {
        let ready = |watch: &Watch| watch.healthy_but_for_heat(&self.config);
        self.plausible() && self.joints.iter().all(ready)
    }

    /// The next tick may come late: switching torque on waits for every servo to confirm.
    pub(crate) fn excuse_next(&mut self) {
        self.last_tick = None;
    }

    fn timing(&mut self, inputs: &Inputs<'_>) -> Option<Cause> {
        let before = self.last_tick.replace(inputs.now);
        let stalled = before
            .is_some_and(|before| inputs.now.secs_from(before) >= self.config.stall.as_secs_f64());
        (stalled || inputs.missed >= self.config.missed_ticks).then_some(Cause::MissedTicks {
            count: inputs.missed,
        })
    }
}

/// What the runner's link is a cause for while the arm runs.
#[must_use]
pub(crate) fn runner_lost(link: Link, now: MonoTime, lease: Duration) -> Option<Cause> {
    match link {
        Link::Absent | Link::Closed => Some(Cause::RunnerDied),
        Link::Up { heard_at } => {
            let silent = now.since(heard_at);
            (u128::from(silent) > lease.as_nanos()).then(|| Cause::RunnerSilent {
                silent_ms: millis(silent),
            })
        }
    }
}

/// Whole milliseconds in `ns`.
pub(crate) fn millis(ns: u64) -> u32 {
    u32::try_from(ns / 1_000_000).unwrap_or(u32::MAX)
}
