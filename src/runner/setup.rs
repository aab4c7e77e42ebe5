//! What a run needs, read and checked before anything is switched on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::guard_process::GuardError;
use super::policy_arm::PolicyArm;
use crate::arm::JointLimits;
use crate::camera::{CameraConfig, CameraError, Cameras};
use crate::cell::{Arm, BackendKind, Cell, CellError, JobSection, Overrides};
use crate::policy::{Policy, backend};
use crate::realtime;
use crate::units::{JointVec, Rad};

/// How long cameras may take for their first picture.
const FIRST_PICTURE: Duration = Duration::from_secs(5);

/// Why nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file is wrong.
    #[error("{0}")]
    Configuration(String),
    /// A device is not there or does not work.
    #[error("{0}")]
    Hardware(String),
    /// The guard ended by itself, with this code, and has said why.
    #[error("the guard has ended")]
    Guard(Option<i32>),
}

impl From<CellError> for RunError {
    fn from(error: CellError) -> RunError {
        RunError::Configuration(error.to_string())
    }
}

impl From<GuardError> for RunError {
    fn from(error: GuardError) -> RunError {
        match error {
            GuardError::Ended(status) => RunError::Guard(status.code()),
            GuardError::Start(_) | GuardError::Late(_) => RunError::Hardware(error.to_string()),
        }
    }
}

impl From<CameraError> for RunError {
    fn from(error: CameraError) -> RunError {
        if error.is_configuration() {
            RunError::Configuration(error.to_string())
        } else {
            RunError::Hardware(error.to_string())
        }
    }
}

/// A cell, one of its jobs, and its arm.
#[derive(Debug)]
pub struct Setup {
    /// The cell.
    pub cell: Cell,
    /// The job.
    pub job: JobSection,
    /// The arm.
    pub arm: Arm,
}

impl Setup {
    /// Reads all files of a run but the policy's graph.
    ///
    /// # Errors
    /// One line naming file, key and remedy.
    pub fn load(path: &Path, job: Option<&str>, overrides: &Overrides) -> Result<Setup, RunError> {
        let cell = Cell::load(path, overrides)?;
        let job = cell.job(job)?.clone();
        let arm = cell.load_arm()?;
        let setup = Setup { cell, job, arm };
        setup.start_pose()?;
        Ok(setup)
    }

    /// Where each episode begins.
    pub(super) fn start_pose(&self) -> Result<JointVec<Rad>, RunError> {
        Ok(self.cell.start_pose(&self.job, &self.arm)?)
    }

    /// The joints' limits.
    pub(super) fn limits(&self) -> JointVec<JointLimits> {
        *self.arm.model.limits()
    }

    /// The joints' names.
    #[must_use]
    pub fn joint_names(&self) -> Vec<String> {
        self.arm.model.names().to_vec()
    }

    /// Starts the cameras and waits for a picture of each.
    pub(super) async fn start_cameras(&self) -> Result<Cameras, RunError> {
        let configs: Vec<CameraConfig> = self
            .cell
            .cameras
            .iter()
            .map(|camera| CameraConfig {
                name: camera.name.clone(),
                url: camera.url.clone(),
                latency: camera.latency,
                max_age: camera.max_age,
                width: camera.width,
                height: camera.height,
            })
            .collect();
        Ok(Cameras::start(&configs, realtime::now, FIRST_PICTURE).await?)
    }

    /// Loads the job's policy; gives it with the name of the backend that runs it.
    pub(super) fn load_policy(&self) -> Result<(Policy, String), RunError> {
        self.load_policy_with(self.cell.inference.backend)
    }

    /// As the cell says, but on another backend.
    ///
    /// # Errors
    /// When the package does not fit, or that backend does not run it.
    pub fn load_policy_with(&self, backend: BackendKind) -> Result<(Policy, String), RunError> {
        let cameras: Vec<&str> = self.cell.cameras.iter().map(|c| c.name.as_str()).collect();
        let arm = Arc::new(PolicyArm(self.arm.clone()));
        let inference = &self.cell.inference;
        let config = backend::Config {
            choice: match backend {
                BackendKind::Auto => backend::Choice::Auto,
                BackendKind::OnnxRuntime => backend::Choice::OnnxRuntime,
                BackendKind::BuiltIn => backend::Choice::BuiltIn,
            },
            library: inference.library.clone(),
            threads: inference.threads,
        };
        let policy = Policy::load(&self.job.package, arm, &cameras, &config)
            .map_err(|error| RunError::Configuration(error.to_string()))?;
        let name = policy.backend().name.to_owned();
        Ok((policy, name))
    }
}
