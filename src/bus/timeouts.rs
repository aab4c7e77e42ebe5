//! How long the wire may take, from the baud rate and the number of bytes.

use std::time::Duration;

use super::feetech::Block;
use super::feetech::packet::OVERHEAD;

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
}

impl Timeouts {
    /// At `baud` (above zero) through an adapter that adds at most `turnaround`.
    #[must_use]
    pub fn new(baud: u32, turnaround: Duration) -> Timeouts {
        let byte_ns = 1_000_000_000 * BITS_PER_BYTE / u64::from(baud.max(1));
        Timeouts {
            byte: Duration::from_nanos(byte_ns),
            turnaround,
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
        let request = OVERHEAD + 2 + servos;
        let replies = servos * (OVERHEAD + usize::from(block.len));
        let delays = MAX_RETURN_DELAY.saturating_mul(u32::try_from(servos).unwrap_or(u32::MAX));
        self.wire(request + replies) + delays + self.turnaround
    }

    /// A ping.
    #[must_use]
    pub fn ping(&self) -> Duration {
        self.wire(2 * OVERHEAD) + MAX_RETURN_DELAY + self.turnaround
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::feetech::register::PRESENT;

    #[test]
    fn wire_time_agrees_with_the_table_at_one_megabaud() {
        let timeouts = Timeouts::new(1_000_000, Duration::ZERO);
        // Sync read 56–63 of six servos: 14 + 84 bytes, 0.98 ms.
        let delays = MAX_RETURN_DELAY * 6;
        assert_eq!(
            timeouts.sync_read(6, PRESENT) - delays,
            Duration::from_micros(980)
        );
    }
}
