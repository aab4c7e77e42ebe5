//! Collects demonstrations.
fn main() {}
