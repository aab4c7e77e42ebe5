//! Paths of the tool: kept to, slowed down along, given up.

use nalgebra::{UnitQuaternion, Vector3};
use surehand_kinematics::Frame;

use super::*;
use crate::arm::{ArmModel, Space};
use crate::control::Clearance;
use crate::control::testing::so101_with;
use crate::messages::{Plan, ToolPose};

/// A pose waypoint.
fn waypoint(pose: &Frame) -> ToolPose {
    let turn = UnitQuaternion::from_matrix(&pose.rotation);
    ToolPose {
        position: pose.translation.into(),
        quaternion: turn.coords.into(),
        gripper: 0.2,
    }
}

fn tool(rig: &Rig) -> Frame {
    rig.core.config().model.forward(&rig.command()).tool
}

/// From where the tool is along `way`, smoothly, in `secs`, and a second of standing; it
/// begins when the cross-fade is over.
fn straight(rig: &mut Rig, way: Vector3<f64>, secs: f64) -> Plan {
    let from = tool(rig);
    let step_ms = 20;
    let steps = secs / (f64::from(step_ms) * 1e-3);
    let points = (0..(steps as u32 + 50)).map(|index| {
        let share = (f64::from(index) / steps).min(1.0);
        let share = share * share * (3.0 - 2.0 * share);
        waypoint(&Frame {
            translation: from.translation + way * share,
            ..from
        })
    });
    let plan = rig.plan_of(Waypoints::Pose(points.collect()), step_ms);
    Plan {
        start: rig.now.offset_secs(0.12),
        ..plan
    }
}

/// How far the tool is from the straight line through `from` along `way`, metres.
fn beside(rig: &Rig, from: &Frame, way: &Vector3<f64>) -> f64 {
    let off = tool(rig).translation - from.translation;
    (off - way * (off.dot(way) / way.norm_squared())).norm()
}

/// Follows `plan` to its end; the most the tool is beside the line, and the last step.
fn followed(rig: &mut Rig, plan: Plan, from: &Frame, way: &Vector3<f64>) -> (f64, Mode) {
    let end = plan.end();
    rig.plan = Some(plan);
    let mut most = 0.0_f64;
    let mut mode = Mode::Running;
    while MonoTime(rig.now.0 + PERIOD_NS) <= end && mode == Mode::Running {
        let step = rig.tick();
        assert_eq!(step.refused, None);
        mode = step.mode;
        most = most.max(beside(rig, from, way));
    }
    (most, mode)
}

#[test]
fn a_plan_of_poses_is_followed_to_its_end() {
    let mut rig = Rig::started();
    let (from, way) = (tool(&rig), Vector3::new(0.0, 0.08, 0.03));
    let plan = straight(&mut rig, way, 1.0);
    let (most, mode) = followed(&mut rig, plan, &from, &way);
    assert_eq!(mode, Mode::Running);
    assert!(most < 2e-4, "{most} m beside the line");
    let left = (tool(&rig).translation - from.translation - way).norm();
    assert!(left < 1e-4, "{left} m from its end");
    let gripper = rig.command().get(5).unwrap().0;
    assert!((gripper - 0.2).abs() < 1e-3, "{gripper}");
    let lag = rig.core.lag();
    assert!(lag.now.unwrap() < 0.02, "{lag:?}");
}

#[test]
fn a_path_too_fast_for_the_joints_is_kept_to_and_the_lag_is_counted() {
    let mut rig = Rig::started();
    let (from, way) = (tool(&rig), Vector3::new(0.0, 0.2, 0.0));
    let plan = straight(&mut rig, way, 0.16);
    let (most, mode) = followed(&mut rig, plan, &from, &way);
    assert_eq!(mode, Mode::Running);
    assert!(most < 1e-3, "{most} m beside the line");
    let left = (tool(&rig).translation - from.translation - way).norm();
    assert!(left < 1e-3, "{left} m from its end");
    let lag = rig.core.lag();
    assert!(lag.most > 0.03 && lag.slowed > 5, "{lag:?}");
}

#[test]
fn an_arm_that_falls_too_far_behind_stops_and_says_so() {
    let mut rig = Rig::with(|config| config.plans.max_lag = std::time::Duration::from_millis(20));
    rig.start();
    let plan = straight(&mut rig, Vector3::new(0.0, 0.2, 0.0), 0.16);
    rig.plan = Some(plan);
    let step = rig.until_stopped();
    assert!(
        matches!(step.cause, Some(Cause::FellBehind { lag_ms: 20..40 })),
        "{:?}",
        step.cause
    );
    assert_eq!(rig.core.lag().now, None, "the follower is empty");
}

#[test]
fn a_command_that_is_held_back_keeps_to_the_path() {
    let mut rig = Rig::with(|config| {
        let space = Space {
            tool_speed: Some(0.05),
            ..Space::default()
        };
        config.clearance = Clearance::new(&config.model, space);
        config.plans.max_lag = std::time::Duration::from_secs(5);
    });
    rig.start();
    let (from, way) = (tool(&rig), Vector3::new(0.0, 0.035, 0.02));
    let plan = straight(&mut rig, way, 0.3);
    let (most, mode) = followed(&mut rig, plan, &from, &way);
    assert_eq!(mode, Mode::Running);
    assert!(most < 2e-3, "{most} m beside the line");
    assert!(rig.core.lag().most > 0.2, "{:?}", rig.core.lag());
}

