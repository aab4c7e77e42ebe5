//! What one camera's task publishes: good pictures with their times, what was seen of the others,
//! and why the camera was last lost.
//!
//! Owns the judgement of pictures and the sending end of the watch. Never knows where they come
//! from.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::check::Verdict;
use super::set::{Clock, View};
use super::stream::StreamError;
use super::{Check, DecodeError, Frame, Rgb8};
use crate::units::MonoTime;

/// The wait before a lost camera is tried again, after the first failure and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The sending end of one camera.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) camera: u8,
    pub(super) name: String,
    /// What it is called in messages.
    pub(super) place: String,
    pub(super) latency_ns: u64,
    pub(super) clock: Clock,
    pub(super) check: Check,
    pub(super) sender: watch::Sender<View>,
    wait: Duration,
    /// The newest good picture when the camera was last tried.
    tried_at: u64,
}

impl Feed {
    pub(super) fn new(
        camera: u8,
        (name, place): (String, String),
        latency_ns: u64,
        clock: Clock,
        check: Check,
        sender: watch::Sender<View>,
    ) -> Feed {
        Feed {
            camera,
            name,
            place,
            latency_ns,
            clock,
            check,
            sender,
            wait: BACKOFF.0,
            tried_at: 0,
        }
    }

    /// Judges and publishes a picture that arrived at `arrived_at`.
    pub(super) fn publish(&mut self, image: Result<Rgb8, DecodeError>, arrived_at: MonoTime) {
        let image = match image {
            Ok(image) => Some(Arc::new(image)),
            Err(error) => {
                tracing::debug!(camera = %self.name, %error, "picture dropped");
                None
            }
        };
        let verdict = self.check.judge(image.as_ref());
        let good = image.filter(|_| verdict == Verdict::Good);
        let (camera, latency_ns) = (self.camera, self.latency_ns);
        self.sender.send_modify(|view| {
            view.seen = Some((arrived_at, verdict));
            view.repeated = match verdict {
                Verdict::Repeated => view.repeated.saturating_add(1),
                _ => 0,
            };
            if let Some(image) = good {
                view.frame = Some(Frame {
                    camera,
                    captured_at: MonoTime(arrived_at.0.saturating_sub(latency_ns)),
                    sequence: view.frame.as_ref().map_or(0, |f| f.sequence) + 1,
                    image,
                });
            }
        });
    }

    /// The camera was lost for `error`; how long to wait before it is tried again. That grows from
    /// try to try, until one has given a picture.
    pub(super) fn lost(&mut self, error: StreamError) -> Duration {
        let sequence = self.sequence();
        if sequence > self.tried_at {
            self.wait = BACKOFF.0;
        }
        self.tried_at = sequence;
        let (camera, place) = (&self.name, &self.place);
        // Once a loss, not once a try.
        if self.wait == BACKOFF.0 {
            tracing::warn!(%camera, %place, %error, "camera lost; trying again");
        } else {
            tracing::debug!(%camera, %place, %error, "camera still lost; trying again");
        }
        self.sender
            .send_modify(|view| view.error = Some(Arc::new(error)));
        let wait = self.wait;
        self.wait = (wait * 2).min(BACKOFF.1);
        wait
    }

    fn sequence(&self) -> u64 {
        let view = self.sender.borrow();
        view.frame.as_ref().map_or(0, |frame| frame.sequence)
    }
}
