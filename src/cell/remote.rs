//! A job whose policy runs on another machine: where, and how its messages are laid out.

use std::path::PathBuf;

/// Where a job's policy is.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicySection {
    /// In this package.
    Package(PathBuf),
    /// On this server.
    Remote(Box<RemoteSection>),
}

/// A policy server, and the messages it wants.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteSection {
    /// `ws://host:port`.
    pub server: String,
    /// The file that holds what it asks for.
    pub api_key_file: Option<PathBuf>,
    /// What the arm is to do, in words, and where that goes.
    pub prompt: Option<(KeyPath, String)>,
    /// The pictures it is shown.
    pub images: Vec<RemoteImage>,
    /// What it is told of the joints.
    pub state: Vec<RemoteState>,
    /// What it answers.
    pub action: RemoteAction,
}

/// A key, or the keys of maps inside each other.
pub type KeyPath = Vec<String>;

/// One picture for a server.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteImage {
    /// The cell's camera.
    pub camera: String,
    /// Where it goes.
    pub key: KeyPath,
    /// Pixels across and down; the camera's own when `None`.
    pub size: Option<(u32, u32)>,
    /// Whether colours come one after the other, in planes.
    pub layout: PixelLayout,
}

/// How a picture's bytes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelLayout {
    /// Height, width, colours.
    #[default]
    Hwc,
    /// Colours, height, width.
    Chw,
}

/// Some values of the state, for a server.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteState {
    /// Where they go.
    pub key: KeyPath,
    /// Which, in order.
    pub values: Vec<String>,
    /// Their units.
    pub units: JointUnits,
    /// What is sent is the value times this …
    pub scale: f64,
    /// … plus this.
    pub offset: f64,
}

/// What the numbers of joints mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JointUnits {
    /// Radians.
    Si,
    /// Degrees from the middle of the calibrated range; the gripper 0…100.
    Degrees,
    /// −100…100 of the calibrated range; the gripper 0…100.
    Percent,
}

/// What the values of an action mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionSpace {
    /// Where each joint should be.
    #[default]
    Joint,
    /// How far from where it was commanded to be.
    JointOffset,
    /// How fast it should turn.
    JointVelocity,
    /// The tool, relative to where it was commanded to be.
    Tool,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteAction {
    /// Where the chunk is in an answer.
    pub key: KeyPath,
    /// What the values of one action mean.
    pub space: ActionSpace,
    /// Their names in order.
    pub order: Vec<String>,
    /// Their units.
    pub units: JointUnits,
    /// A joint's value is what came times this …
    pub scale: f64,
    /// … plus this.
    pub offset: f64,
    /// The same for the gripper, which may have units of its own.
    pub gripper: (JointUnits, f64, f64),
    /// Actions a second.
    pub rate_hz: f64,
    /// Actions in a chunk.
    pub horizon: usize,
    /// Action 0 is due this many steps after the pictures were taken.
    pub first_step: f64,
    /// The tool's lean, radians, in the space of the tool.
    pub tilt_rad: Option<f64>,
}
