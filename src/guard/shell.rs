//! The loop: sleep to the deadline, read, decide, write, tell.
//!
//! Owns port, core, connections and measurements of the running guard. Everything is made in
//! [`Shell::start`].
//!
//! Real time: no allocation, lock or log in [`Shell::run`] and below it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::clients::{Clients, Inbox};
use super::inputs::SafetyContacts;
use super::pace::{Pace, Wake};
use super::port::ArmPort;
use super::recent::Recent;
use super::relay::{Pump, Pumping};
use super::status;
use super::vigil::Vigil;
use super::{Boot, GuardError, settings};
use crate::cell::Cell;
use crate::control::{Core, Inputs, JointReading, Step, Torque, TorqueAct};
use crate::messages::channel::Listener;
use crate::messages::{Cause, Mode, Telemetry};
use crate::realtime;
use crate::stats::Times;
use crate::units::{JointVec, MonoTime};

/// A running guard.
pub(super) struct Shell {
    core: Core,
    port: ArmPort,
    clients: Clients,
    inbox: Inbox,
    contacts: SafetyContacts,
    relay: Option<Pump>,
    told_to_end: Arc<AtomicBool>,
    vigil: Vigil,
    /// Torque was asked for and not confirmed.
    limp: bool,
    /// After the last tick.
    mode: Mode,
    pace: Pace,
    pub(super) measured: Measurements,
    pub(super) facts: status::Facts,
}

/// What the loop measures of itself.
#[derive(Debug, Default)]
pub(super) struct Measurements {
    pub(super) lateness: Times,
    pub(super) bus: Times,
    pub(super) decide: Times,
    pub(super) ticks: u64,
    pub(super) missed: u64,
    pub(super) recent: Recent,
    pub(super) last: JointVec<JointReading>,
    pub(super) read_failures: JointVec<u64>,
    pub(super) plan_captured_at: Option<(u64, MonoTime)>,
}

