//! Transactions against scripted replies on a socket pair: bytes by hand, in and out.

use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

use super::*;
use crate::bus::feetech::packet::checksum;
use crate::bus::feetech::register::{PRESENT_POSITION, WRITE_GOAL_POSITION};
use crate::control::ReadFault;

/// Long enough for any machine; only tests of silence wait for it.
const PATIENCE: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_millis(30);

const POSITION: Block = Block {
    address: PRESENT_POSITION.address,
    len: PRESENT_POSITION.width,
};
/// Sync read of the position of servos 1, 2, 3: ~(FE + 07 + 82 + 38 + 02 + 1 + 2 + 3).
const ASK_THREE: [u8; 11] = [
    0xFF, 0xFF, 0xFE, 0x07, 0x82, 0x38, 0x02, 0x01, 0x02, 0x03, 0x38,
];
const ONE: [u8; 8] = [0xFF, 0xFF, 0x01, 0x04, 0x00, 0xFF, 0x07, 0xF4];
const TWO: [u8; 8] = [0xFF, 0xFF, 0x02, 0x04, 0x00, 0x18, 0x05, 0xDC];
const THREE: [u8; 8] = [0xFF, 0xFF, 0x03, 0x04, 0x20, 0x0A, 0x80, 0x4E];

fn pair() -> (Line, UnixStream) {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::io::ioctl_fionbio(&ours, true).unwrap();
    let line = Line::new(ours, Family::Feetech).unwrap();
    (line, UnixStream::from(theirs))
}

/// Answers each request with the bytes of its script: waits for the request, compares, replies.
fn script(mut wire: UnixStream, turns: Vec<(Vec<u8>, Vec<Vec<u8>>)>) -> JoinHandle<UnixStream> {
    use std::io::{Read, Write};
    std::thread::spawn(move || {
        for (request, replies) in turns {
            let mut received = vec![0; request.len()];
            wire.read_exact(&mut received).unwrap();
            assert_eq!(received, request);
            for reply in replies {
                wire.write_all(&reply).unwrap();
            }
        }
        wire
    })
}

fn three() -> JointVec<u8> {
    JointVec::from_slice(&[1, 2, 3]).unwrap()
}

fn positions(answers: &JointVec<Answer>) -> Vec<Result<i32, ReadFault>> {
    let position = |answer: &Answer| match answer {
        Answer::Data { bytes, .. } => Ok(PRESENT_POSITION.decode(bytes.as_slice()).unwrap()),
        Answer::Missing(fault) => Err(*fault),
    };
    answers.iter().map(position).collect()
}

/// One sync read of three servos with `replies`.
fn exchange(replies: Vec<Vec<u8>>, wait: Duration) -> (Vec<Result<i32, ReadFault>>, Line) {
    let (mut line, wire) = pair();
    let double = script(wire, vec![(ASK_THREE.to_vec(), replies)]);
    let answers = line.sync_read(&three(), POSITION, deadline_in(wait));
    double.join().unwrap();
    (positions(&answers), line)
}

#[test]
fn three_servos_are_read_with_their_error_bits() {
    let (mut line, wire) = pair();
    let replies = vec![[ONE, TWO, THREE].concat()];
    let double = script(wire, vec![(ASK_THREE.to_vec(), replies)]);
    let answers = line.sync_read(&three(), POSITION, deadline_in(PATIENCE));
    double.join().unwrap();
    assert_eq!(positions(&answers), [Ok(2047), Ok(1304), Ok(-10)]);
    assert!(matches!(
        answers.get(2),
        Some(Answer::Data { errors: 0x20, .. })
    ));
    assert_eq!(line.errors(), BusErrors::default());
    assert_eq!(line.echoes(), Some(false));
}

#[test]
fn one_silent_servo_does_not_lose_the_others() {
    let (read, line) = exchange(vec![ONE.to_vec(), THREE.to_vec()], SILENCE);
    assert_eq!(read, [Ok(2047), Err(ReadFault::Timeout), Ok(-10)]);
    assert_eq!(line.errors().timeouts, 1);
}

