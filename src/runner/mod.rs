//! The runner: cameras, policy and job; everything that may be slow or crash.
//!
//! Owns the order of starting and ending, and the watch over the guard. Its death, silence or
//! starvation is a stop; that is the guard's to see to.

mod books;
pub mod chunks;
pub mod frozen;
pub mod guard_process;
mod held_up;
pub mod history;
pub mod job;
pub mod latency;
pub mod ledger;
pub mod link;
pub mod monitors;
pub mod moves;
pub mod planner;
mod policy_arm;
pub mod remote;
mod service;
mod setup;
mod sight;
mod starving;
mod watch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use books::Books;
use chunks::Chunks;
use frozen::Frozen;
use guard_process::{Boot, GuardError, GuardProcess, GuardSpec};
use held_up::HeldUp;
use job::{Arm, End, Event, Judge, Seen, Tally};
use ledger::Ledger;
use link::{GuardLink, GuardState};
use monitors::Monitors;
use planner::{Parts, Planner, SentPlan, SharedLink, Watching};
use watch::Watch;

pub use policy_arm::PolicyArm;
pub use setup::{RunError, Setup, overridden};

use serde_json::json;

use crate::messages::{Cause, Mode, Refusal, Request, RunnerReport, name};
use crate::policy::Policy;
use crate::record::audit::Audit;

/// How long a guard may take to come up: pinging six servos that do not answer takes a while.
const BRING_UP: Duration = Duration::from_secs(10);
/// A replaced guard skips what takes long.
const TAKE_OVER: Duration = Duration::from_secs(2);
/// How long the guard may take to answer a request.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the arm may take to stand after the last word.
const STANDING: Duration = Duration::from_secs(5);

/// How long the last words of a guard that has ended may be on their way.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the guard listens.
    pub socket: PathBuf,
    /// Another port than the cell's.
    pub port: Option<PathBuf>,
    /// Episodes; without an end when `None`.
    pub episodes: Option<u32>,
    /// Time for all of them.
    pub time: Option<Duration>,
    /// How long a stopped arm waits for an operator; for ever when `None`.
    pub linger: Option<Duration>,
    /// Where runs are recorded; beside the cell file when `None`.
    pub runs: Option<PathBuf>,
    /// Whether the cell must have been approved.
    pub approval: Approval,
}

/// Whether a cell must have been approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Approval {
    /// What there is a lock for must be as it was approved.
    #[default]
    IfLocked,
    /// So must everything, and there must be a lock.
    Required,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Why it ended.
    pub end: End,
    /// Episodes and stops.
    pub tally: Tally,
    /// The guard's last status.
    pub status: Option<Box<crate::messages::Status>>,
}

/// A controller that is up: the guard holds the port, cameras deliver, the policy is warm.
pub struct Runner {
    guard: GuardProcess,
    link: SharedLink,
    planner: Planner,
    plan: job::Plan,
    report: RunnerReport,
    ledger: Arc<Ledger>,
    /// Keep what they stand for until the end.
    _frozen: Frozen,
    _watch: Watch,
    /// Keeps the cameras' tasks running.
    _runtime: tokio::runtime::Runtime,
}

/// Ends the controller from any thread, whatever the runner is doing: the arm stops at once.
#[derive(Debug, Clone)]
pub struct Stopper {
    link: SharedLink,
}

impl Stopper {
    /// Tells the guard to stop the arm and end; waits for nothing.
    pub fn end(&self) {
        let link = Arc::clone(&self.link.lock().unwrap_or_else(PoisonError::into_inner));
        link.end();
    }
}

impl Runner {
    /// Brings everything up; nothing moves and no torque is switched on.
    ///
    /// # Errors
    /// One line on what is missing, as configuration or hardware.
    pub fn start(setup: &Setup, options: &Options) -> Result<Runner, RunError> {
        let books = Books::open(setup, options)?;
        Self::bring_up(setup, options, &books).inspect_err(|error| books.refused(error))
    }

