//! Real-time priority, locked memory and the absolute clock: what the guard asks of the machine.
//!
//! The one file of the controller with `unsafe`: the standard library and rustix have no
//! scheduler call. Never decides what to do when something is refused.

#![expect(
    unsafe_code,
    reason = "sched_setscheduler has no safe wrapper in rustix"
)]

use std::io;
use std::time::Duration;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

use crate::units::MonoTime;

/// What the machine granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// SCHED_FIFO, or why not.
    pub fifo: Result<i32, String>,
    /// All memory locked, or why not.
    pub locked: Result<(), String>,
}

/// Makes the calling thread SCHED_FIFO at `priority`.
///
/// # Errors
/// When the system refuses (RLIMIT_RTPRIO, no CAP_SYS_NICE).
pub fn set_fifo(priority: i32) -> io::Result<()> {
    let param = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: pid 0 is the calling thread, and `param` lives through the call.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const param) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Locks all memory, present and future, unless the limit is too small for it: under a small
/// limit a lock would make later allocations and threads fail.
fn lock_memory() -> Result<(), String> {
    const ENOUGH: u64 = 256 << 20;
    let limit = getrlimit(Resource::Memlock).current;
    // Root may lock beyond the limit; everybody else is held to it.
    if rustix::process::geteuid().is_root() || limit.is_none_or(|limit| limit >= ENOUGH) {
        mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
            .or_else(|_| mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE))
            .map_err(|error| format!("mlockall: {error}"))
    } else {
        Err(format!(
            "RLIMIT_MEMLOCK is {} KiB, {} KiB are needed",
            limit.unwrap_or(0) >> 10,
            ENOUGH >> 10
        ))
    }
}

/// Asks for everything, for the calling thread.
#[must_use]
pub fn request(priority: i32) -> Grants {
    Grants {
        locked: lock_memory(),
        fifo: set_fifo(priority)
            .map(|()| priority)
            .map_err(|error| format!("SCHED_FIFO {priority}: {error}")),
    }
}

/// Now, on the clock everything is stamped with.
#[must_use]
pub fn now() -> MonoTime {
    let now = clock_gettime(rustix::time::ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    MonoTime(secs.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Sleeps until `deadline`; returns at once when it has passed.
pub fn sleep_until(deadline: MonoTime) {
    let request = Timespec {
        tv_sec: i64::try_from(deadline.0 / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(deadline.0 % 1_000_000_000).unwrap_or(0),
    };
    // An interrupted sleep is taken up again; anything else would be a wrong argument.
    while clock_nanosleep_absolute(ClockId::Monotonic, &request) == Err(rustix::io::Errno::INTR) {}
}

/// Nanoseconds of `duration`, for adding to a [`MonoTime`].
#[must_use]
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
