//! What a runner watches of its policy and its pictures, and what it does about it.
//!
//! None of it is part of a safety decision: it warns, asks for less, or pauses.

use serde::{Deserialize, Serialize};

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Watch {
    /// How old the pictures are behind what is commanded, milliseconds.
    Age,
    /// Pictures of a camera that repeat the one before, in a row.
    Repeated,
    /// The contrast of the blankest picture, 0…1.
    Blank,
    /// The sharpness of the most blurred picture, as a share of what it usually is.
    Blurred,
    /// How far the state is from the training data, deviations.
    State,
    /// How far a picture is from the training data, deviations of its colours.
    Pictures,
    /// How far a chunk is from the one before, radians.
    Apart,
    /// The same of the tool point, metres.
    ToolApart,
}

impl Watch {
    /// All there are.
    pub const ALL: [Watch; 8] = [
        Watch::Age,
        Watch::Repeated,
        Watch::Blank,
        Watch::Blurred,
        Watch::State,
        Watch::Pictures,
        Watch::Apart,
        Watch::ToolApart,
    ];

    /// Its key in a cell file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Watch::Age => "observation_age_ms",
            Watch::Repeated => "repeated_pictures",
            Watch::Blank => "contrast",
            Watch::Blurred => "sharpness",
            Watch::State => "unfamiliar_state",
            Watch::Pictures => "unfamiliar_pictures",
            Watch::Apart => "disagreement_rad",
            Watch::ToolApart => "disagreement_m",
        }
    }

    /// Whether `value` is beyond `limit`: too little of some, too much of most.
    #[must_use]
    pub fn beyond(self, value: f64, limit: f64) -> bool {
        match self {
            Watch::Blank | Watch::Blurred => value < limit,
            Watch::Age
            | Watch::Repeated
            | Watch::State
            | Watch::Pictures
            | Watch::Apart
            | Watch::ToolApart => value > limit,
        }
    }
}

/// What is done when it is beyond its limit, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// Nothing.
    Off,
    /// It is said, in the log, the audit log and the status.
    #[default]
    Warn,
    /// The plans that are sent take twice the time, too.
    Slow,
    /// The arm is paused, too, and holds until an operator starts it.
    Hold,
}

impl Then {
    /// As a cell file spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Then::Off => "off",
            Then::Warn => "warn",
            Then::Slow => "slow",
            Then::Hold => "hold",
        }
    }
}

/// Something beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Raised {
    /// What.
    pub what: Watch,
    /// Its worst value.
    pub value: f64,
    /// Its limit.
    pub limit: f64,
    /// What is done about it.
    pub then: Then,
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Raised { value, limit, .. } = self;
        match self.what {
            Watch::Age => write!(
                f,
                "commands came from pictures {value:.0} ms old (over {limit:.0})"
            ),
            Watch::Repeated => write!(
                f,
                "a camera repeated a picture {value:.0} times (over {limit:.0})"
            ),
            Watch::Blank => write!(
                f,
                "a picture is nearly blank: contrast {value:.3} (under {limit:.3})"
            ),
            Watch::Blurred => write!(
                f,
                "a picture is blurred: {:.0} % of its usual sharpness (under {:.0})",
                100.0 * value,
                100.0 * limit
            ),
            Watch::State => write!(
                f,
                "the state was {value:.1} deviations from the training data (over {limit:.1})"
            ),
            Watch::Pictures => write!(
                f,
                "a picture was {value:.1} deviations from the training data (over {limit:.1})"
            ),
            Watch::Apart => write!(
                f,
                "two chunks disagreed by {value:.3} rad (over {limit:.3})"
            ),
            Watch::ToolApart => write!(
                f,
                "two chunks disagreed by {:.0} mm (over {:.0})",
                1e3 * value,
                1e3 * limit
            ),
        }?;
        match self.then {
            Then::Off | Then::Warn => Ok(()),
            Then::Slow => f.write_str(": the arm goes at half its speed"),
            Then::Hold => f.write_str(": the arm was paused, look at it and `surehand start`"),
        }
    }
}
