//! Cameras: from a stream on the network to the latest good picture and its capture time.
//!
//! Owns the MJPEG client, picture decoding and the content checks. Data is used by its age: a
//! frame carries the moment it was captured, and a camera whose newest good frame is too old is
//! a fault, whatever its stream still sends. Never decides what a fault means for the arm, and
//! never reads a clock of its own: the clock is an argument.

mod check;
mod decode;
mod frame;
mod multipart;
mod set;
mod stream;
#[cfg(test)]
mod tests;
mod url;

pub use check::{CameraFault, Check, Verdict};
pub use decode::{DecodeError, decode};
pub use frame::{Frame, Rgb8};
pub use multipart::{Multipart, MultipartError};
pub use set::{CameraConfig, CameraError, Cameras, Clock};
pub use stream::StreamError;
pub use url::{StreamUrl, UrlError};
