//! surehand: runs a learned policy on a servo arm, on time, inside limits, and stops it well.
//!
//! Modules in the order data flows through them: `units ← messages ← arm ← {camera, policy,
//! control, bus}`; `guard` sees control, bus and messages; `runner` sees camera, policy and
//! messages; the two meet only in `messages`. The geometry of `arm` and the paths that `control`
//! leads the tool along are reckoned by the crate `surehand-kinematics`. Beside the flow,
//! `approval` holds a cell to what was approved, `record` writes down what happened, `host` looks
//! at the machine itself, `service` counts the hours of its joints, and `commission` makes an arm of
//! servos that came in boxes.

pub mod approval;
pub mod arm;
pub mod bus;
pub mod camera;
pub mod cell;
pub mod cli;
pub mod commission;
pub mod control;
pub mod guard;
pub mod host;
pub mod messages;
pub mod policy;
pub mod realtime;
pub mod record;
pub mod runner;
pub mod service;
pub mod stats;
pub mod units;

#[cfg(test)]
#[path = "../tests/common/so101.rs"]
mod so101;
