//! What crosses the boundary between guard and runner, and between guard and operator.
//!
//! Owns the fixed-size messages and their bytes; one message is one datagram on a
//! `SOCK_SEQPACKET` unix socket. Encoding and decoding allocate nothing. No message can
//! widen a limit: the runner may only ask for motion.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::units::{Celsius, JointSet, JointVec, MonoTime, Rad, RadPerSec, Volts};

mod asked;
mod cause;
pub mod channel;
mod mode;
mod plan;
mod refusal;
mod service;
mod together;
mod watch;
pub use asked::{Answer, Asked, Asker};
pub(crate) use cause::error_bits;
pub use cause::{Cause, Names, ServerFault};
pub use mode::{Mode, Rung};
pub use plan::{MAX_WAYPOINTS, Plan, ToolPose, ToolSetpoint, Waypoints};
pub use refusal::Refusal;
pub use service::{MAX_SERVICE, ServiceDue};
pub use together::together;
pub use watch::{Raised, Then, Watch};

/// Both ends must speak the same version; a `Hello` with another one is refused.
pub const PROTOCOL: u32 = 11;
/// The most cameras one cell may have.
pub const MAX_CAMERAS: usize = 4;
/// The most safety inputs one cell may have.
pub const MAX_INPUTS: usize = 8;
/// A buffer of this size holds every message.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// A short name: a joint, a camera, a job, a backend.
pub type Name = String<32>;

/// Cuts `text` to what a [`Name`] holds, at a character boundary.
#[must_use]
pub fn name(text: &str) -> Name {
    let mut name = Name::new();
    for c in text.chars() {
        if name.push(c).is_err() {
            break;
        }
    }
    name
}

/// What an operator (or the runner on an operator's behalf) may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Leave `Stopped` for `Idle`/`Holding`-able state; refused while the cause is present.
    Reset,
    /// Torque on with goal = measured: `Idle` → `Holding`.
    Enable,
    /// Follow plans: `Holding` → `Running`. A new job: plans from before are refused.
    Start,
    /// `Start` for as long as the asker holds the arm running, with [`ToGuard::Hold`].
    StartHeld,
    /// Decelerate and hold without latching: `Running` → `Holding`.
    Pause,
    /// Decelerate, hold, latch. Always accepted.
    Stop,
    /// Torque off in place; only in `Holding` or `Stopped`, and only on purpose.
    Release,
    /// Decelerate, go to the park pose, torque off there: `Holding` or `Running` → `Parking`.
    Park,
    /// Decelerate, hold (and park where the cell says so), then end the guard process.
    Shutdown,
}

impl Request {
    /// The request as an operator types it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Request::Reset => "reset",
            Request::Enable => "enable",
            Request::Start => "start",
            Request::StartHeld => "start --hold",
            Request::Pause => "pause",
            Request::Stop => "estop",
            Request::Release => "release",
            Request::Park => "park",
            Request::Shutdown => "shutdown",
        }
    }
}

/// Who is at the other end of a connection to the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The one that sends plans and heartbeats; there is at most one.
    Runner,
    /// The runner's second connection, held by one thread alone: it carries the heartbeats, and
    /// closes the moment that thread dies, long before a large process has been taken apart.
    Pulse,
    /// Asks, stops, reads; any number up to the guard's slots.
    Operator,
}

/// p50 … max of something measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
}

/// What the runner tells about itself with each heartbeat, for `status`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunnerReport {
    /// The runner's process id.
    pub pid: u32,
    /// The job being run, empty when none.
    pub job: Name,
    /// Episode index from 0.
    pub episode: u32,
    /// Which inference backend runs.
    pub backend: Name,
    /// Inference time, milliseconds.
    pub inference_ms: Percentiles,
    /// How its audit log fares.
    pub log: LogHealth,
    /// What is beyond its limit of what it watches.
    pub watch: Vec<Raised, { Watch::ALL.len() }>,
    /// What is to be seen to on the arm.
    pub service: Vec<ServiceDue, MAX_SERVICE>,
}

/// How the runner's audit log fares. All zero: every line is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogHealth {
    /// The system's error number while it can't be written, else 0.
    pub error: i32,
    /// Lines kept in memory meanwhile.
    pub waiting: u32,
    /// Lines for which there was no room in memory either.
    pub lost: u32,
}

