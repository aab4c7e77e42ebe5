//! Whether servos hold what they were told: one that has restarted has lost it without a word.
//!
//! Real time: no allocation, lock or log below this line. Never writes, and never decides whose turn
//! it is.

use super::{Bus, Ready, TorqueError, TorqueFault};
use crate::bus::dynamixel::register as dynamixel;
use crate::bus::map::map;
use crate::bus::register::{Block, Register};
use crate::bus::settings::ServoSettings;
use crate::bus::transaction::Answer;
use crate::control::ReadFault;
use crate::units::{JointVec, MonoTime};

/// Whether a servo holds the goal it was sent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldGoal {
    /// It does, or none was sent.
    AsWritten,
    /// Another one: it has not taken the last.
    Other,
}

impl Bus<Ready> {
    /// Compares what the servo of a joint, or both of them, holds with what it was told: settings,
    /// torque and goal. One that
    /// has restarted has lost them without a word. `joint` counts in the arm's order, modulo the number
    /// of joints, so that a tick number will do.
    ///
    /// # Errors
    /// The joint, and the first register that differs, or why it could not be read.
    pub fn audit(&mut self, joint: usize, deadline: MonoTime) -> Result<HeldGoal, TorqueError> {
        let joint = joint.checked_rem(self.ids().len()).unwrap_or(0);
        let (Some(id), Some(settings)) = (
            self.ids().get(joint),
            self.state().settings.get(joint).copied(),
        ) else {
            return Ok(HeldGoal::AsWritten);
        };
        let second = self.second_of(joint);
        let ids: JointVec<u8> = std::iter::once(id).chain(second).collect();
        let control = map(self.family()).control;
        let answers = self.line().sync_read(&ids, control, deadline);
        let not_taken = |fault| TorqueError::NotTaken { joint, fault };
        let mut held = HeldGoal::AsWritten;
        for (servo, answer) in answers.iter().enumerate() {
            let is_second = servo > 0;
            if is_second {
                self.note_second(joint, matches!(answer, Answer::Data { .. }));
            }
            let bytes = match answer {
                Answer::Data { bytes, .. } => bytes,
                Answer::Missing(fault) => return Err(not_taken(TorqueFault::Unread(*fault))),
            };
            let bytes = bytes.as_slice();
            if self.holds(joint, &settings, bytes).map_err(not_taken)? == HeldGoal::Other {
                held = HeldGoal::Other;
            }
            if let Some(watchdog) = map(self.family()).watchdog {
                let register = watchdog.register();
                let tripped = control.get(bytes, register) == Some(dynamixel::TRIPPED);
                // A first servo that has tripped is asked for by itself, and is no restart.
                if is_second || !tripped {
                    check(control, bytes, register, settings.watchdog()).map_err(not_taken)?;
                }
            }
        }
        Ok(held)
    }

    /// Whether a servo of `joint` that holds the bytes of its control block holds what it was told.
    fn holds(
        &self,
        joint: usize,
        settings: &ServoSettings,
        bytes: &[u8],
    ) -> Result<HeldGoal, TorqueFault> {
        let torque = i32::from(self.state().torque.byte());
        let map = map(self.family());
        let expected: [(Register, i32); 4] = [
            (map.torque_enable, torque),
            (map.acceleration.register(), settings.acceleration()),
            (map.velocity.register(), settings.velocity()),
            (map.torque.register(), settings.torque()),
        ];
        for (register, expected) in expected {
            check(map.control, bytes, register, expected)?;
        }
        // A limp servo is sent no goals.
        let sent = self.state().goals.get(joint).filter(|_| torque != 0);
        let held = map.control.get(bytes, map.goal_position.register());
        Ok(match sent {
            Some(sent) if held != Some(sent) => HeldGoal::Other,
            Some(_) | None => HeldGoal::AsWritten,
        })
    }
}

/// Whether `register` in the bytes of `block` holds what is expected.
pub(super) fn check(
    block: Block,
    bytes: &[u8],
    register: Register,
    expected: i32,
) -> Result<(), TorqueFault> {
    match block.get(bytes, register) {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(TorqueFault::Differs {
            address: register.address,
            expected,
            found,
        }),
        None => Err(TorqueFault::Unread(ReadFault::Corrupt)),
    }
}
