//! The runner's end of the connection to the guard.
//!
//! Owns two threads: one renews the lease, one takes in telemetry. Never blocks on the guard: a
//! guard that is gone or frozen is an event.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::history::{History, JointSample};
use super::ledger::Ledger;
use crate::messages::channel::{Channel, Received, buffer, own_name};
use crate::messages::{
    Cause, FromGuard, PROTOCOL, Plan, Refusal, Request, Role, RunnerReport, Status, Telemetry,
    ToGuard,
};
use crate::realtime;
use crate::units::MonoTime;

/// How often the lease is renewed.
const HEARTBEAT: Duration = Duration::from_millis(5);
/// Two waits of this long without a word from the guard: it is frozen.
const SILENCE: Duration = Duration::from_millis(100);
/// Ticks kept: five seconds at 200 Hz.
const KEPT: usize = 1000;
/// The heartbeat thread does a microsecond of work; the least real-time priority keeps a busy
/// machine from ending the lease of a healthy runner.
const HEARTBEAT_PRIORITY: i32 = 1;

/// What became of the guard at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardState {
    /// It speaks.
    Up,
    /// The connection closed.
    Gone,
    /// It is connected and silent.
    Frozen,
}

#[derive(Debug)]
struct Inbox {
    history: History,
    answers: Vec<Result<Request, Refusal>>,
    status: Option<Box<Status>>,
    guard: GuardState,
}

/// Who hears of every tick the moment it is told, and of the guard's loss as `None`.
pub(super) type Listener = Box<dyn FnMut(Option<&Telemetry>) + Send>;

struct Shared {
    channel: Channel,
    inbox: Mutex<Inbox>,
    news: Condvar,
    report: Mutex<RunnerReport>,
    closing: AtomicBool,
    ledger: Option<Arc<Ledger>>,
    listener: Mutex<Option<Listener>>,
}

impl Shared {
    fn say(&self, message: &ToGuard) {
        self.channel.try_send(message, buffer().as_mut_slice());
    }
}

/// A guard as the threads of other connections speak to it.
#[derive(Debug, Clone)]
pub(super) struct Afar(Weak<Shared>);

impl Afar {
    /// Says `message`, if the connection is still there.
    pub(super) fn say(&self, message: &ToGuard) {
        if let Some(shared) = self.0.upgrade() {
            shared.say(message);
        }
    }

    /// Whether the guard is gone or frozen.
    pub(super) fn lost(&self) -> bool {
        let shared = self.0.upgrade();
        shared.is_none_or(|it| locked(&it.inbox).guard != GuardState::Up)
    }

