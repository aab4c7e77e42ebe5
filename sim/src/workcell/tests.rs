use super::*;

/// `FF FF 01 04 02 38 02 BE`: read present position of servo 1.
const READ_POSITION_1: [u8; 8] = [0xFF, 0xFF, 0x01, 0x04, 0x02, 0x38, 0x02, 0xBE];
/// Sync write of goal 2204 (0x089C) to servo 1: 42, 2 bytes.
const GOAL_1: [u8; 11] = [
    0xFF, 0xFF, 0xFE, 0x07, 0x83, 0x2A, 0x02, 0x01, 0x9C, 0x08, 0xA6,
];

fn cell() -> Workcell {
    Workcell::new(Scene::pick_cube().unwrap(), 7)
}

fn run(cell: &mut Workcell, secs: f64) {
    for _ in 0..(secs * 400.0) as usize {
        cell.step();
    }
}

#[test]
fn a_goal_on_the_wire_moves_the_joint_there() {
    let mut cell = cell();
    cell.host_bytes(cell.now_ns(), &GOAL_1);
    run(&mut cell, 1.0);
    let truth = cell.truth();
    let pan = &truth.joints[0];
    let expected = (2204.0 - 2047.0) * std::f64::consts::TAU / 4096.0;
    assert!((pan.goal - expected).abs() < 1e-9 && pan.torque_enabled);
    assert!((pan.position - expected).abs() < 0.02, "{}", pan.position);
    assert_eq!((truth.wire.requests, truth.wire.goal_writes), (1, 1));
}

#[test]
fn the_position_register_follows_the_joint() {
    let mut cell = cell();
    cell.host_bytes(cell.now_ns(), &GOAL_1);
    run(&mut cell, 1.0);
    cell.host_bytes(cell.now_ns(), &READ_POSITION_1);
    let mut reply = Vec::new();
    cell.take_replies(cell.now_ns() + 1_000_000, &mut reply);
    let counts = f64::from(u16::from_le_bytes([reply[5], reply[6]]));
    let angle = (counts - 2047.0) * std::f64::consts::TAU / 4096.0;
    assert!((angle - cell.truth().joints[0].position).abs() < 1e-3);
}

#[test]
fn the_same_seed_and_bytes_give_the_same_run() {
    let run_once = || {
        let mut cell = cell();
        cell.inject(&Fault::Drop { rate: 0.3 }).unwrap();
        let mut replies = Vec::new();
        for tick in 0..200u64 {
            cell.host_bytes(cell.now_ns(), &READ_POSITION_1);
            if tick == 20 {
                cell.host_bytes(cell.now_ns(), &GOAL_1);
            }
            cell.step();
            cell.step();
            cell.take_replies(cell.now_ns(), &mut replies);
        }
        (replies, cell.truth())
    };
    assert_eq!(run_once(), run_once());
}

#[test]
fn another_seed_places_the_cube_elsewhere() {
    let mut cell = cell();
    let placed = cell.begin_episode(8);
    assert_ne!(placed, cell.begin_episode(9));
    assert_eq!(placed, cell.begin_episode(8));
    let at = cell.truth().objects[0].pose.position;
    for (is, should) in at.iter().zip(&placed[0].translation.vector) {
        assert!((is - should).abs() < 1e-6);
    }
}

#[test]
fn a_cube_that_lies_in_the_bin_is_a_success_only_once_it_rests() {
    let mut cell = cell();
    let [x, y] = cell.scene().bin.centre;
    cell.place(0, &Isometry3::translation(x, y, 0.03));
    assert!(!cell.success());
    run(&mut cell, 1.0);
    assert!(cell.success() && cell.truth().objects[0].delivered);
}

#[test]
fn without_torque_the_arm_falls() {
    let mut cell = cell();
    cell.set_joints(&[0.0, -0.3, 0.3, 0.5, 0.0, 0.0]);
    let before = cell.truth().tool.position[2];
    run(&mut cell, 1.0);
    assert!(cell.truth().tool.position[2] < before - 0.05);
}

#[test]
fn an_unplugged_adapter_passes_nothing() {
    let mut cell = cell();
    cell.inject(&Fault::Unplug {}).unwrap();
    cell.host_bytes(cell.now_ns(), &READ_POSITION_1);
    assert_eq!(cell.next_reply_ns(), None);
    cell.inject(&Fault::Replug {}).unwrap();
    cell.host_bytes(cell.now_ns(), &READ_POSITION_1);
    assert!(cell.next_reply_ns().is_some());
}
