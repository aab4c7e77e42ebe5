//! The bus against simulated servos of the X series.

use std::time::Duration;

use surehand::arm::Family;
use surehand::bus::dynamixel::model::{MODELS, Model as Known};
use surehand::bus::register::Torque;
use surehand::bus::transaction::deadline_in;
use surehand::bus::{
    Bus, GoalError, HeldGoal, RawReading, Ready, TorqueError, TorqueFault, Trouble, Watchdogs,
};
use surehand::control::{JointReading, ReadFault};
use surehand::units::JointSet;
use surehand_sim::faults::Fault;
use surehand_sim::servo::Model;

use super::arm::{Arm, POSE};
use super::{allocations, settings_of, soon, standing_at, troubles};

fn arm() -> Arm {
    Arm::of(Family::Dynamixel, |_| ())
}

/// First registers of the writes among `frames`.
fn written(frames: &[Vec<u8>]) -> Vec<u16> {
    let writes = frames
        .iter()
        .filter(|frame| matches!(frame.get(7), Some(0x03 | 0x83)));
    writes
        .filter_map(|frame| Some(u16::from_le_bytes([*frame.get(8)?, *frame.get(9)?])))
        .collect()
}

fn with_watchdogs(arm: &Arm) -> Bus<Ready> {
    let settings: Vec<_> = settings_of(Family::Dynamixel)
        .into_iter()
        .map(|settings| settings.watched(5))
        .collect();
    arm.find().ready(&settings).unwrap()
}

#[test]
fn a_good_arm_comes_up_without_torque_goals_or_eeprom_writes() {
    let arm = arm();
    let found = arm.find();
    assert_eq!(troubles(&found), []);
    let tested: Vec<_> = found
        .servos()
        .iter()
        .map(|servo| servo.tested_as(Family::Dynamixel))
        .collect();
    assert_eq!(tested, [Some(("XL430-W250", 45)); 6]);
    arm.sent();
    let mut bus = found.ready(&settings_of(Family::Dynamixel)).unwrap();
    assert_eq!(bus.torque(), Torque::Off);
    assert_eq!(bus.torque_held(soon()).as_slice(), [Some(false); 6]);
    // The watchdog off, acceleration, speed, drive, the watchdog as it is to be.
    assert_eq!(written(&arm.sent()), [98, 108, 112, 100, 98]);
    assert_eq!(arm.register(2, 108), 27);
    assert_eq!(arm.register(2, 112), 84);
}

#[test]
fn positions_supply_and_heat_come_through() {
    for shared in [false, true] {
        let arm = arm();
        let mut bus = arm.ready();
        if shared {
            bus.share_replies();
        }
        arm.sent();
        let raw = bus.read(soon());
        let instructions: Vec<u8> = arm.sent().iter().map(|frame| frame[7]).collect();
        assert_eq!(instructions, [if shared { 0x8A } else { 0x82 }]);
        let joints = bus.in_joint_units(&raw);
        for (joint, (reading, pose)) in joints.iter().zip(POSE).enumerate() {
            let JointReading::Fresh {
                position,
                voltage,
                temperature,
                errors,
                ..
            } = reading
            else {
                panic!("joint {joint}: {reading:?}");
            };
            assert!((position.0 - pose).abs() < 0.0016, "joint {joint}");
            assert!((voltage.0 - 7.4).abs() < 0.2, "joint {joint}");
            assert!((temperature.0 - 30.0).abs() < 1.0, "joint {joint}");
            assert_eq!(*errors, 0);
        }
    }
}

#[test]
fn torque_comes_on_only_after_the_goal_and_goes_off_by_a_broadcast() {
    let arm = arm();
    let mut bus = arm.ready();
    arm.sent();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    assert_eq!(written(&arm.sent()), [116, 64]);
    bus.write_goals(&standing_at(POSE), soon()).unwrap();
    assert_eq!(bus.audit(3, soon()), Ok(HeldGoal::AsWritten));
    bus.torque_off(soon()).unwrap();
    let refused = bus.write_goals(&standing_at(POSE), soon());
    assert_eq!(refused, Err(GoalError::TorqueOff));
    assert_eq!(bus.torque_held(soon()).as_slice(), [Some(false); 6]);
    let sent = arm.sent();
    let last = sent.iter().rposition(|frame| frame[7] == 0x03).unwrap();
    assert_eq!(sent[last][4..8], [0xFE, 6, 0, 0x03]);
    assert_eq!(sent[last][8..11], [64, 0, 0]);
}

