//! The cell without its servos: the bodies, the episode, and whether the task is done.
//! Owns the count of steps, which is virtual time. Never sees a byte of the line.

use nalgebra::Isometry3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::truth::{Joint, Object, Pose, Truth};
use crate::hands::Hands;
use crate::scene::Scene;
use crate::servo::Bank;
use crate::world::{Snapshot, World};
use crate::{Drive, Motion};

/// A cube that stays within this of one place lies still, m.
const STILL: f64 = 0.001;
/// For this long, s.
const STILL_SECS: f64 = 0.25;
/// A cube farther than this from the tool point is not held, m.
const OUT_OF_HAND: f64 = 0.04;

/// Where a cube has stayed, and since when.
#[derive(Debug, Clone, Copy)]
struct Rest {
    at: [f64; 3],
    since_step: u64,
}

/// The bodies of a workcell and what is to be done with them.
pub struct Plant {
    scene: Scene,
    world: World,
    steps: u64,
    start_ns: u64,
    rests: Vec<Rest>,
    episode_seed: u64,
}

impl Plant {
    /// The scene at power-up.
    #[must_use]
    pub fn new(scene: Scene) -> Plant {
        let world = World::new(&scene);
        let mut plant = Plant {
            scene,
            world,
            steps: 0,
            start_ns: 0,
            rests: Vec::new(),
            episode_seed: 0,
        };
        plant.disturb();
        plant
    }

    /// Lets virtual time begin at `start_ns` instead of zero.
    pub fn set_start(&mut self, start_ns: u64) {
        self.start_ns = start_ns;
    }

    /// Lets `ns` pass without anything moving: the machine did not keep up.
    pub fn skip(&mut self, ns: u64) {
        self.start_ns += ns;
    }

    /// One physics step.
    pub fn step(&mut self, drives: &[Drive]) {
        self.world.step(drives);
        self.steps += 1;
        for (rest, (_, pose)) in self.rests.iter_mut().zip(self.world.objects()) {
            let at: [f64; 3] = pose.translation.vector.into();
            let moved = (0..3).any(|axis| (at[axis] - rest.at[axis]).abs() > STILL);
            if moved {
                *rest = Rest {
                    at,
                    since_step: self.steps,
                };
            }
        }
    }

    /// Seconds a step covers.
    #[must_use]
    pub fn step_secs(&self) -> f64 {
        self.scene.step_secs()
    }

    /// Virtual time at the end of the last step.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.start_ns + self.steps * 1_000_000_000 / u64::from(self.scene.physics_hz)
    }

    /// What each joint did in the last step, in servo order.
    #[must_use]
    pub fn motions(&self) -> &[Motion] {
        self.world.motions()
    }

    /// Places the cubes by the scene's rule; gives their poses in the scene's order.
    pub fn begin_episode(&mut self, seed: u64) -> Vec<Isometry3<f64>> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let poses = self.scene.draw_placement(&mut random);
        for (cube, pose) in poses.iter().enumerate() {
            self.world.place(cube, pose);
        }
        self.episode_seed = seed;
        self.disturb();
        poses
    }

    /// Puts the joints at these angles (rad, servo order), at rest.
    pub fn set_joints(&mut self, angles: &[f64]) {
        self.world.set_joints(angles);
    }

    /// Puts a cube (by its order in the scene) at a pose, at rest.
    pub fn place(&mut self, cube: usize, pose: &Isometry3<f64>) {
        self.world.place(cube, pose);
        self.disturb();
    }

    /// Nothing has lain still yet.
    fn disturb(&mut self) {
        self.rests = self
            .world
            .objects()
            .map(|(_, pose)| Rest {
                at: pose.translation.vector.into(),
                since_step: self.steps,
            })
            .collect();
    }

    /// Whether every cube lies in the bin, at rest and let go.
    #[must_use]
    pub fn success(&self) -> bool {
        !self.rests.is_empty() && self.rests.iter().all(|rest| self.delivered(rest))
    }

    fn delivered(&self, rest: &Rest) -> bool {
        let still_secs = (self.steps - rest.since_step) as f64 * self.step_secs();
        let tool = self.world.tool_pose().translation.vector;
        let away = (tool - nalgebra::Vector3::from(rest.at)).norm();
        self.scene.bin.holds(rest.at) && still_secs >= STILL_SECS && away > OUT_OF_HAND
    }

    /// Everything as it truly is.
    #[must_use]
    pub fn truth(&self, bank: &Bank) -> Truth {
        let volts = bank.volts();
        let joints = bank.servos().iter().zip(bank.connected());
        let joints = joints.zip(self.motions());
        let objects = self.world.objects().zip(&self.rests);
        Truth {
            t: self.world.time_secs(),
            t_ns: self.now_ns(),
            joints: joints
                .map(|((servo, on), motion)| Joint::of(servo, *on, *motion, volts))
                .collect(),
            tool: Pose::of(&self.world.tool_pose()),
            objects: objects
                .map(|((name, pose), rest)| Object {
                    name: name.to_owned(),
                    pose: Pose::of(&pose),
                    delivered: self.delivered(rest),
                })
                .collect(),
            wire: bank.counters(),
            episode_seed: self.episode_seed,
            success: self.success(),
        }
    }

    /// All that a picture needs.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.world.snapshot()
    }

    /// The scene it was made from.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// What hands can do: a joint is turned as far as its stops let it.
    #[must_use]
    pub fn within_stops(&self, hands: Hands) -> Hands {
        match hands {
            Hands::Turn { joint, to } => {
                let [low, high] = self.scene.model().limits(&joint).unwrap_or([to, to]);
                let to = to.max(low).min(high);
                Hands::Turn { joint, to }
            }
            other => other,
        }
    }

    /// Cameras there are.
    #[must_use]
    pub fn cameras(&self) -> Vec<String> {
        let cameras = self.scene.cameras.iter();
        cameras.map(|camera| camera.name.clone()).collect()
    }
}
