//! The runner: cameras, policy and job; everything that may be slow or crash.
//!
//! Owns the order of starting and ending, and the watch over the guard. Its death, silence or
//! starvation is a stop; that is the guard's to see to.

pub mod arms;
mod bond;
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
mod replug;
mod service;
mod setup;
mod sight;
mod starving;
mod watch;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use arms::{CellLink, SharedLink};
use books::Books;
use chunks::Chunks;
use frozen::Frozen;
use guard_process::{Boot, GuardProcess, GuardSpec};
use held_up::HeldUp;
use job::{End, Event, Judge, Tally, Why};
use ledger::Ledger;
use link::{GuardLink, GuardState};
use monitors::Monitors;
use planner::{Parts, Planner, SentPlan, Watching};
use replug::Replug;
use watch::Watch;
use watched::WatchedArms;

pub use policy_arm::{PolicyArm, PolicyArms};
pub use setup::{ArmSetup, RunError, Setup, overridden};

use serde_json::json;

use crate::messages::channel::arm_socket;
use crate::messages::{Cause, Mode, Refusal, Request, RunnerReport, Telemetry, name};
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
    /// Where the guard listens; those of two arms, in a folder beside it.
    pub socket: PathBuf,
    /// Another port than the cell's, of one arm.
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
    /// The last status of each arm's guard.
    pub statuses: Vec<Option<Box<crate::messages::Status>>>,
}

