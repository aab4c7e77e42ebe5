//! What goes into a tick and what comes out of it.

use crate::messages::{Cause, Mode, Plan, Refusal, Request, Rung};
use crate::units::{Celsius, JointSet, JointVec, MonoTime, Rad, RadPerSec, Volts};

/// Why a joint could not be read in this tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadFault {
    /// No reply before the deadline.
    #[default]
    Timeout,
    /// The reply failed its checksum or length.
    Corrupt,
    /// Another id answered.
    WrongId,
    /// The port is gone or failed.
    Port,
}

/// One joint as read in this tick. A failed read is a fault, never a zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JointReading {
    /// A checked reply.
    Fresh {
        /// Measured position.
        position: Rad,
        /// Measured velocity.
        velocity: RadPerSec,
        /// Share of the stall torque, −1…1.
        load: f64,
        /// Supply voltage.
        voltage: Volts,
        /// Temperature.
        temperature: Celsius,
        /// Error bits of the status frame.
        errors: u8,
    },
    /// Nothing usable.
    Missing(ReadFault),
}

impl Default for JointReading {
    fn default() -> Self {
        JointReading::Missing(ReadFault::Timeout)
    }
}

/// The runner as the guard's shell sees it at this tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// No runner has connected yet, or it left in an orderly way while nothing moved.
    #[default]
    Absent,
    /// Connected, and when it last lived.
    Up {
        /// When it sent its last heartbeat.
        heard_at: MonoTime,
    },
    /// Its connection closed.
    Closed,
}

/// Things that happened since the last tick, at most a handful.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// What operators (or the runner for them) asked for, in order.
    pub requests: heapless::Vec<Request, 8>,
    /// The runner saw something that must stop the arm.
    pub trip: Option<Cause>,
    /// A signal told the guard to end.
    pub told_to_end: bool,
}

/// What the cell's safety inputs forbid. Indices in the cell's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SafetyInputs {
    /// An emergency stop that is pressed.
    pub pressed: Option<u8>,
    /// An input that can't be relied on.
    pub broken: Option<u8>,
    /// An enabling switch that is not held.
    pub not_enabled: Option<u8>,
}

/// Everything one tick decides on.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// The tick's own time: when the joints were read.
    pub now: MonoTime,
    /// Ticks missed in a row just before this one.
    pub missed: u32,
    /// The joints in the arm's order.
    pub joints: JointVec<JointReading>,
    /// A joint whose servo restarted and does not yet hold its limits and torque again.
    pub restarted: Option<u8>,
    /// A joint whose servo has stopped by itself, because it heard nothing for too long.
    pub watchdog: Option<u8>,
    /// The emergency stops and enabling switches.
    pub safety: SafetyInputs,
    /// When the operator who holds the arm running last said so; `None` when nobody does.
    pub hold: Option<MonoTime>,
    /// The runner.
    pub link: Link,
    /// A plan that arrived since the last tick (the newest, when several did).
    pub plan: Option<&'a Plan>,
    /// Requests, trips, signals.
    pub signals: Signals,
}

/// What to do about torque in this tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TorqueAct {
    /// Nothing.
    #[default]
    Keep,
    /// Switch on, after the goal of this step has been written.
    Enable,
    /// Switch off; no goal may follow in this tick (a goal write re-enables torque).
    Release,
}

/// What to do with the relay that gives motor power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Relay {
    /// Keep it pulled.
    #[default]
    Hold,
    /// Let it fall: motor power goes.
    Drop,
}

/// What one tick decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<Command> {
    /// The goals to write; `None` writes nothing (limp, or nothing is known yet).
    pub command: Option<Command>,
    /// Torque.
    pub torque: TorqueAct,
    /// Motor power.
    pub relay: Relay,
    /// The mode after this tick.
    pub mode: Mode,
    /// Why the arm is stopped or stopping.
    pub cause: Option<Cause>,
    /// The answer to each request of this tick, in order.
    pub answers: [Option<Result<Request, Refusal>>; 8],
    /// The plan offered in this tick was refused.
    pub refused: Option<(u64, Refusal)>,
    /// The newest plan being followed, 0 when none.
    pub plan_id: u64,
    /// When it runs out.
    pub plan_end: MonoTime,
    /// Joints that were blocked: they keep a share of their torque until a reset.
    pub eased: JointSet,
    /// Joints that are not known to stand while they should.
    pub not_standing: JointSet,
    /// How far the stop has had to go.
    pub rung: Rung,
    /// The arm stands and a `Shutdown` or signal asked the guard to end: it may.
    pub may_exit: bool,
}
