//! Where a camera's pictures come from, as the cell describes it. Names things; opens nothing.

use std::fmt::{self, Display, Formatter};

use super::login::Login;
use crate::cell::{DeviceSource, GigeSource};

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
    /// A GigE Vision camera on the network.
    Gige(GigeSource),
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Source::Stream { url, .. } => f.write_str(url),
            Source::Device(device) => write!(f, "{}", device.path.display()),
            Source::Gige(camera) => write!(f, "gige {}", camera.name),
        }
    }
}
