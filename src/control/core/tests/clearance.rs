//! Paths of the tool beside what is in their way: slowed down on, and stopped on before
//! the limiter has to.

use nalgebra::{UnitQuaternion, Vector3};
use surehand_kinematics::Frame;

use super::*;
use crate::arm::{Block, Space};
use crate::control::testing::arms::panda;
use crate::control::{Clearance, Room};
use crate::messages::{Plan, ToolPose};

fn tool(rig: &Rig) -> Frame {
    rig.core.config().model.forward(&rig.command()).tool
}

/// From where the tool is along `way` in `secs`, and half a second of standing.
fn straight(rig: &mut Rig, way: &Vector3<f64>, secs: f64) -> Plan {
    let from = tool(rig);
    let steps = secs / 0.04;
    let points = (0..(steps as u32 + 12)).map(|index| {
        let share = (f64::from(index) / steps).min(1.0);
        let share = share * share * (3.0 - 2.0 * share);
        ToolPose {
            position: (from.translation + way * share).into(),
            quaternion: UnitQuaternion::from_matrix(&from.rotation).coords.into(),
            gripper: 0.2,
        }
    });
    let plan = rig.plan_of(Waypoints::Pose(points.collect()), 40);
    Plan {
        start: rig.now.offset_secs(0.12),
        ..plan
    }
}

fn room(rig: &Rig) -> Room {
    let config = rig.core.config();
    config.clearance.of(&config.model, &rig.command())
}

/// What became of a plan.
#[derive(Debug)]
struct Followed {
    cause: Option<Cause>,
    /// The least room there was, metres.
    least: f64,
    /// The most that the tool was beside its line, and how far from its end it came to be, metres.
    beside: f64,
    left: f64,
}

fn follow(rig: &mut Rig, plan: Plan, way: &Vector3<f64>) -> Followed {
    let (from, end) = (tool(rig).translation, plan.end());
    rig.plan = Some(plan);
    let mut done = Followed {
        cause: None,
        least: f64::INFINITY,
        beside: 0.0,
        left: 0.0,
    };
    while MonoTime(rig.now.0 + PERIOD_NS) <= end && done.cause.is_none() {
        let step = rig.tick();
        assert_eq!(step.refused, None);
        done.cause = step.cause;
        done.least = done.least.min(room(rig).least());
        let off = tool(rig).translation - from;
        let along = way * (off.dot(way) / way.norm_squared());
        done.beside = done.beside.max((off - along).norm());
        done.left = (off - way).norm();
    }
    done
}

/// A cell whose wall leaves 5 cm beside the tool.
fn walled() -> Rig {
    let mut rig = Rig::with(|config| {
        let space = Space {
            walls: Some(Block {
                min: [-1.0, -1.0, -1.0],
                max: [1.0, 0.05, 1.0],
            }),
            margin: 0.005,
            ..Space::default()
        };
        config.clearance = Clearance::new(&config.model, space);
    });
    rig.start();
    rig
}

#[test]
fn a_path_into_a_wall_is_stopped_on_before_the_margin_and_is_a_cause() {
    let mut rig = walled();
    let way = Vector3::new(0.0, 0.12, 0.0);
    let plan = straight(&mut rig, &way, 1.5);
    let done = follow(&mut rig, plan, &way);
    assert_eq!(done.cause, Some(Cause::NoClearance), "{done:?}");
    assert!(done.least > 0.001 && done.least < 0.006, "{done:?}");
    assert!(done.beside < 1e-3, "{done:?}");
}

#[test]
fn a_path_along_a_wall_is_kept_to() {
    let mut rig = walled();
    let way =
        Vector3::new(0.0, 0.05 - 0.005 - 0.005, 0.0) - Vector3::y() * tool(&rig).translation.y;
    let plan = straight(&mut rig, &way, 1.0);
    let done = follow(&mut rig, plan, &way);
    assert_eq!(done.cause, None, "{done:?}");
    let way = Vector3::new(0.02, 0.0, 0.05);
    let plan = straight(&mut rig, &way, 1.0);
    let done = follow(&mut rig, plan, &way);
    assert!(
        done.cause.is_none() && done.beside < 1e-3 && done.left < 1e-3,
        "{done:?}"
    );
}

/// Where the elbow of the Panda is with these joints.
fn elbow(rig: &Rig) -> Vector3<f64> {
    let pose = rig.core.config().model.forward(&rig.command());
    *pose.axes().nth(3).unwrap().1
}

#[test]
fn a_block_in_the_way_of_a_link_stops_the_arm_on_its_path_before_the_limiter_has_to() {
    let arm = panda();
    let way = Vector3::new(0.0, -0.2, 0.0);
    let mut free = arm.started(|_| {});
    let before = elbow(&free);
    let plan = straight(&mut free, &way, 1.5);
    assert_eq!(follow(&mut free, plan, &way).cause, None);
    let after = elbow(&free);
    // A block that the links beside the elbow would run into.
    let beyond = after + (after - before).normalize() * 0.095;
    let block = Block {
        min: beyond.add_scalar(-0.015).into(),
        max: beyond.add_scalar(0.015).into(),
    };
    let mut rig = arm.started(|config| {
        let mut space = Space {
            link_radius: Some(0.02),
            margin: 0.005,
            ..Space::default()
        };
        space.keep_out.push(block).unwrap();
        config.clearance = Clearance::new(&config.model, space);
    });
    let clearance = rig.core.config().clearance.clone();
    let met = clearance.of(&arm.model, &free.command()).least();
    let plan = straight(&mut rig, &way, 1.5);
    let done = follow(&mut rig, plan, &way);
    assert!(met < -0.01, "{met}");
    assert_eq!(done.cause, Some(Cause::NoClearance), "{done:?}");
    assert!(done.least > 0.001 && done.least < 0.006, "{done:?}");
    assert!(done.beside < 1e-3 && done.left < 0.15, "{done:?}");
}

#[test]
fn what_leads_measures_what_the_limiter_measures() {
    let arm = panda();
    let mut space = Space {
        link_radius: Some(0.04),
        margin: 0.005,
        walls: Some(Block {
            min: [-0.6, -0.5, 0.1],
            max: [0.7, 0.55, 1.1],
        }),
        ..Space::default()
    };
    let block = Block {
        min: [0.3, 0.2, 0.2],
        max: [0.5, 0.4, 0.4],
    };
    space.keep_out.push(block).unwrap();
    let clearance = Clearance::new(&arm.model, space);
    let leader = crate::control::leader::Leader::new(&arm.model, 0.005, &clearance).unwrap();
    for turn in 0..200 {
        let share = f64::from(turn) / 199.0;
        let mut joint = 0.0;
        let joints = arm.ready.map(|at| {
            joint += 1.0;
            Rad(at + (7.0 * joint * share).sin() * 0.5)
        });
        let least = clearance.of(&arm.model, &joints).least();
        let led = leader.room(&arm.model.chain_of(&joints)).unwrap();
        // The limiter looks for the nearest point of a box step by step.
        let near = (led - least.min(0.007)).abs() < 1e-3;
        assert!(near, "{turn}: {led} {least}");
    }
}
