//! The thread at the near end of the pty: host bytes to the servos, replies back at the time they
//! are due. It sleeps in `ppoll` and never spins. Owns the pty, plugged in or not.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::OwnedFd;

use super::pty::{OpenError, Pty};
use super::schedule::{be_real_time, now_ns, timespec};
use super::threads::{Stop, Thread};
use super::{SimError, lock};
use crate::servo::Bank;

/// Below a controller that runs at 80, above the physics.
const PRIORITY: i32 = 60;
/// The longest sleep, ns: only so that the thread sees that it should end.
const IDLE_NS: u64 = 200_000_000;
/// ns after which an unplugged adapter is looked at again.
const RETRY_NS: u64 = 100_000_000;

/// The running thread. Dropping it ends the thread, and with it the pty and the link to it.
pub(super) struct Bus {
    control: Control,
    path: PathBuf,
    used: Arc<AtomicBool>,
    _thread: Thread,
}

/// How others reach the thread.
#[derive(Debug, Clone)]
pub(super) struct Control {
    plugged: Arc<AtomicBool>,
    bell: Arc<OwnedFd>,
}

impl Control {
    /// Pulls the adapter out, or plugs it in again.
    pub(super) fn plug(&self, plugged: bool) {
        self.plugged.store(plugged, Ordering::Release);
        self.wake();
    }

    /// Lets the thread look again when it next has something to do.
    pub(super) fn wake(&self) {
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }
}

impl Bus {
    pub(super) fn control(&self) -> Control {
        self.control.clone()
    }

    /// What a client opens: the link where there is one.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a client has the port open.
    pub(super) fn in_use(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }
}

/// Opens the pty and starts the thread.
pub(super) fn start(
    bank: Arc<Mutex<Bank>>,
    link: Option<PathBuf>,
    stop: Stop,
) -> Result<Bus, SimError> {
    let pty = Pty::open(link.as_deref()).map_err(|e| match e {
        OpenError::Pty(source) => SimError::Pty(source),
        OpenError::Link(source) => SimError::Link {
            path: link.clone().unwrap_or_default(),
            source,
        },
    })?;
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|e| SimError::Pty(e.into()))?;
    let control = Control {
        plugged: Arc::new(AtomicBool::new(true)),
        bell: Arc::new(bell),
    };
    let used = Arc::new(AtomicBool::new(false));
    let path = link.clone().unwrap_or_else(|| pty.path().to_owned());
    let adapter = Adapter {
        bank,
        link,
        control: control.clone(),
        used: Arc::clone(&used),
        stop: stop.clone(),
    };
    let thread = Thread::start("sim-bus", stop, move || adapter.run(pty))?;
    Ok(Bus {
        control,
        path,
        used,
        _thread: thread,
    })
}

struct Adapter {
    bank: Arc<Mutex<Bank>>,
    link: Option<PathBuf>,
    control: Control,
    used: Arc<AtomicBool>,
    stop: Stop,
}

impl Adapter {
    fn run(self, pty: Pty) {
        be_real_time("the bus thread", PRIORITY);
        let mut pty = Some(pty);
        while !self.stop.is_set() {
            let plugged = self.control.plugged.load(Ordering::Acquire);
            pty = match (pty, plugged) {
                (Some(mut pty), true) => {
                    self.serve(&mut pty);
                    Some(pty)
                }
                // Closing the near end is what a host sees of an adapter pulled out.
                (Some(pty), false) => {
                    drop(pty);
                    self.used.store(false, Ordering::Release);
                    lock(&self.bank).hang_up();
                    None
                }
                (None, true) => self.reopen(),
                (None, false) => {
                    self.wait_for_bell(IDLE_NS);
                    None
                }
            };
        }
    }

    fn reopen(&self) -> Option<Pty> {
        match Pty::open(self.link.as_deref()) {
            Ok(pty) => Some(pty),
            Err(OpenError::Pty(error) | OpenError::Link(error)) => {
                tracing::warn!("cannot plug the adapter in again: {error}");
                self.wait_for_bell(RETRY_NS);
                None
            }
        }
    }

    /// Waits for the next thing to happen, and lets it.
    fn serve(&self, pty: &mut Pty) {
        let due = lock(&self.bank).next_due();
        let sleep = due.map_or(IDLE_NS, |at| at.saturating_sub(now_ns()).min(IDLE_NS));
        let sleep = pty.look_within().map_or(sleep, |look| sleep.min(look));
        let mut fds = [
            PollFd::from_borrowed_fd(pty.clients(), PollFlags::IN),
            PollFd::from_borrowed_fd(pty.bytes(), PollFlags::IN),
            PollFd::new(&self.control.bell, PollFlags::IN),
        ];
        let _ = poll(&mut fds, Some(&timespec(sleep)));
        let [clients, bytes, bell] = fds.map(|fd| !fd.revents().is_empty());
        if bell {
            let _ = rustix::io::read(&self.control.bell, &mut [0u8; 8]);
        }
        let mut buffer = [0; 4096];
        if bytes && let Ok(sent) = pty.read(&mut buffer) {
            let baud = pty.baud();
            let mut bank = lock(&self.bank);
            if let Some(baud) = baud {
                bank.set_host_baud(baud);
            }
            bank.receive(now_ns(), sent);
        }
        let mut reply = Vec::new();
        lock(&self.bank).take_due(now_ns(), &mut reply);
        pty.write(&reply);
        if clients || pty.look_within().is_some() {
            if pty.update_clients() {
                lock(&self.bank).hang_up();
            }
            self.used.store(pty.in_use(), Ordering::Release);
        }
    }

    fn wait_for_bell(&self, ns: u64) {
        let mut fds = [PollFd::new(&self.control.bell, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&timespec(ns)));
        let _ = rustix::io::read(&self.control.bell, &mut [0u8; 8]);
    }
}