impl Shell {
    /// Brings the bus up, listens, and asks the machine for real time.
    ///
    /// # Errors
    /// One line. Nothing has moved and no torque was switched on.
    pub(super) fn start(cell: &Cell, socket: &Path, boot: Boot) -> Result<Shell, GuardError> {
        let configuration =
            |error: &dyn std::fmt::Display| GuardError::Configuration(error.to_string());
        let arm = cell.load_arm().map_err(|e| configuration(&e))?;
        let told_to_end = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&told_to_end);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
            .map_err(|error| GuardError::Hardware(format!("signals can't be caught: {error}")))?;
        let listener = Listener::bind(socket).map_err(|error| {
            GuardError::Hardware(format!(
                "{} can't be listened on: {error}; `surehand shutdown` ends a controller that is running",
                socket.display()
            ))
        })?;
        let priority = cell.control.priority;
        let pumping = (cell.relay.as_ref())
            .map(|relay| Pumping::start(relay, priority, settings::period(cell), boot))
            .transpose()?;
        let (port, held) = ArmPort::open(cell, &arm, boot)?;
        let contacts = SafetyContacts::open(cell, port.device(), boot)?;
        let grants = realtime::request(&realtime::Wanted {
            priority,
            cpu: cell.control.cpu,
            lock_memory: cell.control.lock_memory,
        });
        for refused in grants.refused() {
            tracing::warn!("NOT REAL TIME: {refused}; stops may take 100 ms. See docs/realtime.md");
        }
        tracing::info!("the loop has {}", grants.verdict());
        if grants.fifo.is_err() && !cell.control.allow_without_realtime {
            return Err(GuardError::Configuration(format!(
                "{}: real-time priority was refused and `allow_without_realtime` is not set",
                cell.file.display()
            )));
        }
        let cause = match boot {
            Boot::Fresh => Cause::Boot,
            Boot::Replacing => Cause::GuardReplaced,
            Boot::Replugged => Cause::Replugged,
        };
        let config = settings::core_config(cell, &arm, grants.fifo.is_ok());
        let vigil = Vigil::new(held.torque == Torque::On, realtime::now());
        let core = Core::new(config, cause, held.torque).map_err(|e| configuration(&e))?;
        let core = core.holding(held.goals);
        let joints = arm.model.len();
        let measured = Measurements {
            last: JointVec::repeat(JointReading::default(), joints),
            read_failures: JointVec::repeat(0, joints),
            ..Measurements::default()
        };
        Ok(Shell {
            core,
            port,
            clients: Clients::new(listener),
            inbox: Inbox::default(),
            contacts,
            told_to_end,
            vigil,
            limp: false,
            mode: Mode::Stopped,
            measured,
            facts: status::Facts::new(cell, &arm, &grants),
            relay: pumping.and_then(Pumping::hand_over),
            pace: Pace::new(realtime::now(), settings::period(cell)),
        })
    }

    /// Runs until the core lets the guard end.
    pub(super) fn run(mut self) {
        loop {
            realtime::sleep_until(self.pace.deadline());
            let now = realtime::now();
            let wake = self.pace.woke(now, realtime::asleep());
            if self.tick(now, wake) {
                return;
            }
        }
    }

    /// One period; true when it was the last.
    fn tick(&mut self, now: MonoTime, wake: Wake) -> bool {
        let joints = self.port.read(now);
        let read = realtime::now();
        self.clients.poll(read, &mut self.inbox);
        if std::mem::take(&mut self.limp) {
            self.inbox.signals.trip.get_or_insert(Cause::TorqueNotTaken);
        }
        self.inbox.signals.told_to_end = self.told_to_end.load(Ordering::Relaxed)
            || self.vigil.is_over(self.clients.link(), self.mode, now);
        let step = self.core.tick(&Inputs {
            now,
            missed: wake.missed,
            joints,
            restarted: self.port.restarted(),
            watchdog: self.port.tripped(),
            safety: self.contacts.read(read),
            hold: self.clients.hold(),
            link: self.clients.link(),
            plan: self.clients.plan(),
            signals: self.inbox.signals.clone(),
        });
        let decided = realtime::now();
        if step.mode == Mode::Stopped && self.mode != Mode::Stopped {
            self.port.begin_to_confirm();
        }
        self.mode = step.mode;
        self.write(&step);
        if let Some(relay) = &mut self.relay {
            relay.beat(step.relay);
        }
        let written = realtime::now();

        self.measured.ticks += 1;
        self.measured.missed += u64::from(wake.missed);
        self.measured.recent.record(now, wake.missed);
        self.measured.lateness.record(wake.late);
        self.measured.decide.record(decided.since(read));
        self.measured
            .bus
            .record(read.since(now) + written.since(decided));
        self.measured.note(joints, self.clients.plan(), &step);
        self.tell(now, &step);
        step.may_exit
    }

    fn write(&mut self, step: &Step<crate::control::JointCommand>) {
        self.vigil.note(step.torque);
        let share = self.core.config().monitors.blocked_torque;
        self.port.ease(step.eased, share);
        match (step.torque, &step.command) {
            // A goal after it would switch torque on again.
            (TorqueAct::Release, _) => {
                // Who has not confirmed shows in the status.
                self.port.torque_off();
                self.pace.restart(realtime::now());
            }
            (TorqueAct::Enable, Some(command)) => {
                self.limp = !self.port.torque_on(command);
                // Every servo was asked to confirm, while the arm stands: the time that took is
                // no hold-up of the loop.
                self.pace.restart(realtime::now());
            }
            (TorqueAct::Keep, Some(command)) => {
                if step.mode == Mode::Stopped {
                    self.port.clear_watchdogs(command);
                }
                self.port.write(command);
            }
            (TorqueAct::Keep | TorqueAct::Enable, None) => {}
        }
    }

    fn tell(&mut self, now: MonoTime, step: &Step<crate::control::JointCommand>) {
        self.clients.answer(&self.inbox, &step.answers);
        if let (Some(measured), Some(command)) = (self.core.measured(), self.core.positions()) {
            self.clients.publish(Telemetry {
                tick: self.measured.ticks,
                at: now,
                mode: step.mode,
                cause: step.cause,
                measured: measured.map(|joint| joint.position),
                command,
                plan_id: step.plan_id,
                plan_end: step.plan_end,
                plan_lag: self.core.lag().now.unwrap_or(0.0),
                refused: step.refused,
            });
        }
        if self.clients.status_wanted() {
            let status = status::status(self, now, step);
            self.clients.send_status(status);
        }
    }

    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    pub(super) fn contacts(&self) -> &SafetyContacts {
        &self.contacts
    }

    pub(super) fn clients(&self) -> &Clients {
        &self.clients
    }

    pub(super) fn port(&self) -> &ArmPort {
        &self.port
    }
}

impl Measurements {
    fn note(
        &mut self,
        joints: JointVec<JointReading>,
        plan: Option<&crate::messages::Plan>,
        step: &Step<crate::control::JointCommand>,
    ) {
        for ((last, failures), reading) in self
            .last
            .iter_mut()
            .zip(self.read_failures.iter_mut())
            .zip(&joints)
        {
            match reading {
                JointReading::Fresh { .. } => *last = *reading,
                JointReading::Missing(_) => *failures += 1,
            }
        }
        if let Some(plan) = plan
            && plan.id == step.plan_id
        {
            self.plan_captured_at = Some((plan.id, plan.captured_at));
        }
    }
}
