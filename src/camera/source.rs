//! Where a camera's pictures come from, as the cell describes it. Names things; opens nothing.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use super::login::Login;

/// Where a camera's pictures come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// An MJPEG stream on the network.
    Stream {
        /// `mjpeg://host:port/path` or `http://host:port/path`.
        url: String,
        /// What it is asked with, when it wants a login.
        login: Option<Login>,
    },
    /// A camera of this machine.
    Device(DeviceSource),
}

/// A camera of this machine, through Video4Linux.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSource {
    /// Its node, best by a name that stays: `/dev/v4l/by-id/…` or `/dev/v4l/by-path/…`.
    pub path: PathBuf,
    /// Where it must be attached, as the driver says it; anywhere when `None`.
    pub bus: Option<String>,
    /// How its pictures come; MJPEG where it has that, else YUYV, when `None`.
    pub pixels: Option<Pixels>,
    /// Pictures a second; the driver's own choice when `None`.
    pub rate_hz: Option<u32>,
    /// Controls by name and what they are set to, in this order.
    pub controls: Vec<(String, i32)>,
}

/// How a camera of this machine gives its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Each a JPEG.
    Mjpeg,
    /// Luma of every pixel and chroma of every pair (4:2:2, BT.601 in the narrow range).
    Yuyv,
}

impl Pixels {
    /// Both, the smaller on the cable first.
    pub const ALL: [Pixels; 2] = [Pixels::Mjpeg, Pixels::Yuyv];

    /// What a cell file calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Pixels::Mjpeg => "mjpeg",
            Pixels::Yuyv => "yuyv",
        }
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Source::Stream { url, .. } => f.write_str(url),
            Source::Device(device) => write!(f, "{}", device.path.display()),
        }
    }
}
