//! Putting the arm away: who may ask for it, what follows a stop by itself, and what ends it.

use super::*;
use crate::arm::{AfterStop, Block, Parking, Space};
use crate::control::Clearance;

const POSE: [f64; 6] = [0.8, -1.2, 1.0, 0.6, 0.0, 0.2];

fn parking() -> Parking {
    Parking {
        pose: POSE.map(|at| Some(Rad(at))).into_iter().collect(),
        speed: 0.5,
        at_exit: AfterStop::Park,
        when_hot: AfterStop::Park,
    }
}

fn holding(change: impl FnOnce(&mut crate::control::CoreConfig)) -> Rig {
    let mut rig = Rig::with(|config| {
        config.parking = Some(parking());
        change(config);
    });
    rig.tick();
    for request in [Request::Reset, Request::Enable] {
        assert_eq!(rig.ask(request), Ok(request));
    }
    rig
}

fn moving() -> Rig {
    let mut rig = holding(|_| {});
    assert_eq!(rig.ask(Request::Start), Ok(Request::Start));
    rig.plan = Some(rig.sweep(1.0));
    rig.run(80);
    assert!(rig.speed() > 0.5, "{}", rig.speed());
    rig
}

/// Ticks until the mode is no more `from`, at most 30 seconds.
fn until_not(rig: &mut Rig, from: Mode) -> crate::control::Step<crate::control::JointCommand> {
    for _ in 0..6000 {
        let step = rig.tick();
        if step.mode != from {
            return step;
        }
    }
    panic!("it is {from} for ever");
}

fn away_from_pose(rig: &Rig) -> f64 {
    let away = rig
        .positions
        .iter()
        .zip(POSE)
        .map(|(at, pose)| (at - pose).abs());
    away.fold(0.0, f64::max)
}

#[test]
fn a_parked_arm_is_limp_at_its_pose_and_latched() {
    for mut rig in [holding(|_| {}), moving()] {
        assert_eq!(rig.ask(Request::Park), Ok(Request::Park));
        let step = until_not(&mut rig, Mode::Parking);
        assert_eq!(
            (step.mode, step.cause),
            (Mode::Stopped, Some(Cause::Parked))
        );
        assert_eq!(step.torque, TorqueAct::Release);
        assert!(
            step.command.is_none(),
            "a goal would switch torque on again"
        );
        assert!(away_from_pose(&rig) < 0.01, "{}", away_from_pose(&rig));
        assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
        assert_eq!(rig.mode(), Mode::Idle);
    }
}

#[test]
fn joints_without_a_park_position_stay_where_they_are() {
    let mut rig = holding(|config| {
        let pose = &mut config.parking.as_mut().unwrap().pose;
        pose.as_mut_slice()[5] = None;
    });
    let gripper = rig.positions.as_slice()[5];
    assert_eq!(rig.ask(Request::Park), Ok(Request::Park));
    until_not(&mut rig, Mode::Parking);
    assert!((rig.positions.as_slice()[5] - gripper).abs() < 1e-6);
}

#[test]
fn parking_is_refused_without_a_pose_out_of_a_latch_and_to_a_limp_arm() {
    let mut rig = Rig::started();
    assert_eq!(rig.ask(Request::Park), Err(Refusal::NoParkPose));
    let mut rig = holding(|_| {});
    assert_eq!(rig.ask(Request::Stop), Ok(Request::Stop));
    rig.until_stopped();
    assert_eq!(rig.ask(Request::Park), Err(Refusal::WrongMode));
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
    assert_eq!(rig.ask(Request::Release), Ok(Request::Release));
    assert_eq!(rig.ask(Request::Park), Err(Refusal::WrongMode));
}

