//! One request on a descriptor, and its replies until a deadline.
//!
//! Drains what is stale, sends, waits with `epoll`, and takes each servo's reply for itself: one
//! silent servo does not lose the others, and a reply that came late or twice is not believed.
//! Counts what goes wrong. Never retries and never opens a port.
//!
//! Real time: no allocation, lock or log. The clock is read here, because deadlines are real.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::map::map;
use super::register::{Block, RamRegister, Torque};
use super::request::{Frame, Request, TooLong};
use super::scan::{Frames, Scanner};
use crate::arm::Family;
use crate::messages::BusErrors;
use crate::units::{JointVec, MAX_JOINTS, MonoTime};

mod answer;
mod descriptor;
mod exchange;
mod owed;

pub use answer::{Answer, Bytes, MAX_BLOCK};
use descriptor::Descriptor;
use exchange::Ask;
use owed::Owed;

/// How many reads of the scanner's size a drain makes before it leaves a flood to the scanner.
const MAX_DRAIN_READS: u32 = 16;
/// After a ping's answer: how long a second servo with the same id gets to show.
const LINGER: Duration = Duration::from_millis(3);

/// The port failed or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortFault {
    /// The operating system's error.
    #[error("the serial port failed ({0})")]
    Os(Errno),
    /// The other end has closed, or the adapter was unplugged.
    #[error("the serial port is gone")]
    Gone,
    /// It takes no more bytes: the deadline passed while writing.
    #[error("the serial port takes no more bytes")]
    Stuck,
}

/// A write that did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The port.
    #[error(transparent)]
    Port(#[from] PortFault),
    /// The register can't hold the value; nothing was written to any servo.
    #[error("servo {id}: {value} does not fit its register; nothing was written")]
    Value {
        /// The servo.
        id: u8,
        /// The value.
        value: i32,
    },
    /// More servos than a frame can carry; nothing was written.
    #[error("too many servos for one frame")]
    TooLong,
}

impl From<TooLong> for WriteError {
    fn from(_: TooLong) -> Self {
        WriteError::TooLong
    }
}

