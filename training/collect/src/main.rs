//! Collects demonstrations.
mod expert;
fn main() {}
