//! A camera of this machine: opened, set as the cell says, and read for as long as it is there.
//!
//! Owns the device while it is read. Gives the newest picture only: what lay there while nobody
//! looked is thrown away, or stamped with the earliest time at which it can have come. Never
//! decides what a lost camera means for the arm.

mod asked;

use std::io;
use std::time::Duration;

use linuxvideo::stream::ReadStream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::feed::Feed;
use super::stream::StreamError;
use super::thread::{LOOK, Reader, Stop};
use super::{DecodeError, Rgb8, decode, yuyv};
use super::{DeviceSource, Pixels};

/// Nothing at all for so long: the camera is opened anew.
const SILENCE: Duration = Duration::from_secs(1);

/// A camera of this machine that does not give what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No such node.
    #[error("it is not there; plug it in, or take its name from /dev/v4l/by-id")]
    Absent,
    /// The node is not ours to open.
    #[error("it may not be opened; join the group that owns it (most often `video`), then log in")]
    Denied,
    /// Somebody else streams from it.
    #[error("another program uses it; end that program")]
    Busy,
    /// No pictures come from this node.
    #[error("it takes no pictures; of a camera's nodes the one that ends in index0 does")]
    NoCamera,
    /// It is attached elsewhere.
    #[error(
        "it is attached at {is}, and `bus` says {wanted}; were cables swapped? if not, correct `bus`"
    )]
    Elsewhere {
        /// Where it is.
        is: String,
        /// Where it should be.
        wanted: String,
    },
    /// Not in this form.
    #[error("it gives {has}, and none of these can be used here (mjpeg, yuyv)")]
    Pixels {
        /// The forms it has.
        has: String,
    },
    /// Not in this size.
    #[error("it has no pictures of {width} × {height}; set width and height to one of {has}")]
    Size {
        /// Asked for, pixels across.
        width: u32,
        /// Asked for, pixels down.
        height: u32,
        /// What it has.
        has: String,
    },
    /// Not so often.
    #[error("it gives {is:.1} pictures a second, and `rate_hz` says {wanted}; set it to that")]
    Rate {
        /// What it gives.
        is: f32,
        /// What was asked for.
        wanted: u32,
    },
    /// No such control.
    #[error("it has no control {name}; it has {has}")]
    NoControl {
        /// As in the cell.
        name: String,
        /// Those it has.
        has: String,
    },
    /// A value that the control can't have.
    #[error("its control {name} goes from {} to {}, not to {value}", range.0, range.1)]
    Range {
        /// The control.
        name: String,
        /// The value.
        value: i32,
        /// Lowest and highest.
        range: (i32, i32),
    },
    /// The control was refused, or kept another value.
    #[error("its control {name} does not take {value} ({what})")]
    Control {
        /// The control.
        name: String,
        /// The value.
        value: i32,
        /// What the driver said, or what it kept.
        what: String,
    },
    /// Something else failed.
    #[error("{doing} failed ({error}); is it still plugged in?")]
    Failed {
        /// What.
        doing: &'static str,
        /// What the driver said.
        error: io::Error,
    },
}

/// A camera of this machine and what it is asked for.
#[derive(Debug)]
pub(super) struct DeviceCamera {
    pub(super) source: DeviceSource,
    /// Width and height of its pictures, pixels.
    pub(super) size: (u32, u32),
}

/// A camera that streams, and how its pictures come.
struct Open {
    stream: ReadStream,
    pixels: Pixels,
    /// Bytes from one row to the next.
    stride: u32,
}

impl Reader for DeviceCamera {
    fn open_and_read(&mut self, feed: &mut Feed, stop: &Stop) -> Result<(), StreamError> {
        let mut open = asked::open(&self.source, self.size)?;
        tracing::info!(camera = %feed.name, device = %feed.place, "camera open");
        let mut bytes = Vec::new();
        let mut heard_at = (feed.clock)();
        // When the driver was last known to hold no picture.
        let mut empty_at = heard_at;
        while !stop.is_asked() {
            let lay_there = !open.will_block()?;
            if !lay_there {
                empty_at = (feed.clock)();
                if !open.wait(LOOK)? {
                    let silent = (feed.clock)().since(heard_at);
                    if u128::from(silent) > SILENCE.as_nanos() {
                        return Err(StreamError::Silent(SILENCE));
                    }
                    continue;
                }
            }
            heard_at = (feed.clock)();
            let arrived_at = if lay_there { empty_at } else { heard_at };
            let damaged = open.take(&mut bytes)?;
            let looked_at = (feed.clock)();
            // Another one behind it is newer.
            if open.will_block()? {
                empty_at = looked_at;
                let image = open.decode(&bytes, damaged, self.size);
                feed.publish(image, arrived_at);
            }
        }
        Ok(())
    }
}

impl Open {
    fn will_block(&self) -> Result<bool, DeviceError> {
        self.stream
            .will_block()
            .map_err(failed("looking for a picture"))
    }

    /// Waits for a picture, at most `time`; whether there is one, or news of a worse kind that
    /// taking it will tell.
    fn wait(&self, time: Duration) -> Result<bool, DeviceError> {
        let mut fds = [PollFd::new(&self.stream, PollFlags::IN)];
        let time = Timespec {
            tv_sec: 0,
            tv_nsec: time.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&time)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(failed("waiting for a picture")(error.into())),
        }
    }

    /// Copies the oldest picture and gives its place back; whether the driver calls it damaged.
    fn take(&mut self, bytes: &mut Vec<u8>) -> Result<bool, DeviceError> {
        let copy = |view: linuxvideo::stream::ReadBufferView<'_>| {
            bytes.clear();
            bytes.extend_from_slice(&view);
            Ok(view.is_error())
        };
        self.stream
            .dequeue(copy)
            .map_err(failed("taking a picture"))
    }

    fn decode(&self, bytes: &[u8], damaged: bool, size: (u32, u32)) -> Result<Rgb8, DecodeError> {
        match self.pixels {
            _ if damaged => Err(DecodeError("the driver calls it damaged".into())),
            Pixels::Mjpeg => decode(bytes),
            Pixels::Yuyv => yuyv::decode(bytes, size, self.stride),
        }
    }
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> DeviceError {
    move |error| DeviceError::Failed { doing, error }
}
