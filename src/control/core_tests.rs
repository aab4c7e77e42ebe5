//! The controller as a whole, in virtual time against lagging servos.

use proptest::prelude::*;

use crate::control::testing::{PERIOD_NS, Rig, joints};
use crate::control::{Inputs, JointReading, Link, ReadFault, Torque, TorqueAct};
use crate::messages::{Cause, Mode, Refusal, Request, ToolSetpoint, Waypoints};
use crate::units::{Celsius, JointVec, MonoTime, Rad, Volts};

/// Makes joint `index` unreadable.
fn lose(inputs: &mut Inputs<'_>, index: usize, fault: ReadFault) {
    inputs.joints.as_mut_slice()[index] = JointReading::Missing(fault);
}

/// Changes what joint `index` says.
fn alter(
    inputs: &mut Inputs<'_>,
    index: usize,
    change: impl FnOnce(&mut f64, &mut f64, &mut f64, &mut u8),
) {
    if let JointReading::Fresh {
        position,
        voltage,
        temperature,
        errors,
        ..
    } = &mut inputs.joints.as_mut_slice()[index]
    {
        change(&mut position.0, &mut voltage.0, &mut temperature.0, errors);
    }
}

#[test]
fn boot_is_latched_and_writes_nothing_to_a_limp_arm() {
    let mut rig = Rig::new();
    for _ in 0..100 {
        let step = rig.tick();
        assert_eq!((step.mode, step.cause), (Mode::Stopped, Some(Cause::Boot)));
        assert_eq!((step.command, step.torque), (None, TorqueAct::Keep));
    }
    for request in [Request::Enable, Request::Start, Request::Pause] {
        assert_eq!(rig.ask(request), Err(Refusal::WrongMode));
    }
}

#[test]
fn enabling_holds_where_the_arm_is() {
    let mut rig = Rig::new();
    rig.tick();
    rig.ask(Request::Reset).unwrap();
    assert_eq!(rig.mode(), Mode::Idle);
    let at = rig.positions;
    let step = rig.tick_with(|inputs| inputs.signals.requests.push(Request::Enable).unwrap());
    assert_eq!((step.mode, step.torque), (Mode::Holding, TorqueAct::Enable));
    assert_eq!(step.command.unwrap().positions(), at.map(Rad));
}

#[test]
fn a_replaced_guard_takes_a_live_arm_over_where_it_is() {
    let mut rig = Rig::booted(Cause::GuardReplaced, Torque::On, |_| {});
    let at = rig.positions;
    let step = rig.tick();
    assert_eq!(step.command.unwrap().positions(), at.map(Rad));
    assert_eq!(
        (step.mode, step.cause),
        (Mode::Stopped, Some(Cause::GuardReplaced))
    );
    rig.ask(Request::Reset).unwrap();
    assert_eq!(rig.mode(), Mode::Holding);
}

#[test]
fn nothing_is_commanded_before_every_joint_was_read() {
    let mut rig = Rig::booted(Cause::GuardReplaced, Torque::On, |_| {});
    for _ in 0..10 {
        let step = rig.tick_with(|inputs| lose(inputs, 4, ReadFault::Timeout));
        assert_eq!(step.command, None);
    }
    assert!(rig.tick().command.is_some());
}

#[test]
fn readings_far_outside_the_limits_never_become_goals() {
    let mut rig = Rig::booted(Cause::GuardReplaced, Torque::On, |_| {});
    for _ in 0..10 {
        let step = rig.tick_with(|inputs| {
            for index in 0..6 {
                alter(inputs, index, |position, _, _, _| *position = -3.0);
            }
        });
        assert_eq!(step.command, None);
    }
}

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
    let from = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command());
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
        let tool = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command());
        assert!((tool.position[0] - from.position[0]).abs() < 1e-3);
        assert!((tool.position[2] - from.position[2]).abs() < 1e-3);
    }
    let tool = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command());
    assert!((tool.position[1] - from.position[1] - 0.06).abs() < 5e-4);
}

