//! The thread of a camera that is read by waiting for it: opened, read, and opened anew.
//!
//! Owns the thread and when it ends. Never knows what kind of camera it is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::feed::Feed;
use super::stream::StreamError;

/// How often a thread sees whether it should end.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// How often it is looked whether a thread has ended.
const NAP: Duration = Duration::from_millis(10);

/// A camera that a thread reads.
pub(super) trait Reader: Send + 'static {
    /// How long its end is waited for: a camera that has to be told that it is let go of would be
    /// taken for somebody else's by who comes next.
    const LINGER: Duration = Duration::ZERO;

    /// Opens the camera and publishes its pictures to `feed` until told to `stop`.
    ///
    /// # Errors
    /// Why it was lost, or could not be opened.
    fn open_and_read(&mut self, feed: &mut Feed, stop: &Stop) -> Result<(), StreamError>;
}

/// Whether a thread should end.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A running thread; it ends soon after this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    stop: Stop,
    thread: JoinHandle<()>,
    linger: Duration,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Release);
        let mut left = self.linger;
        while !left.is_zero() && !self.thread.is_finished() {
            let nap = left.min(NAP);
            std::thread::sleep(nap);
            left -= nap;
        }
    }
}

/// Starts a thread that reads a camera for as long as it is wanted.
///
/// # Errors
/// When the system has no thread to give.
pub(super) fn start<R: Reader>(mut feed: Feed, mut reader: R) -> io::Result<Running> {
    let asked = Stop::default();
    let stop = asked.clone();
    let thread = std::thread::Builder::new()
        .name("camera".into())
        .spawn(move || {
            while !stop.is_asked() {
                let Err(error) = reader.open_and_read(&mut feed, &stop) else {
                    return;
                };
                let mut left = feed.lost(error);
                while !left.is_zero() && !stop.is_asked() {
                    let nap = left.min(LOOK);
                    std::thread::sleep(nap);
                    left -= nap;
                }
            }
        })?;
    Ok(Running {
        stop: asked,
        thread,
        linger: R::LINGER,
    })
}
