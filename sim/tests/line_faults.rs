//! What faults of the bus look like to a host, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use proptest::prelude::*;
use surehand_sim::faults::Fault;
use surehand_sim::servo::{Bank, Setup};

/// Read present position of servos 1, 2, 3.
const READ_ALL: [u8; 11] = [
    0xFF, 0xFF, 0xFE, 0x07, 0x82, 0x38, 0x02, 0x01, 0x02, 0x03, 0x38,
];
const PING_2: [u8; 6] = [0xFF, 0xFF, 0x02, 0x02, 0x01, 0xFA];
const PONG_2: [u8; 6] = [0xFF, 0xFF, 0x02, 0x02, 0x00, 0xFB];
const TICK: u64 = 5_000_000;

fn bank(seed: u64) -> Bank {
    let setups: Vec<Setup> = (1..=3)
        .map(|id| Setup {
            name: format!("joint_{id}"),
            id,
            encoder_at_zero: 2047 + i32::from(id),
            homing_offset: 0,
            range_min: 0,
            range_max: 4095,
            ..Setup::default()
        })
        .collect();
    let mut bank = Bank::new(&setups, seed);
    bank.sense(&[surehand_sim::Motion::default(); 3], 0.0);
    bank
}

fn suffering(json: &str) -> Bank {
    let mut bank = bank(1);
    let fault = Fault::parse(json.as_bytes()).unwrap();
    fault.check(&[1, 2, 3], &[]).unwrap();
    bank.suffer(&fault, 0);
    bank
}

fn ask(bank: &mut Bank, now_ns: u64, request: &[u8]) -> Vec<u8> {
    bank.receive(now_ns, request);
    let mut reply = Vec::new();
    bank.take_due(now_ns + TICK - 1, &mut reply);
    reply
}

