//! One period of the controller: read, decide, write.
//!
//! Owns mode, cause and torque, and puts monitors, plan follower and limiter in one fixed order.
//! A pure function of its inputs and its own state: no clock, no I/O, no randomness.
//!
//! Real time: no allocation, lock, log or clock in [`Core::tick`] or below it.

mod requests;
mod stopping;

use std::time::Duration;

use crate::control::config::{ConfigError, CoreConfig};
use crate::control::io::{Inputs, Link, Step, TorqueAct};
use crate::control::limiter::{Around, JointCommand, Limiter, Measured};
use crate::control::mode::{self, Event, Torque};
use crate::control::monitor::{Monitor, runner_lost};
use crate::control::park::Park;
use crate::control::plan::{Lag, PlanFollower, Sample};
use crate::control::resort::Resort;
use crate::control::safety::{Run, Safety};
use crate::messages::{Cause, Mode, Refusal};
use crate::units::{JointSet, JointVec, MonoTime, Rad};

use stopping::Retreat;

/// Events counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Plans refused.
    pub plans_refused: u64,
    /// Times the plans ran out while running.
    pub plans_starved: u64,
    /// Ticks done.
    pub ticks: u64,
}

/// The controller of one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Core {
    config: CoreConfig,
    monitor: Monitor,
    follower: PlanFollower,
    safety: Safety,
    /// `None` until every joint was read once: before that there is nothing to command.
    limiter: Option<Limiter>,
    mode: Mode,
    /// The way to the park pose, where the cell has one.
    park: Option<Box<Park>>,
    /// It was on that way since torque was last given back for work: once is enough.
    was_put_away: bool,
    /// The first cause of the stop; `Some` exactly while `Stopping`, `Stopped` or `Parking`.
    cause: Option<Cause>,
    torque: Torque,
    act: TorqueAct,
    link: Link,
    /// What must stop the arm by itself and was found in this very tick.
    found: Option<Cause>,
    /// Time the loop itself was held up since the runner was last heard.
    held_up: Duration,
    running_since: MonoTime,
    /// The command has stood since.
    at_rest_since: Option<MonoTime>,
    /// The arm has stood for want of clearance since.
    hemmed_since: Option<MonoTime>,
    /// Joints that their motors drive away from their goals.
    driven: JointSet,
    /// Joints that were blocked, until a reset.
    blocked: JointSet,
    retreat: Retreat,
    /// The stop began.
    stopping_since: Option<MonoTime>,
    resort: Resort,
    /// The last refusal since a plan was admitted: what starvation is put down to.
    last_refusal: Option<Refusal>,
    /// A signal or `Shutdown` asked the guard to end.
    ending: bool,
    counters: Counters,
    /// The goals that servos held before the first tick.
    held: JointVec<Option<Rad>>,
}

impl Core {
    /// A controller latched in `Stopped` for `boot`, with torque as bring-up found it.
    ///
    /// With torque on it takes the arm over where it is measured in the first complete reading, or
    /// where it is [held](Core::holding).
    ///
    /// # Errors
    /// When the configuration is out of range.
    pub fn new(config: CoreConfig, boot: Cause, torque: Torque) -> Result<Core, ConfigError> {
        config.check()?;
        Ok(Core {
            monitor: Monitor::new(&config),
            follower: PlanFollower::new(&config).ok_or_else(ConfigError::not_led)?,
            park: (config.parking.as_ref())
                .map(|parking| Box::new(Park::new(parking, config.model.limits()))),
            safety: Safety::default(),
            config,
            limiter: None,
            mode: Mode::Stopped,
            was_put_away: false,
            cause: Some(boot),
            torque,
            act: TorqueAct::Keep,
            link: Link::Absent,
            found: None,
            held_up: Duration::ZERO,
            running_since: MonoTime::default(),
            at_rest_since: None,
            hemmed_since: None,
            driven: JointSet::default(),
            blocked: JointSet::default(),
            retreat: Retreat::Done,
            stopping_since: None,
            resort: Resort::default(),
            last_refusal: None,
            ending: false,
            counters: Counters::default(),
            held: JointVec::default(),
        })
    }

