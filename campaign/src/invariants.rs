//! The observer: holds every tick of the core to the invariants.
//!
//! Sees what goes into the core and what comes out, and keeps its own books of modes, plans,
//! leases and torque. Never asks the code under test whether it was right.

mod goals;
mod lease;
mod parking;
mod torque;

use surehand::arm::Space;
use surehand::control::{
    CoreConfig, Inputs, JointCommand, Link, Measured, Step, Torque, TorqueAct,
};
use surehand::messages::{Cause, Mode, Request};
use surehand::units::{JointVec, MonoTime};

use crate::admission::{admissible, end, numbers};
use crate::health::{Demand, Health};
use crate::law::Law;
use crate::motion::{Broken, Motion, broken};
use crate::room::Room;
use crate::touch::Touch;

/// The share of its stopping distance that a joint may be from its goal for long.
const FOLLOWING_SHARE: f64 = 0.9;

/// A plan that was admitted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Admitted {
    id: u64,
    /// When its last waypoint is due, nanoseconds.
    end: u128,
}

/// The books of one core.
#[derive(Debug)]
pub(crate) struct Observer {
    config: CoreConfig,
    health: Health,
    motions: Vec<Motion>,
    room: Room,
    touch: Touch,
    mode: Mode,
    cause: Option<Cause>,
    torque: Torque,
    link: Link,
    /// Time the loop was held up since the runner was last heard, nanoseconds.
    held_up: u64,
    started_at: MonoTime,
    plan: Option<Admitted>,
    /// The highest plan id seen of this runner.
    seen: u64,
    ending: bool,
    /// Ticks in `Stopping`.
    stopping: u32,
}

impl Observer {
    /// Of a core that boots latched for `boot`, with torque as it was found.
    pub(crate) fn new(config: &CoreConfig, space: &Space, boot: Cause, torque: Torque) -> Observer {
        let period = config.period.as_secs_f64();
        let limits = config.model.limits();
        let stop_secs = limits.iter().map(|limits| Law::of(limits).stopping_secs());
        let stop_secs = stop_secs.fold(0.0, f64::max);
        Observer {
            health: Health::new(limits.len()),
            motions: limits
                .iter()
                .map(|limits| Motion::new(Law::of(limits), period))
                .collect(),
            room: Room::new(&config.model, space, period, stop_secs),
            touch: Touch::default(),
            config: config.clone(),
            mode: Mode::Stopped,
            cause: Some(boot),
            torque,
            link: Link::Absent,
            held_up: 0,
            started_at: MonoTime(0),
            plan: None,
            seen: 0,
            ending: false,
            stopping: 0,
        }
    }

