//! All cameras of a cell: started together, read by index.
//!
//! Owns one task or thread a camera; dropping the set ends them. Reading never waits.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::check::{self, CameraFault, Verdict};
use super::device::DeviceCamera;
use super::feed::Feed;
use super::gige::GigeCamera;
use super::login::LoginError;
use super::stream::{Stream, StreamError};
use super::thread::{self, Running};
use super::url::{StreamUrl, UrlError};
use super::{Check, Frame};
use super::{Source, WITHOUT_GIGE};
use crate::messages::MAX_CAMERAS;
use crate::units::MonoTime;

/// Where the time comes from: `CLOCK_MONOTONIC`, or a test's own.
pub type Clock = fn() -> MonoTime;

/// One camera as the cell describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraConfig {
    /// Its name, as the policy knows it.
    pub name: String,
    /// Where its pictures come from.
    pub source: Source,
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
    /// What it is to be asked with can't be read.
    #[error("camera {camera}: {error}")]
    Login {
        /// Its name.
        camera: String,
        /// Why.
        error: LoginError,
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
    /// This build has no GigE Vision.
    #[error("camera {camera}: {WITHOUT_GIGE}")]
    WithoutGige {
        /// Its name.
        camera: String,
    },
    /// The system has no thread for it.
    #[error("camera {camera}: no thread could be started ({error}); end other programs")]
    Thread {
        /// Its name.
        camera: String,
        /// What the system said.
        error: String,
    },
    /// More than a cell may have.
    #[error("{count} cameras; a cell may have {MAX_CAMERAS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// No good picture came in time.
    #[error("camera {camera} at {place} gave no picture within {seconds:.1} s: {reason}")]
    NoPicture {
        /// Its name.
        camera: String,
        /// Its address, or its node.
        place: String,
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
        !matches!(
            self,
            CameraError::NoPicture { .. } | CameraError::Thread { .. }
        )
    }
}

/// What a camera's task knows, shared through a watch.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// The newest good picture.
    pub(super) frame: Option<Frame>,
    /// The newest arrival and what it was.
    pub(super) seen: Option<(MonoTime, Verdict)>,
    /// How many pictures in a row repeat one before.
    pub(super) repeated: u32,
    /// Why the connection was last lost.
    pub(super) error: Option<Arc<StreamError>>,
}

#[derive(Debug)]
struct Camera {
    name: String,
    place: String,
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
    _threads: Vec<Running>,
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
                    place: camera.place.clone(),
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
        let mut threads = Vec::new();
        let mut cameras = Vec::new();
        for (config, index) in configs.iter().zip(0u8..) {
            let (latency_ns, max_age_ns) = config.checked()?;
            let (sender, view) = watch::channel(View::default());
            let size = (config.width, config.height);
            let feed = Feed::new(
                index,
                (config.name.clone(), config.source.to_string()),
                latency_ns,
                clock,
                Check::new(size.0, size.1),
                sender,
            );
            match config.source.clone() {
                Source::Stream { url, login } => {
                    let url = config.address(&url)?;
                    tasks.spawn(Stream { feed, url, login }.run());
                }
                Source::Device(source) => {
                    let camera = DeviceCamera { source, size };
                    threads.push(config.started(thread::start(feed, camera))?);
                }
                Source::Gige(source) => {
                    let camera = GigeCamera::new(source, size);
                    let camera = camera.ok_or_else(|| CameraError::WithoutGige {
                        camera: config.name.clone(),
                    })?;
                    threads.push(config.started(thread::start(feed, camera))?);
                }
            }
            cameras.push(Camera {
                name: config.name.clone(),
                place: config.source.to_string(),
                max_age_ns,
                view,
            });
        }
        Ok(Cameras {
            cameras,
            started_at: clock(),
            clock,
            _tasks: tasks,
            _threads: threads,
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

    /// How many pictures in a row repeat one before, of the camera where that is most.
    #[must_use]
    pub fn repeated(&self) -> u32 {
        let each = self.cameras.iter().map(|it| it.view.borrow().repeated);
        each.max().unwrap_or(0)
    }

    /// When the newest good picture of any camera arrived.
    #[must_use]
    pub fn newest_arrival(&self) -> Option<MonoTime> {
        let each = self.cameras.iter().filter_map(|camera| {
            let seen = camera.view.borrow().seen;
            seen.filter(|(_, verdict)| *verdict == Verdict::Good)
        });
        each.map(|(at, _)| at).max()
    }

    /// Waits for something to arrive from any camera. Safe to cancel.
    pub async fn arrival(&self) {
        let mut views: Vec<watch::Receiver<View>> = (self.cameras.iter())
            .map(|camera| {
                let mut view = camera.view.clone();
                view.mark_unchanged();
                view
            })
            .collect();
        let mut waits: Vec<_> = (views.iter_mut())
            .map(|view| Box::pin(view.changed()))
            .collect();
        poll_fn(|context| {
            let mut each = waits.iter_mut().map(|wait| wait.as_mut().poll(context));
            if each.any(|poll| poll.is_ready()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
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
    fn address(&self, url: &str) -> Result<StreamUrl, CameraError> {
        StreamUrl::parse(url).map_err(|error| CameraError::Url {
            camera: self.name.clone(),
            error,
        })
    }

    fn started(&self, thread: std::io::Result<Running>) -> Result<Running, CameraError> {
        thread.map_err(|error| CameraError::Thread {
            camera: self.name.clone(),
            error: error.to_string(),
        })
    }

    /// Latency and greatest age, ns.
    fn checked(&self) -> Result<(u64, u64), CameraError> {
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
        Ok((ns(self.latency), ns(self.max_age)))
    }
}

/// Why a camera has given no picture and what to do, for one line of an error.
fn reason(view: &View) -> String {
    let reason = match (&view.seen, &view.error) {
        (Some((_, Verdict::Black)), _) => {
            return "its pictures are black; is its lens covered?".into();
        }
        (Some((_, Verdict::WrongSize)), _) => {
            return "its pictures are not of the width and height in the cell file; correct either"
                .into();
        }
        (Some((_, Verdict::Damaged)), _) => "its pictures can't be decoded".into(),
        (_, Some(error)) if error.has_remedy() => return error.to_string(),
        (_, Some(error)) => error.to_string(),
        _ => "it does not answer".into(),
    };
    format!("{reason}; check its power, cable and address")
}
