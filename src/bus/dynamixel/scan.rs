//! What the next bytes of a stream are, that may also hold noise and torn frames.
//!
//! A CRC of two bytes and a header that can't show inside a frame leave little to chance; a reply
//! must have the length asked for as well, or that of a servo's refusal. A frame that several
//! servos share is taken block by block, each with the CRC of all before it: one that falls silent
//! in the middle loses those after it, and no others.

use super::crc::Crc;
use super::packet::{AROUND, BROADCAST, HEAD, HEADER, MAX_ID};
use super::status::{STATUS, parse};
use crate::bus::scan::{Expected, Frames, MAX_PARAMS, Status, Verdict};

/// The longest frame that is looked at, stuffing included.
const LONGEST: usize = HEAD + AROUND + 1 + MAX_PARAMS + MAX_PARAMS / 3 + 1;
/// Bytes of a shared frame before its first block: head and code.
const OPENING: usize = HEAD + 1;
/// Bytes of a block beside its parameters: error, id and CRC.
const BLOCK: usize = 4;

/// What the first bytes of `rest` are.
pub(in crate::bus) fn examine(rest: &[u8], expected: &Expected<'_>) -> Verdict {
    let more = |stray| {
        if expected.last_call {
            Verdict::Stray(stray)
        } else {
            Verdict::Wait
        }
    };
    match *rest {
        // A third FF may be the second of the true header.
        [0xFF, 0xFF, 0xFF, ..] => Verdict::Stray(1),
        [0xFF, 0xFF, 0xFD, 0x00, id, low, high, ref tail @ ..] => {
            let len = usize::from(u16::from_le_bytes([low, high]));
            match (id, expected.frames) {
                (BROADCAST, Frames::Shared) => opening(rest, len, tail, expected),
                (0..=MAX_ID, _) if fits(len, expected) => whole(rest, id, HEAD + len, expected),
                (id, _) => damaged(id, expected),
            }
        }
        [0xFF] | [0xFF, 0xFF] | [0xFF, 0xFF, 0xFD] | [0xFF, 0xFF, 0xFD, 0x00, ..] => {
            more(rest.len())
        }
        // The byte at hand begins no frame: go on to the next that may.
        [_, ref tail @ ..] => Verdict::Stray(
            1 + tail
                .iter()
                .position(|byte| *byte == 0xFF)
                .unwrap_or(tail.len()),
        ),
        [] => Verdict::Wait,
    }
}

/// Whether a reply may have this length: what was asked for, some of it stuffed, or a refusal.
fn fits(len: usize, expected: &Expected<'_>) -> bool {
    let params = usize::from(expected.params);
    let plain = AROUND + 1 + params;
    len == AROUND + 1 || (plain..=plain + (params + 1) / 3).contains(&len)
}

/// A header, a possible id and a right length are there.
fn whole(rest: &[u8], id: u8, total: usize, expected: &Expected<'_>) -> Verdict {
    let Some(frame) = rest.get(..total) else {
        // Inside a frame no header can show: what it began with is all there will be of it.
        let next = rest.get(HEAD..).unwrap_or(&[]);
        let torn = next.windows(HEADER.len()).any(|four| four == HEADER);
        return if expected.last_call || torn {
            damaged(id, expected)
        } else {
            Verdict::Wait
        };
    };
    match parse(frame, &mut [0; LONGEST]) {
        Some(status) if right_size(&status, expected) => Verdict::Reply(total),
        Some(_) | None => damaged(id, expected),
    }
}

fn right_size(status: &Status<'_>, expected: &Expected<'_>) -> bool {
    status.params.len() == usize::from(expected.params)
}

/// A frame that several servos share begins.
fn opening(rest: &[u8], len: usize, tail: &[u8], expected: &Expected<'_>) -> Verdict {
    let block = BLOCK + usize::from(expected.params);
    match tail.first() {
        None if expected.last_call => Verdict::Stray(rest.len()),
        None => Verdict::Wait,
        Some(&STATUS) if len == 1 + block * expected.ids.len() => {
            let crc = Crc::of(rest.get(..OPENING).unwrap_or(&[]));
            Verdict::Opening(OPENING, Chain { crc, turn: 0 })
        }
        Some(_) => damaged(BROADCAST, expected),
    }
}

