//! The cell as it truly is, for tests and judges: the shape of `GET /state`.
//! Owns names and units of that document; never computes what is in it.

use nalgebra::Isometry3;
use serde::Serialize;

use crate::Motion;
use crate::servo::{Counters, Servo};

/// Everything as it is at the end of a step. Radians, metres, seconds, V, °C.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Simulated seconds since power-up.
    pub t: f64,
    /// `CLOCK_MONOTONIC` in the running process, else ns since power-up.
    pub t_ns: u64,
    /// In servo order.
    pub joints: Vec<Joint>,
    /// The scene's tool frame.
    pub tool: Pose,
    /// The cubes.
    pub objects: Vec<Object>,
    /// What has passed over the line.
    pub wire: Counters,
    /// What the cubes were placed by.
    pub episode_seed: u64,
    /// Whether every cube lies in the bin, at rest and let go.
    pub success: bool,
}

/// One joint and its servo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Joint {
    /// Name in the URDF.
    pub name: String,
    /// Bus id.
    pub id: u8,
    /// rad
    pub position: f64,
    /// rad/s
    pub velocity: f64,
    /// rad, as the servo holds it
    pub goal: f64,
    /// Whether the servo drives its joint.
    pub torque_enabled: bool,
    /// N m, of the motor
    pub torque: f64,
    /// °C
    pub temperature: f64,
    /// V
    pub voltage: f64,
    /// Error bits of its status frames.
    pub error: u8,
    /// Whether it hangs on the line.
    pub connected: bool,
}

impl Joint {
    pub(super) fn of(servo: &Servo, connected: bool, motion: Motion, volts: f64) -> Joint {
        Joint {
            name: servo.name().to_owned(),
            id: servo.own_id(),
            position: motion.position,
            velocity: motion.velocity,
            goal: servo.goal(),
            torque_enabled: servo.torque_on(),
            torque: motion.torque,
            temperature: servo.celsius(),
            voltage: volts,
            error: servo.error(),
            connected,
        }
    }
}

/// A pose in the world frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pose {
    /// x, y, z
    pub position: [f64; 3],
    /// x, y, z, w
    pub quaternion: [f64; 4],
}

impl Pose {
    pub(crate) fn of(pose: &Isometry3<f64>) -> Pose {
        Pose {
            position: pose.translation.vector.into(),
            quaternion: pose.rotation.coords.into(),
        }
    }
}

/// A cube.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Object {
    /// Name in the scene.
    pub name: String,
    /// Where it is.
    #[serde(flatten)]
    pub pose: Pose,
    /// Whether it lies in the bin, at rest and let go.
    pub delivered: bool,
}