/// To the guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "fixed size by design: no allocation"
)]
pub enum ToGuard {
    /// First message on a connection.
    Hello {
        /// [`PROTOCOL`] of the sender.
        protocol: u32,
        /// What the sender is.
        role: Role,
        /// Who it is: control of the arm is held under this name.
        name: Name,
    },
    /// The runner's lease renewal.
    Heartbeat {
        /// When it was sent: the lease runs from here, not from when the guard looked.
        sent_at: MonoTime,
        /// What the runner says of itself.
        report: RunnerReport,
    },
    /// A new plan (runner only).
    Plan(Plan),
    /// The runner saw something that must stop the arm.
    Trip(Cause),
    /// Somebody asks for something.
    Request(Request),
    /// Asks for a [`Status`].
    Status,
    /// An operator holds the arm running; said again every [`HOLD_EVERY`].
    Hold {
        /// When it was sent: the hold lasts from here, not from when the guard looked.
        sent_at: MonoTime,
    },
}

/// How often an operator who holds the arm running says so.
pub const HOLD_EVERY: std::time::Duration = std::time::Duration::from_millis(25);

/// From the guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "fixed size by design: no allocation"
)]
pub enum FromGuard {
    /// The connection is accepted.
    Welcome {
        /// The guard's process id.
        pid: u32,
    },
    /// The connection or the request is refused, and why.
    Refused(Refusal),
    /// Another client holds control: its name.
    Held(Name),
    /// The request was carried out, or has begun to be.
    Done(Request),
    /// One tick, to the runner only.
    Telemetry(Telemetry),
    /// The answer to [`ToGuard::Status`].
    Status(Status),
    /// Somebody asked for something and was answered, to the runner only.
    Asked(Asked),
}

/// One tick as the runner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Tick number since the guard's start.
    pub tick: u64,
    /// When the joints were read.
    pub at: MonoTime,
    /// The mode after this tick.
    pub mode: Mode,
    /// Why the arm is stopped or stopping.
    pub cause: Option<Cause>,
    /// Joint positions as measured.
    pub measured: JointVec<Rad>,
    /// Joint positions as commanded (the goal on the wire).
    pub command: JointVec<Rad>,
    /// The newest plan admitted, 0 when none.
    pub plan_id: u64,
    /// When the plan being followed runs out.
    pub plan_end: MonoTime,
    /// How far the arm is behind the plan of the tool that it follows, seconds.
    pub plan_lag: f64,
    /// The last plan refused and why.
    pub refused: Option<(u64, Refusal)>,
}

/// One joint in a [`Status`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JointStatus {
    /// The joint's name.
    pub name: Name,
    /// Servo id on the bus.
    pub id: u8,
    /// Measured position.
    pub position: Rad,
    /// Measured velocity.
    pub velocity: RadPerSec,
    /// Commanded position.
    pub command: Rad,
    /// Lower and upper position limit.
    pub limits: (Rad, Rad),
    /// The farthest a goal may be from the measured position.
    pub stopping_distance: Rad,
    /// Share of the stall torque, −1…1.
    pub load: f64,
    /// Servo temperature.
    pub temperature: Celsius,
    /// Servo voltage.
    pub voltage: Volts,
    /// Error bits of the last reply.
    pub errors: u8,
    /// Reads that failed since the start.
    pub read_failures: u64,
    /// Times the limiter clamped the target.
    pub clamped: u64,
}

/// What a safety input is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum InputRole {
    /// Open stops the arm.
    #[default]
    EmergencyStop,
    /// The arm runs only while it is closed.
    Enabling,
}

/// What a contact says. A closed one permits, everything else stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Level {
    /// Current flows.
    Closed,
    /// Pressed, let go, or a wire is off.
    Open,
    /// It can't be read, or its channels disagree.
    #[default]
    Broken,
}

/// One safety input in a [`Status`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InputStatus {
    /// Its name in the cell.
    pub name: Name,
    /// What it is for.
    pub role: InputRole,
    /// What it says.
    pub level: Level,
}

/// What went wrong on the bus since the guard's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BusErrors {
    /// No reply within the deadline.
    pub timeouts: u64,
    /// Bad checksum.
    pub checksum: u64,
    /// Reply from an id that was not asked, or twice.
    pub wrong_id: u64,
    /// Bytes thrown away while looking for a header or draining.
    pub stray_bytes: u64,
    /// Error from the operating system.
    pub io: u64,
}