#[test]
fn pause_decelerates_and_holds_without_a_latch() {
    let mut rig = Rig::moving();
    rig.ask(Request::Pause).unwrap();
    assert_eq!(rig.ask(Request::Release), Err(Refusal::WrongMode));
    let step = rig.run(200);
    assert_eq!(
        (step.mode, step.cause, step.plan_id),
        (Mode::Holding, None, 0)
    );
    assert!(rig.speed() < 0.01);
    assert_eq!(rig.ask(Request::Start), Ok(Request::Start));
}

#[test]
fn a_paused_plan_does_not_go_on_when_started_again() {
    let mut rig = Rig::started();
    let plan = rig.sweep(1.0);
    rig.plan = Some(plan.clone());
    rig.run(20);
    rig.ask(Request::Pause).unwrap();
    rig.run(40);
    rig.ask(Request::Start).unwrap();
    rig.plan = Some(plan.clone());
    let step = rig.tick();
    assert_eq!(step.refused, Some((plan.id, Refusal::OldId)));
    // The same frames under a new id are from before the start.
    rig.plan = Some(crate::messages::Plan { id: 9, ..plan });
    assert!(matches!(
        rig.tick().refused,
        Some((9, Refusal::Stale { .. }))
    ));
}

#[test]
fn a_stop_decelerates_latches_and_keeps_the_first_cause() {
    let mut rig = Rig::moving();
    rig.ask(Request::Stop).unwrap();
    let step = rig.tick_with(|inputs| {
        inputs.signals.trip = Some(Cause::PolicyFailed);
        inputs.signals.told_to_end = true;
    });
    assert_eq!(step.mode, Mode::Stopping);
    let step = rig.until_stopped();
    assert_eq!(step.cause, Some(Cause::OperatorStop));
    assert!(step.command.is_some(), "it holds with torque on");
    assert!(step.may_exit);
    assert!(rig.speed() < 0.1);
}

#[test]
fn a_second_stop_changes_nothing_of_the_first() {
    let (mut once, mut twice) = (Rig::moving(), Rig::moving());
    once.tick_with(|inputs| inputs.signals.told_to_end = true);
    twice.tick_with(|inputs| inputs.signals.told_to_end = true);
    for _ in 0..300 {
        let first = once.tick();
        let second = twice.tick_with(|inputs| {
            inputs.signals.told_to_end = true;
            inputs.signals.requests.push(Request::Stop).unwrap();
        });
        assert_eq!(first.command, second.command);
        assert_eq!((first.mode, first.cause), (second.mode, second.cause));
    }
}

#[test]
fn releasing_writes_no_goal_until_enabled_again() {
    let mut rig = Rig::moving();
    rig.ask(Request::Stop).unwrap();
    rig.until_stopped();
    let step = rig.tick_with(|inputs| inputs.signals.requests.push(Request::Release).unwrap());
    assert_eq!((step.command, step.torque), (None, TorqueAct::Release));
    assert_eq!(step.mode, Mode::Stopped);
    rig.positions = rig.positions.map(|angle| angle * 0.9);
    for _ in 0..50 {
        assert_eq!(rig.tick().command, None);
    }
    rig.ask(Request::Reset).unwrap();
    assert_eq!(rig.mode(), Mode::Idle);
    let at = rig.positions;
    let step = rig.tick_with(|inputs| inputs.signals.requests.push(Request::Enable).unwrap());
    assert_eq!(step.command.unwrap().positions(), at.map(Rad));
}

#[test]
fn the_runners_death_stops_the_arm() {
    let mut rig = Rig::moving();
    rig.link = Some(Link::Closed);
    let step = rig.tick();
    assert_eq!(
        (step.mode, step.cause),
        (Mode::Stopping, Some(Cause::RunnerDied))
    );
    rig.until_stopped();
    assert_eq!(rig.ask(Request::Reset), Err(Refusal::CausePresent));
    rig.link = None;
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
}

