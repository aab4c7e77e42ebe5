//! Bytes to a descriptor, and waiting for it, until a deadline.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{PortFault, monotonic_now};
use crate::units::MonoTime;

/// Writes `bytes` until `deadline`; says how many went out.
pub(super) fn push(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    deadline: MonoTime,
) -> (usize, Result<(), PortFault>) {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match rustix::io::write(fd, rest) {
            Ok(count) if count > 0 => sent += count,
            Ok(_) | Err(Errno::AGAIN) => match wait(fd, PollFlags::OUT, deadline) {
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

/// Whether the descriptor became ready before `deadline`. Blocks in `ppoll`: polling without
/// blocking would keep the kernel's own tty work from running under a real-time priority.
pub(super) fn wait(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    deadline: MonoTime,
) -> Result<bool, PortFault> {
    loop {
        let left = deadline.since(monotonic_now());
        if left == 0 {
            return Ok(false);
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(left / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(left % 1_000_000_000).unwrap_or(0),
        };
        match poll(&mut [PollFd::from_borrowed_fd(fd, events)], Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(PortFault::Os(errno)),
        }
    }
}
