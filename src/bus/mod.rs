//! The wire to the servos: codec, transactions with deadlines, the port, and bring-up.
//!
//! In the order data flows: [`feetech`] and [`dynamixel`] are bytes and meaning, [`map`], [`request`]
//! and [`scan`] what is common to both, [`transaction`] is one request and its replies on a
//! descriptor, [`port`] opens it, [`bringup`] takes a silent line to one whose
//! servos are known to be the calibrated arm, and [`service`] reads and writes them tick by tick.
//! Owns what goes out on the wire. Never decides a motion: goals come as a
//! [`JointCommand`](crate::control::JointCommand), and no register of the EEPROM is ever written
//! (commissioning does that, with these codecs and a port of its own).

pub mod bringup;
pub mod dynamixel;
pub mod feetech;
mod frames;
pub mod map;
pub mod port;
pub mod problem;
pub mod register;
pub mod request;
pub mod scan;
pub mod service;
pub mod settings;
pub mod timeouts;
pub mod transaction;

pub use bringup::{BringUpError, Bus, Found, FoundServo, Ready, Sample, Silent};
pub use port::{Port, PortError};
pub use problem::{Problem, Trouble};
pub use service::{GoalError, HeldGoal, RawReading, Reading, TorqueError, TorqueFault, Watchdogs};
pub use settings::{ServoSettings, SettingsError};
pub use timeouts::Timeouts;
pub use transaction::{Answer, Line, PortFault, monotonic_now};