#[test]
fn a_bad_checksum_is_named_and_counted() {
    let mut bad = TWO;
    bad[5] ^= 1;
    let (read, line) = exchange(vec![[ONE, bad, THREE].concat()], SILENCE);
    assert_eq!(read, [Ok(2047), Err(ReadFault::Corrupt), Ok(-10)]);
    assert_eq!(line.errors().checksum, 1);
    assert_eq!(line.errors().timeouts, 0);
}

#[test]
fn a_reply_from_another_id_is_named_and_counted() {
    let stranger = [0xFF, 0xFF, 0x07, 0x04, 0x00, 0x18, 0x05, 0xD7];
    let (read, line) = exchange(vec![[ONE, stranger, THREE].concat()], SILENCE);
    assert_eq!(read, [Ok(2047), Err(ReadFault::WrongId), Ok(-10)]);
    assert_eq!(line.errors().wrong_id, 1);
}

#[test]
fn two_replies_of_one_id_are_both_disbelieved() {
    let (read, _) = exchange(vec![[ONE, TWO, TWO, THREE].concat()], SILENCE);
    assert_eq!(read, [Ok(2047), Err(ReadFault::WrongId), Ok(-10)]);
}

#[test]
fn a_late_reply_out_of_turn_does_not_end_the_read_early() {
    // An old reply of servo 3 comes first, its true one at the end.
    let mut old = THREE;
    old[5] = 0x0B;
    old[7] = 0x4D;
    let replies = vec![[old, ONE, TWO].concat(), THREE.to_vec()];
    let (read, _) = exchange(replies, Duration::from_millis(200));
    assert_eq!(read, [Ok(2047), Ok(1304), Err(ReadFault::WrongId)]);
}

#[test]
fn a_late_reply_is_never_taken_for_the_next_one() {
    let (mut line, wire) = pair();
    let turns = vec![
        (ASK_THREE.to_vec(), vec![[ONE, TWO].concat()]),
        // The reply missed before, and the one asked for now.
        (
            ASK_THREE.to_vec(),
            vec![[ONE, TWO, THREE].concat(), THREE.to_vec()],
        ),
        (ASK_THREE.to_vec(), vec![[ONE, TWO, THREE].concat()]),
    ];
    let double = script(wire, turns);
    let mut read = || positions(&line.sync_read(&three(), POSITION, deadline_in(SILENCE)));
    assert_eq!(read()[2], Err(ReadFault::Timeout));
    assert_eq!(read()[2], Err(ReadFault::WrongId));
    assert_eq!(read()[2], Ok(-10));
    double.join().unwrap();
}

/// What servos 1, 2 and 3 said before, a little elsewhere.
const WAS: [[u8; 8]; 3] = [
    [0xFF, 0xFF, 0x01, 0x04, 0x00, 0xFE, 0x07, 0xF5],
    [0xFF, 0xFF, 0x02, 0x04, 0x00, 0x19, 0x05, 0xDB],
    [0xFF, 0xFF, 0x03, 0x04, 0x20, 0x0B, 0x80, 0x4D],
];

/// The replies that come to a sync read of three servos at once: `Ok` all, `Err` not all.
type Turn<'a> = Result<&'a [[u8; 8]], &'a [[u8; 8]]>;

/// Sync reads one after the other.
fn reads(turns: &[Turn<'_>]) -> Vec<Vec<Result<i32, ReadFault>>> {
    let (mut line, wire) = pair();
    let answer = |turn: &Turn<'_>| match turn {
        Ok(replies) | Err(replies) => (ASK_THREE.to_vec(), vec![replies.concat()]),
    };
    let double = script(wire, turns.iter().map(answer).collect());
    let read = |turn: &Turn<'_>| {
        let began = std::time::Instant::now();
        let wait = if turn.is_ok() { PATIENCE } else { SILENCE };
        let read = positions(&line.sync_read(&three(), POSITION, deadline_in(wait)));
        assert!(began.elapsed() < PATIENCE / 2, "it waited for nothing");
        read
    };
    let read = turns.iter().map(read).collect();
    double.join().unwrap();
    read
}

