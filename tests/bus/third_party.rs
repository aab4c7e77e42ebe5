//! Drivers of others and ours on the same simulated servos, register for register, when Python has
//! them: the maker's own (`pip install dynamixel-sdk`) and `rustypot`.

use std::process::Command;

use serde_json::Value;
use surehand::arm::Family;
use surehand::bus::dynamixel::register::{self as reg, BUS_WATCHDOG, GOAL_POSITION};
use surehand::bus::feetech::register as sts;
use surehand::bus::register::{Block, Register, Sign};
use surehand::bus::transaction::Answer;
use surehand::bus::{HeldGoal, Port};
use surehand::units::JointVec;

use super::arm::{Arm, POSE};
use super::{BAUD, soon, standing_at};

/// Every register of Feetech's that our driver knows.
const STS: [Register; 23] = [
    sts::FIRMWARE_MAJOR,
    sts::FIRMWARE_MINOR,
    sts::MODEL,
    sts::ID,
    sts::RETURN_DELAY,
    sts::STATUS_LEVEL,
    sts::MIN_POSITION,
    sts::MAX_POSITION,
    sts::MAX_TEMPERATURE,
    sts::MAX_VOLTAGE,
    sts::MIN_VOLTAGE,
    sts::HOMING_OFFSET,
    sts::MODE,
    sts::TORQUE_ENABLE,
    sts::ACCELERATION,
    sts::GOAL_POSITION,
    sts::GOAL_VELOCITY,
    sts::TORQUE_LIMIT,
    sts::PRESENT_POSITION,
    sts::PRESENT_VELOCITY,
    sts::PRESENT_LOAD,
    sts::PRESENT_VOLTAGE,
    sts::PRESENT_TEMPERATURE,
];

/// Every register of Dynamixel's that our driver knows.
const REGISTERS: [Register; 25] = [
    reg::MODEL,
    reg::FIRMWARE,
    reg::RETURN_DELAY,
    reg::DRIVE_MODE,
    reg::OPERATING_MODE,
    reg::SECONDARY_ID,
    reg::HOMING_OFFSET,
    reg::MAX_TEMPERATURE,
    reg::MAX_VOLTAGE,
    reg::MIN_VOLTAGE,
    reg::MAX_POSITION,
    reg::MIN_POSITION,
    reg::TORQUE_ENABLE,
    reg::STATUS_LEVEL,
    reg::HARDWARE_ERROR,
    BUS_WATCHDOG,
    reg::GOAL_PWM,
    reg::PROFILE_ACCELERATION,
    reg::PROFILE_VELOCITY,
    GOAL_POSITION,
    reg::PRESENT_LOAD,
    reg::PRESENT_VELOCITY,
    reg::PRESENT_POSITION,
    reg::PRESENT_VOLTAGE,
    reg::PRESENT_TEMPERATURE,
];

/// What our driver reads of a register, servo by servo.
fn ours(port: &mut Port, register: Register) -> Vec<i64> {
    let ids = JointVec::from_slice(&[1, 2, 3, 4, 5, 6]).unwrap();
    let block = Block::of(register);
    let answers = port.line().sync_read(&ids, block, soon());
    let value = |answer: &Answer| match answer {
        Answer::Data { bytes, .. } => block.get(bytes.as_slice(), register),
        Answer::Missing(_) => None,
    };
    answers
        .iter()
        .map(|answer| i64::from(value(answer).unwrap()))
        .collect()
}

/// Whether `python3` has `module`; says so where it has not.
fn importable(module: &str, package: &str) -> bool {
    let importable = Command::new("python3")
        .args(["-c", &format!("import {module}")])
        .output()
        .is_ok_and(|output| output.status.success());
    if !importable {
        eprintln!(
            "SKIPPED: python3 has no module {module}, so that driver was not tried; \
             pip install {package}"
        );
    }
    importable
}

/// An arm whose torque, fence and goals are as our driver writes them.
fn written_by_ours(family: Family) -> Arm {
    let arm = Arm::of(family, |_| ());
    let mut bus = arm.ready();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    assert_eq!(bus.audit(0, soon()), Ok(HeldGoal::AsWritten));
    arm
}

/// What another driver says to `command` about `registers`, held against what ours says; and what it
/// has written, goals and speeds, is what ours reads.
fn agree(
    arm: &Arm,
    family: Family,
    registers: &[Register],
    command: &mut Command,
    [goal, speed]: [Register; 2],
) {
    let mut port = Port::open(arm.path(), BAUD, family).unwrap();
    let ours_by_register: Vec<Vec<i64>> = registers.iter().map(|it| ours(&mut port, *it)).collect();
    drop(port);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (at, (register, ours)) in registers.iter().zip(&ours_by_register).enumerate() {
        for (servo, ours) in (1..).zip(ours) {
            let theirs = theirs[servo.to_string()][at].as_i64().unwrap();
            let address = register.address;
            assert_eq!(*ours, theirs, "servo {servo}, register {address}");
        }
    }
    let mut port = Port::open(arm.path(), BAUD, family).unwrap();
    let at = registers.iter().position(|it| *it == goal).unwrap();
    let raised: Vec<i64> = ours_by_register[at].iter().map(|goal| goal + 10).collect();
    assert_eq!(ours(&mut port, goal), raised);
    assert_eq!(ours(&mut port, speed), [201, 202, 203, 204, 205, 206]);
}

#[test]
fn the_makers_driver_and_ours_agree_register_for_register() {
    if !importable("dynamixel_sdk", "dynamixel-sdk") {
        return;
    }
    let arm = written_by_ours(Family::Dynamixel);
    let asked = REGISTERS.map(|register| {
        let signed = u8::from(register.sign == Sign::Two);
        format!("{}:{}:{signed}", register.address, register.width)
    });
    let mut command = Command::new("python3");
    command
        .arg("tests/bus/makers_driver.py")
        .arg(arm.path())
        .args(asked);
    let written = [GOAL_POSITION, reg::PROFILE_VELOCITY];
    agree(&arm, Family::Dynamixel, &REGISTERS, &mut command, written);
}

#[test]
fn rustypot_and_ours_agree_register_for_register_on_both_buses() {
    if !importable("rustypot", "rustypot") {
        return;
    }
    let xl = [GOAL_POSITION, reg::PROFILE_VELOCITY];
    let buses: [(Family, &str, &[Register], [Register; 2]); 2] = [
        (
            Family::Feetech,
            "Sts3215PyController",
            &STS,
            [sts::GOAL_POSITION, sts::GOAL_VELOCITY],
        ),
        (Family::Dynamixel, "Xl430PyController", &REGISTERS, xl),
    ];
    for (family, controller, registers, written) in buses {
        let arm = written_by_ours(family);
        let mut command = Command::new("python3");
        command
            .arg("tests/bus/rustypot_driver.py")
            .arg(controller)
            .arg(arm.path())
            .args(written.map(|register| register.address.to_string()))
            .args(
                registers
                    .iter()
                    .map(|it| format!("{}:{}", it.address, it.width)),
            );
        agree(&arm, family, registers, &mut command, written);
    }
}
