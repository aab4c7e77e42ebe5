//! The follower beside obstacles and beside itself: it slows down, slides, and stops at its margin.

use nalgebra::{Rotation3, Vector3, Vector6};
use surehand_kinematics::streaming::Course;
use surehand_kinematics::{Clearance, Frame, Model, Obstacle, Shapes};

use crate::robots::{panda, so101, ur5e};
use crate::scenes::{Dice, Line, Run};
use crate::{ACCELERATION, PANDA, PERIODS, SO101, UR5E, assert_limits};

const MARGIN: f64 = 0.01;
/// Of the margin, what surfaces that bend may take.
const GRACE: f64 = 0.001;

/// A plate that leaves `room` in front of the tool in `direction`.
fn wall(tool: &Frame, direction: &Vector3<f64>, room: f64) -> Obstacle {
    let turn = Rotation3::rotation_between(&Vector3::x(), direction).unwrap();
    Obstacle::Box {
        frame: Frame {
            rotation: turn.into_inner(),
            translation: tool.translation + direction * (room + 0.01),
        },
        half: Vector3::new(0.01, 0.15, 0.15),
    }
}

/// Level, away from the arm's foot.
fn outward(tool: &Frame) -> Vector3<f64> {
    Vector3::new(tool.translation.x, tool.translation.y, 0.0).normalize()
}

/// The tool as a ball of 1 cm, and the links as rods.
fn clearance<const N: usize>(model: &Model<N>, obstacles: &[Obstacle]) -> Clearance<N> {
    let shapes = Shapes::rods(model, 0.01);
    Clearance::new(model, &shapes, obstacles, 0.3).unwrap()
}

fn beside<const N: usize>(
    model: &Model<N>,
    start: [f64; N],
    period: f64,
    clearance: &Clearance<N>,
) -> Run<N> {
    let mut run = Run::new(model.clone(), ACCELERATION, period, start);
    run.follower
        .set_clearance(clearance.clone(), MARGIN)
        .unwrap();
    run
}

/// The least distance at the joints of `run`.
fn left<const N: usize>(run: &Run<N>, clearance: &Clearance<N>) -> f64 {
    clearance.least(&run.follower.positions()).unwrap().distance
}

fn pushed<const N: usize>(model: Model<N>, start: [f64; N]) {
    let begin = model.chain.pose(&start);
    let direction = outward(&begin);
    let along = Vector3::z().cross(&direction);
    let clearance = clearance(&model, &[wall(&begin, &direction, 0.06)]);
    for period in PERIODS {
        let mut run = beside(&model, start, period, &clearance);
        // Into the wall and along it, one after the other and together.
        let ticks = (4.0 / period) as u32;
        for tick in 0..ticks {
            let share = f64::from(tick) / f64::from(ticks);
            let mut target = begin;
            target.translation += direction * (0.12 * (3.0 * share).min(1.0));
            target.translation += along * (0.04 * (6.0 * share).sin());
            let step = run.tick(|follower| follower.track(&target));
            let left = left(&run, &clearance);
            assert!(left > MARGIN - GRACE, "{left} at {tick}");
            if tick + 1 == ticks {
                assert_eq!(step.course, Course::Beyond);
                assert!(left < MARGIN + 1e-3, "{left}");
                // It slides: beside the wall it is where the target is.
                let off = run.tool().translation - target.translation;
                assert!(off.dot(&along).abs() < 5e-3, "{off}");
            }
        }
        // Back out of it, without delay.
        for _ in 0..ticks {
            run.tick(|follower| follower.track(&begin));
        }
        assert!(run.tool().way_to(&begin).fixed_rows::<3>(0).norm() < 1e-4);
        assert_limits(&run);
    }
}

#[test]
fn a_target_behind_a_wall_is_followed_along_it_at_the_margin() {
    pushed(so101(), SO101);
    pushed(ur5e(), UR5E);
    pushed(panda(), PANDA);
}

fn jogged<const N: usize>(model: Model<N>, start: [f64; N]) {
    let begin = model.chain.pose(&start);
    for (index, direction) in [Vector3::x(), Vector3::y(), -Vector3::z()]
        .iter()
        .enumerate()
    {
        let half = Vector3::new(0.05, 0.04, 0.06);
        let block = Obstacle::Box {
            frame: Frame {
                rotation: Rotation3::from_euler_angles(0.3, 0.1, -0.4).into_inner(),
                translation: begin.translation + direction * 0.2,
            },
            half,
        };
        let clearance = clearance(&model, &[block]);
        for period in PERIODS {
            let mut run = beside(&model, start, period, &clearance);
            let mut least = f64::INFINITY;
            for _ in 0..(3.0 / period) as u32 {
                let twist = Vector6::new(direction.x, direction.y, direction.z, 0.0, 0.0, 0.0);
                run.tick(|follower| follower.jog(&(twist * 0.2)));
                least = least.min(left(&run, &clearance));
            }
            assert!(least > MARGIN - GRACE, "{least} {index} {period}");
            assert_limits(&run);
        }
    }
}

#[test]
fn a_jog_into_a_box_stops_or_slides_with_clearance_left() {
    jogged(so101(), SO101);
    jogged(ur5e(), UR5E);
    jogged(panda(), PANDA);
}

