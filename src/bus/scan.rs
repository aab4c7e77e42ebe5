//! Finds replies in a stream that may also hold noise, our own echo, and torn frames.
//!
//! Owns the stream; what its first bytes are is the family's to judge. Each byte is looked at a
//! bounded number of times. Never decides which servo was asked what: that is the transaction.
//!
//! Real time: nothing here allocates, blocks or reads a clock.

use super::dynamixel::scan::Chain;
use super::{dynamixel, feetech};
use crate::arm::Family;

/// Bytes held back at most; more than any frame needs to be judged.
const CAPACITY: usize = 1024;
/// The most parameters a reply may have.
pub const MAX_PARAMS: usize = 64;

/// What may come.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who was asked, in the order of their answers.
    pub ids: &'a [u8],
    /// Parameters in each reply.
    pub params: u8,
    /// Whether each answers in a frame of its own.
    pub frames: Frames,
    /// The request, while its echo may still come; empty otherwise.
    pub echo: &'a [u8],
    /// Nothing more will come: judge what is there.
    pub last_call: bool,
}

/// How several servos answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// Each in a frame of its own.
    Each,
    /// All in one frame, block by block.
    Shared,
}

/// A servo's reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// The servo that answers.
    pub id: u8,
    /// Error bits, as its family has them.
    pub errors: u8,
    /// The bytes asked for.
    pub params: &'a [u8],
}

/// What was found next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan<'a> {
    /// A whole and right reply.
    Reply(Status<'a>),
    /// Our own request.
    Echo,
    /// A reply of this servo that is damaged or of another length.
    Corrupt {
        /// As far as the damage lets one tell.
        id: u8,
    },
    /// Bytes that belong to nothing.
    Stray(usize),
    /// No more can be said before more bytes come.
    Wait,
}

/// What the first bytes are, and how many of them that covers.
pub(super) enum Verdict {
    Reply(usize),
    /// The beginning of a frame that several servos share.
    Opening(usize, Chain),
    Echo(usize),
    Corrupt {
        id: u8,
        skip: usize,
    },
    Stray(usize),
    Wait,
}

/// The stream.
#[derive(Debug, Clone)]
pub struct Scanner {
    family: Family,
    buffer: [u8; CAPACITY],
    start: usize,
    end: usize,
    /// The frame several servos share that is under way.
    chain: Option<Chain>,
    /// Parameters of the last reply, as they were meant.
    params: [u8; MAX_PARAMS],
}

impl Scanner {
    /// An empty stream of this family's replies.
    #[must_use]
    pub fn new(family: Family) -> Scanner {
        Scanner {
            family,
            buffer: [0; CAPACITY],
            start: 0,
            end: 0,
            chain: None,
            params: [0; MAX_PARAMS],
        }
    }

    /// The family whose replies it finds.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// Bytes that were not taken out yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Forgets everything held; says how many bytes that were.
    pub fn clear(&mut self) -> usize {
        let held = self.held();
        self.start = 0;
        self.end = 0;
        self.chain = None;
        held
    }

    /// Lets `read` append bytes; it says how many it put at the beginning of the slice it gets.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn fill<E>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let spare = self.buffer.get_mut(self.end..).unwrap_or(&mut []);
        let room = spare.len();
        let count = read(spare)?.min(room);
        self.end += count;
        Ok(count)
    }

    /// Takes the next thing out of the stream.
    pub fn next(&mut self, expected: &Expected<'_>) -> Scan<'_> {
        let rest = self.buffer.get(self.start..self.end).unwrap_or(&[]);
        let verdict = match (self.family, self.chain) {
            (_, _) if rest.is_empty() => Verdict::Wait,
            (Family::Feetech, _) => {
                echoed(rest, expected).unwrap_or_else(|| feetech::scan::examine(rest, expected))
            }
            (Family::Dynamixel, None) => {
                echoed(rest, expected).unwrap_or_else(|| dynamixel::scan::examine(rest, expected))
            }
            (Family::Dynamixel, Some(chain)) => chain.examine(rest, expected),
        };
        let begin = self.start;
        match verdict {
            Verdict::Wait => Scan::Wait,
            Verdict::Stray(count) => {
                self.start += count;
                self.chain = None;
                Scan::Stray(count)
            }
            Verdict::Echo(count) => {
                self.start += count;
                Scan::Echo
            }
            Verdict::Corrupt { id, skip } => {
                self.start += skip;
                self.chain = None;
                Scan::Corrupt { id }
            }
            Verdict::Opening(count, chain) => {
                self.start += count;
                self.chain = Some(chain);
                self.next(expected)
            }
            Verdict::Reply(count) => {
                self.start += count;
                let bytes = self.buffer.get(begin..self.start).unwrap_or(&[]);
                let status = match (self.family, self.chain) {
                    (Family::Feetech, _) => feetech::status::parse(bytes),
                    (Family::Dynamixel, None) => dynamixel::status::parse(bytes, &mut self.params),
                    (Family::Dynamixel, Some(chain)) => {
                        self.chain = chain.after(bytes);
                        dynamixel::scan::block(bytes)
                    }
                };
                match status {
                    Some(status) => Scan::Reply(status),
                    None => Scan::Stray(count),
                }
            }
        }
    }
}

/// Whether our own request is coming back.
fn echoed(rest: &[u8], expected: &Expected<'_>) -> Option<Verdict> {
    if expected.echo.is_empty() {
        return None;
    }
    if rest.starts_with(expected.echo) {
        return Some(Verdict::Echo(expected.echo.len()));
    }
    (expected.echo.starts_with(rest) && !expected.last_call).then_some(Verdict::Wait)
}
