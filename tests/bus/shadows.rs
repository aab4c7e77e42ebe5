//! A joint that two servos drive, against simulated servos: the second obeys the first one's id.

use surehand::arm::Family;
use surehand::bus::register::Torque;
use surehand::bus::{Bus, Found, HeldGoal, RawReading, Ready, TorqueError, TorqueFault, Trouble};
use surehand::control::ReadFault;
use surehand_sim::faults::Fault;

use super::arm::{Arm, DOUBLED, POSE};
use super::{calibration_with, settings_of, soon, standing_at, troubles};

/// Register 12.
const SECONDARY_ID: u16 = 12;
const SECOND: usize = 6;
const ENTRY: &str = "\"shoulder_lift_shadow\": {\"id\": 7, \"drive_mode\": 0, \"homing_offset\": 140, \"range_min\": 909, \"range_max\": 3185}";

/// Six joints, of which one has a second servo with id 7 that obeys `first` as well.
fn doubled(first: u8) -> Arm {
    let arm = Arm::of(Family::Dynamixel, |setups| {
        let mut second = setups[DOUBLED].clone();
        second.name += "_shadow";
        second.id = 7;
        setups.push(second);
    });
    arm.write_x(SECOND, SECONDARY_ID, &[first]);
    arm
}

fn find(arm: &Arm) -> Bus<Found> {
    arm.find_as(calibration_with(ENTRY).unwrap())
}

fn ready(arm: &Arm) -> Bus<Ready> {
    find(arm).ready(&settings_of(Family::Dynamixel)).unwrap()
}

#[test]
fn a_second_servo_takes_what_the_first_is_told() {
    let arm = doubled(2);
    let found = find(&arm);
    assert_eq!(troubles(&found), []);
    assert_eq!(found.seconds().len(), 1);
    let mut bus = found.ready(&settings_of(Family::Dynamixel)).unwrap();
    assert_eq!(arm.register(SECOND, 108), arm.register(DOUBLED, 108));
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    assert_eq!((bus.torque(), arm.register(SECOND, 64)), (Torque::On, 1));
    assert_eq!(arm.register(SECOND, 116), arm.register(DOUBLED, 116));
    assert_eq!(bus.audit(DOUBLED, soon()), Ok(HeldGoal::AsWritten));
    assert_eq!(bus.torque_held(soon()).as_slice(), [Some(true); 6]);
    bus.torque_off(soon()).unwrap();
    assert_eq!(bus.torque_held(soon()).as_slice(), [Some(false); 6]);
}

#[test]
fn a_second_servo_that_would_not_obey_or_works_against_the_first_is_refused() {
    let has = |arm: &Arm, wanted: Trouble| {
        let found = troubles(&find(arm));
        assert!(found.contains(&(Some(7), wanted)), "{found:?}");
    };
    has(
        &doubled(255),
        Trouble::NotSecond {
            found: 255,
            first: 2,
        },
    );
    let arm = doubled(2);
    arm.suffer(&Fault::Silence {
        id: 7,
        for_ms: None,
    });
    has(&arm, Trouble::Silent);
    let arm = doubled(2);
    arm.write_x(SECOND, 10, &[1]);
    has(&arm, Trouble::DriveMode { found: 1, right: 0 });
    let arm = doubled(2);
    arm.suffer(&Fault::EncoderJump { id: 7, counts: 100 });
    let found = troubles(&find(&arm));
    assert!(
        matches!(found.as_slice(), [(Some(7), Trouble::Apart { .. })]),
        "{found:?}"
    );
}

#[test]
fn a_joint_is_as_hot_as_the_hotter_of_its_servos_and_in_error_when_either_is() {
    let arm = doubled(2);
    let mut bus = ready(&arm);
    let lift = |bus: &mut Bus<Ready>| bus.read(soon()).get(DOUBLED).unwrap();
    arm.suffer(&Fault::Overheat {
        id: 7,
        celsius: 61.0,
    });
    bus.ask_health(SECOND, soon());
    let reading = lift(&mut bus);
    assert!(
        matches!(
            reading,
            RawReading::Fresh {
                temperature: 61,
                errors: 0,
                ..
            }
        ),
        "{reading:?}"
    );
    arm.suffer(&Fault::Overload { id: 7 });
    bus.ask_health(SECOND, soon());
    let reading = lift(&mut bus);
    assert!(
        matches!(reading, RawReading::Fresh { errors: 0xA0, .. }),
        "{reading:?}"
    );
}

#[test]
fn a_second_servo_that_is_lost_is_its_joints_silence() {
    let arm = doubled(2);
    let mut bus = ready(&arm);
    arm.suffer(&Fault::Silence {
        id: 7,
        for_ms: None,
    });
    for _ in 0..2 {
        bus.ask_health(SECOND, soon());
        let reading = bus.read(soon()).get(DOUBLED).unwrap();
        assert!(
            matches!(reading, RawReading::Fresh { .. }),
            "one may be lost"
        );
    }
    assert!(bus.audit(DOUBLED, soon()).is_err());
    let reading = bus.read(soon()).get(DOUBLED).unwrap();
    assert_eq!(reading, RawReading::Missing(ReadFault::Timeout));
    arm.recover();
    bus.ask_health(SECOND, soon());
    let reading = bus.read(soon()).get(DOUBLED).unwrap();
    assert!(matches!(reading, RawReading::Fresh { .. }), "{reading:?}");
}

#[test]
fn a_second_servo_that_has_restarted_is_found_by_the_audit() {
    let arm = doubled(2);
    let mut bus = ready(&arm);
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    arm.suffer(&Fault::Brownout { id: 7 });
    std::thread::sleep(std::time::Duration::from_millis(50));
    let found = bus.audit(DOUBLED, soon());
    assert!(
        matches!(
            found,
            Err(TorqueError::NotTaken {
                joint: DOUBLED,
                fault: TorqueFault::Differs { .. }
            })
        ),
        "{found:?}"
    );
}

#[test]
fn a_second_servos_entry_must_be_its_joints() {
    let shadow = calibration_with(ENTRY).unwrap();
    let [shadow] = shadow.shadows() else {
        panic!("there is one");
    };
    assert_eq!((shadow.joint(), shadow.servo().id()), (DOUBLED, 7));
    let refused = |from: &str, to: &str, word: &str| {
        let line = calibration_with(&ENTRY.replace(from, to)).unwrap_err();
        assert!(line.contains(word), "{line}");
    };
    refused("909", "919", "919…3185");
    refused("\"id\": 7", "\"id\": 3", "id 3");
    refused("shoulder_lift_shadow", "elbow_shadow", "elbow_shadow");
}
