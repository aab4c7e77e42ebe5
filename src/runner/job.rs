//! A job: episodes of one policy, one after the other.
//!
//! Owns the order of an episode (go to the start, let the policy work, judge) and what happens
//! when the guard stops the arm in the middle. Never touches a plan.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::planner::{Planner, Task};
use crate::messages::{Cause, Mode};
use crate::units::{JointVec, Rad};

/// Says whether an episode succeeded, by looking at the world and not at the controller.
pub trait Judge {
    /// A new episode begins.
    ///
    /// # Errors
    /// When the world can't be prepared.
    fn begin(&mut self, index: u32) -> Result<(), String>;

    /// `Some` once the episode is decided.
    fn verdict(&mut self) -> Option<bool>;

    /// What an episode is whose time ran out undecided.
    fn timed_out(&self) -> Option<bool>;
}

/// Nobody judges: episodes end by time.
#[derive(Debug, Default)]
pub struct NoJudge;

impl Judge for NoJudge {
    fn begin(&mut self, _index: u32) -> Result<(), String> {
        Ok(())
    }
    fn verdict(&mut self) -> Option<bool> {
        None
    }
    fn timed_out(&self) -> Option<bool> {
        None
    }
}

/// Why an arm stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Why {
    /// Which arm, from 0 in the cell's order: joints and inputs in the cause are its own.
    pub arm: usize,
    /// Its cause.
    pub cause: Cause,
}

/// What a job tells while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The cell's mode changed: that of the arm that is farthest from running.
    Mode(Mode, Option<Why>),
    /// A guard was lost and replaced.
    GuardReplaced {
        /// Whose, from 0 in the cell's order.
        arm: usize,
        /// The new one's process id.
        pid: u32,
    },
    /// An episode ended; `None` when nobody judged it.
    Episode {
        /// Index from 0.
        index: u32,
        /// Whether it succeeded.
        success: Option<bool>,
        /// How long the policy worked.
        seconds: f64,
    },
}

/// How many episodes, and how long in all.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Episodes; without an end when `None`.
    pub episodes: Option<u32>,
    /// Time for all of them.
    pub time: Option<Duration>,
    /// Time for one.
    pub episode: Duration,
    /// Where each begins, of every arm.
    pub start: Vec<JointVec<Rad>>,
    /// How long a stopped arm waits for an operator to go on; for ever when `None`.
    pub linger: Option<Duration>,
}

/// What came of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Episodes that ended.
    pub episodes: u32,
    /// Of these, judged successful.
    pub succeeded: u32,
    /// Of these, judged at all.
    pub judged: u32,
    /// Stops of the arm.
    pub stops: u32,
}

/// Why a job ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// All episodes, or the time, are over.
    Finished,
    /// Somebody wants the program to end.
    Told,
    /// The arm was stopped and nobody let it go on.
    Stopped(Why),
}

/// What is seen of the guards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen {
    /// It runs.
    At(Mode, Option<Why>),
    /// It was told to end and did, the arm standing.
    Ended,
}

/// The guards as the job sees them: as one.
pub trait Arm {
    /// Mode and cause, after waiting a little for news; replaces a lost guard.
    ///
    /// # Errors
    /// When there is no guard and none can be made.
    fn observe(&mut self, events: &mut dyn FnMut(Event)) -> Result<Seen, String>;
    /// Tells the guard which episode is running.
    fn episode(&mut self, index: u32);
}

/// Runs episodes until `plan` is fulfilled, the arm is stopped for good, or `told_to_end`.
///
/// # Errors
/// When the guard or the world is lost for good, or the policy must not lead this arm.
pub fn run(
    plan: &Plan,
    arm: &mut dyn Arm,
    planner: &Planner,
    judge: &mut dyn Judge,
    told_to_end: &AtomicBool,
    events: &mut dyn FnMut(Event),
) -> Result<(End, Tally), String> {
    let mut tally = Tally::default();
    let began = Instant::now();
    let mut shown = None;
    let mut stage = Stage::Waiting;
    let mut stopped_since: Option<Instant> = None;
    loop {
        if told_to_end.load(Ordering::Relaxed) {
            return Ok((End::Told, tally));
        }
        let Seen::At(mode, cause) = arm.observe(events)? else {
            return Ok((End::Told, tally));
        };
        if let Some(why) = planner.refused() {
            return Err(why);
        }
        if shown != Some((mode, cause)) {
            shown = Some((mode, cause));
            events(Event::Mode(mode, cause));
        }
        if mode == Mode::Running {
            stopped_since = None;
        } else {
            if !matches!(stage, Stage::Waiting) {
                // Whatever was going on is over; a later start begins an episode anew.
                let (index, seconds) = stage.abandoned();
                if let Some(index) = index {
                    tally.episodes += 1;
                    events(Event::Episode {
                        index,
                        success: Some(false),
                        seconds,
                    });
                }
                tally.stops += u32::from(mode != Mode::Holding);
                stage = Stage::Waiting;
                planner.set(Task::Stand);
            }
            let since = *stopped_since.get_or_insert_with(Instant::now);
            if let (Some(linger), Mode::Stopped | Mode::Stopping, Some(cause)) =
                (plan.linger, mode, cause)
                && since.elapsed() > linger
            {
                return Ok((End::Stopped(cause), tally));
            }
            continue;
        }
        let over = plan.episodes.is_some_and(|wanted| tally.episodes >= wanted)
            || plan.time.is_some_and(|time| began.elapsed() >= time);
        stage = match stage {
            Stage::Waiting if over => return Ok((End::Finished, tally)),
            Stage::Waiting => {
                arm.episode(tally.episodes);
                judge.begin(tally.episodes)?;
                planner.set(Task::GoTo(plan.start.clone()));
                Stage::GoingToStart
            }
            Stage::GoingToStart if planner.progress().arrived => {
                planner.set(Task::Policy);
                Stage::Working {
                    index: tally.episodes,
                    since: Instant::now(),
                }
            }
            Stage::GoingToStart => stage,
            Stage::Working { index, since } => {
                let verdict = judge.verdict();
                if verdict.is_some() || over || since.elapsed() >= plan.episode {
                    let judged = verdict.or(judge.timed_out());
                    tally.episodes += 1;
                    tally.judged += u32::from(judged.is_some());
                    tally.succeeded += u32::from(judged == Some(true));
                    events(Event::Episode {
                        index,
                        success: judged,
                        seconds: since.elapsed().as_secs_f64(),
                    });
                    planner.set(Task::Stand);
                    Stage::Waiting
                } else {
                    stage
                }
            }
        };
    }
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Waiting,
    GoingToStart,
    Working { index: u32, since: Instant },
}

impl Stage {
    fn abandoned(self) -> (Option<u32>, f64) {
        match self {
            Stage::Waiting | Stage::GoingToStart => (None, 0.0),
            Stage::Working { index, since } => (Some(index), since.elapsed().as_secs_f64()),
        }
    }
}
