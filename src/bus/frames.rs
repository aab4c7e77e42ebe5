//! Whether servos answer each in a frame of its own or all in a shared one, tick by tick.
//!
//! A shared frame is shorter, but one servo that falls silent loses all after it. So a reading that
//! lacks a reply is followed by some in the ordinary way, in which the silent servo alone is missing.
//!
//! Real time: no allocation, lock, log or clock.

use super::scan::Frames;

/// Readings in the ordinary way after one that lacked a reply.
const RECOVERY: u8 = 100;

/// Which frames the next reading asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplyFrames {
    wanted: Frames,
    /// Readings to go before a shared frame is tried again.
    recovery: u8,
}

impl Default for ReplyFrames {
    fn default() -> Self {
        ReplyFrames::of(Frames::Each)
    }
}

impl ReplyFrames {
    pub(super) fn of(wanted: Frames) -> ReplyFrames {
        ReplyFrames {
            wanted,
            recovery: 0,
        }
    }

    /// For the next reading.
    pub(super) fn now(&self) -> Frames {
        match (self.wanted, self.recovery) {
            (Frames::Shared, 0) => Frames::Shared,
            (Frames::Shared | Frames::Each, _) => Frames::Each,
        }
    }

    /// Takes note of a reading; `broken` when a reply was missing.
    pub(super) fn note(&mut self, broken: bool) {
        self.recovery = if broken {
            RECOVERY
        } else {
            self.recovery.saturating_sub(1)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_reply_is_followed_by_ordinary_readings_for_a_while() {
        let mut frames = ReplyFrames::of(Frames::Shared);
        assert_eq!(frames.now(), Frames::Shared);
        frames.note(true);
        let ordinary = (0..200).take_while(|_| {
            let each = frames.now() == Frames::Each;
            frames.note(false);
            each
        });
        assert_eq!(ordinary.count(), usize::from(RECOVERY));
        let mut frames = ReplyFrames::default();
        frames.note(false);
        assert_eq!(frames.now(), Frames::Each);
    }
}
