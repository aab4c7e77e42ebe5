//! The arm: its kinematic chain, its joints and limits, its calibration, and the units that
//! policies use for its joints.
//!
//! Loaded once and then only read. Never talks to a servo.

pub mod chain;
pub mod limits;
pub mod model;

pub use limits::JointLimits;
pub use model::{ArmModel, ArmSpec, JointSpec, ModelError};
