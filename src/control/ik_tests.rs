//! Inverse against forward kinematics.

use proptest::prelude::*;

use super::*;
use crate::control::testing::{joints, so101};

/// Any configuration inside the limits, gripper included.
fn configuration() -> impl Strategy<Value = JointVec<Rad>> {
    let ranges: Vec<_> = so101()
        .limits()
        .iter()
        .map(|limits| limits.lower.0..limits.upper.0)
        .collect();
    ranges.prop_map(|angles| angles.into_iter().map(Rad).collect())
}

fn apart(a: &ToolSetpoint, b: &ToolSetpoint) -> (f64, f64) {
    let metres = a
        .position
        .iter()
        .zip(&b.position)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    let angle = wrap(a.tilt - b.tilt).abs().max(wrap(a.roll - b.roll).abs());
    (metres, angle)
}

#[test]
fn tilt_and_roll_are_what_the_arms_angles_say() {
    // Straight down is lift + elbow + wrist = 90°; the wrist's zero is 0.0486795 off the plane.
    let model = so101();
    for roll in [-2.5, -0.3, 0.0, 0.7, 2.5] {
        let tool = tool_of(&model, &joints([0.4, 0.2, -0.1, 1.2, roll, 0.3]));
        assert!(
            (tool.roll - (roll - 0.048_679_5)).abs() < 1e-4,
            "{}",
            tool.roll
        );
        assert!((tool.tilt - (PI / 2.0 - 1.3)).abs() < 1e-4, "{}", tool.tilt);
        assert_eq!(tool.gripper, 0.3);
        // Panning turns clockwise seen from above: 0.4 rad to the right.
        assert!(tool.position[1] < -0.05, "{:?}", tool.position);
    }
}

proptest! {
    #[test]
    fn a_reachable_setpoint_is_reached(to in configuration(), from in configuration()) {
        let model = so101();
        let target = tool_of(&model, &to);
        let solution = solve_from_anywhere(&model, &target, &from, 60);
        let (metres, angle) = apart(&tool_of(&model, &solution.joints), &target);
        prop_assert!(metres < 1e-5, "{metres} m after {} iterations", solution.iterations);
        prop_assert!(angle < 1e-4, "{angle} rad after {} iterations", solution.iterations);
        for (angle, limits) in solution.joints.iter().zip(model.limits()) {
            prop_assert!(angle.0 >= limits.lower.0 && angle.0 <= limits.upper.0);
        }
    }
}
