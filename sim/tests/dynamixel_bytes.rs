//! Requests and replies of the X series byte for byte, written from the protocol's description and
//! the control tables, never from an encoder of this project.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use surehand_sim::Motion;
use surehand_sim::faults::Fault;
use surehand_sim::servo::{Bank, Model, Setup};

/// ns a byte at 1 Mbaud.
const BYTE: u64 = 10_000;

/// Three servos, two of them XL430, that all read 2047.
fn bank() -> Bank {
    let models = [Model::Xl430W250, Model::Xl430W250, Model::Xl330M288];
    let setups: Vec<Setup> = (1..)
        .zip(models)
        .map(|(id, model)| Setup {
            model,
            name: format!("joint_{id}"),
            id,
            encoder_at_zero: 2100,
            homing_offset: -53,
            range_min: 795,
            range_max: 3299,
            fresh: false,
            baud: None,
        })
        .collect();
    let mut bank = Bank::new(&setups, 1);
    bank.sense(&[Motion::default(); 3], 0.0);
    bank
}

fn ask(bank: &mut Bank, now_ns: u64, request: &[u8]) -> Vec<u8> {
    bank.receive(now_ns, request);
    let mut reply = Vec::new();
    bank.take_due(now_ns + 100_000_000, &mut reply);
    reply
}

fn hex(text: &str) -> Vec<u8> {
    let bytes = text.split_whitespace();
    bytes
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// CRC-16 of the protocol, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc: u16 = 0;
    for byte in bytes {
        for bit in (0..8).rev() {
            let carry = crc >> 15 ^ u16::from(byte >> bit & 1);
            crc = crc << 1 ^ if carry == 1 { 0x8005 } else { 0 };
        }
    }
    crc.to_le_bytes()
}

/// A frame from its hexadecimal digits without the CRC.
fn frame(text: &str) -> Vec<u8> {
    let mut bytes = hex(text);
    let check = crc(&bytes);
    bytes.extend(check);
    bytes
}

#[track_caller]
fn exchange(bank: &mut Bank, now_ns: u64, request: &str, reply: &str) {
    let got = ask(bank, now_ns, &frame(request));
    let want = if reply.is_empty() {
        Vec::new()
    } else {
        frame(reply)
    };
    assert_eq!(got, want, "{request}: {got:02x?}");
}

#[test]
fn a_ping_is_answered_with_model_and_firmware() {
    // Given whole in the protocol's description, CRC and all.
    let ping = hex("FF FF FD 00 01 03 00 01 19 4E");
    assert_eq!(ping, frame("FF FF FD 00 01 03 00 01"));
    exchange(
        &mut bank(),
        0,
        "FF FF FD 00 01 03 00 01",
        "FF FF FD 00 01 07 00 55 00 24 04 2D",
    );
}

#[test]
fn everybody_answers_a_ping_to_all_by_id() {
    let replies = ask(&mut bank(), 0, &frame("FF FF FD 00 FE 03 00 01"));
    let want = [
        frame("FF FF FD 00 01 07 00 55 00 24 04 2D"),
        frame("FF FF FD 00 02 07 00 55 00 24 04 2D"),
        frame("FF FF FD 00 03 07 00 55 00 B0 04 2D"),
    ];
    assert_eq!(replies, want.concat());
}

#[test]
fn a_position_is_four_bytes_and_takes_its_time() {
    let mut bank = bank();
    let request = frame("FF FF FD 00 01 07 00 02 84 00 04 00");
    bank.receive(0, &request);
    // 14 bytes there, 10 µs to turn round, 15 bytes back.
    let due = 14 * BYTE + 10_000 + 15 * BYTE;
    assert_eq!(bank.next_due(), Some(due));
    let mut reply = Vec::new();
    bank.take_due(due, &mut reply);
    assert_eq!(reply, frame("FF FF FD 00 01 08 00 55 00 FF 07 00 00"));
}

#[test]
fn a_sync_read_is_answered_in_turn_and_a_silent_servo_leaves_its_turn_empty() {
    let mut bank = bank();
    let request = frame("FF FF FD 00 FE 0A 00 82 84 00 04 00 03 01 02");
    let each = |id: u8| frame(&format!("FF FF FD 00 {id:02x} 08 00 55 00 FF 07 00 00"));
    let replies = ask(&mut bank, 0, &request);
    assert_eq!(replies, [each(3), each(1), each(2)].concat());
    let fault = Fault::Silence {
        id: 1,
        for_ms: None,
    };
    bank.suffer(&fault, 0);
    let replies = ask(&mut bank, 200_000_000, &request);
    assert_eq!(replies, [each(3), each(2)].concat());
}

#[test]
fn a_fast_sync_read_is_answered_in_one_frame_with_the_crc_so_far() {
    let mut bank = bank();
    let request = frame("FF FF FD 00 FE 09 00 8A 84 00 04 00 01 02");
    // One block is error, id, four bytes and the CRC of all before; LEN = 1 + 2 · 8.
    let first = frame("FF FF FD 00 FE 11 00 55 00 01 FF 07 00 00");
    let mut both = [&first[..], &hex("00 02 FF 07 00 00")].concat();
    let check = crc(&both);
    both.extend(check);
    assert_eq!(ask(&mut bank, 0, &request), both);
    let fault = Fault::Silence {
        id: 2,
        for_ms: None,
    };
    bank.suffer(&fault, 0);
    assert_eq!(ask(&mut bank, 200_000_000, &request), first);
}

