//! The policy: a package on disk, run on observations, giving plans.
//!
//! Owns reading packages, the inference backends, and the conversion of pictures and joint
//! states to tensors and of tensors to plans. Nothing in a package is ever executed but its
//! graph, and nothing a policy says is believed: a plan is finite and of the declared shape,
//! and whether it may be followed is decided elsewhere. Never runs at real-time priority, and
//! never reads a clock.

use std::path::Path;
use std::sync::Arc;

pub mod backend;
mod embodiment;
pub mod familiarity;
pub mod finding;
mod observation;
pub mod package;
mod plan;
#[cfg(test)]
mod tests;

pub use embodiment::Embodiment;
pub use observation::{Encoder, Observation, Picture};
pub use package::{Package, PackageError};
pub use plan::Decoder;

use crate::messages::{Cause, Plan};
use backend::{Backend, BackendError, Description, InferError};
use finding::{Finding, Findings};

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
            _ => Cause::PolicyFailed,
        }
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
    output: Vec<f32>,
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
        let package = Package::load(dir)?;
        let mut findings = Findings::default();
        let encoder = Encoder::new(&package, &arm, cameras, &mut findings);
        let decoder = Decoder::new(&package, &arm, &mut findings);
        let (Some(encoder), Some(decoder)) = (encoder, decoder) else {
            return Err(PackageError::of(dir, &findings).into());
        };
        let backend = backend::load(&package, config)?;
        Ok(Policy {
            package,
            backend,
            encoder,
            decoder,
            output: Vec::new(),
        })
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
            .infer(&self.encoder.inputs(), &mut self.output)?;
        plan::finite(&self.output, self.package.output.width)
    }

    /// What the policy wants to be done after `observation`.
    ///
    /// # Errors
    /// When the observation is incomplete, inference fails, or its output is not finite.
    pub fn plan(&mut self, observation: &Observation<'_>, id: u64) -> Result<Plan, PolicyError> {
        self.encoder.encode(observation)?;
        self.backend
            .infer(&self.encoder.inputs(), &mut self.output)?;
        self.decoder.decode(&self.output, observation, id)
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
