//! What the next bytes of a stream are, that may also hold noise and torn frames.
//!
//! A checksum of one byte lets one damaged frame in 256 through, and a lost `FF` data byte always
//! (the next header's `FF` then stands in for the checksum). So a frame also must have the length
//! asked for, and be followed by nothing or by another header.

use super::packet::{HEADER, MAX_ID, OVERHEAD};
use super::status::parse;
use crate::bus::scan::{Expected, Verdict};

/// What the first bytes of `rest` are.
pub(in crate::bus) fn examine(rest: &[u8], expected: &Expected<'_>) -> Verdict {
    match *rest {
        [HEADER, HEADER, HEADER, ..] => Verdict::Stray(1),
        [HEADER, HEADER, id, len, ..] if id <= MAX_ID => {
            if usize::from(len) == usize::from(expected.params) + 2 {
                examine_frame(rest, id, expected)
            } else {
                damaged(id, expected)
            }
        }
        [HEADER] | [HEADER, HEADER] | [HEADER, HEADER, 0..=MAX_ID] if !expected.last_call => {
            Verdict::Wait
        }
        // The byte at hand begins no frame: go on to the next that may.
        [_, ref tail @ ..] => Verdict::Stray(
            1 + tail
                .iter()
                .position(|byte| *byte == HEADER)
                .unwrap_or(tail.len()),
        ),
        [] => Verdict::Wait,
    }
}

/// A header, a possible id and the right length are there.
fn examine_frame(rest: &[u8], id: u8, expected: &Expected<'_>) -> Verdict {
    let total = usize::from(expected.params) + OVERHEAD;
    let Some((frame, after)) = rest.split_at_checked(total) else {
        return if expected.last_call {
            damaged(id, expected)
        } else {
            Verdict::Wait
        };
    };
    if parse(frame).is_none() {
        return damaged(id, expected);
    }
    let ends_here = expected.last_call || expected.ids.last() == Some(&id);
    match *after {
        [HEADER, HEADER, ..] => Verdict::Reply(total),
        [] | [HEADER] if ends_here => Verdict::Reply(total),
        [] | [HEADER] => Verdict::Wait,
        _ => damaged(id, expected),
    }
}