#[test]
fn a_path_that_leads_out_of_reach_between_waypoints_ends_in_a_hold_within_the_limits() {
    let mut rig = Rig::started();
    // Both ends are within reach, on either side of the base; the way between leads through it.
    let from = tool(&rig);
    let points = [0.0, 0.0, 1.0, 1.0].map(|share: f64| {
        let mut pose = from;
        pose.translation.x -= 0.08 * share;
        waypoint(&pose)
    });
    rig.plan = Some(rig.plan_of(Waypoints::Pose(points.into_iter().collect()), 700));
    for _ in 0..600 {
        let step = rig.tick();
        let limits = *rig.core.config().model.limits();
        for (at, limits) in rig.command().iter().zip(&limits) {
            assert!(*at >= limits.lower && *at <= limits.upper);
        }
        if step.mode == Mode::Stopped {
            return;
        }
    }
    panic!("it neither ends nor stops");
}

/// Outward by `reach` and back again, with tilt and roll as they are.
fn out_and_back(rig: &mut Rig, reach: f64) -> Plan {
    let from = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command()).unwrap();
    let points = (0..=100).map(|index| {
        let share = (1.0 - (std::f64::consts::TAU * f64::from(index) / 100.0).cos()) / 2.0;
        let [x, y, z] = from.position;
        ToolSetpoint {
            position: [x + reach * share, y, z],
            ..from
        }
    });
    rig.plan_of(Waypoints::Tool(points.collect()), 30)
}

#[test]
fn at_the_edge_of_reach_the_arm_slows_down_and_stays_beside_its_path() {
    let admitted = |centimetres: &i32| {
        let mut rig = Rig::started();
        let plan = out_and_back(&mut rig, 0.01 * f64::from(*centimetres));
        rig.plan = Some(plan);
        rig.tick().refused.is_none()
    };
    let farthest = (5..40).take_while(admitted).last().unwrap();
    let mut rig = Rig::with(|config| config.plans.max_lag = std::time::Duration::from_secs(5));
    rig.start();
    let start = tool(&rig);
    let plan = out_and_back(&mut rig, 0.01 * f64::from(farthest));
    let end = plan.end();
    rig.plan = Some(plan);
    let limits = *rig.core.config().model.limits();
    let (mut before, mut aside) = (rig.command(), 0.0_f64);
    while MonoTime(rig.now.0 + PERIOD_NS) <= end {
        let step = rig.tick();
        assert_eq!(step.mode, Mode::Running, "{:?}", step.cause);
        let now = rig.command();
        for ((now, before), limits) in now.iter().zip(&before).zip(&limits) {
            assert!(*now >= limits.lower && *now <= limits.upper);
            assert!((now.0 - before.0).abs() <= limits.velocity.0 * 0.005 + 1e-9);
        }
        before = now;
        let off = tool(&rig).translation - start.translation;
        aside = aside.max(off.yz().norm());
    }
    assert!(rig.core.lag().most > 0.1, "{:?}", rig.core.lag());
    // A waypoint may be missed by 20 mm.
    assert!(aside < 0.025, "{aside} m aside");
}

#[test]
fn a_turn_that_is_none_is_refused() {
    let mut rig = Rig::started();
    let mut plan = straight(&mut rig, Vector3::new(0.0, 0.05, 0.0), 0.5);
    if let Waypoints::Pose(points) = &mut plan.waypoints {
        points[7].quaternion = [0.0, 0.0, 0.0, 1.1];
    }
    rig.plan = Some(plan);
    let refused = rig.tick().refused.unwrap().1;
    assert_eq!(refused, Refusal::NotATurn { waypoint: 7 });
}

#[test]
fn a_pose_out_of_reach_is_refused_whole() {
    let mut rig = Rig::started();
    let plan = straight(&mut rig, Vector3::new(0.6, 0.0, 0.0), 1.5);
    let before = rig.command();
    rig.plan = Some(plan);
    let refused = rig.tick().refused.unwrap().1;
    assert!(
        matches!(refused, Refusal::Unreachable { .. }),
        "{refused:?}"
    );
    assert_eq!(rig.command(), before);
}

/// The SO-101 from its shoulder on: four joints, and the first does not turn about the vertical.
fn lying() -> ArmModel {
    let names = [
        "shoulder_lift",
        "elbow_flex",
        "wrist_flex",
        "wrist_roll",
        "gripper",
    ];
    so101_with("shoulder", &names)
}

#[test]
fn an_arm_whose_first_joint_is_not_upright_takes_poses_but_no_tilt() {
    let model = lying();
    assert!(model.plane().is_none());
    let mut rig = Rig::with(|config| config.model = model);
    rig.positions = [-0.4, 0.5, 1.2, 1.5, 0.2].into_iter().collect();
    rig.start();
    let tilted = std::iter::repeat_n(ToolSetpoint::default(), 5).collect();
    rig.plan = Some(rig.plan_of(Waypoints::Tool(tilted), 100));
    assert_eq!(rig.tick().refused.unwrap().1, Refusal::NoTilt);
    // Within the plane that it moves in: in and up, as the tool is turned.
    let from = tool(&rig);
    let normal = rig.core.config().model.forward(&rig.command());
    let normal = *normal.axes().next().unwrap().0;
    let way = from.rotation.column(2).cross(&normal) * 0.04;
    let plan = straight(&mut rig, way, 0.8);
    let (most, mode) = followed(&mut rig, plan, &from, &way);
    assert_eq!(mode, Mode::Running);
    assert!(most < 1e-3, "{most} m beside the line");
    let left = (tool(&rig).translation - from.translation - way).norm();
    assert!(left < 1e-3, "{left} m from its end");
}
