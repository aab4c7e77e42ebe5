//! The arm: its kinematic chain, its joints and limits, its calibration, and the units that
//! policies use for its joints.
//!
//! Loaded once and then only read. Never talks to a servo.

pub mod calibration;
pub mod conventions;
pub mod family;
pub mod geometry;
pub mod limits;
pub mod model;
pub mod parking;
pub mod plane;
pub mod space;
pub mod tool;

pub use calibration::{
    Calibration, CalibrationError, Goal, JointCalibration, JointSpan, SHADOW, Shadow,
};
pub use conventions::Convention;
pub use family::Family;
pub use limits::JointLimits;
pub use model::{ArmModel, ArmSpec, JointSpec, ModelError};
pub use parking::{AfterStop, Parking};
pub use space::{Block, MAX_BOXES, MAX_PLANES, Plane, Space};
