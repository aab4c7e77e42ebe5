//! What bounds a tick besides the joints' own limits: what is around the arm, how fast its links
//! may get, and the pace it is held to.
//!
//! Owns nothing: it is told anew each tick. Real time: no allocation, lock, log or clock.

use crate::arm::ArmModel;
use crate::control::clearance::{Clearance, Room, Swing};
use crate::units::{JointVec, Rad};

/// What bounds a tick besides the joints' own limits.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    shape: Option<Shape<'a>>,
    pace: f64,
    tool_speed: f64,
}

impl Around<'_> {
    /// Nothing is near, and only the joints' limits count.
    pub const OPEN: Around<'static> = Around {
        shape: None,
        pace: 1.0,
        tool_speed: f64::INFINITY,
    };

    /// Held to a share of every joint's speed limit, above 0 and at most 1; at any other the
    /// arm brakes. Acceleration and jerk stay as they are, so a fall of the pace is a gentle one.
    #[must_use]
    pub fn at_pace(self, pace: f64) -> Self {
        Around { pace, ..self }
    }

    /// No end of a link may get faster than this, m/s, nor than the cell says.
    #[must_use]
    pub fn at_tool_speed(self, most: f64) -> Self {
        Around {
            tool_speed: self.tool_speed.min(most),
            ..self
        }
    }

    /// The share of its speed limits that a joint may use; `None` when it is to stand.
    pub(super) fn pace(&self) -> Option<f64> {
        (self.pace > 0.0).then_some(self.pace.min(1.0))
    }
}

impl<'a> Around<'a> {
    /// `clearance` around `model`, at full pace and the cell's tool speed.
    #[must_use]
    pub fn new(model: &'a ArmModel, clearance: &'a Clearance) -> Around<'a> {
        let shape = Shape { model, clearance };
        Around {
            shape: Some(shape),
            tool_speed: clearance.tool_speed(),
            ..Around::OPEN
        }
    }

    /// Where there is anything to meet.
    pub(super) fn watched(&self) -> Option<Shape<'a>> {
        self.shape.filter(|shape| !shape.clearance.is_open())
    }

    /// Where the speed of links is bounded, and to what, m/s.
    pub(super) fn speed_limit(&self) -> Option<(Shape<'a>, f64)> {
        let shape = self.shape?;
        (self.tool_speed < f64::INFINITY).then_some((shape, self.tool_speed))
    }
}

/// The arm and what is around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'a> {
    model: &'a ArmModel,
    clearance: &'a Clearance,
}

impl Shape<'_> {
    /// The room that is left with the joints at `joints`.
    pub(super) fn room(&self, joints: &JointVec<Rad>) -> Room {
        self.clearance.of(self.model, joints)
    }

    /// What any link can move at most, metres or m/s, where each joint moves by so much, radians
    /// or rad/s.
    pub(super) fn sum(&self, joints: &JointVec<f64>) -> f64 {
        let levers = self.clearance.levers().iter();
        levers.zip(joints).map(|(lever, by)| lever * by.abs()).sum()
    }

    /// Whether so much room, in metres, is too much to slow down for.
    pub(super) fn is_far(&self, left: f64) -> bool {
        left > self.clearance.slow_zone()
    }

    /// See [`Clearance::share`].
    pub(super) fn share(&self, least: &Room, here: &Room, ahead: &Room, secs: f64) -> f64 {
        self.clearance.share(least, here, ahead, secs)
    }

    /// See [`Clearance::fastest`].
    pub(super) fn fastest(&self, joints: &JointVec<Rad>, swings: &JointVec<Swing>) -> f64 {
        self.clearance.fastest(self.model, joints, swings)
    }

    /// Whether the joint at `index` moves the links.
    pub(super) fn moves(&self, index: usize) -> bool {
        self.model.chain_joints().iter().any(|at| *at == index)
    }
}