#[test]
fn a_reply_lost_as_the_arm_comes_to_stand_delays_its_parking_and_no_more() {
    // Without the loss it takes as long to stand.
    let ticks = {
        let mut rig = moving();
        rig.tick_with(|inputs| inputs.signals.told_to_end = true);
        (1..).find(|_| rig.tick().mode == Mode::Parking).unwrap()
    };
    for lost in [1, 20] {
        let mut rig = moving();
        rig.tick_with(|inputs| inputs.signals.told_to_end = true);
        for tick in 1..ticks + lost {
            let step = if tick < ticks {
                rig.tick()
            } else {
                rig.tick_with(|inputs| lose(inputs, 2, ReadFault::Timeout))
            };
            assert_eq!(step.mode, Mode::Stopping, "tick {tick} of {ticks}");
        }
        assert_eq!(rig.tick().mode, Mode::Parking, "{lost} lost");
    }
}

#[test]
fn the_end_of_a_run_parks_the_arm_before_the_guard_may_end() {
    for by_signal in [true, false] {
        let mut rig = moving();
        let step = rig.tick_with(|inputs| {
            inputs.signals.told_to_end = by_signal;
            if !by_signal {
                inputs.signals.requests.push(Request::Shutdown).unwrap();
            }
        });
        assert_eq!((step.mode, step.may_exit), (Mode::Stopping, false));
        let mut parked = false;
        for _ in 0..6000 {
            // The second signal and the second request shorten nothing.
            let step = rig.tick_with(|inputs| {
                inputs.signals.told_to_end = by_signal;
                inputs.signals.requests.push(Request::Shutdown).unwrap();
            });
            parked |= step.mode == Mode::Parking;
            if step.may_exit {
                assert_eq!(step.torque, TorqueAct::Release);
                break;
            }
            assert!(matches!(step.mode, Mode::Stopping | Mode::Parking));
        }
        assert!(parked && away_from_pose(&rig) < 0.01);
    }
}

#[test]
fn an_arm_that_was_stopped_for_a_reason_is_not_moved_because_the_run_ends() {
    let mut rig = moving();
    assert_eq!(rig.ask(Request::Stop), Ok(Request::Stop));
    rig.until_stopped();
    let step = rig.tick_with(|inputs| inputs.signals.told_to_end = true);
    assert_eq!((step.mode, step.may_exit), (Mode::Stopped, true));
    assert_eq!(rig.core.torque(), Torque::On, "it holds");
}

#[test]
fn a_stop_on_the_way_is_a_stop_and_the_arm_holds() {
    let mut rig = holding(|_| {});
    rig.tick_with(|inputs| inputs.signals.told_to_end = true);
    until_not(&mut rig, Mode::Stopping);
    rig.run(60);
    assert!(rig.speed() > 0.1);
    assert_eq!(rig.ask(Request::Stop), Ok(Request::Stop));
    let step = rig.until_stopped();
    assert_eq!(step.cause, Some(Cause::OperatorStop));
    assert!(step.may_exit);
    assert_eq!(rig.core.torque(), Torque::On);
}

#[test]
fn what_goes_wrong_on_the_way_is_told_and_the_arm_holds() {
    let mut rig = holding(|_| {});
    assert_eq!(rig.ask(Request::Park), Ok(Request::Park));
    rig.run(60);
    rig.blocked = Some(1);
    let step = until_not(&mut rig, Mode::Parking);
    assert!(
        matches!(step.cause, Some(Cause::FollowingError { joint: 1, .. })),
        "{:?}",
        step.cause
    );
    assert_eq!(rig.until_stopped().mode, Mode::Stopped);
    assert_eq!(rig.core.torque(), Torque::On);
}

#[test]
fn a_hot_arm_stops_is_put_away_and_let_go() {
    let mut rig = moving();
    let hot = |inputs: &mut Inputs<'_>| alter(inputs, 1, |_, _, celsius, _| *celsius = 70.0);
    let mut seen = Vec::new();
    for _ in 0..6000 {
        let step = rig.tick_with(hot);
        seen.push(step.mode);
        if step.mode == Mode::Stopped {
            assert!(matches!(step.cause, Some(Cause::Overheat { joint: 1, .. })));
            break;
        }
    }
    seen.dedup();
    let way = [Mode::Running, Mode::Stopping, Mode::Parking, Mode::Stopped];
    assert_eq!(seen, way);
    assert!(away_from_pose(&rig) < 0.01);
    assert_eq!(rig.core.torque(), Torque::Off);
}

