//! The cell file: one workcell's arm, bus, limits, cameras and jobs.
//!
//! Owns parsing `cell.toml` into a [`Cell`]; a `Cell` that exists is complete and in range.
//! Paths in a cell file are relative to the file. Never opens what it names: the URDF, the
//! calibration and the package are read by their own modules.

use std::path::{Path, PathBuf};
use std::time::Duration;

mod arms;
mod cameras;
mod chunks;
mod inputs;
mod load;
mod parse;
mod pictures;
mod remote;
mod service;
mod watch;

pub use arms::{CellArm, TwoArms, joint_of, start_poses};
pub use cameras::{CameraSection, CameraSource};
pub use chunks::{ChunkSection, HeldUpSection, Joining};
pub use inputs::{Contact, InputSection, Lines, ModemLine, Pull, RelayLine, RelaySection};
pub use load::{Arm, Narrowed};
pub use parse::CellError;
pub use pictures::{DeviceSource, FeatureValue, GigePixels, GigeSource, Pixels, WITHOUT_GIGE};
pub use remote::{
    ActionSpace, JointUnits, KeyPath, PixelLayout, PolicySection, RemoteAction, RemoteImage,
    RemoteSection, RemoteState,
};
pub use service::{Counted, Reminder};
pub use watch::{WatchRule, WatchSection};

use crate::arm::{AfterStop, Family, Space};
use crate::units::{Celsius, Rad, RadPerSec, RadPerSec2, RadPerSec3, Volts};

/// What the copies of a run's files are called.
const FROZEN_CELL: &str = "cell.toml";
const FROZEN_URDF: &str = "arm.urdf";
const FROZEN_CALIBRATION: &str = "calibration.json";

/// One workcell, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The cell's name: names its socket.
    pub name: String,
    /// The file it was read from.
    pub file: PathBuf,
    /// The arm.
    pub arm: ArmSection,
    /// The servo bus.
    pub bus: BusSection,
    /// The control loop.
    pub control: LoopSection,
    /// Motion limits by joint name.
    pub limits: Vec<(String, MotionLimits)>,
    /// What the monitors watch.
    pub monitors: MonitorSection,
    /// What is around the arm.
    pub workspace: Space,
    /// Where the arm is put away, when the cell has such a place.
    pub parking: Option<ParkingSection>,
    /// Emergency stops and enabling switches, in the order of their names.
    pub inputs: Vec<InputSection>,
    /// The relay that gives motor power, when the guard has one.
    pub relay: Option<RelaySection>,
    /// The cameras, in the order of their names.
    pub cameras: Vec<CameraSection>,
    /// The jobs, in the order of their names.
    pub jobs: Vec<JobSection>,
    /// How inference is run.
    pub inference: InferenceSection,
    /// What the runner watches of its policies.
    pub watch: WatchSection,
    /// What is to be seen to after so much use, in the order of their names.
    pub service: Vec<Reminder>,
}

/// Which arm, and where its files are.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmSection {
    /// URDF file.
    pub urdf: PathBuf,
    /// The link the chain starts at.
    pub base: String,
    /// The tool frame.
    pub tip: String,
    /// The gripper's joint.
    pub gripper: String,
    /// Calibration file (LeRobot's format).
    pub calibration: PathBuf,
    /// Tool actions never lead the tool point below this height in the base frame, metres.
    pub tool_floor: f64,
}

/// The servo bus.
#[derive(Debug, Clone, PartialEq)]
pub struct BusSection {
    /// The family of its servos.
    pub family: Family,
    /// Device path.
    pub port: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// Whether all servos answer a tick's question in one frame.
    pub shared_replies: bool,
    /// What stops a servo that hears nothing; `None` is not used.
    pub watchdog: Option<WatchdogSection>,
    /// The second servos of joints that two drive.
    pub shadows: Vec<ShadowSection>,
}

