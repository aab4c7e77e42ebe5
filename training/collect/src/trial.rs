//! One episode in virtual time, led by the expert or by a policy.
//!
//! Owns the rhythm of a trial: pictures are taken, a plan comes of them a while later, and the
//! core follows the newest plan meanwhile. Records samples when asked to.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surehand::camera::Rgb8;
use surehand::messages::{Plan, Waypoints};
use surehand::policy::Policy;
use surehand::units::{JointVec, MonoTime, Rad};
use surehand_sim::scene::Scene;

use crate::Failure;
use crate::dataset::{STATE, Sample};
use crate::disturbance::Disturbance;
use crate::expert::{Expert, OPEN, STEP_SECS, Sight};
use crate::hand::{self, Moment};
use crate::rig::{Rig, Station};
use crate::start::{self, Mischief};

/// From pictures to the plan's arrival, seconds: the runner's inference and wires.
const LATENCY_SECS: [f64; 2] = [0.02, 0.06];
/// Label steps between two plans of the expert.
const PLAN_STEPS: [u32; 2] = [1, 4];
/// How long the way home is recorded after the cube is in the bin, seconds.
const AFTER_SECS: f64 = 1.5;
/// The cameras in the order the policy wants them.
const CAMERAS: [&str; 2] = ["overhead", "wrist"];

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

/// How the expert is to demonstrate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) disturbed: bool,
    pub(crate) recorded: bool,
    pub(crate) trace: bool,
}

/// A plan under way to the core.
struct Pending {
    due: MonoTime,
    plan: Plan,
}

