//! `[cameras.NAME]` as it was read: where pictures come from and how they must be.

use std::path::PathBuf;
use std::time::Duration;

use crate::camera::{GigeSource, Pixels};

/// One camera.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraSection {
    /// Its name, as packages call it.
    pub name: String,
    /// Where its pictures come from.
    pub source: CameraSource,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// From exposure to arrival.
    pub latency: Duration,
    /// Older frames are not used; without a new one for this long the arm stops.
    pub max_age: Duration,
}

/// Where a camera's pictures come from.
#[derive(Debug, Clone, PartialEq)]
pub enum CameraSource {
    /// An MJPEG stream.
    Stream {
        /// Its address.
        url: String,
        /// The file with the name and password it wants.
        login: Option<PathBuf>,
    },
    /// A camera of this machine.
    Device(DeviceSection),
    /// A GigE Vision camera.
    Gige(GigeSource),
}

/// A camera of this machine, through Video4Linux.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSection {
    /// Its node.
    pub path: PathBuf,
    /// Where it must be attached, as its driver says it.
    pub bus: Option<String>,
    /// How its pictures come; as the camera has them when left out.
    pub pixels: Option<Pixels>,
    /// Pictures a second; as the camera has them when left out.
    pub rate_hz: Option<u32>,
    /// What its controls are set to, by name.
    pub controls: Vec<(String, i32)>,
}
