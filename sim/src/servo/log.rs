//! The last seconds of the line, frame by frame: what a test measures reactions from.
//! Owns the record alone; never sends a byte.

use std::collections::VecDeque;

use serde::Serialize;
use serde::ser::SerializeStruct;

/// How far back the log goes, ns.
const KEPT_NS: u64 = 12_000_000_000;
/// The most frames kept, whatever their age.
const KEPT_FRAMES: usize = 60_000;

/// Who sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The host.
    Host,
    /// A servo, or noise on its side of the line.
    Servo,
}

/// One frame as it was on the line. In JSON, the bytes are hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireFrame {
    /// When its last byte was sent.
    pub t_ns: u64,
    /// Who sent it.
    pub direction: Direction,
    /// Header to checksum, or whatever came instead.
    pub bytes: Vec<u8>,
}

impl Serialize for WireFrame {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex: String = self.bytes.iter().map(|b| format!("{b:02x}")).collect();
        let mut frame = serializer.serialize_struct("WireFrame", 3)?;
        frame.serialize_field("t_ns", &self.t_ns)?;
        frame.serialize_field("dir", &self.direction)?;
        frame.serialize_field("hex", &hex)?;
        frame.end()
    }
}

/// At least the last ten seconds of the line.
#[derive(Debug, Clone, Default)]
pub struct WireLog {
    frames: VecDeque<WireFrame>,
}

impl WireLog {
    /// Adds frames; those too old by the newest of them are dropped.
    pub fn extend(&mut self, frames: Vec<WireFrame>) {
        self.frames.extend(frames);
        let newest = self.frames.back().map_or(0, |frame| frame.t_ns);
        let too_old = |frame: &WireFrame| frame.t_ns.saturating_add(KEPT_NS) < newest;
        while self.frames.len() > KEPT_FRAMES || self.frames.front().is_some_and(too_old) {
            self.frames.pop_front();
        }
    }

    /// Frames whose last byte was sent after `since_ns`, in the order they were recorded.
    pub fn since(&self, since_ns: u64) -> impl Iterator<Item = &WireFrame> {
        self.frames
            .iter()
            .filter(move |frame| frame.t_ns > since_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(t_ns: u64) -> WireFrame {
        WireFrame {
            t_ns,
            direction: Direction::Host,
            bytes: vec![0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB],
        }
    }

    #[test]
    fn ten_seconds_are_kept_and_no_more_than_needed() {
        let mut log = WireLog::default();
        for tick in 0..6000 {
            log.extend(vec![frame(tick * 5_000_000)]);
        }
        let oldest = log.since(0).next().unwrap().t_ns;
        let newest = 5999 * 5_000_000;
        assert!((10_000_000_000..13_000_000_000).contains(&(newest - oldest)));
        assert_eq!(log.since(newest - 5_000_000).count(), 1);
    }

    #[test]
    fn a_frame_reads_as_the_contract_says() {
        let json = serde_json::to_string(&frame(7)).unwrap();
        assert_eq!(json, r#"{"t_ns":7,"dir":"host","hex":"ffff010201fb"}"#);
    }
}