impl Trial<'_> {
    /// The expert does the task.
    pub(crate) fn demonstrate(&self, manner: Manner) -> Result<Outcome, Failure> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x5eed);
        let start: Vec<f64> = self.start.iter().map(|angle| angle.0).collect();
        let mut rig = Rig::new(self.station, self.scene, self.seed, &start)?;
        let mut mischief = Mischief::None;
        if manner.disturbed {
            let cube = rig.cube().translation.vector;
            let model = &self.station.arm.model;
            let axis = self.expert.layout.pan_axis;
            let start = start::pose(&mut rng, model, self.start, axis, [cube.x, cube.y]);
            rig = Rig::new(self.station, self.scene, self.seed, &start)?;
            mischief = start::mischief(&mut rng);
        }
        let mut outcome = Outcome::default();
        let mut disturbance = Disturbance::default();
        let mut pending: Option<Pending> = None;
        let (began, mut placed_at, mut carried_since) = (rig.now(), None, None);
        let (mut look_at, mut steps_left) = (began, 0);
        loop {
            let now = rig.now();
            let secs = now.secs_from(began);
            let done = placed_at.is_some_and(|at| secs > at + AFTER_SECS);
            if done || secs > self.most_secs {
                break;
            }
            if let Some(trouble) = rig.trouble() {
                outcome.trouble = Some(trouble);
                break;
            }
            if let Some(pending) = pending.take_if(|pending| pending.due <= now) {
                rig.offer(pending.plan);
            }
            if now >= look_at {
                look_at = look_at.offset_secs(STEP_SECS);
                let sight = self.sight(&rig);
                let chunk = self.expert.rollout(&sight);
                if manner.recorded {
                    outcome.samples.push(sample(&mut rig, &sight, &chunk)?);
                }
                if steps_left == 0 && pending.is_none() {
                    let steps = rng.random_range(PLAN_STEPS[0]..=PLAN_STEPS[1]);
                    let mut executed = chunk;
                    if manner.disturbed {
                        let pushed = disturbance.over_chunk(&mut rng);
                        for (way, push) in executed.iter_mut().zip(pushed.waypoints) {
                            for (value, push) in way.iter_mut().zip(push) {
                                *value += push;
                            }
                        }
                        disturbance = Disturbance::after(&pushed, steps as usize);
                    }
                    if let (Mischief::DropAfter(after), Some(since)) = (mischief, carried_since)
                        && secs > since + after
                    {
                        executed.iter_mut().for_each(|way| way[4] = OPEN);
                        mischief = Mischief::None;
                    }
                    let (command, _) = rig.tool(&rig.command());
                    pending = Some(Pending {
                        due: now.offset_secs(rng.random_range(LATENCY_SECS[0]..LATENCY_SECS[1])),
                        plan: hand::plan_of(now, &command, &executed),
                    });
                    steps_left = steps;
                }
                steps_left = steps_left.saturating_sub(1);
                if manner.trace {
                    self.trace(secs, &rig, &sight);
                }
                if self.expert.held(&sight) && sight.cube[2] > 0.04 {
                    carried_since.get_or_insert(secs);
                }
                mischief = self.play(mischief, &mut rig, secs, carried_since, &mut rng);
            }
            rig.tick()?;
            if let Some(refusal) = rig.take_refusal() {
                outcome.refused += 1;
                if manner.trace {
                    eprintln!("{secs:6.2} refused {refusal:?}");
                }
            }
            if placed_at.is_none() && rig.success() {
                placed_at = Some(secs);
                outcome.success = true;
            }
            outcome.secs = placed_at.unwrap_or(secs);
        }
        Ok(outcome)
    }

    /// The policy does the task, `period` seconds between its plans.
    pub(crate) fn evaluate(
        &self,
        policy: &mut Policy,
        period: f64,
        cover: Option<&str>,
        trace: bool,
    ) -> Result<Outcome, Failure> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x5eed);
        let start: Vec<f64> = self.start.iter().map(|angle| angle.0).collect();
        let mut rig = Rig::new(self.station, self.scene, self.seed, &start)?;
        let mut outcome = Outcome::default();
        let mut pending: Option<Pending> = None;
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
            if let Some(pending) = pending.take_if(|pending| pending.due <= now) {
                rig.offer(pending.plan);
            }
            if now >= look_at && pending.is_none() {
                let moment = Moment {
                    at: now,
                    measured: rig.measured(),
                    command: rig.command(),
                };
                let pictures = CAMERAS
                    .iter()
                    .map(|camera| match cover {
                        Some(covered) if covered == *camera => covered_picture(),
                        _ => rig.picture(camera).map(Arc::new),
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let plan = hand::ask(policy, &moment, &pictures)?;
                if trace {
                    self.trace(outcome.secs, &rig, &self.sight(&rig));
                    self.compare(&rig, &plan);
                }
                pending = Some(Pending {
                    due: now.offset_secs(rng.random_range(LATENCY_SECS[0]..LATENCY_SECS[1])),
                    plan,
                });
                look_at = look_at.offset_secs(period);
            }
            rig.tick()?;
            outcome.refused += u32::from(rig.take_refusal().is_some());
        }
    }

    fn sight(&self, rig: &Rig) -> Sight {
        let measured = rig.measured();
        let (tool, jaw_yaw) = rig.tool(&measured);
        let cube = rig.cube();
        let last = |joints: &JointVec<Rad>| joints.iter().last().map_or(0.0, |angle| angle.0);
        // Of the cube's axes the one that lies flattest tells its yaw.
        let flattest = [
            nalgebra::Vector3::x(),
            nalgebra::Vector3::y(),
            nalgebra::Vector3::z(),
        ]
        .map(|axis| cube.rotation * axis)
        .into_iter()
        .min_by(|a, b| a.z.abs().total_cmp(&b.z.abs()))
        .unwrap_or_default();
        Sight {
            tool,
            jaw_yaw,
            gripper: last(&measured),
            gripper_command: last(&rig.command()),
            cube: cube.translation.vector.into(),
            cube_yaw: flattest.y.atan2(flattest.x),
        }
    }

    fn play(
        &self,
        mischief: Mischief,
        rig: &mut Rig,
        secs: f64,
        carried_since: Option<f64>,
        rng: &mut ChaCha8Rng,
    ) -> Mischief {
        let now = match mischief {
            Mischief::None | Mischief::DropAfter(_) => false,
            Mischief::MoveAt(at) => secs >= at && carried_since.is_none(),
            Mischief::SnatchAfter(after) => carried_since.is_some_and(|since| secs > since + after),
        };
        if !now || rig.success() {
            return mischief;
        }
        if let Some(pose) = self.scene.draw_placement(rng).first() {
            let (tool, _) = rig.tool(&rig.measured());
            let [x, y, _] = tool.position;
            let clear = (pose.translation.x - x).hypot(pose.translation.y - y) > 0.08;
            if clear {
                rig.place(pose);
                return Mischief::None;
            }
        }
        mischief
    }

    /// What the policy plans beside what the expert would.
    fn compare(&self, rig: &Rig, plan: &Plan) {
        let Waypoints::Tool(points) = &plan.waypoints else {
            return;
        };
        let (base, _) = rig.tool(&rig.command());
        let wanted = self.expert.rollout(&self.sight(rig));
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

    fn trace(&self, secs: f64, rig: &Rig, sight: &Sight) {
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

fn covered_picture() -> Result<Arc<Rgb8>, Failure> {
    const SIDE: u32 = 96;
    Rgb8::new(SIDE, SIDE, vec![24; (SIDE * SIDE * 3) as usize])
        .map(Arc::new)
        .ok_or_else(|| Failure::new("a covered camera has no picture"))
}

/// What the policy sees now, and what it should answer.
fn sample(rig: &mut Rig, sight: &Sight, chunk: &[[f64; 5]; 16]) -> Result<Sample, Failure> {
    let [overhead, wrist] = CAMERAS.map(|camera| rig.picture(camera));
    let (measured, command) = (rig.measured(), rig.command());
    let (tool, _) = rig.tool(&measured);
    let mut state = [0.0; STATE];
    let last = |joints: &JointVec<Rad>| joints.iter().last().map_or(0.0, |angle| angle.0);
    let lag = last(&command) - last(&measured);
    let values = measured.iter().map(|angle| angle.0);
    for (slot, value) in state
        .iter_mut()
        .zip(values.chain([lag]).chain(tool.position))
    {
        *slot = value as f32;
    }
    let [x, y, z] = sight.cube;
    // A cube looks the same after a quarter turn.
    let turn = 4.0 * (sight.cube_yaw - sight.jaw_yaw);
    Ok(Sample {
        overhead: overhead?.data().to_vec(),
        wrist: wrist?.data().to_vec(),
        state,
        action: chunk.map(|step| step.map(|value| value as f32)),
        cube: [x, y, z, turn.cos(), turn.sin()].map(|value| value as f32),
    })
}