#[test]
fn a_silent_servo_keeps_the_others_answering() {
    let mut bank = suffering(r#"{"fault": "silence", "id": 2, "for_ms": 20}"#);
    let reply = ask(&mut bank, 0, &READ_ALL);
    assert_eq!(reply.len(), 16);
    assert_eq!((reply[2], reply[10]), (1, 3));
    assert_eq!(ask(&mut bank, 20_000_000, &PING_2), PONG_2);
}

#[test]
fn one_late_reply_comes_among_later_ones() {
    let mut bank = suffering(r#"{"fault": "delay_reply", "id": 2, "ms": 7, "count": 1}"#);
    assert!(ask(&mut bank, 0, &PING_2).is_empty());
    let both = ask(&mut bank, TICK, &PING_2);
    assert_eq!(both, [PONG_2, PONG_2].concat());
}

#[test]
fn an_echo_comes_before_the_reply() {
    let mut bank = suffering(r#"{"fault": "echo", "on": true}"#);
    assert_eq!(ask(&mut bank, 0, &PING_2), [PING_2, PONG_2].concat());
}

#[test]
fn adapter_latency_holds_replies_back() {
    let mut bank = suffering(r#"{"fault": "latency", "ms": 16}"#);
    bank.receive(0, &PING_2);
    assert_eq!(bank.next_due(), Some(16_130_000));
}

#[test]
fn two_servos_with_one_id_talk_over_each_other() {
    let mut bank = suffering(r#"{"fault": "duplicate_id", "id": 1, "as": 2}"#);
    let reply = ask(&mut bank, 0, &READ_ALL);
    // Servo 1 is missing, of two under one id neither gets through, and servo 3 does.
    let whole = |id: u8| {
        reply.windows(8).filter(move |frame| {
            let sum = frame[2..7]
                .iter()
                .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            frame[..4] == [0xFF, 0xFF, id, 4] && frame[7] == !sum
        })
    };
    assert_eq!(
        [1, 2, 3].map(|id| whole(id).count()),
        [0, 0, 1],
        "{reply:x?}"
    );
    assert!(reply.len() > 8, "they are heard: {reply:x?}");
}

#[test]
fn an_encoder_jump_shows_in_the_position_alone() {
    let mut bank = suffering(r#"{"fault": "encoder_jump", "id": 2, "counts": -4096}"#);
    bank.sense(&[surehand_sim::Motion::default(); 3], 0.0025);
    // 2049 − 4096 = −2047, sign in bit 15
    assert_eq!(bank.servos()[1].read(56, 2), Some(vec![0xFF, 0x87]));
    bank.recover();
    bank.sense(&[surehand_sim::Motion::default(); 3], 0.0025);
    assert_eq!(bank.servos()[1].read(56, 2), Some(vec![0x01, 0x08]));
}

#[test]
fn a_brown_out_silences_a_servo_and_empties_its_ram() {
    let mut bank = bank(1);
    // acceleration 20 in servo 2
    ask(
        &mut bank,
        0,
        &[0xFF, 0xFF, 0x02, 0x04, 0x03, 0x29, 0x14, 0xB9],
    );
    bank.suffer(&Fault::Brownout { id: 2 }, TICK);
    assert!(ask(&mut bank, TICK, &PING_2).is_empty());
    assert_eq!(ask(&mut bank, 4 * TICK, &PING_2), PONG_2);
    assert_eq!(bank.servos()[1].read(41, 1), Some(vec![0]));
}

#[test]
fn errors_show_in_every_status_frame() {
    for (fault, bits) in [
        (r#"{"fault": "overload", "id": 2}"#, 0x20),
        (r#"{"fault": "overheat", "id": 2, "celsius": 90}"#, 0x04),
        (r#"{"fault": "voltage", "volts": 3.5}"#, 0x01),
    ] {
        let mut bank = suffering(fault);
        bank.drives(0, 0.0025);
        bank.sense(&[surehand_sim::Motion::default(); 3], 0.0025);
        assert_eq!(ask(&mut bank, 0, &PING_2)[4], bits, "{fault}");
        assert_eq!(bank.servos()[1].read(65, 1), Some(vec![bits]), "{fault}");
    }
}

#[test]
fn drops_happen_about_as_often_as_asked() {
    let mut bank = suffering(r#"{"fault": "drop", "rate": 0.2}"#);
    let lost = (0..1000)
        .filter(|tick| ask(&mut bank, tick * TICK, &PING_2).is_empty())
        .count();
    assert!((150..250).contains(&lost), "{lost}");
}

#[test]
fn every_corrupted_reply_differs_in_one_byte() {
    let mut bank = suffering(r#"{"fault": "corrupt", "rate": 1}"#);
    for tick in 0..100 {
        let reply = ask(&mut bank, tick * TICK, &PING_2);
        let wrong = reply.iter().zip(PONG_2).filter(|(a, b)| **a != *b).count();
        assert_eq!((reply.len(), wrong), (6, 1));
    }
}

#[test]
fn every_truncated_reply_is_short() {
    let mut bank = suffering(r#"{"fault": "truncate", "rate": 1}"#);
    for tick in 0..100 {
        let reply = ask(&mut bank, tick * TICK, &PING_2);
        assert!(reply.len() < 6 && PONG_2.starts_with(&reply));
    }
}

#[test]
fn noise_comes_unasked_and_ends_with_the_fault() {
    let mut bank = suffering(r#"{"fault": "noise", "rate": 1}"#);
    let mut noise = Vec::new();
    bank.take_due(100_000_000, &mut noise);
    assert!((100..=1600).contains(&noise.len()), "{}", noise.len());
    bank.recover();
    noise.clear();
    bank.take_due(200_000_000, &mut noise);
    assert!(noise.is_empty() && bank.next_due().is_none());
}

#[test]
fn the_same_seed_spoils_the_same_replies() {
    let run = |seed| {
        let mut bank = bank(seed);
        for fault in [
            r#"{"fault": "drop", "rate": 0.3}"#,
            r#"{"fault": "noise", "rate": 0.5}"#,
        ] {
            bank.suffer(&Fault::parse(fault.as_bytes()).unwrap(), 0);
        }
        (0..200)
            .map(|tick| ask(&mut bank, tick * TICK, &READ_ALL))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

proptest! {
    /// Whatever comes before it, a request after 20 ms of quiet is answered.
    #[test]
    fn no_garbage_deafens_the_servos(garbage in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut bank = bank(1);
        let mut reply = Vec::new();
        bank.receive(0, &garbage);
        bank.take_due(1_000_000_000, &mut reply);
        // Garbage that happens to be a request may have changed ids or rates: not counted.
        prop_assume!(bank.counters().requests == 0);
        reply.clear();
        bank.receive(1_000_000_000, &PING_2);
        bank.take_due(1_100_000_000, &mut reply);
        prop_assert_eq!(reply, PONG_2);
    }
}
