//! The global solve on arms of five to seven joints: everything that is reachable, what is answered
//! where it is not, and nonsense.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../robots/mod.rs"]
mod robots;

use std::f64::consts::{PI, TAU};

use nalgebra::{Rotation3, Vector3};
use proptest::prelude::*;
use surehand_kinematics::{
    Axes, Bound, Chain, Driver, Frame, InputError, Joint, Limits, Model, Motion, Options, Residual,
    SetupError, Solver, Task, Unreached,
};

fn solver<const N: usize>(model: &Model<N>, task: Task) -> Solver<N> {
    Solver::new(model, task, Options::default()).unwrap()
}

/// Solves the poses of `problems` draws and holds every answer against the target.
fn solves_all<const N: usize>(model: &Model<N>, problems: u32, options: Options) {
    let solver = Solver::new(model, Task::Pose, options).unwrap();
    let mut state = 2026;
    for problem in 0..problems {
        let joints = robots::draw(model, &mut state);
        let target = model.chain.pose(&joints);
        let answer = solver.solve(&target, None).unwrap();
        assert_eq!(answer.unreached, None, "problem {problem}: {joints:?}");
        assert!(model.limits.hold(&answer.joints, 0.0));
        let way = model.chain.pose(&answer.joints).way_to(&target);
        assert!(way.fixed_rows::<3>(0).norm() <= 1e-5);
        assert!(way.fixed_rows::<3>(3).norm() <= 1e-4);
        assert!(answer.iterations <= options.evaluations);
    }
}

#[test]
fn every_reachable_pose_is_solved_inside_the_limits() {
    let options = Options::default();
    solves_all(&robots::so101(), 3000, options);
    solves_all(&robots::ur5e(), 3000, options);
    solves_all(&robots::xarm6(), 3000, options);
    solves_all(&robots::panda(), 3000, options);
    solves_all(&robots::iiwa(), 3000, options);
    solves_all(&robots::wild(), 3000, options);
}

/// What is drawn from these states was not found within the evaluations once: Panda's elbow is
/// stretched there to the fold, or a joint at its limit leaves a short piece of what a pose allows.
const HARD_FOR_PANDA: [u64; 27] = [
    0x81d0_7a6a_7f7f_3d82,
    0x3d29_b0f3_20e0_3752,
    0x1997_c3a6_695c_ecca,
    0x3d71_4bd9_e6a7_fc2c,
    0x0fe0_5e9f_767c_1e5b,
    0xdec7_f679_8053_3dfc,
    0x35a6_464a_a188_fcb4,
    0x238f_2dcf_0681_cbf8,
    0x750f_bf4a_1448_9f4f,
    0xf8c5_06d8_eb4b_89df,
    0x7fa4_7bf3_d1fe_8285,
    0x89e0_2326_dc39_94a0,
    0xe6ec_afde_209d_2058,
    0x299e_aa0c_4bd6_1072,
    0x72ec_9a39_5c36_e12d,
    0xd172_206d_7d04_f3d7,
    0xdbe0_bee5_3e88_87e1,
    0x40ee_6e10_dada_3849,
    0x6009_37a4_aefd_5f98,
    0xadf3_fcb6_69e0_599b,
    0xde6a_03d7_d7cb_128d,
    0xabfc_a62b_82a3_b205,
    0xba85_1afc_b13a_74d0,
    0x635b_6562_3c7b_1763,
    0xc8d2_2c29_682a_0189,
    0x0712_1122_17af_f16a,
    0x16ae_9fbd_5626_24c6,
];

