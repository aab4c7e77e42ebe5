//! The planner: the one thread that sends plans.
//!
//! Owns the policy and its clock: it looks at the newest pictures, asks the policy, and hands the
//! guard timed plans; between episodes it moves the arm to its start and lets it stand. It
//! follows the guard's mode and never asks for one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::link::GuardLink;
use super::moves;
use crate::arm::JointLimits;
use crate::camera::Cameras;
use crate::messages::channel::buffer;
use crate::messages::{Mode, Percentiles, Telemetry};
use crate::policy::{Observation, Picture, Policy};
use crate::realtime;
use crate::stats::Times;
use crate::units::{JointVec, MonoTime, Rad};

/// A standing plan is renewed this often; it lasts longer.
const RENEW: Duration = Duration::from_millis(150);
/// The start is reached when every joint is measured this near to it.
const ARRIVED_RAD: f64 = 0.08;

/// How much earlier than its latency asks for a plan is asked for: a new picture of every camera must
/// come first, and the plan must reach the guard.
pub(super) const SPARE: Duration = Duration::from_millis(70);

/// What the arm should be doing while the guard is `Running`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Task {
    /// Stand where it is.
    Stand,
    /// Go to a pose, then stand there.
    GoTo(JointVec<Rad>),
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

/// A connection that may be replaced together with the guard behind it.
pub type SharedLink = Arc<Mutex<Arc<GuardLink>>>;

#[derive(Debug)]
struct Desk {
    task: Task,
    /// Rises with every new task, so that setting the same one again begins it anew.
    version: u64,
    progress: Progress,
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

/// What the planner thread is made of.
pub struct Parts {
    /// To the guard.
    pub link: SharedLink,
    /// The running cameras.
    pub cameras: Arc<Cameras>,
    /// The policy, ready to run.
    pub policy: Policy,
    /// The joints' limits, for moves of its own.
    pub limits: JointVec<JointLimits>,
    /// Time between two plans of the policy.
    pub plan_every: Duration,
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
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Standing {
        pose: JointVec<Rad>,
        renew_at: MonoTime,
    },
    Moving {
        goal: JointVec<Rad>,
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
}

/// When the policy is asked again after being asked at `now`: at its rate, but early enough for the
/// next plan to be there before the last one runs out, after an inference that takes `latency`.
fn ask_at(now: MonoTime, every: Duration, runs_out: MonoTime, latency: Duration) -> MonoTime {
    let ahead = realtime::nanos(latency + SPARE);
    let in_time = runs_out.0.saturating_sub(ahead).max(now.0);
    MonoTime(in_time.min(now.0 + realtime::nanos(every)))
}

impl Work {
    fn new(parts: Parts) -> Work {
        Work {
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
                (desk.task, desk.version, desk.closing)
            };
            if closing {
                return;
            }
            let link = Arc::clone(&locked(&self.parts.link));
            match link.latest() {
                Some(telemetry) if telemetry.mode == Mode::Running => {
                    self.step(&link, &telemetry, task, version, desk);
                }
                _ => self.doing = None,
            }
            link.wait_news(Duration::from_millis(20));
        }
    }

    fn step(
        &mut self,
        link: &GuardLink,
        telemetry: &Telemetry,
        task: Task,
        version: u64,
        desk: &Mutex<Desk>,
    ) {
        let now = realtime::now();
        if let Some((camera, fault)) = self.parts.cameras.faults(now).next() {
            link.trip(fault.cause(camera));
            return;
        }
        let stage = match self.doing {
            Some((doing, stage)) if doing == version => stage,
            _ => self.begin(link, telemetry, task, now),
        };
        let stage = self.go_on(link, telemetry, stage, now, desk);
        self.doing = Some((version, stage));
    }

    fn begin(
        &mut self,
        link: &GuardLink,
        telemetry: &Telemetry,
        task: Task,
        now: MonoTime,
    ) -> Stage {
        match task {
            Task::Stand => Stage::Standing {
                pose: telemetry.command,
                renew_at: now,
            },
            Task::GoTo(goal) => {
                let id = self.take_id();
                let motion =
                    moves::joint_move(id, now, &telemetry.command, &goal, &self.parts.limits);
                link.send_plan(motion.plan, self.bytes.as_mut_slice());
                Stage::Moving {
                    goal,
                    until: motion.end,
                }
            }
            Task::Policy => {
                // The arm stands until the first plan of the policy is there.
                let id = self.take_id();
                let stand = moves::stand(id, now, &telemetry.command);
                link.send_plan(stand, self.bytes.as_mut_slice());
                Stage::Policy {
                    next_at: now,
                    seen: MonoTime(0),
                }
            }
        }
    }

