//! The follower on arms of five, six and seven joints: limits, paths, singularities, reach.

#![allow(clippy::unwrap_used, reason = "a trial may end in a panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "ticks are timed where they are measured"
)]
#![allow(
    unreachable_pub,
    dead_code,
    reason = "modules shared by tests and measuring program"
)]

mod ends;
mod jog;
mod keep_away;
#[path = "../../robots/mod.rs"]
mod more;
mod recovery;
mod robots;
mod scenes;

use nalgebra::{Rotation3, Vector3, Vector6};
use proptest::prelude::*;
use robots::{panda, so101, ur5e};
use scenes::{Circle, Dice, Line, Run, fly_by, reach_out};
use surehand_kinematics::streaming::{Course, Follower, FollowerError, Waypoint};
use surehand_kinematics::{Frame, Model};

const SO101: [f64; 5] = [0.1, -0.4, 0.5, 0.9, 0.2];
const UR5E: [f64; 6] = [0.2, -1.3, 1.7, -1.9, -1.5, 0.3];
const PANDA: [f64; 7] = [0.1, -0.4, 0.1, -2.0, 0.1, 1.8, 0.6];
/// Radians a second squared.
const ACCELERATION: f64 = 20.0;
const PERIODS: [f64; 2] = [0.001, 0.005];

/// Every limit was kept, to rounding.
fn assert_limits<const N: usize>(run: &Run<N>) {
    let figures = &run.figures;
    assert!(figures.velocity <= 1.0 + 1e-9, "{}", figures.velocity);
    assert!(
        figures.acceleration <= 1.0 + 1e-6,
        "{}",
        figures.acceleration
    );
    assert!(figures.beyond <= 1e-12, "{}", figures.beyond);
}

fn circle<const N: usize>(model: Model<N>, start: [f64; N], about: Option<Vector3<f64>>) {
    for period in PERIODS {
        let mut run = Run::new(model.clone(), ACCELERATION, period, start);
        let circle = Circle {
            start: run.tool(),
            radius: 0.05,
            period: 2.0,
            rounds: 3.0,
            about,
        };
        assert!(run.follow(&circle, 10.0));
        assert_limits(&run);
        assert!(run.figures.error < 5e-6, "{}", run.figures.error);
        assert!(run.figures.seconds < 6.5, "{}", run.figures.seconds);
    }
}

#[test]
fn a_circle_is_kept_to_five_thousandths_of_a_millimetre() {
    circle(so101(), SO101, Some(Vector3::new(0.038_835_3, 0.0, 0.0)));
    circle(ur5e(), UR5E, None);
    circle(panda(), PANDA, None);
}

#[test]
fn an_arm_of_five_joints_holds_tilt_and_roll_whatever_yaw_it_is_asked_for() {
    let mut run = Run::new(so101(), ACCELERATION, 0.001, SO101);
    let start = run.tool();
    let circle = Circle {
        start,
        radius: 0.05,
        period: 2.0,
        rounds: 1.0,
        about: None,
    };
    assert!(run.follow(&circle, 10.0));
    assert!(run.figures.error < 5e-6, "{}", run.figures.error);
    assert!(run.tool().way_to(&start).norm() < 1e-5);
}

#[test]
fn a_wrist_singularity_is_passed_on_the_path_by_slowing_down() {
    for period in PERIODS {
        for closest in [0.027, 0.005, 0.1] {
            let model = ur5e();
            let (line, start) = fly_by(&model.chain, closest, 19.5, 0.15);
            let mut run = Run::new(model, ACCELERATION, period, start);
            assert!(run.follow(&line, 20.0));
            assert_limits(&run);
            assert!(run.figures.error < 1e-5, "{}", run.figures.error);
            assert!(run.figures.slowest < 0.2);
            assert!(run.figures.seconds < line.seconds + 1.2);
        }
    }
}

#[test]
fn a_path_out_of_reach_is_stopped_on_before_its_end() {
    let mut run = Run::new(ur5e(), ACCELERATION, 0.001, UR5E);
    let start = run.tool();
    let line = Line {
        velocity: start.translation.normalize() * 0.3,
        start,
        seconds: 10.0,
    };
    assert!(!run.follow(&line, 8.0));
    assert_limits(&run);
    assert!(run.figures.error < 1e-5, "{}", run.figures.error);
    let step = run.tick(|follower| follower.follow(&line, 1.0));
    assert_eq!(step.course, Course::Blocked);
    let outstretched = 0.425 + 0.3922 + 0.0997;
    assert!(run.tool().translation.norm() > 0.85 * outstretched);
}

