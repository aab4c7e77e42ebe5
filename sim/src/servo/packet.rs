//! Bytes on the servo line: a parser that finds requests among whatever arrives, and the status
//! frame that answers them. Never knows what a register means.
//!
//! `FF FF ID LEN INST params… CHK`, `LEN = params + 2`, `CHK = !(ID + LEN + … + last param)`.

use super::registers::EEPROM_END;

/// The id every servo listens to.
pub const BROADCAST: u8 = 0xFE;
/// The longest `LEN` a request may claim; anything above is taken for noise.
const LONGEST: u8 = 250;

/// One request as it came over the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Servo addressed, [`BROADCAST`] for all.
    pub id: u8,
    /// What is asked.
    pub instruction: Instruction,
    /// The whole frame, header to checksum.
    pub raw: Vec<u8>,
}

impl Request {
    /// Whether it writes to the EEPROM area.
    #[must_use]
    pub fn writes_eeprom(&self) -> bool {
        match &self.instruction {
            Instruction::Write { address, .. }
            | Instruction::Stage { address, .. }
            | Instruction::SyncWrite { address, .. } => *address < EEPROM_END,
            Instruction::Ping
            | Instruction::Read { .. }
            | Instruction::Action
            | Instruction::SyncRead { .. } => false,
        }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// Is anybody there.
    Ping,
    /// Read `len` bytes from `address`.
    Read {
        /// First register.
        address: u8,
        /// How many bytes.
        len: u8,
    },
    /// Write at once.
    Write {
        /// First register.
        address: u8,
        /// The bytes for it and those after it.
        data: Vec<u8>,
    },
    /// Keep a write until [`Instruction::Action`].
    Stage {
        /// First register.
        address: u8,
        /// The bytes for it and those after it.
        data: Vec<u8>,
    },
    /// Carry out the staged write.
    Action,
    /// Each servo named answers in turn.
    SyncRead {
        /// First register.
        address: u8,
        /// How many bytes.
        len: u8,
        /// The servos, in the order of their answers.
        ids: Vec<u8>,
    },
    /// One write a servo, in one frame, without an answer.
    SyncWrite {
        /// First register.
        address: u8,
        /// Servo and its bytes.
        writes: Vec<(u8, Vec<u8>)>,
    },
}

/// What the parser found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A request with a right length and checksum.
    Request(Request),
    /// Bytes that are none: noise, a wrong checksum, an unknown instruction.
    Rejected(Vec<u8>),
}

/// Finds requests in a stream of bytes; a bad frame costs no good one that follows it.
#[derive(Debug, Clone, Default)]
pub struct Parser {
    pending: Vec<u8>,
    skipped: Vec<u8>,
}

impl Parser {
    /// Takes one byte; what it completes is appended to `found`.
    pub fn push(&mut self, byte: u8, found: &mut Vec<Found>) {
        self.pending.push(byte);
        self.scan(found);
    }

    /// The line was quiet for long: a frame that has only begun will not be completed.
    pub fn idle(&mut self, found: &mut Vec<Found>) {
        while !self.pending.is_empty() {
            self.skip_one();
            self.scan(found);
        }
        self.flush_skipped(found);
    }

    fn scan(&mut self, found: &mut Vec<Found>) {
        loop {
            match examine(&self.pending) {
                Verdict::More => break,
                Verdict::Skip => self.skip_one(),
                Verdict::Frame(len) => {
                    let raw: Vec<u8> = self.pending.drain(..len).collect();
                    self.flush_skipped(found);
                    match understand(&raw) {
                        Some((id, instruction)) => found.push(Found::Request(Request {
                            id,
                            instruction,
                            raw,
                        })),
                        None => found.push(Found::Rejected(raw)),
                    }
                }
            }
        }
        // A flood of noise must not gather in memory.
        if self.skipped.len() >= usize::from(LONGEST) {
            self.flush_skipped(found);
        }
    }

    fn skip_one(&mut self) {
        if !self.pending.is_empty() {
            self.skipped.push(self.pending.remove(0));
        }
    }

    fn flush_skipped(&mut self, found: &mut Vec<Found>) {
        if !self.skipped.is_empty() {
            found.push(Found::Rejected(std::mem::take(&mut self.skipped)));
        }
    }
}

enum Verdict {
    More,
    Skip,
    Frame(usize),
}

fn examine(bytes: &[u8]) -> Verdict {
    match *bytes {
        [] | [0xFF] | [0xFF, 0xFF] => Verdict::More,
        // A third FF may be the second of the true header.
        [0xFF, 0xFF, 0xFF, ..] => Verdict::Skip,
        [0xFF, 0xFF, _] => Verdict::More,
        [0xFF, 0xFF, _, len, ..] => {
            let whole = usize::from(len) + 4;
            if !(2..=LONGEST).contains(&len) {
                Verdict::Skip
            } else if bytes.len() < whole {
                Verdict::More
            } else if bytes.get(whole - 1)
                == Some(&checksum(bytes.get(2..whole - 1).unwrap_or(&[])))
            {
                Verdict::Frame(whole)
            } else {
                Verdict::Skip
            }
        }
        _ => Verdict::Skip,
    }
}

