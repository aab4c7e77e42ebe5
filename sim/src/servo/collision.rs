//! Several servos driving the line at once, bit by bit: what the receiver at its end makes of it.
//! Owns the arithmetic of levels and bits; never knows what bytes mean.

/// Bits of a byte on the wire: start, eight of data, stop.
const BITS: u64 = 10;
/// Looks at the line in a bit, while waiting for a byte to begin.
const LOOKS: u64 = 16;

/// Frames that begin `.0` ns late, bits `bit_ns` long, on a line that any of them can pull low. A
/// byte without its stop bit arrives as 0, as a serial port hands it on.
pub(super) fn overlay(frames: &[(u64, Vec<u8>)], bit_ns: u64) -> Vec<u8> {
    let bit_ns = bit_ns.max(LOOKS);
    let high = |at: u64| frames.iter().all(|frame| level(frame, at, bit_ns));
    let length = |frame: &Vec<u8>| (frame.len() as u64 + 1) * BITS * bit_ns;
    let end = frames.iter().map(|(late, frame)| late + length(frame));
    let end = end.max().unwrap_or(0);
    let (mut at, mut received) = (0, Vec::new());
    while at < end {
        if high(at) {
            at += bit_ns / LOOKS;
            continue;
        }
        let middle = |bit: u64| at + bit * bit_ns + bit_ns / 2;
        let data = (0..8).fold(0, |byte, bit| byte | u8::from(high(middle(bit + 1))) << bit);
        let whole = high(middle(BITS - 1));
        received.push(if whole { data } else { 0 });
        at = middle(BITS - 1);
        while at < end && !high(at) {
            at += bit_ns / LOOKS;
        }
    }
    received
}

/// The level one frame asks for.
fn level((late, frame): &(u64, Vec<u8>), at: u64, bit_ns: u64) -> bool {
    let Some(bit) = at.checked_sub(*late).map(|since| since / bit_ns) else {
        return true;
    };
    let byte = usize::try_from(bit / BITS).ok();
    let Some(byte) = byte.and_then(|byte| frame.get(byte)) else {
        return true;
    };
    match bit % BITS {
        0 => false,
        data @ 1..=8 => byte >> (data - 1) & 1 == 1,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_arrives_as_it_was_sent() {
        let frame = vec![0xFF, 0xFF, 0x01, 0x04, 0x00, 0x18, 0x05, 0xDD];
        assert_eq!(overlay(&[(0, frame.clone())], 1000), frame);
        assert_eq!(overlay(&[(7_300, frame.clone())], 1000), frame);
    }

    #[test]
    fn a_zero_bit_of_either_wins_where_frames_lie_on_each_other() {
        let (a, b) = (vec![0b1010_1111], vec![0b1111_0101]);
        assert_eq!(overlay(&[(0, a), (100, b)], 1000), [0b1010_0101]);
    }

    #[test]
    fn frames_some_bits_apart_garble_each_other() {
        let frame = vec![0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC];
        let garbled = overlay(&[(0, frame.clone()), (4_400, frame.clone())], 1000);
        assert_ne!(garbled, frame);
    }
}