const NOW: [Result<i32, ReadFault>; 3] = [Ok(2047), Ok(1304), Ok(-10)];
const SILENT: Result<i32, ReadFault> = Err(ReadFault::Timeout);

#[test]
fn answers_that_come_before_the_next_round_cost_one_read_only() {
    let [_, two, three] = WAS;
    let read = reads(&[Err(&[ONE]), Ok(&[two, three, ONE, TWO, THREE])]);
    assert_eq!(read, [vec![Ok(2047), SILENT, SILENT], NOW.to_vec()]);
    let read = reads(&[Err(&[ONE, TWO]), Ok(&[three, ONE, TWO, THREE])]);
    assert_eq!(read[1], NOW);
}

#[test]
fn whole_rounds_that_come_late_are_not_taken_for_the_last_one() {
    let [one, two, three] = WAS;
    let read = reads(&[Err(&[]), Ok(&[one, two, three, ONE, TWO, THREE])]);
    assert_eq!(read, [[SILENT; 3], NOW]);
    let all = [one, two, three, one, two, three, ONE, TWO, THREE];
    assert_eq!(reads(&[Err(&[]), Err(&[]), Ok(&all)])[2], NOW);
}

#[test]
fn late_answers_alone_are_not_believed() {
    let [one, two, three] = WAS;
    let read = reads(&[Err(&[ONE]), Err(&[two, three]), Ok(&[ONE, TWO, THREE])]);
    assert_eq!(read[1..], [[SILENT; 3], NOW]);
    let read = reads(&[Err(&[]), Err(&[one, two]), Ok(&[ONE, TWO, THREE])]);
    assert_eq!(read[1..], [[SILENT; 3], NOW]);
}

#[test]
fn a_servo_that_stays_silent_makes_the_others_doubtful_once() {
    let others = [Ok(2047), SILENT, Ok(-10)];
    let read = reads(&[Err(&[]), Err(&[ONE, THREE]), Err(&[ONE, THREE])]);
    assert_eq!(read[1..], [[SILENT; 3], others]);
    let read = reads(&[Err(&[ONE, THREE]), Err(&[ONE, THREE])]);
    assert_eq!(read, [others; 2]);
}

#[test]
fn answers_that_are_lost_now_and_then_leave_the_others_as_they_are() {
    let rounds = [[ONE, TWO], [ONE, THREE], [TWO, THREE], [ONE, TWO]];
    let turns: Vec<Turn<'_>> = rounds.iter().map(|round| Err(&round[..])).collect();
    for (round, read) in reads(&turns).iter().enumerate() {
        let heard = read.iter().filter(|it| it.is_ok()).count();
        assert_eq!(heard, 2, "{round}: {read:?}");
    }
}

#[test]
fn answers_of_before_that_nobody_owes_make_theirs_doubtful() {
    let [_, two, three] = WAS;
    let read = reads(&[Err(&[two, three, ONE, TWO, THREE])]);
    let twice = Err(ReadFault::WrongId);
    assert_eq!(read, [[Ok(2047), twice, twice]]);
}

#[test]
fn a_miss_of_before_does_not_hold_a_complete_read_until_its_deadline() {
    let (mut line, wire) = pair();
    let turns = vec![
        (ASK_THREE.to_vec(), vec![[ONE, TWO].concat()]),
        (ASK_THREE.to_vec(), vec![[ONE, TWO, THREE].concat()]),
    ];
    let double = script(wire, turns);
    let missed = line.sync_read(&three(), POSITION, deadline_in(SILENCE));
    assert_eq!(positions(&missed)[2], Err(ReadFault::Timeout));
    let began = std::time::Instant::now();
    let read = line.sync_read(&three(), POSITION, deadline_in(PATIENCE));
    assert!(began.elapsed() < PATIENCE / 2, "it waited for nothing");
    assert_eq!(positions(&read), [Ok(2047), Ok(1304), Ok(-10)]);
    // And no other is held at all: what servo 3 owed is lost.
    assert!(!line.owed.by(3, monotonic_now()));
    double.join().unwrap();
}

