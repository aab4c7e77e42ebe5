//! The guard's real transaction over a socket pair, fed replies that come a cycle late.
//!
//! Owns the far end of the line: a thread that answers each request with what it was given. Holds
//! the transaction to what the rest of the campaign takes for granted: a read gives this cycle's
//! positions or none, whatever came in before. Deadlines are real here, but only ever so long that
//! they are not met or so old that they have passed: outcomes do not depend on the machine.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use surehand::arm::Family;
use surehand::bus::feetech::register::PRESENT_POSITION;
use surehand::bus::register::Block;
use surehand::bus::transaction::{Answer, Line, deadline_in};
use surehand::control::JointReading;
use surehand::units::{JointVec, MonoTime};

use crate::motion::{Broken, broken};
use crate::rng::Rng;
use crate::servo::COUNT;

const POSITION: Block = Block {
    address: PRESENT_POSITION.address,
    len: PRESENT_POSITION.width,
};
/// No machine holds a thread up for longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a request and a reply hold beside ids and data, bytes.
const FRAME: usize = 8;

/// One turn of the far end.
struct Turn {
    /// Bytes of the request to wait for.
    request: usize,
    replies: Vec<u8>,
    /// Whether the replies are sent once the request is there, or dropped.
    answer: bool,
}

/// A line to servos that reply as they are told.
#[derive(Debug)]
pub(crate) struct Wire {
    rng: Rng,
    line: Line,
    far: UnixStream,
    turns: Option<Sender<Turn>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
    /// Replies that are still on their way.
    late: Vec<u8>,
    /// Exchanges to make since the last late one.
    wary: u32,
}

impl Wire {
    /// A line with its far end.
    ///
    /// # Errors
    /// When the system gives no socket pair.
    pub(crate) fn new(rng: Rng) -> std::io::Result<Wire> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        let mut answering = far.try_clone()?;
        let (turns, next) = channel::<Turn>();
        let thread = std::thread::spawn(move || {
            for turn in next {
                let mut request = vec![0; turn.request];
                answering.read_exact(&mut request)?;
                if turn.answer {
                    answering.write_all(&turn.replies)?;
                }
            }
            Ok(())
        });
        Ok(Wire {
            rng,
            line: Line::new(OwnedFd::from(near), Family::Feetech)?,
            far,
            turns: Some(turns),
            thread: Some(thread),
            late: Vec::new(),
            wary: 0,
        })
    }

    /// All replies of this cycle come too late; it may be only some that come at all.
    ///
    /// # Errors
    /// When a reply is believed that has not come.
    pub(crate) fn late(&mut self, readings: &JointVec<JointReading>) -> Result<(), Broken> {
        let counts = counts(readings);
        let answers = self.exchange(&counts, MonoTime(0), false);
        self.wary = 2;
        self.late.clear();
        for (id, count) in (1..).zip(&counts) {
            if self.rng.chance(0.9) {
                reply(&mut self.late, id, *count);
            }
        }
        if let Some(joint) = answers.iter().position(|answer| answer.is_some()) {
            return broken(
                "nothing is read before a reply has come",
                format!("joint {joint}"),
            );
        }
        Ok(())
    }

    /// All replies of this cycle come in time, after what is left of the one before.
    ///
    /// # Errors
    /// When a read gives anything but this cycle's positions.
    pub(crate) fn check(&mut self, readings: &JointVec<JointReading>) -> Result<(), Broken> {
        if self.wary == 0 {
            return Ok(());
        }
        self.wary -= 1;
        let late = std::mem::take(&mut self.late);
        if self.far.write_all(&late).is_err() {
            return broken("a line stays open", "the far end can't write".into());
        }
        let counts = counts(readings);
        let answers = self.exchange(&counts, deadline_in(PATIENCE), true);
        for (joint, (answer, count)) in answers.iter().zip(&counts).enumerate() {
            if *answer != Some(*count) {
                return broken(
                    "what came before a request never stands for its replies",
                    format!(
                        "joint {joint} is at {count} counts and was read as {answer:?}, {} bytes came before",
                        late.len()
                    ),
                );
            }
        }
        Ok(())
    }

    fn exchange(
        &mut self,
        counts: &JointVec<i32>,
        deadline: MonoTime,
        answer: bool,
    ) -> JointVec<Option<i32>> {
        let ids: JointVec<u8> = (1..).take(counts.len()).collect();
        let mut replies = Vec::new();
        for (id, count) in ids.iter().zip(counts) {
            reply(&mut replies, *id, *count);
        }
        let turn = Turn {
            request: FRAME + ids.len(),
            replies,
            answer,
        };
        // A far end that is gone shows in the answers.
        let _ = self.turns.as_ref().map(|turns| turns.send(turn));
        let answers = self.line.sync_read(&ids, POSITION, deadline);
        answers.map(|answer| match answer {
            Answer::Data { bytes, .. } => PRESENT_POSITION.decode(bytes.as_slice()),
            Answer::Missing(_) => None,
        })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.turns.take());
        let _ = self.far.shutdown(std::net::Shutdown::Both);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Where the joints are, in counts from the middle of an encoder's turn.
fn counts(readings: &JointVec<JointReading>) -> JointVec<i32> {
    readings.map(|reading| match reading {
        JointReading::Fresh { position, .. } => ((position.0 / COUNT).round() as i32)
            .saturating_add(2048)
            .rem_euclid(4096),
        JointReading::Missing(_) => 0,
    })
}

/// Appends the status frame of a position: `FF FF id length error low high checksum`.
fn reply(bytes: &mut Vec<u8>, id: u8, count: i32) {
    let [low, high, ..] = count.to_le_bytes();
    let body = [id, 4, 0, low, high];
    let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes.extend([0xFF, 0xFF]);
    bytes.extend(body);
    bytes.push(!sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use surehand::units::{Celsius, Rad, RadPerSec, Volts};

    fn at(angle: f64) -> JointVec<JointReading> {
        let reading = JointReading::Fresh {
            position: Rad(angle),
            velocity: RadPerSec(0.0),
            load: 0.0,
            voltage: Volts(7.4),
            temperature: Celsius(35.0),
            errors: 0,
        };
        JointVec::repeat(reading, 6)
    }

    #[test]
    fn replies_a_cycle_late_are_never_taken_for_the_next_ones() {
        let mut wire = Wire::new(Rng::new(1)).unwrap();
        for index in 0..20 {
            let angle = f64::from(index) * 0.1;
            wire.late(&at(angle)).unwrap();
            wire.check(&at(angle + 0.05)).unwrap();
            wire.check(&at(angle + 0.06)).unwrap();
        }
    }
}