#[test]
fn a_path_is_held_and_gone_on_with_at_any_pace() {
    let mut run = Run::new(ur5e(), ACCELERATION, 0.005, UR5E);
    let circle = Circle {
        start: run.tool(),
        radius: 0.1,
        period: 1.5,
        rounds: 2.0,
        about: None,
    };
    let paces = [1.0, 0.0, 0.3, 1.0, 0.1, 0.0, 1.0];
    for pace in paces {
        for _ in 0..60 {
            run.tick(|follower| follower.follow(&circle, pace));
            let place = circle_at(&circle, run.follower.along());
            assert!(run.tool().way_to(&place).norm() < 1e-5);
        }
        if pace == 0.0 {
            assert!(run.follower.velocities().iter().all(|v| v.abs() < 1e-9));
        }
    }
    assert!(run.follow(&circle, 20.0));
    assert_limits(&run);
}

fn circle_at(circle: &Circle, along: f64) -> Frame {
    surehand_kinematics::streaming::Path::at(circle, along).pose
}

fn reach<const N: usize>(model: Model<N>, start: [f64; N], bend: impl Fn(&[f64; N]) -> f64) {
    for period in PERIODS {
        for distance in [0.3, 1.0] {
            let mut run = Run::new(model.clone(), ACCELERATION, period, start);
            let back = reach_out(&mut run, distance, 3.0, 8);
            assert_limits(&run);
            assert!(back < 1e-4, "{back} after {distance} at {period}");
            let (before, after) = (bend(&start), bend(&run.follower.positions()));
            assert!(before * after > 0.0, "the elbow has turned over");
        }
    }
}

#[test]
fn every_reach_out_of_the_workspace_ends_back_at_the_target_on_the_same_branch() {
    reach(so101(), SO101, |q| q[2] + 1.2);
    reach(ur5e(), UR5E, |q| q[2]);
    reach(panda(), PANDA, |q| q[3]);
}

#[test]
fn a_target_out_of_reach_is_pointed_at_with_the_arm_outstretched() {
    let mut run = Run::new(ur5e(), ACCELERATION, 0.001, UR5E);
    let mut target = run.tool();
    target.translation = target.translation.normalize() * 3.0;
    for _ in 0..5000 {
        run.tick(|follower| follower.track(&target));
    }
    assert_limits(&run);
    // The nearest that it can be is on the line from its shoulder.
    let shoulder = Vector3::new(0.0, 0.0, 0.1625);
    let off = (run.tool().translation - shoulder).normalize()
        - (target.translation - shoulder).normalize();
    assert!(off.norm() < 0.1, "{off}");
    // Not quite straight, so as to know the branch.
    let bend = run.follower.positions()[2];
    assert!(bend > 1e-3 && bend < 0.1, "{bend}");
}

#[test]
fn an_arm_outside_its_limits_comes_back_and_never_goes_farther_out() {
    let model = ur5e();
    let start = [6.5, -1.3, 3.3, -6.6, -1.5, 0.3];
    for velocity in [0.0, 2.0, -2.0] {
        let mut follower = Follower::new(&model, [ACCELERATION; 6], 0.001, start).unwrap();
        follower.reset(start, [velocity; 6]).unwrap();
        let target = model.chain.pose(&UR5E);
        let (mut q, mut v) = (start, [velocity; 6]);
        for _ in 0..4000 {
            let step = follower.track(&target);
            for joint in 0..6 {
                let beyond = (q[joint] - model.limits.upper[joint])
                    .max(model.limits.lower[joint] - q[joint]);
                let outward = (step.positions[joint] - q[joint]) * q[joint].signum();
                if beyond > 0.0 {
                    // Only what it can't brake.
                    let braked = (v[joint] * q[joint].signum() - ACCELERATION * 0.001).max(0.0);
                    assert!(outward <= braked * 0.001 + 1e-12);
                }
                assert!((step.velocities[joint] - v[joint]).abs() <= ACCELERATION * 0.001 + 1e-9);
            }
            (q, v) = (step.positions, step.velocities);
        }
        assert!(model.limits.hold(&q, 0.0));
    }
}

#[test]
fn what_is_no_number_brakes_within_the_limits() {
    let mut run = Run::new(panda(), ACCELERATION, 0.001, PANDA);
    let start = run.tool();
    let line = Line {
        velocity: Vector3::new(0.0, 0.3, 0.0),
        start,
        seconds: 10.0,
    };
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for entry in 0..6 {
            let mut twist = Vector6::new(0.0, 0.2, 0.0, 0.0, 0.0, 0.3);
            for _ in 0..100 {
                run.tick(|follower| follower.jog(&twist));
            }
            twist[entry] = number;
            let step = run.tick(|follower| follower.jog(&twist));
            assert_eq!(step.course, Course::Braking);
            let mut target = start;
            target.translation.x = number;
            let step = run.tick(|follower| follower.track(&target));
            assert_eq!(step.course, Course::Braking);
            let mut target = start;
            target.rotation[(1, 1)] = number;
            let step = run.tick(|follower| follower.track(&target));
            assert_eq!(step.course, Course::Braking);
            let step = run.tick(|follower| follower.follow(&line, number));
            assert_eq!(step.course, Course::Braking);
            let broken = |_: f64| Waypoint {
                pose: target,
                tangent: Vector6::repeat(number),
            };
            let step = run.tick(|follower| follower.follow(&broken, 1.0));
            assert_eq!(step.course, Course::Braking);
        }
    }
    for _ in 0..500 {
        run.tick(Follower::brake);
    }
    assert_limits(&run);
    assert_eq!(run.follower.velocities(), [0.0; 7]);
}

