//! What a run needs, read and checked before anything is switched on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::chunks::{Pace, Rules};
use super::guard_process::GuardError;
use super::policy_arm::{PolicyArm, PolicyArms};
use super::remote;
use crate::arm::JointLimits;
use crate::camera::{CameraConfig, CameraError, Cameras, Login, Source};
use crate::cell::{
    Arm, BackendKind, CameraSource, Cell, CellError, JobSection, Joining, Overrides, PolicySection,
    TwoArms, start_poses,
};
use crate::policy::backend::BackendError;
use crate::policy::finding::{Finding, Severity};
use crate::policy::{Embodiment, Package, Policy, PolicyError, backend};
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

/// LeRobot's, where neither cell nor package says another.
const USUAL_ENSEMBLE_M: f64 = 0.01;

/// What `job` says of chunks against what `package` was evaluated with, when both say something and
/// it is not the same.
#[must_use]
pub fn overridden(package: &Package, job: &JobSection) -> Option<Finding> {
    let evaluated = package.ensemble_m?;
    let what = match (job.chunks.joining, job.chunks.ensemble_m) {
        (Some(joining @ (Joining::Append | Joining::CrossFade)), _) => {
            format!("`chunks` is {:?}", joining.word())
        }
        (_, Some(m)) if m != evaluated => format!("`ensemble_m` is {m}"),
        _ => return None,
    };
    Some(Finding {
        severity: Severity::Warning,
        place: format!("jobs.{}", job.name),
        what: format!("{what} and overrides the package's temporal_ensemble_coeff of {evaluated}"),
        remedy: "leave it out to run the policy as it was evaluated".into(),
    })
}

/// A cell, one of its jobs, and its arm or arms.
#[derive(Debug)]
pub struct Setup {
    /// The cell. Of a cell of two arms it has what they share, as [`TwoArms::shared`] says.
    pub cell: Cell,
    /// The job.
    pub job: JobSection,
    /// The arm, the first where there are two.
    pub arm: Arm,
    /// All of them; the only one has no name.
    pub arms: Vec<ArmSetup>,
}

