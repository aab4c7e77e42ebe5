//! Many episodes: the expert's success, demonstrations, and a policy's success.
//!
//! Owns what all episodes share and how they are spread over threads. Results come in the order
//! of the seeds, so that the same command writes the same bytes.

use std::path::Path;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use surehand::cell::{Cell, Overrides};
use surehand::guard::settings;
use surehand::policy::{Policy, backend};
use surehand::runner::PolicyArm;
use surehand::units::{JointVec, Rad};
use surehand_sim::scene::Scene;

use crate::Failure;
use crate::dataset::{Meta, Writer};
use crate::demonstration::Manner;
use crate::expert::{Expert, Layout};
use crate::look::CAMERAS;
use crate::rig::{Rig, Station};
use crate::trial::{Outcome, Trial};

/// Share of demonstrations in the scene's own colours; the others are repainted.
const OWN_COLOURS: f64 = 0.4;
/// Gripper angle with the scene's cube between the jaws, rad: they are parallel near zero.
const HELD_ANGLE: f64 = 0.018;

/// What all episodes share.
pub(crate) struct Campaign {
    station: Arc<Station>,
    scene: Scene,
    start: JointVec<Rad>,
    expert: Expert,
    most_secs: f64,
    plan_secs: f64,
    threads: usize,
    /// What the noise of a policy is drawn from, with an episode's seed.
    noise_seed: u64,
}

/// What a policy is put through.
pub(crate) struct Test<'a> {
    pub(crate) package: &'a Path,
    pub(crate) cover: Option<&'a str>,
    pub(crate) randomised: bool,
    pub(crate) trace: bool,
}

/// How often it went well.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    who: String,
    episodes: u32,
    seed: u64,
    succeeded: u32,
    mean_secs: f64,
    /// Seeds of the episodes that failed.
    failed: Vec<u64>,
    plans_refused: u32,
    covered: Option<String>,
    randomised: bool,
}

impl Campaign {
    /// Reads the cell and what it names; without a `noise_seed` that of its job counts.
    pub(crate) fn load(
        cell: &Path,
        threads: usize,
        noise_seed: Option<u64>,
    ) -> Result<Campaign, Failure> {
        let cell = Cell::load(cell, &Overrides::default())?;
        let arm = cell.load_arm()?;
        let job = cell.job(None)?;
        let start = cell.start_pose(job, &arm)?;
        let station = Arc::new(Station {
            config: settings::core_config(&cell, &arm, true),
            settings: settings::servo_settings(&cell, &arm)?,
            arm,
        });
        let scene = Scene::pick_cube()?;
        let cube = scene.cubes.first();
        let begin: Vec<f64> = start.iter().map(|angle| angle.0).collect();
        let (home, _) = Rig::new(&station, &scene, 0, &begin)?.tool(&start);
        let layout = Layout {
            pan_axis: scene.placement.axis,
            bin: scene.bin.centre,
            bin_half: scene.bin.size[0].min(scene.bin.size[1]) / 2.0,
            cube_half: cube.map_or(0.0, |cube| cube.size / 2.0),
            home,
            held_angle: HELD_ANGLE,
            yaw_per_roll: 1.0,
        };
        Ok(Campaign {
            station,
            start,
            expert: Expert { layout },
            most_secs: job.episode.as_secs_f64(),
            plan_secs: 1.0 / job.plan_hz,
            threads: threads.max(1),
            noise_seed: noise_seed.unwrap_or(job.noise_seed),
            scene,
        })
    }

    /// The expert alone.
    pub(crate) fn expert(
        &self,
        seed: u64,
        episodes: u32,
        disturbed: bool,
        trace: bool,
    ) -> Result<Report, Failure> {
        let manner = Manner {
            disturbed,
            recorded: false,
            trace,
        };
        let mut report = Report::new("expert", seed, episodes);
        self.each(
            seed,
            episodes,
            || Ok(()),
            |(), seed| self.trial(&self.scene, seed).demonstrate(manner, None),
            |seed, outcome| {
                report.add(seed, &outcome);
                Ok(())
            },
        )?;
        Ok(report.finish())
    }