    /// Takes over an arm whose servos hold `goals` already, where they are known: a joint that is
    /// where its goal may put it keeps that goal, as any other would move it by what the load pulls
    /// it off.
    #[must_use]
    pub fn holding(self, goals: JointVec<Option<Rad>>) -> Core {
        Core {
            held: goals,
            ..self
        }
    }

    /// One period: take in what was read, decide, give the goals to write.
    pub fn tick(&mut self, inputs: &Inputs<'_>) -> Step<JointCommand> {
        // Every servo was asked to confirm: the next tick may come late.
        if std::mem::take(&mut self.act) != TorqueAct::Keep {
            self.monitor.excuse_next();
        }
        self.watch(inputs);
        self.escalate(inputs.now);
        let answers = self.answer(inputs);
        let refused = self.offer(inputs);
        let command = self.command(inputs.now);
        self.hemmed_in(inputs.now);
        self.settle(inputs);
        Step {
            command,
            torque: self.act,
            relay: (self.safety).relay(self.mode, self.resort.rung(), &inputs.safety),
            mode: self.mode,
            cause: self.cause,
            answers,
            refused,
            plan_id: self.follower.plan_id(),
            plan_end: self.follower.plan_end(),
            eased: self.blocked,
            not_standing: self.monitor.not_standing(),
            rung: self.resort.rung(),
            may_exit: self.ending && self.mode == Mode::Stopped,
        }
    }

    /// The goals as they stand, the measured positions while limp; `None` before all is known.
    #[must_use]
    pub fn positions(&self) -> Option<JointVec<Rad>> {
        self.limiter
            .as_ref()
            .map(|limiter| limiter.command().positions())
    }

    /// Where every joint was when last read; `None` until each was read once.
    #[must_use]
    pub fn measured(&self) -> Option<JointVec<Measured>> {
        self.monitor.measured()
    }

    /// Ticks in which the limiter cut each joint's target.
    #[must_use]
    pub fn clamped(&self) -> JointVec<u64> {
        self.limiter.as_ref().map_or_else(
            || JointVec::repeat(0, self.config.model.len()),
            Limiter::clamped,
        )
    }

    /// Events counted since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How far the arm is behind the plans of the tool that it follows.
    #[must_use]
    pub fn lag(&self) -> Lag {
        self.follower.lag()
    }

    /// Share of the reads that failed lately, 0…1.
    #[must_use]
    pub fn replies_lost(&self) -> f64 {
        self.monitor.failing()
    }

    /// Share of its speed that the arm may have, 0…1.
    #[must_use]
    pub fn ease(&self) -> f64 {
        self.monitor.ease()
    }

    /// Joints that drove on when they were told to stop.
    #[must_use]
    pub fn drove_on(&self) -> JointSet {
        self.resort.joints()
    }

    /// Whether the servos hold.
    #[must_use]
    pub fn torque(&self) -> Torque {
        self.torque
    }

    /// What it was built with.
    #[must_use]
    pub fn config(&self) -> &CoreConfig {
        &self.config
    }

