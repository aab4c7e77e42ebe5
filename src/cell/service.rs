//! `[service]`: what is to be seen to after so much use of a joint, and what is said then.

/// What of a joint's use is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Hours with torque on.
    Hours,
    /// Hours in motion.
    MotionHours,
    /// Radians travelled.
    Radians,
    /// Times torque was switched on.
    Starts,
}

impl Counted {
    /// All there are.
    pub const ALL: [Counted; 4] = [
        Counted::Hours,
        Counted::MotionHours,
        Counted::Radians,
        Counted::Starts,
    ];

    /// Its key in a cell file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Counted::Hours => "every_hours",
            Counted::MotionHours => "every_motion_hours",
            Counted::Radians => "every_rad",
            Counted::Starts => "every_starts",
        }
    }

    /// What a number of it is a number of.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Counted::Hours => "h with torque on",
            Counted::MotionHours => "h in motion",
            Counted::Radians => "rad travelled",
            Counted::Starts => "starts",
        }
    }
}

/// One thing to be seen to again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Reminder {
    /// Its name, by which it is noted as done.
    pub name: String,
    /// What is counted.
    pub counted: Counted,
    /// After so much of it, in the unit of what is counted.
    pub every: f64,
    /// The joint that counts; the one with the most use when left out.
    pub joint: Option<String>,
    /// What is to be done.
    pub say: String,
}
