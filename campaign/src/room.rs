//! Whether the arm stays where it may be: inside its walls, behind its planes, outside of its
//! boxes, its links apart, and none of them too fast.
//!
//! Owns the rules, one for each thing there is to meet. Knows the way of a goal that is pulled to
//! its joint: there the lead is the stronger limit, and the stop that was sure is void, until the
//! arm has had the time for another.

use surehand::arm::{ArmModel, Space};
use surehand::units::{JointVec, Rad};

use crate::motion::{Broken, broken};
use crate::shape::{Point, Shape};

/// Metres by which an arm that was clear of something may eat up its margin: joints stop one by
/// one, and the way of a stop is looked at in places.
const INSIDE: f64 = 0.002;
/// Metres by which an arm that begins without room may get deeper before it gets out.
const OUTSIDE: f64 = 0.002;
/// Rounding of a speed, as a factor.
const ROUNDED: f64 = 1.0 + 1e-6;

/// The goals of a tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goals<'a> {
    pub(crate) model: &'a ArmModel,
    pub(crate) goals: &'a JointVec<Rad>,
    /// The lead had a say in one of them, or one began anew.
    pub(crate) pulled: bool,
}

/// The space around one arm, and how much of it was left.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    shape: Shape,
    tool_speed: Option<f64>,
    /// The least that may be left of each thing: nothing, or where it began without; empty where
    /// the goals begin anew.
    floors: Vec<f64>,
    ends: Vec<Point>,
    period: f64,
    /// Ticks until the arm has had the time to stop.
    unsure: u32,
    stop_ticks: u32,
}

impl Room {
    /// Around an arm that stops within `stop_secs`.
    pub(crate) fn new(model: &ArmModel, space: &Space, period: f64, stop_secs: f64) -> Room {
        Room {
            shape: Shape::new(model, space),
            tool_speed: space.tool_speed,
            floors: Vec::new(),
            ends: Vec::new(),
            period,
            unsure: 0,
            stop_ticks: (stop_secs / period) as u32 + 1,
        }
    }

    /// The goals begin anew.
    pub(crate) fn forget(&mut self) {
        self.floors.clear();
        self.ends.clear();
    }

    /// Takes in the goals of a tick.
    ///
    /// # Errors
    /// When they lead out of the space, or farther out, or too fast.
    pub(crate) fn step(&mut self, tick: &Goals<'_>) -> Result<(), Broken> {
        if self.shape.is_open() && self.tool_speed.is_none() {
            return Ok(());
        }
        let settled = self.unsure == 0;
        if tick.pulled {
            self.unsure = self.stop_ticks;
        }
        self.unsure = self.unsure.saturating_sub(1);
        let ends = self.shape.ends(tick.model, tick.goals);
        self.speed(&ends)?;
        let left = self.shape.left(&ends);
        self.ends = ends;
        if self.floors.is_empty() || (tick.pulled && settled) {
            self.floors = left.iter().map(|left| left.min(0.0)).collect();
        }
        if self.unsure > 0 {
            // A stop may lead back to where it was begun.
            for (floor, left) in self.floors.iter_mut().zip(left) {
                *floor = floor.min(left);
            }
            return Ok(());
        }
        for (floor, left) in self.floors.iter_mut().zip(left) {
            let slack = if *floor < 0.0 { OUTSIDE } else { INSIDE };
            if left < *floor - slack {
                return broken(
                    "the arm keeps its margin to all there is, or gets no deeper",
                    format!("{left} m left, {floor} allowed"),
                );
            }
            if left >= 0.0 {
                *floor = 0.0;
            }
        }
        Ok(())
    }

    /// No end of a link is faster than it may be.
    fn speed(&self, ends: &[Point]) -> Result<(), Broken> {
        let Some(most) = self.tool_speed.filter(|_| self.unsure == 0) else {
            return Ok(());
        };
        for (now, before) in ends.iter().zip(&self.ends) {
            let speed = now.distance(before) / self.period;
            if speed > most * ROUNDED {
                return broken(
                    "no link is faster than it may be",
                    format!("{speed} m/s, {most} allowed"),
                );
            }
        }
        Ok(())
    }
}