    /// Everything that may stop the arm by itself.
    fn watch(&mut self, inputs: &Inputs<'_>) {
        self.counters.ticks = self.counters.ticks.saturating_add(1);
        self.safety.hear(inputs, self.config.period);
        let servo = self.monitor.observe(inputs, self.heat());
        let goals = (self.limiter.as_ref())
            .filter(|_| self.torque == Torque::On)
            .map(|limiter| limiter.command().positions());
        self.driven = self.monitor.running_away(goals.as_ref(), inputs.now);
        let following = self
            .monitor
            .following(goals.as_ref(), self.driven, inputs.now);
        let died = matches!((self.link, inputs.link), (Link::Up { .. }, Link::Closed));
        let was_away = !matches!(self.link, Link::Up { .. });
        // A hold-up from before the runner was heard is no excuse for its silence after.
        let held_up = self.config.period * inputs.missed;
        self.held_up = match inputs.link {
            link if link == self.link => self.held_up + held_up,
            Link::Up { heard_at } => held_up.min(Duration::from_nanos(inputs.now.since(heard_at))),
            Link::Absent | Link::Closed => Duration::ZERO,
        };
        self.link = inputs.link;
        if was_away && matches!(inputs.link, Link::Up { .. }) {
            // A new runner counts its plans from the beginning.
            self.follower.forget_ids();
        }
        let runner = match self.mode {
            Mode::Running => self.runner_lost(inputs),
            Mode::Holding | Mode::Parking => died.then_some(Cause::RunnerDied),
            Mode::Stopped | Mode::Idle | Mode::Stopping => None,
        };
        let let_go = match self.mode {
            Mode::Running | Mode::Parking => self.safety.let_go(inputs, &self.config),
            Mode::Stopped | Mode::Idle | Mode::Holding | Mode::Stopping => None,
        };
        // The way to the park pose needs no camera and no policy.
        let told = match self.mode {
            Mode::Running | Mode::Holding => inputs.signals.trip,
            Mode::Stopped | Mode::Idle | Mode::Stopping | Mode::Parking => None,
        };
        let restarted = inputs
            .restarted
            .map(|joint| Cause::ServoRestarted { joint });
        let watchdog = inputs
            .watchdog
            .map(|joint| Cause::WatchdogTripped { joint });
        let stop = inputs.safety.stop();
        let found = stop.or(restarted).or(watchdog).or(servo).or(following);
        self.found = found;
        if !matches!(found, None | Some(Cause::FollowingError { .. })) {
            // With anything else wrong, an encoder above all, nothing but braking is safe.
            self.retreat = Retreat::Done;
        }
        if let Some(cause) = found.or(let_go).or(told).or(runner) {
            self.latch(Event::Trip, cause);
        }
        // A second signal changes nothing about an end that is under way.
        if inputs.signals.told_to_end && !std::mem::replace(&mut self.ending, true) {
            self.latch(Event::Stop, Cause::Signal);
        }
    }

    /// The lease runs in this loop's own time: a machine that held up everybody has held up the
    /// runner too, and is a cause of its own when it lasts.
    fn runner_lost(&self, inputs: &Inputs<'_>) -> Option<Cause> {
        let lease = self.config.lease + self.held_up;
        runner_lost(inputs.link, inputs.now, lease)
    }

    fn offer(&mut self, inputs: &Inputs<'_>) -> Option<(u64, Refusal)> {
        let plan = inputs.plan?;
        let admitted = match (&self.limiter, self.mode) {
            (Some(limiter), Mode::Running) => {
                self.follower
                    .offer(plan, inputs.now, &self.config.model, limiter)
            }
            _ => {
                self.follower.pass(plan);
                Err(Refusal::WrongMode)
            }
        };
        match admitted {
            Ok(()) => {
                self.last_refusal = None;
                None
            }
            Err(refusal) => {
                self.counters.plans_refused = self.counters.plans_refused.saturating_add(1);
                if self.mode == Mode::Running {
                    self.last_refusal = Some(refusal);
                    if refusal == Refusal::NotFinite {
                        self.latch(Event::Trip, Cause::PolicyNotFinite);
                    }
                }
                Some((plan.id, refusal))
            }
        }
    }

