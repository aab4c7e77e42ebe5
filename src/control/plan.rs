//! Follows plans: admits one whole or refuses it whole, and samples it at the tick's own time.
//!
//! Owns the one plan being followed and the bridge that leads onto it. Never extrapolates: past
//! its last waypoint a plan has run out. Never replays: what was due before it came is dropped.
//!
//! A new plan takes over over a bridge, a cubic in joint space from the present command and its
//! velocity to where the new plan is when the cross-fade ends (or when it begins, if that is
//! later), with the plan's velocity there. So nothing of the plan before is needed, tool and
//! joint plans change over in the same way, and plans that come faster than the cross-fade
//! still move the arm.
//!
//! Real time: no allocation, lock, log or clock.

use crate::arm::ArmModel;
use crate::control::config::{CoreConfig, PlanRules};
use crate::control::ik;
use crate::control::limiter::Limiter;
use crate::control::monitor::millis;
use crate::messages::{Plan, Refusal, ToolSetpoint, Waypoints};
use crate::units::{JointVec, MonoTime, Rad};

/// Over this time the plan's velocity at the end of the bridge is taken, seconds.
const SLOPE_SECS: f64 = 0.01;
/// A plan may be stamped while the tick that takes it in is already under way.
const TICK_SECS: f64 = 0.02;

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
}

/// The plan being followed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanFollower {
    rules: PlanRules,
    plan: Option<Plan>,
    bridge: Option<Bridge>,
    /// The last solution of the inverse kinematics: the next one begins there.
    solved: Option<JointVec<Rad>>,
    last_id: u64,
    started_at: MonoTime,
}

impl PlanFollower {
    /// No plan yet.
    #[must_use]
    pub(crate) fn new(config: &CoreConfig) -> PlanFollower {
        PlanFollower {
            rules: config.plans,
            plan: None,
            bridge: None,
            solved: None,
            last_id: 0,
            started_at: MonoTime::default(),
        }
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
        self.solved = None;
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
        check_numbers(plan, model)?;
        if plan.id <= seen {
            return Err(Refusal::OldId);
        }
        self.check_times(plan, now)?;
        let present = limiter.command().positions();
        check_limits(plan, model, &self.rules)?;
        self.check_seam(plan, now, model, &present)?;
        let bridge = self.bridge_to(plan, now, model, limiter);
        self.solved = Some(bridge.to);
        self.plan = Some(plan.clone());
        self.bridge = Some(bridge);
        Ok(())
    }

    /// Where the joints should be at `now`; `present` is the command.
    pub(crate) fn sample(
        &mut self,
        now: MonoTime,
        model: &ArmModel,
        present: &JointVec<Rad>,
    ) -> Sample {
        let Some(plan) = &self.plan else {
            return Sample::NoPlan;
        };
        if now > plan.end() {
            return Sample::RanOut;
        }
        if let Some(bridge) = &self.bridge
            && now < bridge.end
        {
            return Sample::Target(bridge.at(now));
        }
        self.bridge = None;
        let point = interpolate(plan, now);
        match &plan.waypoints {
            Waypoints::Joint(_) => Sample::Target(point.map(Rad)),
            Waypoints::Tool(_) => {
                let seed = self.solved.unwrap_or(*present);
                let mut target = tool_point(&point);
                let [_, _, height] = &mut target.position;
                *height = height.max(self.rules.floor);
                let solution = ik::solve(model, &target, &seed);
                self.solved = Some(solution.joints);
                // Admission has checked the waypoints; between them it may be a little more.
                if solution.position_error > 2.0 * self.rules.reach_metres {
                    return Sample::Unreachable {
                        error: solution.position_error,
                    };
                }
                Sample::Target(solution.joints)
            }
        }
    }

    fn check_times(&self, plan: &Plan, now: MonoTime) -> Result<(), Refusal> {
        let age = now.since(plan.captured_at);
        let stale = now.secs_from(plan.captured_at) > self.rules.max_age.as_secs_f64();
        if stale || plan.captured_at < self.started_at {
            return Err(Refusal::Stale {
                age_ms: millis(age),
            });
        }
        let wait = plan.start.secs_from(now);
        if plan.captured_at > now.offset_secs(TICK_SECS) || wait > self.rules.max_lead.as_secs_f64()
        {
            return Err(Refusal::Early);
        }
        if plan.end() <= now {
            return Err(Refusal::Late);
        }
        Ok(())
    }