    fn bring_up(setup: &Setup, options: &Options, books: &Books) -> Result<Runner, RunError> {
        let frozen = Frozen::make(&setup.cell, &options.socket);
        let frozen = frozen.map_err(|error| {
            RunError::Hardware(format!("the cell's files can't be copied: {error}"))
        })?;
        let spec = GuardSpec {
            cell: setup.cell.file.clone(),
            port: options.port.clone(),
            socket: options.socket.clone(),
            frozen: Some(frozen.folder().to_owned()),
            tool_speed: None,
        };
        let mut guard = GuardProcess::start(&spec, Boot::Fresh)?;
        let ledger = &books.ledger;
        let audit = &ledger.audit;
        let started = Self::start_beside(&mut guard, setup, options, ledger);
        let started = started.and_then(|parts| books.still(setup).map(|()| parts));
        let watch = Watch::start(books.files(&setup.cell.file), Arc::clone(audit))
            .map_err(|error| RunError::Hardware(format!("no thread to watch files: {error}")));
        let started = started.and_then(|parts| Ok((parts, watch?)));
        if started.is_err() {
            // The guard has switched nothing on; it ends with the runner's connection or here.
            guard.end_idle();
        }
        let ((link, planner, plan, report, runtime), watch) = started?;
        let runner = Runner {
            guard,
            link,
            planner,
            plan,
            report,
            ledger: Arc::clone(ledger),
            _frozen: frozen,
            _watch: watch,
            _runtime: runtime,
        };
        books.make_latest(options);
        audit.add(
            "ready",
            &json!({
                "guard_pid": runner.guard_pid(),
                "backend": runner.report.backend.as_str(),
                "socket": options.socket,
            }),
        );
        Ok(runner)
    }