/// Skips a header, within which no other frame can begin.
fn damaged(id: u8, expected: &Expected<'_>) -> Verdict {
    if expected.ids.contains(&id) {
        let skip = HEADER.len();
        Verdict::Corrupt { id, skip }
    } else {
        Verdict::Stray(HEADER.len())
    }
}

/// A shared frame that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bus) struct Chain {
    /// Of all that was believed.
    crc: Crc,
    /// Whose block is next.
    turn: usize,
}

impl Chain {
    /// What the first bytes of `rest` are.
    pub(in crate::bus) fn examine(self, rest: &[u8], expected: &Expected<'_>) -> Verdict {
        let Some(&asked) = expected.ids.get(self.turn) else {
            return Verdict::Stray(rest.len());
        };
        let total = BLOCK + usize::from(expected.params);
        let Some(bytes) = rest.get(..total) else {
            return if expected.last_call {
                Verdict::Corrupt {
                    id: asked,
                    skip: rest.len(),
                }
            } else {
                Verdict::Wait
            };
        };
        let (covered, check) = bytes.split_at(total.saturating_sub(2));
        let right = self.crc.and(covered).bytes() == check && bytes.get(1) == Some(&asked);
        if right {
            Verdict::Reply(total)
        } else {
            Verdict::Corrupt { id: asked, skip: 1 }
        }
    }

    /// What is under way once the block `bytes` was believed.
    pub(in crate::bus) fn after(self, bytes: &[u8]) -> Option<Chain> {
        Some(Chain {
            crc: self.crc.and(bytes),
            turn: self.turn + 1,
        })
    }
}

