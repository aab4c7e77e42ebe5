//! The maker's own driver and ours on the same simulated servos, register for register, when Python
//! has it (`pip install dynamixel-sdk`).

use std::process::Command;

use serde_json::Value;
use surehand::arm::Family;
use surehand::bus::dynamixel::register::{self as reg, BUS_WATCHDOG, GOAL_POSITION};
use surehand::bus::register::{Block, Register, Sign};
use surehand::bus::transaction::Answer;
use surehand::bus::{HeldGoal, Port};
use surehand::units::JointVec;

use super::arm::{Arm, POSE};
use super::{BAUD, soon, standing_at};

/// Every register that our driver knows.
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

#[test]
fn the_makers_driver_and_ours_agree_register_for_register() {
    let importable = Command::new("python3")
        .args(["-c", "import dynamixel_sdk"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !importable {
        eprintln!(
            "SKIPPED: python3 has no module dynamixel_sdk, so the maker's driver was not tried; \
             pip install dynamixel-sdk"
        );
        return;
    }
    let arm = Arm::of(Family::Dynamixel, |_| ());
    // Torque, fence and goals as our driver writes them are among what both read.
    let mut bus = arm.ready();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    assert_eq!(bus.audit(0, soon()), Ok(HeldGoal::AsWritten));
    drop(bus);
    let mut port = Port::open(arm.path(), BAUD, Family::Dynamixel).unwrap();
    let ours_by_register = REGISTERS.map(|register| ours(&mut port, register));
    drop(port);
    let asked = REGISTERS.map(|register| {
        let signed = u8::from(register.sign == Sign::Two);
        format!("{}:{}:{signed}", register.address, register.width)
    });
    let output = Command::new("python3")
        .arg("tests/bus/makers_driver.py")
        .arg(arm.path())
        .args(asked)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (at, (register, ours)) in REGISTERS.iter().zip(&ours_by_register).enumerate() {
        for (servo, ours) in (1..).zip(ours) {
            let theirs = theirs[servo.to_string()][at].as_i64().unwrap();
            assert_eq!(
                *ours, theirs,
                "servo {servo}, register {}",
                register.address
            );
        }
    }
    // And what it has written is what ours reads.
    let mut port = Port::open(arm.path(), BAUD, Family::Dynamixel).unwrap();
    let at = REGISTERS
        .iter()
        .position(|it| *it == GOAL_POSITION)
        .unwrap();
    let raised: Vec<i64> = ours_by_register[at].iter().map(|goal| goal + 10).collect();
    assert_eq!(ours(&mut port, GOAL_POSITION), raised);
    let speeds = ours(&mut port, reg::PROFILE_VELOCITY);
    assert_eq!(speeds, [201, 202, 203, 204, 205, 206]);
}
