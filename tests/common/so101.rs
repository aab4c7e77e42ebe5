//! The SO-101's joints, for tests that build the arm without a cell file.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "a fixture that each test uses a part of"
)]

/// Joints in the arm's order, as published.
pub const NAMES: [&str; 6] = [
    "shoulder_pan",
    "shoulder_lift",
    "elbow_flex",
    "wrist_flex",
    "wrist_roll",
    "gripper",
];

/// Their position limits, radians.
pub const LIMITS: [(f64, f64); 6] = [
    (-1.91986, 1.91986),
    (-1.74533, 1.74533),
    (-1.69, 1.69),
    (-1.65806, 1.65806),
    (-2.74385, 2.84121),
    (-0.174533, 1.74533),
];
