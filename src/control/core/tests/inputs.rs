//! Emergency stops, enabling switches and hold-to-run: what they stop and what they refuse.

use super::*;
use crate::arm::{AfterStop, Parking};

const PRESSED: SafetyInputs = SafetyInputs {
    pressed: Some(1),
    broken: None,
    not_enabled: None,
};
const BROKEN: SafetyInputs = SafetyInputs {
    pressed: None,
    broken: Some(2),
    not_enabled: None,
};
const NOT_ENABLED: SafetyInputs = SafetyInputs {
    pressed: None,
    broken: None,
    not_enabled: Some(0),
};

/// What these inputs are a cause for in every mode.
const STOPS: [(SafetyInputs, Cause, Refusal); 2] = [
    (
        PRESSED,
        Cause::EmergencyStop { input: 1 },
        Refusal::Pressed { input: 1 },
    ),
    (
        BROKEN,
        Cause::InputBroken { input: 2 },
        Refusal::InputBroken { input: 2 },
    ),
];

/// Held running at full speed, the holder heard in this very tick.
fn held(change: impl FnOnce(&mut crate::control::CoreConfig)) -> Rig {
    let mut rig = Rig::with(change);
    rig.tick();
    rig.ask(Request::Reset).unwrap();
    rig.ask(Request::Enable).unwrap();
    rig.hold = Some(rig.now);
    rig.ask(Request::StartHeld).unwrap();
    rig.plan = Some(rig.sweep(1.0));
    for _ in 0..80 {
        rig.hold = Some(rig.now);
        rig.tick();
    }
    assert!(rig.speed() > 0.5);
    rig
}

#[test]
fn an_emergency_stop_and_a_broken_wire_stop_a_moving_arm_in_the_same_tick() {
    for (inputs, cause, _) in STOPS {
        let mut rig = Rig::moving();
        rig.safety = inputs;
        let step = rig.tick();
        assert_eq!((step.mode, step.cause), (Mode::Stopping, Some(cause)));
        let step = rig.until_stopped();
        assert_eq!(step.cause, Some(cause));
        assert!(step.command.is_some(), "it holds with torque on");
    }
}

#[test]
fn they_latch_from_every_live_mode() {
    for (inputs, cause, _) in STOPS {
        let mut rig = Rig::new();
        rig.tick();
        rig.ask(Request::Reset).unwrap();
        rig.safety = inputs;
        let step = rig.tick();
        assert_eq!(
            (step.mode, step.cause),
            (Mode::Stopped, Some(cause)),
            "idle"
        );

        let mut rig = Rig::new();
        rig.tick();
        rig.ask(Request::Reset).unwrap();
        rig.ask(Request::Enable).unwrap();
        rig.safety = inputs;
        let step = rig.tick();
        // Holding: it stands already.
        assert_eq!((step.mode, step.cause), (Mode::Stopped, Some(cause)));
    }
}

#[test]
fn a_reset_is_refused_while_they_last_and_releasing_them_resets_nothing() {
    for (inputs, cause, refusal) in STOPS {
        let mut rig = Rig::moving();
        rig.safety = inputs;
        rig.until_stopped();
        assert_eq!(rig.ask(Request::Reset), Err(refusal));
        rig.safety = SafetyInputs::default();
        let step = rig.run(200);
        assert_eq!((step.mode, step.cause), (Mode::Stopped, Some(cause)));
        assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
        assert_eq!(rig.run(100).plan_id, 0, "nothing moves");
    }
}

#[test]
fn one_that_is_pressed_while_stopped_for_something_else_keeps_the_arm_stopped() {
    let mut rig = Rig::new();
    rig.safety = PRESSED;
    let step = rig.run(3);
    assert_eq!(step.cause, Some(Cause::Boot), "the first cause is kept");
    let refusal = Refusal::Pressed { input: 1 };
    assert_eq!(rig.ask(Request::Reset), Err(refusal));
}

