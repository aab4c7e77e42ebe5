//! Many scenarios on all cores, until enough hours are simulated.
//!
//! Owns which seeds are run. The result does not depend on the number of threads: the row of
//! scenarios is fixed by the first seed and the hours, and the first violation in that row counts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::rng::Rng;
use crate::scenario::{self, Violation};
use crate::tally::Tally;

/// Causes that a long campaign must have seen.
pub const CAUSES: [&str; 19] = [
    "EncoderJump",
    "FollowingError",
    "MissedTicks",
    "NoClearance",
    "OperatorStop",
    "Shutdown",
    "Overheat",
    "Parked",
    "PlanRanOut",
    "PlanRefused",
    "PolicyNotFinite",
    "PortLost",
    "RunnerDied",
    "RunnerSilent",
    "ServoFault",
    "ServoRestarted",
    "ServoSilent",
    "Signal",
    "Voltage",
];

/// The seed of scenario `index` of the campaign that begins with `seed`.
#[must_use]
pub fn scenario_seed(seed: u64, index: u64) -> u64 {
    Rng::new(seed ^ index.wrapping_mul(0xD134_2543_DE82_EF95)).bits()
}

/// Runs at least `hours` simulated hours on `threads` threads.
///
/// # Errors
/// The first violation in the row of scenarios.
pub fn run(seed: u64, hours: f64, threads: usize) -> Result<Tally, Box<Violation>> {
    let count = scenarios(seed, hours);
    let next = AtomicU64::new(0);
    let end = AtomicU64::new(count);
    let found: Mutex<Found> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut mine = Found::default();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= end.load(Ordering::Relaxed) {
                        break;
                    }
                    match scenario::run(scenario_seed(seed, index), &mut |_| {}) {
                        Ok(tally) => mine.tally.add(&tally),
                        Err(violation) => {
                            end.fetch_min(index, Ordering::Relaxed);
                            mine.first = Some((index, violation));
                            break;
                        }
                    }
                }
                let mut found = found.lock().unwrap_or_else(|lock| lock.into_inner());
                found.add(mine);
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(|lock| lock.into_inner());
    match found.first {
        Some((_, violation)) => Err(violation),
        None => Ok(found.tally),
    }
}

/// What one thread, or all of them, found.
#[derive(Default)]
struct Found {
    tally: Tally,
    /// The first violation and its place in the row.
    first: Option<(u64, Box<Violation>)>,
}

impl Found {
    fn add(&mut self, other: Found) {
        self.tally.add(&other.tally);
        let first = self.first.take().into_iter().chain(other.first);
        self.first = first.min_by_key(|(index, _)| *index);
    }
}

/// How many scenarios make `hours`.
fn scenarios(seed: u64, hours: f64) -> u64 {
    let mut secs = 0.0;
    (0..)
        .take_while(|index| {
            let more = secs < hours * 3600.0;
            secs += scenario::duration_secs(scenario_seed(seed, *index));
            more
        })
        .count() as u64
}

/// The causes that `tally` should have seen and has not.
#[must_use]
pub fn unseen(tally: &Tally) -> Vec<&'static str> {
    let seen = |cause: &&str| tally.causes.contains_key(*cause);
    CAUSES.into_iter().filter(|cause| !seen(cause)).collect()
}