/// A controller that is up: its guards hold their ports, cameras deliver, the policy is warm.
pub struct Runner {
    /// In the order of the cell's arms, as the logs.
    guards: Vec<GuardProcess>,
    ports: Vec<Replug>,
    link: SharedLink,
    planner: Planner,
    plan: job::Plan,
    report: RunnerReport,
    /// What is written down of each arm, in the cell's order.
    ledgers: Vec<Arc<Ledger>>,
    audit: Arc<Audit>,
    /// Keep what they stand for until the end.
    _frozen: Vec<Frozen>,
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
    /// Tells every guard to stop its arm and end; waits for nothing.
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
        let (mut guards, mut frozen) = (Vec::new(), Vec::new());
        for arm in &setup.arms {
            let started = start_guard(arm, options);
            if started.is_err() {
                guards.iter_mut().for_each(GuardProcess::end_idle);
            }
            let (guard, copies) = started?;
            guards.push(guard);
            frozen.push(copies);
        }
        let audit = &books.audit;
        let started = Self::start_beside(&mut guards, setup, options, books);
        let started = started.and_then(|parts| books.still(setup).map(|()| parts));
        let mut cells: Vec<&Path> = setup
            .arms
            .iter()
            .map(|arm| arm.cell.file.as_path())
            .collect();
        if setup.arms.len() > 1 {
            cells.push(&setup.cell.file);
        }
        let watch = Watch::start(books.files(cells), Arc::clone(audit))
            .map_err(|error| RunError::Hardware(format!("no thread to watch files: {error}")));
        let started = started.and_then(|parts| Ok((parts, watch?)));
        if started.is_err() {
            // The guards have switched nothing on; they end with the runner's connection or here.
            guards.iter_mut().for_each(GuardProcess::end_idle);
        }
        let ((link, planner, plan, report, runtime), watch) = started?;
        let ports = setup.arms.iter();
        let ports = ports.map(|arm| Replug::new(arm.cell.bus.port.clone()));
        let runner = Runner {
            guards,
            ports: ports.collect(),
            ledgers: books.arms.clone(),
            link,
            planner,
            plan,
            report,
            audit: Arc::clone(audit),
            _frozen: frozen,
            _watch: watch,
            _runtime: runtime,
        };
        books.make_latest(options);
        for (arm, pid) in books.arms.iter().zip(runner.guard_pids()) {
            arm.audit.add_of_arm(
                "ready",
                json!({
                    "guard_pid": pid,
                    "backend": runner.report.backend.as_str(),
                    "socket": options.socket,
                }),
            );
        }
        Ok(runner)
    }

    fn start_beside(
        guards: &mut [GuardProcess],
        setup: &Setup,
        options: &Options,
        books: &Books,
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
            ..RunnerReport::default()
        };
        let mut links = Vec::new();
        for (guard, ledger) in guards.iter_mut().zip(&books.arms) {
            let report = ledger.report(&report);
            links.push(Arc::new(guard.connect(&report, Some(ledger), BRING_UP)?));
        }
        let cell = CellLink::new(links);
        bond::tie(&cell);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("cameras")
            .enable_all()
            .build()
            .map_err(|error| RunError::Hardware(format!("no threads for the cameras: {error}")))?;
        let link = cell.share();
        let planner = start_planner(setup, policy, &link, &runtime, Some(&books.audit), None)?;
        let plan = job::Plan {
            episodes: options.episodes,
            time: options.time,
            episode: setup.job.episode,
            start: setup.start_poses()?,
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

    /// The guards' process ids, in the order of the arms.
    #[must_use]
    pub fn guard_pids(&self) -> Vec<u32> {
        let cell = self.current();
        cell.arms().iter().map(|arm| arm.guard_pid).collect()
    }

    fn current(&self) -> Arc<CellLink> {
        Arc::clone(&self.link.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The deliberate act of starting: reset, torque on where the arms are, follow plans. All arms
    /// have taken one step before the first takes the next.
    fn engage(&self) -> Result<(), RunError> {
        let cell = self.current();
        let steps = [Request::Reset, Request::Enable, Request::Start];
        let each = steps
            .iter()
            .flat_map(|step| cell.arms().iter().map(move |arm| (*step, arm)));
        for (request, link) in each {
            let began = Instant::now();
            loop {
                match link.request(request, ANSWER) {
                    Ok(()) => break,
                    // It wants every servo read in that very tick: ask again for a while.
                    Err(Some(refusal)) if refusal.may_pass() && began.elapsed() < ANSWER => {
                        link.wait_news(Duration::from_millis(20));
                    }
                    // The job waits for an operator who holds what must be held.
                    Err(Some(refusal @ (Refusal::NotEnabled { .. } | Refusal::HoldNeeded))) => {
                        tracing::warn!("not started: {}", named(link, refusal));
                        // What has started waits with the others.
                        cell.pause();
                        return Ok(());
                    }
                    Err(refusal) => {
                        let why = refusal.map_or("no answer".into(), |r| named(link, r));
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
        let (audit, ledgers) = (Arc::clone(&self.audit), self.ledgers.clone());
        let outcome = self.run_job(judge, told_to_end, &mut |event| {
            books::event(&audit, &event);
            events(event);
        });
        ledgers.iter().for_each(|ledger| ledger.service.save());
        books::ended(&audit, &outcome);
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
            let mut arm = WatchedArms {
                guards: &mut self.guards,
                ports: &mut self.ports,
                ledgers: &self.ledgers,
                link: &self.link,
                report: &mut self.report,
            };
            job::run(&self.plan, &mut arm, planner, judge, told_to_end, events).map_err(|why| {
                match planner.refused() {
                    Some(refused) => RunError::Configuration(refused),
                    None => RunError::Hardware(why),
                }
            })
        });
        let statuses = self.end(events);
        let (end, tally) = outcome?;
        Ok(Summary {
            end,
            tally,
            statuses,
        })
    }

    /// Stops the arms, lets them hold or be parked, ends the guards. Gives each guard's last status.
    fn end(mut self, events: &mut dyn FnMut(Event)) -> Vec<Option<Box<crate::messages::Status>>> {
        let cell = self.current();
        let arms = cell.arms();
        let statuses = arms.iter().map(|arm| arm.status(ANSWER)).collect();
        cell.end();
        let mut began = Instant::now();
        let mut told = false;
        for (guard, link) in self.guards.iter_mut().zip(arms) {
            while !guard.wait_end(Duration::from_millis(50)) {
                let parks = |tick: &Telemetry| tick.mode == Mode::Parking;
                let parking = arms
                    .iter()
                    .enumerate()
                    .filter(|(_, arm)| arm.guard() == GuardState::Up)
                    .find_map(|(index, arm)| Some((index, arm.latest().filter(parks)?)));
                if let Some((arm, tick)) = parking {
                    // However long the way is: what goes wrong on it is a stop.
                    began = Instant::now();
                    if !std::mem::replace(&mut told, true) {
                        let why = tick.cause.map(|cause| Why { arm, cause });
                        events(Event::Mode(Mode::Parking, why));
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
        }
        // What the guards said last is heard before their connections are given up.
        let began = Instant::now();
        for link in arms {
            while link.guard() == GuardState::Up && began.elapsed() < LAST_WORDS {
                link.wait_news(Duration::from_millis(20));
            }
        }
        statuses
    }
}

/// Starts the guard of `arm`, with copies of the files it is made from.
fn start_guard(arm: &ArmSetup, options: &Options) -> Result<(GuardProcess, Frozen), RunError> {
    let socket = arm_socket(&options.socket, &arm.name)
        .map_err(|error| RunError::Hardware(format!("no folder for the arms' sockets: {error}")))?;
    let frozen = Frozen::make(&arm.cell, &socket).map_err(|error| {
        RunError::Hardware(format!("the cell's files can't be copied: {error}"))
    })?;
    let spec = GuardSpec {
        cell: arm.cell.file.clone(),
        port: options.port.clone(),
        socket,
        frozen: Some(frozen.folder().to_owned()),
        tool_speed: None,
    };
    Ok((GuardProcess::start(&spec, Boot::Fresh)?, frozen))
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
        rules,
        chunks: setup.arms.iter().map(|_| Chunks::new(rules)).collect(),
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