    /// The goals of this tick; `None` while limp or while too little is known.
    fn command(&mut self, now: MonoTime) -> Option<JointCommand> {
        if self.torque == Torque::Off || self.act == TorqueAct::Enable {
            self.held = JointVec::default();
        }
        let measured = self.monitor.measured()?;
        if self.limiter.is_none() && self.monitor.plausible() {
            let limits = self.config.model.limits();
            let period = self.config.period.as_secs_f64();
            self.limiter = Some(Limiter::new(limits, period, &self.begins(&measured)));
        }
        let target = self.target(now);
        let limiter = self.limiter.as_mut()?;
        for (joint, measured) in self.monitor.rebased() {
            limiter.resynchronise_joint(joint, measured);
        }
        match (self.torque, target) {
            (Torque::Off, _) => {
                limiter.resynchronise(&measured);
                None
            }
            (Torque::On, Some(target)) => {
                let around = Around::new(&self.config.model, &self.config.clearance)
                    .at_pace(self.monitor.ease());
                // Who was told to stand stands, while the push is taken off what blocked a joint.
                let led = match self.mode {
                    Mode::Stopping => self.blocked,
                    _ => JointSet::all(target.len()),
                };
                Some(limiter.lead(led, &target, &measured, &around))
            }
            (Torque::On, None) if self.act == TorqueAct::Enable => Some(limiter.command()),
            (Torque::On, None) => Some(limiter.brake(&measured)),
        }
    }

    /// Where each joint's command begins: at the goal that its servo holds, while the joint follows
    /// it, or where it is measured.
    fn begins(&self, measured: &JointVec<Measured>) -> JointVec<Rad> {
        let joints = measured.iter().enumerate().map(|(joint, measured)| {
            let held = self.held.get(joint).flatten();
            let held = held.filter(|goal| self.monitor.follows(joint, *goal, measured));
            held.unwrap_or(measured.position)
        });
        joints.collect()
    }

    /// Where the plan wants the joints; `None` is a standstill.
    fn target(&mut self, now: MonoTime) -> Option<JointVec<Rad>> {
        match self.mode {
            Mode::Running => {}
            Mode::Parking => return self.towards_park(now),
            Mode::Stopping => return self.withdraw(),
            Mode::Stopped | Mode::Idle | Mode::Holding => return None,
        }
        let limiter = self.limiter.as_ref()?;
        match self.follower.sample(now, &self.config.model, limiter) {
            Sample::Target(target) => Some(target),
            Sample::NoPlan => {
                let waited = now.secs_from(self.running_since);
                if waited > self.config.first_plan.as_secs_f64() {
                    self.starve();
                }
                None
            }
            Sample::RanOut => {
                self.starve();
                None
            }
            Sample::Unreachable { error } => {
                self.latch(Event::Trip, Cause::Unreachable { error });
                None
            }
            Sample::NoClearance => {
                self.latch(Event::Trip, Cause::NoClearance);
                None
            }
            Sample::FellBehind { lag_ms } => {
                self.latch(Event::Trip, Cause::FellBehind { lag_ms });
                None
            }
        }
    }

    fn starve(&mut self) {
        self.counters.plans_starved = self.counters.plans_starved.saturating_add(1);
        let cause = self
            .last_refusal
            .map_or(Cause::PlanRanOut, Cause::PlanRefused);
        self.latch(Event::Trip, cause);
    }

    /// A trip or a stop: the first cause is kept, and nothing shortens a stop under way.
    fn latch(&mut self, event: Event, cause: Cause) {
        if let Ok(after) = mode::next(self.mode, event, self.torque) {
            // What goes wrong on the way to the park pose says more than why it was gone there.
            let in_order = self.mode == Mode::Parking && self.cause.is_some_and(Cause::in_order);
            self.cause = self.cause.filter(|_| !in_order).or(Some(cause));
            if let Cause::FollowingError { joint, .. } = cause
                && self.torque == Torque::On
                && !self.blocked.contains(usize::from(joint))
            {
                self.blocked.insert(usize::from(joint));
                self.retreat = Retreat::Wanted;
            }
            self.enter(after);
        }
    }

    /// Every change of mode empties what is left of plans, but for a plan's own running.
    fn enter(&mut self, mode: Mode) {
        self.mode = mode;
        self.was_put_away &= mode.latched();
        if !mode.latched() {
            self.blocked = JointSet::default();
            self.retreat = Retreat::Done;
            self.resort = Resort::default();
        }
        if mode != Mode::Running {
            self.follower.clear();
            self.last_refusal = None;
            self.safety.set_run(Run::Free);
        }
    }
}

#[cfg(test)]
mod tests;
