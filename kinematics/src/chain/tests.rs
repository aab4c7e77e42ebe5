#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::description::Description;

/// Seven joints of every kind, fixed ones between them, and axes in any direction.
const WILD: &str = include_str!("../../tests/wild.urdf");

fn wild() -> Chain<7> {
    Description::read("wild.urdf", WILD, "base", "tip")
        .unwrap()
        .model()
        .unwrap()
        .chain
}

/// The same joints as `k` sees them.
fn reference(q: &[f64; 7]) -> (Frame, Vec<f64>) {
    let robot = urdf_rs::read_from_string(WILD).unwrap();
    let tree = k::Chain::<f64>::from(&robot);
    let arm = k::SerialChain::from_end(tree.find_link("tip").unwrap());
    arm.set_joint_positions_unchecked(q);
    let pose = arm.end_transform();
    let columns: [[f64; 3]; 3] = (*pose.rotation.to_rotation_matrix().matrix()).into();
    let translation: [f64; 3] = pose.translation.vector.into();
    let frame = Frame {
        rotation: Matrix3::from(columns),
        translation: Vector3::from(translation),
    };
    (frame, k::jacobian(&arm).as_slice().to_vec())
}

proptest! {
    #[test]
    fn pose_and_jacobian_are_those_of_k(q in prop::array::uniform7(-7.0..7.0f64)) {
        let ours = wild().linearise(&q);
        let (frame, jacobian) = reference(&q);
        prop_assert!((ours.tool.rotation - frame.rotation).amax() < 1e-12);
        prop_assert!((ours.tool.translation - frame.translation).amax() < 1e-12);
        for (ours, theirs) in ours.jacobian.as_slice().iter().zip(&jacobian) {
            prop_assert!((ours - theirs).abs() < 1e-12, "{} {}", ours, theirs);
        }
    }

    #[test]
    fn the_jacobian_is_the_derivative_of_the_pose(q in prop::array::uniform7(-3.0..3.0f64)) {
        const STEP: f64 = 1e-6;
        let chain = wild();
        let jacobian = chain.linearise(&q).jacobian;
        for joint in 0..7 {
            let (mut before, mut after) = (q, q);
            before[joint] -= STEP;
            after[joint] += STEP;
            let way = chain.pose(&before).way_to(&chain.pose(&after)) / (2.0 * STEP);
            prop_assert!((way - jacobian.column(joint)).amax() < 1e-8);
        }
    }

    #[test]
    fn a_joint_that_follows_moves_with_its_leader(q in prop::array::uniform2(-2.0..2.0f64)) {
        let plain = wild();
        let joint = |axis| Joint {
            origin: Frame { translation: Vector3::new(0.1, 0.0, 0.2), ..Frame::IDENTITY },
            axis,
            motion: Motion::Turning,
        };
        let (a, b) = (joint(Vector3::y_axis()), joint(Vector3::x_axis()));
        let own = |variable| Driver { variable, multiplier: 1.0, offset: 0.0 };
        let follows = Driver { variable: 0, multiplier: -0.5, offset: 0.3 };
        let tip = plain.tip;
        let coupled = Chain::<2>::coupled(&[(a, own(0)), (b, own(1)), (a, follows)], tip).unwrap();
        let free = Chain::<3>::new(&[a, b, a], tip);
        let all = [q[0], q[1], 0.3 - 0.5 * q[0]];
        let (coupled, free) = (coupled.linearise(&q), free.linearise(&all));
        prop_assert!(coupled.tool.way_to(&free.tool).amax() < 1e-12);
        let first = free.jacobian.column(0) - free.jacobian.column(2) * 0.5;
        prop_assert!((coupled.jacobian.column(0) - first).amax() < 1e-12);
        prop_assert!((coupled.jacobian.column(1) - free.jacobian.column(1)).amax() < 1e-12);
    }
}

#[test]
fn a_driver_of_nothing_makes_no_chain() {
    let joint = Joint {
        origin: Frame::IDENTITY,
        axis: Vector3::z_axis(),
        motion: Motion::Turning,
    };
    let driver = |variable| Driver {
        variable,
        multiplier: 1.0,
        offset: 0.0,
    };
    let tip = Frame::IDENTITY;
    assert!(Chain::<1>::coupled(&[], tip).is_none());
    assert!(Chain::<1>::coupled(&[(joint, driver(1))], tip).is_none());
    assert!(Chain::<2>::coupled(&[(joint, driver(0))], tip).is_none());
    assert!(Chain::<1>::coupled(&[(joint, driver(0)); 9], tip).is_none());
}
