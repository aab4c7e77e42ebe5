//! Arms of six, seven and eight joints: led as any other.

use nalgebra::{UnitQuaternion, Vector3, Vector6};
use surehand_kinematics::Frame;

use super::*;
use crate::control::Clearance;
use crate::control::testing::arms::{Arm, on_a_column, panda, ur5e};
use crate::messages::{Plan, ToolPose};

fn all() -> [Arm; 3] {
    [ur5e(), panda(), on_a_column()]
}

fn tool(rig: &Rig) -> Frame {
    rig.core.config().model.forward(&rig.command()).tool
}

fn waypoint(pose: &Frame) -> ToolPose {
    ToolPose {
        position: pose.translation.into(),
        quaternion: UnitQuaternion::from_matrix(&pose.rotation).coords.into(),
        gripper: 0.0,
    }
}

/// `from` shifted along `way` and turned about its own z axis, by a share of both.
fn moved(from: &Frame, way: &Vector3<f64>, turn: f64, share: f64) -> Frame {
    let turned = nalgebra::Rotation3::from_axis_angle(&Vector3::z_axis(), turn * share);
    Frame {
        translation: from.translation + way * share,
        rotation: from.rotation * turned.into_inner(),
    }
}

/// From where the tool is along `way` with a turn, smoothly, in `secs`, and half a second of
/// standing.
fn straight(rig: &mut Rig, way: &Vector3<f64>, turn: f64, secs: f64) -> Plan {
    let from = tool(rig);
    let step_ms = 40;
    let steps = secs / (f64::from(step_ms) * 1e-3);
    let points = (0..(steps as u32 + 12)).map(|index| {
        let share = (f64::from(index) / steps).min(1.0);
        let share = share * share * (3.0 - 2.0 * share);
        waypoint(&moved(&from, way, turn, share))
    });
    let plan = rig.plan_of(Waypoints::Pose(points.collect()), step_ms);
    Plan {
        start: rig.now.offset_secs(0.12),
        ..plan
    }
}

/// What became of a plan.
#[derive(Debug)]
struct Followed {
    mode: Mode,
    cause: Option<Cause>,
    /// The most that the tool was off its line, metres, and off the turn that is due there, radians.
    beside: (f64, f64),
    /// The same off the line's end, at the end.
    left: (f64, f64),
    /// The most that it was late, seconds.
    lag: f64,
}

/// Follows `plan` along `way` and `turn`, and holds every command to the joints' limits.
fn follow(rig: &mut Rig, plan: Plan, way: &Vector3<f64>, turn: f64) -> Followed {
    let model = rig.core.config().model.clone();
    let (from, end) = (tool(rig), plan.end());
    rig.plan = Some(plan);
    let (mut mode, mut cause) = (Mode::Running, None);
    let mut beside = (0.0_f64, 0.0_f64);
    let (mut before, mut speeds) = (rig.command(), rig.command().map(|_| 0.0));
    let apart = |one: &Frame, other: &Frame| -> (f64, f64) {
        let way: Vector6<f64> = one.way_to(other);
        (way.fixed_rows::<3>(0).norm(), way.fixed_rows::<3>(3).norm())
    };
    while MonoTime(rig.now.0 + PERIOD_NS) <= end && mode == Mode::Running {
        let step = rig.tick();
        assert_eq!(step.refused, None);
        (mode, cause) = (step.mode, step.cause);
        let now = rig.command();
        let secs = PERIOD_NS as f64 * 1e-9;
        let velocities = now.zip_with(&before, |now, before| (now.0 - before.0) / secs);
        for (joint, limits) in model.limits().iter().enumerate() {
            let at = |of: &JointVec<f64>| of.get(joint).unwrap();
            let place = now.get(joint).unwrap();
            assert!(place >= limits.lower && place <= limits.upper);
            let (speed, change) = (at(&velocities), at(&velocities) - at(&speeds));
            assert!(speed.abs() <= limits.velocity.0 + 1e-9, "{joint}: {speed}");
            assert!(
                change.abs() <= limits.acceleration.0 * secs + 1e-6,
                "{joint}: {change}"
            );
        }
        (before, speeds) = (now, velocities);
        let is = tool(rig);
        let share = (is.translation - from.translation).dot(way) / way.norm_squared();
        let off = apart(&is, &moved(&from, way, turn, share));
        beside = (beside.0.max(off.0), beside.1.max(off.1));
    }
    Followed {
        mode,
        cause,
        beside,
        left: apart(&tool(rig), &moved(&from, way, turn, 1.0)),
        lag: rig.core.lag().most,
    }
}

#[test]
fn a_plan_of_poses_is_followed_by_six_seven_and_eight_joints() {
    for arm in all() {
        let mut rig = arm.started(|_| {});
        let (way, turn) = (Vector3::new(0.05, 0.15, -0.1), 0.6);
        let plan = straight(&mut rig, &way, turn, 1.5);
        let done = follow(&mut rig, plan, &way, turn);
        assert_eq!(done.mode, Mode::Running, "{done:?}");
        assert!(done.beside.0 < 2e-4 && done.beside.1 < 2e-3, "{done:?}");
        assert!(done.left.0 < 1e-4 && done.left.1 < 1e-3, "{done:?}");
        assert!(done.lag < 0.02, "{done:?}");
    }
}