fn led<const N: usize>(model: Model<N>, start: [f64; N]) {
    let begin = model.chain.pose(&start);
    let direction = outward(&begin);
    let clearance = clearance(&model, &[wall(&begin, &direction, 0.07)]);
    for period in PERIODS {
        for speed in [0.05, 0.5] {
            let line = Line {
                start: begin,
                velocity: direction * speed,
                seconds: 0.1 / speed,
            };
            let mut run = beside(&model, start, period, &clearance);
            assert!(!run.follow(&line, 6.0 + line.seconds));
            let step = run.tick(|follower| follower.follow(&line, 1.0));
            assert_eq!(step.course, Course::Blocked);
            let left = left(&run, &clearance);
            assert!(left > MARGIN - 1e-5 && left < MARGIN + 2e-3, "{left}");
            assert!(run.figures.error < 1e-4, "{}", run.figures.error);
            assert_limits(&run);
            // One that ends before is gone to its end.
            let short = Line {
                seconds: 0.03 / speed,
                ..line
            };
            let mut run = beside(&model, start, period, &clearance);
            assert!(run.follow(&short, 6.0));
        }
    }
}

#[test]
fn a_path_into_a_wall_is_stopped_on_at_the_margin() {
    led(so101(), SO101);
    led(ur5e(), UR5E);
    led(panda(), PANDA);
}

#[test]
fn an_arm_told_to_fold_into_itself_stops_before_it_touches() {
    let text = include_str!("../../../urdf/so101.urdf");
    let shapes = Shapes::read("so101.urdf", text, "base", "gripper_frame", &|_| None).unwrap();
    let model = so101();
    let clearance = Clearance::new(&model, &shapes, &[], 0.1).unwrap();
    let mut run = beside(&model, SO101, 0.005, &clearance);
    assert!(left(&run, &clearance) > MARGIN);
    let target = Frame {
        translation: Vector3::new(0.02, 0.0, 0.03),
        ..run.tool()
    };
    let mut least = f64::INFINITY;
    for _ in 0..1000 {
        run.tick(|follower| follower.track(&target));
        least = least.min(left(&run, &clearance));
    }
    assert!(least > MARGIN - GRACE && least < MARGIN + 0.02, "{least}");
    assert_limits(&run);
}

#[test]
fn an_arm_that_begins_too_near_comes_out() {
    let model = ur5e();
    let begin = model.chain.pose(&UR5E);
    let clearance = clearance(&model, &[wall(&begin, &outward(&begin), 0.015)]);
    let mut run = beside(&model, UR5E, 0.001, &clearance);
    assert!(left(&run, &clearance) < 0.0061);
    for _ in 0..3000 {
        run.tick(|follower| follower.track(&begin));
    }
    let out = left(&run, &clearance);
    assert!(out > MARGIN - GRACE && out < MARGIN + 1e-3, "{out}");
    assert_limits(&run);
}

fn stormed<const N: usize>(model: Model<N>, start: [f64; N], seed: u64) {
    let begin = model.chain.pose(&start);
    let block = Obstacle::Box {
        frame: Frame {
            rotation: Rotation3::from_euler_angles(0.5, 0.2, 0.1).into_inner(),
            translation: begin.translation + Vector3::new(0.05, 0.1, -0.05),
        },
        half: Vector3::new(0.02, 0.03, 0.04),
    };
    let floor = Obstacle::Plane {
        point: Vector3::new(0.0, 0.0, begin.translation.z - 0.1),
        normal: Vector3::z(),
    };
    let clearance = clearance(&model, &[block, floor]);
    let mut dice = Dice(seed);
    for period in PERIODS {
        let mut run = beside(&model, start, period, &clearance);
        let mut least = f64::INFINITY;
        for _ in 0..400 {
            let size = 10f64.powf(1.5 * dice.roll() - 0.5);
            let twist = Vector6::from_fn(|_, _| size * dice.roll());
            let mut target = run.tool();
            target.translation += Vector3::from_fn(|_, _| size * dice.roll());
            let jogs = dice.roll() > 0.0;
            for _ in 0..50 {
                run.tick(|follower| {
                    if jogs {
                        follower.jog(&twist)
                    } else {
                        follower.track(&target)
                    }
                });
                least = least.min(left(&run, &clearance));
            }
        }
        assert!(least > MARGIN - 2.0 * GRACE, "{least} {period} {N}");
        assert_limits(&run);
    }
}

#[test]
fn nothing_is_touched_in_a_storm_and_no_limit_broken() {
    stormed(so101(), SO101, 11);
    stormed(ur5e(), UR5E, 12);
    stormed(panda(), PANDA, 13);
}

#[test]
fn what_is_far_away_changes_nothing() {
    let model = panda();
    let begin = model.chain.pose(&PANDA);
    let far = [wall(&begin, &Vector3::x(), 5.0)];
    let shapes = Shapes::rods(&model, 0.01);
    let clearance = Clearance::new(&model, &shapes, &far, 10.0).unwrap();
    let mut with = beside(&model, PANDA, 0.001, &clearance);
    let mut without = Run::new(model, ACCELERATION, 0.001, PANDA);
    for tick in 0..2000 {
        let mut target = begin;
        target.translation.y += 0.1 * (0.004 * f64::from(tick)).sin();
        let one = with.tick(|follower| follower.track(&target));
        let other = without.tick(|follower| follower.track(&target));
        assert_eq!(one, other);
    }
}

#[test]
fn a_margin_that_is_none_is_refused_and_nothing_changed() {
    let model = ur5e();
    let clearance = clearance(&model, &[]);
    let mut run = Run::new(model, ACCELERATION, 0.001, UR5E);
    let before = run.follower.clone();
    for margin in [f64::NAN, -0.01, f64::INFINITY] {
        let error = run.follower.set_clearance(clearance.clone(), margin);
        assert!(error.unwrap_err().to_string().contains("margin"));
        assert_eq!(run.follower, before);
    }
}
