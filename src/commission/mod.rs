//! Commissioning: from servos out of their boxes to an arm that the guard accepts.
//!
//! In the order an integrator goes: [`occupant`] says who has the port, [`wire`] speaks to one servo, [`find`] finds those on a line, [`register`] is what may be
//! set on a servo and [`eeprom`] sets it, [`notebook`] keeps what was there before, [`joints`] is
//! which servo belongs where, [`measure`] follows joints that a person moves, and [`record`] is the
//! calibration that comes of it. Owns the only writes to any EEPROM. Never moves a joint, and the
//! guard knows nothing of it.

pub mod eeprom;
pub mod find;
pub mod joints;
pub mod measure;
pub mod notebook;
pub mod occupant;
pub mod record;
pub mod register;
pub mod wire;

pub use eeprom::{Eeprom, EepromError};
pub use find::{Sighting, Sightings};
pub use joints::{ArmJoint, Part, arm_joints};
pub use register::{Setting, Settings};
pub use wire::{Wire, WireError};
