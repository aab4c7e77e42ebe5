//! What `status` is told, put together when somebody asks.
//!
//! Real time: copies into a fixed-size message; no allocation.

use heapless::Vec;

use super::shell::Shell;
use crate::cell::{Arm, Cell};
use crate::control::{JointCommand, JointReading, Step, Torque};
use crate::messages::{Granted, JointStatus, MAX_CAMERAS, Mode, Name, Status, name};
use crate::realtime::Grants;
use crate::units::{JointSet, JointVec, MAX_JOINTS, MonoTime, Rad};

/// What never changes while a guard runs.
#[derive(Debug)]
pub(super) struct Facts {
    pid: u32,
    rate_hz: f64,
    granted: Granted,
    cameras: Vec<Name, MAX_CAMERAS>,
    joints: Vec<(Name, u8), MAX_JOINTS>,
}

impl Facts {
    pub(super) fn new(cell: &Cell, arm: &Arm, grants: &Grants) -> Facts {
        Facts {
            pid: std::process::id(),
            rate_hz: cell.control.rate_hz,
            granted: Granted {
                priority: grants.fifo.as_ref().ok().copied(),
                memory_locked: grants.locked.is_ok(),
                cpu: (grants.cpu.as_ref())
                    .and_then(|cpu| cpu.as_ref().ok())
                    .and_then(|cpu| u16::try_from(*cpu).ok()),
            },
            cameras: cell
                .cameras
                .iter()
                .map(|camera| name(&camera.name))
                .collect(),
            joints: arm
                .calibration
                .joints()
                .iter()
                .map(|joint| (name(joint.name()), joint.id()))
                .collect(),
        }
    }
}

/// The status after `step`.
pub(super) fn status(shell: &Shell, now: MonoTime, step: &Step<JointCommand>) -> Status {
    let (facts, measured, core) = (&shell.facts, &shell.measured, shell.core());
    let counters = core.counters();
    Status {
        mode: step.mode,
        cause: step.cause,
        guard_pid: facts.pid,
        runner: shell.clients().runner().cloned(),
        rate_hz: facts.rate_hz,
        ticks: measured.ticks,
        missed: measured.missed,
        missed_lately: measured.recent.missed_share(),
        lateness_us: measured.lateness.percentiles(),
        bus_us: measured.bus.percentiles(),
        decide_us: measured.decide.percentiles(),
        bus_errors: shell.port().errors(),
        plan_age_ms: measured
            .plan_captured_at
            .filter(|(id, _)| *id == step.plan_id)
            .map(|(_, at)| now.since(at) as f64 * 1e-6),
        plan_lag_ms: core.lag().now.map(|secs| secs * 1e3),
        plan_lag_most_ms: core.lag().most * 1e3,
        plan_slowed: core.lag().slowed,
        plans_refused: counters.plans_refused,
        plans_starved: counters.plans_starved,
        replies_lost: core.replies_lost(),
        ease: core.ease(),
        rung: step.rung,
        drove_on: core.drove_on(),
        not_confirmed: not_confirmed(shell, step),
        granted: facts.granted,
        cameras: facts.cameras.clone(),
        inputs: shell.contacts().status().clone(),
        joints: joints(shell),
    }
}

/// While stopped: joints that did not say that they hold what they were told, or do not stand.
fn not_confirmed(shell: &Shell, step: &Step<JointCommand>) -> JointSet {
    match (step.mode, shell.core().torque()) {
        (Mode::Stopped, Torque::On) => shell.port().not_confirmed().union(step.not_standing),
        (Mode::Stopped, Torque::Off) => shell.port().not_confirmed(),
        (Mode::Idle | Mode::Holding | Mode::Running | Mode::Stopping | Mode::Parking, _) => {
            JointSet::default()
        }
    }
}

fn joints(shell: &Shell) -> Vec<JointStatus, MAX_JOINTS> {
    let (measured, core) = (&shell.measured, shell.core());
    let commands = core.positions().unwrap_or_default();
    let clamped = core.clamped();
    let limits = core.config().model.limits();
    shell
        .facts
        .joints
        .iter()
        .enumerate()
        .map(|(index, (name, id))| {
            let at = |values: &JointVec<Rad>| values.get(index).unwrap_or_default();
            let limits = limits.get(index).unwrap_or_default();
            let mut joint = JointStatus {
                name: name.clone(),
                id: *id,
                command: at(&commands),
                limits: (limits.lower, limits.upper),
                stopping_distance: limits.stopping_distance(),
                read_failures: measured.read_failures.get(index).unwrap_or(0),
                clamped: clamped.get(index).unwrap_or(0),
                ..JointStatus::default()
            };
            if let Some(JointReading::Fresh {
                position,
                velocity,
                load,
                voltage,
                temperature,
                errors,
            }) = measured.last.get(index)
            {
                joint.position = position;
                joint.velocity = velocity;
                joint.load = load;
                joint.voltage = voltage;
                joint.temperature = temperature;
                joint.errors = errors;
            }
            joint
        })
        .collect()
}
