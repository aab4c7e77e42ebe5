//! A GigE Vision camera on the network, through aravis: opened, set as the cell says, and read for
//! as long as it is there.
//!
//! Only a build with the feature `aravis` has it; every other build owns no more than the words to
//! refuse it with. Pictures are stamped with when they arrived, as those of other cameras: the
//! camera's own clock is not ours. Never decides what a lost camera means for the arm.

#[cfg(feature = "aravis")]
mod asked;
mod error;
#[cfg(feature = "aravis")]
mod found;
#[cfg(feature = "aravis")]
mod live;
#[cfg(any(feature = "aravis", test))]
mod pixels;
#[cfg(any(feature = "aravis", test))]
mod tally;

pub use error::GigeError;
#[cfg(feature = "aravis")]
pub(super) use live::GigeCamera;

/// What there is none of in this build.
#[cfg(not(feature = "aravis"))]
#[derive(Debug)]
pub(super) enum GigeCamera {}

#[cfg(not(feature = "aravis"))]
impl GigeCamera {
    pub(super) fn new(_: super::GigeSource, _: (u32, u32)) -> Option<GigeCamera> {
        None
    }
}

#[cfg(not(feature = "aravis"))]
impl super::thread::Reader for GigeCamera {
    fn open_and_read(
        &mut self,
        _: &mut super::feed::Feed,
        _: &super::thread::Stop,
    ) -> Result<(), super::StreamError> {
        match *self {}
    }
}