#[test]
fn a_silent_runner_stops_the_arm_when_its_lease_is_over() {
    let mut rig = Rig::moving();
    rig.link = Some(Link::Up { heard_at: rig.now });
    assert_eq!(rig.run(7).mode, Mode::Running);
    let step = rig.tick();
    assert_eq!(step.cause, Some(Cause::RunnerSilent { silent_ms: 40 }));
}

#[test]
fn without_a_runner_nothing_starts() {
    let mut rig = Rig::new();
    rig.link = Some(Link::Absent);
    rig.tick();
    rig.ask(Request::Reset).unwrap();
    rig.ask(Request::Enable).unwrap();
    assert_eq!(rig.ask(Request::Start), Err(Refusal::NoRunner));
}

#[test]
fn a_first_plan_that_never_comes_stops_the_arm() {
    let mut rig = Rig::started();
    assert_eq!(rig.run(398).mode, Mode::Running);
    assert_eq!(rig.run(5).cause, Some(Cause::PlanRanOut));
}

#[test]
fn what_the_runner_saw_stops_the_arm() {
    let mut rig = Rig::moving();
    let cause = Cause::CameraFrozen { camera: 1 };
    let step = rig.tick_with(|inputs| inputs.signals.trip = Some(cause));
    assert_eq!((step.mode, step.cause), (Mode::Stopping, Some(cause)));
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
fn one_lost_reply_is_no_stop() {
    let mut rig = Rig::moving();
    for _ in 0..20 {
        let step = rig.tick_with(|inputs| lose(inputs, 2, ReadFault::Timeout));
        assert_eq!(step.mode, Mode::Running);
        rig.tick();
    }
}

#[test]
fn a_servo_silent_three_times_stops_the_others_too() {
    let mut rig = Rig::moving();
    for _ in 0..2 {
        let step = rig.tick_with(|inputs| lose(inputs, 2, ReadFault::Timeout));
        assert_eq!(step.mode, Mode::Running);
    }
    let lost = |inputs: &mut Inputs<'_>| lose(inputs, 2, ReadFault::Timeout);
    let step = rig.tick_with(lost);
    let cause = Cause::ServoSilent {
        joint: 2,
        misses: 3,
    };
    assert_eq!((step.mode, step.cause), (Mode::Stopping, Some(cause)));
    for _ in 0..200 {
        rig.tick_with(lost);
    }
    let step = rig.tick_with(lost);
    assert_eq!((step.mode, step.cause), (Mode::Stopped, Some(cause)));
    assert!(step.command.is_some());
    let step = rig.tick_with(|inputs| {
        lost(inputs);
        inputs.signals.requests.push(Request::Reset).unwrap();
    });
    assert_eq!(step.answers[0], Some(Err(Refusal::CausePresent)));
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
}

#[test]
fn the_wrong_servo_answering_stops_the_arm() {
    let mut rig = Rig::moving();
    for _ in 0..2 {
        rig.tick_with(|inputs| lose(inputs, 1, ReadFault::WrongId));
    }
    let step = rig.tick_with(|inputs| lose(inputs, 1, ReadFault::WrongId));
    assert_eq!(step.cause, Some(Cause::WrongReply { joint: 1 }));
}

#[test]
fn a_lost_port_stops_the_arm_at_once() {
    let mut rig = Rig::moving();
    let step = rig.tick_with(|inputs| (0..6).for_each(|i| lose(inputs, i, ReadFault::Port)));
    assert_eq!(step.cause, Some(Cause::PortLost));
}

#[test]
fn error_bits_stop_the_arm() {
    let mut rig = Rig::moving();
    let step = rig.tick_with(|inputs| alter(inputs, 3, |_, _, _, errors| *errors = 0x20));
    let cause = Cause::ServoFault {
        joint: 3,
        bits: 0x20,
    };
    assert_eq!(step.cause, Some(cause));
}

#[test]
fn heat_and_low_voltage_stop_the_arm_but_not_one_reading_of_them() {
    type Change = fn(&mut f64, &mut f64, &mut f64, &mut u8);
    let hot: Change = |_, _, celsius, _| *celsius = 71.0;
    let weak: Change = |_, volts, _, _| *volts = 4.8;
    let causes = [
        (
            hot,
            Cause::Overheat {
                joint: 0,
                celsius: Celsius(71.0).0,
            },
        ),
        (
            weak,
            Cause::Voltage {
                joint: 0,
                volts: Volts(4.8).0,
            },
        ),
    ];
    for (change, cause) in causes {
        let mut rig = Rig::moving();
        for _ in 0..2 {
            let step = rig.tick_with(|inputs| alter(inputs, 0, change));
            assert_eq!(step.mode, Mode::Running);
        }
        let step = rig.tick_with(|inputs| alter(inputs, 0, change));
        assert_eq!(step.cause, Some(cause));
    }
}

#[test]
fn an_encoder_jump_stops_the_arm_without_a_jump_of_the_goal() {
    let mut rig = Rig::moving();
    let before = rig.command();
    let turn = std::f64::consts::TAU;
    let step = rig.tick_with(|inputs| alter(inputs, 4, |position, _, _, _| *position += turn));
    assert!(matches!(step.cause, Some(Cause::EncoderJump { joint: 4, step }) if step > 6.0));
    let after = step.command.unwrap().positions();
    assert!((after.get(4).unwrap().0 - before.get(4).unwrap().0).abs() < 0.02);
    // A reading that goes back to where it was is forgotten.
    rig.until_stopped();
    assert!(rig.command().get(4).unwrap().0 < 3.0);
}

#[test]
fn an_encoder_that_stays_where_it_jumped_takes_its_goal_along() {
    // A servo acts on its own encoder: left where it was, the goal would make it run.
    let mut rig = Rig::moving();
    rig.positions.as_mut_slice()[0] += 0.9;
    let step = rig.run(60);
    assert!(matches!(
        step.cause,
        Some(Cause::EncoderJump { joint: 0, .. })
    ));
    let goal = rig.command().get(0).unwrap().0;
    let told = rig.positions.get(0).unwrap();
    assert!((goal - told).abs() < 0.1, "goal {goal}, encoder {told}");
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
fn a_blocked_joint_stops_the_arm_but_a_closed_gripper_does_not() {
    let mut rig = Rig::started();
    rig.blocked = Some(5);
    let hold = |rig: &mut Rig, index: usize, way: f64| {
        let mut to = rig.command();
        to.as_mut_slice()[index].0 += way;
        let points = [rig.command(), to, to, to].into_iter().collect();
        rig.plan_of(Waypoints::Joint(points), 400)
    };
    rig.plan = Some(hold(&mut rig, 5, -0.3));
    assert_eq!(rig.run(200).mode, Mode::Running);
    rig.blocked = Some(1);
    rig.plan = Some(hold(&mut rig, 1, 0.8));
    let mut last = rig.tick();
    for _ in 0..200 {
        last = rig.tick();
    }
    assert!(
        matches!(last.cause, Some(Cause::FollowingError { joint: 1, .. })),
        "{last:?}"
    );
}

#[test]
fn missed_ticks_and_a_stall_stop_the_arm() {
    let mut rig = Rig::moving();
    assert_eq!(
        rig.tick_with(|inputs| inputs.missed = 2).mode,
        Mode::Running
    );
    let step = rig.tick_with(|inputs| inputs.missed = 3);
    assert_eq!(step.cause, Some(Cause::MissedTicks { count: 3 }));

    let mut rig = Rig::moving();
    rig.now = rig.now.offset_secs(0.05);
    let step = rig.tick();
    assert!(matches!(step.cause, Some(Cause::MissedTicks { .. })));
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
            let tool = crate::arm::tool::tool_of(&rig.core.config().model, &rig.command());
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

#[derive(Debug, Clone)]
enum Doing {
    Ask(Request),
    Trip,
    Lose(usize),
    Plan(f64),
    RunnerGone(usize),
    Nothing(usize),
}

fn any_doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        prop_oneof![
            Just(Request::Reset),
            Just(Request::Enable),
            Just(Request::Start),
            Just(Request::Pause),
            Just(Request::Stop),
            Just(Request::Release),
        ]
        .prop_map(Doing::Ask),
        prop_oneof![
            Just(Request::Reset),
            Just(Request::Enable),
            Just(Request::Start)
        ]
        .prop_map(Doing::Ask),
        Just(Doing::Trip),
        (0..6usize).prop_map(Doing::Lose),
        (-0.8..0.8f64).prop_map(Doing::Plan),
        (1..10usize).prop_map(Doing::RunnerGone),
        (1..60usize).prop_map(Doing::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_motion_needs_reset_and_start(doings in prop::collection::vec(any_doing(), 1..40)) {
        let mut rig = Rig::new();
        rig.tick();
        let (mut reset, mut started) = (false, false);
        for doing in doings {
            let before = rig.command();
            match doing {
                Doing::Ask(request) => {
                    let answer = rig.ask(request);
                    match request {
                        Request::Reset => reset |= answer.is_ok(),
                        Request::Start => started |= answer.is_ok() && reset,
                        Request::Pause => started &= answer.is_err(),
                        _ => {}
                    }
                }
                Doing::Trip => {
                    rig.tick_with(|inputs| inputs.signals.trip = Some(Cause::PolicyFailed));
                }
                Doing::Lose(joint) => {
                    for _ in 0..4 {
                        rig.tick_with(|inputs| lose(inputs, joint, ReadFault::Corrupt));
                    }
                }
                Doing::Plan(size) => {
                    let plan = rig.sweep(size);
                    rig.plan = Some(plan);
                    rig.run(30);
                }
                Doing::RunnerGone(ticks) => {
                    rig.link = Some(Link::Closed);
                    rig.run(ticks);
                    rig.link = None;
                }
                Doing::Nothing(ticks) => {
                    rig.run(ticks);
                }
            }
            let mode = rig.mode();
            if matches!(mode, Mode::Stopped | Mode::Stopping) {
                (reset, started) = (false, false);
            }
            if mode == Mode::Running {
                prop_assert!(reset && started);
            }
            if mode == Mode::Stopped && rig.core.torque() == Torque::On && !started {
                // Latched: whatever came, the command did not leave.
                let moved = rig.command().zip_with(&before, |a, b| (a.0 - b.0).abs());
                prop_assert!(moved.iter().all(|way| *way < 1.0));
            }
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes_twice(doings in prop::collection::vec(any_doing(), 1..20)) {
        let run = || {
            let mut rig = Rig::started();
            let mut bytes = Vec::new();
            for doing in &doings {
                let step = match doing {
                    Doing::Ask(request) => {
                        rig.tick_with(|inputs| inputs.signals.requests.push(*request).unwrap())
                    }
                    Doing::Trip => rig.tick_with(|inputs| inputs.signals.trip = Some(Cause::PolicyFailed)),
                    Doing::Lose(joint) => rig.tick_with(|inputs| lose(inputs, *joint, ReadFault::Timeout)),
                    Doing::Plan(size) => {
                        let plan = rig.sweep(*size);
                        rig.plan = Some(plan);
                        rig.run(30)
                    }
                    Doing::RunnerGone(ticks) | Doing::Nothing(ticks) => rig.run(*ticks),
                };
                for angle in &rig.command() {
                    bytes.extend(angle.0.to_le_bytes());
                }
                bytes.extend(format!("{step:?}").into_bytes());
            }
            bytes
        };
        prop_assert!(run() == run());
    }
}