#[test]
fn what_is_wrong_with_a_servo_is_named() {
    let arm = Arm::of(Family::Dynamixel, |setups| {
        setups[2].homing_offset = -200;
        setups[5].range_max = 2600;
    });
    // Return delay, velocity mode, reversed, a second id.
    for (servo, address, value) in [(0, 9, 250), (0, 11, 1), (1, 10, 1), (3, 12, 2)] {
        arm.write_x(servo, address, &[value]);
    }
    arm.suffer(&Fault::Overload { id: 5 });
    let found = arm.find();
    let troubles = troubles(&found);
    let has = |id, wanted: &dyn Fn(&Trouble) -> bool| {
        let found = troubles
            .iter()
            .any(|(it, trouble)| *it == Some(id) && wanted(trouble));
        assert!(found, "{id}: {troubles:?}");
    };
    has(1, &|it| matches!(it, Trouble::ReturnDelay { .. }));
    has(1, &|it| matches!(it, Trouble::Mode { found: 1, .. }));
    has(2, &|it| {
        matches!(it, Trouble::DriveMode { found: 1, right: 0 })
    });
    has(3, &|it| {
        matches!(
            it,
            Trouble::HomingOffset {
                found: -200,
                expected: -212
            }
        )
    });
    has(4, &|it| matches!(it, Trouble::SecondId { found: 2 }));
    has(5, &|it| matches!(it, Trouble::Errors { bits: 0xA0 }));
    has(6, &|it| {
        matches!(
            it,
            Trouble::Range {
                found: (1421, 2600),
                ..
            }
        )
    });
    assert_eq!(troubles.len(), 7, "{troubles:?}");
    let said: Vec<String> = found.problems().iter().map(ToString::to_string).collect();
    assert!(
        said.iter().any(|line| line.contains("reports overload")),
        "{said:?}"
    );
}

#[test]
fn a_feetech_bus_hears_nothing_from_them_and_the_other_way_round() {
    let arm = Arm::new();
    let port = surehand::bus::Port::open(arm.path(), super::BAUD, Family::Dynamixel).unwrap();
    let found = Bus::new(port, super::calibration(Family::Dynamixel)).find();
    assert!(
        troubles(&found)
            .iter()
            .all(|(_, it)| *it == Trouble::Silent)
    );
}

#[test]
fn a_servo_that_restarted_is_found_by_its_registers() {
    let arm = arm();
    let mut bus = arm.ready();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    arm.suffer(&Fault::Brownout { id: 4 });
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(bus.audit(0, soon()), Ok(HeldGoal::AsWritten));
    let fault = TorqueFault::Differs {
        address: 64,
        expected: 1,
        found: 0,
    };
    assert_eq!(
        bus.audit(3, soon()),
        Err(TorqueError::NotTaken { joint: 3, fault })
    );
    bus.configure(soon()).unwrap();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    assert_eq!(bus.audit(3, soon()), Ok(HeldGoal::AsWritten));
}

#[test]
fn an_alert_is_read_with_the_error_it_is_for() {
    let arm = arm();
    let mut bus = arm.ready();
    arm.suffer(&Fault::Overload { id: 2 });
    let reading = bus.read(soon()).get(1).unwrap();
    assert!(
        matches!(reading, RawReading::Fresh { errors: 0xA0, .. }),
        "{reading:?}"
    );
}

#[test]
fn a_tripped_watchdog_is_told_and_set_right_with_the_goal() {
    let arm = arm();
    let mut bus = with_watchdogs(&arm);
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    let all = bus.watched();
    assert_eq!(all, JointSet::all(6));
    arm.suffer(&Fault::Watchdog { id: 3 });
    let said = bus.ask_watchdogs(all, soon());
    let mut third = JointSet::default();
    third.insert(2);
    assert_eq!(said.tripped, third);
    assert!(bus.audit(2, soon()).is_ok(), "it is no restart");
    arm.sent();
    bus.clear_watchdogs(third, &standing_at(POSE), soon())
        .unwrap();
    let well = Watchdogs {
        tripped: JointSet::default(),
        well: all,
    };
    assert_eq!(bus.ask_watchdogs(all, soon()), well);
    assert_eq!(written(&arm.sent()), [98, 100, 116, 98]);
    assert_eq!(bus.audit(2, soon()), Ok(HeldGoal::AsWritten));
}

