//! The thread that steps the bodies on the real clock, and carries out between two steps what
//! others ask of the cell. Owns the plant; holds the servos only for a moment each step.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::schedule::{be_real_time, now_ns, sleep_until};
use super::threads::{Stop, Thread};
use super::{SimError, lock};
use crate::servo::{Bank, WireLog};
use crate::workcell::Plant;

/// Below the bus thread: an answer on the line may not wait for a step.
const PRIORITY: i32 = 50;
/// Behind by more than this, time is given up instead of caught up, ns.
const GIVE_UP_NS: u64 = 100_000_000;
/// How long anybody waits for an answer of the cell.
const PATIENCE: Duration = Duration::from_secs(2);

/// The cell between two steps.
pub(super) struct Core {
    pub(super) plant: Plant,
    pub(super) bank: Arc<Mutex<Bank>>,
}

type Job = Box<dyn FnOnce(&mut Core) + Send>;

/// How others reach the cell.
#[derive(Clone)]
pub(super) struct Cell {
    jobs: Sender<Job>,
    log: Arc<Mutex<WireLog>>,
}

impl Cell {
    /// What `ask` makes of the cell after the next step; `None` when the cell has ended.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = channel();
        let job = move |core: &mut Core| {
            let _ = answer.send(ask(core));
        };
        self.jobs.send(Box::new(job)).ok()?;
        answered.recv_timeout(PATIENCE).ok()
    }

    /// The last seconds of the line.
    pub(super) fn log(&self) -> &Mutex<WireLog> {
        &self.log
    }
}

/// The running thread; dropping it ends it.
pub(super) struct Physics {
    cell: Cell,
    _thread: Thread,
}

impl Physics {
    pub(super) fn cell(&self) -> Cell {
        self.cell.clone()
    }
}

/// Starts stepping.
pub(super) fn start(plant: Plant, bank: Arc<Mutex<Bank>>, stop: Stop) -> Result<Physics, SimError> {
    let (jobs, asked) = channel();
    let log = Arc::new(Mutex::new(WireLog::default()));
    let cell = Cell {
        jobs,
        log: Arc::clone(&log),
    };
    let ending = stop.clone();
    let thread = Thread::start("sim-physics", stop, move || {
        run(Core { plant, bank }, &asked, &log, &ending)
    })?;
    Ok(Physics {
        cell,
        _thread: thread,
    })
}

fn run(mut core: Core, jobs: &Receiver<Job>, log: &Mutex<WireLog>, stop: &Stop) {
    be_real_time("the physics thread", PRIORITY);
    core.plant.set_start(now_ns());
    let secs = core.plant.step_secs();
    let mut unlogged = Vec::new();
    while !stop.is_set() {
        // A step's outcome is due at its end: virtual time never runs ahead of the clock.
        let ends_ns = core.plant.now_ns() + (secs * 1e9) as u64;
        sleep_until(ends_ns);
        let late_ns = now_ns().saturating_sub(ends_ns);
        if late_ns > GIVE_UP_NS {
            tracing::warn!("{} ms behind: the arm stood still", late_ns / 1_000_000);
            core.plant.skip(late_ns);
        }
        let drives = lock(&core.bank).drives(core.plant.now_ns(), secs);
        core.plant.step(&drives);
        {
            let mut bank = lock(&core.bank);
            bank.sense(core.plant.motions(), secs);
            unlogged.append(&mut bank.drain_frames());
        }
        // A reader of the log runs at ordinary priority: never wait for it.
        if let Ok(mut log) = log.try_lock() {
            log.extend(std::mem::take(&mut unlogged));
        }
        for job in jobs.try_iter() {
            job(&mut core);
        }
    }
}
