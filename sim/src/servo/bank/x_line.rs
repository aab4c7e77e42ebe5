//! How servos of Dynamixel's protocol 2.0 share the line: who answers what, and in what turn.

use super::{BROADCAST, Bank, TURNAROUND_NS, lateness};
use crate::servo::dynamixel::packet::{self, Instruction, Request};
use crate::servo::dynamixel::registers::{self as reg, error};
use crate::servo::either::Servo;

/// Bytes of a status frame without parameters.
const STATUS_BYTES: usize = 11;

impl Bank {
    pub(super) fn obey_x(&mut self, request: &Request, now_ns: u64) {
        self.note_goal(sets_goal(&request.instruction), now_ns);
        for servo in self.listening(BROADCAST, now_ns) {
            if let Servo::X(servo) = servo {
                servo.hear(now_ns);
            }
        }
        match &request.instruction {
            Instruction::ReadEach { blocks } => {
                let mut at = now_ns;
                for (id, address, len) in blocks {
                    let read = Instruction::Read {
                        address: *address,
                        len: *len,
                    };
                    // A servo that says nothing leaves its turn empty, and the next one waits it out.
                    let turn = TURNAROUND_NS + self.line.bytes_ns(STATUS_BYTES + usize::from(*len));
                    at = self.ask_x(*id, &read, at, now_ns).unwrap_or(at + turn);
                }
                self.line.occupy(at);
            }
            Instruction::ReadTogether { blocks } => self.share_frame(blocks, now_ns),
            Instruction::WriteEach { writes } => {
                for (id, address, data) in writes {
                    self.write_x(*id, *address, data, now_ns);
                }
            }
            Instruction::Ping if request.id == BROADCAST => {
                let mut ids: Vec<u8> = self
                    .listening(BROADCAST, now_ns)
                    .map(|it| it.id())
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                let mut at = now_ns;
                for id in ids {
                    let ping = &request.instruction;
                    at = self.ask_x(id, ping, at, now_ns).unwrap_or(at);
                }
                self.line.occupy(at);
            }
            alone if request.id == BROADCAST => {
                for servo in self.listening(BROADCAST, now_ns) {
                    if let Servo::X(servo) = servo {
                        servo.answer(alone, now_ns);
                    }
                }
            }
            alone => {
                if let Instruction::Write { address, data } = alone {
                    self.shadow(request.id, *address, data, now_ns);
                }
                if let Some(end_ns) = self.ask_x(request.id, alone, now_ns, now_ns) {
                    self.line.occupy(end_ns);
                }
            }
        }
    }

    fn write_x(&mut self, id: u8, address: u16, data: &[u8], now_ns: u64) {
        for servo in self.listening(id, now_ns) {
            if let Servo::X(servo) = servo {
                // Nobody answers, so nobody learns of an error.
                let _ = servo.write(address, data, now_ns);
            }
        }
        self.shadow(id, address, data, now_ns);
    }

    /// Those whose second id is `id` obey, and say nothing.
    fn shadow(&mut self, id: u8, address: u16, data: &[u8], now_ns: u64) {
        for servo in self.listening(BROADCAST, now_ns) {
            if let Servo::X(servo) = servo
                && servo.shadows(id)
            {
                let _ = servo.write(address, data, now_ns);
            }
        }
    }

    /// Asks everyone who goes by `id`; the answer starts after `at_ns`. Gives its end on the wire.
    fn ask_x(&mut self, id: u8, instruction: &Instruction, at_ns: u64, now_ns: u64) -> Option<u64> {
        let byte_ns = self.line.bytes_ns(1);
        let mut answers = Vec::new();
        let (mut end_ns, mut late_ns) = (at_ns, 0);
        for servo in self.listening(id, now_ns) {
            // Id and return delay as they were when the request came: it may change them.
            let (name, delay_ns, mute) = (servo.id(), servo.return_delay_ns(), servo.mute(now_ns));
            let Servo::X(servo) = servo else { continue };
            let Some((error, mut params)) = servo.answer(instruction, now_ns) else {
                continue;
            };
            if now_ns < servo.afflictions.zeros_until_ns {
                params.fill(0);
            }
            if mute {
                continue;
            }
            let frame = packet::status(name, error | alert(servo.hardware_error()), &params);
            let sent = at_ns + TURNAROUND_NS + delay_ns + frame.len() as u64 * byte_ns;
            end_ns = end_ns.max(sent);
            late_ns = late_ns.max(lateness(&mut servo.afflictions));
            answers.push(frame);
        }
        let frame = self.together(answers)?;
        self.counters.replies += 1;
        self.line.send(frame, end_ns + late_ns);
        Some(end_ns)
    }

    /// All of `blocks` in one frame; one that says nothing ends it.
    fn share_frame(&mut self, blocks: &[(u8, u16, u16)], now_ns: u64) {
        let (mut told, mut delay_ns, mut late_ns) = (Vec::new(), 0, 0);
        for (id, address, len) in blocks {
            let Some(servo) = self.listening(*id, now_ns).next() else {
                break;
            };
            delay_ns += servo.return_delay_ns();
            let mute = servo.mute(now_ns);
            let Servo::X(servo) = servo else { break };
            let Some(mut bytes) = servo.read(*address, *len).filter(|_| !mute) else {
                break;
            };
            if now_ns < servo.afflictions.zeros_until_ns {
                bytes.fill(0);
            }
            late_ns = late_ns.max(lateness(&mut servo.afflictions));
            told.push((*id, alert(servo.hardware_error()), bytes));
        }
        let data = blocks.first().map_or(0, |(_, _, len)| usize::from(*len));
        if told.is_empty() {
            return;
        }
        let frame = packet::shared_status(blocks.len(), data, &told);
        let end_ns = now_ns + TURNAROUND_NS + delay_ns + self.line.bytes_ns(frame.len());
        self.counters.replies += 1;
        self.line.send(frame, end_ns + late_ns);
        self.line.occupy(end_ns);
    }
}

fn alert(hardware_error: u8) -> u8 {
    if hardware_error == 0 { 0 } else { error::ALERT }
}

fn sets_goal(instruction: &Instruction) -> bool {
    let goal = reg::GOAL_POSITION.address;
    let covers = |address: u16, len: usize| {
        address <= goal + 3 && usize::from(address) + len > usize::from(goal)
    };
    match instruction {
        Instruction::Write { address, data } => covers(*address, data.len()),
        Instruction::WriteEach { writes } => writes
            .first()
            .is_some_and(|(_, address, data)| covers(*address, data.len())),
        _ => false,
    }
}
