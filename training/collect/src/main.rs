//! Collects demonstrations.
mod dataset;
mod disturbance;
mod expert;
fn main() {}
