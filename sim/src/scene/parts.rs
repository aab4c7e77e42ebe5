//! The tables of a scene file, field by field. It owns their shape, never their use.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::servo::Model;

/// Red, green, blue, each 0 to 1, as a screen shows them (sRGB).
pub type Colour = [f32; 3];

/// The arm and its servos.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmScene {
    /// relative to the scene file
    pub urdf: PathBuf,
    /// the link whose frame is the tool's
    pub tool: String,
    /// kg m², rotor inertia seen through the gears, each joint
    pub armature: f64,
    /// friction coefficient of the arm's surfaces
    pub friction: f64,
    /// the links that grip
    pub jaws: JawScene,
    /// URDF material name → colour, in place of the URDF's
    #[serde(default)]
    pub colours: BTreeMap<String, Colour>,
    /// in the order of drives and motions
    pub servos: Vec<ServoMount>,
}

/// The links that grip.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JawScene {
    /// link names
    pub links: Vec<String>,
    /// friction coefficient
    pub friction: f64,
}

/// One servo on its joint. Counts are 4096 a turn, rising with the joint angle.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServoMount {
    /// joint name in the URDF
    pub joint: String,
    /// what it is; an STS3215 when left out
    #[serde(default)]
    pub model: Model,
    /// bus id
    pub id: u8,
    /// encoder count at joint angle 0, before the homing offset
    pub encoder_at_zero: i32,
    /// EEPROM homing offset, counts: present = encoder − offset with Feetech's, + with Dynamixel's
    pub homing_offset: i32,
    /// EEPROM minimum position, counts
    pub min_position: i32,
    /// EEPROM maximum position, counts
    pub max_position: i32,
    /// rad, joint angle at power-up
    pub rest: f64,
    /// bits a second it is set to; 1 Mbaud when left out
    #[serde(default)]
    pub baud: Option<u32>,
    /// as it comes out of its box, and not yet connected
    #[serde(skip)]
    pub fresh: bool,
}

/// The table; its surface is z = 0.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableScene {
    /// m
    pub centre: [f64; 2],
    /// m
    pub size: [f64; 2],
    /// friction coefficient
    pub friction: f64,
    /// of the surface
    pub colour: Colour,
    /// how much its grain shows, 0 to 1
    pub texture: f32,
    /// colour of everything beyond its edge
    pub surroundings: Colour,
}

/// A cube.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CubeScene {
    /// unique among the objects
    pub name: String,
    /// m, edge
    pub size: f64,
    /// kg
    pub mass: f64,
    /// friction coefficient
    pub friction: f64,
    /// of its faces
    pub colour: Colour,
}

/// An open box on the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinScene {
    /// m
    pub centre: [f64; 2],
    /// m, the opening
    pub size: [f64; 2],
    /// m above the table
    pub wall_height: f64,
    /// m, walls and floor
    pub wall_thickness: f64,
    /// friction coefficient
    pub friction: f64,
    /// of its walls
    pub colour: Colour,
}

impl BinScene {
    /// Whether a point (m, world) lies between the walls and below their rim.
    #[must_use]
    pub fn holds(&self, point: [f64; 3]) -> bool {
        (point[0] - self.centre[0]).abs() < self.size[0] / 2.0
            && (point[1] - self.centre[1]).abs() < self.size[1] / 2.0
            && (0.0..self.wall_height).contains(&point[2])
    }
}

/// A camera a policy sees through.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraScene {
    /// unique among the cameras
    pub name: String,
    /// `"world"` or a link's name: the frame of the three vectors below
    pub mount: String,
    /// m
    pub eye: [f64; 3],
    /// m, what it looks at
    pub target: [f64; 3],
    /// what is up in the picture
    #[serde(default = "up")]
    pub up: [f64; 3],
    /// rad, vertical field of view
    pub fov: f64,
    /// pixels
    pub width: u32,
    /// pixels
    pub height: u32,
    /// frames a second
    pub rate_hz: f64,
}

/// A camera for people.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewScene {
    /// m, world
    pub eye: [f64; 3],
    /// m, world, what it looks at
    pub target: [f64; 3],
    /// what is up in the picture
    #[serde(default = "up")]
    pub up: [f64; 3],
    /// rad, vertical field of view
    pub fov: f64,
}

fn up() -> [f64; 3] {
    [0.0, 0.0, 1.0]
}

/// One lamp far away, and light from everywhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LightScene {
    /// direction from the scene to the lamp, any length
    pub towards: [f64; 3],
    /// of the lamp
    pub colour: Colour,
    /// what the lamp adds to a surface that faces it, 1 = full
    pub strength: f32,
    /// what reaches surfaces in shadow too, 1 = full
    pub ambient: f32,
}

/// What the camera sensors add.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseScene {
    /// standard deviation of a pixel, of 255; above 0, or a live camera would look frozen
    pub pixel: f32,
    /// standard deviation of a frame's exposure, relative
    pub gain: f32,
}
