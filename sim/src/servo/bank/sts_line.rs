//! How servos of Feetech's protocol share the line: who answers what, and in what turn.

use super::{BROADCAST, Bank, TURNAROUND_NS, lateness};
use crate::servo::either::Servo;
use crate::servo::packet::{self, Instruction, Request};
use crate::servo::registers as reg;

/// Bytes of a status frame without parameters.
const STATUS_BYTES: usize = 6;

impl Bank {
    pub(super) fn obey_sts(&mut self, request: &Request, now_ns: u64) {
        self.note_goal(sets_goal(&request.instruction), now_ns);
        match &request.instruction {
            Instruction::SyncRead { address, len, ids } => {
                let read = Instruction::Read {
                    address: *address,
                    len: *len,
                };
                let mut at = now_ns;
                for id in ids {
                    // A servo that says nothing leaves its turn empty, and the next one waits it out.
                    let turn = TURNAROUND_NS + self.line.bytes_ns(STATUS_BYTES + usize::from(*len));
                    at = self.ask_sts(*id, &read, at, now_ns).unwrap_or(at + turn);
                }
                self.line.occupy(at);
            }
            Instruction::SyncWrite { address, writes } => {
                for (id, data) in writes {
                    for servo in self.listening(*id, now_ns) {
                        if let Servo::Sts(servo) = servo {
                            servo.write(*address, data);
                        }
                    }
                }
            }
            alone => {
                if let Some(end_ns) = self.ask_sts(request.id, alone, now_ns, now_ns) {
                    self.line.occupy(end_ns);
                }
            }
        }
    }

    /// Asks everyone who goes by `id`; the answer starts after `at_ns`. Gives its end on the wire.
    fn ask_sts(
        &mut self,
        id: u8,
        instruction: &Instruction,
        at_ns: u64,
        now_ns: u64,
    ) -> Option<u64> {
        let byte_ns = self.line.bytes_ns(1);
        let mut answers = Vec::new();
        let (mut end_ns, mut late_ns) = (at_ns, 0);
        for servo in self.listening(id, now_ns) {
            // Id and return delay as they were when the request came: it may change them.
            let (name, delay_ns, mute) = (servo.id(), servo.return_delay_ns(), servo.mute(now_ns));
            let Servo::Sts(servo) = servo else { continue };
            let Some(mut params) = servo.answer(instruction, id == BROADCAST) else {
                continue;
            };
            if now_ns < servo.afflictions.zeros_until_ns {
                params.fill(0);
            }
            if mute {
                continue;
            }
            let frame = packet::status(name, servo.error(), &params);
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
}

fn sets_goal(instruction: &Instruction) -> bool {
    let goal = reg::GOAL_POSITION.address;
    let covers = |address: u8, len: usize| {
        address <= goal + 1 && usize::from(address) + len > usize::from(goal)
    };
    match instruction {
        Instruction::Write { address, data } => covers(*address, data.len()),
        Instruction::SyncWrite { address, writes } => writes
            .first()
            .is_some_and(|(_, data)| covers(*address, data.len())),
        _ => false,
    }
}
