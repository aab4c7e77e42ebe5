//! What servos answered to one request: each reply taken for its own servo, none believed twice.
//!
//! Real time: no allocation, lock, log or clock.

use crate::bus::scan::MAX_PARAMS;
use crate::control::ReadFault;
use crate::units::MAX_JOINTS;

/// The longest block one servo may be asked for.
pub const MAX_BLOCK: usize = MAX_PARAMS;

/// Bytes of one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    len: u8,
    data: [u8; MAX_BLOCK],
}

impl Bytes {
    pub(super) fn new(bytes: &[u8]) -> Option<Bytes> {
        let mut data = [0; MAX_BLOCK];
        data.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let len = u8::try_from(bytes.len()).ok()?;
        Some(Bytes { len, data })
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.data.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// What one servo answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A checked reply.
    Data {
        /// Its error bits.
        errors: u8,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Nothing to be believed.
    Missing(ReadFault),
}

impl Default for Answer {
    fn default() -> Self {
        Answer::Missing(ReadFault::Timeout)
    }
}

/// What came.
pub(super) struct Collection {
    pub(super) answers: [Answer; MAX_JOINTS],
    /// Whose turn is next, as an index into the ids.
    pub(super) next: usize,
    /// Each answered once and in turn. If not, an old reply may be among them, and the true one
    /// still to come.
    pub(super) orderly: bool,
    pub(super) strangers: bool,
    pub(super) echo_seen: bool,
}

impl Collection {
    /// Who has answered so far, rightly or not.
    pub(super) fn heard<'a>(&'a self, ids: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
        let silent = |answer: &Answer| matches!(answer, Answer::Missing(ReadFault::Timeout));
        let both = self.answers.iter().zip(ids);
        both.filter(move |(answer, _)| !silent(answer))
            .map(|(_, id)| *id)
    }

    /// Whether all of `ids` have answered, in turn.
    pub(super) fn is_complete(&self, ids: &[u8]) -> bool {
        self.orderly && self.next == ids.len()
    }

    /// Whether an answer of `id` comes before its turn: those to one request come in the order of
    /// its ids.
    pub(super) fn begins_again(&self, ids: &[u8], id: u8) -> bool {
        let index = ids.iter().position(|asked| *asked == id);
        index.is_some_and(|index| index + 1 < self.next)
    }

    /// Forgets what came so far.
    pub(super) fn begin_again(&mut self) {
        self.answers = [Answer::default(); MAX_JOINTS];
        self.next = 0;
        self.orderly = true;
    }

    /// Takes a reply; whether it can be believed.
    pub(super) fn reply(&mut self, ids: &[u8], id: u8, answer: Answer) -> bool {
        let Some(index) = ids.iter().position(|asked| *asked == id) else {
            self.strangers = true;
            return false;
        };
        let Some(slot) = self.answers.get_mut(index) else {
            return false;
        };
        match slot {
            Answer::Missing(ReadFault::Timeout | ReadFault::Corrupt | ReadFault::Port) => {
                *slot = answer;
                self.orderly &= index == self.next;
                self.next = index + 1;
                true
            }
            // Two replies of one id: an old one and a new one, or two servos. Neither is believed.
            Answer::Data { .. } | Answer::Missing(ReadFault::WrongId) => {
                *slot = Answer::Missing(ReadFault::WrongId);
                self.orderly = false;
                false
            }
        }
    }

    pub(super) fn corrupt(&mut self, ids: &[u8], id: u8) {
        let index = ids.iter().position(|asked| *asked == id);
        if let Some(slot) = index.and_then(|index| self.answers.get_mut(index))
            && *slot == Answer::Missing(ReadFault::Timeout)
        {
            *slot = Answer::Missing(ReadFault::Corrupt);
        }
    }
}
