//! What comes before a stop and what after one that does not suffice.

use super::*;
use crate::control::{JointCommand, Step};
use crate::messages::Rung;
use crate::units::{JointSet, RadPerSec};

/// Says that joint `index` gives `share` of its stall torque.
fn load(inputs: &mut Inputs<'_>, index: usize, share: f64) {
    if let JointReading::Fresh { load, .. } = &mut inputs.joints.as_mut_slice()[index] {
        *load = share;
    }
}

fn set(joints: &[usize]) -> JointSet {
    let mut set = JointSet::default();
    joints.iter().for_each(|joint| set.insert(*joint));
    set
}

#[test]
fn a_servo_that_works_too_hard_for_long_stops_the_arm_before_it_gives_up_itself() {
    let mut rig = Rig::started();
    let mut ticks = 0;
    let cause = loop {
        let step = rig.tick_with(|inputs| {
            load(inputs, 2, -0.9);
            inputs.plan = None;
        });
        ticks += 1;
        if let Some(cause) = step.cause {
            break cause;
        }
        assert!(ticks < 400);
    };
    assert!(matches!(cause, Cause::Overload { joint: 2, load } if load == -0.9));
    let secs = f64::from(ticks) * 0.005;
    assert!((1.19..1.3).contains(&secs), "{secs}");
    let step = rig.tick_with(|inputs| {
        load(inputs, 2, -0.9);
        inputs.signals.requests.push(Request::Reset).unwrap();
    });
    assert!(matches!(step.answers[0], Some(Err(_))), "it still does");
}

#[test]
fn work_with_rests_in_between_is_no_strain() {
    let mut rig = Rig::started();
    for tick in 0..380 {
        let share = if tick % 20 < 10 { 0.9 } else { 0.3 };
        let step = rig.tick_with(|inputs| load(inputs, 2, share));
        assert_eq!(step.mode, Mode::Running, "{:?}", step.cause);
    }
}

#[test]
fn replies_lost_all_over_the_bus_stop_the_arm_though_no_servo_is_silent() {
    let mut rig = Rig::moving();
    let mut ticks = 0;
    let step = loop {
        // Every servo misses two in a row and answers once: none is silent three times.
        let step = rig.tick_with(|inputs| {
            for index in 0..6 {
                if (ticks + index) % 3 != 0 {
                    lose(inputs, index, ReadFault::Timeout);
                }
            }
        });
        ticks += 1;
        if step.cause.is_some() {
            break step;
        }
        assert!(ticks < 300, "never");
    };
    assert!(matches!(step.cause, Some(Cause::BusFailing { share }) if share > 0.3));
}

#[test]
fn heat_and_a_weak_supply_take_speed_away_before_they_stop_the_arm() {
    let mut rig = Rig::started();
    assert_eq!(rig.core.ease(), 1.0);
    rig.tick_with(|inputs| alter(inputs, 1, |_, _, celsius, _| *celsius = 60.0));
    assert_eq!(rig.core.ease(), 0.5);
    rig.tick_with(|inputs| alter(inputs, 1, |_, _, celsius, _| *celsius = 64.9));
    assert_eq!(rig.core.ease(), 0.25);
    let step = rig.tick_with(|inputs| alter(inputs, 1, |_, volts, _, _| *volts = 5.65));
    assert!((rig.core.ease() - 0.5).abs() < 1e-9, "{}", rig.core.ease());
    assert_eq!(step.mode, Mode::Running);
}

#[test]
fn a_hot_arm_follows_its_plan_at_half_the_speed() {
    let fastest = |celsius: f64| {
        let mut rig = Rig::started();
        rig.plan = Some(rig.sweep(1.2));
        let mut most = 0.0f64;
        for _ in 0..200 {
            let before = rig.command();
            rig.tick_with(|inputs| alter(inputs, 1, |_, _, at, _| *at = celsius));
            let after = rig.command();
            let steps = before.iter().zip(&after).map(|(a, b)| (b.0 - a.0).abs());
            most = most.max(steps.fold(0.0, f64::max) / 0.005);
        }
        most
    };
    let (cool, hot) = (fastest(35.0), fastest(60.0));
    assert!(cool > 1.55 && hot <= 1.5 + 1e-6, "{cool} {hot}");
}

#[test]
fn a_blocked_joint_stops_pushing_and_keeps_a_share_of_its_torque_until_a_reset() {
    let mut rig = Rig::moving();
    rig.blocked = Some(0);
    let step = rig.until_stopped();
    assert!(matches!(
        step.cause,
        Some(Cause::FollowingError { joint: 0, .. })
    ));
    assert_eq!(step.eased, set(&[0]));
    let error = rig.command().get(0).unwrap().0 - rig.positions.as_slice()[0];
    assert!(error.abs() < 2e-3, "it still pushes: {error}");
    let standing = rig.command();
    rig.run(200);
    assert_eq!(rig.command(), standing);
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
    assert!(rig.tick().eased.is_empty());
}