#[test]
fn what_came_in_before_the_request_is_thrown_away() {
    use std::io::Write;
    let (mut line, mut wire) = pair();
    let mut old = ONE;
    old[5] = 0;
    old[7] = 0xF3;
    wire.write_all(&old).unwrap();
    let replies = vec![[ONE, TWO, THREE].concat()];
    let double = script(wire, vec![(ASK_THREE.to_vec(), replies)]);
    let answers = line.sync_read(&three(), POSITION, deadline_in(PATIENCE));
    double.join().unwrap();
    assert_eq!(positions(&answers), [Ok(2047), Ok(1304), Ok(-10)]);
    assert_eq!(line.errors().stray_bytes, 8);
}

#[test]
fn our_own_echo_is_filtered() {
    let replies = vec![ASK_THREE.to_vec(), [ONE, TWO, THREE].concat()];
    let (read, line) = exchange(replies, PATIENCE);
    assert_eq!(read, [Ok(2047), Ok(1304), Ok(-10)]);
    assert_eq!(line.echoes(), Some(true));
    assert_eq!(line.errors(), BusErrors::default());
}

#[test]
fn the_echo_of_a_goal_is_not_noise_and_not_an_answer() {
    let (mut line, wire) = pair();
    // ~(FE + 07 + 83 + 2A + 02 + 01 + FF + 07)
    let goal = vec![
        0xFF, 0xFF, 0xFE, 0x07, 0x83, 0x2A, 0x02, 0x01, 0xFF, 0x07, 0x44,
    ];
    let answers = || [&ASK_THREE[..], &ONE, &TWO, &THREE].concat();
    let turns = vec![
        (ASK_THREE.to_vec(), vec![answers()]),
        (goal.clone(), vec![goal]),
        (ASK_THREE.to_vec(), vec![answers()]),
    ];
    let double = script(wire, turns);
    line.sync_read(&three(), POSITION, deadline_in(PATIENCE));
    line.write_each(
        WRITE_GOAL_POSITION,
        [(1, 2047)].into_iter(),
        deadline_in(PATIENCE),
    )
    .unwrap();
    let read = positions(&line.sync_read(&three(), POSITION, deadline_in(PATIENCE)));
    double.join().unwrap();
    assert_eq!(read, [Ok(2047), Ok(1304), Ok(-10)]);
    assert_eq!(line.errors(), BusErrors::default());
}

#[test]
fn a_ping_that_comes_back_from_an_echoing_adapter_is_no_servo() {
    let ping = vec![0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB];
    let (mut line, wire) = pair();
    line.echoes = Some(true);
    let double = script(wire, vec![(ping.clone(), vec![ping.clone()])]);
    let answer = line.ping(1, deadline_in(SILENCE));
    assert_eq!(answer, Answer::Missing(ReadFault::Timeout));
    double.join().unwrap();

    // The same bytes on a line that does not echo are servo 1 with a voltage error.
    let (mut line, wire) = pair();
    line.echoes = Some(false);
    let double = script(wire, vec![(ping.clone(), vec![ping])]);
    let answer = line.ping(1, deadline_in(PATIENCE));
    assert!(matches!(answer, Answer::Data { errors: 1, .. }));
    double.join().unwrap();
}

#[test]
fn two_servos_with_one_id_are_noticed_by_a_ping() {
    let ping = vec![0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB];
    let pong = vec![0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC];
    let (mut line, wire) = pair();
    let double = script(wire, vec![(ping, vec![[pong.clone(), pong].concat()])]);
    let answer = line.ping(1, deadline_in(PATIENCE));
    assert_eq!(answer, Answer::Missing(ReadFault::WrongId));
    double.join().unwrap();
}

#[test]
fn a_port_that_goes_away_is_a_fault_of_every_servo_not_yet_heard() {
    let (mut line, wire) = pair();
    drop(wire);
    let answers = line.sync_read(&three(), POSITION, deadline_in(PATIENCE));
    assert_eq!(positions(&answers), [Err(ReadFault::Port); 3]);
    assert_eq!(line.errors().io, 1);
    assert_eq!(line.drain(), Err(PortFault::Gone));
}

