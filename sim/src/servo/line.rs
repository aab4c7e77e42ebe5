//! The half-duplex line and the adapter at its end: when bytes are on it, when the host gets
//! them, and what line faults do to them on the way.
//!
//! Owns time on the wire and the queue towards the host. Never knows what the bytes say. The
//! adapter holds host bytes back while a servo is talking, so the two never collide.

use std::collections::BTreeMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Bits a byte takes on the wire: start, eight data, stop.
const BITS_PER_BYTE: u64 = 10;
/// ns by which the answers of two servos to one request may lie apart.
const JITTER_NS: u64 = 12_000;
/// ns between chances of a noise burst.
const NOISE_SLOT_NS: u64 = 1_000_000;
/// The longest noise burst, bytes.
const NOISE_BURST: usize = 16;
/// Noise that nobody fetched for this long is forgotten, ns.
const NOISE_BACKLOG_NS: u64 = 1_000_000_000;

/// What is wrong with the line; all zero when nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Troubles {
    pub(super) corrupt: f64,
    pub(super) truncate: f64,
    pub(super) drop: f64,
    pub(super) noise: f64,
    pub(super) echo: bool,
    pub(super) latency_ns: u64,
}

/// Bytes under way to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    /// When the last byte was on the wire, `None` for what only the adapter made.
    pub(super) wire_ns: Option<u64>,
    pub(super) bytes: Vec<u8>,
}

/// The line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    baud: u32,
    free_ns: u64,
    to_host: BTreeMap<(u64, u64), Arrival>,
    sent: u64,
    noise_ns: u64,
    pub(super) troubles: Troubles,
    random: ChaCha8Rng,
}

impl Line {
    pub(super) fn new(seed: u64) -> Line {
        Line {
            baud: 1_000_000,
            free_ns: 0,
            to_host: BTreeMap::new(),
            sent: 0,
            noise_ns: 0,
            troubles: Troubles::default(),
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Bits a second the host speaks.
    pub(super) fn baud(&self) -> u32 {
        self.baud
    }

    pub(super) fn set_baud(&mut self, baud: u32) {
        self.baud = baud.max(1);
    }

    /// ns that one bit takes.
    pub(super) fn bit_ns(&self) -> u64 {
        1_000_000_000 / u64::from(self.baud)
    }

    /// ns by which a servo's answer begins later than its delay says.
    pub(super) fn jitter_ns(&mut self) -> u64 {
        self.random.random_range(0..JITTER_NS)
    }

    /// ns that `count` bytes take.
    pub(super) fn bytes_ns(&self, count: usize) -> u64 {
        count as u64 * BITS_PER_BYTE * 1_000_000_000 / u64::from(self.baud)
    }

    /// The host's next byte, given to the adapter at `now_ns`: when it has been sent.
    pub(super) fn host_byte(&mut self, now_ns: u64) -> u64 {
        self.free_ns = self.free_ns.max(now_ns) + self.bytes_ns(1);
        self.free_ns
    }

    /// When the line was last in use.
    pub(super) fn free_ns(&self) -> u64 {
        self.free_ns
    }

    /// The line is taken until `until_ns`.
    pub(super) fn occupy(&mut self, until_ns: u64) {
        self.free_ns = self.free_ns.max(until_ns);
    }

    /// What the host sent comes back to it.
    pub(super) fn echo(&mut self, bytes: &[u8], wire_ns: u64) {
        if self.troubles.echo {
            self.queue(bytes.to_vec(), wire_ns, false);
        }
    }

    /// A servo's frame, complete on the wire at `wire_ns`, spoilt as the line is.
    pub(super) fn send(&mut self, mut frame: Vec<u8>, wire_ns: u64) {
        let Troubles {
            corrupt,
            truncate,
            drop,
            ..
        } = self.troubles;
        if self.happens(drop) {
            return;
        }
        if self.happens(truncate) {
            let keep = self.random.random_range(0..frame.len().max(1));
            frame.truncate(keep);
        }
        if self.happens(corrupt)
            && let Some(at) = frame.len().checked_sub(1)
        {
            let at = self.random.random_range(0..=at);
            let flip = self.random.random_range(1..=u8::MAX);
            if let Some(byte) = frame.get_mut(at) {
                *byte ^= flip;
            }
        }
        if !frame.is_empty() {
            self.queue(frame, wire_ns, true);
        }
    }

    fn happens(&mut self, rate: f64) -> bool {
        rate > 0.0 && self.random.random_bool(rate.min(1.0))
    }

    fn queue(&mut self, bytes: Vec<u8>, wire_ns: u64, on_wire: bool) {
        let due = wire_ns.saturating_add(self.troubles.latency_ns);
        let on_wire = on_wire.then_some(wire_ns);
        self.sent += 1;
        self.to_host.insert(
            (due, self.sent),
            Arrival {
                wire_ns: on_wire,
                bytes,
            },
        );
    }

    /// When the host next gets something, if anything is under way.
    pub(super) fn next_due(&self) -> Option<u64> {
        let queued = self.to_host.first_key_value().map(|((due, _), _)| *due);
        let noise = (self.troubles.noise > 0.0).then_some(self.noise_ns + NOISE_SLOT_NS);
        queued.into_iter().chain(noise).min()
    }

    /// The next bytes the host has by `now_ns`.
    pub(super) fn take(&mut self, now_ns: u64) -> Option<Arrival> {
        self.make_noise(now_ns);
        let entry = self.to_host.first_entry()?;
        (entry.key().0 <= now_ns).then(|| entry.remove())
    }

    fn make_noise(&mut self, now_ns: u64) {
        if self.troubles.noise <= 0.0 {
            self.noise_ns = now_ns;
            return;
        }
        self.noise_ns = self.noise_ns.max(now_ns.saturating_sub(NOISE_BACKLOG_NS));
        while self.noise_ns + NOISE_SLOT_NS <= now_ns {
            self.noise_ns += NOISE_SLOT_NS;
            if self.happens(self.troubles.noise) {
                let count = self.random.random_range(1..=NOISE_BURST);
                let mut burst = vec![0; count];
                self.random.fill_bytes(&mut burst);
                self.queue(burst, self.noise_ns, true);
            }
        }
    }

    /// Everything under way is lost.
    pub(super) fn clear(&mut self) {
        self.to_host.clear();
    }
}
