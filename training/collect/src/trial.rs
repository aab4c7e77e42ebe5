//! One episode in virtual time, and how it went.
//!
//! Owns what every episode is made of and the rhythm that the expert's and a policy's share: a
//! plan arrives a while after the pictures it came of, and the core follows the newest meanwhile.

use std::sync::Arc;

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surehand::messages::{Plan, Waypoints};
use surehand::policy::Policy;
use surehand::units::{JointVec, MonoTime, Rad};
use surehand_sim::scene::Scene;

use crate::Failure;
use crate::dataset::Sample;
use crate::expert::{Expert, Sight};
use crate::look::{self, View};
use crate::rig::{Rig, Station};

/// From pictures to the plan's arrival, seconds: the runner's inference and wires.
const LATENCY_SECS: [f64; 2] = [0.02, 0.06];

/// How an episode went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    /// Until the cube lay in the bin, or until the end.
    pub(crate) secs: f64,
    /// Why the controller stopped the arm, if it did.
    pub(crate) trouble: Option<String>,
    pub(crate) refused: u32,
    pub(crate) samples: Vec<Sample>,
}

/// What a trial is made of.
pub(crate) struct Trial<'a> {
    pub(crate) station: &'a Arc<Station>,
    pub(crate) scene: &'a Scene,
    pub(crate) seed: u64,
    /// Where the job starts.
    pub(crate) start: &'a JointVec<Rad>,
    pub(crate) expert: Expert,
    pub(crate) most_secs: f64,
}

/// A plan under way to the core.
#[derive(Default)]
pub(crate) struct Wire(Option<(MonoTime, Plan)>);

impl Wire {
    /// Sends `plan` at `now`; it will arrive a while later.
    pub(crate) fn send(&mut self, now: MonoTime, plan: Plan, rng: &mut ChaCha8Rng) {
        let delay = rng.random_range(LATENCY_SECS[0]..LATENCY_SECS[1]);
        self.0 = Some((now.offset_secs(delay), plan));
    }

    /// Gives the rig what has arrived.
    pub(crate) fn deliver(&mut self, rig: &mut Rig) {
        let now = rig.now();
        if let Some((_, plan)) = self.0.take_if(|(due, _)| *due <= now) {
            rig.offer(plan);
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_free(&self) -> bool {
        self.0.is_none()
    }
}

impl Trial<'_> {
    /// The trial's own random numbers.
    pub(crate) fn rng(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed ^ 0x5eed)
    }

    /// The cell with the arm where the job starts.
    pub(crate) fn rig(&self) -> Result<Rig, Failure> {
        let start: Vec<f64> = self.start.iter().map(|angle| angle.0).collect();
        Rig::new(self.station, self.scene, self.seed, &start)
    }

    /// The policy does the task, `period` seconds between its plans.
    pub(crate) fn evaluate(
        &self,
        policy: &mut Policy,
        period: f64,
        cover: Option<&str>,
        trace: bool,
    ) -> Result<Outcome, Failure> {
        let mut rng = self.rng();
        let mut rig = self.rig()?;
        let mut outcome = Outcome::default();
        let mut wire = Wire::default();
        let began = rig.now();
        let mut look_at = began;
        loop {
            let now = rig.now();
            outcome.secs = now.secs_from(began);
            outcome.success = rig.success();
            outcome.trouble = rig.trouble();
            if outcome.success || outcome.trouble.is_some() || outcome.secs > self.most_secs {
                return Ok(outcome);
            }
            wire.deliver(&mut rig);
            if now >= look_at && wire.is_free() {
                let plan = View::take(&mut rig, cover)?.ask(policy, rig.next_id())?;
                if trace {
                    let sight = look::sight(&rig);
                    self.trace(outcome.secs, &rig, &sight);
                    self.compare(&rig, &sight, &plan);
                }
                wire.send(now, plan, &mut rng);
                look_at = look_at.offset_secs(period);
            }
            rig.tick()?;
            outcome.refused += u32::from(rig.take_refusal().is_some());
        }
    }

    /// Prints what the policy plans beside what the expert would.
    fn compare(&self, rig: &Rig, sight: &Sight, plan: &Plan) {
        let Waypoints::Tool(points) = &plan.waypoints else {
            return;
        };
        let (base, _) = rig.tool(&rig.command());
        let wanted = self.expert.rollout(sight);
        for index in [1, 7] {
            if let (Some(point), Some(wanted)) = (points.get(index), wanted.get(index)) {
                let way: Vec<f64> = (0..3)
                    .map(|axis| point.position[axis] - base.position[axis])
                    .chain([point.roll - base.roll, point.gripper])
                    .collect();
                eprintln!("       {index}: policy {way:.4?} expert {wanted:.4?}");
            }
        }
    }

    /// Prints where everything is and what the expert wants.
    pub(crate) fn trace(&self, secs: f64, rig: &Rig, sight: &Sight) {
        let (command, _) = rig.tool(&rig.command());
        let wish = self.expert.wish(sight);
        eprintln!(
            "{secs:6.2} tool {:.4?} command {:.4?} roll {:.2} jaws {:.2} gripper {:.3}/{:.3} cube {:.4?} yaw {:.2} held {} want {:.3?} {:.2} {:.2}",
            sight.tool.position,
            command.position,
            sight.tool.roll,
            sight.jaw_yaw,
            sight.gripper,
            sight.gripper_command,
            sight.cube,
            sight.cube_yaw,
            self.expert.held(sight),
            wish.velocity,
            wish.roll_rate,
            wish.gripper,
        );
    }
}
