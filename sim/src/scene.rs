//! The scene file: what stands on the table, how the servos are mounted and where the cameras look.
//!
//! A [`Scene`] that exists is valid: its numbers are finite and in range, every name it uses is in
//! the URDF. It never holds state that changes while the simulation runs.

mod check;
mod model;
mod parts;
mod placement;
mod randomise;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::servo::Model;
use crate::servo::either::rates;

pub use model::ArmModel;
pub(crate) use model::isometry;
pub use parts::{
    ArmScene, BinScene, CameraScene, Colour, CubeScene, JawScene, LightScene, NoiseScene,
    ServoMount, TableScene, ViewScene,
};
pub use placement::Placement;

const PICK_CUBE: &str = include_str!("../scenes/pick_cube.toml");
const SO101: &str = include_str!("../../urdf/so101.urdf");

/// Why a scene cannot be used. One line each.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The scene file, or the URDF it names, cannot be read.
    #[error("{}: {source}; give the path of a readable file", path.display())]
    Read {
        /// the file
        path: PathBuf,
        /// what the system said
        source: std::io::Error,
    },
    /// The scene file is not TOML, or a key is unknown, missing or of the wrong type.
    #[error("{}:{line}: {what}; compare it with sim/scenes/pick_cube.toml", path.display())]
    Syntax {
        /// the scene file
        path: PathBuf,
        /// counted from 1
        line: usize,
        /// what is wrong
        what: String,
    },
    /// The URDF is not one.
    #[error("{}: {what}; correct the URDF or name another in arm.urdf", path.display())]
    Urdf {
        /// the URDF
        path: PathBuf,
        /// what is wrong
        what: String,
    },
    /// The servos can't be set to the rate asked for.
    #[error("{0}")]
    Baud(String),
    /// A value that cannot be simulated.
    #[error("{}: {key}: {what}", path.display())]
    Value {
        /// the scene file
        path: PathBuf,
        /// the key at fault
        key: String,
        /// what is wrong with it and what would be right
        what: String,
    },
}

/// One simulated workcell.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// what it is called
    pub name: String,
    /// physics steps a second
    pub physics_hz: u32,
    /// the arm and its servos
    pub arm: ArmScene,
    /// the table
    pub table: TableScene,
    /// the cubes on it
    pub cubes: Vec<CubeScene>,
    /// where cubes go
    pub bin: BinScene,
    /// where an episode puts the cubes
    pub placement: Placement,
    /// the cameras a policy sees through
    pub cameras: Vec<CameraScene>,
    /// a camera for people
    pub view: ViewScene,
    /// the lamp
    pub light: LightScene,
    /// what the camera sensors add
    pub noise: NoiseScene,
    #[serde(skip)]
    model: Arc<ArmModel>,
}

impl Scene {
    /// The scene that ships with the simulator.
    ///
    /// # Errors
    /// None in a build whose tests pass.
    pub fn pick_cube() -> Result<Self, SceneError> {
        Self::parse(Path::new("pick_cube.toml"), PICK_CUBE, |_| {
            Ok(SO101.to_owned())
        })
    }

    /// The same with other servos at the same places, their homing offsets in that family's sign.
    #[must_use]
    pub fn with_servos(mut self, model: Model) -> Scene {
        for servo in &mut self.arm.servos {
            if servo.model.protocol() != model.protocol() {
                servo.homing_offset = -servo.homing_offset;
            }
            servo.model = model;
        }
        self
    }

    /// The same with servos set to `baud` bits a second.
    ///
    /// # Errors
    /// When one of them can't be.
    pub fn at_baud(mut self, baud: u32) -> Result<Scene, SceneError> {
        for servo in &mut self.arm.servos {
            if !rates(servo.model).contains(&baud) {
                return Err(SceneError::Baud(check::no_such_rate(servo.model, baud)));
            }
            servo.baud = Some(baud);
        }
        Ok(self)
    }

    /// The same with servos as they leave the factory: id 1, mounted anyhow, none connected.
    #[must_use]
    pub fn fresh(mut self, seed: u64) -> Scene {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for servo in &mut self.arm.servos {
            servo.id = 1;
            servo.homing_offset = 0;
            servo.min_position = 0;
            servo.max_position = 4095;
            servo.encoder_at_zero = random.random_range(0..4096);
            servo.fresh = true;
        }
        self
    }

    /// Reads a scene file, and the URDF it names relative to itself.
    ///
    /// # Errors
    /// One line naming the file, the line or key, and the remedy.
    pub fn load(path: &Path) -> Result<Self, SceneError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| SceneError::Read {
                path: path.to_owned(),
                source,
            })
        };
        Self::parse(path, &read(path)?, read)
    }

    /// Parses scene text; `urdf` gives the text of the URDF at a path.
    fn parse(
        path: &Path,
        text: &str,
        urdf: impl Fn(&Path) -> Result<String, SceneError>,
    ) -> Result<Self, SceneError> {
        let mut scene: Self = toml::from_str(text).map_err(|error| SceneError::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| {
                1 + text[..span.start].bytes().filter(|&b| b == b'\n').count()
            }),
            what: error.message().lines().collect::<Vec<_>>().join(" "),
        })?;
        let urdf_path = path.parent().unwrap_or(Path::new("")).join(&scene.arm.urdf);
        let model = ArmModel::parse(&urdf(&urdf_path)?).map_err(|what| SceneError::Urdf {
            path: urdf_path,
            what,
        })?;
        check::check(&scene, &model).map_err(|(key, what)| SceneError::Value {
            path: path.to_owned(),
            key,
            what,
        })?;
        scene.model = Arc::new(model);
        Ok(scene)
    }

    /// The arm as its URDF describes it.
    #[must_use]
    pub fn model(&self) -> &ArmModel {
        &self.model
    }

    /// Seconds a physics step covers.
    #[must_use]
    pub fn step_secs(&self) -> f64 {
        1.0 / f64::from(self.physics_hz)
    }

    /// The joint angles at power-up, rad, in servo order.
    #[must_use]
    pub fn rest(&self) -> Vec<f64> {
        self.arm.servos.iter().map(|servo| servo.rest).collect()
    }
}

#[cfg(test)]
mod tests;