/// Skips a header and the id behind it, within which no other frame can begin.
fn damaged(id: u8, expected: &Expected<'_>) -> Verdict {
    if expected.ids.contains(&id) {
        Verdict::Corrupt { id, skip: 3 }
    } else {
        Verdict::Stray(3)
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::arm::Family;
    use crate::bus::feetech::packet::{Packet, checksum};
    use crate::bus::scan::{Frames, Scan, Scanner};
    use proptest::prelude::*;

    /// One thing found, with its bytes.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Found {
        Reply(u8, u8, Vec<u8>),
        Echo,
        Corrupt(u8),
        Stray(usize),
    }

    fn run(chunks: &[&[u8]], ids: &[u8], params: u8, echo: &[u8]) -> Vec<Found> {
        let mut scanner = Scanner::new(Family::Feetech);
        let mut found = Vec::new();
        let mut echo = echo;
        let steps = chunks.len();
        for step in 0..=steps {
            if let Some(chunk) = chunks.get(step) {
                let mut chunk = *chunk;
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
                    collect(&mut scanner, ids, params, &mut echo, false, &mut found);
                }
            }
            collect(
                &mut scanner,
                ids,
                params,
                &mut echo,
                step == steps,
                &mut found,
            );
        }
        found
    }

    fn collect(
        scanner: &mut Scanner,
        ids: &[u8],
        params: u8,
        echo: &mut &[u8],
        last_call: bool,
        found: &mut Vec<Found>,
    ) {
        loop {
            let expected = Expected {
                ids,
                params,
                frames: Frames::Each,
                echo,
                last_call,
            };
            found.push(match scanner.next(&expected) {
                Scan::Wait => return,
                Scan::Reply(s) => Found::Reply(s.id, s.errors, s.params.to_vec()),
                Scan::Echo => {
                    *echo = &[];
                    Found::Echo
                }
                Scan::Corrupt { id } => Found::Corrupt(id),
                Scan::Stray(count) => {
                    assert!(count > 0);
                    Found::Stray(count)
                }
            });
        }
    }

    fn reply(id: u8, data: &[u8]) -> Vec<u8> {
        let len = u8::try_from(data.len() + 2).unwrap();
        let mut bytes = vec![0xFF, 0xFF, id, len, 0];
        bytes.extend_from_slice(data);
        bytes.push(checksum(id, len, 0, data));
        bytes
    }

    // Position 2047 of servo 1 and 1304 of servo 2, by hand.
    const ONE: [u8; 8] = [0xFF, 0xFF, 0x01, 0x04, 0x00, 0xFF, 0x07, 0xF4];
    const TWO: [u8; 8] = [0xFF, 0xFF, 0x02, 0x04, 0x00, 0x18, 0x05, 0xDC];

    fn one() -> Found {
        Found::Reply(1, 0, vec![0xFF, 0x07])
    }
    fn two() -> Found {
        Found::Reply(2, 0, vec![0x18, 0x05])
    }

    #[test]
    fn replies_are_found_byte_by_byte() {
        let stream = [ONE, TWO].concat();
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(run(&bytes, &[1, 2], 2, &[]), [one(), two()]);
    }

    #[test]
    fn noise_before_a_header_is_skipped() {
        let stream = [&[0x00, 0xFF, 0x13, 0xFF][..], &ONE, &TWO].concat();
        let found = run(&[&stream], &[1, 2], 2, &[]);
        assert!(found.contains(&one()) && found.contains(&two()));
    }

    #[test]
    fn a_truncated_reply_does_not_swallow_the_next() {
        for cut in 1..ONE.len() {
            let stream = [&ONE[..cut], &TWO].concat();
            let found = run(&[&stream], &[1, 2], 2, &[]);
            assert!(found.contains(&two()), "cut at {cut}: {found:?}");
            assert!(!found.iter().any(|f| matches!(f, Found::Reply(1, ..))));
        }
    }

    #[test]
    fn a_lost_ff_byte_is_not_made_up_for_by_the_next_header() {
        // Without its FF the rest of the first frame ends, with the header's FF, in a right
        // checksum.
        let torn = [0xFF, 0xFF, 0x01, 0x04, 0x00, 0x07, 0xF4];
        assert!(Packet::new_checked(&[&torn[..], &TWO[..1]].concat()).is_ok());
        let stream = [&torn[..], &TWO].concat();
        assert_eq!(
            run(&[&stream], &[1, 2], 2, &[]),
            [Found::Corrupt(1), Found::Stray(4), two()]
        );
    }

    #[test]
    fn our_own_request_is_not_a_reply() {
        // As a reply the ping would say "voltage error".
        let ping = [0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB];
        let pong = [0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC];
        let stream = [ping, pong].concat();
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        let answer = Found::Reply(1, 0, vec![]);
        assert_eq!(run(&bytes, &[1], 0, &ping), [Found::Echo, answer.clone()]);
        assert_eq!(run(&[&pong], &[1], 0, &ping), [answer]);
    }

    #[test]
    fn a_reply_of_another_length_is_damaged() {
        let stream = [&[0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC][..], &TWO].concat();
        let found = run(&[&stream], &[1, 2], 2, &[]);
        assert_eq!(found, [Found::Corrupt(1), Found::Stray(3), two()]);
    }

    #[test]
    fn a_flood_of_half_headers_is_taken_in_without_end() {
        let flood = [0xFF, 0xFF, 0x01, 0x0A].repeat(5000);
        let found = run(&[&flood], &[1, 2], 8, &[]);
        assert!(found.len() <= flood.len());
    }

    /// What damage does to a stream.
    #[derive(Debug, Clone)]
    enum Damage {
        Flip(usize, u8),
        Lose(usize),
        Insert(usize, u8),
    }

    fn damage() -> impl Strategy<Value = Damage> {
        prop_oneof![
            (any::<usize>(), 1u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
            any::<usize>().prop_map(Damage::Lose),
            (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        ]
    }

    proptest! {
        #[test]
        fn one_damaged_byte_never_changes_a_value(
            data in prop::collection::vec(prop::array::uniform8(any::<u8>()), 6),
            damage in damage(),
        ) {
            let ids = [1, 2, 3, 4, 5, 6];
            let mut stream: Vec<u8> = ids.iter().zip(&data).flat_map(|(id, d)| reply(*id, d)).collect();
            let len = stream.len();
            match damage {
                Damage::Flip(at, bits) => stream[at % len] ^= bits,
                Damage::Lose(at) => { stream.remove(at % len); }
                Damage::Insert(at, byte) => stream.insert(at % (len + 1), byte),
            }
            for found in run(&[&stream], &ids, 8, &[]) {
                let index = |id| ids.iter().position(|known| *known == id);
                if let Found::Reply(id, 0, bytes) = found
                    && let Some(index) = index(id)
                {
                    prop_assert_eq!(&bytes[..], &data[index][..]);
                }
            }
        }

        #[test]
        fn nothing_is_accepted_that_is_not_whole_in_the_stream(
            stream in prop::collection::vec(prop_oneof![Just(0xFFu8), 0u8..8, any::<u8>()], 0..3000),
            chunk in 1usize..700,
            params in 0u8..10,
        ) {
            let ids = [1, 2, 3];
            let chunks: Vec<&[u8]> = stream.chunks(chunk).collect();
            for found in run(&chunks, &ids, params, &[]) {
                if let Found::Reply(id, errors, data) = found {
                    let mut whole = vec![0xFF, 0xFF, id, params + 2, errors];
                    whole.extend_from_slice(&data);
                    whole.push(checksum(id, params + 2, errors, &data));
                    prop_assert!(stream.windows(whole.len()).any(|w| w == whole));
                }
            }
        }

        #[test]
        fn clean_replies_are_found_whatever_the_chunks(
            data in prop::collection::vec(prop::array::uniform8(any::<u8>()), 6),
            chunk in 1usize..90,
        ) {
            let ids = [1, 2, 3, 4, 5, 6];
            let stream: Vec<u8> = ids.iter().zip(&data).flat_map(|(id, d)| reply(*id, d)).collect();
            let chunks: Vec<&[u8]> = stream.chunks(chunk).collect();
            let want: Vec<Found> = ids.iter().zip(&data)
                .map(|(id, d)| Found::Reply(*id, 0, d.to_vec())).collect();
            prop_assert_eq!(run(&chunks, &ids, 8, &[]), want);
        }
    }
}