#[test]
fn a_silent_host_trips_every_watchdog_and_a_new_one_sets_them_right() {
    let arm = arm();
    let mut bus = with_watchdogs(&arm);
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    drop(bus);
    std::thread::sleep(Duration::from_millis(150));
    arm.drive();
    let tripped: Vec<u8> = (0..6).map(|servo| arm.register(servo, 98)).collect();
    assert_eq!(tripped, [0xFF; 6]);
    let mut bus = with_watchdogs(&arm);
    assert_eq!(bus.torque(), Torque::On);
    let all = bus.watched();
    assert!(bus.ask_watchdogs(all, soon()).tripped.is_empty());
}

#[test]
fn damaged_lines_give_right_values_or_none() {
    for shared in [false, true] {
        let arm = arm();
        let mut bus = arm.ready();
        let truth: Vec<_> = bus.read(soon()).iter().copied().collect();
        for fault in [
            Fault::Corrupt { rate: 0.3 },
            Fault::Truncate { rate: 0.3 },
            Fault::Drop { rate: 0.3 },
            Fault::Noise { rate: 0.5 },
        ] {
            arm.suffer(&fault);
            for _ in 0..40 {
                if shared {
                    bus.share_replies();
                }
                let read = bus.read(deadline_in(Duration::from_millis(10)));
                for (reading, truth) in read.iter().zip(&truth) {
                    let right = match reading {
                        RawReading::Fresh { .. } => reading == truth,
                        RawReading::Missing(fault) => *fault != ReadFault::Port,
                    };
                    assert!(right, "{fault:?}: {reading:?}");
                }
            }
            arm.recover();
        }
    }
}

#[test]
fn a_silent_servo_in_a_shared_frame_is_alone_in_the_readings_after_it() {
    let arm = arm();
    let mut bus = arm.ready();
    bus.share_replies();
    arm.suffer(&Fault::Silence {
        id: 3,
        for_ms: None,
    });
    let missing = |bus: &mut Bus<Ready>| -> Vec<usize> {
        let read = bus.read(deadline_in(Duration::from_millis(30)));
        let missing = read.iter().enumerate();
        missing
            .filter(|(_, reading)| matches!(reading, RawReading::Missing(_)))
            .map(|(joint, _)| joint)
            .collect()
    };
    assert_eq!(missing(&mut bus), [2, 3, 4, 5]);
    assert_eq!(missing(&mut bus), [2]);
}

#[test]
fn every_rate_is_spoken() {
    for (code, baud) in [(1, 57_600), (2, 115_200), (4, 2_000_000), (6, 4_000_000)] {
        let arm = arm();
        for servo in 0..6 {
            arm.write_x(servo, 8, &[code]);
        }
        arm.set_baud(baud);
        let port = surehand::bus::Port::open(arm.path(), baud, Family::Dynamixel).unwrap();
        let found = Bus::new(port, super::calibration(Family::Dynamixel)).find();
        assert_eq!(troubles(&found), [], "{baud} baud");
    }
}

#[test]
fn both_sides_know_the_same_models() {
    for model in [
        Model::Xl330M077,
        Model::Xl330M288,
        Model::Xl430W250,
        Model::Xc430W150,
        Model::Xm430W350,
        Model::Xm540W270,
    ] {
        let arm = Arm::of(Family::Dynamixel, |setups| {
            setups.iter_mut().for_each(|setup| setup.model = model);
        });
        let number = i32::from(arm.register(0, 0)) | i32::from(arm.register(0, 1)) << 8;
        let known = Known::of(number).unwrap();
        assert_eq!(Known::named(model.name()), Some(known));
    }
    assert_eq!(MODELS.len(), 9);
}

#[test]
fn a_tick_allocates_nothing_whatever_goes_wrong() {
    let arm = arm();
    let mut bus = with_watchdogs(&arm);
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    let command = standing_at(POSE);
    let mut tick = |tick: usize| {
        let deadline = || deadline_in(Duration::from_millis(5));
        let readings = bus.read(deadline());
        let _ = bus.in_joint_units(&readings);
        let _ = bus.write_goals(&command, soon());
        let _ = bus.audit(tick, deadline());
        bus.ask_health(tick, deadline());
        let all = bus.watched();
        let said = bus.ask_watchdogs(all, deadline());
        let _ = bus.clear_watchdogs(said.tripped, &command, deadline());
        bus.share_replies();
    };
    for fault in [
        None,
        Some(Fault::Watchdog { id: 1 }),
        Some(Fault::Noise { rate: 0.5 }),
        Some(Fault::Corrupt { rate: 0.5 }),
    ] {
        if let Some(fault) = &fault {
            arm.suffer(fault);
        }
        let ((), counted) = allocations::count(|| (0..12).for_each(&mut tick));
        assert_eq!(counted, 0, "{fault:?}");
    }
}
