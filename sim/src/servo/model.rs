//! What kinds of servo there are, and which protocol each speaks. Owns names and what tells one
//! kind from another; never a register.

use serde::Deserialize;

/// A kind of servo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Model {
    /// Feetech STS3215.
    #[default]
    #[serde(rename = "STS3215")]
    Sts3215,
    /// Dynamixel XL330-M077.
    #[serde(rename = "XL330-M077")]
    Xl330M077,
    /// Dynamixel XL330-M288.
    #[serde(rename = "XL330-M288")]
    Xl330M288,
    /// Dynamixel XL430-W250.
    #[serde(rename = "XL430-W250")]
    Xl430W250,
    /// Dynamixel XC430-W150.
    #[serde(rename = "XC430-W150")]
    Xc430W150,
    /// Dynamixel XM430-W350.
    #[serde(rename = "XM430-W350")]
    Xm430W350,
    /// Dynamixel XM540-W270.
    #[serde(rename = "XM540-W270")]
    Xm540W270,
}

/// What is spoken on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Feetech's.
    Feetech,
    /// Dynamixel's second.
    Dynamixel,
}

/// All that can be simulated.
pub const MODELS: [Model; 7] = [
    Model::Sts3215,
    Model::Xl330M077,
    Model::Xl330M288,
    Model::Xl430W250,
    Model::Xc430W150,
    Model::Xm430W350,
    Model::Xm540W270,
];

impl Model {
    /// What its maker calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Model::Sts3215 => "STS3215",
            Model::Xl330M077 => "XL330-M077",
            Model::Xl330M288 => "XL330-M288",
            Model::Xl430W250 => "XL430-W250",
            Model::Xc430W150 => "XC430-W150",
            Model::Xm430W350 => "XM430-W350",
            Model::Xm540W270 => "XM540-W270",
        }
    }

    /// The model that is called so.
    ///
    /// # Errors
    /// One line with those there are.
    pub fn named(name: &str) -> Result<Model, String> {
        let known = || MODELS.map(Model::name).join(", ");
        let found = MODELS.into_iter().find(|model| model.name() == name);
        found.ok_or_else(|| format!("no servo {name} can be simulated; there are {}", known()))
    }

    /// What it speaks.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Model::Sts3215 => Protocol::Feetech,
            Model::Xl330M077
            | Model::Xl330M288
            | Model::Xl430W250
            | Model::Xc430W150
            | Model::Xm430W350
            | Model::Xm540W270 => Protocol::Dynamixel,
        }
    }
}
