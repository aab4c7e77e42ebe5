//! How many of a camera's pictures arrived whole, in part, or not at all. Pure counting.

/// Numbers of pictures go from 1 to this and on at 1, unless the camera has longer ones.
const SHORT: u64 = 0xFFFF;
/// A camera that leaves out more numbers than this has begun to count anew.
const MOST_LOST: u64 = 1000;

/// What became of a camera's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Pictures that arrived whole.
    pub(super) whole: u64,
    /// Pictures of which packets are missing.
    pub(super) incomplete: u64,
    /// Pictures of which nothing arrived, by their numbers.
    pub(super) lost: u64,
    /// Incomplete ones since the last whole one.
    pub(super) in_a_row: u64,
    last: Option<u64>,
}

impl Tally {
    /// Picture `number` came, `whole` or not. Whether what was dropped so far is worth a line: the
    /// first, and whenever it has doubled.
    pub(super) fn count(&mut self, number: u64, whole: bool) -> bool {
        let before = self.dropped();
        if whole {
            self.whole += 1;
            self.in_a_row = 0;
        } else {
            self.incomplete += 1;
            self.in_a_row += 1;
        }
        if let Some(last) = self.last {
            self.lost += left_out(last, number);
        }
        self.last = Some(number);
        let doubled = |dropped: u64| dropped.checked_ilog2();
        doubled(self.dropped()) > doubled(before)
    }

    fn dropped(&self) -> u64 {
        self.incomplete + self.lost
    }
}

/// How many numbers there are between `last` and `number`.
fn left_out(last: u64, number: u64) -> u64 {
    let step = if number > last {
        number - last
    } else if last <= SHORT {
        SHORT - last + number
    } else {
        0
    };
    let between = step.saturating_sub(1);
    if between > MOST_LOST { 0 } else { between }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_part_and_what_never_came_are_counted_apart() {
        let mut tally = Tally::default();
        for (number, whole) in [(7, true), (8, false), (9, false), (12, true), (13, true)] {
            tally.count(number, whole);
        }
        let Tally {
            whole,
            incomplete,
            lost,
            in_a_row,
            ..
        } = tally;
        assert_eq!((whole, incomplete, lost, in_a_row), (3, 2, 2, 0));
    }

    #[test]
    fn numbers_of_sixteen_bits_go_round_without_zero_and_a_camera_may_begin_anew() {
        assert_eq!(left_out(0xFFFF, 1), 0);
        assert_eq!(left_out(0xFFFE, 2), 2);
        assert_eq!(left_out(0x1_0000, 0x1_0001), 0);
        assert_eq!(left_out(40_000, 1), 0, "it was switched off and on");
        assert_eq!(left_out(5, 5), 0);
    }

    #[test]
    fn a_line_is_due_at_the_first_and_at_each_doubling() {
        let mut tally = Tally::default();
        let told: Vec<u64> = (1..=20)
            .filter(|number| tally.count(*number, false))
            .collect();
        assert_eq!(told, [1, 2, 4, 8, 16]);
        assert!(!tally.count(21, true));
    }
}