    fn go_on(
        &mut self,
        link: &GuardLink,
        telemetry: &Telemetry,
        stage: Stage,
        now: MonoTime,
        desk: &Mutex<Desk>,
    ) -> Stage {
        match stage {
            Stage::Standing { pose, renew_at } if now >= renew_at => {
                let id = self.take_id();
                link.send_plan(moves::stand(id, now, &pose), self.bytes.as_mut_slice());
                Stage::Standing {
                    pose,
                    renew_at: MonoTime(now.0 + realtime::nanos(RENEW)),
                }
            }
            Stage::Moving { goal, until } if now >= until => {
                let far = telemetry
                    .measured
                    .iter()
                    .zip(&goal)
                    .any(|(is, goal)| (is.0 - goal.0).abs() > ARRIVED_RAD);
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
            Stage::Policy { next_at, seen } if now >= next_at => match self.plan(link, seen) {
                Some(sent) => {
                    locked(desk).progress.plans += 1;
                    let latency = Duration::from_secs_f64(self.inference.percentiles().p99 * 1e-6);
                    Stage::Policy {
                        next_at: ask_at(now, self.parts.plan_every, sent.runs_out, latency),
                        seen: sent.captured_at,
                    }
                }
                None => stage,
            },
            Stage::Standing { .. } | Stage::Moving { .. } | Stage::Policy { .. } => stage,
        }
    }

    /// Asks the policy about pictures newer than `seen`. `None` when there are none yet, or no
    /// plan came of them.
    fn plan(&mut self, link: &GuardLink, seen: MonoTime) -> Option<Sent> {
        let frames = (0..self.parts.cameras.len())
            .map(|index| self.parts.cameras.latest(index))
            .collect::<Option<Vec<_>>>()?;
        let captured_at = frames.iter().map(|frame| frame.captured_at).min()?;
        if captured_at <= seen {
            return None;
        }
        let joints = link.joints_at(captured_at)?;
        let observation = Observation {
            captured_at,
            pictures: frames.iter().map(|frame| picture(&frame.image)).collect(),
            measured: joints.measured,
            command: joints.command,
        };
        let id = self.take_id();
        let began = realtime::now();
        let planned = self.parts.policy.plan(&observation, id);
        self.inference.record(realtime::now().since(began));
        match planned {
            Ok(plan) => {
                let runs_out = plan.end();
                link.send_plan(plan, self.bytes.as_mut_slice());
                let ms = in_milliseconds(self.inference.percentiles());
                link.report(|report| report.inference_ms = ms);
                Some(Sent {
                    captured_at,
                    runs_out,
                })
            }
            Err(error) => {
                tracing::error!("the policy gave no plan: {error}");
                link.trip(error.cause());
                None
            }
        }
    }

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}

fn picture(image: &crate::camera::Rgb8) -> Picture<'_> {
    Picture {
        width: image.width(),
        height: image.height(),
        rgb: image.data(),
    }
}

fn in_milliseconds(us: Percentiles) -> Percentiles {
    Percentiles {
        p50: us.p50 * 1e-3,
        p99: us.p99 * 1e-3,
        p999: us.p999 * 1e-3,
        max: us.max * 1e-3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_plan_is_asked_for_before_the_last_one_runs_out() {
        let ms = |ms: u64| MonoTime(ms * 1_000_000);
        let (every, latency) = (Duration::from_millis(500), Duration::from_millis(100));
        // A chunk of three seconds is renewed at the policy's rate.
        assert_eq!(ask_at(ms(1000), every, ms(4000), latency), ms(1500));
        // One of 400 ms so early that 100 ms of inference and a picture fit in.
        assert_eq!(ask_at(ms(1000), every, ms(1400), latency), ms(1230));
        // One that is as good as over at once.
        assert_eq!(ask_at(ms(1000), every, ms(1100), latency), ms(1000));
        assert_eq!(ask_at(ms(1000), every, ms(900), latency), ms(1000));
    }
}