/// The second servo of a joint that two drive: it obeys what the first is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowSection {
    /// The joint.
    pub joint: String,
    /// Its own id.
    pub id: u8,
    /// Whether it is mounted the other way round than the first.
    pub mirrored: bool,
}

/// The bus watchdog, and where it may be relied on.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchdogSection {
    /// How long a servo may hear nothing, units of 20 ms.
    pub units: u8,
    /// Model and firmware of the servos that have passed its commissioning test.
    pub tested: Vec<TestedServo>,
}

/// A model whose bus watchdog was seen to work, with that firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedServo {
    /// As its maker calls it, such as `XL430-W250`.
    pub model: String,
    /// The firmware it was tested with.
    pub firmware: i32,
}

/// The control loop.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopSection {
    /// Ticks a second.
    pub rate_hz: f64,
    /// SCHED_FIFO priority asked for.
    pub priority: i32,
    /// The only processor the loop runs on.
    pub cpu: Option<usize>,
    /// Whether the guard's memory is to stay in.
    pub lock_memory: bool,
    /// How long the runner may be silent.
    pub lease: Duration,
    /// How long it may be silent where real-time priority is refused.
    pub lease_without_realtime: Duration,
    /// Whether to run at full speed where real-time priority is refused.
    pub allow_without_realtime: bool,
    /// Whether the arm runs only while an operator holds it running.
    pub hold_to_run: bool,
    /// The oldest frames a plan may come from.
    pub max_plan_age: Duration,
    /// How far the arm may fall behind a path of the tool.
    pub max_path_lag: Duration,
    /// How long a new plan cross-fades in.
    pub crossfade: Duration,
    /// How long `Running` may wait for its first plan.
    pub first_plan: Duration,
}

/// Limits of one joint beyond its URDF.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionLimits {
    /// Largest speed.
    pub velocity: RadPerSec,
    /// Largest acceleration.
    pub acceleration: RadPerSec2,
    /// Largest change of acceleration.
    pub jerk: RadPerSec3,
    /// Servo torque limit, share of stall, 0…1.
    pub torque: f64,
    /// Narrower lower position limit.
    pub lower: Option<Rad>,
    /// Narrower upper position limit.
    pub upper: Option<Rad>,
}

/// Thresholds of the monitors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonitorSection {
    /// A servo hotter than this stops the arm.
    pub max_temperature: Celsius,
    /// Above this the arm goes more slowly, the hotter the more so.
    pub slow_above: Celsius,
    /// Below this supply the arm goes more slowly, the lower the more so.
    pub slow_below: Volts,
    /// Share of its stall torque that a servo may give for more than a second.
    pub max_load: f64,
    /// Lowest supply.
    pub min_voltage: Volts,
    /// Highest supply.
    pub max_voltage: Volts,
    /// How long a servo may give no good answer, and the loop be held up, before the arm stops;
    /// `None` is 15 ms for a servo and three ticks for the loop. A simulated arm shares the
    /// machine with everybody and wants longer.
    pub hold_up: Option<Duration>,
}

/// Where the arm is put away, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct ParkingSection {
    /// A pose in which the arm does not fall when torque goes, by joint name.
    pub pose: Vec<(String, Rad)>,
    /// Share of the joints' limits that the way there takes.
    pub speed: f64,
    /// What follows the stop when the controller is told to end.
    pub at_exit: AfterStop,
    /// What follows a stop for a servo that is too hot.
    pub when_hot: AfterStop,
}

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSection {
    /// Its name.
    pub name: String,
    /// Where its policy is.
    pub policy: PolicySection,
    /// Where the arm starts each episode, by joint name.
    pub start: Vec<(String, Rad)>,
    /// How long an episode may take.
    pub episode: Duration,
    /// How often the policy is asked for a new plan.
    pub plan_hz: f64,
    /// Whether the cell says so.
    pub plan_hz_said: bool,
    /// How its chunks become one plan.
    pub chunks: ChunkSection,
    /// What the numbers are drawn from that a policy makes its actions of.
    pub noise_seed: u64,
}

