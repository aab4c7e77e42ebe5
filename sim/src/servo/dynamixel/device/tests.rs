//! What one servo answers and does.

use super::*;

const DT: f64 = 0.0025;
const MS: u64 = 1_000_000;

fn servo(model: Model) -> XServo {
    let mut servo = XServo::new(&Setup {
        model,
        name: "elbow_flex".into(),
        id: 3,
        encoder_at_zero: 2259,
        homing_offset: -212,
        range_min: 945,
        range_max: 3149,
        fresh: false,
        baud: None,
    });
    let volts = if model == Model::Xl330M288 { 5.0 } else { 7.4 };
    servo.sense(Motion::default(), volts, DT, 0);
    servo
}

fn write(servo: &mut XServo, address: u16, value: i32, size: usize) -> Result<(), u8> {
    servo.write(address, &value.to_le_bytes()[..size], 0)
}

#[test]
fn present_is_actual_and_the_homing_offset() {
    let servo = servo(Model::Xl430W250);
    assert_eq!(servo.read(132, 4), Some(2047i32.to_le_bytes().to_vec()));
    assert!(
        servo.goal().abs() < 1e-9,
        "at power-up its goal is where it is"
    );
}

#[test]
fn a_goal_beyond_the_limits_is_refused_and_switches_nothing_on() {
    let mut servo = servo(Model::Xl430W250);
    assert_eq!(write(&mut servo, 116, 4000, 4), Err(error::LIMIT));
    assert_eq!(write(&mut servo, 116, 2500, 4), Ok(()));
    assert!(!servo.torque_on());
    write(&mut servo, 11, 4, 1).unwrap();
    assert_eq!(write(&mut servo, 116, 9000, 4), Ok(()), "over turns");
}

#[test]
fn the_bus_watchdog_trips_on_silence_and_makes_goals_read_only() {
    let mut servo = servo(Model::Xl430W250);
    write(&mut servo, 98, 5, 1).unwrap();
    servo.drive(500 * MS, 7.4, DT);
    assert_eq!(servo.read(98, 1), Some(vec![5]), "torque is off");
    servo.hear(500 * MS);
    write(&mut servo, 64, 1, 1).unwrap();
    servo.drive(600 * MS, 7.4, DT);
    servo.hear(600 * MS);
    servo.drive(700 * MS, 7.4, DT);
    assert_eq!(servo.read(98, 1), Some(vec![5]), "any instruction feeds it");
    servo.drive(701 * MS, 7.4, DT);
    assert_eq!(servo.read(98, 1), Some(vec![0xFF]));
    assert!(servo.torque_on());
    for (address, size) in [(100, 2), (102, 2), (104, 4), (116, 4)] {
        let refused = write(&mut servo, address, 0, size);
        assert_eq!(refused, Err(error::RANGE), "{address}");
    }
    assert_eq!(write(&mut servo, 98, 5, 1), Err(error::RANGE));
    assert_eq!(write(&mut servo, 112, 10, 4), Ok(()));
    assert_eq!(write(&mut servo, 98, 0, 1), Ok(()));
    assert_eq!(write(&mut servo, 116, 2100, 4), Ok(()));
}

#[test]
fn a_tripped_servo_stands_but_for_the_smallest_which_turn_on() {
    for (model, stops) in [(Model::Xl430W250, true), (Model::Xl330M288, false)] {
        let mut servo = servo(model);
        write(&mut servo, 116, 2600, 4).unwrap();
        write(&mut servo, 64, 1, 1).unwrap();
        servo.drive(0, 7.4, DT);
        servo.trip();
        let drive = servo.drive(0, 7.4, DT);
        assert_eq!(drive.target.abs() < 1e-6, stops, "{drive:?}");
    }
}

#[test]
fn an_overload_takes_the_torque_until_it_starts_anew() {
    let mut servo = servo(Model::Xl430W250);
    write(&mut servo, 64, 1, 1).unwrap();
    servo.protection.latch_overload();
    servo.sense(Motion::default(), 7.4, DT, 0);
    assert_eq!(servo.hardware_error(), hardware::OVERLOAD);
    assert!(!servo.torque_on());
    assert_eq!(write(&mut servo, 64, 1, 1), Err(error::ACCESS));
    servo.answer(&Instruction::Reboot, 5 * MS);
    assert!(!servo.awake(6 * MS) && servo.awake(5 * MS + BOOT_NS));
    assert_eq!(servo.hardware_error(), 0);
    assert_eq!(write(&mut servo, 64, 1, 1), Ok(()));
}

#[test]
fn a_weak_supply_is_told_and_takes_nothing() {
    let mut servo = servo(Model::Xl430W250);
    write(&mut servo, 64, 1, 1).unwrap();
    servo.sense(Motion::default(), 5.0, DT, 0);
    assert_eq!(servo.hardware_error(), hardware::VOLTAGE);
    assert!(servo.torque_on());
}

#[test]
fn the_status_level_says_what_is_answered() {
    let mut servo = servo(Model::Xl430W250);
    let read = Instruction::Read {
        address: 132,
        len: 4,
    };
    let led = Instruction::Write {
        address: 65,
        data: vec![1],
    };
    for (level, reads, writes) in [(2, true, true), (1, true, false), (0, false, false)] {
        write(&mut servo, 68, level, 1).unwrap();
        assert_eq!(servo.answer(&read, 0).is_some(), reads);
        assert_eq!(servo.answer(&led, 0).is_some(), writes);
        assert!(servo.answer(&Instruction::Ping, 0).is_some());
    }
}

#[test]
fn a_factory_reset_keeps_what_it_is_told_to() {
    let mut servo = servo(Model::Xl430W250);
    let reset = Instruction::Reset {
        keep_id: true,
        keep_baud: false,
    };
    servo.answer(&reset, 0);
    assert_eq!((servo.own_id(), servo.baud()), (3, 57_600));
    assert_eq!(servo.read(20, 4), Some(vec![0; 4]));
}

#[test]
fn goal_current_limits_the_torque_of_mode_5_alone() {
    let mut servo = servo(Model::Xl330M288);
    write(&mut servo, 11, 5, 1).unwrap();
    write(&mut servo, 102, 735, 2).unwrap();
    assert!((servo.orders().limit - 0.5).abs() < 1e-9);
    write(&mut servo, 11, 3, 1).unwrap();
    assert!((servo.orders().limit - 1.0).abs() < 1e-9);
    write(&mut servo, 100, 354, 2).unwrap();
    assert!((servo.orders().limit - 0.4).abs() < 1e-9);
}
