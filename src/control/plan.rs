//! Follows plans: admits one whole or refuses it whole, and leads the joints along it.
//!
//! Owns the one plan being followed and the bridge that leads onto it. Never extrapolates: past
//! its last waypoint a plan has run out. Never replays: what was due before it came is dropped.
//!
//! **Joint plans** are sampled at the tick's own time.
//!
//! **Tool plans** are paths: the arm keeps to them, and where its joints can't keep the speed it
//! goes more slowly, so that its place on the path falls behind the plan's time. That lag is
//! measured, bounded by the rules, caught up where the joints can go faster than the plan, and gone
//! with the next plan, which is joined where it is due.
//! So a plan ends when its last waypoint is due, wherever the arm has got to by then. The path
//! also waits for a command that the limiter holds back, so that the tool does not cut a corner
//! to catch up. Waypoints at the edge of reach that the rules let pass though they can't be met
//! are brought within reach when the plan is admitted. A path that leads out of reach in between
//! is followed as far as it goes, and the arm holds there until the lag is too much.
//!
//! A new plan takes over over a bridge, a cubic in joint space from the present command and its
//! velocity to where the new plan is when the cross-fade ends (or when it begins, if that is
//! later), with the plan's velocity there. So nothing of the plan before is needed, plans of all
//! kinds change over in the same way, and plans that come faster than the cross-fade still move
//! the arm. One onto a path takes as long as the joints need, if that is longer. While it lasts, the path beyond it is looked at, so that it is joined in motion.
//!
//! Real time: no allocation, lock, log or clock.

mod admit;
mod bridge;
mod curve;
mod path;

use surehand_kinematics::streaming::Course;

use crate::arm::ArmModel;
use crate::arm::tool::reaches_back;
use crate::control::config::{CoreConfig, PlanRules};
use crate::control::leader::Leader;
use crate::control::limiter::Limiter;
use crate::control::monitor::millis;
use crate::messages::{Plan, Refusal, Waypoints};
use crate::units::{JointVec, MonoTime, Rad};
use admit::Admission;
use bridge::Bridge;
use path::ToolPath;

/// Over this time a joint plan's velocity at the end of the bridge is taken, seconds.
const SLOPE_SECS: f64 = 0.01;
/// Looks ahead along a path: when it is admitted, in each tick of the bridge, and in each tick
/// that follows it. A look is a step of Newton's, and a place takes a few: what is passed in a tick
/// must be seen in one.
const FIRST_LOOKS: u32 = 16;
const BRIDGE_LOOKS: u32 = 2;
const LOOKS: u32 = 5;
/// The more the arm is behind a path the faster it goes along it: at most so many times as fast as the
/// plan says, and as if to be level in this time, seconds.
pub(crate) const CATCH_UP: f64 = 1.25;
const CATCH_UP_SECS: f64 = 0.5;
/// The path goes on at its full speed while no joint's command is farther from it than the first,
/// and waits where one is as far as the second, radians.
const WAITS: (f64, f64) = (0.003, 0.015);

/// Where the plan wants the joints at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sample {
    /// Here.
    Target(JointVec<Rad>),
    /// No plan was admitted since the start.
    NoPlan,
    /// The plan is over and no new one came.
    RanOut,
    /// The tool can't get to where the plan wants it.
    Unreachable {
        /// Remaining distance, metres.
        error: f64,
    },
    /// The plan leads too near to something.
    NoClearance,
    /// The arm is too far behind.
    FellBehind {
        /// Milliseconds.
        lag_ms: u32,
    },
}

/// How far the arm is, and was, behind the paths that it followed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lag {
    /// Now, seconds; `None` while no path is followed.
    pub now: Option<f64>,
    /// The most so far, seconds.
    pub most: f64,
    /// Ticks in which it grew.
    pub slowed: u64,
}

/// The plan being followed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanFollower {
    rules: PlanRules,
    period: f64,
    leader: Leader,
    plan: Option<Plan>,
    /// Whether the arm reaches back over its pan axis.
    back: bool,
    bridge: Option<Bridge>,
    /// The last target of a path.
    led: Option<JointVec<Rad>>,
    lag: Lag,
    last_id: u64,
    started_at: MonoTime,
}

impl PlanFollower {
    /// No plan yet; `None` for an arm that can't be led.
    #[must_use]
    pub(crate) fn new(config: &CoreConfig) -> Option<PlanFollower> {
        let period = config.period.as_secs_f64();
        Some(PlanFollower {
            rules: config.plans,
            period,
            leader: Leader::new(&config.model, period, &config.clearance)?,
            plan: None,
            back: false,
            bridge: None,
            led: None,
            lag: Lag::default(),
            last_id: 0,
            started_at: MonoTime::default(),
        })
    }

