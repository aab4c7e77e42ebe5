//! One question to a servo and what comes back, patiently: for tools that are not real time.
//!
//! Owns the port while a tool runs. The families' own instructions and scanner say what the bytes
//! are; an answer that comes late counts for the servo whose id it carries. Never decides what is
//! written where.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_serial::{ClearBuffer, SerialPort};

use super::occupant;
use crate::arm::Family;
use crate::bus::port::{PortError, device};
use crate::bus::register::{Block, Register};
use crate::bus::request::Frame;
use crate::bus::scan::{Expected, Frames, Scan, Scanner};
use crate::bus::{dynamixel, feetech};

/// What adapter and kernel may take to bring an answer, an FTDI adapter's 16 ms included.
pub const PATIENCE: Duration = Duration::from_millis(60);
/// The longest return delay a servo can be set to.
const RETURN_DELAY: Duration = Duration::from_micros(508);
/// How long the line must have been quiet after an answer before it counts as the only one.
const LINGER: Duration = Duration::from_millis(4);
/// Bytes a question and its answer take beside what is asked for, whatever the family.
const FRAMES: u32 = 28;
/// How often a question is asked again that nobody answered well.
const ATTEMPTS: u32 = 4;

/// Why a line can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The port can't be opened.
    #[error("{0}")]
    Open(PortError),
    /// Somebody has it.
    #[error("{}", occupant::advice(.0))]
    Busy(PathBuf),
    /// It failed while it was in use.
    #[error("{} failed ({reason}): check the USB cable and connect the adapter again", path.display())]
    Failed {
        /// The port.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// One servo's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whose.
    pub id: u8,
    /// Its error byte.
    pub errors: u8,
    /// The bytes asked for.
    pub bytes: Vec<u8>,
}

/// All that came back to one question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whole and right answers.
    pub answers: Vec<Said>,
    /// Whether there were bytes that belong to none.
    pub garbled: bool,
}

impl Heard {
    /// The answer, when it was the only one and nothing else came.
    #[must_use]
    pub fn clear(mut self, id: u8) -> Option<Said> {
        let alone = !self.garbled && self.answers.len() == 1;
        self.answers.pop().filter(|it| alone && it.id == id)
    }

    /// Whether nothing at all came.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        !self.garbled && self.answers.is_empty()
    }
}

/// A line with servos on it.
pub struct Wire {
    path: PathBuf,
    port: Box<dyn SerialPort>,
    family: Family,
    baud: u32,
    scanner: Scanner,
}

impl Wire {
    /// Opens `path` for this process alone.
    ///
    /// # Errors
    /// One line with the port and what to do, and who has it where somebody does.
    pub fn open(path: &Path, baud: u32, family: Family) -> Result<Wire, WireError> {
        let (_, port) = device(path, baud).map_err(|error| match error {
            PortError::Busy(path) => WireError::Busy(path),
            other => WireError::Open(other),
        })?;
        Ok(Wire {
            path: path.to_owned(),
            port,
            family,
            baud,
            scanner: Scanner::new(family),
        })
    }

    /// The family it speaks.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// Its rate.
    #[must_use]
    pub fn baud(&self) -> u32 {
        self.baud
    }

    /// Speaks to servos of another family, or at another rate.
    ///
    /// # Errors
    /// When the port does not take the rate.
    pub fn tune(&mut self, family: Family, baud: u32) -> Result<(), WireError> {
        self.port
            .set_baud_rate(baud)
            .map_err(|error| self.failed(&error))?;
        self.baud = baud;
        self.family = family;
        self.scanner = Scanner::new(family);
        Ok(())
    }

