//! Cameras: from a stream on the network, a device of this machine, or a GigE Vision camera, to the
//! latest good picture and its capture time.
//!
//! Owns the MJPEG client, the readers of Video4Linux and, with the feature `aravis`, of GigE Vision,
//! picture decoding and the content checks. Data is used by its age: a
//! frame carries the moment it was captured, and a camera whose newest good frame is too old is
//! a fault, whatever its stream still sends. Never decides what a fault means for the arm, and
//! never reads a clock of its own: the clock is an argument.

mod check;
mod decode;
mod device;
mod feed;
mod frame;
mod gige;
mod login;
mod look;
mod multipart;
mod set;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod thread;
mod url;
mod yuyv;

pub use check::{CameraFault, Check, Verdict};
pub use decode::{DecodeError, decode};
pub use device::DeviceError;
pub use frame::{Frame, Rgb8};
pub use gige::GigeError;
pub use login::{Login, LoginError};
pub use look::Look;
pub use multipart::{Multipart, MultipartError};
pub use set::{CameraConfig, CameraError, Cameras, Clock};
pub use source::Source;
pub use stream::StreamError;
pub use url::{StreamUrl, UrlError};

pub use crate::cell::{DeviceSource, FeatureValue, GigePixels, GigeSource, Pixels, WITHOUT_GIGE};