#[test]
fn a_path_that_stops_being_one_is_stopped_on() {
    let mut run = Run::new(ur5e(), ACCELERATION, 0.001, UR5E);
    let start = run.tool();
    let broken = move |along: f64| {
        let mut pose = start;
        pose.translation.x += 0.2 * along;
        if along > 0.5 {
            pose.translation.y = f64::NAN;
        }
        Waypoint {
            pose,
            tangent: Vector6::new(0.2, 0.0, 0.0, 0.0, 0.0, 0.0),
        }
    };
    for _ in 0..2000 {
        run.tick(|follower| follower.follow(&broken, 1.0));
    }
    let step = run.tick(|follower| follower.follow(&broken, 1.0));
    assert_eq!(step.course, Course::Blocked);
    assert!(run.follower.along() > 0.45 && run.follower.along() <= 0.5);
    assert_limits(&run);
}

#[test]
fn ticks_and_limits_that_are_none_make_no_follower() {
    let model = ur5e();
    for period in [0.0, -0.001, 1e-6, 10.0, f64::NAN, f64::INFINITY] {
        let follower = Follower::new(&model, [ACCELERATION; 6], period, UR5E);
        assert!(matches!(follower, Err(FollowerError::Period { .. })));
    }
    for acceleration in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut limits = [ACCELERATION; 6];
        limits[3] = acceleration;
        let follower = Follower::new(&model, limits, 0.001, UR5E);
        assert!(matches!(
            follower,
            Err(FollowerError::Limit { joint: 3, .. })
        ));
    }
    let mut upside_down = model.clone();
    upside_down.limits.lower[2] = 4.0;
    let follower = Follower::new(&upside_down, [ACCELERATION; 6], 0.001, UR5E);
    assert!(matches!(
        follower,
        Err(FollowerError::Range { joint: 2, .. })
    ));
    let mut start = UR5E;
    start[5] = f64::NAN;
    let follower = Follower::new(&model, [ACCELERATION; 6], 0.001, start);
    assert!(matches!(
        follower,
        Err(FollowerError::Start { joint: 5, .. })
    ));
}

#[test]
fn a_path_of_any_length_is_gone_to_its_end() {
    for period in PERIODS {
        for length in 0..120 {
            let mut run = Run::new(ur5e(), ACCELERATION, period, UR5E);
            let line = Line {
                start: run.tool(),
                velocity: Vector3::new(0.05, 0.1, 0.0),
                seconds: 1e-6 + 0.007_3 * f64::from(length),
            };
            assert!(run.follow(&line, 3.0), "{} s", line.seconds);
            assert_limits(&run);
        }
    }
}

/// Twists, reversals, targets that jump, far targets and nonsense, in stretches of random length.
fn storm<const N: usize>(model: Model<N>, start: [f64; N], ticks: usize, seed: u64) {
    let mut dice = Dice(seed);
    for period in PERIODS {
        let mut run = Run::new(model.clone(), ACCELERATION, period, start);
        let mut done = 0;
        while done < ticks / 2 {
            let length = 1 + (100.0 * dice.roll().abs().powi(3)) as usize;
            let far = if dice.roll() > 0.95 { 150.0 } else { 1.0 };
            let size = 10f64.powf(2.0 * far * dice.roll());
            let twist = Vector6::from_fn(|_, _| size * dice.roll());
            let mut target = run.tool();
            target.translation += Vector3::from_fn(|_, _| size * dice.roll());
            let turn = Vector3::from_fn(|_, _| 3.0 * dice.roll());
            target.rotation = Rotation3::new(turn).into_inner() * target.rotation;
            if dice.roll() > 0.97 {
                target.rotation *= size;
            }
            let line = Line {
                start: run.tool(),
                velocity: Vector3::from_fn(|_, _| size * dice.roll()),
                seconds: 1.0,
            };
            run.follower.begin(0.0);
            let kind = dice.roll();
            for tick in 0..length {
                let sign = if tick % 7 < 3 { 1.0 } else { -1.0 };
                run.tick(|follower| {
                    if kind < -0.4 {
                        follower.jog(&twist)
                    } else if kind < 0.0 {
                        follower.jog(&(twist * sign))
                    } else if kind < 0.5 {
                        follower.track(&target)
                    } else if kind < 0.9 {
                        follower.follow(&line, 1.0)
                    } else if kind < 0.95 {
                        follower.jog(&(twist * f64::NAN))
                    } else {
                        follower.brake()
                    }
                });
            }
            done += length;
        }
        assert_limits(&run);
    }
}