/// The same for arms of six joints drawn at random: the state that the arm is drawn from, and that of
/// its joints. A solution lies close to a fold, or to where two of them meet.
const HARD_FOR_SIX: [(u64, u64); 12] = [
    (0x0a1a_7fe8_b7ad_718d, 0x9746_e98e_1e4d_bd03),
    (0x50a3_f344_6def_da15, 0x5202_7298_6c41_6ebb),
    (0x50a3_f344_6def_da15, 0x8bd8_2486_b185_e3b7),
    (0x1220_26ab_c85b_8a6e, 0xc71e_a160_cbd5_897e),
    (0x1220_26ab_c85b_8a6e, 0xd5a0_e4ad_f7f6_58d2),
    (0xd39c_5a13_22c7_3ac7, 0xcad4_39d7_d953_463f),
    (0xa738_b426_458e_745f, 0x21b0_57d1_bdba_4709),
    (0xa738_b426_458e_745f, 0x1c02_7a99_661c_6d7f),
    (0x68b4_e78d_9ffa_24b8, 0x557c_a76b_0217_f572),
    (0x66a0_0e67_f8fa_cd3b, 0xfa55_4bd9_c92e_5d93),
    (0x648b_3542_51fb_75be, 0x84b2_450c_617a_fb32),
    (0xb52f_2886_bfeb_4ea4, 0x96a6_12fd_aa14_3f1a),
];

/// The joints drawn from `state` are found again by where they put the tool.
fn solves<const N: usize>(model: &Model<N>, solver: &Solver<N>, state: u64) {
    let mut drawn = state;
    let joints = robots::draw(model, &mut drawn);
    let target = model.chain.pose(&joints);
    let answer = solver.solve(&target, None).unwrap();
    assert_eq!(answer.unreached, None, "{state:#x}: {joints:?}, {answer:?}");
    assert!(model.limits.hold(&answer.joints, 0.0));
}

#[test]
fn poses_at_a_fold_and_in_the_corners_of_the_limits_are_solved() {
    let model = robots::panda();
    let panda = solver(&model, Task::Pose);
    for state in HARD_FOR_PANDA {
        solves(&model, &panda, state);
    }
    for (arm, state) in HARD_FOR_SIX {
        let model = robots::random::<6>(&mut { arm }, &[]);
        solves(&model, &solver(&model, Task::Pose), state);
    }
}

/// Arms of `N` joints placed at random, of which `sliding` slide.
fn solves_random_arms<const N: usize>(sliding: &[usize]) {
    let mut state = 12;
    for _ in 0..8 {
        solves_all(
            &robots::random::<N>(&mut state, sliding),
            100,
            Options::default(),
        );
    }
}

#[test]
fn arms_drawn_at_random_are_solved_whatever_moves_where() {
    solves_random_arms::<1>(&[]);
    solves_random_arms::<2>(&[]);
    solves_random_arms::<3>(&[1]);
    solves_random_arms::<4>(&[]);
    solves_random_arms::<5>(&[4]);
    solves_random_arms::<6>(&[]);
    solves_random_arms::<6>(&[0, 1, 2]);
    solves_random_arms::<6>(&[5]);
    solves_random_arms::<7>(&[3]);
    solves_random_arms::<8>(&[0]);
}

#[test]
fn an_arm_with_a_joint_that_follows_another_is_solved() {
    let joint = |axis| Joint {
        origin: Frame {
            translation: Vector3::new(0.1, 0.05, 0.25),
            ..Frame::IDENTITY
        },
        axis,
        motion: Motion::Turning,
    };
    let driver = |variable, multiplier| Driver {
        variable,
        multiplier,
        offset: 0.0,
    };
    let (x, y, z) = (Vector3::x_axis(), Vector3::y_axis(), Vector3::z_axis());
    let joints = [
        (joint(z), driver(0, 1.0)),
        (joint(y), driver(1, 1.0)),
        (joint(y), driver(2, 1.0)),
        // Keeps what comes after it upright.
        (joint(y), driver(2, -1.0)),
        (joint(x), driver(3, 1.0)),
        (joint(z), driver(4, 1.0)),
    ];
    let model = Model {
        names: ["a", "b", "c", "d", "e"].map(str::to_owned),
        chain: Chain::<5>::coupled(&joints, Frame::IDENTITY).unwrap(),
        limits: Limits {
            lower: [-2.5; 5],
            upper: [2.5; 5],
            velocity: [1.0; 5],
        },
    };
    solves_all(&model, 500, Options::default());
}

