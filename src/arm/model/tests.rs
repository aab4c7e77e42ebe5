//! The arm model against `k`, against finite differences, and against wrong files.

use nalgebra::{Matrix3, Vector3};
use proptest::prelude::*;

use super::*;
use crate::so101;

const SO101: &str = include_str!("../../../urdf/so101.urdf");

fn spec() -> ArmSpec {
    ArmSpec {
        joints: so101::NAMES
            .into_iter()
            .map(|name| JointSpec {
                name: name.into(),
                velocity: RadPerSec(3.0),
                acceleration: RadPerSec2(15.0),
                jerk: RadPerSec3(1500.0),
                lower: None,
                upper: None,
            })
            .collect(),
        gripper: Some("gripper".into()),
        base_link: "base".into(),
        tool_link: "grasp_frame".into(),
    }
}

fn so101() -> ArmModel {
    ArmModel::parse("so101.urdf", SO101, &spec()).unwrap()
}

fn angles() -> impl Strategy<Value = JointVec<f64>> {
    let limits = so101().chain_limits();
    let ranges: Vec<_> = limits.iter().map(|l| l.lower.0..l.upper.0).collect();
    ranges.prop_map(|angles| angles.into_iter().collect())
}

proptest! {
    #[test]
    fn forward_kinematics_agree_with_k(angles in angles()) {
        let model = so101();
        let robot = urdf_rs::read_from_string(SO101).unwrap();
        let tree = k::Chain::<f64>::from(&robot);
        let chain = k::SerialChain::from_end(tree.find_link("grasp_frame").unwrap());
        chain.set_joint_positions_unchecked(angles.as_slice());
        let theirs = chain.end_transform();
        let ours = model.chain().forward(&angles).tool;
        let position: [f64; 3] = theirs.translation.vector.into();
        let rotation: [[f64; 3]; 3] = (*theirs.rotation.to_rotation_matrix().matrix()).into();
        prop_assert!((ours.translation - Vector3::from(position)).norm() < 1e-12);
        prop_assert!((ours.rotation - Matrix3::from(rotation)).norm() < 1e-12);
    }

    #[test]
    fn levers_about_the_axes_agree_with_finite_differences(angles in angles()) {
        let model = so101();
        let pose = model.chain().forward(&angles);
        let h = 1e-6;
        for (joint, (axis, origin)) in pose.axes().enumerate() {
            let at = |offset: f64| {
                let mut moved = angles;
                moved.as_mut_slice()[joint] += offset;
                model.chain().tool(&moved)
            };
            let (low, high) = (at(-h), at(h));
            let linear = (high.translation - low.translation) / (2.0 * h);
            let lever = axis.cross(&(pose.tool.translation - origin));
            prop_assert!((linear - lever).norm() < 1e-8);
        }
    }

    #[test]
    fn position_tilt_and_roll_are_the_whole_pose_of_this_arm(angles in angles()) {
        let model = so101();
        let joints = model.with_chain(&JointVec::repeat(Rad(0.0), 6), &angles);
        let tool = crate::arm::tool::tool_of(&model, &joints).unwrap();
        let back = crate::arm::tool::reaches_back(&model, &joints);
        let pose = crate::arm::tool::pose_of(&model, &tool, back).unwrap();
        let way = model.chain().tool(&angles).way_to(&pose);
        prop_assert!(way.fixed_rows::<3>(0).norm() < 1e-12);
        let turn = way.fixed_rows::<3>(3).norm();
        let pan = model.plane().unwrap().pan_origin;
        let far = (pose.translation - pan).xy().norm();
        prop_assert!(turn < 1e-3 || far < 0.01, "{turn} rad at {far} m");
    }
}

