//! How well a bus answers, asked many times over.
//!
//! Only reads: torque and goals stay as they are.

use std::time::Duration;

use super::{Bus, Found, MAX_TURNAROUND};
use crate::bus::map::map;
use crate::bus::timeouts::Timeouts;
use crate::bus::transaction::{Answer, deadline_in, monotonic_now};
use crate::units::JointVec;

/// What came of asking all servos many times.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// How long each question and its answers took, those that were answered in full.
    pub took: Vec<Duration>,
    /// How often each servo gave no good answer, in the arm's order.
    pub failed: JointVec<u32>,
    /// How often they were asked.
    pub asked: u32,
}

impl Bus<Found> {
    /// Asks all servos `times` in a row for what each tick asks, with the patience of service.
    pub fn sample(&mut self, times: u32) -> Sample {
        let block = map(self.family()).present;
        let ids = self.ids;
        let timeouts = Timeouts::new(self.family(), self.port.baud(), MAX_TURNAROUND);
        let wait = timeouts.sync_read(ids.len(), block);
        let mut sample = Sample {
            took: Vec::new(),
            failed: JointVec::repeat(0, ids.len()),
            asked: times,
        };
        for _ in 0..times {
            let start = monotonic_now();
            let answers = self.line().sync_read(&ids, block, deadline_in(wait));
            let took = Duration::from_nanos(monotonic_now().since(start));
            let mut all = true;
            for (failed, answer) in sample.failed.iter_mut().zip(&answers) {
                if matches!(answer, Answer::Missing(_)) {
                    *failed += 1;
                    all = false;
                }
            }
            if all {
                sample.took.push(took);
            }
        }
        sample
    }
}