#[test]
fn a_solver_without_starting_points_solves_too_given_more_evaluations() {
    let options = Options {
        starts: 0,
        evaluations: 4000,
        ..Options::default()
    };
    solves_all(&robots::so101(), 300, options);
    solves_all(&robots::ur5e(), 300, options);
    solves_all(&robots::panda(), 300, options);
}

#[test]
fn the_same_solver_answers_the_same_and_so_does_one_made_again() {
    let model = robots::panda();
    let (one, other) = (solver(&model, Task::Pose), solver(&model, Task::Pose));
    let mut state = 3;
    for _ in 0..200 {
        let mut target = model.chain.pose(&robots::draw(&model, &mut state));
        target.translation *= 1.1;
        let reference = robots::draw(&model, &mut state);
        let first = one.solve(&target, Some(&reference)).unwrap();
        assert_eq!(one.solve(&target, Some(&reference)).unwrap(), first);
        assert_eq!(other.solve(&target, Some(&reference)).unwrap(), first);
    }
}

#[test]
fn an_answer_near_the_reference_is_preferred_with_whole_turns() {
    let model = robots::ur5e();
    let solver = solver(&model, Task::Pose);
    let mut state = 4;
    let mut near = 0;
    for _ in 0..300 {
        let joints = robots::draw(&model, &mut state);
        let target = model.chain.pose(&joints);
        // A configuration of the same branch, some joints a turn away from their least position.
        let reference = joints.map(|joint| joint + 0.05 * (robots::uniform(&mut state) - 0.5));
        let answer = solver.solve(&target, Some(&reference)).unwrap();
        assert_eq!(answer.unreached, None);
        let far = (answer.joints.iter().zip(&reference))
            .map(|(joint, reference)| (joint - reference).abs())
            .fold(0.0, f64::max);
        near += u32::from(far < 0.1);
    }
    assert!(near >= 297, "{near} of 300");
}

#[test]
fn a_reference_a_turn_away_is_met_a_turn_away() {
    let model = robots::ur5e();
    let solver = solver(&model, Task::Pose);
    let joints = [0.3, -1.2, 1.4, -0.8, 1.1, 0.5];
    let target = model.chain.pose(&joints);
    let mut reference = joints;
    reference[0] -= TAU;
    reference[5] -= TAU;
    let answer = solver.solve(&target, Some(&reference)).unwrap();
    for (joint, reference) in answer.joints.iter().zip(&reference) {
        assert!((joint - reference).abs() < 1e-4, "{:?}", answer.joints);
    }
}

#[test]
fn a_position_alone_leaves_the_orientation_free() {
    let model = robots::so101();
    let solver = solver(&model, Task::Position);
    let mut state = 5;
    for _ in 0..1000 {
        let mut target = model.chain.pose(&robots::draw(&model, &mut state));
        target.rotation = Rotation3::from_euler_angles(0.3, 2.0, -1.0).into_inner();
        let answer = solver.solve(&target, None).unwrap();
        assert_eq!(answer.unreached, None);
        let tool = model.chain.pose(&answer.joints);
        assert!((tool.translation - target.translation).norm() <= 1e-5);
    }
}

#[test]
fn an_axis_is_brought_along_the_targets_and_the_turn_about_it_left_free() {
    let model = robots::ur5e();
    let axis = Vector3::y_axis();
    let solver = solver(&model, Task::PositionAndAxis { axis });
    let mut state = 6;
    for _ in 0..1000 {
        let reached = model.chain.pose(&robots::draw(&model, &mut state));
        let turn = Rotation3::from_axis_angle(&axis, TAU * robots::uniform(&mut state));
        let target = Frame {
            rotation: reached.rotation * turn.matrix(),
            ..reached
        };
        let answer = solver.solve(&target, None).unwrap();
        assert_eq!(answer.unreached, None);
        let tool = model.chain.pose(&answer.joints);
        assert!((tool.translation - target.translation).norm() <= 1e-5);
        let (now, then) = (tool.rotation * *axis, target.rotation * *axis);
        assert!(now.cross(&then).norm() <= 1e-4 && now.dot(&then) > 0.0);
    }
}

