//! What a follower says: of a tick, and of why there is none.
//!
//! Owns the words. Never decides anything.

use crate::streaming::Residual;

/// Why there is no follower.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum FollowerError {
    /// Too short or too long.
    #[error("a tick of {seconds} s is outside 0.0001 to 0.1 s; choose one inside")]
    Period {
        /// As given.
        seconds: f64,
    },
    /// Not a number above zero.
    #[error("joint {joint}: {what} is {value}; give a finite number above zero")]
    Limit {
        /// Index, base first.
        joint: usize,
        /// Which limit.
        what: &'static str,
        /// As given.
        value: f64,
    },
    /// Upside down, or none.
    #[error("joint {joint}: position limits {lower} to {upper} hold nothing; give the lower first")]
    Range {
        /// Index, base first.
        joint: usize,
        /// As given.
        lower: f64,
        /// As given.
        upper: f64,
    },
    /// Not finite.
    #[error("joint {joint}: starts at {position} with velocity {velocity}; give finite numbers")]
    Start {
        /// Index, base first.
        joint: usize,
        /// As given.
        position: f64,
        /// As given.
        velocity: f64,
    },
}

/// How the arm fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It does what is asked, at the speed that is told.
    Kept,
    /// It is on its way, held back by its limits.
    Behind,
    /// The target is out of reach: the arm is, or goes, as near as it can.
    Beyond,
    /// The path can't be followed farther than where it stands, or comes to stand.
    Blocked,
    /// The path is at its end.
    Done,
    /// It brakes: it was told to, or what it was asked is not a number.
    Braking,
}

/// One tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<const N: usize> {
    /// Where the joints are to be, radians or metres, base first.
    pub positions: [f64; N],
    /// How fast they go there: the way since the last tick over its period.
    pub velocities: [f64; N],
    /// The share of the asked speed that is kept: of a path or a twist, 0 to 1.
    pub share: f64,
    /// How it fares.
    pub course: Course,
    /// What of the target is out of the arm's reach, as far as it is known; zero on a path.
    pub residual: Residual,
}