#[test]
fn an_enabling_switch_let_go_stops_a_run() {
    let mut rig = Rig::moving();
    rig.safety = NOT_ENABLED;
    let step = rig.tick();
    let cause = Cause::NotEnabled { input: 0 };
    assert_eq!((step.mode, step.cause), (Mode::Stopping, Some(cause)));
    rig.until_stopped();
    // A reset moves nothing: it needs no enabling.
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
    let refusal = Refusal::NotEnabled { input: 0 };
    assert_eq!(rig.ask(Request::Start), Err(refusal));
    rig.safety = SafetyInputs::default();
    assert_eq!(rig.ask(Request::Start), Ok(Request::Start));
}

#[test]
fn without_an_enabling_switch_torque_stays_off_and_a_standing_arm_stands() {
    let mut rig = Rig::new();
    rig.safety = NOT_ENABLED;
    rig.tick();
    rig.ask(Request::Reset).unwrap();
    let refusal = Refusal::NotEnabled { input: 0 };
    assert_eq!(rig.ask(Request::Enable), Err(refusal));
    rig.safety = SafetyInputs::default();
    rig.ask(Request::Enable).unwrap();
    rig.safety = NOT_ENABLED;
    assert_eq!(rig.run(50).mode, Mode::Holding);
}

#[test]
fn a_held_run_stops_within_100_ms_of_the_last_heartbeat() {
    let mut rig = held(|_| {});
    let heard_at = rig.hold.unwrap();
    let step = loop {
        let step = rig.tick();
        if step.mode != Mode::Running {
            break step;
        }
        rig.plan = Some(rig.sweep(0.1));
    };
    assert!(matches!(step.cause, Some(Cause::HoldLost { silent_ms }) if silent_ms > 75));
    assert!(rig.now.since(heard_at) <= 100_000_000, "{step:?}");
}

#[test]
fn a_holder_whose_connection_closed_is_gone_at_once() {
    let mut rig = held(|_| {});
    rig.hold = None;
    let step = rig.tick();
    let cause = Cause::HoldLost { silent_ms: 0 };
    assert_eq!((step.mode, step.cause), (Mode::Stopping, Some(cause)));
}

#[test]
fn a_machine_that_holds_everybody_up_does_not_end_the_hold() {
    let mut rig = held(|config| config.monitors.missed_ticks = 60);
    rig.link = None;
    rig.now = rig.now.offset_secs(0.04);
    rig.tick_with(|inputs| inputs.missed = 8);
    // 40 ms of the silence were the machine's.
    for _ in 0..16 {
        assert_eq!(rig.tick().mode, Mode::Running);
    }
    let step = rig.tick();
    assert!(
        matches!(step.cause, Some(Cause::HoldLost { .. })),
        "{step:?}"
    );
}

#[test]
fn letting_go_in_order_is_a_pause_and_holding_again_goes_on() {
    let mut rig = held(|_| {});
    rig.ask(Request::Pause).unwrap();
    rig.hold = None;
    assert_eq!(rig.run(100).mode, Mode::Holding);
    assert_eq!(rig.ask(Request::StartHeld), Err(Refusal::HoldNeeded));
    rig.hold = Some(rig.now);
    assert_eq!(rig.ask(Request::StartHeld), Ok(Request::StartHeld));
}

#[test]
fn a_run_that_is_not_held_needs_no_holder_unless_the_cell_wants_one() {
    let mut rig = Rig::moving();
    rig.hold = Some(rig.now);
    rig.tick();
    rig.hold = None;
    assert_eq!(rig.tick().mode, Mode::Running);

    let mut rig = Rig::with(|config| config.hold_to_run = true);
    rig.tick();
    rig.ask(Request::Reset).unwrap();
    rig.ask(Request::Enable).unwrap();
    rig.hold = Some(rig.now);
    assert_eq!(rig.ask(Request::Start), Err(Refusal::HoldNeeded));
    assert_eq!(rig.ask(Request::StartHeld), Ok(Request::StartHeld));
}

