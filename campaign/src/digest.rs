//! One number that stands for everything a core put out.
//!
//! Owns the mixing. Two runs of a seed that differ in a bit of a goal differ here.

use surehand::control::{JointCommand, Relay, Step, TorqueAct};

/// The outputs so far, mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(u64);

impl Digest {
    /// Takes in a number.
    pub fn add(&mut self, bits: u64) {
        self.0 = (self.0.rotate_left(5) ^ bits).wrapping_mul(0x517C_C1B7_2722_0A95);
    }

    /// Takes in a tick's outputs.
    pub fn step(&mut self, step: &Step<JointCommand>) {
        if let Some(command) = &step.command {
            for goal in &command.positions() {
                self.add(goal.0.to_bits());
            }
        }
        let torque = match step.torque {
            TorqueAct::Keep => 0,
            TorqueAct::Enable => 1,
            TorqueAct::Release => 2,
        };
        let flags = [
            step.mode as u64,
            torque,
            u64::from(step.cause.is_some()),
            u64::from(step.refused.is_some()),
            u64::from(step.may_exit),
            u64::from(step.relay == Relay::Drop),
        ];
        self.add(flags.iter().fold(0, |all, flag| all << 8 | flag));
        self.add(step.plan_id);
        for answer in step.answers.iter().flatten() {
            self.add(u64::from(answer.is_ok()));
        }
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }
}
