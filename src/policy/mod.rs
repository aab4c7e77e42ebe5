//! The policy: a package on disk, run on observations, giving plans.
//!
//! Owns reading packages, the inference backends, and the conversion of pictures and joint
//! states to tensors and of tensors to plans. Nothing in a package is ever executed but its
//! graph, and nothing a policy says is believed: a plan is finite and of the declared shape,
//! and whether it may be followed is decided elsewhere. Never runs at real-time priority, and
//! reads no clock but to bound the wait for a server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub mod backend;
mod continuation;
mod embodiment;
pub mod familiarity;
pub mod finding;
mod noise;
mod observation;
pub mod package;
mod plan;
pub mod server;
pub mod sight;
#[cfg(test)]
mod tests;

pub use continuation::Continuation;
pub use embodiment::Embodiment;
pub use observation::{Carried, Encoder, Observation, Picture};
pub use package::{Package, PackageError};
pub use plan::Decoder;

use crate::camera::Look;
use crate::messages::{Cause, Plan};
use crate::units::MonoTime;
use backend::{Backend, BackendError, Description, InferError, Outputs};
use continuation::Told;
use finding::{Finding, Findings};
use noise::Noise;

/// How long the first inferences may take: a server may have to compile its model first.
const FIRST: Duration = Duration::from_secs(120);

/// A policy that can't be loaded, or an inference that gave no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// The package can't be used, or does not fit the cell.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// No backend runs its graph.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Inference failed.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The policy put out NaN or an infinity.
    #[error(
        "the policy put out NaN or an infinity in action {step}; do not run it, check its statistics and export"
    )]
    NotFinite {
        /// Which action of the chunk.
        step: usize,
    },
    /// A value of the state is not finite.
    #[error("value {index} of the state is not finite")]
    State {
        /// Which value.
        index: usize,
    },
    /// A picture is missing or not what its size says.
    #[error("there is no usable picture of camera {camera}")]
    Picture {
        /// The camera's name.
        camera: String,
    },
    /// A joint is missing from the observation.
    #[error("joint {index} is missing from the observation")]
    Joint {
        /// Which joint.
        index: usize,
    },
    /// Where the tool is can't be told from the joints.
    #[error("where the tool is can't be told from the joints")]
    Tool,
}

impl PolicyError {
    /// The error as the cause of a stop.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            PolicyError::NotFinite { .. } => Cause::PolicyNotFinite,
            PolicyError::Infer(InferError::Server { fault, .. }) => {
                Cause::PolicyServer { fault: *fault }
            }
            _ => Cause::PolicyFailed,
        }
    }

    /// Whether the plan before is as good as it was: what failed is not here.
    #[must_use]
    pub fn starves(&self) -> bool {
        matches!(self, PolicyError::Infer(InferError::Server { .. }))
    }
}

/// What about `package` does not fit this arm and these cameras.
#[must_use]
pub fn fits(package: &Package, arm: &Arc<dyn Embodiment>, cameras: &[&str]) -> Vec<Finding> {
    let mut findings = Findings::default();
    let _encoder = Encoder::new(package, arm, cameras, &mut findings);
    let _decoder = Decoder::new(package, arm, &mut findings);
    findings.into_vec()
}

/// A loaded policy, bound to an arm and its cameras.
pub struct Policy {
    package: Package,
    backend: Box<dyn Backend>,
    encoder: Encoder,
    decoder: Decoder,
    arm: Arc<dyn Embodiment>,
    cameras: Vec<String>,
    outputs: Outputs,
    carried: Carried,
    seed: u64,
}

impl Policy {
    /// Loads the package in `dir` for this arm. Pictures of an observation come in the order of
    /// `cameras`.
    ///
    /// # Errors
    /// One line: the package is wrong, does not fit arm or cameras, or no backend runs it.
    pub fn load(
        dir: &Path,
        arm: Arc<dyn Embodiment>,
        cameras: &[&str],
        config: &backend::Config,
    ) -> Result<Policy, PolicyError> {
        Policy::bind(Package::load(dir)?, arm, cameras, config)
    }

    /// As [`Policy::load`], of a package that is known already.
    ///
    /// # Errors
    /// One line: it does not fit arm or cameras, or no backend runs it.
    pub fn bind(
        package: Package,
        arm: Arc<dyn Embodiment>,
        cameras: &[&str],
        config: &backend::Config,
    ) -> Result<Policy, PolicyError> {
        let mut findings = Findings::default();
        let encoder = Encoder::new(&package, &arm, cameras, &mut findings);
        let decoder = Decoder::new(&package, &arm, &mut findings);
        let (Some(encoder), Some(decoder)) = (encoder, decoder) else {
            return Err(PackageError::of(&package.dir, &findings).into());
        };
        let backend = backend::load(&package, config)?;
        Ok(Policy {
            package,
            backend,
            encoder,
            decoder,
            arm,
            cameras: cameras.iter().map(|name| (*name).to_owned()).collect(),
            outputs: Outputs::default(),
            carried: Carried::default(),
            seed: 0,
        })
    }

