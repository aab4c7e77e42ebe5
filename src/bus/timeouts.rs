//! How long the wire may take, from the baud rate and the number of bytes.

use std::time::Duration;

use super::register::Block;
use super::{dynamixel, feetech};
use crate::arm::Family;

/// Bits on the wire for one byte: start, eight of data, stop.
const BITS_PER_BYTE: u64 = 10;
/// The longest return delay that bring-up accepts, a servo.
pub const MAX_RETURN_DELAY: Duration = Duration::from_micros(100);

/// Waits of a bus, all derived from its baud rate and its adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// One byte on the wire.
    pub byte: Duration,
    /// What adapter and kernel add to a request and its answer.
    pub turnaround: Duration,
    family: Family,
}

/// Bytes of a family's frames beside what is asked for.
struct Overhead {
    request: usize,
    reply: usize,
    /// What a sync read says beside the ids.
    sync_read: usize,
    ping: usize,
}

fn overhead(family: Family) -> Overhead {
    match family {
        Family::Feetech => Overhead {
            request: feetech::packet::OVERHEAD,
            reply: feetech::packet::OVERHEAD,
            sync_read: 2,
            ping: 0,
        },
        Family::Dynamixel => Overhead {
            request: dynamixel::packet::OVERHEAD,
            reply: dynamixel::packet::OVERHEAD + 1,
            sync_read: 4,
            ping: 3,
        },
    }
}

impl Timeouts {
    /// For `family` at `baud` (above zero) through an adapter that adds at most `turnaround`.
    #[must_use]
    pub fn new(family: Family, baud: u32, turnaround: Duration) -> Timeouts {
        let byte_ns = 1_000_000_000 * BITS_PER_BYTE / u64::from(baud.max(1));
        Timeouts {
            byte: Duration::from_nanos(byte_ns),
            turnaround,
            family,
        }
    }

    /// `count` bytes on the wire.
    #[must_use]
    pub fn wire(&self, count: usize) -> Duration {
        self.byte
            .saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// A request nobody answers.
    #[must_use]
    pub fn write(&self, bytes: usize) -> Duration {
        self.wire(bytes) + self.turnaround
    }

    /// A sync read of `block` from `servos`.
    #[must_use]
    pub fn sync_read(&self, servos: usize, block: Block) -> Duration {
        let overhead = overhead(self.family);
        let request = overhead.request + overhead.sync_read + servos;
        let replies = servos * (overhead.reply + usize::from(block.len));
        let delays = MAX_RETURN_DELAY.saturating_mul(u32::try_from(servos).unwrap_or(u32::MAX));
        self.wire(request + replies) + delays + self.turnaround
    }

    /// A ping.
    #[must_use]
    pub fn ping(&self) -> Duration {
        let overhead = overhead(self.family);
        self.wire(overhead.request + overhead.reply + overhead.ping)
            + MAX_RETURN_DELAY
            + self.turnaround
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::feetech::register::PRESENT;

    #[test]
    fn wire_time_agrees_with_the_table_at_one_megabaud() {
        let timeouts = Timeouts::new(Family::Feetech, 1_000_000, Duration::ZERO);
        // Sync read 56–63 of six servos: 14 + 84 bytes, 0.98 ms.
        let delays = MAX_RETURN_DELAY * 6;
        assert_eq!(
            timeouts.sync_read(6, PRESENT) - delays,
            Duration::from_micros(980)
        );
        // Sync read 126–136 of six servos of the X series: 20 + 126 bytes.
        let block = Block {
            address: 126,
            len: 10,
        };
        let timeouts = Timeouts::new(Family::Dynamixel, 1_000_000, Duration::ZERO);
        assert_eq!(
            timeouts.sync_read(6, block) - delays,
            Duration::from_micros(1460)
        );
    }
}
