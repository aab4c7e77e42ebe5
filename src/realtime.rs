//! Real-time priority, locked memory and the absolute clock: what the guard asks of the machine.
//!
//! The one file of the controller with `unsafe`: the standard library and rustix have no
//! scheduler call, and none for a thread's own files. Never decides what to do when something is refused.

#![expect(
    unsafe_code,
    reason = "sched_setscheduler has no safe wrapper in rustix"
)]

use std::io;
use std::time::Duration;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{
    ClockId, CpuSet, clock_nanosleep_absolute, sched_getaffinity, sched_setaffinity,
};
use rustix::time::{Timespec, clock_gettime};

use crate::units::MonoTime;

/// What is asked of the machine, for the calling thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// SCHED_FIFO, 1 to 99.
    pub priority: i32,
    /// The only processor to run on; any when `None`.
    pub cpu: Option<usize>,
    /// Whether all memory, present and future, is to stay in.
    pub lock_memory: bool,
}

/// What the machine granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// SCHED_FIFO at this priority, or why not.
    pub fifo: Result<i32, String>,
    /// All memory locked, or why not.
    pub locked: Result<(), String>,
    /// The processor it runs on, or why not; `None` when any will do.
    pub cpu: Option<Result<usize, String>>,
}

impl Grants {
    /// Everything that was refused, a line each.
    pub fn refused(&self) -> impl Iterator<Item = &str> {
        let cpu = self.cpu.as_ref().and_then(|cpu| cpu.as_ref().err());
        let all = [self.fifo.as_ref().err(), self.locked.as_ref().err(), cpu];
        all.into_iter().flatten().map(String::as_str)
    }

    /// What was granted, in a line.
    #[must_use]
    pub fn verdict(&self) -> String {
        let priority = match &self.fifo {
            Ok(priority) => format!("SCHED_FIFO {priority}"),
            Err(_) => "ordinary priority".into(),
        };
        let memory = match &self.locked {
            Ok(()) => "memory locked",
            Err(_) => "memory not locked",
        };
        let cpu = match &self.cpu {
            Some(Ok(cpu)) => format!("processor {cpu}"),
            Some(Err(_)) | None => "any processor".into(),
        };
        format!("{priority}, {memory}, {cpu}")
    }
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

/// Gives the calling thread a table of open files of its own, with nothing in it but the standard
/// three: what it opens from now on is closed the moment the thread dies, however long the rest of
/// the process takes. Files opened before are out of its reach.
///
/// # Errors
/// When the system refuses; the thread may then still hold files of the process open.
pub fn own_files() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: no memory is involved, and the other threads keep their files: closing happens in
    // the copy, and only once there is one.
    let result = unsafe {
        match libc::unshare(libc::CLONE_FILES) {
            0 => libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0),
            refused => refused.into(),
        }
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether the limit on locked memory is large enough: under a small one a lock would make later
/// allocations and threads fail.
fn may_lock_memory() -> Result<(), String> {
    const ENOUGH: u64 = 256 << 20;
    let limit = getrlimit(Resource::Memlock).current;
    // Root may lock beyond the limit; everybody else is held to it.
    if rustix::process::geteuid().is_root() || limit.is_none_or(|limit| limit >= ENOUGH) {
        Ok(())
    } else {
        Err(format!(
            "RLIMIT_MEMLOCK is {} KiB, {} KiB are needed",
            limit.unwrap_or(0) >> 10,
            ENOUGH >> 10
        ))
    }
}

/// Locks all memory, present and future, where the limit allows it.
fn lock_memory() -> Result<(), String> {
    may_lock_memory()?;
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .or_else(|_| mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE))
        .map_err(|error| format!("mlockall: {error}"))
}