#[test]
fn no_limit_is_broken_by_a_million_ticks_of_anything() {
    storm(so101(), SO101, 300_000, 1);
    storm(ur5e(), UR5E, 400_000, 2);
    storm(panda(), PANDA, 300_000, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_line_at_any_speed_is_kept_to(
        start in prop::array::uniform6(-1.5..1.5f64),
        direction in prop::array::uniform3(-1.0..1.0f64),
        speed in 0.02..3.0f64,
        period in prop::sample::select(&PERIODS),
    ) {
        let direction = Vector3::from(direction);
        prop_assume!(direction.norm() > 0.1);
        let mut run = Run::new(ur5e(), ACCELERATION, period, start);
        let line = Line {
            start: run.tool(),
            velocity: direction.normalize() * speed,
            seconds: 0.3 / speed,
        };
        run.follow(&line, 3.0);
        assert_limits(&run);
        // From where the wrist is folded it has to turn by up to a quarter on its first micrometres:
        // of 60,000 such lines two left theirs by more than a tenth of a millimetre, one by a third.
        let kept = if start[4].abs() > 0.03 { 1e-4 } else { 1e-3 };
        prop_assert!(run.figures.error < kept, "{}", run.figures.error);
    }

    #[test]
    fn a_target_that_moves_within_the_limits_is_followed_without_delay(
        away in prop::array::uniform6(-0.3..0.3f64),
        direction in prop::array::uniform3(-1.0..1.0f64),
        period in prop::sample::select(&PERIODS),
    ) {
        let direction = Vector3::from(direction);
        prop_assume!(direction.norm() > 0.1);
        let mut start = UR5E;
        start.iter_mut().zip(away).for_each(|(start, away)| *start += away);
        let mut run = Run::new(ur5e(), ACCELERATION, period, start);
        let begin = run.tool();
        let ticks = (2.0 / period) as u32;
        for tick in 0..ticks {
            let way = 0.05 - 0.05 * (f64::from(tick) * period * 3.0).cos();
            let mut target = begin;
            target.translation += direction.normalize() * way;
            let turn = Rotation3::new(direction * way).into_inner();
            target.rotation = turn * target.rotation;
            run.tick(|follower| follower.track(&target));
            let off = run.tool().way_to(&target);
            prop_assert!(off.norm() < 2e-5, "{off} {tick}");
        }
        assert_limits(&run);
    }

    #[test]
    fn every_number_that_makes_no_follower_is_told_with_its_joint(
        joint in 0..6usize,
        field in 0..5u8,
        number in prop::sample::select(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0]),
    ) {
        let mut model = ur5e();
        let (mut acceleration, mut start) = ([ACCELERATION; 6], UR5E);
        match field {
            0 => model.limits.lower[joint] = model.limits.upper[joint] + number.abs(),
            1 => model.limits.upper[joint] = f64::NAN,
            2 => model.limits.velocity[joint] = number,
            3 => acceleration[joint] = number,
            _ => start[joint] = if number.is_finite() { f64::NAN } else { number },
        }
        let error = Follower::new(&model, acceleration, 0.001, start).unwrap_err();
        let named = match error {
            FollowerError::Range { joint, .. } => field < 2 && joint < 6,
            FollowerError::Limit { what, .. } => {
                what == if field == 2 { "velocity limit" } else { "acceleration limit" }
            }
            FollowerError::Start { .. } => field == 4,
            FollowerError::Period { .. } => false,
        };
        prop_assert!(named, "{error}");
        let line = error.to_string();
        prop_assert!(line.starts_with(&format!("joint {joint}: ")) && !line.contains('\n'), "{line}");
    }

    #[test]
    fn quaternions_are_taken_of_length_one_and_no_other(
        parts in prop::array::uniform4(-1.0..1.0f64),
        length in prop::sample::select(&[0.0, 1e-300, 0.5, 0.99, 1.0, 1.01, 2.0, 1e300, f64::NAN]),
        target in prop::array::uniform3(-1.0..1.0f64),
    ) {
        let norm = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
        prop_assume!(norm > 0.1);
        let frame = Frame::from_quaternion(target, parts.map(|part| part / norm * length));
        prop_assert_eq!(frame.is_some(), length == 1.0);
        prop_assert!(frame.is_none_or(|frame| frame.is_sound()));
    }
}