#[test]
fn writes_are_refused_by_name() {
    let mut bank = bank();
    let ok = "FF FF FD 00 01 04 00 55 00";
    // A goal beyond the limits, a read-only register, half a register, torque 2.
    for (request, error) in [
        ("FF FF FD 00 01 09 00 03 74 00 00 0F 00 00", 6),
        ("FF FF FD 00 01 06 00 03 92 00 01", 7),
        ("FF FF FD 00 01 06 00 03 74 00 01", 5),
        ("FF FF FD 00 01 06 00 03 40 00 02", 4),
        ("FF FF FD 00 01 03 00 77", 2),
    ] {
        let refusal = format!("FF FF FD 00 01 04 00 55 {error:02x}");
        exchange(&mut bank, 0, request, &refusal);
    }
    // Torque on; then nothing of the EEPROM can be written.
    exchange(&mut bank, 0, "FF FF FD 00 01 06 00 03 40 00 01", ok);
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 01 06 00 03 0B 00 04",
        "FF FF FD 00 01 04 00 55 07",
    );
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 01 09 00 03 74 00 00 08 00 00",
        ok,
    );
    assert_eq!(bank.counters().goal_writes, 3, "refused ones, too");
}

#[test]
fn sync_and_bulk_writes_are_obeyed_and_not_answered() {
    let mut bank = bank();
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 FE 11 00 83 74 00 04 00 01 00 08 00 00 02 01 08 00 00",
        "",
    );
    // Bulk: LED of servo 1, goal of servo 3.
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 FE 12 00 93 01 41 00 01 00 01 03 74 00 04 00 02 08 00 00",
        "",
    );
    let register =
        |bank: &Bank, servo: usize, address, len| bank.servos()[servo].read(address, len).unwrap();
    assert_eq!(register(&bank, 0, 116, 4), [0x00, 0x08, 0, 0]);
    assert_eq!(register(&bank, 1, 116, 4), [0x01, 0x08, 0, 0]);
    assert_eq!(register(&bank, 2, 116, 4), [0x02, 0x08, 0, 0]);
    assert_eq!(register(&bank, 0, 65, 1), [1]);
    let replies = ask(
        &mut bank,
        0,
        &frame("FF FF FD 00 FE 0D 00 92 01 41 00 01 00 03 74 00 04 00"),
    );
    let want = [
        frame("FF FF FD 00 01 05 00 55 00 01"),
        frame("FF FF FD 00 03 08 00 55 00 02 08 00 00"),
    ];
    assert_eq!(replies, want.concat());
}

#[test]
fn data_that_looks_like_a_header_is_stuffed() {
    let mut bank = bank();
    // Goal 2 and 3 of servo 1's indirect data hold FF FF FD.
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 01 09 00 03 E0 00 FF FF FD FD",
        "FF FF FD 00 01 04 00 55 00",
    );
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 01 07 00 02 E0 00 04 00",
        "FF FF FD 00 01 09 00 55 00 FF FF FD FD 00",
    );
}

#[test]
fn a_servo_with_a_second_id_obeys_it_and_says_nothing() {
    let mut bank = bank();
    let ok = |id: u8| format!("FF FF FD 00 {id:02x} 04 00 55 00");
    exchange(&mut bank, 0, "FF FF FD 00 02 06 00 03 0C 00 01", &ok(2));
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 01 09 00 03 74 00 00 09 00 00",
        &ok(1),
    );
    assert_eq!(bank.servos()[1].read(116, 2), Some(vec![0x00, 0x09]));
}

#[test]
fn a_tripped_bus_watchdog_reads_ff_and_refuses_goals_until_it_is_off() {
    let mut bank = bank();
    let ok = "FF FF FD 00 01 04 00 55 00";
    exchange(&mut bank, 0, "FF FF FD 00 01 06 00 03 40 00 01", ok);
    exchange(&mut bank, 0, "FF FF FD 00 01 06 00 03 62 00 05", ok);
    // A ping to another servo feeds it.
    for now in [90_000_000, 180_000_000] {
        bank.drives(now, 0.0025);
        ask(&mut bank, now, &frame("FF FF FD 00 02 03 00 01"));
    }
    let read = "FF FF FD 00 01 07 00 02 62 00 01 00";
    exchange(
        &mut bank,
        200_000_000,
        read,
        "FF FF FD 00 01 05 00 55 00 05",
    );
    bank.drives(400_000_000, 0.0025);
    exchange(
        &mut bank,
        400_000_000,
        read,
        "FF FF FD 00 01 05 00 55 00 FF",
    );
    let goal = "FF FF FD 00 01 09 00 03 74 00 00 08 00 00";
    exchange(&mut bank, 400_000_000, goal, "FF FF FD 00 01 04 00 55 04");
    exchange(
        &mut bank,
        400_000_000,
        "FF FF FD 00 01 06 00 03 62 00 00",
        ok,
    );
    exchange(&mut bank, 400_000_000, goal, ok);
}

#[test]
fn an_alert_is_in_every_answer_until_the_servo_starts_anew() {
    let mut bank = bank();
    bank.suffer(&Fault::Overload { id: 2 }, 0);
    bank.suffer(&Fault::Voltage { volts: 7.0 }, 0);
    bank.sense(&[Motion::default(); 3], 0.0025);
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 02 07 00 02 46 00 01 00",
        "FF FF FD 00 02 05 00 55 80 20",
    );
    exchange(
        &mut bank,
        0,
        "FF FF FD 00 02 03 00 08",
        "FF FF FD 00 02 04 00 55 00",
    );
    assert!(ask(&mut bank, 0, &frame("FF FF FD 00 02 03 00 01")).is_empty());
    bank.sense(&[Motion::default(); 3], 0.0025);
    exchange(
        &mut bank,
        50_000_000,
        "FF FF FD 00 02 07 00 02 46 00 01 00",
        "FF FF FD 00 02 05 00 55 00 00",
    );
}