/// Now, on the clock that deadlines are given in.
#[must_use]
pub fn monotonic_now() -> MonoTime {
    let now = clock_gettime(ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    MonoTime(secs.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The moment `wait` from now.
#[must_use]
pub fn deadline_in(wait: Duration) -> MonoTime {
    let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
    MonoTime(monotonic_now().0.saturating_add(nanos))
}

/// A half-duplex line with servos on it. The descriptor must not block.
#[derive(Debug)]
pub struct Line {
    descriptor: Descriptor,
    scanner: Scanner,
    errors: BusErrors,
    /// The part of the last request that was not sent, spoilt so that no servo obeys it.
    torn: Frame,
    /// Whether the adapter gives back what is sent; unknown until a request tells.
    echoes: Option<bool>,
    /// Bytes of echo that may still come from requests nobody answers.
    owed_echo: usize,
    /// Answers to requests of before that may still come.
    owed: Owed,
}

impl Line {
    /// On `fd`, open for reading and writing and non-blocking, with servos of `family`.
    ///
    /// # Errors
    /// When the system can't watch it: no descriptors left, or a Linux before 5.11.
    pub fn new(fd: OwnedFd, family: Family) -> Result<Line, Errno> {
        Ok(Line {
            descriptor: Descriptor::new(fd)?,
            scanner: Scanner::new(family),
            errors: BusErrors::default(),
            torn: Frame::new(),
            echoes: None,
            owed_echo: 0,
            owed: Owed::default(),
        })
    }

    /// The family of the servos on it.
    #[must_use]
    pub fn family(&self) -> Family {
        self.scanner.family()
    }

    /// What has gone wrong so far.
    #[must_use]
    pub fn errors(&self) -> BusErrors {
        self.errors
    }

    /// Whether the adapter echoes, once known.
    #[must_use]
    pub fn echoes(&self) -> Option<bool> {
        self.echoes
    }

    /// Reads `block` from every servo of `ids`, at most until `deadline`. One answer an id, in
    /// their order; a failed port shows as [`ReadFault::Port`](crate::control::ReadFault::Port).
    pub fn sync_read(
        &mut self,
        ids: &JointVec<u8>,
        block: Block,
        deadline: MonoTime,
    ) -> JointVec<Answer> {
        self.sync_read_in(Frames::Each, ids, block, deadline)
    }

    /// As [`Line::sync_read`], the replies in frames of their own or in a shared one; a family
    /// that does not know the latter gives the former.
    pub fn sync_read_in(
        &mut self,
        frames: Frames,
        ids: &JointVec<u8>,
        block: Block,
        deadline: MonoTime,
    ) -> JointVec<Answer> {
        let asked = ids.as_slice();
        let request = match frames {
            Frames::Each => Request::SyncRead { block, ids: asked },
            Frames::Shared => Request::FastSyncRead { block, ids: asked },
        };
        let Ok(frame) = request.emit(self.family()) else {
            return JointVec::repeat(Answer::default(), ids.len());
        };
        let ask = Ask {
            ids: asked,
            params: block.len,
            frames,
            echo: &frame,
            linger: None,
        };
        let collection = self.exchange(&frame, &ask, deadline);
        if collection.echo_seen {
            self.echoes = Some(true);
        } else if collection.next > 0 {
            self.echoes = Some(false);
        }
        collection.answers.iter().copied().take(ids.len()).collect()
    }

    /// Asks whether a servo is there, at most until `deadline`. Two servos with this id show as
    /// [`ReadFault::Corrupt`](crate::control::ReadFault::Corrupt) or
    /// [`ReadFault::WrongId`](crate::control::ReadFault::WrongId).
    pub fn ping(&mut self, id: u8, deadline: MonoTime) -> Answer {
        let Ok(frame) = Request::Ping { id }.emit(self.family()) else {
            return Answer::default();
        };
        // A Feetech ping and the answer "voltage error" are the same bytes: on a line known not
        // to echo they are the answer.
        let echo = match self.echoes {
            Some(false) => &[],
            Some(true) | None => frame.as_slice(),
        };
        let ask = Ask {
            ids: &[id],
            params: map(self.family()).ping_params,
            frames: Frames::Each,
            echo,
            linger: Some(LINGER),
        };
        let [answer, ..] = self.exchange(&frame, &ask, deadline).answers;
        answer
    }

    /// Writes a register of several servos at once; nobody answers.
    ///
    /// # Errors
    /// When a value does not fit (then nothing is sent), or the port fails.
    pub fn write_each(
        &mut self,
        register: RamRegister,
        values: impl Iterator<Item = (u8, i32)>,
        deadline: MonoTime,
    ) -> Result<(), WriteError> {
        let register = register.register();
        let mut entries = heapless::Vec::<u8, { 5 * MAX_JOINTS }>::new();
        for (id, value) in values {
            let bytes = register
                .encode(value)
                .ok_or(WriteError::Value { id, value })?;
            entries.push(id).map_err(|_| WriteError::TooLong)?;
            let bytes = bytes.get(..usize::from(register.width)).unwrap_or(&[]);
            entries
                .extend_from_slice(bytes)
                .map_err(|_| WriteError::TooLong)?;
        }
        if entries.is_empty() {
            return Ok(());
        }
        let request = Request::SyncWrite {
            address: register.address,
            len: register.width,
            entries: &entries,
        };
        self.tell(&request, deadline)
    }

    /// Writes torque to the servos of `ids` at once; nobody answers.
    ///
    /// # Errors
    /// When the port fails.
    pub fn write_torque(
        &mut self,
        ids: &JointVec<u8>,
        torque: Torque,
        deadline: MonoTime,
    ) -> Result<(), WriteError> {
        let mut entries = heapless::Vec::<u8, { 2 * MAX_JOINTS }>::new();
        for id in ids {
            entries
                .extend_from_slice(&[*id, torque.byte()])
                .map_err(|_| WriteError::TooLong)?;
        }
        let register = map(self.family()).torque_enable;
        let request = Request::SyncWrite {
            address: register.address,
            len: register.width,
            entries: &entries,
        };
        self.tell(&request, deadline)
    }

    /// Torque off for every servo on the line, whatever its id.
    ///
    /// # Errors
    /// When the port fails.
    pub fn broadcast_torque_off(&mut self, deadline: MonoTime) -> Result<(), WriteError> {
        let request = Request::WriteAll {
            address: map(self.family()).torque_enable.address,
            data: &[Torque::Off.byte()],
        };
        self.tell(&request, deadline)
    }

    /// Throws away what has come in: it belongs to requests of before.
    ///
    /// # Errors
    /// When the port fails.
    pub fn drain(&mut self) -> Result<(), PortFault> {
        let held = self.scanner.clear();
        self.stray(held);
        for _ in 0..MAX_DRAIN_READS {
            let count = self.receive()?;
            if count == 0 {
                break;
            }
            self.scanner.clear();
            self.stray(count);
        }
        Ok(())
    }

    fn stray(&mut self, count: usize) {
        let excused = count.min(self.owed_echo);
        self.owed_echo -= excused;
        let stray = u64::try_from(count - excused).unwrap_or(u64::MAX);
        self.errors.stray_bytes = self.errors.stray_bytes.saturating_add(stray);
    }

    /// Sends a request that nobody answers.
    fn tell(&mut self, request: &Request<'_>, deadline: MonoTime) -> Result<(), WriteError> {
        let frame = request.emit(self.family())?;
        self.send(&frame, deadline).inspect_err(|_| {
            self.errors.io = self.errors.io.saturating_add(1);
        })?;
        if self.echoes == Some(true) {
            self.owed_echo = frame.len();
        }
        Ok(())
    }

    /// Reads once into the scanner; 0 when there is nothing.
    fn receive(&mut self) -> Result<usize, PortFault> {
        self.scanner.fill(|spare| self.descriptor.read(spare))
    }

    /// Sends a whole frame. When that fails half-way, the next call first completes the torn one
    /// with a wrong checksum, so that servos see where the next begins and obey nothing stale.
    fn send(&mut self, frame: &[u8], deadline: MonoTime) -> Result<(), PortFault> {
        let torn = std::mem::take(&mut self.torn);
        let (sent, outcome) = self.descriptor.push(&torn, deadline);
        if outcome.is_err() {
            self.torn.extend(torn.iter().skip(sent).copied());
            return outcome;
        }
        let (sent, outcome) = self.descriptor.push(frame, deadline);
        if outcome.is_err() && sent > 0 {
            self.torn.extend(frame.iter().skip(sent).copied());
            if let Some(check) = self.torn.last_mut() {
                *check = !*check;
            }
        }
        outcome
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests;
