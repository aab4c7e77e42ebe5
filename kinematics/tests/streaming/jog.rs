//! Twists by hand: what they come to at limits, singularities and borders.

use nalgebra::{Vector3, Vector6};
use surehand_kinematics::Model;
use surehand_kinematics::streaming::Course;

use crate::robots::{panda, so101, ur5e};
use crate::scenes::Run;
use crate::{ACCELERATION, PANDA, PERIODS, SO101, UR5E, assert_limits};

/// Jogs along `direction` into whatever ends it, a limit, a singularity or the border of what is in
/// reach, and back.
fn jogged_out_and_back<const N: usize>(
    model: &Model<N>,
    start: [f64; N],
    direction: Vector3<f64>,
    period: f64,
) {
    let mut run = Run::new(model.clone(), ACCELERATION, period, start);
    let direction = direction.normalize();
    let speed = 0.2;
    let twist = direction * speed;
    let twist = Vector6::new(twist.x, twist.y, twist.z, 0.0, 0.0, 0.0);
    let mut before = run.tool().translation;
    for _ in 0..(8.0 / period) as u32 {
        let step = run.tick(|follower| follower.jog(&twist));
        let made = (run.tool().translation - before) / period;
        before = run.tool().translation;
        // What is said of the twist is so.
        let along = made.dot(&direction) / speed;
        assert!(
            (along.clamp(0.0, 1.0) - step.share).abs() < 0.02,
            "{along} {step:?}"
        );
        if step.course == Course::Kept {
            assert!(along > 0.97, "{along}");
        }
    }
    let out = run.tool().translation;
    for _ in 0..(0.5 / period) as u32 {
        run.tick(|follower| follower.jog(&-twist));
    }
    let back = (out - run.tool().translation).dot(&direction);
    assert!(back > 0.015, "{back}");
    assert_limits(&run);
}

#[test]
fn a_jog_ends_at_limits_and_singularities_within_the_limits_and_comes_back_from_them() {
    for period in PERIODS {
        for axis in [Vector3::x(), Vector3::y(), Vector3::z()] {
            for direction in [axis, -axis] {
                jogged_out_and_back(&so101(), SO101, direction, period);
                jogged_out_and_back(&ur5e(), UR5E, direction, period);
                jogged_out_and_back(&panda(), PANDA, direction, period);
            }
        }
    }
}

#[test]
fn a_jog_that_a_position_limit_ends_stands_still_there() {
    let mut run = Run::new(ur5e(), ACCELERATION, 0.001, UR5E);
    let about = run
        .model
        .chain
        .linearise(&UR5E)
        .tool
        .rotation
        .column(2)
        .into_owned();
    let twist = Vector6::new(0.0, 0.0, 0.0, about.x, about.y, about.z);
    for _ in 0..8000 {
        run.tick(|follower| follower.jog(&twist));
    }
    assert_limits(&run);
    let (q, limits) = (run.follower.positions(), run.model.limits);
    let at_limit =
        (0..6).any(|it| q[it] > limits.upper[it] - 1e-6 || q[it] < limits.lower[it] + 1e-6);
    assert!(at_limit, "{q:?}");
    let v = run.follower.velocities();
    assert!(v.iter().all(|v| v.abs() < 1e-6), "{v:?} {q:?}");
}
