//! Threads and memory of another process: one thread held while the others run on, no more memory,
//! and the moment of a death.

#![allow(unsafe_code, reason = "ptrace has no safe wrapper")]

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, pidfd_open, prlimit};

use super::now_ns;

/// A thread of a child of this process that does not run until this is dropped, which must be in
/// the same thread.
pub struct Held {
    thread: i32,
}

impl Held {
    /// Holds the thread called `name` of process `pid`.
    pub fn thread(pid: u32, name: &str) -> Held {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
        let thread: i32 = threads
            .flatten()
            .find(|it| {
                let comm = std::fs::read_to_string(it.path().join("comm")).unwrap_or_default();
                comm.trim_end() == name
            })
            .and_then(|it| it.file_name().to_str()?.parse().ok())
            .unwrap_or_else(|| panic!("process {pid} has no thread {name}"));
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: neither request reads or writes memory of either process.
        let held = unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, thread, none, none) == 0
                && libc::ptrace(libc::PTRACE_INTERRUPT, thread, none, none) == 0
        };
        assert!(held, "{}", std::io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        let stopped = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
        assert_eq!(stopped, thread, "{}", std::io::Error::last_os_error());
        Held { thread }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let none = std::ptr::null_mut::<libc::c_void>();
        // The thread may have been killed while it was held.
        // SAFETY: the request reads and writes no memory of either process.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.thread, none, none) };
    }
}

fn of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid")
}

/// Process `pid` gets no more memory from the system.
pub fn no_more_memory(pid: u32) {
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    for resource in [Resource::As, Resource::Data] {
        prlimit(Some(of(pid)), resource, nothing).expect("the limit can be set");
    }
}

/// Waits for the end of process `pid`; the moment it was told.
pub fn wait_death(pid: u32) -> u64 {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let process = pidfd_open(of(pid), PidfdFlags::empty()).expect("the process runs");
    let timeout = Timespec::try_from(Duration::from_secs(5)).expect("a time");
    let mut fds = [PollFd::new(&process, PollFlags::IN)];
    let ready = poll(&mut fds, Some(&timeout)).expect("the process can be watched");
    assert_eq!(ready, 1, "process {pid} does not end");
    now_ns()
}

/// Every process of the program under test with what its threads wait in, a line each.
pub fn of_program() -> String {
    let read = |path: PathBuf| std::fs::read(path).unwrap_or_default();
    let text = |path| String::from_utf8_lossy(&read(path)).replace('\0', " ");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut lines = String::new();
    for process in processes.map(|it| it.path()) {
        if text(process.join("comm")).trim() != "surehand" {
            continue;
        }
        let tasks = std::fs::read_dir(process.join("task"));
        let waits: Vec<String> = tasks
            .into_iter()
            .flatten()
            .flatten()
            .map(|task| {
                format!(
                    "{} in {}",
                    text(task.path().join("comm")).trim(),
                    text(task.path().join("wchan"))
                )
            })
            .collect();
        lines += &format!(
            "{}: {}: {}\n",
            process.display(),
            text(process.join("cmdline")),
            waits.join(", ")
        );
    }
    lines
}