#[test]
fn a_joint_that_is_held_outside_its_limits_does_not_keep_the_stop_from_ending() {
    let mut rig = Rig::moving();
    let upper = rig.core.config().model.limits().get(1).unwrap().upper.0;
    // Somebody pushes the joint past its limit and holds it there.
    rig.blocked = Some(1);
    for _ in 0..1000 {
        let to = upper + 0.15;
        let at = &mut rig.positions.as_mut_slice()[1];
        *at += (to - *at).clamp(-0.01, 0.01);
        if rig.tick().mode == Mode::Stopped {
            return;
        }
    }
    panic!("it stops for ever");
}

#[test]
fn an_encoder_that_jumps_while_the_push_is_taken_off_ends_that() {
    let mut rig = Rig::moving();
    rig.blocked = Some(0);
    while rig.tick().eased.is_empty() {}
    rig.run(60);
    let before = rig.command().get(2).unwrap();
    let mut read = 0.0;
    for _ in 0..3 {
        rig.tick_with(|inputs| {
            alter(inputs, 2, |at, _, _, _| {
                *at -= 2.0;
                read = *at;
            });
        });
        let at = rig.command().get(2).unwrap();
        assert!(at == before || at == Rad(read), "{at:?} {before:?} {read}");
    }
    assert_eq!(rig.command().get(2), Some(Rad(read)), "it is believed now");
}

/// Ticks with joint 1 driven on at 1 rad/s whatever it is told, until `over` or for a second.
fn drive_on(
    rig: &mut Rig,
    drive: f64,
    over: impl Fn(&Step<JointCommand>) -> bool,
) -> Option<Step<JointCommand>> {
    for _ in 0..200 {
        rig.positions.as_mut_slice()[1] += 0.005;
        let step = rig.tick_with(|inputs| {
            if let JointReading::Fresh { velocity, load, .. } = &mut inputs.joints.as_mut_slice()[1]
            {
                (*velocity, *load) = (RadPerSec(1.0), drive);
            }
        });
        if over(&step) {
            return Some(step);
        }
    }
    None
}

#[test]
fn a_joint_that_drives_on_after_the_stop_costs_the_arm_its_torque_and_then_its_power() {
    let mut rig = Rig::moving();
    assert_eq!(rig.ask(Request::Stop), Ok(Request::Stop));
    let released = |step: &Step<JointCommand>| step.torque == TorqueAct::Release;
    let step = drive_on(&mut rig, 0.6, released).unwrap();
    assert_eq!((step.mode, step.rung), (Mode::Stopped, Rung::LetGo));
    assert_eq!(
        step.cause,
        Some(Cause::OperatorStop),
        "the first cause is kept"
    );
    assert!(step.command.is_none());
    assert_eq!(rig.core.drove_on(), set(&[1]));
    let cut = |step: &Step<JointCommand>| step.rung == Rung::CutPower;
    let step = drive_on(&mut rig, 0.6, cut).unwrap();
    assert_eq!(step.relay, Relay::Drop);
    // Without power the servos are silent: the first reset gives it back, the ladder begins anew.
    let step = rig.tick_with(|inputs| {
        lose(inputs, 3, ReadFault::Timeout);
        inputs.signals.requests.push(Request::Reset).unwrap();
    });
    assert_eq!(step.answers[0], Some(Err(Refusal::PowerReturns)));
    assert_eq!((step.rung, step.relay), (Rung::Hold, Relay::Hold));
    // Nothing of it is left after a reset.
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
    assert_eq!(rig.tick().rung, Rung::Hold);
}

#[test]
fn a_joint_that_drives_away_from_its_goal_stops_the_arm_without_waiting() {
    let mut rig = Rig::started();
    let stopped = |step: &Step<JointCommand>| step.cause.is_some();
    let before = rig.now;
    let step = drive_on(&mut rig, 0.6, stopped).unwrap();
    assert!(matches!(
        step.cause,
        Some(Cause::FollowingError { joint: 1, .. })
    ));
    assert!(rig.now.secs_from(before) < 0.15);
}

#[test]
fn a_joint_that_falls_or_is_pushed_does_not_have_the_others_dropped() {
    for drive in [0.0, -0.6] {
        let mut rig = Rig::moving();
        assert_eq!(rig.ask(Request::Stop), Ok(Request::Stop));
        let never = |step: &Step<JointCommand>| step.rung != Rung::Hold;
        assert!(drive_on(&mut rig, drive, never).is_none(), "{drive}");
        assert_eq!(rig.core.torque(), Torque::On);
    }
}

#[test]
fn a_joint_that_moves_or_can_not_be_read_is_not_known_to_stand() {
    let mut rig = Rig::started();
    assert_eq!(rig.ask(Request::Stop), Ok(Request::Stop));
    let step = rig.tick_with(|inputs| lose(inputs, 4, ReadFault::Timeout));
    assert_eq!(step.not_standing, set(&[4]));
    assert!(rig.tick().not_standing.is_empty());
}
