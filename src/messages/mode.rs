//! The mode of the controller as everybody sees it. Its transitions are the control core's.

use serde::{Deserialize, Serialize};

/// What the arm is allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Latched: holding where it stopped (or limp when released), until a reset.
    #[default]
    Stopped,
    /// Not latched, torque off.
    Idle,
    /// Torque on, standing.
    Holding,
    /// Following plans.
    Running,
    /// Decelerating towards `Stopped`.
    Stopping,
    /// Going to the park pose to let go there; then `Stopped`, limp.
    Parking,
}

impl Mode {
    /// Whether only a reset leads on: the arm has stopped, is stopping, or is being put away.
    #[must_use]
    pub fn latched(self) -> bool {
        match self {
            Mode::Stopped | Mode::Stopping | Mode::Parking => true,
            Mode::Idle | Mode::Holding | Mode::Running => false,
        }
    }

    /// The mode as one lower-case word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Mode::Stopped => "stopped",
            Mode::Idle => "idle",
            Mode::Holding => "holding",
            Mode::Running => "running",
            Mode::Stopping => "stopping",
            Mode::Parking => "parking",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// How far a stop has had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rung {
    /// The arm stands, or comes to stand, with torque on or off as its mode says.
    #[default]
    Hold,
    /// A joint drove on: torque was taken from the whole arm.
    LetGo,
    /// It drove on even so: its power must be cut.
    CutPower,
}

impl Rung {
    /// The rung as one lower-case word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Rung::Hold => "hold",
            Rung::LetGo => "let_go",
            Rung::CutPower => "cut_power",
        }
    }
}
