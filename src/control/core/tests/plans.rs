//! Plans: followed, blended, refused.

use super::*;
use crate::arm::{Block, Space};
use crate::control::Clearance;

#[test]
fn a_plan_is_followed_to_its_end_and_then_starved() {
    let mut rig = Rig::started();
    let from = rig.command();
    let plan = rig.sweep(1.0);
    let end = plan.end();
    let Waypoints::Joint(points) = &plan.waypoints else {
        unreachable!()
    };
    let last = *points.last().unwrap();
    rig.plan = Some(plan);
    while MonoTime(rig.now.0 + PERIOD_NS) <= end {
        let step = rig.tick();
        assert_eq!((step.mode, step.plan_id), (Mode::Running, 1));
    }
    for (command, last) in rig.command().iter().zip(&last) {
        assert!((command.0 - last.0).abs() < 1e-3, "{command:?} {last:?}");
    }
    assert!((rig.command().get(0).unwrap().0 - from.get(0).unwrap().0).abs() > 0.9);
    let step = rig.tick();
    assert_eq!(step.cause, Some(Cause::PlanRanOut));
    rig.until_stopped();
    assert_eq!(rig.core.counters().plans_starved, 1);
}

#[test]
fn a_tool_plan_moves_the_tool_along_a_line() {
    let mut rig = Rig::started();
    let from = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command()).unwrap();
    let points = (0..=30).map(|index| ToolSetpoint {
        position: [
            from.position[0],
            from.position[1] + 0.002 * f64::from(index),
            from.position[2],
        ],
        ..from
    });
    let plan = rig.plan_of(Waypoints::Tool(points.collect()), 30);
    let end = plan.end();
    rig.plan = Some(plan);
    while MonoTime(rig.now.0 + PERIOD_NS) <= end {
        let step = rig.tick();
        assert_eq!(
            step.mode,
            Mode::Running,
            "{:?} {:?}",
            step.cause,
            step.refused
        );
        let tool = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command()).unwrap();
        assert!((tool.position[0] - from.position[0]).abs() < 1e-3);
        assert!((tool.position[2] - from.position[2]).abs() < 1e-3);
    }
    let tool = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command()).unwrap();
    assert!((tool.position[1] - from.position[1] - 0.06).abs() < 5e-4);
}

#[test]
fn a_plan_with_nan_stops_the_arm_and_none_of_it_is_used() {
    let mut rig = Rig::moving();
    let mut plan = rig.sweep(0.5);
    if let Waypoints::Joint(points) = &mut plan.waypoints {
        points[40].as_mut_slice()[2] = Rad(f64::NAN);
    }
    rig.plan = Some(plan);
    let step = rig.tick();
    assert_eq!(step.cause, Some(Cause::PolicyNotFinite));
    assert_eq!(step.refused.unwrap().1, Refusal::NotFinite);
    rig.until_stopped();
}

#[test]
fn an_action_a_little_beyond_a_limit_is_clamped_and_counted() {
    let mut rig = Rig::started();
    let mut to = rig.command();
    to.as_mut_slice()[5] = Rad(-0.174_533 - 0.05);
    let points = [rig.command(), to, to].into_iter().collect();
    rig.plan = Some(rig.plan_of(Waypoints::Joint(points), 500));
    let step = rig.run(190);
    assert_eq!(step.mode, Mode::Running);
    assert!((rig.command().get(5).unwrap().0 + 0.174_533).abs() < 1e-9);
    assert!(rig.core.clamped().get(5).unwrap() > 10);
    assert_eq!(rig.core.clamped().get(0), Some(0));
}

#[test]
fn a_second_plan_blends_in_within_the_limits() {
    let mut rig = Rig::moving();
    let mut before = rig.command();
    let mut speed_before: Option<JointVec<f64>> = None;
    for tick in 0..300 {
        if tick % 13 == 0 {
            let size = if tick % 2 == 0 { 0.6 } else { -0.6 };
            let mut plan = rig.sweep(size);
            plan.captured_at = rig.now.offset_secs(-0.05);
            plan.start = rig
                .now
                .offset_secs(if tick % 3 == 0 { 0.03 } else { -0.03 });
            rig.plan = Some(plan);
        }
        let step = rig.tick();
        assert_eq!(step.refused, None);
        let now = rig.command();
        let speed = now.zip_with(&before, |now, before| (now.0 - before.0) / 0.005);
        if let Some(earlier) = speed_before {
            for (now, before) in speed.iter().zip(&earlier) {
                assert!((now - before).abs() <= 15.0 * 0.005 + 1e-6);
            }
        }
        (before, speed_before) = (now, Some(speed));
    }
}