/// What the machine granted the guard's loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Granted {
    /// SCHED_FIFO at this priority.
    pub priority: Option<i32>,
    /// Its memory stays in.
    pub memory_locked: bool,
    /// It runs on this processor and no other.
    pub cpu: Option<u16>,
}

impl Granted {
    /// Whether the loop has real-time priority.
    #[must_use]
    pub fn realtime(&self) -> bool {
        self.priority.is_some()
    }
}

/// Everything `surehand status` shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    /// The mode.
    pub mode: Mode,
    /// Why the arm is stopped or stopping.
    pub cause: Option<Cause>,
    /// The guard's process id.
    pub guard_pid: u32,
    /// What the runner said last; `None` when none is connected.
    pub runner: Option<RunnerReport>,
    /// Ticks a second asked for.
    pub rate_hz: f64,
    /// Ticks done.
    pub ticks: u64,
    /// Ticks skipped because their deadline had passed.
    pub missed: u64,
    /// Share of the ticks of the last ten seconds that were skipped, 0…1.
    pub missed_lately: f64,
    /// How late the loop woke, microseconds.
    pub lateness_us: Percentiles,
    /// Read and write together, microseconds.
    pub bus_us: Percentiles,
    /// Deciding, microseconds.
    pub decide_us: Percentiles,
    /// Bus errors.
    pub bus_errors: BusErrors,
    /// Age of the frames behind the plan being followed, milliseconds; `None` without a plan.
    pub plan_age_ms: Option<f64>,
    /// How far the arm is behind the plan of the tool that it follows, milliseconds: it slows down
    /// where its joints can't keep the speed. `None` while it follows none.
    pub plan_lag_ms: Option<f64>,
    /// The most that was since the guard's start.
    pub plan_lag_most_ms: f64,
    /// Ticks in which it fell farther behind.
    pub plan_slowed: u64,
    /// Plans refused.
    pub plans_refused: u64,
    /// Times a plan ran out.
    pub plans_starved: u64,
    /// Share of the servos' replies that were lost lately, 0…1.
    pub replies_lost: f64,
    /// Share of its speed that the arm may have, 0…1: less when a servo is hot or badly supplied.
    pub ease: f64,
    /// How far the stop has had to go.
    pub rung: Rung,
    /// Joints that drove on when they were told to stop.
    pub drove_on: JointSet,
    /// While stopped: joints not confirmed to stand with what they were told.
    pub not_confirmed: JointSet,
    /// What the machine granted the loop.
    pub granted: Granted,
    /// Camera names, by the index a [`Cause`] uses.
    pub cameras: Vec<Name, MAX_CAMERAS>,
    /// The safety inputs, by the index a [`Cause`] uses.
    pub inputs: Vec<InputStatus, MAX_INPUTS>,
    /// The joints in the arm's order.
    pub joints: Vec<JointStatus, { crate::units::MAX_JOINTS }>,
}

impl Status {
    /// Calls `f` with the names that the indices in a [`Cause`] or [`Refusal`] mean.
    pub fn with_names<R>(&self, f: impl FnOnce(&Names<'_>) -> R) -> R {
        let joints: Vec<&str, { crate::units::MAX_JOINTS }> = self
            .joints
            .iter()
            .map(|joint| joint.name.as_str())
            .collect();
        let cameras: Vec<&str, MAX_CAMERAS> = self.cameras.iter().map(Name::as_str).collect();
        let inputs: Vec<&str, MAX_INPUTS> = self
            .inputs
            .iter()
            .map(|input| input.name.as_str())
            .collect();
        f(&Names {
            joints: &joints,
            cameras: &cameras,
            inputs: &inputs,
            backend: self.runner.as_ref().map_or("?", |it| it.backend.as_str()),
        })
    }
}

/// A datagram that is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message could not be encoded or decoded: {0}")]
pub struct CodecError(postcard::Error);

/// Writes `message` into `buffer` and gives the part that was used.
///
/// # Errors
/// When `buffer` is too small ([`MAX_MESSAGE`] suffices for every message).
pub fn encode<'a, M: Serialize>(message: &M, buffer: &'a mut [u8]) -> Result<&'a [u8], CodecError> {
    postcard::to_slice(message, buffer)
        .map(|used| &*used)
        .map_err(CodecError)
}

/// Reads a message.
///
/// # Errors
/// When the bytes are not one.
pub fn decode<'a, M: Deserialize<'a>>(bytes: &'a [u8]) -> Result<M, CodecError> {
    postcard::from_bytes(bytes).map_err(CodecError)
}
