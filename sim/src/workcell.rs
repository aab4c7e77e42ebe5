//! The whole simulated cell in virtual time: servos on a line, the arm they move, what lies on
//! the table, and the faults that befall them.
//!
//! Owns how the parts go together, step by step. Never reads a clock: the same scene, seed and
//! host bytes at the same times give the same run.

mod plant;
mod truth;

use nalgebra::Isometry3;

pub use plant::Plant;
pub use truth::{Joint, Object, Pose, Truth};

use crate::faults::{Fault, FaultError};
use crate::hands::{Hands, HandsError};
use crate::scene::{Scene, ServoMount};
use crate::servo::{Bank, Setup, WireFrame, WireLog};
use crate::world::Snapshot;

/// A simulated workcell.
pub struct Workcell {
    bank: Bank,
    plant: Plant,
    log: WireLog,
    plugged: bool,
}

impl Workcell {
    /// The scene at power-up: torque off, the cubes placed by `seed`, which also decides what
    /// line faults hit.
    #[must_use]
    pub fn new(scene: Scene, seed: u64) -> Workcell {
        let setups: Vec<Setup> = scene.arm.servos.iter().map(setup).collect();
        let mut plant = Plant::new(scene);
        plant.begin_episode(seed);
        let mut bank = Bank::new(&setups, seed);
        bank.sense(plant.motions(), 0.0);
        Workcell {
            bank,
            plant,
            log: WireLog::default(),
            plugged: true,
        }
    }

    /// The servos and the rest, to be run by threads of their own.
    #[must_use]
    pub fn into_parts(self) -> (Bank, Plant) {
        (self.bank, self.plant)
    }

    /// One physics step.
    pub fn step(&mut self) {
        let secs = self.plant.step_secs();
        let drives = self.bank.drives(self.plant.now_ns(), secs);
        self.plant.step(&drives);
        self.bank.sense(self.plant.motions(), secs);
        self.log.extend(self.bank.drain_frames());
    }

    /// Virtual time, ns since power-up.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.plant.now_ns()
    }

    /// Bytes the host sends at `at_ns`, no earlier than any before.
    pub fn host_bytes(&mut self, at_ns: u64, bytes: &[u8]) {
        if self.plugged {
            self.bank.receive(at_ns, bytes);
        }
    }

    /// When the host next gets bytes, if any are under way.
    #[must_use]
    pub fn next_reply_ns(&self) -> Option<u64> {
        self.bank.next_due()
    }

    /// Appends to `bytes` what the host has received by `until_ns`.
    pub fn take_replies(&mut self, until_ns: u64, bytes: &mut Vec<u8>) {
        self.bank.take_due(until_ns, bytes);
    }

    /// Frames that were on the line after `since_ns`, up to the last step.
    pub fn wire_since(&self, since_ns: u64) -> impl Iterator<Item = &WireFrame> {
        self.log.since(since_ns)
    }

    /// Everything as it truly is.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.plant.truth(&self.bank)
    }

    /// Places the cubes anew, by the scene's rule; gives their poses in the scene's order. The
    /// arm stays as it is.
    pub fn begin_episode(&mut self, seed: u64) -> Vec<Isometry3<f64>> {
        self.plant.begin_episode(seed)
    }

    /// Puts the joints at these angles (rad, servo order), at rest.
    pub fn set_joints(&mut self, angles: &[f64]) {
        self.plant.set_joints(angles);
        self.bank.sense(self.plant.motions(), 0.0);
    }

    /// Puts a cube (by its order in the scene) at a pose, at rest.
    pub fn place(&mut self, cube: usize, pose: &Isometry3<f64>) {
        self.plant.place(cube, pose);
    }

    /// Whether every cube lies in the bin, at rest and let go.
    #[must_use]
    pub fn success(&self) -> bool {
        self.plant.success()
    }

    /// Lets a fault happen now. Cameras are not part of virtual time: their faults do nothing.
    ///
    /// # Errors
    /// When it does not fit this cell.
    pub fn inject(&mut self, fault: &Fault) -> Result<(), FaultError> {
        fault.check(&self.bank.ids(), &self.plant.cameras())?;
        match fault {
            Fault::Unplug {} => {
                self.plugged = false;
                self.bank.hang_up();
            }
            Fault::Replug {} => self.plugged = true,
            other => self.bank.suffer(other, self.plant.now_ns()),
        }
        Ok(())
    }

    /// Lets a person's hands do something now.
    ///
    /// # Errors
    /// When it is not possible.
    pub fn handle(&mut self, hands: Hands) -> Result<(), HandsError> {
        let hands = self.plant.within_stops(hands);
        self.bank.handle(&hands, self.plant.now_ns())
    }

    /// Ends every fault that lasts; what servos have latched or lost stays with them.
    pub fn clear_faults(&mut self) {
        self.plugged = true;
        self.bank.recover();
    }

    /// All that a picture needs.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.plant.snapshot()
    }

    /// The scene it was made from.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        self.plant.scene()
    }

    /// The servos.
    #[must_use]
    pub fn bank(&self) -> &Bank {
        &self.bank
    }
}

fn setup(mount: &ServoMount) -> Setup {
    let counts = |value: i32| value.clamp(0, 4095) as u16;
    Setup {
        model: mount.model,
        name: mount.joint.clone(),
        id: mount.id,
        encoder_at_zero: mount.encoder_at_zero,
        homing_offset: mount.homing_offset,
        range_min: counts(mount.min_position),
        range_max: counts(mount.max_position),
        fresh: mount.fresh,
        baud: mount.baud,
    }
}

#[cfg(test)]
mod tests;
