//! Requests and replies byte for byte, written from the servo's memory table and frame format,
//! never from an encoder of this project.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use surehand_sim::servo::{Bank, Direction, Setup};

/// ns a byte at 1 Mbaud.
const BYTE: u64 = 10_000;

fn setup(id: u8, encoder_at_zero: i32, homing_offset: i32) -> Setup {
    Setup {
        name: format!("joint_{id}"),
        id,
        encoder_at_zero,
        homing_offset,
        range_min: 795,
        range_max: 3299,
        ..Setup::default()
    }
}

/// Six servos that all read 2047 (0x07FF).
fn bank() -> Bank {
    let setups = [
        setup(1, 2130, 83),
        setup(2, 1907, -140),
        setup(3, 2259, 212),
        setup(4, 2010, -37),
        setup(5, 2348, 301),
        setup(6, 2463, 416),
    ];
    let mut bank = Bank::new(&setups, 1);
    bank.sense(&[surehand_sim::Motion::default(); 6], 0.0);
    bank
}

/// What comes back within 100 ms of virtual time.
fn ask(bank: &mut Bank, now_ns: u64, request: &[u8]) -> Vec<u8> {
    bank.receive(now_ns, request);
    let mut reply = Vec::new();
    bank.take_due(now_ns + 100_000_000, &mut reply);
    reply
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

#[track_caller]
fn exchange(bank: &mut Bank, now_ns: u64, request: &str, reply: &str) {
    assert_eq!(ask(bank, now_ns, &hex(request)), hex(reply), "{request}");
}

#[test]
fn ping_is_answered() {
    exchange(&mut bank(), 0, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
}

#[test]
fn the_model_number_is_777() {
    exchange(
        &mut bank(),
        0,
        "FF FF 01 04 02 03 02 F3",
        "FF FF 01 04 00 09 03 EE",
    );
}

#[test]
fn the_present_position_has_the_homing_offset_taken_off() {
    // 2130 − 83 = 2047
    exchange(
        &mut bank(),
        0,
        "FF FF 01 04 02 38 02 BE",
        "FF FF 01 04 00 FF 07 F4",
    );
}

#[test]
fn a_negative_homing_offset_is_sign_and_magnitude() {
    // −37 = 0x0825 with the sign in bit 11
    exchange(
        &mut bank(),
        0,
        "FF FF 04 04 02 1F 02 D4",
        "FF FF 04 04 00 25 08 CA",
    );
}

#[test]
fn a_write_is_answered_and_reads_back() {
    let mut bank = bank();
    // goal 2048 to servo 1, then the register and torque enable
    exchange(
        &mut bank,
        0,
        "FF FF 01 05 03 2A 00 08 C4",
        "FF FF 01 02 00 FC",
    );
    exchange(
        &mut bank,
        1_000_000,
        "FF FF 01 04 02 2A 02 CC",
        "FF FF 01 04 00 00 08 F2",
    );
    exchange(
        &mut bank,
        2_000_000,
        "FF FF 01 04 02 28 01 CF",
        "FF FF 01 03 00 01 FA",
    );
}

#[test]
fn sync_read_is_answered_by_each_servo_in_turn() {
    exchange(
        &mut bank(),
        0,
        "FF FF FE 06 82 38 02 03 01 3B",
        "FF FF 03 04 00 FF 07 F2  FF FF 01 04 00 FF 07 F4",
    );
}

#[test]
fn sync_write_says_nothing_and_acts() {
    let mut bank = bank();
    // goals 2100 (0x0834) to servo 1 and 2200 (0x0898) to servo 2
    exchange(
        &mut bank,
        0,
        "FF FF FE 0A 83 2A 02 01 34 08 02 98 08 69",
        "",
    );
    exchange(
        &mut bank,
        1_000_000,
        "FF FF FE 06 82 2A 02 01 02 4A",
        "FF FF 01 04 00 34 08 BE  FF FF 02 04 00 98 08 59",
    );
    assert_eq!(bank.counters().goal_writes, 1);
}

#[test]
fn a_staged_write_acts_on_a_broadcast_action() {
    let mut bank = bank();
    exchange(
        &mut bank,
        0,
        "FF FF 01 05 04 2A 00 08 C3",
        "FF FF 01 02 00 FC",
    );
    exchange(
        &mut bank,
        1_000_000,
        "FF FF 01 04 02 2A 02 CC",
        "FF FF 01 04 00 00 00 FA",
    );
    exchange(&mut bank, 2_000_000, "FF FF FE 02 05 FA", "");
    exchange(
        &mut bank,
        3_000_000,
        "FF FF 01 04 02 2A 02 CC",
        "FF FF 01 04 00 00 08 F2",
    );
}

#[test]
fn broadcast_torque_off_reaches_everyone_in_silence() {
    let mut bank = bank();
    // torque on everywhere, then off everywhere
    exchange(&mut bank, 0, "FF FF FE 04 03 28 01 D1", "");
    assert!(bank.servos().iter().all(|s| s.read(40, 1) == Some(vec![1])));
    exchange(&mut bank, 1_000_000, "FF FF FE 04 03 28 00 D2", "");
    assert!(bank.servos().iter().all(|s| s.read(40, 1) == Some(vec![0])));
}

#[test]
fn bad_packets_meet_silence() {
    let mut bank = bank();
    for request in [
        "FF FF 01 02 01 FA",       // checksum
        "FF FF 01 03 01 00 FA",    // a ping that is too long
        "FF FF 01 04 02 7E 10 6A", // registers that do not exist
        "FF FF 09 02 01 F3",       // nobody has id 9
        "FF FF 01 02 77 85",       // no such instruction
        "FF FE 01 02 01 FB",       // no header
        "FF FF 01 04 02 38 00 C0", // nothing to read
        "FF FF FE 04 02 38 02 C1", // broadcast read
        "FF FF FE 02 01 FE",       // broadcast ping
    ] {
        assert!(ask(&mut bank, 0, &hex(request)).is_empty(), "{request}");
    }
    exchange(&mut bank, 0, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
    assert_eq!(bank.counters().bad_frames, 4);
}

#[test]
fn status_level_0_answers_only_ping_and_read() {
    let mut bank = bank();
    exchange(&mut bank, 0, "FF FF 01 04 03 08 00 EF", "FF FF 01 02 00 FC");
    exchange(&mut bank, 1_000_000, "FF FF 01 04 03 29 14 BA", "");
    exchange(
        &mut bank,
        2_000_000,
        "FF FF 01 04 02 29 01 CE",
        "FF FF 01 03 00 14 E7",
    );
    exchange(
        &mut bank,
        3_000_000,
        "FF FF 01 02 01 FB",
        "FF FF 01 02 00 FC",
    );
}

#[test]
fn a_new_id_answers_from_then_on() {
    let mut bank = bank();
    // the write is still answered under the old id
    exchange(&mut bank, 0, "FF FF 01 04 03 05 09 E9", "FF FF 01 02 00 FC");
    exchange(&mut bank, 1_000_000, "FF FF 01 02 01 FB", "");
    exchange(
        &mut bank,
        2_000_000,
        "FF FF 09 02 01 F3",
        "FF FF 09 02 00 F4",
    );
}

#[test]
fn a_new_baud_rate_needs_the_host_to_follow() {
    let mut bank = bank();
    // code 1: 500 kbaud
    exchange(&mut bank, 0, "FF FF 01 04 03 06 01 F0", "FF FF 01 02 00 FC");
    exchange(&mut bank, 1_000_000, "FF FF 01 02 01 FB", "");
    bank.set_host_baud(500_000);
    exchange(
        &mut bank,
        2_000_000,
        "FF FF 01 02 01 FB",
        "FF FF 01 02 00 FC",
    );
    exchange(&mut bank, 3_000_000, "FF FF 02 02 01 FA", "");
}

#[test]
fn replies_take_the_time_the_wire_takes() {
    let mut bank = bank();
    // sync read of 56…63 from six servos: 14 bytes out, 84 back, 0.98 ms and the turnarounds
    let request = hex("FF FF FE 0A 82 38 08 01 02 03 04 05 06 20");
    bank.receive(0, &request);
    assert_eq!(bank.next_due(), Some((14 + 14) * BYTE + 10_000));
    let mut reply = Vec::new();
    bank.take_due((14 + 84) * BYTE, &mut reply);
    assert!(reply.len() < 84);
    bank.take_due((14 + 84) * BYTE + 60_000, &mut reply);
    assert_eq!(reply.len(), 84);
}

#[test]
fn the_return_delay_register_delays_the_return() {
    let mut bank = bank();
    // 250 units of 2 µs
    ask(&mut bank, 0, &hex("FF FF 01 04 03 07 FA F6"));
    bank.receive(1_000_000, &hex("FF FF 01 02 01 FB"));
    let due = 1_000_000 + 12 * BYTE + 10_000 + 500_000;
    assert_eq!(bank.next_due(), Some(due));
}

#[test]
fn the_log_holds_both_sides_with_the_time_of_the_last_byte() {
    let mut bank = bank();
    ask(&mut bank, 5_000, &hex("FF FF 01 02 01 FB"));
    let frames = bank.drain_frames();
    assert_eq!(frames[0].direction, Direction::Host);
    assert_eq!(frames[0].t_ns, 5_000 + 6 * BYTE);
    assert_eq!(frames[1].direction, Direction::Servo);
    assert_eq!(frames[1].bytes, hex("FF FF 01 02 00 FC"));
}
