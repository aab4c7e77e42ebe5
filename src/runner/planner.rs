//! The planner: the one thread that sends plans.
//!
//! Owns the policy and its clock: it looks at the newest pictures, asks the policy, and hands the
//! guard timed plans; between episodes it moves the arm to its start and lets it stand. It
//! follows the guard's mode and never asks for one.

mod asking;
mod watching;

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

use super::arms::{CellLink, SharedLink};
use super::chunks::{Chunks, Pace, Rules};
use super::held_up::HeldUp;
use super::moves;
use super::sight::Looks;
use super::starving::Starving;
use crate::arm::JointLimits;
use crate::camera::Cameras;
use crate::messages::channel::buffer;
use crate::messages::{Mode, Plan, Telemetry};
use crate::policy::Policy;
use crate::realtime;
use crate::stats::Times;
use crate::units::{JointVec, MonoTime, Rad};

/// A standing plan is renewed this often; it lasts longer.
const RENEW: Duration = Duration::from_millis(150);
/// The start is reached when every joint is measured this near to it.
const ARRIVED_RAD: f64 = 0.08;

pub use watching::Watching;

/// A picture that came this lately is used at once.
const FRESH: Duration = Duration::from_millis(2);
/// The next one is waited for as long as this, more than a camera of 30 pictures a second takes.
const PATIENCE: Duration = Duration::from_millis(40);
/// How long a picture is waited for before all else is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(4);

/// What the arms should be doing while all their guards are `Running`.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Stand where it is.
    Stand,
    /// Go to a pose, one an arm, then stand there.
    GoTo(Vec<JointVec<Rad>>),
    /// Do what the policy says.
    Policy,
}

/// How far the planner is with its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The pose of [`Task::GoTo`] is reached.
    pub arrived: bool,
    /// Plans of the policy sent since the task was set.
    pub plans: u64,
}

#[derive(Debug)]
struct Desk {
    task: Task,
    /// Rises with every new task, so that setting the same one again begins it anew.
    version: u64,
    progress: Progress,
    /// Why the policy must not lead this arm.
    refused: Option<String>,
    closing: bool,
}

/// The planner's handle.
#[derive(Debug)]
pub struct Planner {
    desk: Arc<Mutex<Desk>>,
    thread: Option<JoinHandle<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A plan of the policy that has just been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPlan {
    /// When the newest of its pictures was taken.
    pub newest_at: MonoTime,
    /// How long the inference took, with all that is done to pictures and actions.
    pub inference_ns: u64,
    /// When it was sent.
    pub sent_at: MonoTime,
}

/// What the planner thread is made of.
pub struct Parts {
    /// To the guards.
    pub link: SharedLink,
    /// The running cameras.
    pub cameras: Arc<Cameras>,
    /// The policy, ready to run.
    pub policy: Policy,
    /// The limits of each arm's joints, for moves of its own.
    pub limits: Vec<JointVec<JointLimits>>,
    /// How long the arm stands for the first plan.
    pub first_plan: Duration,
    /// How the policy's chunks become one plan.
    pub rules: Rules,
    /// Those of each arm so far.
    pub chunks: Vec<Chunks>,
    /// When it is asked for the next.
    pub pace: Pace,
    /// The most that a graph made for real-time chunking is led by the chunk before.
    pub max_guidance_weight: f64,
    /// By how much inference is held up on purpose.
    pub(super) held_up: Option<HeldUp>,
    /// Where the cameras' tasks run.
    pub runtime: Handle,
    /// Who is told of each plan of the policy.
    pub tell: Option<Sender<SentPlan>>,
    /// What is watched meanwhile.
    pub watching: Watching,
}

impl Planner {
    /// Starts the thread; its first task is to stand.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(parts: Parts) -> std::io::Result<Planner> {
        let desk = Arc::new(Mutex::new(Desk {
            task: Task::Stand,
            version: 0,
            progress: Progress::default(),
            refused: None,
            closing: false,
        }));
        let shared = Arc::clone(&desk);
        let thread = std::thread::Builder::new()
            .name("planner".into())
            .spawn(move || Work::new(parts).run(&shared))?;
        Ok(Planner {
            desk,
            thread: Some(thread),
        })
    }