#[test]
fn plans_that_do_not_fit_are_refused_whole() {
    let refusal = |change: fn(&mut Rig, &mut crate::messages::Plan)| {
        let mut rig = Rig::moving();
        let mut plan = rig.sweep(0.3);
        change(&mut rig, &mut plan);
        rig.plan = Some(plan);
        let step = rig.tick();
        assert_eq!((step.mode, step.plan_id), (Mode::Running, 1));
        step.refused.unwrap().1
    };
    assert_eq!(refusal(|_, plan| plan.step_ns = 0), Refusal::Empty);
    assert_eq!(refusal(|_, plan| plan.id = 1), Refusal::OldId);
    assert_eq!(
        refusal(|rig, plan| plan.start = rig.now.offset_secs(-5.0)),
        Refusal::Late
    );
    assert_eq!(
        refusal(|rig, plan| plan.start = rig.now.offset_secs(1.5)),
        Refusal::Early
    );
    assert_eq!(
        refusal(|rig, plan| plan.captured_at = rig.now.offset_secs(0.1)),
        Refusal::Early
    );
    assert!(matches!(
        refusal(|rig, plan| plan.captured_at = rig.now.offset_secs(-0.6)),
        Refusal::Stale { age_ms: 300.. }
    ));
    assert_eq!(
        refusal(|_, plan| plan.waypoints =
            Waypoints::Joint(std::iter::repeat_n(joints([0.0; 5]), 9).collect())),
        Refusal::WrongJointCount {
            expected: 6,
            received: 5
        }
    );
    assert!(matches!(
        refusal(|_, plan| plan.waypoints =
            Waypoints::Joint(std::iter::repeat_n(joints([1.9, 0., 0., 0., 0., 0.]), 9).collect())),
        Refusal::SeamTooFar { waypoint: 0, .. }
    ));
    assert!(matches!(
        refusal(|_, plan| {
            if let Waypoints::Joint(points) = &mut plan.waypoints {
                points[50].as_mut_slice()[0].0 += 1.0;
            }
        }),
        Refusal::SeamTooFar { waypoint: 50, .. }
    ));
    assert!(matches!(
        refusal(|_, plan| {
            if let Waypoints::Joint(points) = &mut plan.waypoints {
                points[50].as_mut_slice()[0].0 = -2.5;
            }
        }),
        Refusal::OutsideLimits {
            waypoint: 50,
            joint: 0
        }
    ));
    assert!(matches!(
        refusal(|rig, plan| {
            let tool = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command()).unwrap();
            let away = (0..9).map(|index| ToolSetpoint {
                position: [
                    tool.position[0],
                    tool.position[1],
                    tool.position[2] + 0.05 * f64::from(index),
                ],
                ..tool
            });
            plan.waypoints = Waypoints::Tool(away.collect());
        }),
        Refusal::Unreachable { .. } | Refusal::SeamTooFar { .. }
    ));
}

#[test]
fn a_plan_into_a_wall_stops_before_it_and_is_a_cause() {
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
    let from = rig.command();
    let mut aside = from;
    // Turned this way, the tool goes to the left.
    aside.as_mut_slice()[0].0 = -1.0;
    let points = (0..=50).map(|index| {
        let share = f64::from(index) / 50.0;
        from.zip_with(&aside, |from, to| Rad(from.0 + share * (to.0 - from.0)))
    });
    let plan = rig.plan_of(Waypoints::Joint(points.collect()), 40);
    rig.plan = Some(plan);
    let model = rig.core.config().model.clone();
    let mut nearest = f64::INFINITY;
    let mut last = rig.tick();
    for _ in 0..400 {
        last = rig.tick();
        let tool = model.forward(&rig.command()).tool.translation;
        nearest = nearest.min(0.05 - tool.y);
    }
    assert!((0.005 - 1e-9..0.02).contains(&nearest), "{nearest}");
    assert_eq!(last.mode, Mode::Stopped);
    assert_eq!(last.cause, Some(Cause::NoClearance));
}