impl JobSection {
    /// The folder of its package, where it has one.
    #[must_use]
    pub fn package(&self) -> Option<&Path> {
        match &self.policy {
            PolicySection::Package(package) => Some(package),
            PolicySection::Remote(_) => None,
        }
    }

    /// The server that runs its policy, where one does.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        match &self.policy {
            PolicySection::Package(_) => None,
            PolicySection::Remote(remote) => Some(&remote.server),
        }
    }
}

/// How inference is run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InferenceSection {
    /// Which backend.
    pub backend: BackendKind,
    /// Where ONNX Runtime's library is; searched for when absent.
    pub library: Option<PathBuf>,
    /// Threads.
    pub threads: usize,
    /// For trials: it takes longer than it does.
    pub held_up: Option<HeldUpSection>,
}

/// Which inference backend a cell asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// ONNX Runtime when it is found, else the built-in one.
    #[default]
    Auto,
    /// ONNX Runtime or nothing.
    OnnxRuntime,
    /// The built-in one.
    BuiltIn,
}

/// What a command line may change about a cell: which wires it is on, and nothing that counts for
/// the motion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Another serial port.
    pub port: Option<PathBuf>,
    /// Another `host:port` for every camera's URL.
    pub camera_host: Option<String>,
    /// A folder with copies of the cell's file, URDF and calibration to read in their place.
    pub frozen: Option<PathBuf>,
}

impl Cell {
    /// Reads and checks a cell file.
    ///
    /// # Errors
    /// One line naming file, line, key and remedy.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Cell, CellError> {
        let mut cell = match &overrides.frozen {
            None => parse::load(path, path)?,
            Some(folder) => {
                let mut cell = parse::load(path, &folder.join(FROZEN_CELL))?;
                cell.arm.urdf = folder.join(FROZEN_URDF);
                cell.arm.calibration = folder.join(FROZEN_CALIBRATION);
                cell
            }
        };
        if let Some(port) = &overrides.port {
            cell.bus.port.clone_from(port);
        }
        if let Some(host) = &overrides.camera_host {
            for camera in &mut cell.cameras {
                if let CameraSource::Stream { url, .. } = &mut camera.source {
                    *url = with_host(url, host);
                }
            }
        }
        Ok(cell)
    }

    /// The files that the arm is made from, and what their copies are called.
    #[must_use]
    pub fn frozen_names(&self) -> [(&Path, &'static str); 3] {
        [
            (&self.file, FROZEN_CELL),
            (&self.arm.urdf, FROZEN_URDF),
            (&self.arm.calibration, FROZEN_CALIBRATION),
        ]
    }

    /// The job called `name`, or the only one when `name` is `None`.
    ///
    /// # Errors
    /// When there is no such job, or several and none was named.
    pub fn job(&self, name: Option<&str>) -> Result<&JobSection, CellError> {
        let names = || {
            let names: Vec<&str> = self.jobs.iter().map(|job| job.name.as_str()).collect();
            names.join(", ")
        };
        match name {
            Some(name) => self
                .jobs
                .iter()
                .find(|job| job.name == name)
                .ok_or_else(|| {
                    CellError::new(
                        &self.file,
                        format!("there is no job `{name}`; jobs are: {}", names()),
                    )
                }),
            None => match self.jobs.as_slice() {
                [job] => Ok(job),
                [] => Err(CellError::new(
                    &self.file,
                    "it has no jobs; add a [jobs.NAME] section",
                )),
                _ => Err(CellError::new(
                    &self.file,
                    format!("it has several jobs; choose one with --job: {}", names()),
                )),
            },
        }
    }
}

/// `url` with its `host:port` replaced.
fn with_host(url: &str, host: &str) -> String {
    match url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
    {
        Some((_, path)) => format!("http://{host}/{path}"),
        None => url.to_owned(),
    }
}
