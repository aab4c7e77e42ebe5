//! The thread that writes lines into a file, and what it does when the file takes none.
//!
//! Whoever has something to say puts it into a bounded queue and goes on; the thread appends it and
//! has it brought to the disk at once. While the file can't be written the lines wait in memory and
//! are tried again. Never makes anybody wait for a disk but at the very end, and there not for long.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::backlog::{Backlog, Line};
use super::clock::Clock;
use crate::messages::LogHealth;

/// How long until a file that took nothing is tried again, at the latest.
const RETRY: Duration = Duration::from_secs(1);
/// How long the end waits for a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Desk {
    backlog: Backlog,
    next: u64,
    /// The system's error number while the file can't be written.
    error: Option<i32>,
    closing: bool,
    ended: bool,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    news: Condvar,
    /// For what it says of itself.
    path: PathBuf,
    clock: Clock,
}

/// A file that lines are added to.
#[derive(Debug)]
pub(super) struct Journal {
    shared: Arc<Shared>,
}

fn locked(shared: &Shared) -> MutexGuard<'_, Desk> {
    // A thread that panicked while holding it left plain data behind.
    shared.desk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Goes on in `file`, which is at `path`, after `next` lines.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(file: File, path: PathBuf, next: u64, clock: Clock) -> io::Result<Journal> {
        let shared = Arc::new(Shared {
            desk: Mutex::new(Desk {
                backlog: Backlog::default(),
                next,
                error: None,
                closing: false,
                ended: false,
            }),
            news: Condvar::new(),
            path,
            clock,
        });
        let writer = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || write(&writer, file))?;
        Ok(Journal { shared })
    }

    /// Adds a line for `event`; `more` is a JSON object with the rest of it.
    pub(super) fn add(&self, event: &str, more: &str) {
        let mut desk = locked(&self.shared);
        // Both under the lock: in the order of the numbers no time goes back.
        let now = (self.shared.clock)();
        let line = Line::new(desk.next, now.at.0, now.rfc3339(), event, more);
        desk.next += 1;
        desk.backlog.push(line);
        drop(desk);
        self.shared.news.notify_all();
    }

    /// How it fares.
    pub(super) fn health(&self) -> LogHealth {
        let desk = locked(&self.shared);
        let count = |lines: u64| u32::try_from(lines).unwrap_or(u32::MAX);
        match desk.error {
            Some(error) => LogHealth {
                error,
                waiting: count(desk.backlog.waiting() as u64),
                lost: count(desk.backlog.lost()),
            },
            None => LogHealth {
                lost: count(desk.backlog.lost()),
                ..LogHealth::default()
            },
        }
    }

    /// Writes what waits and ends; what could not be written is said instead.
    pub(super) fn close(&self) {
        locked(&self.shared).closing = true;
        self.shared.news.notify_all();
        let (mut desk, _) = self
            .shared
            .news
            .wait_timeout_while(locked(&self.shared), PATIENCE, |desk| !desk.ended)
            .unwrap_or_else(PoisonError::into_inner);
        while let Some(rest) = desk.backlog.next().map(<[u8]>::to_vec) {
            desk.backlog.written(rest.len());
            let line = String::from_utf8_lossy(&rest);
            tracing::error!("not in the audit log: {}", line.trim_end());
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread.
fn write(shared: &Shared, mut file: File) {
    let mut desk = locked(shared);
    loop {
        let Some(rest) = desk.backlog.next().map(<[u8]>::to_vec) else {
            if desk.closing {
                break;
            }
            desk = (shared.news.wait(desk)).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        drop(desk);
        let outcome = file.write(&rest);
        desk = locked(shared);
        match outcome {
            Ok(bytes) if bytes > 0 => {
                desk.backlog.written(bytes);
                if desk.backlog.waiting() > 0 {
                    continue;
                }
                if desk.error.take().is_some() {
                    let lost = desk.backlog.lost();
                    tracing::warn!(
                        "{}: the audit log is written again; {lost} lines were lost",
                        shared.path.display()
                    );
                }
                drop(desk);
                // A file system that has no such thing keeps it as well as it can.
                let _ = file.sync_data();
                desk = locked(shared);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            refused => {
                let error = refused.err().unwrap_or(io::ErrorKind::WriteZero.into());
                if desk.error.is_none() {
                    tracing::error!(
                        "{}: the audit log can't be written: {error}; the job goes on and its lines are kept in memory: make room or access there",
                        shared.path.display()
                    );
                }
                desk.error = Some(error.raw_os_error().unwrap_or(libc::EIO));
                if desk.closing {
                    break;
                }
                (desk, _) = shared
                    .news
                    .wait_timeout(desk, RETRY)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
    desk.ended = true;
    drop(desk);
    shared.news.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::clock::{Stamp, now};
    use crate::units::MonoTime;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn a_file_that_takes_nothing_keeps_nobody_waiting_and_is_told_of() {
        let full = File::options().append(true).open("/dev/full").unwrap();
        let journal = Journal::start(full, "/dev/full".into(), 0, now).unwrap();
        for _ in 0..50 {
            journal.add("test", "{}");
        }
        let health = loop {
            let health = journal.health();
            if health.error != 0 {
                break health;
            }
            std::thread::yield_now();
        };
        assert_eq!(health.error, libc::ENOSPC);
        assert_eq!((health.waiting, health.lost), (50, 0));
    }

    /// A wall clock that is set forward and back by an hour as often as it is read.
    fn restless() -> Stamp {
        static READ: AtomicI64 = AtomicI64::new(0);
        let read = READ.fetch_add(1, Ordering::Relaxed);
        Stamp {
            at: MonoTime(read.unsigned_abs() * 1_000_000),
            wall_ms: 1_700_000_000_000 + read % 3 * 3_600_000 - read % 2 * 7_200_000,
        }
    }

    #[test]
    fn a_wall_clock_set_by_an_hour_reorders_no_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let file = File::create(&path).unwrap();
        let journal = Journal::start(file, path.clone(), 0, restless).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).for_each(|_| journal.add("test", "{}")));
            }
        });
        drop(journal);
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 100);
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(line["seq"], index);
            assert_eq!(line["t_ns"], index * 1_000_000);
        }
        let time = |index: usize| lines[index]["time"].as_str().unwrap();
        let back = (1..100).any(|index| time(index) < time(index - 1));
        assert!(back, "the wall clock did go back");
    }
}
