//! A channel whose reading may wait for a device, read by a thread of its own.
//!
//! Asking an adapter behind USB for its lines waits for the bus, and for seconds when the adapter
//! hangs. The thread stores what it read and when; what is too old is broken.
//!
//! Real time: the loop reads one atomic word.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::Channel;
use crate::messages::Level;
use crate::realtime::{self, nanos};
use crate::units::MonoTime;

/// From one reading to the next.
const EVERY: Duration = Duration::from_millis(2);
/// Older than this is no reading.
const STALE: Duration = Duration::from_millis(20);

/// What the thread saw: a time in nanoseconds, and the level in the lowest two bits.
#[derive(Debug)]
struct Shared {
    seen: AtomicU64,
    closing: AtomicBool,
}

/// A channel read elsewhere.
pub(super) struct Watched(Arc<Shared>);

impl Watched {
    /// Reads `channel` in a thread at SCHED_FIFO `priority`, where that is granted.
    pub(super) fn start(mut channel: impl Channel + 'static, priority: i32) -> io::Result<Watched> {
        let now = realtime::now();
        let shared = Arc::new(Shared {
            seen: AtomicU64::new(pack(now, channel.level(now))),
            closing: AtomicBool::new(false),
        });
        let thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("input".into())
            .spawn(move || {
                // Refused is fine: a reading that comes too late is a stop.
                let _ = realtime::set_fifo(priority);
                let mut next = realtime::now();
                while !thread.closing.load(Ordering::Relaxed) {
                    // Stamped from before: the level is at least as young.
                    let asked = realtime::now();
                    let level = channel.level(asked);
                    thread.seen.store(pack(asked, level), Ordering::Relaxed);
                    next = MonoTime(next.0 + nanos(EVERY)).max(realtime::now());
                    realtime::sleep_until(next);
                }
            })?;
        Ok(Watched(shared))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Not waited for: it may hang in its device.
        self.0.closing.store(true, Ordering::Relaxed);
    }
}

impl Channel for Watched {
    fn level(&mut self, now: MonoTime) -> Level {
        let (asked, level) = unpack(self.0.seen.load(Ordering::Relaxed));
        if now.since(asked) > nanos(STALE) {
            Level::Broken
        } else {
            level
        }
    }
}

fn pack(at: MonoTime, level: Level) -> u64 {
    let level = match level {
        Level::Broken => 0,
        Level::Open => 1,
        Level::Closed => 2,
    };
    at.0 << 2 | level
}

fn unpack(word: u64) -> (MonoTime, Level) {
    let level = match word & 3 {
        1 => Level::Open,
        2 => Level::Closed,
        _ => Level::Broken,
    };
    (MonoTime(word >> 2), level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_keeps_its_time() {
        for level in [Level::Broken, Level::Open, Level::Closed] {
            let at = MonoTime(123_456_789_012_345);
            assert_eq!(unpack(pack(at, level)), (at, level));
        }
    }

    /// Says closed, and then hangs for ever.
    struct Hangs(u32);

    impl Channel for Hangs {
        fn level(&mut self, _now: MonoTime) -> Level {
            if self.0 == 0 {
                std::thread::park_timeout(Duration::from_secs(3600));
            }
            self.0 -= 1;
            Level::Closed
        }
    }

    #[test]
    fn a_device_that_hangs_is_broken_and_holds_nobody_up() {
        let mut watched = Watched::start(Hangs(20), 1).unwrap();
        let began = realtime::now();
        let mut closed = false;
        let mut level = Level::Closed;
        while !closed || level != Level::Broken {
            let before = realtime::now();
            level = watched.level(before);
            closed |= level == Level::Closed;
            assert!(before.since(began) < 10_000_000_000, "{closed} {level:?}");
            std::thread::yield_now();
        }
    }
}
