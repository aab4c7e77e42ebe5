//! One demonstration: the expert leads, or corrects a policy that leads.
//!
//! Owns what is executed (the expert's chunk, disturbed, or the policy's own plan) and what is
//! written down (always the expert's clean answer to what is seen). With a policy in the lead,
//! the samples show the situations that policy gets itself into, and the way out of them.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use surehand::messages::Plan;
use surehand::policy::Policy;

use crate::Failure;
use crate::disturbance::Disturbance;
use crate::expert::{CHUNK, OPEN, STEP_SECS, Sight};
use crate::hand;
use crate::look::{self, View};
use crate::rig::Rig;
use crate::start::{self, Mischief};
use crate::trial::{Outcome, Trial, Wire};

/// Label steps between two plans.
const PLAN_STEPS: [u32; 2] = [1, 4];
/// How long the way home is recorded after the cube is in the bin, seconds.
const AFTER_SECS: f64 = 1.5;
/// A policy in the lead gets this long, seconds: beyond it, it only stands about.
const POLICY_SECS: f64 = 15.0;
/// A cube above this is being carried, metres.
const CARRIED_HEIGHT: f64 = 0.04;
/// Cubes are not put closer than this to the tool, metres.
const CLEAR_OF_TOOL: f64 = 0.08;

/// How the expert is to demonstrate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) disturbed: bool,
    pub(crate) recorded: bool,
    pub(crate) trace: bool,
}

/// What changes as it goes on.
struct Course<'a> {
    trial: &'a Trial<'a>,
    manner: Manner,
    policy: Option<&'a mut Policy>,
    rng: ChaCha8Rng,
    disturbance: Disturbance,
    mischief: Mischief,
    carried_since: Option<f64>,
}

impl Trial<'_> {
    /// The expert does the task; with a `policy` in the lead it only says what it would do.
    pub(crate) fn demonstrate(
        &self,
        manner: Manner,
        policy: Option<&mut Policy>,
    ) -> Result<Outcome, Failure> {
        let mut rng = self.rng();
        let mut rig = self.rig()?;
        let mut mischief = Mischief::None;
        if manner.disturbed {
            let cube = rig.cube().translation.vector;
            let axis = self.expert.layout.pan_axis;
            let model = &self.station.arm.model;
            let start = start::pose(&mut rng, model, self.start, axis, [cube.x, cube.y]);
            rig = Rig::new(self.station, self.scene, self.seed, &start)?;
            mischief = start::mischief(&mut rng);
        }
        let most_secs = if policy.is_some() {
            POLICY_SECS
        } else {
            self.most_secs
        };
        let mut course = Course {
            trial: self,
            manner,
            policy,
            rng,
            disturbance: Disturbance::default(),
            mischief,
            carried_since: None,
        };
        course.run(&mut rig, most_secs)
    }
}

impl Course<'_> {
    fn run(&mut self, rig: &mut Rig, most_secs: f64) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        let mut wire = Wire::default();
        let (began, mut placed_at) = (rig.now(), None);
        let (mut look_at, mut steps_left) = (began, 0);
        loop {
            let now = rig.now();
            let secs = now.secs_from(began);
            outcome.secs = placed_at.unwrap_or(secs);
            outcome.trouble = rig.trouble();
            let done = placed_at.is_some_and(|at| secs > at + AFTER_SECS);
            if done || secs > most_secs || outcome.trouble.is_some() {
                return Ok(outcome);
            }
            wire.deliver(rig);
            if now >= look_at {
                look_at = look_at.offset_secs(STEP_SECS);
                let sight = look::sight(rig);
                let chunk = self.trial.expert.rollout(&sight);
                let view = if self.manner.recorded {
                    let view = View::take(rig, None)?;
                    outcome.samples.push(view.labelled(&sight, &chunk));
                    Some(view)
                } else {
                    None
                };
                if steps_left == 0 && wire.is_free() {
                    steps_left = self.rng.random_range(PLAN_STEPS[0]..=PLAN_STEPS[1]);
                    let plan = self.plan(rig, &chunk, view.as_ref(), steps_left, secs)?;
                    wire.send(now, plan, &mut self.rng);
                }
                steps_left = steps_left.saturating_sub(1);
                if self.manner.trace {
                    self.trial.trace(secs, rig, &sight);
                }
                self.happen(rig, &sight, secs);
            }
            rig.tick()?;
            outcome.refused += u32::from(rig.take_refusal().is_some());
            if placed_at.is_none() && rig.success() {
                placed_at = Some(secs);
                outcome.success = true;
            }
        }
    }

    /// What is executed: the policy's plan when it leads, else the chunk, disturbed.
    fn plan(
        &mut self,
        rig: &Rig,
        chunk: &[[f64; 5]; CHUNK],
        view: Option<&View>,
        steps: u32,
        secs: f64,
    ) -> Result<Plan, Failure> {
        if let (Some(policy), Some(view)) = (&mut self.policy, view) {
            return view.ask(policy, rig.next_id());
        }
        let mut executed = *chunk;
        if self.manner.disturbed {
            let pushed = self.disturbance.over_chunk(&mut self.rng);
            for (way, push) in executed.iter_mut().zip(pushed.waypoints) {
                for (value, push) in way.iter_mut().zip(push) {
                    *value += push;
                }
            }
            self.disturbance = Disturbance::after(&pushed, steps as usize);
        }
        if let (Mischief::DropAfter(after), Some(since)) = (self.mischief, self.carried_since)
            && secs > since + after
        {
            executed.iter_mut().for_each(|way| way[4] = OPEN);
            self.mischief = Mischief::None;
        }
        let (command, _) = rig.tool(&rig.command());
        Ok(hand::plan_of(rig.now(), &command, &executed))
    }

    /// Somebody may move the cube or take it away.
    fn happen(&mut self, rig: &mut Rig, sight: &Sight, secs: f64) {
        if self.trial.expert.held(sight) && sight.cube[2] > CARRIED_HEIGHT {
            self.carried_since.get_or_insert(secs);
        }
        let carried = self.carried_since;
        let now = match self.mischief {
            Mischief::None | Mischief::DropAfter(_) => false,
            Mischief::MoveAt(at) => secs >= at && carried.is_none(),
            Mischief::SnatchAfter(after) => carried.is_some_and(|since| secs > since + after),
        };
        if !now || self.trial.expert.placed(sight.cube) {
            return;
        }
        if let Some(pose) = self.trial.scene.draw_placement(&mut self.rng).first() {
            let [x, y, _] = sight.tool.position;
            if (pose.translation.x - x).hypot(pose.translation.y - y) > CLEAR_OF_TOOL {
                rig.place(pose);
                self.mischief = Mischief::None;
            }
        }
    }
}
