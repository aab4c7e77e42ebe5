//! Modes, requests and the runner: what may move when.

use super::*;

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
fn a_replaced_guard_keeps_the_goals_that_the_arm_follows_and_the_grip() {
    let mut rig = Rig::booted(Cause::GuardReplaced, Torque::On, |_| {});
    let at = rig.positions.map(Rad);
    let mut goals = at.map(Some);
    // Pulled off by its load, unknown, out of any reach, and a gripper that grips.
    goals.as_mut_slice()[1] = Some(Rad(-0.38));
    goals.as_mut_slice()[2] = None;
    goals.as_mut_slice()[3] = Some(Rad(-1.0));
    goals.as_mut_slice()[5] = Some(Rad(0.0));
    rig.core = rig.core.clone().holding(goals);
    let held = rig.tick().command.unwrap().positions();
    let expected = [
        at.get(0),
        Some(Rad(-0.38)),
        at.get(2),
        at.get(3),
        at.get(4),
        Some(Rad(0.0)),
    ];
    assert_eq!(held.iter().copied().map(Some).collect::<Vec<_>>(), expected);
    assert_eq!(rig.run(200).command.unwrap().positions(), held);
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
fn torque_waits_for_a_tick_that_reads_every_servo() {
    let mut rig = Rig::moving();
    rig.ask(Request::Stop).unwrap();
    rig.until_stopped();
    rig.ask(Request::Release).unwrap();
    rig.ask(Request::Reset).unwrap();
    let step = rig.tick_with(|inputs| {
        lose(inputs, 2, ReadFault::Timeout);
        inputs.signals.requests.push(Request::Enable).unwrap();
    });
    assert_eq!(step.answers[0], Some(Err(Refusal::Unhealthy)));
    assert!(Refusal::Unhealthy.may_pass());
    assert_eq!((step.mode, step.torque), (Mode::Idle, TorqueAct::Keep));
    assert_eq!(rig.ask(Request::Enable), Ok(Request::Enable));
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
fn a_machine_that_holds_everybody_up_does_not_end_the_lease() {
    let mut rig = Rig::with(|config| config.monitors.missed_ticks = 30);
    rig.start();
    let plan = rig.sweep(1.0);
    rig.plan = Some(plan);
    rig.run(40);
    let heard_at = rig.now;
    rig.link = Some(Link::Up { heard_at });
    // The loop wakes 40 ms late, longer than the lease: its own time stood still, too.
    rig.now = rig.now.offset_secs(0.04);
    let step = rig.tick_with(|inputs| inputs.missed = 8);
    assert_eq!(step.mode, Mode::Running, "{step:?}");
    assert_eq!(rig.run(6).mode, Mode::Running);
    let step = rig.tick();
    assert_eq!(step.cause, Some(Cause::RunnerSilent { silent_ms: 80 }));
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
fn a_hold_up_before_the_runner_was_heard_does_not_lengthen_its_lease() {
    let mut rig = Rig::with(|config| config.monitors.missed_ticks = 30);
    rig.start();
    rig.plan = Some(rig.sweep(1.0));
    rig.run(20);
    let heard_at = rig.now.offset_secs(PERIOD_NS as f64 * 1e-9);
    rig.link = Some(Link::Up { heard_at });
    rig.tick_with(|inputs| inputs.missed = 8);
    assert_eq!(rig.run(7).mode, Mode::Running, "35 ms of silence");
    assert!(matches!(
        rig.tick().cause,
        Some(Cause::RunnerSilent { silent_ms: 40 })
    ));
}