    /// Sets the task, from its beginning.
    pub fn set(&self, task: Task) {
        let mut desk = locked(&self.desk);
        desk.task = task;
        desk.version += 1;
        desk.progress = Progress::default();
    }

    /// Why the policy was not let lead, when it was not: what it saw first is nothing like what it
    /// was trained on.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        locked(&self.desk).refused.clone()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        locked(&self.desk).progress
    }
}

impl Drop for Planner {
    fn drop(&mut self) {
        locked(&self.desk).closing = true;
        if let Some(thread) = self.thread.take() {
            // A planner that panicked has already let the guard's lease of plans run out.
            let _ = thread.join();
        }
    }
}

/// The thread's own state.
struct Work {
    parts: Parts,
    bytes: Box<[u8; crate::messages::MAX_MESSAGE]>,
    next_id: u64,
    /// The version of the task being done, and where it stands; `None` outside `Running`.
    doing: Option<(u64, Stage)>,
    inference: Times,
    /// What the policy is shown.
    looks: Looks,
    /// Whether there will be another plan.
    starving: Starving,
}

#[derive(Debug, Clone)]
enum Stage {
    Standing {
        /// Of each arm.
        pose: Vec<JointVec<Rad>>,
        renew_at: MonoTime,
    },
    Moving {
        goal: Vec<JointVec<Rad>>,
        until: MonoTime,
    },
    Policy {
        next_at: MonoTime,
        seen: MonoTime,
    },
}

/// A plan of the policy that was sent.
struct Sent {
    /// When its pictures were taken.
    captured_at: MonoTime,
    /// When its last action is due.
    runs_out: MonoTime,
    /// When the last of its actions is due that are meant to be executed, where not all are, and the
    /// time from one to the next.
    executed: Option<(MonoTime, Duration)>,
}

impl Work {
    fn new(parts: Parts) -> Work {
        Work {
            looks: Looks::of(parts.policy.package()),
            starving: Starving::default(),
            parts,
            bytes: buffer(),
            next_id: 1,
            doing: None,
            inference: Times::new(),
        }
    }

    fn run(mut self, desk: &Mutex<Desk>) {
        loop {
            let (task, version, closing) = {
                let desk = locked(desk);
                (desk.task.clone(), desk.version, desk.closing)
            };
            if closing {
                return;
            }
            let link = Arc::clone(&locked(&self.parts.link));
            match link.latest() {
                Some(arms) if arms.iter().all(|arm| arm.mode == Mode::Running) => {
                    self.step(&link, &arms, task, version, desk);
                }
                _ => self.doing = None,
            }
            self.wait(&link);
        }
    }

    /// Waits for the next thing that may be worth a step: a picture, when the policy is to be asked,
    /// or a word of the guard's.
    fn wait(&self, link: &CellLink) {
        match &self.doing {
            Some((_, Stage::Policy { next_at, .. }))
                if self.looks == Looks::Pictures && realtime::now() >= *next_at =>
            {
                let arrival = self.parts.cameras.arrival();
                let arrival = async { tokio::time::timeout(LOOK_AGAIN, arrival).await };
                // Either way there may be something to do.
                let _ = self.parts.runtime.block_on(arrival);
            }
            _ => link.wait_news(Duration::from_millis(20)),
        }
    }

    /// Whether a policy that was to be asked at `next_at` should be now: a picture has just come, or
    /// none will.
    fn is_time(&self, now: MonoTime, next_at: MonoTime) -> bool {
        let arrived = self.parts.cameras.newest_arrival();
        let fresh = arrived.is_some_and(|at| now.since(at) <= realtime::nanos(FRESH));
        let pictures = self.looks == Looks::Pictures;
        now >= next_at && (!pictures || fresh || now.since(next_at) > realtime::nanos(PATIENCE))
    }

    fn step(
        &mut self,
        link: &CellLink,
        telemetry: &[Telemetry],
        task: Task,
        version: u64,
        desk: &Mutex<Desk>,
    ) {
        let now = realtime::now();
        if let Some((camera, fault)) = self.parts.cameras.faults(now).next() {
            link.trip(fault.cause(camera));
            return;
        }
        let stage = match self.doing.take() {
            Some((doing, stage)) if doing == version => stage,
            _ => self.begin(link, telemetry, task, now),
        };
        if let Stage::Policy { .. } = stage {
            let Parts {
                watching,
                chunks,
                cameras,
                ..
            } = &mut self.parts;
            watching.look(link, chunks, cameras, now);
        }
        let stage = self.go_on(link, telemetry, stage, now, desk);
        self.doing = Some((version, stage));
    }