/// On the way from the left to the right, the arm stretched out, with `post` in between.
fn with_a_post(post: Block) -> Rig {
    let across = |pan| [pan, 0.2, 0.2, 0.6, 0.0, 0.2];
    let mut rig = Rig::with(|config| {
        let mut keep_out = heapless::Vec::new();
        keep_out.push(post).unwrap();
        let space = Space {
            keep_out,
            ..Space::default()
        };
        config.clearance = Clearance::new(&config.model, space);
        config.parking = Some(Parking {
            pose: across(-1.0).map(|at| Some(Rad(at))).into_iter().collect(),
            ..parking()
        });
    });
    rig.positions = across(1.0).into_iter().collect();
    rig.tick();
    for request in [Request::Reset, Request::Enable, Request::Park] {
        assert_eq!(rig.ask(request), Ok(request));
    }
    rig
}

#[test]
fn the_way_leads_round_a_box_and_keeps_clear_of_it() {
    let mut rig = with_a_post(Block {
        min: [0.15, -0.05, -0.1],
        max: [0.5, 0.05, 0.25],
    });
    let config = rig.core.config().clone();
    let (mut least, mut seen) = (f64::INFINITY, Mode::Parking);
    for _ in 0..20_000 {
        let step = rig.tick();
        if let Some(command) = step.command {
            let room = config.clearance.of(&config.model, &command.positions());
            least = least.min(room.least());
        }
        seen = step.mode;
        if seen != Mode::Parking {
            assert_eq!(step.cause, Some(Cause::Parked));
            break;
        }
    }
    assert_eq!(seen, Mode::Stopped);
    assert!(least >= 0.0, "{least}");
    let pan = rig.positions.as_slice()[0];
    assert!((pan + 1.0).abs() < 0.01, "{pan}");
}

#[test]
fn where_no_way_is_free_the_arm_holds_and_says_so() {
    let mut rig = with_a_post(Block {
        min: [0.05, -0.01, -1.0],
        max: [1.0, 0.01, 1.0],
    });
    let before = rig.positions;
    let step = until_not(&mut rig, Mode::Parking);
    assert_eq!(step.cause, Some(Cause::NoWayToPark));
    assert_eq!(rig.until_stopped().mode, Mode::Stopped);
    let moved = before
        .iter()
        .zip(&rig.positions)
        .any(|(a, b)| (a - b).abs() > 1e-9);
    assert!(!moved, "{before:?} {:?}", rig.positions);
    assert_eq!(rig.core.torque(), Torque::On);
}

#[test]
fn a_hot_arm_that_can_not_be_moved_is_not_put_away() {
    let broken: [fn(&mut Inputs<'_>); 4] = [
        |inputs| lose(inputs, 3, ReadFault::Timeout),
        |inputs| alter(inputs, 3, |_, volts, _, _| *volts = 0.0),
        |inputs| alter(inputs, 3, |_, _, _, errors| *errors = 0x20),
        |inputs| inputs.restarted = Some(3),
    ];
    for strike in broken {
        let mut rig = moving();
        let hot = |inputs: &mut Inputs<'_>| alter(inputs, 1, |_, _, celsius, _| *celsius = 70.0);
        while rig.tick_with(hot).mode == Mode::Running {}
        for _ in 0..600 {
            let step = rig.tick_with(|inputs| {
                hot(inputs);
                strike(inputs);
            });
            assert_ne!(step.mode, Mode::Parking);
        }
        assert_eq!(rig.mode(), Mode::Stopped);
    }
}