    /// A new job begins: frames from before `now` are not its.
    pub(crate) fn start(&mut self, now: MonoTime) {
        self.clear();
        self.started_at = now;
    }

    /// Forgets the plan, but not which ids were seen.
    pub(crate) fn clear(&mut self) {
        self.plan = None;
        self.bridge = None;
        self.led = None;
        self.lag.now = None;
        self.leader.forget();
    }

    /// Another runner begins to count.
    pub(crate) fn forget_ids(&mut self) {
        self.last_id = 0;
    }

    /// The id of the plan being followed, 0 when none.
    #[must_use]
    pub(crate) fn plan_id(&self) -> u64 {
        self.plan.as_ref().map_or(0, |plan| plan.id)
    }

    /// When the plan being followed runs out.
    #[must_use]
    pub(crate) fn plan_end(&self) -> MonoTime {
        self.plan.as_ref().map_or(MonoTime::default(), Plan::end)
    }

    /// How far the arm is behind.
    #[must_use]
    pub(crate) fn lag(&self) -> Lag {
        self.lag
    }

    /// Notes a plan that came when none was wanted: it can't be offered again.
    pub(crate) fn pass(&mut self, plan: &Plan) {
        self.last_id = self.last_id.max(plan.id);
    }

    /// Admits `plan` whole, or refuses it whole and goes on with the one before.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn offer(
        &mut self,
        plan: &Plan,
        now: MonoTime,
        model: &ArmModel,
        limiter: &Limiter,
    ) -> Result<(), Refusal> {
        let seen = self.last_id;
        self.pass(plan);
        admit::numbers(plan, model)?;
        if plan.id <= seen {
            return Err(Refusal::OldId);
        }
        let present = limiter.command().positions();
        let admission = Admission {
            rules: &self.rules,
            model,
            leader: &self.leader,
            now,
            present,
            started_at: self.started_at,
        };
        admission.times(plan)?;
        admission.limits(plan)?;
        let mut plan = above(plan, self.rules.floor);
        let back = reaches_back(model, &present);
        admission.seam(&mut plan, back)?;
        let path = ToolPath {
            plan: &plan,
            model,
            back,
        };
        let bridge = self.bridge_onto(&path, now, limiter);
        self.bridge = Some(bridge);
        self.back = back;
        self.plan = Some(plan);
        self.led = None;
        self.lag.now = None;
        Ok(())
    }

    /// Where the joints should be at `now`.
    pub(crate) fn sample(&mut self, now: MonoTime, model: &ArmModel, limiter: &Limiter) -> Sample {
        let Some(plan) = &self.plan else {
            return Sample::NoPlan;
        };
        if now > plan.end() {
            return Sample::RanOut;
        }
        let path = ToolPath {
            plan,
            model,
            back: self.back,
        };
        if let Some(bridge) = self.bridge.filter(|bridge| now < bridge.end) {
            (0..BRIDGE_LOOKS).for_each(|_| self.leader.survey(&path));
            return Sample::Target(bridge.at(now));
        }
        let bridged = self.bridge.take().is_some();
        if let Waypoints::Joint(_) = plan.waypoints {
            return Sample::Target(curve::at(plan, now).map(Rad));
        }
        let present = limiter.command().positions();
        if bridged {
            let angles = model.chain_of(&present);
            let velocities = model.chain_of(&limiter.velocities().map(|speed| Rad(speed.0)));
            self.leader.join(&angles, &velocities);
        }
        (1..LOOKS).for_each(|_| self.leader.survey(&path));
        let due = now.secs_from(plan.start);
        let late = (due - self.leader.along()).max(0.0);
        let pace = pace(self.led.as_ref(), &present);
        // What the limiter holds back is not hurried.
        let hurry = if pace < 1.0 {
            1.0
        } else {
            (1.0 + late / CATCH_UP_SECS).min(CATCH_UP)
        };
        let lead = self.leader.follow(&path, hurry * pace);
        let secs = self.leader.along();
        let lag = (due - secs).max(0.0);
        if lag > self.lag.now.unwrap_or(self.period) + 0.01 * self.period {
            self.lag.slowed = self.lag.slowed.saturating_add(1);
        }
        self.lag.now = Some(lag);
        self.lag.most = self.lag.most.max(lag);
        if lag > self.rules.max_lag.as_secs_f64() {
            if lead.course == Course::Blocked && self.leader.is_hemmed() {
                return Sample::NoClearance;
            }
            if lead.course == Course::Blocked {
                let tool = model.chain().tool(&model.chain_of(&present)).translation;
                let due = path.pose(&curve::at(plan, now)).translation;
                return Sample::Unreachable {
                    error: (due - tool).norm(),
                };
            }
            return Sample::FellBehind {
                lag_ms: millis(MonoTime::default().offset_secs(lag).0),
            };
        }
        let mut joints = model.with_chain(&present, &lead.angles);
        if let Some(gripper) = model.gripper()
            && let Some(slot) = joints.as_mut_slice().get_mut(gripper)
        {
            *slot = Rad(path.gripper(secs));
        }
        self.led = Some(joints);
        Sample::Target(joints)
    }

    /// The bridge onto the plan of `path`; the leader gets ready to take over at its end.
    fn bridge_onto(&mut self, path: &ToolPath<'_>, now: MonoTime, limiter: &Limiter) -> Bridge {
        let (plan, model) = (path.plan, path.model);
        let from = limiter.command().positions();
        let faded = now.offset_secs(self.rules.crossfade.as_secs_f64());
        let mut end = plan.start.max(faded).min(plan.end());
        let (to, slope) = match &plan.waypoints {
            Waypoints::Joint(_) => {
                self.leader.forget();
                let to = curve::at(plan, end);
                let after = end.offset_secs(SLOPE_SECS).min(plan.end());
                let secs = after.secs_from(end);
                let slope = curve::at(plan, after).zip_with(&to, |beyond, to| {
                    if secs > 0.0 {
                        (beyond - to) / secs
                    } else {
                        0.0
                    }
                });
                (to.map(Rad), slope)
            }
            Waypoints::Tool(_) | Waypoints::Pose(_) => {
                let began = model.chain_of(&from);
                let reach = |end: MonoTime| {
                    let due = path.pose(&curve::at(plan, end));
                    self.leader.reach(&began, &due).0
                };
                let mut angles = reach(end);
                // A path that is far is not reached any sooner by asking for it.
                let needed = now.offset_secs(bridge::secs(&began, &angles, model));
                if needed > end {
                    end = needed.min(plan.end());
                    angles = reach(end);
                }
                let along = end.secs_from(plan.start);
                let rates = self.leader.prepare(path, along, &angles);
                let leaving = model.chain_of(&limiter.velocities().map(|speed| Rad(speed.0)));
                let way = began.zip_with(&angles, |from, to| to - from);
                let share = bridge::share(&way, &leaving, &rates, end.secs_from(now));
                let speeds = rates.map(|rate| share * rate);
                (0..FIRST_LOOKS).for_each(|_| self.leader.survey(path));
                let still = from.map(|_| Rad(0.0));
                let slope = model.with_chain(&still, &speeds).map(|speed| speed.0);
                let mut to = model.with_chain(&from, &angles);
                if let Some(gripper) = model.gripper()
                    && let Some(slot) = to.as_mut_slice().get_mut(gripper)
                {
                    *slot = Rad(path.gripper(along));
                }
                (to, slope)
            }
        };
        let speeds = slope.zip_with(model.limits(), |slope, limits| {
            slope.max(-limits.velocity.0).min(limits.velocity.0)
        });
        Bridge {
            begin: now,
            end,
            from,
            from_speed: limiter.velocities().map(|speed| speed.0),
            to,
            to_speed: speeds,
        }
    }
}

/// The share of its speed that a path may go on at, with the command at `present`.
fn pace(led: Option<&JointVec<Rad>>, present: &JointVec<Rad>) -> f64 {
    let gaps = led.into_iter().flat_map(|led| led.iter().zip(present));
    let widest = gaps
        .map(|(led, present)| (led.0 - present.0).abs())
        .fold(0.0, f64::max);
    let (free, stands) = WAITS;
    ((stands - widest) / (stands - free)).clamp(0.0, 1.0)
}

/// `plan` with no waypoint of the tool below `floor`, metres.
fn above(plan: &Plan, floor: f64) -> Plan {
    let mut plan = plan.clone();
    let raise = |[_, _, height]: &mut [f64; 3]| *height = height.max(floor);
    match &mut plan.waypoints {
        Waypoints::Tool(points) => points.iter_mut().for_each(|at| raise(&mut at.position)),
        Waypoints::Pose(points) => points.iter_mut().for_each(|at| raise(&mut at.position)),
        Waypoints::Joint(_) => {}
    }
    plan
}