/// A block of a shared frame as the reply it is.
pub(in crate::bus) fn block(bytes: &[u8]) -> Option<Status<'_>> {
    let (covered, _) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
    match *covered {
        [errors, id, ref params @ ..] => Some(Status { id, errors, params }),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::super::packet::stuffing;
    use super::*;
    use crate::arm::Family;
    use crate::bus::scan::{Scan, Scanner};
    use proptest::prelude::*;

    /// One thing found, with its bytes.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Found {
        Reply(u8, u8, Vec<u8>),
        Echo,
        Corrupt(u8),
        Stray(usize),
    }

    fn run(chunks: &[&[u8]], ids: &[u8], params: u8, frames: Frames) -> Vec<Found> {
        let mut scanner = Scanner::new(Family::Dynamixel);
        let mut found = Vec::new();
        for step in 0..=chunks.len() {
            let mut chunk = chunks.get(step).copied().unwrap_or(&[]);
            while !chunk.is_empty() {
                let taken = scanner
                    .fill(|spare| {
                        let count = spare.len().min(chunk.len());
                        spare[..count].copy_from_slice(&chunk[..count]);
                        Ok::<_, ()>(count)
                    })
                    .unwrap();
                assert!(taken > 0, "the scanner always has room for more");
                chunk = &chunk[taken..];
                collect(&mut scanner, ids, params, frames, false, &mut found);
            }
            let last_call = step == chunks.len();
            collect(&mut scanner, ids, params, frames, last_call, &mut found);
        }
        found
    }

    fn collect(
        scanner: &mut Scanner,
        ids: &[u8],
        params: u8,
        frames: Frames,
        last_call: bool,
        found: &mut Vec<Found>,
    ) {
        loop {
            let expected = Expected {
                ids,
                params,
                frames,
                echo: &[],
                last_call,
            };
            found.push(match scanner.next(&expected) {
                Scan::Wait => return,
                Scan::Reply(s) => Found::Reply(s.id, s.errors, s.params.to_vec()),
                Scan::Echo => Found::Echo,
                Scan::Corrupt { id } => Found::Corrupt(id),
                Scan::Stray(count) => {
                    assert!(count > 0);
                    Found::Stray(count)
                }
            });
        }
    }

    fn reply(id: u8, errors: u8, data: &[u8]) -> Vec<u8> {
        let len = data.len() + 4 + stuffing(data.iter().copied());
        let mut bytes = vec![
            0xFF,
            0xFF,
            0xFD,
            0x00,
            id,
            u8::try_from(len).unwrap(),
            0,
            0x55,
            errors,
        ];
        for byte in data {
            bytes.push(*byte);
            if bytes[9..].ends_with(&[0xFF, 0xFF, 0xFD]) {
                bytes.push(0xFD);
            }
        }
        let check = Crc::of(&bytes).bytes();
        bytes.extend(check);
        bytes
    }

    fn shared(blocks: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let len = 1 + blocks.iter().map(|(_, data)| data.len() + 4).sum::<usize>();
        let mut bytes = vec![
            0xFF,
            0xFF,
            0xFD,
            0x00,
            0xFE,
            u8::try_from(len).unwrap(),
            0,
            0x55,
        ];
        for (id, data) in blocks {
            bytes.extend([0, *id]);
            bytes.extend(data);
            let check = Crc::of(&bytes).bytes();
            bytes.extend(check);
        }
        bytes
    }

    // Positions 166 of servo 1 and 2079 of servo 2, as the protocol's description gives them.
    const ONE: [u8; 15] = [
        0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x08, 0x00, 0x55, 0x00, 0xA6, 0x00, 0x00, 0x00, 0x8C, 0xC0,
    ];
    const TWO: [u8; 15] = [
        0xFF, 0xFF, 0xFD, 0x00, 0x02, 0x08, 0x00, 0x55, 0x00, 0x1F, 0x08, 0x00, 0x00, 0xBA, 0xBE,
    ];

    fn one() -> Found {
        Found::Reply(1, 0, vec![0xA6, 0, 0, 0])
    }
    fn two() -> Found {
        Found::Reply(2, 0, vec![0x1F, 0x08, 0, 0])
    }

    #[test]
    fn replies_are_found_byte_by_byte() {
        let stream = [ONE, TWO].concat();
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(run(&bytes, &[1, 2], 4, Frames::Each), [one(), two()]);
    }

    #[test]
    fn a_truncated_reply_does_not_swallow_the_next() {
        for cut in 1..ONE.len() {
            let stream = [&ONE[..cut], &TWO].concat();
            let found = run(&[&stream], &[1, 2], 4, Frames::Each);
            assert!(found.contains(&two()), "cut at {cut}: {found:?}");
            assert!(!found.iter().any(|f| matches!(f, Found::Reply(1, ..))));
        }
    }

    #[test]
    fn a_refusal_without_data_is_damaged_and_its_servo_named() {
        let stream = [reply(1, 7, &[]), TWO.to_vec()].concat();
        let found = run(&[&stream], &[1, 2], 4, Frames::Each);
        assert!(found.contains(&Found::Corrupt(1)) && found.contains(&two()));
        let stream = reply(1, 0x80, &[]);
        let found = run(&[&stream], &[1], 0, Frames::Each);
        assert_eq!(found, [Found::Reply(1, 0x80, vec![])]);
    }

    #[test]
    fn our_own_request_is_no_reply() {
        let ping = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E];
        let pong = reply(1, 0, &[0x24, 0x04, 0x2D]);
        let stream = [&ping[..], &pong].concat();
        let found = run(&[&stream], &[1], 3, Frames::Each);
        assert_eq!(
            found.last(),
            Some(&Found::Reply(1, 0, vec![0x24, 0x04, 0x2D]))
        );
        assert_eq!(
            found
                .iter()
                .filter(|f| matches!(f, Found::Reply(..)))
                .count(),
            1
        );
    }

    #[test]
    fn a_shared_frame_gives_each_servos_block() {
        let blocks = [(1, vec![0xA6, 0, 0, 0]), (2, vec![0x1F, 0x08, 0, 0])];
        let stream = shared(&blocks);
        for chunk in 1..stream.len() {
            let chunks: Vec<&[u8]> = stream.chunks(chunk).collect();
            assert_eq!(run(&chunks, &[1, 2], 4, Frames::Shared), [one(), two()]);
        }
        // What looks like a header is no header there.
        let blocks = [
            (1, vec![0xFF, 0xFF, 0xFD, 0x00]),
            (2, vec![0x1F, 0x08, 0, 0]),
        ];
        let found = run(&[&shared(&blocks)], &[1, 2], 4, Frames::Shared);
        assert_eq!(
            found,
            [Found::Reply(1, 0, vec![0xFF, 0xFF, 0xFD, 0]), two()]
        );
    }

    #[test]
    fn a_shared_frame_that_breaks_off_keeps_the_blocks_before() {
        let blocks = [(1, vec![0xA6, 0, 0, 0]), (2, vec![0x1F, 0x08, 0, 0])];
        let mut stream = shared(&blocks);
        stream.truncate(stream.len() - 3);
        let found = run(&[&stream], &[1, 2], 4, Frames::Shared);
        assert_eq!(found, [one(), Found::Corrupt(2)]);
    }

    #[test]
    fn a_flood_of_half_headers_is_taken_in_without_end() {
        for half in [&[0xFF, 0xFF, 0xFD, 0x00, 1, 8, 0][..], &[0xFF, 0xFF, 0xFD]] {
            let flood = half.repeat(5000);
            for frames in [Frames::Each, Frames::Shared] {
                let found = run(&[&flood], &[1, 2], 4, frames);
                assert!(found.len() <= flood.len());
            }
        }
    }

    fn bytes() -> impl Strategy<Value = u8> {
        prop_oneof![Just(0xFFu8), Just(0xFD), Just(0), 0u8..9, any::<u8>()]
    }

    proptest! {
        #[test]
        fn one_damaged_byte_never_changes_a_value(
            data in prop::collection::vec(prop::array::uniform10(bytes()), 6),
            at: usize,
            how in 0u8..3,
            with in 1u8..,
            together: bool,
        ) {
            let ids = [1, 2, 3, 4, 5, 6];
            let blocks: Vec<(u8, Vec<u8>)> =
                ids.iter().zip(&data).map(|(id, d)| (*id, d.to_vec())).collect();
            let (mut stream, frames) = if together {
                (shared(&blocks), Frames::Shared)
            } else {
                (blocks.iter().flat_map(|(id, d)| reply(*id, 0, d)).collect(), Frames::Each)
            };
            let at = at % stream.len();
            match how {
                0 => stream[at] ^= with,
                1 => { stream.remove(at); }
                _ => stream.insert(at, with),
            }
            for found in run(&[&stream], &ids, 10, frames) {
                if let Found::Reply(id, 0, bytes) = found {
                    let index = ids.iter().position(|known| *known == id);
                    prop_assert_eq!(&bytes[..], &data[index.unwrap()][..]);
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic_or_wait_for_ever(
            stream in prop::collection::vec(bytes(), 0..3000),
            chunk in 1usize..700,
            params in 0u8..=64,
            together: bool,
        ) {
            let frames = if together { Frames::Shared } else { Frames::Each };
            let chunks: Vec<&[u8]> = stream.chunks(chunk).collect();
            let found = run(&chunks, &[1, 2, 3], params, frames);
            prop_assert!(found.len() <= stream.len());
        }

        #[test]
        fn clean_replies_are_found_whatever_the_chunks(
            data in prop::collection::vec(prop::array::uniform10(bytes()), 6),
            chunk in 1usize..90,
        ) {
            let ids = [1, 2, 3, 4, 5, 6];
            let stream: Vec<u8> =
                ids.iter().zip(&data).flat_map(|(id, d)| reply(*id, 0, d)).collect();
            let chunks: Vec<&[u8]> = stream.chunks(chunk).collect();
            let want: Vec<Found> =
                ids.iter().zip(&data).map(|(id, d)| Found::Reply(*id, 0, d.to_vec())).collect();
            prop_assert_eq!(run(&chunks, &ids, 10, Frames::Each), want);
        }
    }
}
