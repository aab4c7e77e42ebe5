//! The descriptor of a line: bytes to it and from it, and waiting for them, until a deadline.
//!
//! What comes in passes through a kernel worker of ordinary priority, and asking a terminal for
//! input that is not there, by reading or by polling it, waits for that worker: without a deadline,
//! however busy it is kept from running. So nothing is asked for that was not announced: the
//! descriptor is watched by an edge-triggered `epoll`, which sleeps without asking.
//!
//! Real time: no allocation, lock or log.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::{self, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{PortFault, monotonic_now};
use crate::units::MonoTime;

/// A descriptor that does not block, watched for input.
#[derive(Debug)]
pub(super) struct Descriptor {
    fd: OwnedFd,
    watch: OwnedFd,
    /// There is something to read, or there was when it was last looked at.
    announced: bool,
    /// The other end is gone: reading says how.
    hung_up: bool,
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Descriptor {
    /// # Errors
    /// When the system has no descriptor to spare.
    pub(super) fn new(fd: OwnedFd) -> Result<Descriptor, Errno> {
        let watch = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let events = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&watch, &fd, epoll::EventData::new_u64(0), events)?;
        let mut descriptor = Descriptor {
            fd,
            watch,
            announced: false,
            hung_up: false,
        };
        // A system that can't wait so says it now, and not in the loop.
        match descriptor.await_input(MonoTime(0)) {
            Err(PortFault::Os(errno)) => Err(errno),
            _ => Ok(descriptor),
        }
    }

    /// Whether there is something to read before `deadline`.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn await_input(&mut self, deadline: MonoTime) -> Result<bool, PortFault> {
        let readable = EventFlags::IN;
        let gone = EventFlags::HUP | EventFlags::RDHUP | EventFlags::ERR;
        while !self.announced && !self.hung_up {
            let left = deadline.since(monotonic_now());
            let mut events = [epoll::Event {
                flags: EventFlags::empty(),
                data: epoll::EventData::new_u64(0),
            }];
            match epoll::wait(&self.watch, &mut events, Some(&timespec(left))) {
                Ok(0) if left == 0 => return Ok(false),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => {
                    let [event] = events;
                    let flags = event.flags;
                    self.announced |= flags.intersects(readable);
                    self.hung_up |= flags.intersects(gone);
                }
                Err(errno) => return Err(PortFault::Os(errno)),
            }
        }
        Ok(true)
    }

    /// Reads what has come in, as far as it was announced; 0 when there is nothing.
    ///
    /// # Errors
    /// When the other end is gone, or the operating system's.
    pub(super) fn read(&mut self, spare: &mut [u8]) -> Result<usize, PortFault> {
        if spare.is_empty() || !self.await_input(MonoTime(0))? {
            return Ok(0);
        }
        match rustix::io::read(&self.fd, &mut *spare) {
            Ok(0) => Err(PortFault::Gone),
            Ok(count) => {
                // More may be there when no room was left.
                self.announced = count == spare.len();
                Ok(count)
            }
            Err(Errno::AGAIN) => {
                self.announced = false;
                Ok(0)
            }
            Err(Errno::INTR) => Ok(0),
            Err(errno) => Err(PortFault::Os(errno)),
        }
    }

    /// Writes `bytes` until `deadline`; says how many went out.
    pub(super) fn push(&self, bytes: &[u8], deadline: MonoTime) -> (usize, Result<(), PortFault>) {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match rustix::io::write(&self.fd, rest) {
                Ok(count) if count > 0 => sent += count,
                Ok(_) | Err(Errno::AGAIN) => match self.await_room(deadline) {
                    Ok(true) => {}
                    Ok(false) => return (sent, Err(PortFault::Stuck)),
                    Err(fault) => return (sent, Err(fault)),
                },
                Err(Errno::INTR) => {}
                Err(errno) => return (sent, Err(PortFault::Os(errno))),
            }
        }
        (sent, Ok(()))
    }

    /// Whether it took more bytes before `deadline`.
    fn await_room(&self, deadline: MonoTime) -> Result<bool, PortFault> {
        loop {
            let left = deadline.since(monotonic_now());
            if left == 0 {
                return Ok(false);
            }
            let fd = self.fd.as_fd();
            let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
            match poll(&mut polled, Some(&timespec(left))) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(PortFault::Os(errno)),
            }
        }
    }
}

fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
    }
}
