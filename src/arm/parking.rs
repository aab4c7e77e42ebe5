//! Where an arm is put away, and when.
//!
//! Plain data; going there is decided elsewhere.

use crate::units::{JointVec, Rad};

/// Where and when the arm is put away: stop category 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parking {
    /// The pose, by joint; a joint without one stays where it is.
    pub pose: JointVec<Option<Rad>>,
    /// Share of the joints' limits that the way there takes, above 0, at most 1.
    pub speed: f64,
    /// What follows the stop when the controller is told to end.
    pub at_exit: AfterStop,
    /// What follows a stop for a servo that is too hot, which holding keeps hot.
    pub when_hot: AfterStop,
}

/// What follows a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterStop {
    /// Hold with power: stop category 2.
    #[default]
    Hold,
    /// Go to the park pose and let go there: stop category 1.
    Park,
}