    /// Reads a block of one servo, again while nothing clear comes.
    ///
    /// # Errors
    /// When the port fails. `None` when the servo gives no clear answer.
    pub fn read(&mut self, id: u8, block: Block) -> Result<Option<Said>, WireError> {
        let Some(frame) = read_frame(self.family, id, block) else {
            return Ok(None);
        };
        for _ in 0..ATTEMPTS {
            let heard = self.ask(&frame, id, block.len, Duration::ZERO)?;
            if let Some(said) = heard.clear(id) {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    /// Reads one register; `None` when there is no clear answer.
    ///
    /// # Errors
    /// When the port fails.
    pub fn read_register(&mut self, id: u8, register: Register) -> Result<Option<i32>, WireError> {
        let said = self.read(id, Block::of(register))?;
        Ok(said.and_then(|said| register.decode(&said.bytes)))
    }

    /// Asks the question that every servo answers, once: Feetech's for its model, Dynamixel's a
    /// ping. An answer is waited for as long as a slow adapter takes.
    ///
    /// # Errors
    /// When the port fails.
    pub fn call(&mut self, id: u8) -> Result<Heard, WireError> {
        let (frame, params) = call_frame(self.family, id);
        self.ask(&frame, id, params, LINGER)
    }

    /// Reads a block once and listens for a second answer.
    ///
    /// # Errors
    /// When the port fails.
    pub fn read_once(&mut self, id: u8, block: Block) -> Result<Heard, WireError> {
        match read_frame(self.family, id, block) {
            Some(frame) => self.ask(&frame, id, block.len, LINGER),
            None => Ok(Heard::default()),
        }
    }

    /// Writes bytes to one servo; its answer, where it gives one.
    ///
    /// # Errors
    /// When the port fails.
    pub(super) fn write(
        &mut self,
        id: u8,
        address: u16,
        data: &[u8],
    ) -> Result<Option<Said>, WireError> {
        let frame = match self.family {
            Family::Feetech => u8::try_from(address).ok().and_then(|address| {
                feetech::Instruction::Write { id, address, data }
                    .emit()
                    .ok()
            }),
            Family::Dynamixel => dynamixel::Instruction::Write { id, address, data }
                .emit()
                .ok(),
        };
        match frame {
            Some(frame) => Ok(self.ask(&frame, id, 0, Duration::ZERO)?.clear(id)),
            None => Ok(None),
        }
    }

    /// Sends a question and listens until it is answered, `linger` longer for a second answer, or
    /// until an answer would have come.
    fn ask(
        &mut self,
        frame: &Frame,
        id: u8,
        params: u8,
        linger: Duration,
    ) -> Result<Heard, WireError> {
        self.port
            .clear(ClearBuffer::Input)
            .map_err(|error| self.failed(&error))?;
        self.scanner.clear();
        self.send(frame)?;
        let mut heard = Heard::default();
        let mut echo = frame.as_slice();
        let mut until = Instant::now() + self.wire_time(params) + PATIENCE;
        let mut lingers = false;
        loop {
            self.sift(&mut heard, &[id], params, &mut echo, false);
            if !heard.answers.is_empty() && !lingers {
                lingers = true;
                until = until.min(Instant::now() + linger);
            }
            if !self.receive_until(until)? {
                break;
            }
        }
        self.sift(&mut heard, &[id], params, &mut echo, true);
        Ok(heard)
    }

    /// Asks each of `ids` in turn without waiting long, and listens to the end for those that come
    /// late. The ids that were heard, or may have been where an answer was spoilt.
    ///
    /// # Errors
    /// When the port fails.
    pub(super) fn sweep(&mut self, ids: &[u8], window: Duration) -> Result<Vec<u8>, WireError> {
        let mut found = Vec::new();
        // Who was asked not so long ago that a spoilt answer could not be theirs.
        let mut recent: Vec<(u8, Instant)> = Vec::new();
        self.port
            .clear(ClearBuffer::Input)
            .map_err(|error| self.failed(&error))?;
        self.scanner.clear();
        let mut asked: Option<(Frame, u8, u8)> = None;
        for id in ids {
            let (frame, params) = call_frame(self.family, *id);
            recent.retain(|(_, asked)| asked.elapsed() < PATIENCE);
            recent.push((*id, Instant::now()));
            self.send(&frame)?;
            let mut echo = frame.as_slice();
            let until = Instant::now() + self.wire_time(params) + window;
            loop {
                let mut heard = Heard::default();
                self.sift(&mut heard, &[*id], params, &mut echo, false);
                let own = heard.answers.iter().any(|said| said.id == *id);
                note(&mut found, &heard, &recent);
                if own || !self.receive_until(until)? {
                    break;
                }
            }
            // What is left is the beginning of something: half an answer that is late, or all there
            // is of a spoilt one. Both are looked into.
            let mut heard = Heard::default();
            self.sift(&mut heard, &[*id], params, &mut echo, true);
            note(&mut found, &heard, &recent);
            asked = Some((frame, params, *id));
        }
        if let Some((frame, params, id)) = asked {
            let until = Instant::now() + PATIENCE;
            while self.receive_until(until)? {}
            let mut heard = Heard::default();
            self.sift(&mut heard, &[id], params, &mut frame.as_slice(), true);
            note(&mut found, &heard, &recent);
        }
        Ok(found)
    }

    fn send(&mut self, frame: &Frame) -> Result<(), WireError> {
        self.port
            .set_timeout(PATIENCE)
            .map_err(|error| self.failed(&error))?;
        let sent = self.port.write_all(frame);
        sent.map_err(|error| self.failed(&error))
    }

    /// Waits for bytes until then and takes them in; whether some came.
    fn receive_until(&mut self, until: Instant) -> Result<bool, WireError> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        // The port waits in whole milliseconds.
        let wait = left.max(Duration::from_millis(1));
        let port = &mut self.port;
        let read = port
            .set_timeout(wait)
            .map_err(std::io::Error::from)
            .and_then(|()| self.scanner.fill(|spare| port.read(spare)));
        match read {
            Ok(0) => Err(self.failed(&"it is gone")),
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock => Ok(false),
                ErrorKind::Interrupted => Ok(true),
                _ => Err(self.failed(&error)),
            },
        }
    }

    /// Takes everything out of the stream that is there.
    fn sift(
        &mut self,
        heard: &mut Heard,
        ids: &[u8],
        params: u8,
        echo: &mut &[u8],
        last_call: bool,
    ) {
        loop {
            let expected = Expected {
                ids,
                params,
                frames: Frames::Each,
                echo,
                last_call,
            };
            match self.scanner.next(&expected) {
                Scan::Wait => return,
                Scan::Echo => *echo = &[],
                Scan::Corrupt { .. } | Scan::Stray(_) => heard.garbled = true,
                Scan::Reply(status) => heard.answers.push(Said {
                    id: status.id,
                    errors: status.errors,
                    bytes: status.params.to_vec(),
                }),
            }
        }
    }

    /// A question and an answer of `params` bytes on the wire, return delay included.
    fn wire_time(&self, params: u8) -> Duration {
        let byte = Duration::from_secs(10) / self.baud.max(1);
        byte * (FRAMES + u32::from(params)) + RETURN_DELAY
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> WireError {
        WireError::Failed {
            path: self.path.clone(),
            reason: reason.to_string(),
        }
    }
}

/// Takes down who was heard, and whose answer a spoilt one may be of those asked of late.
fn note(found: &mut Vec<u8>, heard: &Heard, recent: &[(u8, Instant)]) {
    found.extend(heard.answers.iter().map(|said| said.id));
    if heard.garbled {
        found.extend(recent.iter().map(|(id, _)| *id));
    }
}

/// The question that every servo answers, and the bytes of its answer. Feetech's ping is not used:
/// an adapter's echo of it is an answer, too.
fn call_frame(family: Family, id: u8) -> (Frame, u8) {
    let frame = match family {
        Family::Feetech => {
            let block = Block::of(feetech::register::MODEL);
            return (read_frame(family, id, block).unwrap_or_default(), block.len);
        }
        Family::Dynamixel => dynamixel::Instruction::Ping { id }.emit(),
    };
    (frame.unwrap_or_default(), 3)
}

fn read_frame(family: Family, id: u8, block: Block) -> Option<Frame> {
    match family {
        Family::Feetech => {
            let address = u8::try_from(block.address).ok()?;
            let len = block.len;
            feetech::Instruction::Read { id, address, len }.emit().ok()
        }
        Family::Dynamixel => {
            let (address, len) = (block.address, u16::from(block.len));
            dynamixel::Instruction::Read { id, address, len }
                .emit()
                .ok()
        }
    }
}
