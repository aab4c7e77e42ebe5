//! Inverse against forward kinematics.

use proptest::prelude::*;

use super::*;
use crate::arm::tool::tool_of;
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

    #[test]
    fn a_small_move_needs_few_iterations_and_stays_near(
        from in configuration(),
        moves in prop::collection::vec(-0.04..0.04f64, 6),
    ) {
        let model = so101();
        let to: JointVec<Rad> = from
            .iter()
            .zip(&moves)
            .zip(model.limits())
            .map(|((from, by), limits)| {
                Rad((from.0 + by).clamp(limits.lower.0, limits.upper.0))
            })
            .collect();
        let solution = solve(&model, &tool_of(&model, &to), &from);
        // A tick leaves a little of the error now and then, along a limit more.
        let free = from.iter().zip(model.limits()).all(|(at, limits)| {
            at.0 > limits.lower.0 + 0.1 && at.0 < limits.upper.0 - 0.1
        });
        let (metres, angle) = if free { (1e-5, 1e-3) } else { (1e-4, 1e-2) };
        prop_assert!(solution.within(metres, angle), "{solution:?}");
        // Mostly three; seldom, near where the elbow is straight for the tool, up to 17 of 20.
        prop_assert!(solution.iterations < 20, "{}", solution.iterations);
    }
}

/// The tool goes `way` metres outward and back, 1 mm a tick: the largest step of a joint, and
/// the largest position and tilt errors.
fn out_and_back(way: f64) -> (f64, f64, f64) {
    let model = so101();
    let mut joints = joints([0.0, -0.2, 0.4, 1.1, 1.5, 0.2]);
    let start = tool_of(&model, &joints);
    let (mut step, mut metres_off, mut tilt_off) = (0.0f64, 0.0f64, 0.0f64);
    let ticks = (way / 0.0005) as i32;
    for tick in 0..=ticks {
        let share = 1.0 - (f64::from(2 * tick) / f64::from(ticks) - 1.0).abs();
        let mut target = start;
        target.position[0] += way * share;
        let solution = solve(&model, &target, &joints);
        // The roll is left out: given up for the position, it catches up where it can again.
        for (to, from) in solution.joints.iter().zip(&joints).take(4) {
            step = step.max((to.0 - from.0).abs());
        }
        metres_off = metres_off.max(solution.position_error);
        tilt_off = tilt_off.max(solution.tilt_error);
        joints = solution.joints;
    }
    let (metres, angle) = apart(&tool_of(&model, &joints), &start);
    assert!(
        metres < 1e-5 && angle < 1e-4,
        "{metres} m, {angle} rad at the end"
    );
    (step, metres_off, tilt_off)
}

#[test]
fn where_the_tilt_cannot_be_kept_the_position_is() {
    let (step, metres_off, tilt_off) = out_and_back(0.2);
    assert!(tilt_off > 0.5, "{tilt_off}");
    assert!(metres_off < 1e-4, "{metres_off}");
    assert!(step < 0.12, "{step}");
}

#[test]
fn beyond_reach_the_arm_stays_smooth_and_finds_the_way_back() {
    let (step, metres_off, _) = out_and_back(0.4);
    assert!(metres_off > 0.1, "{metres_off}");
    assert!(step < 0.2, "{step}");
}

#[test]
fn nonsense_as_a_target_or_a_seed_ends_and_stays_inside_the_limits() {
    let model = so101();
    let seed = joints([0.0, -0.2, 0.4, 1.1, 1.5, 0.2]);
    for nonsense in [f64::NAN, f64::INFINITY, 1e300] {
        let target = ToolSetpoint {
            position: [nonsense, 0.0, 0.1],
            tilt: nonsense,
            ..ToolSetpoint::default()
        };
        let solution = solve(&model, &target, &seed);
        for (angle, limits) in solution.joints.iter().zip(model.chain_limits().iter()) {
            assert!(
                (limits.lower.0..=limits.upper.0).contains(&angle.0),
                "{solution:?}"
            );
        }
        assert!(!solution.within(0.1, 1.0));
    }
}