    /// Demonstrations into a folder; with a package, its policy leads and the expert corrects.
    pub(crate) fn collect(
        &self,
        seed: u64,
        episodes: u32,
        out: &Path,
        package: Option<&Path>,
    ) -> Result<Meta, Failure> {
        let manner = Manner {
            disturbed: true,
            recorded: true,
            trace: false,
        };
        let mut writer = Writer::create(out)?;
        let mut report = Report::new("expert", seed, episodes);
        self.each(
            seed,
            episodes,
            || package.map(|package| self.policy(package)).transpose(),
            |policy, seed| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xb1a5);
                let scene = if rng.random::<f64>() < OWN_COLOURS {
                    self.scene.clone()
                } else {
                    self.repainted(seed)
                };
                if let Some(policy) = policy {
                    self.begin(policy, seed);
                }
                self.trial(&scene, seed)
                    .demonstrate(manner, policy.as_mut())
            },
            |seed, outcome| {
                report.add(seed, &outcome);
                // Where a policy failed the expert's corrections are worth the most.
                if outcome.success || package.is_some() {
                    writer.append(&outcome.samples)?;
                }
                Ok(())
            },
        )?;
        let failed = report.finish().failed.len();
        Ok(writer.finish(seed, failed as u32)?)
    }

    /// A policy package.
    pub(crate) fn evaluate(
        &self,
        seed: u64,
        episodes: u32,
        test: &Test<'_>,
    ) -> Result<Report, Failure> {
        let mut report = Report::new("policy", seed, episodes);
        report.covered = test.cover.map(str::to_owned);
        report.randomised = test.randomised;
        self.each(
            seed,
            episodes,
            || self.policy(test.package),
            |policy, seed| {
                let scene = if test.randomised {
                    self.repainted(seed)
                } else {
                    self.scene.clone()
                };
                self.begin(policy, seed);
                self.trial(&scene, seed)
                    .evaluate(policy, self.plan_secs, test.cover, test.trace)
            },
            |seed, outcome| {
                report.add(seed, &outcome);
                Ok(())
            },
        )?;
        Ok(report.finish())
    }

    fn policy(&self, package: &Path) -> Result<Policy, Failure> {
        let arm = Arc::new(PolicyArm(self.station.arm.clone()));
        let config = backend::Config::default();
        Ok(Policy::load(package, arm, &CAMERAS, &config)?)
    }

    /// An episode begins: nothing is remembered of the one before, and other noise is drawn.
    fn begin(&self, policy: &mut Policy, seed: u64) {
        policy.begin();
        policy.draw_from(self.noise_seed ^ seed);
    }

    fn repainted(&self, seed: u64) -> Scene {
        self.scene
            .randomised(&mut ChaCha8Rng::seed_from_u64(seed ^ 0xc01_0175))
    }

    fn trial<'a>(&'a self, scene: &'a Scene, seed: u64) -> Trial<'a> {
        Trial {
            station: &self.station,
            scene,
            seed,
            start: &self.start,
            expert: self.expert,
            most_secs: self.most_secs,
        }
    }

    /// Runs `episode` for every seed, as many at once as there are threads, each thread with its
    /// own `equipment`; `take` gets the outcomes in the order of the seeds.
    fn each<E: Send>(
        &self,
        first: u64,
        episodes: u32,
        equipment: impl Fn() -> Result<E, Failure>,
        episode: impl Fn(&mut E, u64) -> Result<Outcome, Failure> + Sync,
        mut take: impl FnMut(u64, Outcome) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut equipped = (0..self.threads)
            .map(|_| equipment())
            .collect::<Result<Vec<E>, _>>()?;
        let seeds: Vec<u64> = (first..first + u64::from(episodes)).collect();
        for batch in seeds.chunks(self.threads) {
            let outcomes: Vec<Result<Outcome, Failure>> = std::thread::scope(|scope| {
                let threads: Vec<_> = batch
                    .iter()
                    .zip(&mut equipped)
                    .map(|(seed, equipment)| scope.spawn(|| episode(equipment, *seed)))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| {
                        thread
                            .join()
                            .unwrap_or_else(|_| Err(Failure::new("an episode panicked")))
                    })
                    .collect()
            });
            for (seed, outcome) in batch.iter().zip(outcomes) {
                take(*seed, outcome?)?;
            }
        }
        Ok(())
    }
}

impl Report {
    fn new(who: &str, seed: u64, episodes: u32) -> Report {
        Report {
            who: who.into(),
            episodes,
            seed,
            succeeded: 0,
            mean_secs: 0.0,
            failed: Vec::new(),
            plans_refused: 0,
            covered: None,
            randomised: false,
        }
    }

    fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.plans_refused += outcome.refused;
        if outcome.success {
            self.succeeded += 1;
            self.mean_secs += outcome.secs;
        } else {
            self.failed.push(seed);
            let why = outcome.trouble.as_deref().unwrap_or("time is up");
            eprintln!("episode {seed} failed after {:.1} s: {why}", outcome.secs);
        }
        let done = self.succeeded as usize + self.failed.len();
        if done.is_multiple_of(20) {
            eprintln!("{done} of {}: {} succeeded", self.episodes, self.succeeded);
        }
    }

    fn finish(mut self) -> Report {
        self.mean_secs =
            (self.mean_secs / f64::from(self.succeeded.max(1)) * 100.0).round() / 100.0;
        self
    }
}
