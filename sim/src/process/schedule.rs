//! The clock and the scheduler: the one place that reads time and asks for real-time priority.
//! Owns no thread. The only file of this crate with unsafe code: one system call that no safe
//! wrapper among our libraries offers.

use std::time::Duration;

use rustix::thread::{ClockId, clock_nanosleep_absolute, clock_nanosleep_relative};
use rustix::time::{Timespec, clock_gettime};

const NANOS: u64 = 1_000_000_000;

/// `CLOCK_MONOTONIC`, ns.
pub(super) fn now_ns() -> u64 {
    let now = clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * NANOS + now.tv_nsec.unsigned_abs()
}

/// ns as the system wants it.
pub(super) fn timespec(ns: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(ns / NANOS).unwrap_or(i64::MAX),
        tv_nsec: (ns % NANOS) as _,
    }
}

/// Sleeps until `at_ns` on `CLOCK_MONOTONIC`; a signal may end it early.
pub(super) fn sleep_until(at_ns: u64) {
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(at_ns));
}

/// Sleeps about so long; a signal may end it early.
pub(super) fn pause(time: Duration) {
    let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let _ = clock_nanosleep_relative(ClockId::Monotonic, &timespec(ns));
}

/// Asks for SCHED_FIFO for this thread. Without the right to it, the thread keeps its ordinary
/// priority and its sleeps end as sharply as that allows.
pub(super) fn be_real_time(what: &str, priority: i32) {
    if let Err(error) = set_fifo(priority) {
        tracing::warn!("{what} runs at ordinary priority ({error}): its timing has a tail");
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    }
}

/// Gives way to every other thread of ordinary priority.
pub(super) fn be_patient() {
    let _ = rustix::process::setpriority_process(None, 10);
}

#[expect(
    unsafe_code,
    reason = "sched_setscheduler has no safe wrapper in rustix"
)]
fn set_fifo(priority: i32) -> std::io::Result<()> {
    let parameters = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: 0 is the calling thread, and the pointer is to a live sched_param.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