/// As [`set_fifo`], with the limit that stands in the way when it is refused.
fn take_priority(priority: i32) -> Result<i32, String> {
    set_fifo(priority).map(|()| priority).map_err(|error| {
        let limit = getrlimit(Resource::Rtprio).current.unwrap_or(u64::MAX);
        if i128::from(limit) < i128::from(priority) {
            format!("SCHED_FIFO {priority}: RLIMIT_RTPRIO is {limit}, {priority} is needed")
        } else {
            format!("SCHED_FIFO {priority}: {error}")
        }
    })
}

/// Keeps the calling thread on processor `cpu`.
fn pin(cpu: usize) -> Result<usize, String> {
    let allowed = sched_getaffinity(None).map_err(|error| format!("processor {cpu}: {error}"))?;
    if cpu >= CpuSet::MAX_CPU || !allowed.is_set(cpu) {
        let there = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        let there: Vec<String> = there.map(|cpu| cpu.to_string()).collect();
        return Err(format!(
            "processor {cpu} is not one of those allowed here: {}",
            there.join(", ")
        ));
    }
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)
        .map(|()| cpu)
        .map_err(|error| format!("processor {cpu}: {error}"))
}

/// Asks for everything, for the calling thread.
#[must_use]
pub fn request(wanted: &Wanted) -> Grants {
    Grants {
        locked: if wanted.lock_memory {
            lock_memory()
        } else {
            Err("the cell file does not want memory locked".into())
        },
        cpu: wanted.cpu.map(pin),
        fifo: take_priority(wanted.priority),
    }
}

/// What would be granted: asked for a thread that ends at once, and no memory stays locked.
#[must_use]
pub fn probe(wanted: Wanted) -> Grants {
    let refused = |what: &str| format!("{what}: no thread could be started to ask");
    let asked = std::thread::spawn(move || Grants {
        locked: may_lock_memory(),
        cpu: wanted.cpu.map(pin),
        fifo: take_priority(wanted.priority),
    });
    asked.join().unwrap_or_else(|_| Grants {
        locked: may_lock_memory(),
        cpu: wanted.cpu.map(|_| Err(refused("processor"))),
        fifo: Err(refused("SCHED_FIFO")),
    })
}

/// Now, on the clock everything is stamped with.
#[must_use]
pub fn now() -> MonoTime {
    read(ClockId::Monotonic)
}

/// How long the calling thread has had a processor.
#[must_use]
pub fn thread_time() -> MonoTime {
    read(ClockId::ThreadCPUTime)
}

/// For how long this machine has been suspended since it was booted, nanoseconds: [`now`] stands
/// still meanwhile, and everything would seem to have gone on.
#[must_use]
pub fn asleep() -> u64 {
    // Read first, so that a hold-up between the two makes it less, not more.
    let with_sleep = read(ClockId::Boottime);
    with_sleep.since(now())
}

fn read(clock: ClockId) -> MonoTime {
    let now = clock_gettime(clock);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_kept_on_a_processor_that_is_there_and_told_of_one_that_is_not() {
        let pinned = std::thread::spawn(|| {
            let first =
                (0..CpuSet::MAX_CPU).find(|cpu| sched_getaffinity(None).unwrap().is_set(*cpu));
            let first = first.unwrap();
            assert_eq!(pin(first), Ok(first));
            let left = sched_getaffinity(None).unwrap();
            assert_eq!(left.count(), 1);
            let refused = pin(CpuSet::MAX_CPU - 1).unwrap_err();
            assert!(
                refused.contains(&format!("allowed here: {first}")),
                "{refused}"
            );
        });
        pinned.join().unwrap();
    }

    #[test]
    fn the_verdict_says_what_was_granted_and_what_was_not() {
        let grants = Grants {
            fifo: Err("SCHED_FIFO 80: RLIMIT_RTPRIO is 0, 80 is needed".into()),
            locked: Ok(()),
            cpu: Some(Ok(3)),
        };
        assert_eq!(
            grants.verdict(),
            "ordinary priority, memory locked, processor 3"
        );
        assert_eq!(grants.refused().count(), 1);
    }
}
