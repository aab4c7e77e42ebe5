//! Distances of links from each other and from obstacles, and their gradients, against finite
//! differences and sampled surfaces.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../robots/mod.rs"]
mod robots;

use std::sync::OnceLock;

use nalgebra::{Rotation3, Unit, Vector3};
use proptest::prelude::*;
use surehand_kinematics::clearance::{LeftOut, Reason};
use surehand_kinematics::{
    Capsule, Chain, Clearance, ClearanceError, Driver, Frame, Joint, Limits, Model, Motion,
    Nearness, Obstacle, Pair, Shapes,
};

fn obstacles() -> Vec<Obstacle> {
    vec![
        Obstacle::Plane {
            point: Vector3::new(0.0, 0.0, -0.1),
            normal: Vector3::new(0.1, -0.2, 1.0).normalize(),
        },
        Obstacle::Box {
            frame: Frame {
                rotation: Rotation3::from_euler_angles(0.3, -0.2, 0.5).into_inner(),
                translation: Vector3::new(0.35, 0.1, 0.3),
            },
            half: Vector3::new(0.05, 0.08, 0.03),
        },
    ]
}

fn so101() -> Clearance<5> {
    let text = include_str!("../../urdf/so101.urdf");
    let shapes = Shapes::read("so101.urdf", text, "base", "gripper_frame", &|_| None).unwrap();
    Clearance::new(&robots::so101(), &shapes, &obstacles(), 0.3).unwrap()
}

fn rods<const N: usize>(model: &Model<N>, radius: f64) -> Clearance<N> {
    let shapes = Shapes::rods(model, radius);
    Clearance::new(model, &shapes, &obstacles(), 1.0).unwrap()
}

/// Five variables that move six joints.
fn coupled() -> Model<5> {
    let joint = |axis: Unit<Vector3<f64>>, motion| Joint {
        origin: Frame {
            translation: Vector3::new(0.05, 0.02, 0.15),
            ..Frame::IDENTITY
        },
        axis,
        motion,
    };
    let driver = |variable, multiplier| Driver {
        variable,
        multiplier,
        offset: 0.1,
    };
    let (x, y, z) = (Vector3::x_axis(), Vector3::y_axis(), Vector3::z_axis());
    let joints = [
        (joint(z, Motion::Turning), driver(0, 1.0)),
        (joint(y, Motion::Turning), driver(1, 1.0)),
        (joint(z, Motion::Sliding), driver(2, 0.3)),
        (joint(y, Motion::Turning), driver(1, -0.7)),
        (joint(x, Motion::Turning), driver(3, 1.0)),
        (joint(z, Motion::Turning), driver(4, 1.0)),
    ];
    Model {
        names: ["a", "b", "c", "d", "e"].map(str::to_owned),
        chain: Chain::<5>::coupled(&joints, Frame::IDENTITY).unwrap(),
        limits: Limits {
            lower: [-2.5, -2.5, -0.2, -2.5, -2.5],
            upper: [2.5, 2.5, 0.2, 2.5, 2.5],
            velocity: [1.0; 5],
        },
    }
}

/// Made once: choosing the pairs takes longer than what is tried with them.
struct Arms {
    so101: Clearance<5>,
    ur5e: Clearance<6>,
    wild: Clearance<7>,
    coupled: Clearance<5>,
}

static ARMS: OnceLock<Arms> = OnceLock::new();

impl Arms {
    fn made() -> Arms {
        Arms {
            so101: so101(),
            ur5e: rods(&robots::ur5e(), 0.05),
            wild: rods(&robots::wild(), 0.03),
            coupled: rods(&coupled(), 0.02),
        }
    }
}

fn all<const N: usize>(clearance: &Clearance<N>, q: &[f64; N]) -> Vec<Nearness<N>> {
    let mut all = Vec::new();
    clearance.near(q, f64::INFINITY, |near| all.push(*near));
    all
}