#[test]
fn a_pressed_emergency_stop_takes_motor_power_when_the_arm_stands() {
    let mut rig = Rig::moving();
    rig.safety = PRESSED;
    assert_eq!(rig.tick().relay, Relay::Hold, "it brakes first");
    assert_eq!(rig.until_stopped().relay, Relay::Drop);
    rig.safety = SafetyInputs::default();
    assert_eq!(rig.run(100).relay, Relay::Drop, "releasing it is no reset");
    // Without power the servos are silent: the first reset gives it back, the next resets.
    let dead = |inputs: &mut Inputs<'_>| lose(inputs, 2, ReadFault::Timeout);
    let step = rig.tick_with(|inputs| {
        dead(inputs);
        inputs.signals.requests.push(Request::Reset).unwrap();
    });
    assert_eq!(step.answers[0], Some(Err(Refusal::PowerReturns)));
    assert_eq!((step.mode, step.relay), (Mode::Stopped, Relay::Hold));
    assert_eq!(rig.ask(Request::Reset), Ok(Request::Reset));
}

#[test]
fn a_broken_wire_leaves_motor_power_on() {
    let mut rig = Rig::moving();
    rig.safety = BROKEN;
    assert_eq!(rig.until_stopped().relay, Relay::Hold);
}

/// Holding, in a cell with a park pose.
fn with_parking(change: impl FnOnce(&mut crate::control::CoreConfig)) -> Rig {
    let mut rig = Rig::with(|config| {
        let pose = [0.8, -1.2, 1.0, 0.6, 0.0, 0.2].map(|at| Some(Rad(at)));
        config.parking = Some(Parking {
            pose: pose.into_iter().collect(),
            speed: 0.5,
            at_exit: AfterStop::Park,
            when_hot: AfterStop::Park,
        });
        change(config);
    });
    rig.tick();
    rig.ask(Request::Reset).unwrap();
    rig.ask(Request::Enable).unwrap();
    rig
}

#[test]
fn an_arm_that_an_input_has_stopped_is_not_put_away_by_itself() {
    let mut rig = with_parking(|_| {});
    rig.ask(Request::Start).unwrap();
    rig.plan = Some(rig.sweep(1.0));
    rig.run(80);
    rig.ask(Request::Shutdown).unwrap();
    // A press in passing, while it brakes for something else.
    rig.safety = PRESSED;
    rig.tick();
    rig.safety = SafetyInputs::default();
    let step = rig.until_stopped();
    assert_eq!(step.cause, Some(Cause::Shutdown));
    assert_eq!(rig.run(100).mode, Mode::Stopped);
}

#[test]
fn putting_the_arm_away_is_motion_and_needs_what_motion_needs() {
    let mut rig = with_parking(|_| {});
    rig.safety = NOT_ENABLED;
    let refusal = Refusal::NotEnabled { input: 0 };
    assert_eq!(rig.ask(Request::Park), Err(refusal));
    rig.safety = SafetyInputs::default();
    rig.ask(Request::Park).unwrap();
    assert_eq!(rig.run(20).mode, Mode::Parking);
    rig.safety = NOT_ENABLED;
    let cause = Cause::NotEnabled { input: 0 };
    assert_eq!(rig.tick().cause, Some(cause));

    let mut rig = with_parking(|config| config.hold_to_run = true);
    assert_eq!(rig.ask(Request::Park), Err(Refusal::HoldNeeded));
    rig.hold = Some(rig.now);
    rig.ask(Request::Park).unwrap();
    rig.hold = None;
    let cause = Cause::HoldLost { silent_ms: 0 };
    assert_eq!(rig.tick().cause, Some(cause));
    assert_eq!(rig.run(100).mode, Mode::Stopped);
}
