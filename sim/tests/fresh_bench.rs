//! Servos out of their boxes on a bench: what the line says when hands plug them in, turn them and
//! cut their power.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use surehand_sim::hands::Hands;
use surehand_sim::servo::Model;
use surehand_sim::{Scene, Workcell};

/// Read of model, Feetech id 1: `FF FF 01 04 02 03 02 F3`.
const MODEL_OF_1: [u8; 8] = [0xFF, 0xFF, 0x01, 0x04, 0x02, 0x03, 0x02, 0xF3];
/// Ping of Dynamixel id 1.
const PING_X: [u8; 10] = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E];

fn bench(model: Model) -> Workcell {
    let scene = Scene::pick_cube().unwrap().with_servos(model).fresh(3);
    Workcell::new(scene, 3)
}

fn hands(cell: &mut Workcell, json: &str) {
    cell.handle(Hands::parse(json.as_bytes()).unwrap()).unwrap();
    run(cell, 0.05);
}

fn run(cell: &mut Workcell, secs: f64) {
    for _ in 0..(secs * 400.0) as usize {
        cell.step();
    }
}

fn ask(cell: &mut Workcell, request: &[u8]) -> Vec<u8> {
    cell.host_bytes(cell.now_ns(), request);
    let mut reply = Vec::new();
    run(cell, 0.02);
    cell.take_replies(cell.now_ns(), &mut reply);
    reply
}

fn write(address: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xFF, 0xFF, 1, data.len() as u8 + 3, 3, address];
    frame.extend_from_slice(data);
    let sum = frame[2..]
        .iter()
        .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    frame.push(!sum);
    frame
}

#[test]
fn only_a_servo_that_is_plugged_in_answers() {
    let mut cell = bench(Model::Sts3215);
    assert!(ask(&mut cell, &MODEL_OF_1).is_empty());
    hands(&mut cell, r#"{"hands": "connect", "servos": ["gripper"]}"#);
    assert_eq!(
        ask(&mut cell, &MODEL_OF_1),
        [0xFF, 0xFF, 1, 4, 0, 0x09, 0x03, 0xEE]
    );
    hands(&mut cell, r#"{"hands": "power", "on": false}"#);
    assert!(ask(&mut cell, &MODEL_OF_1).is_empty());
}

#[test]
fn fresh_dynamixels_speak_57600() {
    let mut cell = bench(Model::Xl430W250);
    hands(&mut cell, r#"{"hands": "connect", "servos": ["gripper"]}"#);
    assert!(
        ask(&mut cell, &PING_X).is_empty(),
        "the host speaks 1 Mbaud"
    );
}

#[test]
fn two_servos_of_one_id_garble_their_positions() {
    let mut cell = bench(Model::Sts3215);
    let both = r#"{"hands": "connect", "servos": ["gripper", "elbow_flex"]}"#;
    hands(&mut cell, both);
    let position = [0xFF, 0xFF, 0x01, 0x04, 0x02, 0x38, 0x02, 0xBE];
    let garbled = (0..10).filter(|_| {
        let reply = ask(&mut cell, &position);
        let sum = reply
            .iter()
            .skip(2)
            .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        reply.len() != 8 || sum != 0xFF
    });
    assert!(garbled.count() >= 9);
}

#[test]
fn a_write_the_power_failed_at_is_kept_or_not_and_none_after_it() {
    for (kept, id) in [(true, 9), (false, 1)] {
        let mut cell = bench(Model::Sts3215);
        hands(&mut cell, r#"{"hands": "connect", "servos": ["gripper"]}"#);
        let cut = format!(r#"{{"hands": "cut_power", "at_write": 2, "kept": {kept}}}"#);
        hands(&mut cell, &cut);
        assert_eq!(ask(&mut cell, &write(55, &[0])).len(), 6);
        assert_eq!(ask(&mut cell, &write(7, &[0])).len(), 6);
        assert!(ask(&mut cell, &write(5, &[9])).is_empty());
        hands(&mut cell, r#"{"hands": "power", "on": true}"#);
        let gripper = &cell.bank().servos()[5];
        assert_eq!((gripper.own_id(), gripper.saved()[7]), (id, 0));
        assert_eq!(gripper.saved()[5], id);
    }
}

#[test]
fn a_hand_turns_a_limp_joint_to_its_stop_and_no_further_and_holds_it_there() {
    let mut cell = bench(Model::Sts3215);
    hands(
        &mut cell,
        r#"{"hands": "connect", "servos": ["shoulder_lift"]}"#,
    );
    hands(
        &mut cell,
        r#"{"hands": "turn", "joint": "shoulder_lift", "to": -9.0}"#,
    );
    run(&mut cell, 3.0);
    let lift = &cell.truth().joints[1];
    assert!((lift.position + 1.74533).abs() < 0.01, "{}", lift.position);
    assert!(!lift.torque_enabled && lift.connected);
    ask(&mut cell, &write(40, &[1]));
    let stiff = r#"{"hands": "turn", "joint": "shoulder_lift", "to": 0.0}"#;
    let stiff = cell.handle(Hands::parse(stiff.as_bytes()).unwrap());
    assert!(stiff.unwrap_err().to_string().contains("shoulder_lift"));
}

#[test]
fn hands_take_every_joint_from_stop_to_stop_one_after_the_other() {
    let mut cell = bench(Model::Sts3215);
    // As a person would: folded out of the table's way.
    let way = [
        (0, -1.91986),
        (0, 1.91986),
        (0, 0.0),
        (4, -2.74385),
        (4, 2.84121),
        (4, 0.0),
        (5, -0.174533),
        (5, 1.74533),
        (5, 0.785),
        (3, 1.65806),
        (3, -1.65806),
        (2, -1.69),
        (1, 1.74533),
        (1, -1.2),
        (2, 1.69),
        (1, -1.74533),
        (1, -1.2),
        (2, 0.0),
        (1, 0.0),
        (3, 0.0),
    ];
    let names: Vec<String> = cell
        .truth()
        .joints
        .iter()
        .map(|it| it.name.clone())
        .collect();
    let turn = |cell: &mut Workcell, joint: usize, to: f64| {
        let joint = &names[joint];
        let json = format!(r#"{{"hands": "turn", "joint": "{joint}", "to": {to}}}"#);
        hands(cell, &json);
    };
    for (joint, to) in [0.0, 0.0, 0.0, 0.0, 0.0, 0.785].into_iter().enumerate() {
        turn(&mut cell, joint, to);
    }
    run(&mut cell, 2.0);
    for (joint, to) in way {
        turn(&mut cell, joint, to);
        run(&mut cell, 4.0);
        let is = cell.truth().joints[joint].position;
        assert!(
            (is - to).abs() < 0.02,
            "{} is at {is}, not at {to}",
            names[joint]
        );
    }
}
