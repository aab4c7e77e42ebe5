//! The simulated workcell.
