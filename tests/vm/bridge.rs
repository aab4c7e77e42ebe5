//! Carries bytes between the device side of a USB gadget's serial line and the virtual machine's port
//! that leads to the simulated arm. Comes back whenever the gadget does.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// How long it waits before it looks whether it is still wanted.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// The thread; it ends when this is dropped.
pub(crate) struct Bridge {
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bridge {
    /// Between the terminal at `line` and the port at `arm`.
    pub(crate) fn start(line: &'static str, arm: &'static str) -> Bridge {
        let closing = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&closing);
        let arm = open(arm).unwrap();
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                match open(line).and_then(raw) {
                    Ok(line) => carry(&line, &arm, &ends),
                    Err(_) => std::thread::sleep(Duration::from_millis(50)),
                }
            }
        });
        Bridge {
            closing,
            thread: Some(thread),
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))), "the bridge holds");
    }
}

fn open(path: impl AsRef<Path>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path.as_ref(), flags, Mode::empty())
}

fn raw(line: OwnedFd) -> Result<OwnedFd, Errno> {
    let mut settings = tcgetattr(&line)?;
    settings.make_raw();
    tcsetattr(&line, OptionalActions::Now, &settings)?;
    Ok(line)
}

/// Carries until the line hangs up.
fn carry(line: &OwnedFd, arm: &OwnedFd, ends: &AtomicBool) {
    while !ends.load(Ordering::Relaxed) {
        let mut fds = [
            PollFd::new(line, PollFlags::IN),
            PollFd::new(arm, PollFlags::IN),
        ];
        let _ = poll(&mut fds, Some(&LOOK));
        let [from_line, from_arm] = fds.map(|fd| fd.revents());
        if from_line.intersects(PollFlags::HUP | PollFlags::ERR) {
            // A line that nobody has plugged in hangs up at once, again and again.
            std::thread::sleep(Duration::from_millis(20));
            return;
        }
        if from_line.contains(PollFlags::IN) && !pass(line, arm) {
            return;
        }
        if from_arm.contains(PollFlags::IN) {
            // What comes from the arm while the line is unplugged is lost, as on a real one.
            pass(arm, line);
        }
    }
}

/// False when `from` has ended.
fn pass(from: &OwnedFd, to: &OwnedFd) -> bool {
    let mut bytes = [0; 1024];
    match rustix::io::read(from, &mut bytes) {
        Ok(0) => false,
        Ok(count) => {
            let mut rest = &bytes[..count];
            let mut tries = 0..10;
            while !rest.is_empty() && tries.next().is_some() {
                match rustix::io::write(to, rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(Errno::AGAIN | Errno::INTR) => {
                        let mut fds = [PollFd::new(to, PollFlags::OUT)];
                        let _ = poll(&mut fds, Some(&LOOK));
                    }
                    Err(_) => break,
                }
            }
            true
        }
        Err(error) => matches!(error, Errno::AGAIN | Errno::INTR),
    }
}
