//! A request that is answered: sent when the line is drained, its replies taken until they are all
//! there in turn, or the deadline.
//!
//! Owns which replies are doubted. Real time: no allocation, lock or log.

use std::time::Duration;

use super::answer::Collection;
use super::{Answer, Bytes, Line, PortFault, deadline_in, monotonic_now};
use crate::bus::request::Frame;
use crate::bus::scan::{Expected, Frames, Scan};
use crate::control::ReadFault;
use crate::units::{MAX_JOINTS, MonoTime};

/// How long after an old reply of the last servo the true one may come, adapter included.
const TRUE_REPLY: Duration = Duration::from_millis(5);

/// What is asked of whom.
pub(super) struct Ask<'a> {
    pub(super) ids: &'a [u8],
    /// Bytes in each reply.
    pub(super) params: u8,
    pub(super) frames: Frames,
    /// What an echoing adapter would give back.
    pub(super) echo: &'a [u8],
    /// Once complete: how long to go on listening for a second answer.
    pub(super) linger: Option<Duration>,
}

impl Line {
    /// Sends `frame`, and takes what is answered until `deadline`.
    pub(super) fn exchange(
        &mut self,
        frame: &Frame,
        ask: &Ask<'_>,
        deadline: MonoTime,
    ) -> Collection {
        let mut collection = Collection {
            answers: [Answer::default(); MAX_JOINTS],
            next: 0,
            orderly: true,
            strangers: false,
            echo_seen: false,
        };
        let outcome = self
            .drain_answers(ask)
            .and_then(|()| self.send(frame, deadline))
            .and_then(|()| self.collect(&mut collection, ask, deadline));
        if outcome.is_err() {
            self.errors.io = self.errors.io.saturating_add(1);
        }
        self.settle(&mut collection, ask, outcome.is_err());
        self.owed_echo = 0;
        collection
    }

    /// Takes replies until all are there in turn, or the deadline.
    fn collect(
        &mut self,
        collection: &mut Collection,
        ask: &Ask<'_>,
        mut deadline: MonoTime,
    ) -> Result<(), PortFault> {
        let latest = deadline;
        let mut lingering = false;
        loop {
            self.scan(collection, ask, false);
            let complete = collection.is_complete(ask.ids);
            if complete && !lingering {
                // An old answer of the last servo looks like the end of this round.
                let last = ask.ids.last();
                let suspicious = last.is_some_and(|id| self.owed.by(*id, monotonic_now()));
                let Some(wait) = ask.linger.max(suspicious.then_some(TRUE_REPLY)) else {
                    return Ok(());
                };
                deadline = MonoTime(latest.0.min(deadline_in(wait).0));
                lingering = true;
            } else if !complete {
                deadline = latest;
                lingering = false;
            }
            let in_time = self.descriptor.await_input(deadline)?;
            self.receive()?;
            // What comes without end, noise or a babbling servo, must not hold the loop.
            if !in_time || monotonic_now() >= deadline {
                self.scan(collection, ask, true);
                let complete = collection.is_complete(ask.ids);
                if let Some(last) = ask.ids.last().filter(|_| lingering && complete) {
                    // Nothing followed: what it owed is lost.
                    self.owed.forgive(*last);
                }
                return Ok(());
            }
        }
    }

    /// Takes everything out of the stream that is there.
    fn scan(&mut self, collection: &mut Collection, ask: &Ask<'_>, last_call: bool) {
        loop {
            let echo: &[u8] = if collection.echo_seen { &[] } else { ask.echo };
            let expected = Expected {
                ids: ask.ids,
                params: ask.params,
                frames: ask.frames,
                echo,
                last_call,
            };
            match self.scanner.next(&expected) {
                Scan::Wait => return,
                Scan::Echo => collection.echo_seen = true,
                Scan::Stray(count) => self.stray(count),
                Scan::Corrupt { id } => {
                    self.errors.checksum = self.errors.checksum.saturating_add(1);
                    collection.corrupt(ask.ids, id);
                }
                Scan::Reply(status) => {
                    if collection.begins_again(ask.ids, status.id) {
                        self.owed.settle(collection, ask.ids, monotonic_now());
                    }
                    let believed = Bytes::new(status.params).is_some_and(|bytes| {
                        let errors = status.errors;
                        collection.reply(ask.ids, status.id, Answer::Data { errors, bytes })
                    });
                    if !believed {
                        self.errors.wrong_id = self.errors.wrong_id.saturating_add(1);
                    }
                }
            }
        }
    }

    /// Names what is missing and counts it.
    fn settle(&mut self, collection: &mut Collection, ask: &Ask<'_>, port_failed: bool) {
        let now = monotonic_now();
        self.owed.settle_last(collection, ask.ids);
        let strangers = collection.strangers;
        for (answer, id) in collection.answers.iter_mut().zip(ask.ids) {
            let Answer::Missing(fault) = answer else {
                continue;
            };
            if port_failed {
                *fault = ReadFault::Port;
            } else if *fault == ReadFault::Timeout {
                self.errors.timeouts = self.errors.timeouts.saturating_add(1);
                self.owed.missed(*id, now);
                if strangers {
                    *fault = ReadFault::WrongId;
                }
            }
        }
    }

    /// As [`Line::drain`], before another such request: answers that come late pay for those that
    /// did not come in time.
    fn drain_answers(&mut self, ask: &Ask<'_>) -> Result<(), PortFault> {
        if self.receive()? == 0 && self.scanner.held() == 0 {
            self.scanner.clear();
            return Ok(());
        }
        let held = self.scanner.held();
        let expected = Expected {
            ids: ask.ids,
            params: ask.params,
            frames: ask.frames,
            echo: &[],
            last_call: false,
        };
        loop {
            match self.scanner.next(&expected) {
                Scan::Wait => break,
                Scan::Reply(status) => self.owed.came(status.id),
                Scan::Echo | Scan::Corrupt { .. } | Scan::Stray(_) => {}
            }
        }
        self.stray(held.saturating_sub(self.scanner.held()));
        self.drain()
    }
}