/// Every gradient is the limit of differences, where there is one: at crossings, ends and edges the
/// slopes to either side differ, and the gradient is between them or one of them.
fn check<const N: usize>(clearance: &Clearance<N>, q: &[f64; N]) -> Result<u32, TestCaseError> {
    const STEP: f64 = 1e-6;
    let here = all(clearance, q);
    prop_assert_eq!(here.len(), clearance.pairs().len());
    let least = clearance.least(q).unwrap();
    let by_all = here
        .iter()
        .map(|near| near.distance)
        .fold(f64::INFINITY, f64::min);
    prop_assert_eq!(least.distance, by_all);
    let mut checked = 0;
    for joint in 0..N {
        let at = |step: f64| {
            let mut q = *q;
            q[joint] += step;
            all(clearance, &q)
        };
        let (before, after) = (at(-STEP), at(STEP));
        for ((near, before), after) in here.iter().zip(&before).zip(&after) {
            let up = (after.distance - near.distance) / STEP;
            let down = (near.distance - before.distance) / STEP;
            let slope = near.gradient[joint];
            prop_assert!(slope.abs() <= clearance.levers()[joint] + 1e-9);
            if (up - down).abs() < 1e-3 {
                prop_assert!(
                    (0.5 * (up + down) - slope).abs() < 1e-3,
                    "{slope} {up} {down} {near:?}"
                );
                checked += 1;
            } else {
                let (low, high) = (up.min(down), up.max(down));
                prop_assert!(
                    slope > low - 0.02 && slope < high + 0.02,
                    "{slope} {up} {down} {near:?}"
                );
            }
        }
    }
    Ok(checked)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn gradients_are_the_limits_of_differences(seed in any::<u64>()) {
        let mut state = seed;
        let mut checked = 0;
        let arms = ARMS.get_or_init(Arms::made);
        checked += check(&arms.so101, &robots::draw(&robots::so101(), &mut state))?;
        checked += check(&arms.ur5e, &robots::draw(&robots::ur5e(), &mut state))?;
        checked += check(&arms.wild, &robots::draw(&robots::wild(), &mut state))?;
        checked += check(&arms.coupled, &robots::draw(&coupled(), &mut state))?;
        let random = robots::random::<6>(&mut state, &[2]);
        checked += check(&rods(&random, 0.01), &robots::draw(&random, &mut state))?;
        prop_assert!(checked > 100, "{checked}");
    }

    #[test]
    fn no_distance_changes_faster_than_the_levers_say(seed in any::<u64>()) {
        let mut state = seed;
        let model = robots::random::<6>(&mut state, &[3]);
        let clearance = rods(&model, 0.02);
        let (one, other) = (robots::draw(&model, &mut state), robots::draw(&model, &mut state));
        let most: f64 = (0..6).map(|i| clearance.levers()[i] * (one[i] - other[i]).abs()).sum();
        let (there, here) = (all(&clearance, &other), all(&clearance, &one));
        for (a, b) in here.iter().zip(&there) {
            prop_assert!((a.distance - b.distance).abs() <= most + 1e-9);
        }
    }
}

#[test]
fn what_is_chosen_is_the_same_each_time_and_all_of_the_rest_is_accounted_for() {
    let (one, other) = (so101(), so101());
    assert_eq!(one, other);
    let text = include_str!("../../urdf/so101.urdf");
    let shapes = Shapes::read("so101.urdf", text, "base", "gripper_frame", &|_| None).unwrap();
    let capsules = shapes.capsules();
    for (a, (one_body, _)) in capsules.iter().enumerate() {
        for (b, (other_body, _)) in capsules.iter().enumerate().skip(a + 1) {
            let pair = Pair::Links(a, b);
            let watched = one.pairs().contains(&pair);
            let out = one.left_out().iter().any(|left| left.pair == pair);
            assert_eq!(watched || out, one_body != other_body, "{pair:?}");
            assert!(!watched || one_body.abs_diff(*other_body) > 1);
        }
    }
    let gripper_on_base = one.pairs().iter().any(|pair| match pair {
        Pair::Links(a, b) => capsules[*a].0 == 0 && capsules[*b].0 == 5,
        Pair::World(..) => false,
    });
    assert!(gripper_on_base);
}

#[test]
fn pairs_that_never_come_near_and_pairs_that_always_touch_are_left_out() {
    let model = robots::ur5e();
    let mut shapes = Shapes::default();
    let at = |x: f64, z: f64| Vector3::new(x, 0.0, z);
    // A ball over the base that nothing reaches, one that the shoulder holds, and one at the tool.
    shapes.add(0, Capsule::sphere(at(0.0, 3.0), 0.1));
    shapes.add(0, Capsule::sphere(at(0.0, 0.2), 0.2));
    shapes.add(2, Capsule::sphere(at(0.0, 0.2), 0.1));
    let tool = model.chain.pose(&[0.0; 6]).translation;
    shapes.add(6, Capsule::sphere(tool, 0.05));
    let clearance = Clearance::new(&model, &shapes, &[], 0.05).unwrap();
    assert_eq!(clearance.pairs(), [Pair::Links(1, 3), Pair::Links(2, 3)]);
    let why = |pair: Pair| {
        let left = clearance.left_out().iter().find(|left| left.pair == pair);
        left.map(|left: &LeftOut| left.reason)
    };
    assert!(matches!(why(Pair::Links(0, 3)), Some(Reason::Apart(least)) if least > 1.5));
    assert_eq!(why(Pair::Links(1, 2)), Some(Reason::Neighbours));
    let mut held = shapes.clone();
    held.add(3, Capsule::sphere(at(0.0, 0.2), 0.9));
    let clearance = Clearance::new(&model, &held, &[], 0.05).unwrap();
    let touching = clearance.left_out().iter();
    let touching = touching.filter(|left| matches!(left.reason, Reason::Touching(_)));
    assert!(touching.count() > 0);
}

