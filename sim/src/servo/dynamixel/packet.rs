//! Bytes on a line of protocol 2.0: a parser that finds requests among whatever arrives, and the
//! status frames that answer them. Never knows what a register means.
//!
//! `FF FF FD 00 ID LEN_L LEN_H INST params… CRC_L CRC_H`, `LEN` = bytes after it. A further `FD`
//! follows each `FF FF FD` behind the header, and counts.

use super::registers::EEPROM_END;

/// The id every servo listens to.
pub const BROADCAST: u8 = 0xFE;
/// The most bytes `LEN` may claim; anything above is taken for noise.
const LONGEST: usize = 600;

/// One request as it came over the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Servo addressed, [`BROADCAST`] for all.
    pub id: u8,
    /// What is asked.
    pub instruction: Instruction,
    /// The whole frame, header to CRC.
    pub raw: Vec<u8>,
}

impl Request {
    /// Whether it writes to the EEPROM area.
    #[must_use]
    pub fn writes_eeprom(&self) -> bool {
        match &self.instruction {
            Instruction::Write { address, .. } | Instruction::Stage { address, .. } => {
                *address < EEPROM_END
            }
            Instruction::WriteEach { writes } => {
                writes.iter().any(|(_, address, _)| *address < EEPROM_END)
            }
            Instruction::Reset { .. } => true,
            Instruction::Ping
            | Instruction::Read { .. }
            | Instruction::Action
            | Instruction::Reboot
            | Instruction::ReadEach { .. }
            | Instruction::ReadTogether { .. }
            | Instruction::Unknown => false,
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
        address: u16,
        /// How many bytes.
        len: u16,
    },
    /// Write at once.
    Write {
        /// First register.
        address: u16,
        /// The bytes for it and those after it.
        data: Vec<u8>,
    },
    /// Keep a write until [`Instruction::Action`].
    Stage {
        /// First register.
        address: u16,
        /// The bytes for it and those after it.
        data: Vec<u8>,
    },
    /// Carry out the staged write.
    Action,
    /// Back to what left the factory: all, all but the id, or all but id and baud.
    Reset {
        /// Whether the id stays.
        keep_id: bool,
        /// Whether the rate stays.
        keep_baud: bool,
    },
    /// Start anew.
    Reboot,
    /// Each servo named answers in turn with its own block.
    ReadEach {
        /// Servo, first register, bytes; in the order of their answers.
        blocks: Vec<(u8, u16, u16)>,
    },
    /// The same in one frame.
    ReadTogether {
        /// Servo, first register, bytes; in the order of their blocks.
        blocks: Vec<(u8, u16, u16)>,
    },
    /// One write a servo, in one frame, without an answer.
    WriteEach {
        /// Servo, first register and its bytes.
        writes: Vec<(u8, u16, Vec<u8>)>,
    },
    /// No instruction there is, or one with wrong parameters.
    Unknown,
}

/// What the parser found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A request with a right length and CRC.
    Request(Request),
    /// Bytes that are none.
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
            self.skip(1);
            self.scan(found);
        }
        self.flush(found);
    }

    fn scan(&mut self, found: &mut Vec<Found>) {
        loop {
            match examine(&self.pending) {
                Verdict::More => break,
                Verdict::Skip(count) => self.skip(count),
                Verdict::Frame(len) => {
                    let raw: Vec<u8> = self.pending.drain(..len).collect();
                    self.flush(found);
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
        if self.skipped.len() >= LONGEST {
            self.flush(found);
        }
    }

    fn skip(&mut self, count: usize) {
        let count = count.min(self.pending.len());
        self.skipped.extend(self.pending.drain(..count));
    }

    fn flush(&mut self, found: &mut Vec<Found>) {
        if !self.skipped.is_empty() {
            found.push(Found::Rejected(std::mem::take(&mut self.skipped)));
        }
    }
}

enum Verdict {
    More,
    Skip(usize),
    Frame(usize),
}

fn examine(bytes: &[u8]) -> Verdict {
    match *bytes {
        [] | [0xFF] | [0xFF, 0xFF] | [0xFF, 0xFF, 0xFD] => Verdict::More,
        [0xFF, 0xFF, 0xFD, 0x00, _, low, high, ..] => {
            let len = usize::from(u16::from_le_bytes([low, high]));
            let whole = len + 7;
            if !(3..=LONGEST).contains(&len) {
                return Verdict::Skip(4);
            }
            // Behind the header no other can stand: the frame was torn off before it.
            let next = bytes.get(7..).unwrap_or(&[]);
            let torn = next.windows(4).any(|four| four == [0xFF, 0xFF, 0xFD, 0x00]);
            match bytes.get(..whole) {
                None if torn => Verdict::Skip(4),
                None => Verdict::More,
                Some(frame) => {
                    let (covered, check) = frame.split_at(whole - 2);
                    if crc(0, covered).to_le_bytes() == check {
                        Verdict::Frame(whole)
                    } else {
                        Verdict::Skip(4)
                    }
                }
            }
        }
        [0xFF, 0xFF, 0xFD, 0x00, ..] => Verdict::More,
        _ => Verdict::Skip(1),
    }
}

fn understand(raw: &[u8]) -> Option<(u8, Instruction)> {
    let id = *raw.get(4)?;
    let body = destuffed(raw.get(7..raw.len().checked_sub(2)?)?)?;
    let word = |low: u8, high: u8| u16::from_le_bytes([low, high]);
    let (code, params) = body.split_first()?;
    let instruction = match (*code, params) {
        // A servo hears the others answer.
        (0x55, _) => return None,
        (0x01, []) => Instruction::Ping,
        (0x02, &[a, b, c, d]) => Instruction::Read {
            address: word(a, b),
            len: word(c, d),
        },
        (0x03, &[a, b, ref data @ ..]) if !data.is_empty() => Instruction::Write {
            address: word(a, b),
            data: data.to_vec(),
        },
        (0x04, &[a, b, ref data @ ..]) if !data.is_empty() => Instruction::Stage {
            address: word(a, b),
            data: data.to_vec(),
        },
        (0x05, []) => Instruction::Action,
        (0x06, &[scope @ (0xFF | 0x01 | 0x02)]) => Instruction::Reset {
            keep_id: scope != 0xFF,
            keep_baud: scope == 0x02,
        },
        (0x08, []) => Instruction::Reboot,
        (0x82 | 0x8A, &[a, b, c, d, ref ids @ ..]) if id == BROADCAST => {
            let block = |id: &u8| (*id, word(a, b), word(c, d));
            let blocks = ids.iter().map(block).collect();
            if *code == 0x82 {
                Instruction::ReadEach { blocks }
            } else {
                Instruction::ReadTogether { blocks }
            }
        }
        (0x92, rest) if id == BROADCAST && rest.len().is_multiple_of(5) => {
            let block = |b: &[u8]| Some((*b.first()?, word(b[1], b[2]), word(b[3], b[4])));
            let blocks = rest.chunks_exact(5).filter_map(block).collect();
            Instruction::ReadEach { blocks }
        }
        (0x83, &[a, b, c, d, ref rest @ ..]) if id == BROADCAST => {
            let stride = usize::from(word(c, d)) + 1;
            if stride < 2 || !rest.len().is_multiple_of(stride) {
                return Some((id, Instruction::Unknown));
            }
            let writes = rest
                .chunks_exact(stride)
                .filter_map(|chunk| chunk.split_first())
                .map(|(id, data)| (*id, word(a, b), data.to_vec()))
                .collect();
            Instruction::WriteEach { writes }
        }
        (0x93, rest) if id == BROADCAST => match bulk_writes(rest) {
            Some(writes) => Instruction::WriteEach { writes },
            None => Instruction::Unknown,
        },
        _ => Instruction::Unknown,
    };
    Some((id, instruction))
}

/// `id address length data…`, one servo after another.
fn bulk_writes(mut rest: &[u8]) -> Option<Vec<(u8, u16, Vec<u8>)>> {
    let mut writes = Vec::new();
    while let [id, a, b, c, d, tail @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*c, *d]));
        let (data, after) = tail.split_at_checked(len)?;
        writes.push((*id, u16::from_le_bytes([*a, *b]), data.to_vec()));
        rest = after;
    }
    rest.is_empty().then_some(writes)
}

