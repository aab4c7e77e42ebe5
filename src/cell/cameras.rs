//! `[cameras.NAME]` as it was read: where pictures come from and how they must be.

use std::path::PathBuf;
use std::time::Duration;

use super::pictures::{DeviceSource, GigeSource};

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
    Device(DeviceSource),
    /// A GigE Vision camera.
    Gige(GigeSource),
}