/// One arm of a cell.
#[derive(Debug, Clone)]
pub struct ArmSetup {
    /// What its joints are called by; empty when it is the only one.
    pub name: String,
    /// Its own cell, that its guard is started with.
    pub cell: Cell,
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
        let only = ArmSetup {
            name: String::new(),
            cell: cell.clone(),
            arm: arm.clone(),
        };
        let setup = Setup {
            cell,
            job,
            arm,
            arms: vec![only],
        };
        setup.start_poses()?;
        Ok(setup)
    }

    /// As [`Setup::load`], of a cell of one arm or of two.
    ///
    /// # Errors
    /// One line naming file, key and remedy.
    pub fn load_any(path: &Path, job: Option<&str>) -> Result<Setup, RunError> {
        match TwoArms::load(path)? {
            None => Setup::load(path, job, &Overrides::default()),
            Some(cell) => Setup::of_two(&cell, job),
        }
    }

    /// Of a cell of two arms.
    ///
    /// # Errors
    /// As [`Setup::load`].
    pub fn of_two(two: &TwoArms, job: Option<&str>) -> Result<Setup, RunError> {
        let each = two.arms.iter().map(|arm| {
            Ok(ArmSetup {
                name: arm.name.clone(),
                cell: arm.cell.clone(),
                arm: arm.cell.load_arm()?,
            })
        });
        let arms = each.collect::<Result<Vec<ArmSetup>, CellError>>()?;
        let first = arms.first().map(|arm| arm.arm.clone());
        let (Some(cell), Some(arm)) = (two.shared(), first) else {
            let none = format!("{}: it has no arms", two.file.display());
            return Err(RunError::Configuration(none));
        };
        let job = cell.job(job)?.clone();
        let setup = Setup {
            cell,
            job,
            arm,
            arms,
        };
        setup.start_poses()?;
        Ok(setup)
    }

    /// Where each episode begins, of every arm.
    ///
    /// # Errors
    /// When the cell says no pose of these arms.
    pub fn start_poses(&self) -> Result<Vec<JointVec<Rad>>, RunError> {
        let each = self.arms.iter().map(|it| (it.name.as_str(), &it.arm));
        let arms: Vec<(&str, &Arm)> = each.collect();
        match arms.as_slice() {
            [_] => Ok(vec![self.start_pose()?]),
            several => Ok(start_poses(&self.cell.file, &self.job, several)?),
        }
    }

    /// The arms as policies meet them.
    #[must_use]
    pub fn embodiment(&self) -> Arc<dyn Embodiment> {
        match self.arms.as_slice() {
            [_] => Arc::new(PolicyArm(self.arm.clone())),
            several => {
                let arms = several.iter().map(|it| (it.name.as_str(), &it.arm));
                Arc::new(PolicyArms::new(arms))
            }
        }
    }

    /// Where the only arm's episodes begin.
    ///
    /// # Errors
    /// When the cell says no pose of this arm.
    pub fn start_pose(&self) -> Result<JointVec<Rad>, RunError> {
        Ok(self.cell.start_pose(&self.job, &self.arm)?)
    }

    /// The limits of each arm's joints.
    pub(super) fn limits(&self) -> Vec<JointVec<JointLimits>> {
        let arms = self.arms.iter();
        arms.map(|it| *it.arm.model.limits()).collect()
    }

    /// How the chunks of `package` become one plan: as the cell says, else as the package was
    /// evaluated, else by a cross-fade.
    pub(super) fn chunk_rules(&self, package: &Package) -> Rules {
        let said = &self.job.chunks;
        let evaluated = package.ensemble_m.map(|_| Joining::Ensemble);
        let joining = said.joining.or(evaluated).unwrap_or(Joining::CrossFade);
        let ensemble_m = said.ensemble_m.or(package.ensemble_m);
        if let Some(warning) = overridden(package, &self.job) {
            tracing::warn!("{warning}");
        }
        tracing::info!("chunks are joined by {}", joining.word());
        Rules {
            joining,
            horizon: said.horizon,
            ensemble_m: ensemble_m.unwrap_or(USUAL_ENSEMBLE_M),
        }
    }

    /// When the policy is asked for its next chunk.
    pub(super) fn pace(&self, rules: &Rules, package: &Package) -> Pace {
        // Two draws of one policy may lead two ways: each is followed as far as it was in evaluation.
        let drawn = package.draws() && package.executed.is_some() && !self.job.plan_hz_said;
        let every = Duration::from_secs_f64(1.0 / self.job.plan_hz);
        Pace::new(match rules.joining {
            // What is asked for sooner would wait for the end of what there is.
            Joining::Append => None,
            Joining::CrossFade | Joining::Ensemble => (!drawn).then_some(every),
        })
    }

    /// Starts the cameras and waits for a picture of each.
    ///
    /// # Errors
    /// A camera that is described wrongly, or gives no picture.
    pub async fn start_cameras(&self) -> Result<Cameras, RunError> {
        let cameras = self.cell.cameras.iter();
        let configs = cameras.map(|camera| {
            let source = match &camera.source {
                CameraSource::Stream { url, login } => {
                    let login = login.as_deref().map(Login::read).transpose();
                    let login = login.map_err(|error| CameraError::Login {
                        camera: camera.name.clone(),
                        error,
                    })?;
                    Source::Stream {
                        url: url.clone(),
                        login,
                    }
                }
                CameraSource::Device(device) => Source::Device(device.clone()),
                CameraSource::Gige(camera) => Source::Gige(camera.clone()),
            };
            Ok(CameraConfig {
                name: camera.name.clone(),
                source,
                latency: camera.latency,
                max_age: camera.max_age,
                width: camera.width,
                height: camera.height,
            })
        });
        let configs = configs.collect::<Result<Vec<CameraConfig>, CameraError>>()?;
        Ok(Cameras::start(&configs, realtime::now, FIRST_PICTURE).await?)
    }

    /// The job's package: read, or as the cell describes what its server runs.
    ///
    /// # Errors
    /// One line naming file, key and remedy.
    pub fn policy_package(&self) -> Result<Package, RunError> {
        let plain = |error: &dyn std::fmt::Display| RunError::Configuration(error.to_string());
        match &self.job.policy {
            PolicySection::Package(folder) => Package::load(folder).map_err(|it| plain(&it)),
            PolicySection::Remote(remote) => {
                remote::package(&self.cell, &self.job.name, remote).map_err(|it| plain(&it))
            }
        }
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
        let arm = self.embodiment();
        let config = self.backend_config(backend);
        let package = self.policy_package()?;
        let mut policy =
            Policy::bind(package, arm, &cameras, &config).map_err(|error| match error {
                PolicyError::Backend(BackendError::Server { .. }) => {
                    RunError::Hardware(error.to_string())
                }
                error => RunError::Configuration(error.to_string()),
            })?;
        policy.draw_from(self.job.noise_seed);
        let name = policy.backend().name.clone();
        Ok((policy, name))
    }

    /// How inference is run on `backend`.
    #[must_use]
    pub fn backend_config(&self, backend: BackendKind) -> backend::Config {
        let inference = &self.cell.inference;
        backend::Config {
            choice: match backend {
                BackendKind::Auto => backend::Choice::Auto,
                BackendKind::OnnxRuntime => backend::Choice::OnnxRuntime,
                BackendKind::BuiltIn => backend::Choice::BuiltIn,
            },
            library: inference.library.clone(),
            threads: inference.threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::ChunkSection;

    fn said(joining: Option<Joining>, ensemble_m: Option<f64>) -> Option<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cell = Cell::load(&root.join("cells/sim.toml"), &Overrides::default()).unwrap();
        let mut job = cell.job(None).unwrap().clone();
        job.chunks = ChunkSection {
            joining,
            ensemble_m,
            ..ChunkSection::default()
        };
        let mut package = Package::load(job.package().unwrap()).unwrap();
        assert_eq!(
            overridden(&package, &job),
            None,
            "it was evaluated in no way"
        );
        package.ensemble_m = Some(0.01);
        overridden(&package, &job).map(|finding| finding.what)
    }

    #[test]
    fn a_cell_that_overrides_how_a_policy_was_evaluated_is_told_so() {
        assert_eq!(said(None, None), None);
        assert_eq!(said(Some(Joining::Ensemble), None), None);
        assert_eq!(said(None, Some(0.01)), None);
        let what = said(Some(Joining::Append), None).unwrap();
        assert!(what.contains("append") && what.contains("0.01"), "{what}");
        let what = said(Some(Joining::Ensemble), Some(0.2)).unwrap();
        assert!(
            what.contains("ensemble_m") && what.contains("0.2"),
            "{what}"
        );
    }
}
