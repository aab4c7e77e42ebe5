//! The reader of a GigE Vision camera: the newest whole picture, and what became of the others.

use std::time::Duration;

use aravis::prelude::*;
use aravis::{Buffer, BufferPayloadType, BufferStatus};

use super::asked::{self, Open};
use super::tally::Tally;
use super::{GigeError, pixels};
use crate::camera::feed::Feed;
use crate::camera::stream::StreamError;
use crate::camera::thread::{LOOK, Reader, Stop};
use crate::camera::{DecodeError, GigeSource, Rgb8};
use crate::units::MonoTime;

/// No whole picture for so long, or for three of its own intervals: the camera is opened anew.
const SILENCE: Duration = Duration::from_secs(1);

/// A GigE Vision camera and what it is asked for.
#[derive(Debug)]
pub(in crate::camera) struct GigeCamera {
    source: GigeSource,
    /// Width and height of its pictures, pixels.
    size: (u32, u32),
}

impl GigeCamera {
    #[expect(clippy::unnecessary_wraps, reason = "other builds have none")]
    pub(in crate::camera) fn new(source: GigeSource, size: (u32, u32)) -> Option<GigeCamera> {
        Some(GigeCamera { source, size })
    }

    fn silence(&self) -> Duration {
        let three = |rate_hz: u32| Duration::from_secs(3) / rate_hz.max(1);
        self.source
            .rate_hz
            .map_or(SILENCE, |rate_hz| SILENCE.max(three(rate_hz)))
    }

    /// Publishes what comes until told to `stop`.
    fn read(
        &self,
        open: &Open,
        tally: &mut Tally,
        feed: &mut Feed,
        stop: &Stop,
    ) -> Result<(), StreamError> {
        let silence = self.silence();
        let mut whole_at = (feed.clock)();
        // When nothing was known to lie in the stream.
        let mut empty_at = whole_at;
        while !stop.is_asked() {
            let (first, arrived_at) = match open.stream.try_pop_buffer() {
                Some(buffer) => (Some(buffer), empty_at),
                None => {
                    let micros = u64::try_from(LOOK.as_micros()).unwrap_or(u64::MAX);
                    let buffer = open.stream.timeout_pop_buffer(micros);
                    (buffer, (feed.clock)())
                }
            };
            let (newest, looked_at) = newest(open, first, tally, feed);
            empty_at = looked_at;
            if let Some(buffer) = newest {
                whole_at = looked_at;
                let image = picture(open, buffer)?;
                feed.publish(image, arrived_at);
            } else if u128::from(looked_at.since(whole_at)) > silence.as_nanos() {
                return Err(match tally.in_a_row {
                    0 => StreamError::Silent(silence),
                    count => GigeError::Incomplete { count }.into(),
                });
            }
        }
        Ok(())
    }
}

impl Reader for GigeCamera {
    const LINGER: Duration = Duration::from_millis(500);

    fn open_and_read(&mut self, feed: &mut Feed, stop: &Stop) -> Result<(), StreamError> {
        let open = asked::open(&self.source, self.size)?;
        let (pixels, packet_bytes) = (open.pixels.name(), open.packet_bytes());
        tracing::info!(
            camera = %feed.name, device = %feed.place, serial = %open.serial, pixels, packet_bytes,
            "camera open"
        );
        let mut tally = Tally::default();
        let ended = self.read(&open, &mut tally, feed, stop);
        let (whole, incomplete, lost) = (tally.whole, tally.incomplete, tally.lost);
        tracing::info!(camera = %feed.name, whole, incomplete, lost, "camera closed");
        // One that is gone would only be waited for.
        if !matches!(ended, Err(StreamError::Silent(_))) {
            open.stop();
        }
        ended
    }
}

/// The newest whole picture from `first` on, all others given back; and when the stream was last
/// looked into, which was empty then.
fn newest(
    open: &Open,
    first: Option<Buffer>,
    tally: &mut Tally,
    feed: &Feed,
) -> (Option<Buffer>, MonoTime) {
    let mut newest: Option<Buffer> = None;
    let mut next = first;
    let mut looked_at = (feed.clock)();
    while let Some(buffer) = next {
        let status = buffer.status();
        let whole = status == BufferStatus::Success;
        if tally.count(buffer.frame_id(), whole) {
            let (whole, incomplete, lost) = (tally.whole, tally.incomplete, tally.lost);
            tracing::warn!(
                camera = %feed.name, ?status, whole, incomplete, lost,
                "pictures of this camera get lost on their way"
            );
        }
        let older = if whole {
            newest.replace(buffer)
        } else {
            Some(buffer)
        };
        if let Some(older) = older {
            open.stream.push_buffer(older);
        }
        looked_at = (feed.clock)();
        next = open.stream.try_pop_buffer();
    }
    (newest, looked_at)
}

/// Copies the picture and gives its place back.
fn picture(open: &Open, buffer: Buffer) -> Result<Result<Rgb8, DecodeError>, GigeError> {
    // Of other payloads the library gives no picture.
    let is_picture = matches!(
        buffer.payload_type(),
        BufferPayloadType::Image | BufferPayloadType::ExtendedChunkData
    );
    let as_set = is_picture && {
        let sides = [buffer.image_width(), buffer.image_height()];
        let asked = [open.size.0, open.size.1];
        let same = |(is, asked): (i32, u32)| u32::try_from(is) == Ok(asked);
        sides.into_iter().zip(asked).all(same)
            && buffer.image_pixel_format().raw() == open.pixels.code()
    };
    if !as_set {
        open.stream.push_buffer(buffer);
        return Err(GigeError::Changed);
    }
    let padding = usize::try_from(buffer.image_padding().0).unwrap_or_default();
    let bytes = buffer.image_data();
    open.stream.push_buffer(buffer);
    Ok(pixels::decode(open.pixels, bytes, open.size, padding))
}