    /// Takes in one tick; `believed` is where the core has every joint after it.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub(crate) fn check(
        &mut self,
        inputs: &Inputs<'_>,
        step: &Step<JointCommand>,
        believed: Option<&JointVec<Measured>>,
    ) -> Result<(), Broken> {
        let demand = self.health.observe(inputs, believed, &self.config)?;
        let died = matches!((self.link, inputs.link), (Link::Up { .. }, Link::Closed));
        self.hear(inputs);
        self.requests(inputs, step, believed)?;
        self.modes(inputs, step)?;
        self.demands(demand, died, inputs, step)?;
        self.plans(inputs, step)?;
        self.lease(inputs, step)?;
        self.touch.check(self.mode, inputs, step, &self.config)?;
        self.torque(step)?;
        self.goals(step, believed)?;
        self.stops(step)?;
        if self.torque_came_on(step) {
            self.health.excuse_next();
        }
        self.mode = step.mode;
        self.cause = step.cause;
        Ok(())
    }

    fn torque_came_on(&self, step: &Step<JointCommand>) -> bool {
        step.torque == TorqueAct::Enable
    }

    /// Nothing is granted that must be refused, and a stop is never refused.
    fn requests(
        &mut self,
        inputs: &Inputs<'_>,
        step: &Step<JointCommand>,
        believed: Option<&JointVec<Measured>>,
    ) -> Result<(), Broken> {
        for (request, answer) in inputs.signals.requests.iter().zip(&step.answers) {
            let granted = match answer {
                Some(Ok(done)) if done == request => true,
                Some(Err(_)) => false,
                other => {
                    return broken(
                        "every request is answered, in order",
                        format!("{request:?} is answered with {other:?}"),
                    );
                }
            };
            match request {
                Request::Stop | Request::Shutdown => {
                    if !granted {
                        return broken("a stop is never refused", format!("{request:?} was"));
                    }
                    self.ending |= *request == Request::Shutdown;
                }
                Request::Reset | Request::Enable if granted => {
                    // An enable with torque on asks for nothing.
                    let nothing = *request == Request::Enable && !self.torque_came_on(step);
                    if let Some((joint, why)) = self.health.forbids(&self.config)
                        && !nothing
                    {
                        return broken(
                            "reset and enable are refused while a cause is present",
                            format!("{request:?} was granted while joint {joint} {why}"),
                        );
                    }
                    let lost = inputs.link != Link::Absent && !self.leased(inputs.now);
                    if *request == Request::Reset && lost {
                        return broken(
                            "reset is refused while the runner is lost",
                            format!("{:?} at {:?}", inputs.link, inputs.now),
                        );
                    }
                    if *request == Request::Reset
                        && let Some((joint, error)) = self.blocked(believed)
                    {
                        return broken(
                            "reset is refused while a joint is blocked",
                            format!("joint {joint} is {error} rad from its goal"),
                        );
                    }
                }
                Request::Start | Request::StartHeld if granted => {
                    self.started_at = inputs.now;
                    self.plan = None;
                }
                Request::Reset
                | Request::Enable
                | Request::Start
                | Request::StartHeld
                | Request::Pause
                | Request::Park
                | Request::Release => {}
            }
        }
        self.ending |= inputs.signals.told_to_end;
        Ok(())
    }

    /// A joint that stands farther from the goal it was given than it may.
    fn blocked(&self, believed: Option<&JointVec<Measured>>) -> Option<(usize, f64)> {
        let joints = self.motions.iter().zip(believed?).enumerate();
        joints
            .filter(|(joint, _)| self.config.model.gripper() != Some(*joint))
            .find_map(|(joint, (motion, measured))| {
                let error = (motion.goal()? - measured.position.0).abs();
                (error > motion.lead() * FOLLOWING_SHARE + 1e-9).then_some((joint, error))
            })
    }

    /// The mode changes only as it may, and its cause with it.
    fn modes(&self, inputs: &Inputs<'_>, step: &Step<JointCommand>) -> Result<(), Broken> {
        let granted = |wanted: Request| {
            let mut answers = step.answers.iter().flatten();
            answers.any(|answer| *answer == Ok(wanted))
        };
        let reset = granted(Request::Reset);
        let latched = Mode::latched;
        let (before, after) = (self.mode, step.mode);
        let from_to = || format!("from {before} to {after} with {:?}", step.answers);
        if latched(after) != step.cause.is_some() {
            return broken(
                "there is a cause exactly while latched",
                format!("{after} with {:?}", step.cause),
            );
        }
        if latched(before) && !latched(after) && !reset {
            return broken("only a reset unlatches", from_to());
        }
        if before == Mode::Stopping && !latched(after) {
            return broken("nothing shortens a stop", from_to());
        }
        if after == Mode::Parking && before != Mode::Parking && !self.may_park(step) {
            return broken(
                "an arm is put away only on purpose",
                format!("{} for {:?}", from_to(), step.cause),
            );
        }
        let in_order = before == Mode::Parking && self.cause.is_some_and(Cause::in_order);
        let kept = in_order || self.cause == step.cause;
        if latched(before) && latched(after) && !reset && !kept {
            return broken(
                "the first cause is kept",
                format!("{:?} became {:?}", self.cause, step.cause),
            );
        }
        let started = granted(Request::Start) || granted(Request::StartHeld);
        if after == Mode::Running && before != Mode::Running && !started {
            return broken("only a start begins motion", from_to());
        }
        if self.ending && !latched(after) {
            return broken("a guard that ends never moves again", from_to());
        }
        let last = |wanted: Request| {
            let requests = &inputs.signals.requests;
            requests.iter().rposition(|request| *request == wanted)
        };
        let stopped = last(Request::Stop) > last(Request::Reset);
        if stopped && !latched(after) {
            return broken("a stop stops", from_to());
        }
        if step.may_exit && !(self.ending && after == Mode::Stopped) {
            return broken("a guard ends only on purpose, and stopped", from_to());
        }
        Ok(())
    }

    /// What must stop the arm does, in the tick it shows.
    fn demands(
        &self,
        demand: Option<Demand>,
        died: bool,
        inputs: &Inputs<'_>,
        step: &Step<JointCommand>,
    ) -> Result<(), Broken> {
        if matches!(step.mode, Mode::Stopped | Mode::Stopping) {
            return Ok(());
        }
        let parking = step.mode == Mode::Parking;
        let expected = parking && matches!(step.cause, Some(Cause::Overheat { .. }));
        if let Some(demand) =
            demand.filter(|demand| !(expected && self.health.only_hot(demand, &self.config)))
        {
            return broken(
                "what must stop the arm stops it at once",
                format!("{demand:?}, and it is {}", step.mode),
            );
        }
        let live = matches!(self.mode, Mode::Running | Mode::Holding);
        // Nothing that the runner sees matters on the way to the park pose.
        if live && !parking && inputs.signals.trip.is_some() {
            return broken(
                "what the runner saw stops the arm",
                format!("{:?}, and it is {}", inputs.signals.trip, step.mode),
            );
        }
        // An arm that stands where it is stopped for heat is put away in the same tick, as it is when
        // the runner dies a tick later.
        if (live && !expected || self.mode == Mode::Parking) && died {
            return broken(
                "the runner's death stops the arm",
                format!("it is {}", step.mode),
            );
        }
        if inputs.signals.told_to_end && !parking {
            return broken("a signal stops the arm", format!("it is {}", step.mode));
        }
        Ok(())
    }

    /// Only plans that may be are followed, none outlives a stop, and none runs out unnoticed.
    fn plans(&mut self, inputs: &Inputs<'_>, step: &Step<JointCommand>) -> Result<(), Broken> {
        if let Some(plan) = inputs.plan {
            let admitted = step.refused.is_none();
            if admitted {
                admissible(plan, inputs.now, self.seen, self.started_at, &self.config)?;
                self.plan = Some(Admitted {
                    id: plan.id,
                    end: end(plan),
                });
            }
            let finite = numbers(plan).all(f64::is_finite);
            let running = step.mode == Mode::Running;
            if running
                && self.mode == Mode::Running
                && !finite
                && !plan.waypoints.is_empty()
                && plan.step_ns != 0
            {
                return broken(
                    "a policy that puts out no number is stopped",
                    format!("plan {} was met with {:?}", plan.id, step.refused),
                );
            }
            self.seen = self.seen.max(plan.id);
        }
        if step.mode != Mode::Running {
            self.plan = None;
        }
        let followed = self.plan.map_or(0, |plan| plan.id);
        if step.plan_id != followed {
            return broken(
                "every stop empties the plans, and only what was admitted since is followed",
                format!(
                    "plan {} is followed in {}, {followed} was admitted",
                    step.plan_id, step.mode
                ),
            );
        }
        if step.mode != Mode::Running {
            return Ok(());
        }
        match self.plan {
            Some(plan) if plan.end < u128::from(inputs.now.0) => broken(
                "starvation stops",
                format!(
                    "plan {} ended at {}, it is {:?}",
                    plan.id, plan.end, inputs.now
                ),
            ),
            None if u128::from(inputs.now.0 - self.started_at.0)
                > self.config.first_plan.as_nanos() + 1_000 =>
            {
                broken(
                    "a start without a plan stops",
                    format!("started at {:?}, it is {:?}", self.started_at, inputs.now),
                )
            }
            Some(_) | None => Ok(()),
        }
    }
}
