//! What the monitors stop the arm for.

use super::*;

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
fn a_restarted_servo_stops_the_arm_until_it_holds_its_limits_again() {
    let mut rig = Rig::moving();
    let step = rig.tick_with(|inputs| inputs.restarted = Some(2));
    assert_eq!(step.cause, Some(Cause::ServoRestarted { joint: 2 }));
    rig.until_stopped();
    let step = rig.tick_with(|inputs| {
        inputs.restarted = Some(2);
        inputs.signals.requests.push(Request::Reset).unwrap();
    });
    assert_eq!(step.answers[0], Some(Err(Refusal::CausePresent)));
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
}

#[test]
fn a_reset_is_refused_in_the_very_tick_that_finds_a_cause() {
    let mut rig = Rig::moving();
    assert_eq!(rig.ask(Request::Stop), Ok(Request::Stop));
    rig.until_stopped();
    let step = rig.tick_with(|inputs| {
        inputs.missed = 3;
        inputs.signals.requests.push(Request::Reset).unwrap();
    });
    assert_eq!(step.answers[0], Some(Err(Refusal::CausePresent)));
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
}
