//! All cameras of a cell: started together, read by index.
//!
//! Owns one task a camera; dropping the set ends them. Reading never waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::check::{self, CameraFault, Verdict};
use super::stream::{Stream, StreamError};
use super::url::{StreamUrl, UrlError};
use super::{Check, Frame};
use crate::messages::MAX_CAMERAS;
use crate::units::MonoTime;

/// Where the time comes from: `CLOCK_MONOTONIC`, or a test's own.
pub type Clock = fn() -> MonoTime;

/// One camera as the cell describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraConfig {
    /// Its name, as the policy knows it.
    pub name: String,
    /// `mjpeg://host:port/path` or `http://host:port/path`.
    pub url: String,
    /// From the light on the sensor to the picture's arrival here.
    pub latency: Duration,
    /// The camera is at fault when its newest good picture was captured longer ago than this.
    pub max_age: Duration,
    /// Width of its pictures, pixels.
    pub width: u32,
    /// Height of its pictures, pixels.
    pub height: u32,
}

/// Cameras that can't be started.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CameraError {
    /// Its address can't be read.
    #[error("camera {camera}: {error}")]
    Url {
        /// Its name.
        camera: String,
        /// Why.
        error: UrlError,
    },
    /// A number out of its range.
    #[error("camera {camera}: {key} is {value}; {remedy}")]
    Value {
        /// Its name.
        camera: String,
        /// The key in its configuration.
        key: &'static str,
        /// What it was.
        value: String,
        /// What it should be.
        remedy: &'static str,
    },
    /// More than a cell may have.
    #[error("{count} cameras; a cell may have {MAX_CAMERAS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// No good picture came in time.
    #[error(
        "camera {camera} at {url} gave no picture within {seconds:.1} s: {reason}; check its power, cable and address"
    )]
    NoPicture {
        /// Its name.
        camera: String,
        /// Its address.
        url: String,
        /// How long it was waited for.
        seconds: f64,
        /// What was last seen of it.
        reason: String,
    },
}

impl CameraError {
    /// Whether the cell file is to blame, not the camera.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, CameraError::NoPicture { .. })
    }
}

/// What a camera's task knows, shared through a watch.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// The newest good picture.
    pub(super) frame: Option<Frame>,
    /// The newest arrival and what it was.
    pub(super) seen: Option<(MonoTime, Verdict)>,
    /// Why the connection was last lost.
    pub(super) error: Option<Arc<StreamError>>,
}

#[derive(Debug)]
struct Camera {
    name: String,
    url: StreamUrl,
    max_age_ns: u64,
    view: watch::Receiver<View>,
}

/// The running cameras of a cell.
#[derive(Debug)]
pub struct Cameras {
    cameras: Vec<Camera>,
    started_at: MonoTime,
    clock: Clock,
    _tasks: JoinSet<()>,
}

impl Cameras {
    /// Starts a task a camera on the current runtime and waits until each has given a good
    /// picture, at most `wait` in all.
    ///
    /// # Errors
    /// A configuration that can't be, or the first camera without a picture.
    pub async fn start(
        configs: &[CameraConfig],
        clock: Clock,
        wait: Duration,
    ) -> Result<Cameras, CameraError> {
        let mut cameras = Cameras::begin(configs, clock)?;
        let deadline = tokio::time::Instant::now() + wait;
        for camera in &mut cameras.cameras {
            let first = camera.view.wait_for(|view| view.frame.is_some());
            if !matches!(tokio::time::timeout_at(deadline, first).await, Ok(Ok(_))) {
                return Err(CameraError::NoPicture {
                    camera: camera.name.clone(),
                    url: camera.url.to_string(),
                    seconds: wait.as_secs_f64(),
                    reason: reason(&camera.view.borrow()),
                });
            }
        }
        Ok(cameras)
    }

    /// Starts the tasks without waiting for pictures.
    fn begin(configs: &[CameraConfig], clock: Clock) -> Result<Cameras, CameraError> {
        if configs.len() > MAX_CAMERAS {
            return Err(CameraError::TooMany {
                count: configs.len(),
            });
        }
        let mut tasks = JoinSet::new();
        let mut cameras = Vec::new();
        for (config, index) in configs.iter().zip(0u8..) {
            let (url, latency_ns, max_age_ns) = config.checked()?;
            let (sender, view) = watch::channel(View::default());
            let stream = Stream {
                camera: index,
                name: config.name.clone(),
                url: url.clone(),
                latency_ns,
                clock,
                check: Check::new(config.width, config.height),
                sender,
            };
            tasks.spawn(stream.run());
            cameras.push(Camera {
                name: config.name.clone(),
                url,
                max_age_ns,
                view,
            });
        }
        Ok(Cameras {
            cameras,
            started_at: clock(),
            clock,
            _tasks: tasks,
        })
    }

    /// How many cameras there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cameras.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cameras.is_empty()
    }

    /// The names, in the cell's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.cameras.iter().map(|camera| camera.name.as_str())
    }

    /// The newest good picture of camera `index`, however old.
    #[must_use]
    pub fn latest(&self, index: usize) -> Option<Frame> {
        self.cameras.get(index)?.view.borrow().frame.clone()
    }

    /// Waits for a picture of camera `index` with a sequence above `after`.
    ///
    /// Returns `None` when there is no such camera. Safe to cancel.
    pub async fn next(&self, index: usize, after: u64) -> Option<Frame> {
        let mut view = self.cameras.get(index)?.view.clone();
        let newer = |view: &View| view.frame.as_ref().is_some_and(|f| f.sequence > after);
        view.wait_for(newer).await.ok()?.frame.clone()
    }

    /// The cameras that are at fault now, by index.
    pub fn faults(&self, now: MonoTime) -> impl Iterator<Item = (u8, CameraFault)> {
        (0u8..)
            .zip(&self.cameras)
            .filter_map(move |(index, camera)| {
                let view = camera.view.borrow();
                let good_at = view
                    .frame
                    .as_ref()
                    .map_or(self.started_at, |f| f.captured_at);
                check::fault(now, camera.max_age_ns, good_at, view.seen).map(|fault| (index, fault))
            })
    }

    /// The cameras' own clock, now.
    #[must_use]
    pub fn now(&self) -> MonoTime {
        (self.clock)()
    }
}

impl CameraConfig {
    fn checked(&self) -> Result<(StreamUrl, u64, u64), CameraError> {
        let url = StreamUrl::parse(&self.url).map_err(|error| CameraError::Url {
            camera: self.name.clone(),
            error,
        })?;
        let value = |key, value: String, remedy| CameraError::Value {
            camera: self.name.clone(),
            key,
            value,
            remedy,
        };
        for (key, side) in [("width", self.width), ("height", self.height)] {
            if !(1..=4096).contains(&side) {
                return Err(value(key, side.to_string(), "give pixels, 1 to 4096"));
            }
        }
        if self.max_age <= self.latency {
            let remedy = "make it more than the camera's latency";
            return Err(value("max_age", format!("{:?}", self.max_age), remedy));
        }
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Ok((url, ns(self.latency), ns(self.max_age)))
    }
}

/// Why a camera has given no picture, for one line of an error.
fn reason(view: &View) -> String {
    match (&view.seen, &view.error) {
        (Some((_, Verdict::Black)), _) => "its pictures are black".into(),
        (Some((_, Verdict::WrongSize)), _) => {
            "its pictures are not of the width and height in the cell file".into()
        }
        (Some((_, Verdict::Damaged)), _) => "its pictures can't be decoded".into(),
        (_, Some(error)) => error.to_string(),
        _ => "it does not answer".into(),
    }
}