    /// Neither from the command to what is due now, nor from waypoint to waypoint, may the arm
    /// have to jump; and a tool must be able to go all the way. Waypoints already past and the
    /// gripper, which may step, are left out.
    fn check_seam(
        &self,
        plan: &Plan,
        now: MonoTime,
        model: &ArmModel,
        present: &JointVec<Rad>,
    ) -> Result<(), Refusal> {
        let step_secs = f64::from(plan.step_ns) * 1e-9;
        let due = interpolate(plan, now);
        let mut joints = *present;
        if let Waypoints::Tool(_) = plan.waypoints {
            let from = crate::arm::tool::tool_of(model, present);
            let distance = distance(&tool_point(&due).position, &from.position);
            if distance > self.rules.seam_metres {
                return Err(Refusal::SeamTooFar {
                    waypoint: 0,
                    distance,
                });
            }
        }
        self.check_step(0, plan, &due, &mut joints, 0.0, model)?;
        for index in 0..plan.waypoints.len() {
            if plan.due(index) > now {
                let number = u8::try_from(index).unwrap_or(u8::MAX);
                let point = waypoint(plan, index);
                self.check_step(number, plan, &point, &mut joints, step_secs, model)?;
            }
        }
        Ok(())
    }

    /// Whether `point` can be reached from `joints` within `secs`; `joints` go there.
    fn check_step(
        &self,
        number: u8,
        plan: &Plan,
        point: &JointVec<f64>,
        joints: &mut JointVec<Rad>,
        secs: f64,
        model: &ArmModel,
    ) -> Result<(), Refusal> {
        let next = match &plan.waypoints {
            Waypoints::Joint(_) => point.map(Rad),
            Waypoints::Tool(_) => {
                let solution = ik::solve(model, &tool_point(point), joints);
                if !solution.within(self.rules.reach_metres, self.rules.reach_angle.0) {
                    return Err(Refusal::Unreachable { waypoint: number });
                }
                solution.joints
            }
        };
        let both = joints.iter().zip(&next).zip(model.limits());
        for (joint, ((from, to), limits)) in both.enumerate() {
            let distance = (to.0 - from.0).abs();
            let reach = self.rules.seam.0 + limits.velocity.0 * secs;
            if distance > reach && model.gripper() != Some(joint) {
                return Err(Refusal::SeamTooFar {
                    waypoint: number,
                    distance,
                });
            }
        }
        *joints = next;
        Ok(())
    }