    /// Its newest tick.
    pub(super) fn latest(&self) -> Option<Telemetry> {
        let shared = self.0.upgrade()?;
        locked(&shared.inbox).history.latest().copied()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The connection. Dropping it is the runner's leaving.
#[derive(Debug)]
pub struct GuardLink {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// The guard's process id.
    pub guard_pid: u32,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while holding it left plain data behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GuardLink {
    /// Connects to the guard listening at `path` as its runner; what the guard tells goes into
    /// `ledger`, too.
    ///
    /// # Errors
    /// When nobody listens, or the guard refuses (another runner, another version).
    pub fn connect(
        path: &Path,
        report: RunnerReport,
        ledger: Option<Arc<Ledger>>,
    ) -> io::Result<GuardLink> {
        let (channel, guard_pid) = introduce(path, Role::Runner)?;
        let shared = Arc::new(Shared {
            channel,
            inbox: Mutex::new(Inbox {
                history: History::new(KEPT),
                answers: Vec::new(),
                status: None,
                guard: GuardState::Up,
            }),
            news: Condvar::new(),
            report: Mutex::new(report),
            closing: AtomicBool::new(false),
            ledger,
            listener: Mutex::new(None),
        });
        let (beats, begun) = sync_channel(1);
        let guard = path.to_owned();
        let beating = move |shared: &Shared| heartbeat(shared, &guard, &beats);
        let threads = vec![
            spawn("heartbeat", &shared, beating)?,
            spawn("telemetry", &shared, receive)?,
        ];
        let link = GuardLink {
            shared,
            threads,
            guard_pid,
        };
        begun
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the heartbeat has ended")))?;
        Ok(link)
    }

    /// Offers a plan. Whether it was admitted is told by the telemetry.
    pub fn send_plan(&self, plan: Plan, bytes: &mut [u8]) -> bool {
        self.shared.channel.try_send(&ToGuard::Plan(plan), bytes)
    }

    /// Tells the guard to stop for something only the runner can see.
    pub fn trip(&self, cause: Cause) {
        self.shared.say(&ToGuard::Trip(cause));
    }

    /// Tells the guard to end, which begins with a stop, without waiting for its answer.
    pub fn end(&self) {
        self.shared.say(&ToGuard::Request(Request::Shutdown));
    }

    /// Asks for a pause without waiting for the answer.
    pub fn pause(&self) {
        self.shared.say(&ToGuard::Request(Request::Pause));
    }

    /// From now on `listener` hears what the guard tells, on the thread that takes it in.
    pub(super) fn listen(&self, listener: Listener) {
        *locked(&self.shared.listener) = Some(listener);
    }

    /// The same guard for whoever must not keep the connection open.
    pub(super) fn afar(&self) -> Afar {
        Afar(Arc::downgrade(&self.shared))
    }

    /// Asks for something and waits for the answer, at most `timeout`.
    ///
    /// # Errors
    /// The guard's refusal; `None` when it gave no answer in time.
    pub fn request(&self, request: Request, timeout: Duration) -> Result<(), Option<Refusal>> {
        locked(&self.shared.inbox).answers.clear();
        self.shared.say(&ToGuard::Request(request));
        let (mut inbox, _) = self
            .shared
            .news
            .wait_timeout_while(locked(&self.shared.inbox), timeout, |inbox| {
                inbox.answers.is_empty() && inbox.guard == GuardState::Up
            })
            .unwrap_or_else(PoisonError::into_inner);
        match inbox.answers.pop() {
            Some(Ok(_)) => Ok(()),
            Some(Err(refusal)) => Err(Some(refusal)),
            None => Err(None),
        }
    }

    /// The guard's status; `None` when it gives none in time.
    #[must_use]
    pub fn status(&self, timeout: Duration) -> Option<Box<Status>> {
        locked(&self.shared.inbox).status = None;
        self.shared.say(&ToGuard::Status);
        let (mut inbox, _) = self
            .shared
            .news
            .wait_timeout_while(locked(&self.shared.inbox), timeout, |inbox| {
                inbox.status.is_none() && inbox.guard == GuardState::Up
            })
            .unwrap_or_else(PoisonError::into_inner);
        inbox.status.take()
    }

    /// What is told with each heartbeat.
    pub fn report(&self, change: impl FnOnce(&mut RunnerReport)) {
        change(&mut locked(&self.shared.report));
    }

    /// The newest tick.
    #[must_use]
    pub fn latest(&self) -> Option<Telemetry> {
        locked(&self.shared.inbox).history.latest().copied()
    }

    /// The joints at `at`.
    #[must_use]
    pub fn joints_at(&self, at: MonoTime) -> Option<JointSample> {
        locked(&self.shared.inbox).history.at(at)
    }

    /// What became of the guard.
    #[must_use]
    pub fn guard(&self) -> GuardState {
        locked(&self.shared.inbox).guard
    }

    /// Waits for the next word from the guard, at most `timeout`.
    pub fn wait_news(&self, timeout: Duration) {
        let inbox = locked(&self.shared.inbox);
        drop(
            self.shared
                .news
                .wait_timeout(inbox, timeout)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

impl Drop for GuardLink {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    body: impl FnOnce(&Shared) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || body(&shared))
}

/// Connects to the guard at `path` as `role`; the guard's process id.
fn introduce(path: &Path, role: Role) -> io::Result<(Channel, u32)> {
    let channel = Channel::connect(path)?;
    let mut bytes = buffer();
    let hello = ToGuard::Hello {
        protocol: PROTOCOL,
        role,
        name: own_name(),
    };
    channel.try_send(&hello, bytes.as_mut_slice());
    match channel.receive_within(Duration::from_secs(1), bytes.as_mut_slice()) {
        Received::Message(FromGuard::Welcome { pid }) => Ok((channel, pid)),
        Received::Message(FromGuard::Refused(refusal)) => {
            let names = crate::messages::Names::NONE;
            Err(io::Error::other(refusal.text(&names)))
        }
        _ => Err(io::Error::other("the guard gave no answer")),
    }
}

/// Renews the lease on a connection that closes with this very thread. When the process is killed,
/// the thread goes at once, and the guard knows; the rest of a process with a policy in it takes
/// tens of milliseconds to be taken apart, and its other files are closed after that.
fn heartbeat(shared: &Shared, guard: &Path, begun: &SyncSender<io::Result<()>>) {
    // Refused is fine: the guard's lease is longer on such a machine.
    let _ = realtime::set_fifo(HEARTBEAT_PRIORITY);
    // So is this: then a death is seen once the whole process is gone.
    let _ = realtime::own_files();
    let pulse = match introduce(guard, Role::Pulse) {
        Ok((pulse, _)) => pulse,
        Err(error) => {
            // Nobody waits any more when the connection was given up meanwhile.
            let _ = begun.send(Err(error));
            return;
        }
    };
    let _ = begun.send(Ok(()));
    let mut bytes = buffer();
    let mut next = realtime::now();
    while !shared.closing.load(Ordering::Relaxed) {
        let heartbeat = ToGuard::Heartbeat {
            report: locked(&shared.report).clone(),
            sent_at: realtime::now(),
        };
        pulse.try_send(&heartbeat, bytes.as_mut_slice());
        next = MonoTime(next.0 + realtime::nanos(HEARTBEAT)).max(realtime::now());
        realtime::sleep_until(next);
    }
}

fn receive(shared: &Shared) {
    let mut bytes = buffer();
    let mut silent = 0;
    while !shared.closing.load(Ordering::Relaxed) {
        let received = shared
            .channel
            .receive_within::<FromGuard>(SILENCE, bytes.as_mut_slice());
        if let (Received::Message(message), Some(ledger)) = (&received, &shared.ledger) {
            ledger.hear(message);
        }
        if let Received::Message(FromGuard::Telemetry(telemetry)) = &received
            && let Some(listener) = locked(&shared.listener).as_mut()
        {
            listener(Some(telemetry));
        }
        let mut inbox = locked(&shared.inbox);
        match received {
            Received::Nothing => {
                silent += 1;
                if silent >= 2 {
                    inbox.guard = GuardState::Frozen;
                }
            }
            Received::Closed => inbox.guard = GuardState::Gone,
            Received::Message(message) => {
                silent = 0;
                match message {
                    FromGuard::Telemetry(telemetry) => inbox.history.push(telemetry),
                    FromGuard::Done(request) => inbox.answers.push(Ok(request)),
                    FromGuard::Refused(refusal) => inbox.answers.push(Err(refusal)),
                    FromGuard::Held(_) => inbox.answers.push(Err(Refusal::Held)),
                    FromGuard::Status(status) => inbox.status = Some(Box::new(status)),
                    FromGuard::Welcome { .. } | FromGuard::Asked(_) => {}
                }
            }
            Received::Garbage => {}
        }
        let over = inbox.guard != GuardState::Up;
        drop(inbox);
        shared.news.notify_all();
        if over && let Some(listener) = locked(&shared.listener).as_mut() {
            listener(None);
        }
        if over {
            return;
        }
    }
}
