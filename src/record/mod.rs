//! What happened in a run, written down beside it.
//!
//! Owns the folder of a run and the audit log in it: who asked for what and when, and what the
//! controller did. Written by ordinary threads of the runner alone; nothing here is ever waited for
//! by what controls the arm, and nothing that is read here decides about motion.

pub mod audit;
mod backlog;
pub mod clock;
pub mod folder;
mod journal;
pub mod read;
pub mod users;