/// `bytes` without the `FD` after each `FF FF FD`; `None` where it lacks.
fn destuffed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        out.push(*byte);
        if out.ends_with(&[0xFF, 0xFF, 0xFD]) && bytes.next() != Some(&0xFD) {
            return None;
        }
    }
    Some(out)
}

/// The CRC of protocol 2.0 over `bytes`, after those that gave `start`.
#[must_use]
pub fn crc(start: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x8005
            }
        })
    })
}

/// The status frame of servo `id`.
#[must_use]
pub fn status(id: u8, error: u8, params: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xFF, 0xFF, 0xFD, 0x00, id, 0, 0, 0x55, error];
    for byte in params {
        frame.push(*byte);
        if frame.len() > 9 + 2 && frame.ends_with(&[0xFF, 0xFF, 0xFD]) {
            frame.push(0xFD);
        }
    }
    finish(frame)
}

/// The one status frame of several servos: error, id, data and the CRC so far of each. What looks
/// like a header is not stuffed in it. `len` blocks were asked for, some may be missing at the end.
#[must_use]
pub fn shared_status(asked: usize, data: usize, blocks: &[(u8, u8, Vec<u8>)]) -> Vec<u8> {
    let len = (1 + asked * (data + 4)) as u16;
    let [low, high] = len.to_le_bytes();
    let mut frame = vec![0xFF, 0xFF, 0xFD, 0x00, BROADCAST, low, high, 0x55];
    for (id, error, data) in blocks {
        frame.extend([*error, *id]);
        frame.extend(data);
        let check = crc(0, &frame).to_le_bytes();
        frame.extend(check);
    }
    frame
}