#[test]
fn a_deadline_that_has_passed_still_ends_the_read() {
    let (mut line, _wire) = pair();
    let answers = line.sync_read(&three(), POSITION, MonoTime(0));
    assert_eq!(positions(&answers), [Err(ReadFault::Timeout); 3]);
}

#[test]
fn a_flood_of_garbage_ends_at_the_deadline() {
    use std::io::Write;
    let (mut line, mut wire) = pair();
    wire.set_nonblocking(true).unwrap();
    let flood = std::thread::spawn(move || {
        let garbage = [0xFF, 0xFF, 0x01, 0x04, 0xFF].repeat(200);
        let until = deadline_in(Duration::from_millis(300));
        while monotonic_now() < until {
            let _ = wire.write(&garbage);
        }
    });
    let start = monotonic_now();
    let answers = line.sync_read(&three(), POSITION, deadline_in(SILENCE));
    let took = monotonic_now().since(start);
    assert!(took < 250_000_000, "{took} ns");
    assert!(positions(&answers).iter().all(Result::is_err));
    flood.join().unwrap();
}

#[test]
fn a_value_that_does_not_fit_is_written_to_nobody() {
    use std::io::Read;
    let (mut line, mut wire) = pair();
    let values = [(1, 2047), (2, 40_000)];
    let outcome = line.write_each(
        WRITE_GOAL_POSITION,
        values.into_iter(),
        deadline_in(PATIENCE),
    );
    assert_eq!(
        outcome,
        Err(WriteError::Value {
            id: 2,
            value: 40_000
        })
    );
    wire.set_nonblocking(true).unwrap();
    assert!(wire.read(&mut [0; 8]).is_err());
}

#[test]
fn torque_off_for_all_is_these_bytes() {
    use std::io::Read;
    let (mut line, mut wire) = pair();
    line.broadcast_torque_off(deadline_in(PATIENCE)).unwrap();
    line.write_torque(
        &JointVec::from_slice(&[1, 2]).unwrap(),
        Torque::On,
        deadline_in(PATIENCE),
    )
    .unwrap();
    let mut bytes = [0; 20];
    wire.read_exact(&mut bytes).unwrap();
    assert_eq!(
        bytes,
        [
            0xFF, 0xFF, 0xFE, 0x04, 0x03, 0x28, 0x00, 0xD2, // write 40 = 0, everybody
            0xFF, 0xFF, 0xFE, 0x08, 0x83, 0x28, 0x01, 1, 1, 2, 1, 0x48,
        ][..20]
    );
}

#[test]
fn a_torn_request_is_completed_so_that_no_servo_obeys_it() {
    use std::io::Read;
    let (mut line, mut wire) = pair();
    sockopt::set_socket_send_buffer_size(&line.descriptor, 4096).unwrap();
    // Nobody reads: fill the line until a frame is torn or refused.
    let values = || [(1, 2047), (2, 1304)].into_iter();
    let mut whole = 0;
    while line
        .write_each(WRITE_GOAL_POSITION, values(), deadline_in(SILENCE))
        .is_ok()
    {
        whole += 1;
        assert!(whole < 1_000_000);
    }
    // A socket takes all of a frame or nothing: tear one by hand, as a port would.
    line.torn.extend([0x05, 0x99]);
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        while !bytes.ends_with(&[0xD2]) {
            let count = wire.read(&mut chunk).unwrap();
            bytes.extend_from_slice(&chunk[..count]);
        }
        bytes
    });
    line.broadcast_torque_off(deadline_in(PATIENCE)).unwrap();
    let bytes = reader.join().unwrap();
    assert!(bytes.ends_with(&[0x05, 0x99, 0xFF, 0xFF, 0xFE, 0x04, 0x03, 0x28, 0x00, 0xD2]));
    assert!(line.torn.is_empty());
    assert_eq!(line.errors().io, 1);
}

#[test]
fn the_reply_bytes_of_these_tests_are_frames() {
    for frame in [ONE, TWO, THREE] {
        let [_, _, id, len, code, data @ .., check] = frame;
        assert_eq!(checksum(id, len, code, &data), check);
    }
}