#[test]
fn a_row_without_weight_is_free_in_the_axes_it_is_given_in() {
    let model = robots::panda();
    for axes in [Axes::Base, Axes::Tool] {
        let task = Task::Weighted {
            linear: [1.0, 2.0, 0.0],
            angular: [0.5, 0.5, 1.0],
            axes,
        };
        let solver = solver(&model, task);
        let mut state = 7;
        for _ in 0..200 {
            let mut target = model.chain.pose(&robots::draw(&model, &mut state));
            // Farther than the arm reaches, in the direction that does not count.
            let away = match axes {
                Axes::Base => Vector3::z() * 3.0,
                Axes::Tool => target.rotation * Vector3::z() * 3.0,
            };
            target.translation += away;
            let answer = solver.solve(&target, None).unwrap();
            assert_eq!(answer.unreached, None);
            let off = model.chain.pose(&answer.joints).translation - target.translation;
            let off = match axes {
                Axes::Base => off,
                Axes::Tool => target.rotation.tr_mul(&off),
            };
            assert!(off.xy().norm() <= 1e-5);
        }
    }
}

#[test]
fn what_an_arm_can_do_of_a_pose_is_read_off_its_jacobian() {
    let exact = |answer: surehand_kinematics::Exact| (answer.translations, answer.rotations);
    let five = solver(&robots::so101(), Task::Pose).exact();
    assert_eq!(exact(five), (3, 2));
    assert_eq!(five.bound, Bound::Varying);
    assert!(!five.is_whole_pose());
    assert!(solver(&robots::ur5e(), Task::Pose).exact().is_whole_pose());
    assert!(solver(&robots::wild(), Task::Pose).exact().is_whole_pose());
}

#[test]
fn out_of_reach_the_arm_stretches_towards_the_target() {
    let model = robots::ur5e();
    let solver = solver(&model, Task::Position);
    for direction in [Vector3::x(), Vector3::new(-1.0, 2.0, 0.5), Vector3::z()] {
        let target = Frame {
            translation: direction.normalize() * 3.0,
            ..Frame::IDENTITY
        };
        let answer = solver.solve(&target, None).unwrap();
        assert_eq!(answer.unreached, Some(Unreached::OutOfReach));
        // The nearest point of the workspace, found by a search a hundred times as long.
        let long = Options {
            evaluations: 32_000,
            ..Options::default()
        };
        let long = Solver::new(&model, Task::Position, long).unwrap();
        let nearest = long.solve(&target, None).unwrap().residual.position;
        assert!(answer.residual.position < nearest + 1e-4);
    }
}

#[test]
fn an_orientation_that_five_joints_cannot_take_gives_way_to_the_position() {
    let model = robots::so101();
    let solver = solver(&model, Task::Pose);
    let long = Options {
        evaluations: 10_000,
        ..Options::default()
    };
    let long = Solver::new(&model, Task::Pose, long).unwrap();
    let mut state = 8;
    let (mut reached, mut as_near) = (0, 0);
    for _ in 0..200 {
        let mut target = model.chain.pose(&robots::draw(&model, &mut state));
        let turn = Rotation3::from_euler_angles(0.0, 0.0, 0.1 + 0.3 * robots::uniform(&mut state));
        target.rotation = turn.matrix() * target.rotation;
        let answer = solver.solve(&target, None).unwrap();
        assert!(answer.unreached.is_some());
        assert!(model.limits.hold(&answer.joints, 0.0));
        reached += u32::from(answer.residual.position < 1e-4);
        let nearest = long.solve(&target, None).unwrap().residual;
        as_near += u32::from(
            answer.residual.position < nearest.position + 1e-4
                && answer.residual.angle < nearest.angle + 1e-2,
        );
    }
    assert!(reached >= 190 && as_near >= 190, "{reached} {as_near}");
}