    /// What the numbers are drawn from that the policy makes its actions of: the same seed, plan id
    /// and observation give the same plan.
    pub fn draw_from(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Runs the graph a few times on grey pictures, so that the first plan comes as fast as the
    /// others, and a graph that can't be run is found before anything moves.
    ///
    /// # Errors
    /// When the graph fails, gives another shape than declared, or NaN.
    pub fn warm_up(&mut self) -> Result<(), PolicyError> {
        (0..3).try_for_each(|_| self.rehearse())
    }

    /// Runs the graph once on grey pictures.
    ///
    /// # Errors
    /// As [`Policy::warm_up`].
    pub fn rehearse(&mut self) -> Result<(), PolicyError> {
        self.encoder.encode_neutral();
        self.backend
            .infer(&self.encoder.inputs(), FIRST, &mut self.outputs)?;
        plan::finite(&self.outputs.action, self.package.output.width)
    }

    /// An episode begins: nothing of what was before it counts, neither moments nor memories.
    pub fn begin(&mut self) {
        self.encoder.forget();
        self.carried = Carried::default();
        self.backend.begin();
    }

    /// Whether an observation made at `at` should be [seen](Policy::see), though nothing is asked:
    /// a policy that looks at several moments sees more of them than it is asked about.
    #[must_use]
    pub fn wants(&self, at: MonoTime) -> bool {
        self.encoder.wants(at)
    }

    /// Keeps `observation` as a moment before.
    ///
    /// # Errors
    /// When it is incomplete.
    pub fn see(&mut self, observation: &Observation<'_>) -> Result<(), PolicyError> {
        self.encoder.see(observation)
    }

    /// What the policy wants the arm to do after `observation`, the first where it leads several. A
    /// server's answer is waited for no longer than `patience`.
    ///
    /// # Errors
    /// When the observation is incomplete, inference fails, or its output is not finite.
    pub fn plan(
        &mut self,
        observation: &Observation<'_>,
        id: u64,
        patience: Duration,
    ) -> Result<Plan, PolicyError> {
        let plans = self.plans_after(&Continuation::default(), observation, id, patience)?;
        let first = plans.into_iter().next();
        first.ok_or(PolicyError::Joint { index: 0 })
    }

    /// The same, of every arm in their order, going on from what is being executed where the graph
    /// can. All have one id and one capture time.
    ///
    /// # Errors
    /// As [`Policy::plan`].
    pub fn plans_after(
        &mut self,
        before: &Continuation<'_>,
        observation: &Observation<'_>,
        id: u64,
        patience: Duration,
    ) -> Result<Vec<Plan>, PolicyError> {
        let rows = if self.package.continues() && !before.left_over.is_empty() {
            self.decoder.encode(before.left_over, observation)
        } else {
            Vec::new()
        };
        let noise = Noise::of(self.seed, id);
        let told = Told::of(before, rows, noise);
        self.encoder.encode(observation, &self.carried, &told)?;
        self.backend
            .infer(&self.encoder.inputs(), patience, &mut self.outputs)?;
        let carried = &mut self.carried;
        std::mem::swap(&mut carried.memories, &mut self.outputs.memories);
        let first = self.outputs.action.iter().take(self.package.output.width);
        carried.action.clear();
        carried.action.extend(first);
        carried.count = carried.count.wrapping_add(1);
        self.decoder.decode(&self.outputs.action, observation, id)
    }

    /// How far `observation` is from what it was trained on, by its package's own statistics: its
    /// state and its pictures, which look like `looks`. `None` where there are no statistics.
    #[must_use]
    pub fn unfamiliar(
        &self,
        observation: &Observation<'_>,
        looks: &[Look],
    ) -> (Option<f64>, Option<f64>) {
        (
            familiarity::of_state(&self.package, &self.arm, observation),
            familiarity::of_pictures(&self.package, &self.cameras, looks),
        )
    }

    /// What is wrong with a set-up in which `observation` is what the policy sees first, its pictures
    /// looking like `looks`, by its package's own statistics.
    #[must_use]
    pub fn wrong_setup(&self, observation: &Observation<'_>, looks: &[Look]) -> Vec<Finding> {
        let mut findings = Findings::default();
        let measured = &observation.measured;
        familiarity::now(&self.package, &self.arm, measured, &mut findings);
        let cameras: Vec<&str> = self.cameras.iter().map(String::as_str).collect();
        sight::compare(&self.package, &cameras, looks, &mut findings);
        findings.into_vec()
    }

    /// When the first action of a chunk is due whose pictures were taken at `captured_at`, and the
    /// time between two, nanoseconds.
    #[must_use]
    pub fn due(&self, captured_at: MonoTime) -> (MonoTime, u32) {
        self.decoder.due(captured_at)
    }

    /// The package.
    #[must_use]
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// What runs the graph, and why.
    #[must_use]
    pub fn backend(&self) -> &Description {
        self.backend.description()
    }
}