fn finish(mut frame: Vec<u8>) -> Vec<u8> {
    let [low, high] = ((frame.len() - 7 + 2) as u16).to_le_bytes();
    if let [_, _, _, _, _, a, b, ..] = frame.as_mut_slice() {
        (*a, *b) = (low, high);
    }
    let check = crc(0, &frame).to_le_bytes();
    frame.extend(check);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING_1: [u8; 10] = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E];

    fn parse(bytes: &[u8]) -> Vec<Found> {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for byte in bytes {
            parser.push(*byte, &mut found);
        }
        found
    }

    fn requests(bytes: &[u8]) -> Vec<(u8, Instruction)> {
        let found = parse(bytes).into_iter();
        found
            .filter_map(|found| match found {
                Found::Request(request) => Some((request.id, request.instruction)),
                Found::Rejected(_) => None,
            })
            .collect()
    }

    #[test]
    fn a_ping_is_understood() {
        assert_eq!(requests(&PING_1), [(1, Instruction::Ping)]);
    }

    #[test]
    fn a_truncated_frame_does_not_swallow_the_next_one() {
        for cut in 1..PING_1.len() {
            let bytes = [&PING_1[..cut], &PING_1].concat();
            assert_eq!(requests(&bytes), [(1, Instruction::Ping)], "cut at {cut}");
        }
    }

    #[test]
    fn what_looks_like_a_header_is_stuffed_both_ways() {
        let frame = status(1, 0, &[0xFF, 0xFF, 0xFD, 0x00]);
        assert_eq!(frame[5..7], [9, 0]);
        assert_eq!(frame[9..14], [0xFF, 0xFF, 0xFD, 0xFD, 0x00]);
        let mut write = vec![0xFF, 0xFF, 0xFD, 0x00, 1, 0, 0, 0x03, 0x74, 0x00];
        write.extend([0xFF, 0xFF, 0xFD, 0xFD, 0x00]);
        let data = vec![0xFF, 0xFF, 0xFD, 0x00];
        let address = 116;
        assert_eq!(
            requests(&finish(write)),
            [(1, Instruction::Write { address, data })]
        );
    }

    #[test]
    fn the_blocks_of_a_shared_frame_end_in_the_crc_so_far() {
        let frame = shared_status(2, 1, &[(3, 0, vec![7]), (4, 0, vec![8])]);
        assert_eq!(frame.len(), 8 + 2 * 5);
        assert_eq!(frame[5], 11);
        assert_eq!(crc(0, &frame[..11]).to_le_bytes(), frame[11..13]);
        assert_eq!(crc(0, &frame[..16]).to_le_bytes(), frame[16..]);
    }

    #[test]
    fn a_flood_of_noise_gathers_nowhere() {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for i in 0..100_000u32 {
            parser.push((i.wrapping_mul(2_654_435_761) >> 13) as u8, &mut found);
            parser.push([0xFF, 0xFF, 0xFD, 0][i as usize % 4], &mut found);
            assert!(parser.pending.len() < 700 && parser.skipped.len() < 700);
        }
    }
}
