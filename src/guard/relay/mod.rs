//! The relay that gives motor power while the guard pumps it.
//!
//! Its coil hangs on a charge pump: only a line that toggles keeps it pulled, so a process that
//! died, froze or stands on one level takes motor power by doing nothing. Owns the line. Never
//! decides when power goes: the core does.
//!
//! Real time: a beat neither blocks, allocates nor logs; opening does.

mod output;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use self::output::Output;
use super::{Boot, GuardError};
use crate::cell::RelaySection;
use crate::control::Relay;
use crate::realtime::{self, nanos};
use crate::units::MonoTime;

/// The longest a guard may take to come up: past it the relay is no longer pumped.
const BRING_UP: Duration = Duration::from_secs(20);

/// The relay's line.
pub(super) struct Pump {
    output: Box<dyn Output>,
    high: bool,
}

impl Pump {
    /// Opens the line; the relay is not pulled yet.
    ///
    /// # Errors
    /// One line naming the device and what to do.
    fn open(section: &RelaySection, priority: i32) -> Result<Pump, GuardError> {
        let output = output::open(&section.line, priority)
            .map_err(|error| GuardError::Hardware(format!("relay: {error}")))?;
        Ok(Pump {
            output,
            high: false,
        })
    }

    /// One tick: toggles the line, or leaves it low. A line that can't be set lets the relay fall.
    pub(super) fn beat(&mut self, relay: Relay) {
        let high = match relay {
            Relay::Hold => !self.high,
            Relay::Drop => false,
        };
        if high != self.high {
            self.output.set(high);
            self.high = high;
        }
    }
}

/// Pumps while the guard comes up: its servos must have power to be found.
pub(super) struct Pumping {
    thread: Option<JoinHandle<Pump>>,
    over: Arc<AtomicBool>,
}

impl Pumping {
    /// Opens the line and pumps it every `period`; comes back when the servos have power. A guard
    /// that takes over does not wait: the arm must be held.
    ///
    /// # Errors
    /// One line naming the device and what to do.
    pub(super) fn start(
        section: &RelaySection,
        priority: i32,
        period: Duration,
        boot: Boot,
    ) -> Result<Pumping, GuardError> {
        let mut pump = Pump::open(section, priority)?;
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&over);
        let began = realtime::now();
        let thread = std::thread::Builder::new()
            .name("relay".into())
            .spawn(move || {
                let mut next = began;
                while !flag.load(Ordering::Relaxed) && next.since(began) < nanos(BRING_UP) {
                    pump.beat(Relay::Hold);
                    next = MonoTime(next.0 + nanos(period));
                    realtime::sleep_until(next);
                }
                pump
            })
            .map_err(|error| GuardError::Hardware(format!("relay: no thread for it: {error}")))?;
        let pumping = Pumping {
            thread: Some(thread),
            over,
        };
        if boot == Boot::Fresh {
            realtime::sleep_until(MonoTime(began.0 + nanos(section.power_up)));
        }
        Ok(pumping)
    }

    /// Hands the line to the loop, which beats from now on.
    pub(super) fn hand_over(mut self) -> Option<Pump> {
        self.stop()
    }

    fn stop(&mut self) -> Option<Pump> {
        self.over.store(true, Ordering::Relaxed);
        // A thread that panicked pumps no more: the relay has fallen.
        self.thread.take().and_then(|thread| thread.join().ok())
    }
}

impl Drop for Pumping {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Line(Arc<Mutex<Vec<bool>>>);

    impl Output for Line {
        fn set(&mut self, high: bool) {
            self.0.lock().unwrap().push(high);
        }
    }

    #[test]
    fn a_held_relay_is_toggled_every_tick_and_a_dropped_one_left_low() {
        let line = Line::default();
        let levels = Arc::clone(&line.0);
        let mut pump = Pump {
            output: Box::new(line),
            high: false,
        };
        for relay in [Relay::Hold; 5] {
            pump.beat(relay);
        }
        for relay in [Relay::Drop, Relay::Drop, Relay::Hold, Relay::Hold] {
            pump.beat(relay);
        }
        let expected = [true, false, true, false, true, false, true, false];
        assert_eq!(*levels.lock().unwrap(), expected);
    }

    #[test]
    fn the_relay_is_pumped_while_the_guard_comes_up_and_no_longer_when_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay");
        let section = RelaySection {
            line: crate::cell::RelayLine::Simulated(path.clone()),
            power_up: Duration::from_millis(20),
        };
        let level = || std::fs::read_to_string(&path).unwrap_or_default();
        // Counted until there are `enough`, or for `ms`.
        let changes = |enough: u32, ms: u64| {
            let (mut last, mut count) = (level(), 0);
            let began = realtime::now();
            while count < enough && realtime::now().since(began) < ms * 1_000_000 {
                let now = level();
                count += u32::from(now != last);
                last = now;
            }
            count
        };
        let start = || Pumping::start(&section, 1, Duration::from_millis(5), Boot::Fresh).unwrap();
        let pumping = start();
        assert_eq!(changes(6, 10_000), 6);
        drop(pumping);
        assert_eq!(changes(1, 100), 0);
        let pumping = start();
        let mut pump = pumping.hand_over().unwrap();
        let before = level();
        pump.beat(Relay::Hold);
        assert_ne!(before, level());
    }
}
