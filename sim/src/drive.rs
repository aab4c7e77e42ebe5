//! What crosses between a simulated servo and the physics: it owns the two records, never the
//! servo's registers nor the rigid bodies.

/// What a servo asks of its joint during one physics step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Drive {
    /// rad, joint frame
    pub target: f64,
    /// rad/s
    pub target_velocity: f64,
    /// N m / rad
    pub stiffness: f64,
    /// N m s / rad
    pub damping: f64,
    /// N m, largest torque either way
    pub max_torque: f64,
    /// N m, gear friction, opposes motion (present with torque off too)
    pub friction: f64,
}

/// What the physics gives back after one step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Motion {
    /// rad, joint frame
    pub position: f64,
    /// rad/s
    pub velocity: f64,
    /// N m the motor delivered
    pub torque: f64,
}
