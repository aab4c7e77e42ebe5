//! What the machine does to everybody meanwhile: threads above all others that do nothing but wake up,
//! one on each processor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Above the controller's 80.
const PRIORITY: i32 = 95;
/// Seconds between two wake-ups.
const EVERY: f64 = 0.001;
/// A wake-up this late is kept, nanoseconds.
const LATE: u64 = 1_000_000;

/// The threads; they end when this is dropped.
pub struct Machine {
    over: Arc<AtomicBool>,
    /// When each late wake-up came, and how late, nanoseconds.
    late: Arc<Mutex<Vec<(u64, u64)>>>,
}

impl Machine {
    pub fn watch() -> Machine {
        let machine = Machine {
            over: Arc::default(),
            late: Arc::default(),
        };
        let allowed = sched_getaffinity(None).unwrap();
        for processor in (0..CpuSet::MAX_CPU).filter(|it| allowed.is_set(*it)) {
            let (over, late) = (Arc::clone(&machine.over), Arc::clone(&machine.late));
            std::thread::spawn(move || {
                let mut only = CpuSet::new();
                only.set(processor);
                // Without its priority or its place it only says more.
                let _ = sched_setaffinity(None, &only);
                let _ = surehand::realtime::set_fifo(PRIORITY);
                while !over.load(Ordering::Relaxed) {
                    let due = surehand::realtime::now().offset_secs(EVERY);
                    surehand::realtime::sleep_until(due);
                    let now = surehand::realtime::now();
                    if now.since(due) > LATE {
                        late.lock().unwrap().push((now.0, now.since(due)));
                    }
                }
            });
        }
        machine
    }

    /// The latest wake-up on any processor since `since`, milliseconds.
    pub fn latest(&self, since: u64) -> f64 {
        let late = self.late.lock().unwrap();
        let meanwhile = late.iter().filter(|(at, _)| *at >= since);
        let latest = meanwhile.map(|(_, late)| *late).max().unwrap_or(0);
        latest as f64 * 1e-6
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