#[test]
fn limits_that_are_no_range_are_named() {
    for (lower, upper) in [(1.0, -1.0), (0.5, 0.5), (f64::NAN, 1.0), (0.0, f64::NAN)] {
        let mut model = robots::ur5e();
        model.limits.lower[2] = lower;
        model.limits.upper[2] = upper;
        let error = Solver::new(&model, Task::Pose, Options::default()).unwrap_err();
        assert!(matches!(
            error,
            SetupError::Limits {
                joint: 3,
                of: 6,
                ..
            }
        ));
        assert!(error.to_string().contains("joint 3"));
    }
}

#[test]
fn a_task_without_sense_and_a_tolerance_that_cannot_be_met_are_refused() {
    let model = robots::so101();
    let weighted = |linear| Task::Weighted {
        linear,
        angular: [0.0; 3],
        axes: Axes::Base,
    };
    for linear in [[0.0; 3], [-1.0, 1.0, 1.0], [f64::NAN, 1.0, 1.0]] {
        let error = Solver::new(&model, weighted(linear), Options::default()).unwrap_err();
        assert_eq!(error, SetupError::Task);
    }
    for position in [0.0, -1.0, f64::NAN] {
        let tolerance = Residual {
            position,
            angle: 1e-3,
        };
        let options = Options {
            tolerance,
            ..Options::default()
        };
        let refused = Solver::new(&model, Task::Pose, options);
        assert!(matches!(refused, Err(SetupError::Tolerance(_))));
    }
}

/// Numbers as they may come from outside.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -2.0..2.0f64,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), Just(1e300), Just(1e-300)],
        1 => any::<f64>(),
    ]
}

/// A target as it may come from outside, sound or not.
fn any_target() -> impl Strategy<Value = Frame> {
    let position = prop::array::uniform3(any_number());
    let angles = prop::array::uniform3(-PI..PI);
    (position, angles, any_number(), 0..4_u8).prop_map(|(position, [a, b, c], off, spoilt)| {
        let mut rotation = Rotation3::from_euler_angles(a, b, c).into_inner();
        if spoilt == 0 {
            rotation[(1, 2)] = off;
        }
        Frame {
            rotation,
            translation: position.into(),
        }
    })
}

/// Every task is answered inside the limits and the budget, or refused for a reason.
fn answers_or_refuses<const N: usize>(
    model: &Model<N>,
    target: &Frame,
    reference: &[f64; N],
) -> Result<(), TestCaseError> {
    let options = Options {
        starts: 500,
        ..Options::default()
    };
    let axis = Task::PositionAndAxis {
        axis: Vector3::x_axis(),
    };
    for task in [Task::Pose, Task::Position, axis] {
        let solver = Solver::new(model, task, options).unwrap();
        match solver.solve(target, Some(reference)) {
            Ok(answer) => {
                prop_assert!(target.is_sound());
                prop_assert!(model.limits.hold(&answer.joints, 0.0));
                prop_assert!(answer.iterations <= options.evaluations);
                prop_assert!(answer.residual.position >= 0.0 && answer.residual.angle >= 0.0);
            }
            Err(InputError::Target) => prop_assert!(!target.is_sound()),
            Err(InputError::Reference { joint }) => {
                prop_assert!(!reference[joint - 1].is_finite());
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_is_asked_is_answered_inside_the_limits_or_refused(
        target in any_target(),
        reference in prop::array::uniform7(any_number()),
    ) {
        let [a, b, c, d, e, f, _] = reference;
        answers_or_refuses(&robots::so101(), &target, &[a, b, c, d, e])?;
        answers_or_refuses(&robots::ur5e(), &target, &[a, b, c, d, e, f])?;
        answers_or_refuses(&robots::wild(), &target, &reference)?;
    }
}