#[test]
fn the_arm_turns_in_its_plane() {
    let model = so101();
    let plane = model.plane().unwrap();
    assert!((plane.up - Vector3::z()).norm() < 1e-5);
    assert!((plane.outward(0.0) - Vector3::x()).norm() < 1e-5);
    // The pan axis points down: a positive angle turns clockwise seen from above.
    assert!((plane.outward(0.5) - Vector3::new(0.5f64.cos(), -(0.5f64.sin()), 0.0)).norm() < 1e-4);
    assert_eq!(model.gripper(), Some(5));
    assert_eq!(model.chain_joints().as_slice(), [0, 1, 2, 3, 4]);
}

fn refused(text: &str, change: impl FnOnce(&mut ArmSpec)) -> String {
    let mut spec = spec();
    change(&mut spec);
    let error = ArmModel::parse("arm.urdf", text, &spec)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("arm.urdf: "), "{error}");
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn a_missing_joint_is_named() {
    let error = refused(SO101, |spec| spec.joints[2].name = "elbow".into());
    assert!(
        error.contains("no joint `elbow`") && error.contains("elbow_flex"),
        "{error}"
    );
}

#[test]
fn a_joint_without_limits_is_named() {
    let text = SO101.replacen(r#"lower="-1.69" upper="1.69""#, "", 1);
    let error = refused(&text, |_| {});
    assert!(error.contains("`elbow_flex` has no limits"), "{error}");
}

#[test]
fn a_joint_with_the_wrong_parent_is_named() {
    let text = SO101.replacen(
        "<joint name=\"wrist_roll\" type=\"revolute\">\n    <parent link=\"wrist\"/>",
        "<joint name=\"wrist_roll\" type=\"revolute\">\n    <parent link=\"lower_arm\"/>",
        1,
    );
    assert_ne!(text, SO101);
    let error = refused(&text, |_| {});
    assert!(
        error.contains("`wrist_flex` neither moves the tool"),
        "{error}"
    );
}

#[test]
fn an_unknown_tool_link_is_named() {
    let error = refused(SO101, |spec| spec.tool_link = "hand".into());
    assert!(
        error.contains("no link `hand`") && error.contains("grasp_frame"),
        "{error}"
    );
}

#[test]
fn a_tool_that_does_not_hang_from_the_base_is_refused() {
    let error = refused(SO101, |spec| spec.base_link = "moving_jaw".into());
    assert!(error.contains("does not hang from"), "{error}");
}

#[test]
fn an_undriven_joint_in_the_chain_is_named() {
    let error = refused(SO101, |spec| {
        spec.joints.remove(3);
    });
    assert!(
        error.contains("`wrist_flex` moves the tool but no servo"),
        "{error}"
    );
}

#[test]
fn joints_out_of_order_are_named() {
    let error = refused(SO101, |spec| spec.joints.swap(1, 2));
    assert!(error.contains("comes after joints it carries"), "{error}");
}

#[test]
fn a_limit_that_leaves_no_range_is_named() {
    let error = refused(SO101, |spec| spec.joints[0].lower = Some(Rad(2.0)));
    assert!(error.contains("`shoulder_pan` is left no range"), "{error}");
}

#[test]
fn the_cell_can_narrow_limits_but_not_widen_them() {
    let mut spec = spec();
    spec.joints[0].lower = Some(Rad(-1.0));
    spec.joints[0].upper = Some(Rad(9.0));
    let model = ArmModel::parse("so101.urdf", SO101, &spec).unwrap();
    let limits = model.limits().get(0).unwrap();
    assert_eq!((limits.lower, limits.upper), (Rad(-1.0), Rad(1.91986)));
}

#[test]
fn a_mimic_of_nothing_is_an_error_and_no_panic() {
    let text = SO101.replacen(
        "<joint name=\"gripper\" type=\"revolute\">",
        "<joint name=\"gripper\" type=\"revolute\"><mimic joint=\"thumb\"/>",
        1,
    );
    let error = refused(&text, |_| {});
    assert!(error.contains("`gripper` mimics `thumb`"), "{error}");
}

#[test]
fn text_that_is_no_urdf_is_one_line() {
    refused("<robot", |_| {});
    refused("", |_| {});
}