    fn bridge_to(&self, plan: &Plan, now: MonoTime, model: &ArmModel, limiter: &Limiter) -> Bridge {
        let from = limiter.command().positions();
        let faded = now.offset_secs(self.rules.crossfade.as_secs_f64());
        let end = plan.start.max(faded).min(plan.end());
        let to = joints_at(plan, end, model, &from);
        let after = end.offset_secs(SLOPE_SECS).min(plan.end());
        let beyond = joints_at(plan, after, model, &to);
        let secs = after.secs_from(end);
        let slope = to.zip_with(&beyond, |to, beyond| {
            if secs > 0.0 {
                (beyond.0 - to.0) / secs
            } else {
                0.0
            }
        });
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

/// A cubic from one place and velocity to another.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bridge {
    begin: MonoTime,
    end: MonoTime,
    from: JointVec<Rad>,
    from_speed: JointVec<f64>,
    to: JointVec<Rad>,
    to_speed: JointVec<f64>,
}

impl Bridge {
    fn at(&self, now: MonoTime) -> JointVec<Rad> {
        let secs = self.end.secs_from(self.begin);
        let share = now.secs_from(self.begin) / secs;
        let places = self.from.zip_with(&self.to, |from, to| (from.0, to.0));
        let speeds = self
            .from_speed
            .zip_with(&self.to_speed, |from, to| (from * secs, to * secs));
        places.zip_with(&speeds, |(from, to), (leave, arrive)| {
            Rad(hermite(from, leave, to, arrive, share))
        })
    }
}

/// The cubic from `from` to `to` with these slopes per unit of `share` (0…1).
fn hermite(from: f64, leave: f64, to: f64, arrive: f64, share: f64) -> f64 {
    let (s, rest) = (share, 1.0 - share);
    from * rest * rest * (1.0 + 2.0 * s) + leave * s * rest * rest + to * s * s * (3.0 - 2.0 * s)
        - arrive * s * s * rest
}

/// Waypoint `index` as plain numbers; the nearest one when there is none.
fn waypoint(plan: &Plan, index: usize) -> JointVec<f64> {
    let index = index.min(plan.waypoints.len().saturating_sub(1));
    match &plan.waypoints {
        Waypoints::Tool(points) => points.get(index).map_or_else(JointVec::default, |point| {
            let [x, y, z] = point.position;
            [x, y, z, point.tilt, point.roll, point.gripper]
                .into_iter()
                .collect()
        }),
        Waypoints::Joint(points) => points
            .get(index)
            .map_or_else(JointVec::default, |point| point.map(|rad| rad.0)),
    }
}

fn tool_point(numbers: &JointVec<f64>) -> ToolSetpoint {
    match *numbers.as_slice() {
        [x, y, z, tilt, roll, gripper] => ToolSetpoint {
            position: [x, y, z],
            tilt,
            roll,
            gripper,
        },
        _ => ToolSetpoint::default(),
    }
}

/// The plan at `now`, between its waypoints on a monotone cubic (Fritsch and Carlson's limit on
/// the slopes), which never leaves the range of its two waypoints; before the first the first,
/// after the last the last.
fn interpolate(plan: &Plan, now: MonoTime) -> JointVec<f64> {
    let step = u64::from(plan.step_ns).max(1);
    let since = now.since(plan.start);
    let index = usize::try_from(since / step).unwrap_or(usize::MAX);
    if index >= plan.waypoints.len().saturating_sub(1) {
        return waypoint(plan, index);
    }
    let into = u32::try_from(since % step).unwrap_or(plan.step_ns);
    let share = f64::from(into) / f64::from(plan.step_ns);
    let (from, to) = (waypoint(plan, index), waypoint(plan, index + 1));
    let before = index.checked_sub(1).map(|index| waypoint(plan, index));
    let after = (index + 2 < plan.waypoints.len()).then(|| waypoint(plan, index + 2));
    let way = from.zip_with(&to, |from, to| to - from);
    let way_before = before.map_or(way, |before| before.zip_with(&from, |a, b| b - a));
    let way_after = after.map_or(way, |after| to.zip_with(&after, |a, b| b - a));
    let leave = way_before.zip_with(&way, slope);
    let arrive = way.zip_with(&way_after, slope);
    let slopes = leave.zip_with(&arrive, |leave, arrive| (leave, arrive));
    from.zip_with(&to, |from, to| (from, to))
        .zip_with(&slopes, |(from, to), (leave, arrive)| {
            hermite(from, leave, to, arrive, share)
        })
}

/// The slope at a waypoint between two ways: their mean, no steeper than keeps the curve
/// monotone, and level where it turns back.
fn slope(before: f64, after: f64) -> f64 {
    if before * after <= 0.0 {
        return 0.0;
    }
    let most = 3.0 * before.abs().min(after.abs());
    ((before + after) / 2.0).max(-most).min(most)
}

/// The joints the plan wants at `at`.
fn joints_at(plan: &Plan, at: MonoTime, model: &ArmModel, seed: &JointVec<Rad>) -> JointVec<Rad> {
    let point = interpolate(plan, at);
    match &plan.waypoints {
        Waypoints::Joint(_) => point.map(Rad),
        Waypoints::Tool(_) => ik::solve(model, &tool_point(&point), seed).joints,
    }
}

fn distance(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f64>().sqrt()
}

fn check_numbers(plan: &Plan, model: &ArmModel) -> Result<(), Refusal> {
    if plan.waypoints.is_empty() || plan.step_ns == 0 {
        return Err(Refusal::Empty);
    }
    for index in 0..plan.waypoints.len() {
        if waypoint(plan, index)
            .iter()
            .any(|number| !number.is_finite())
        {
            return Err(Refusal::NotFinite);
        }
    }
    if let Waypoints::Joint(points) = &plan.waypoints
        && let Some(wrong) = points.iter().find(|point| point.len() != model.len())
    {
        return Err(Refusal::WrongJointCount {
            expected: u8::try_from(model.len()).unwrap_or(u8::MAX),
            received: u8::try_from(wrong.len()).unwrap_or(u8::MAX),
        });
    }
    Ok(())
}

/// Joint waypoints, and every plan's gripper, inside the limits or nearly.
fn check_limits(plan: &Plan, model: &ArmModel, rules: &PlanRules) -> Result<(), Refusal> {
    let slack = rules.limit_slack.0;
    let outside = |joint: usize, angle: f64| {
        let limits = model.limits().get(joint).unwrap_or_default();
        angle < limits.lower.0 - slack || angle > limits.upper.0 + slack
    };
    for index in 0..plan.waypoints.len() {
        let point = waypoint(plan, index);
        let joint = match &plan.waypoints {
            Waypoints::Joint(_) => {
                let mut angles = point.iter().enumerate();
                angles.position(|(joint, angle)| outside(joint, *angle))
            }
            Waypoints::Tool(_) => model
                .gripper()
                .filter(|joint| outside(*joint, tool_point(&point).gripper)),
        };
        if let Some(joint) = joint {
            return Err(Refusal::OutsideLimits {
                waypoint: u8::try_from(index).unwrap_or(u8::MAX),
                joint: u8::try_from(joint).unwrap_or(u8::MAX),
            });
        }
    }
    Ok(())
}