#[test]
fn a_near_miss_between_the_points_that_are_tried_is_found() {
    // A small ball in the way of a small ball on a long arm.
    let model = robots::ur5e();
    let q = [0.4, -0.9, 0.7, -1.1, 0.3, 0.0];
    let there = model.chain.pose(&q).translation;
    let tool = model.chain.pose(&[0.0; 6]).translation;
    let mut shapes = Shapes::default();
    shapes.add(0, Capsule::sphere(there, 0.001));
    shapes.add(6, Capsule::sphere(tool, 0.001));
    let clearance = Clearance::new(&model, &shapes, &[], 0.0).unwrap();
    assert_eq!(clearance.pairs().len(), 1);
    assert!(clearance.least(&q).unwrap().distance < 0.0);
}

#[test]
fn a_plane_and_a_box_are_as_far_as_they_are() {
    let model = robots::ur5e();
    let tool = model.chain.pose(&[0.0; 6]).translation;
    let mut shapes = Shapes::default();
    shapes.add(6, Capsule::sphere(tool, 0.05));
    let up = Vector3::z();
    let around = [
        Obstacle::Plane {
            point: Vector3::zeros(),
            normal: up,
        },
        Obstacle::Box {
            frame: Frame::IDENTITY,
            half: Vector3::new(0.1, 0.2, 0.3),
        },
    ];
    let clearance = Clearance::new(&model, &shapes, &around, 5.0).unwrap();
    let q = [0.3, -1.0, 0.8, -0.5, 0.4, 0.0];
    let tool = model.chain.pose(&q).translation;
    let found = all(&clearance, &q);
    assert!((found[0].distance - (tool.z - 0.05)).abs() < 1e-9);
    let over = (tool.abs() - Vector3::new(0.1, 0.2, 0.3)).map(|it| it.max(0.0));
    assert!((found[1].distance - (over.norm() - 0.05)).abs() < 1e-9);
}

#[test]
fn every_error_names_what_is_wrong() {
    let model = robots::ur5e();
    let of = |body, capsule| {
        let mut shapes = Shapes::default();
        shapes.add(body, capsule);
        Clearance::new(&model, &shapes, &[], 0.1)
    };
    let ball = Capsule::sphere(Vector3::zeros(), 0.1);
    let error = of(7, ball).unwrap_err();
    assert!(matches!(
        error,
        ClearanceError::Body {
            body: 7,
            last: 6,
            ..
        }
    ));
    for (number, radius) in [
        (f64::NAN, 0.1),
        (f64::INFINITY, 0.1),
        (0.0, -0.1),
        (0.0, f64::NAN),
    ] {
        let wrong = Capsule::sphere(Vector3::new(0.0, number, 0.0), radius);
        let error = of(3, wrong).unwrap_err();
        assert_eq!(
            error,
            ClearanceError::Capsule {
                capsule: 0,
                body: 3
            }
        );
        assert!(error.to_string().contains("capsule 0 of body 3"));
    }
    let mut many = Shapes::default();
    for _ in 0..60 {
        many.add(1, ball);
    }
    let error = Clearance::new(&model, &many, &[], 0.1).unwrap_err();
    assert!(error.to_string().contains("60"), "{error}");
    for nearest in [f64::NAN, -0.1, f64::INFINITY] {
        let error = Clearance::new(&model, &Shapes::default(), &[], nearest).unwrap_err();
        assert!(matches!(error, ClearanceError::Distance { .. }));
    }
    let sound = obstacles();
    for number in [f64::NAN, f64::INFINITY, 0.0] {
        let wrong = Obstacle::Plane {
            point: Vector3::zeros(),
            normal: Vector3::new(0.0, 0.0, number),
        };
        let world = [sound[0], wrong];
        let error = Clearance::new(&model, &Shapes::default(), &world, 0.1).unwrap_err();
        assert_eq!(error, ClearanceError::Obstacle { obstacle: 1 });
        let wrong = Obstacle::Box {
            frame: Frame::IDENTITY,
            half: Vector3::new(0.1, number, 0.1),
        };
        let world = [wrong, sound[0]];
        let error = Clearance::new(&model, &Shapes::default(), &world, 0.1).unwrap_err();
        assert_eq!(error, ClearanceError::Obstacle { obstacle: 0 });
        assert!(error.to_string().contains("obstacle 0"));
    }
}
