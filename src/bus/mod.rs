//! The wire to the servos: codec, transactions with deadlines, the port, and bring-up.
//!
//! In the order data flows: [`feetech`] is bytes and meaning, [`transaction`] is one request and
//! its replies on a descriptor, [`port`] opens it, [`bringup`] takes a silent line to one whose
//! servos are known to be the calibrated arm, and [`service`] reads and writes them tick by tick.
//! Owns what goes out on the wire. Never decides a motion: goals come as a
//! [`JointCommand`](crate::control::JointCommand), and no register of the EEPROM is ever written.

pub mod bringup;
pub mod feetech;
pub mod port;
pub mod problem;
pub mod service;
pub mod settings;
pub mod timeouts;
pub mod transaction;

pub use bringup::{BringUpError, Bus, Found, Ready, Silent};
pub use port::{Port, PortError};
pub use problem::{Problem, Trouble};
pub use service::{GoalError, HeldGoal, RawReading, TorqueError, TorqueFault};
pub use settings::{ServoSettings, SettingsError};
pub use timeouts::Timeouts;
pub use transaction::{Answer, Line, PortFault, monotonic_now};