fn understand(raw: &[u8]) -> Option<(u8, Instruction)> {
    let (id, body) = (*raw.get(2)?, raw.get(4..raw.len().checked_sub(1)?)?);
    let instruction = match *body {
        [0x01] => Instruction::Ping,
        [0x02, address, len] => Instruction::Read { address, len },
        [0x03, address, ref data @ ..] if !data.is_empty() => Instruction::Write {
            address,
            data: data.to_vec(),
        },
        [0x04, address, ref data @ ..] if !data.is_empty() => Instruction::Stage {
            address,
            data: data.to_vec(),
        },
        [0x05] => Instruction::Action,
        [0x82, address, len, ref ids @ ..] if id == BROADCAST => Instruction::SyncRead {
            address,
            len,
            ids: ids.to_vec(),
        },
        [0x83, address, len, ref rest @ ..] if id == BROADCAST => {
            let stride = usize::from(len) + 1;
            if len == 0 || !rest.len().is_multiple_of(stride) {
                return None;
            }
            let writes = rest
                .chunks_exact(stride)
                .filter_map(|chunk| chunk.split_first())
                .map(|(id, data)| (*id, data.to_vec()))
                .collect();
            Instruction::SyncWrite { address, writes }
        }
        _ => return None,
    };
    Some((id, instruction))
}

fn checksum(bytes: &[u8]) -> u8 {
    !bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte))
}

/// The status frame of servo `id`: `FF FF ID LEN ERR params… CHK`.
#[must_use]
pub fn status(id: u8, error: u8, params: &[u8]) -> Vec<u8> {
    let len = u8::try_from(params.len() + 2).unwrap_or(u8::MAX);
    let mut frame = vec![0xFF, 0xFF, id, len, error];
    frame.extend_from_slice(params);
    frame.push(checksum(frame.get(2..).unwrap_or(&[])));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Vec<Found> {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for byte in bytes {
            parser.push(*byte, &mut found);
        }
        found
    }

    fn requests(bytes: &[u8]) -> Vec<(u8, Instruction)> {
        parse(bytes)
            .into_iter()
            .filter_map(|found| match found {
                Found::Request(request) => Some((request.id, request.instruction)),
                Found::Rejected(_) => None,
            })
            .collect()
    }

    const PING_1: [u8; 6] = [0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB];

    #[test]
    fn a_ping_is_understood() {
        assert_eq!(requests(&PING_1), [(1, Instruction::Ping)]);
    }

    #[test]
    fn a_bad_checksum_is_rejected_and_costs_nothing_after_it() {
        let mut bytes = vec![0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFA];
        bytes.extend(PING_1);
        let found = parse(&bytes);
        assert_eq!(
            found[0],
            Found::Rejected(vec![0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFA])
        );
        assert_eq!(requests(&bytes), [(1, Instruction::Ping)]);
    }

    #[test]
    fn a_truncated_frame_does_not_swallow_the_next_one() {
        for cut in 1..6 {
            let mut bytes = PING_1[..cut].to_vec();
            bytes.extend(PING_1);
            assert_eq!(requests(&bytes), [(1, Instruction::Ping)], "cut at {cut}");
        }
    }

    #[test]
    fn an_extra_header_byte_is_skipped() {
        let mut bytes = vec![0xFF];
        bytes.extend(PING_1);
        assert_eq!(requests(&bytes), [(1, Instruction::Ping)]);
    }

    #[test]
    fn a_frame_that_claims_too_much_ends_when_the_line_goes_quiet() {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for byte in [0xFF, 0xFF, 0x01, 0xC8].iter().chain(&PING_1) {
            parser.push(*byte, &mut found);
        }
        assert!(found.is_empty());
        parser.idle(&mut found);
        assert!(matches!(&found[1], Found::Request(request) if request.raw == PING_1));
    }

    #[test]
    fn a_sync_write_of_a_wrong_length_is_rejected() {
        // two bytes a servo announced, three given
        let found = parse(&[0xFF, 0xFF, 0xFE, 0x08, 0x83, 42, 2, 1, 0, 8, 9, 0x38]);
        assert!(matches!(&found[..], [Found::Rejected(_)]), "{found:?}");
    }

    #[test]
    fn a_flood_of_noise_gathers_nowhere() {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for i in 0..100_000u32 {
            parser.push((i.wrapping_mul(2_654_435_761) >> 13) as u8, &mut found);
            assert!(parser.pending.len() < 260 && parser.skipped.len() < 260);
        }
    }
}
