//! The control core: a pure function of time, inputs and its own state.
//!
//! Real time: no allocation, lock, log, clock, randomness or I/O anywhere below this folder.
//! The same inputs give the same bytes twice.

mod io;

pub use io::{Inputs, JointReading, Link, ReadFault, Signals, Step, TorqueAct};