#[test]
fn a_plan_of_joints_is_followed_by_six_seven_and_eight_joints() {
    for arm in all() {
        let mut rig = arm.started(|_| {});
        let from = rig.command();
        let mut sign = 1.0;
        let to = from.map(|at| {
            sign = -sign;
            Rad(at.0 + 0.4 * sign)
        });
        let points = (0..=50).map(|index| {
            let share = (1.0 - (std::f64::consts::PI * f64::from(index) / 50.0).cos()) / 2.0;
            from.zip_with(&to, |from, to| Rad(from.0 + share * (to.0 - from.0)))
        });
        let plan = rig.plan_of(Waypoints::Joint(points.collect()), 20);
        let end = plan.end();
        rig.plan = Some(plan);
        while MonoTime(rig.now.0 + PERIOD_NS) <= end {
            let step = rig.tick();
            assert_eq!((step.mode, step.refused), (Mode::Running, None));
        }
        for (is, to) in rig.command().iter().zip(&to) {
            assert!((is.0 - to.0).abs() < 1e-3, "{is:?} {to:?}");
        }
    }
}

/// The joints beside `from` that put the tool of `arm` at `target`.
fn solved(arm: &Arm, from: &JointVec<f64>, target: &Frame) -> JointVec<f64> {
    let leader =
        crate::control::leader::Leader::new(&arm.model, 0.005, &Clearance::default()).unwrap();
    let (joints, _) = leader.reach(from, target);
    let left = arm.model.chain().tool(&joints).way_to(target);
    assert!(left.norm() < 1e-5, "{left:?}");
    joints
}

/// A line of 20 cm along `axis` through the tool's place with the joints at `near`, in two seconds.
fn through(arm: &Arm, near: &[f64], axis: Vector3<f64>) -> Followed {
    let near: JointVec<f64> = near.iter().copied().collect();
    let (middle, way) = (arm.model.chain().tool(&near), axis * 0.2);
    let mut start = near;
    for step in 1..=50 {
        let pose = moved(&middle, &way, 0.0, -0.01 * f64::from(step));
        start = solved(arm, &start, &pose);
    }
    let mut rig = arm.started_at(start, |_| {});
    let plan = straight(&mut rig, &way, 0.0, 2.0);
    follow(&mut rig, plan, &way, 0.0)
}

#[test]
fn a_line_past_a_singular_wrist_is_kept_to_more_slowly() {
    // The UR5e's fifth joint at 0.027 rad, the Panda's sixth at 0.03.
    let six = [0.3, -1.3, 1.6, -1.9, -0.027, 0.2];
    let seven = [0.2, -0.4, 0.1, -2.0, 0.2, 0.03, 0.6];
    let eight = [0.1, 0.2, -0.4, 0.1, -2.0, 0.2, 0.03, 0.6];
    for done in [
        through(&ur5e(), &six, Vector3::x()),
        through(&ur5e(), &six, Vector3::y()),
        through(&ur5e(), &six, Vector3::z()),
        through(&panda(), &seven, Vector3::y()),
        through(&on_a_column(), &eight, Vector3::y()),
    ] {
        assert_eq!(done.mode, Mode::Running, "{done:?}");
        assert!(done.beside.0 < 1e-4 && done.beside.1 < 1e-3, "{done:?}");
    }
}

#[test]
fn where_a_joints_limit_is_in_the_way_the_arm_stops_beside_its_path() {
    // These lines lead the sixth joint to its limit, −0.0175 rad.
    let seven = [0.2, -0.4, 0.1, -2.0, 0.2, 0.03, 0.6];
    for axis in [Vector3::x(), Vector3::z()] {
        let done = through(&panda(), &seven, axis);
        assert!(done.beside.0 < 1e-3, "{done:?}");
        let stopped = matches!(done.cause, Some(Cause::Unreachable { .. }));
        assert!(stopped || done.mode == Mode::Running, "{done:?}");
    }
}

#[test]
fn at_the_edge_of_reach_every_arm_stays_within_its_limits_and_near_its_path() {
    for arm in all() {
        for secs in [1.0, 2.0, 4.0] {
            let line = |centimetres: u32| {
                let mut rig = arm.started(|_| {});
                let out = tool(&rig).translation;
                let way = Vector3::new(out.x, out.y, 0.1).normalize() * 0.01;
                let way = way * f64::from(centimetres);
                let plan = straight(&mut rig, &way, 0.0, secs);
                (rig, plan, way)
            };
            let admitted = |centimetres: &u32| {
                let (mut rig, plan, _) = line(*centimetres);
                rig.plan = Some(plan);
                rig.tick().refused.is_none()
            };
            let farthest = (5..60).rev().find(admitted).unwrap();
            let (mut rig, plan, way) = line(farthest);
            let done = follow(&mut rig, plan, &way, 0.0);
            // A waypoint may be missed by 20 mm and 0.35 rad; a path that takes too long stops.
            assert!(done.beside.0 < 0.02 && done.beside.1 < 0.35, "{done:?}");
            let stopped = matches!(done.cause, Some(Cause::Unreachable { .. }));
            assert!(stopped || done.mode == Mode::Running, "{done:?}");
        }
    }
}