    fn start_beside(
        guard: &mut GuardProcess,
        setup: &Setup,
        options: &Options,
        ledger: &Arc<Ledger>,
    ) -> Result<
        (
            SharedLink,
            Planner,
            job::Plan,
            RunnerReport,
            tokio::runtime::Runtime,
        ),
        RunError,
    > {
        let (policy, backend) = setup.load_policy()?;
        let report = RunnerReport {
            pid: std::process::id(),
            job: name(&setup.job.name),
            backend: name(&backend),
            service: ledger.service.due(),
            ..RunnerReport::default()
        };
        let link = Arc::new(guard.connect(&report, Some(ledger), BRING_UP)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("cameras")
            .enable_all()
            .build()
            .map_err(|error| RunError::Hardware(format!("no threads for the cameras: {error}")))?;
        let link: SharedLink = Arc::new(Mutex::new(link));
        let audit = Some(&ledger.audit);
        let planner = start_planner(setup, policy, &link, &runtime, audit, None)?;
        let plan = job::Plan {
            episodes: options.episodes,
            time: options.time,
            episode: setup.job.episode,
            start: setup.start_pose()?,
            linger: options.linger,
        };
        Ok((link, planner, plan, report, runtime))
    }

    /// What stops the arm at once.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper {
            link: Arc::clone(&self.link),
        }
    }

    /// The guard's process id.
    #[must_use]
    pub fn guard_pid(&self) -> u32 {
        self.current().guard_pid
    }

    fn current(&self) -> Arc<GuardLink> {
        Arc::clone(&self.link.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The deliberate act of starting: reset, torque on where the arm is, follow plans.
    fn engage(&self) -> Result<(), RunError> {
        let link = self.current();
        for request in [Request::Reset, Request::Enable, Request::Start] {
            let began = Instant::now();
            loop {
                match link.request(request, ANSWER) {
                    Ok(()) => break,
                    // A reset wants every servo read in that very tick: ask again for a while.
                    Err(Some(Refusal::CausePresent)) if began.elapsed() < ANSWER => {
                        link.wait_news(Duration::from_millis(20));
                    }
                    // The job waits for an operator who holds what must be held.
                    Err(Some(refusal @ (Refusal::NotEnabled { .. } | Refusal::HoldNeeded))) => {
                        tracing::warn!("not started: {}", named(&link, refusal));
                        return Ok(());
                    }
                    Err(refusal) => {
                        let why = refusal.map_or("no answer".into(), |r| named(&link, r));
                        let cause = link.latest().and_then(|t| t.cause);
                        return Err(RunError::Hardware(refused(request, &why, cause)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs the job and ends the controller in order: the arm stands and holds, the guard ends.
    ///
    /// # Errors
    /// When the guard refuses to start, or is lost for good.
    pub fn run(
        self,
        judge: &mut dyn Judge,
        told_to_end: &AtomicBool,
        events: &mut dyn FnMut(Event),
    ) -> Result<Summary, RunError> {
        let ledger = Arc::clone(&self.ledger);
        let outcome = self.run_job(judge, told_to_end, &mut |event| {
            books::event(&ledger.audit, &event);
            events(event);
        });
        ledger.service.save();
        books::ended(&ledger.audit, &outcome);
        outcome
    }

    fn run_job(
        mut self,
        judge: &mut dyn Judge,
        told_to_end: &AtomicBool,
        events: &mut dyn FnMut(Event),
    ) -> Result<Summary, RunError> {
        let engaged = match self.engage() {
            // A signal has stopped the arm meanwhile, which is no failure.
            Err(_) if told_to_end.load(Ordering::Relaxed) => Ok(()),
            engaged => engaged,
        };
        let outcome = engaged.and_then(|()| {
            let planner = &self.planner;
            let mut arm = WatchedArm {
                guard: &mut self.guard,
                link: &self.link,
                report: &mut self.report,
                ledger: &self.ledger,
            };
            job::run(&self.plan, &mut arm, planner, judge, told_to_end, events).map_err(|why| {
                match planner.refused() {
                    Some(refused) => RunError::Configuration(refused),
                    None => RunError::Hardware(why),
                }
            })
        });
        let status = self.end(events);
        let (end, tally) = outcome?;
        Ok(Summary { end, tally, status })
    }

    /// Stops the arm, lets it hold or be parked, ends the guard. Gives the guard's last status.
    fn end(mut self, events: &mut dyn FnMut(Event)) -> Option<Box<crate::messages::Status>> {
        let link = self.current();
        let status = link.status(ANSWER);
        // A guard that is gone already has nothing left to be asked.
        let _ = link.request(Request::Shutdown, ANSWER);
        let mut began = Instant::now();
        let mut told = false;
        while !self.guard.wait_end(Duration::from_millis(50)) {
            if link
                .latest()
                .is_some_and(|latest| latest.mode == Mode::Parking)
            {
                // However long the way is: what goes wrong on it is a stop.
                began = Instant::now();
                if !std::mem::replace(&mut told, true) {
                    let cause = link.latest().and_then(|latest| latest.cause);
                    events(Event::Mode(Mode::Parking, cause));
                }
            }
            if began.elapsed() > STANDING {
                tracing::error!(
                    "the guard (process {}) has not ended; it holds the arm",
                    link.guard_pid
                );
                break;
            }
        }
        // What the guard said last is heard before its connection is given up.
        let began = Instant::now();
        while link.guard() == GuardState::Up && began.elapsed() < LAST_WORDS {
            link.wait_news(Duration::from_millis(20));
        }
        status
    }
}

/// Starts the cameras of `setup` on `runtime`, waits for their first pictures, warms `policy` up and
/// lets it plan for the guard behind `link`. What it watches goes into `audit`, and each plan of the
/// policy is told to `tell`.
///
/// # Errors
/// When a camera gives no picture, or the policy's graph can't be run.
pub fn start_planner(
    setup: &Setup,
    mut policy: Policy,
    link: &SharedLink,
    runtime: &tokio::runtime::Runtime,
    audit: Option<&Arc<Audit>>,
    tell: Option<Sender<SentPlan>>,
) -> Result<Planner, RunError> {
    let cameras = runtime.block_on(setup.start_cameras())?;
    policy
        .warm_up()
        .map_err(|error| RunError::Configuration(error.to_string()))?;
    let rules = setup.chunk_rules(policy.package());
    let pace = setup.pace(&rules, policy.package());
    let held_up = setup.cell.inference.held_up;
    if held_up.is_some() {
        tracing::warn!("inference is held up on purpose: `inference.held_up` is for trials");
    }
    Planner::start(Parts {
        link: Arc::clone(link),
        cameras: Arc::new(cameras),
        runtime: runtime.handle().clone(),
        policy,
        limits: setup.limits(),
        first_plan: setup.cell.control.first_plan,
        chunks: Chunks::new(rules),
        pace,
        max_guidance_weight: setup.job.chunks.max_guidance_weight,
        held_up: held_up.map(HeldUp::new),
        tell,
        watching: Watching::new(Monitors::new(&setup.cell.watch), audit.cloned()),
    })
    .map_err(|error| RunError::Hardware(format!("no thread for the planner: {error}")))
}

/// One line on a request that the guard refused.
fn refused(request: Request, why: &str, cause: Option<Cause>) -> String {
    let names = crate::messages::Names::NONE;
    let cause = cause.map_or(String::new(), |cause| {
        format!(": {}; {}", cause.text(&names), cause.remedy())
    });
    let request = format!("{request:?}").to_lowercase();
    format!("the guard refused to {request}: {why}{cause}")
}

/// A refusal with the names of what it speaks of.
fn named(link: &GuardLink, refusal: Refusal) -> String {
    match link.status(ANSWER) {
        Some(status) => status.with_names(|names| refusal.text(names)),
        None => refusal.text(&crate::messages::Names::NONE),
    }
}

/// The guard under watch: a lost one is replaced.
struct WatchedArm<'a> {
    guard: &'a mut GuardProcess,
    link: &'a SharedLink,
    report: &'a mut RunnerReport,
    ledger: &'a Arc<Ledger>,
}

impl WatchedArm<'_> {
    fn current(&self) -> Arc<GuardLink> {
        Arc::clone(&self.link.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&mut self, lost: GuardState) -> Result<u32, GuardError> {
        tracing::error!("the guard is {lost:?}; replacing it");
        let how = format!("{lost:?}").to_lowercase();
        let pid = self.current().guard_pid;
        let audit = &self.ledger.audit;
        audit.add("guard_lost", &json!({"guard_pid": pid, "how": how}));
        self.guard.replace()?;
        audit.guard_replaced();
        let fresh = self
            .guard
            .connect(self.report, Some(self.ledger), TAKE_OVER)?;
        let fresh = Arc::new(fresh);
        let pid = fresh.guard_pid;
        audit.add("guard_replaced", &json!({"guard_pid": pid}));
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(pid)
    }
}

impl Arm for WatchedArm<'_> {
    fn observe(&mut self, events: &mut dyn FnMut(Event)) -> Result<Seen, String> {
        let link = self.current();
        link.wait_news(Duration::from_millis(20));
        let health = self.ledger.audit.health();
        if health != self.report.log {
            self.report.log = health;
            link.report(|report| report.log = health);
        }
        let due = self.ledger.service.due();
        if due != self.report.service {
            self.report.service.clone_from(&due);
            link.report(|report| report.service = due);
        }
        match link.guard() {
            GuardState::Up => Ok(link
                .latest()
                .map_or(Seen::At(Mode::Stopped, None), |t| Seen::At(t.mode, t.cause))),
            GuardState::Gone if self.guard.ended_in_order() => Ok(Seen::Ended),
            lost @ (GuardState::Gone | GuardState::Frozen) => {
                let pid = self.replace(lost).map_err(|error| error.to_string())?;
                events(Event::GuardReplaced(pid));
                Ok(Seen::At(Mode::Stopped, Some(Cause::GuardReplaced)))
            }
        }
    }

    fn episode(&mut self, index: u32) {
        self.report.episode = index;
        self.current().report(|report| report.episode = index);
    }
}