    fn begin(
        &mut self,
        link: &CellLink,
        telemetry: &[Telemetry],
        task: Task,
        now: MonoTime,
    ) -> Stage {
        self.parts.policy.begin();
        self.starving = Starving::default();
        match task {
            Task::Stand => Stage::Standing {
                pose: telemetry.iter().map(|arm| arm.command).collect(),
                renew_at: now,
            },
            Task::GoTo(goal) => {
                let id = self.take_id();
                let arms = telemetry.iter().zip(&goal).zip(&self.parts.limits);
                let moves = arms.map(|((arm, goal), limits)| {
                    moves::joint_move(id, now, &arm.command, goal, limits)
                });
                let (ends, plans): (Vec<MonoTime>, Vec<Plan>) =
                    moves.map(|motion| (motion.end, motion.plan)).unzip();
                link.send_plans(plans, self.bytes.as_mut_slice());
                Stage::Moving {
                    goal,
                    until: ends.into_iter().max().unwrap_or(now),
                }
            }
            Task::Policy => {
                // The arm stands until the first plan of the policy is there.
                self.parts.chunks.iter_mut().for_each(Chunks::restart);
                self.parts.watching.begin(link);
                let id = self.take_id();
                let time = self.parts.first_plan;
                let stands = telemetry.iter();
                let stands = stands.map(|arm| moves::stand_for(id, now, &arm.command, time));
                let stands: Vec<Plan> = stands.collect();
                let end = stands.iter().map(Plan::end).min();
                self.starving.fed_until(end.unwrap_or(now));
                link.send_plans(stands, self.bytes.as_mut_slice());
                Stage::Policy {
                    next_at: now,
                    seen: MonoTime(0),
                }
            }
        }
    }

    fn go_on(
        &mut self,
        link: &CellLink,
        telemetry: &[Telemetry],
        stage: Stage,
        now: MonoTime,
        desk: &Mutex<Desk>,
    ) -> Stage {
        match stage {
            Stage::Standing { pose, renew_at } if now >= renew_at => {
                let id = self.take_id();
                let stands = pose.iter().map(|pose| moves::stand(id, now, pose));
                link.send_plans(stands.collect(), self.bytes.as_mut_slice());
                Stage::Standing {
                    pose,
                    renew_at: MonoTime(now.0 + realtime::nanos(RENEW)),
                }
            }
            Stage::Moving { goal, until } if now >= until => {
                let far = telemetry.iter().zip(&goal).any(|(arm, goal)| {
                    let mut joints = arm.measured.iter().zip(goal);
                    joints.any(|(is, goal)| (is.0 - goal.0).abs() > ARRIVED_RAD)
                });
                locked(desk).progress.arrived = !far;
                if far {
                    // The limiter re-timed the move: aim at the end of it again.
                    self.begin(link, telemetry, Task::GoTo(goal), now)
                } else {
                    Stage::Standing {
                        pose: goal,
                        renew_at: now,
                    }
                }
            }
            Stage::Policy { .. } if self.starving.is() => {
                if let Some(cause) = self.starving.over(now) {
                    link.trip(cause);
                }
                stage
            }
            Stage::Policy { next_at, seen } if self.is_time(now, next_at) => {
                match self.plan(link, seen, desk) {
                    Some(sent) => {
                        locked(desk).progress.plans += 1;
                        let pace = &self.parts.pace;
                        let next_at = pace.next(now, sent.runs_out);
                        let executed = sent
                            .executed
                            .map(|(done, step)| pace.executed(now, done, step));
                        Stage::Policy {
                            next_at: executed.map_or(next_at, |at| at.min(next_at)),
                            seen: sent.captured_at,
                        }
                    }
                    None => stage,
                }
            }
            Stage::Policy { .. } => {
                self.see(link);
                stage
            }
            Stage::Standing { .. } | Stage::Moving { .. } => stage,
        }
    }

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}
