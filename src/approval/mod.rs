//! What was approved to run in a cell, and what differs from it.
//!
//! Owns the lock file beside a cell: the hashes of policy packages, URDF and calibration, and what
//! of the cell file counts for the motion. Never decides whether something is safe: a person does,
//! and this holds what is run to it.

mod identity;
mod lock;

pub use identity::{Identity, IdentityError, sha256_of};
pub use lock::{Drift, Lock, LockError};
