//! Kinematics of a serial chain: where its tool is, how it moves, and which joints put it somewhere.
//!
//! ```text
//! URDF ─► Description ─► Model<N> ─┬─► Chain<N>: forward kinematics, Jacobian
//!      └► Shapes ─┐                ├─► global: joints for a pose, from anywhere
//!                 │                ├─► streaming: the next joint velocities, tick after tick
//!                 └────────────────┴─► Clearance<N>: distances and how they change with the joints
//! ```
//!
//! Everything after loading is of fixed size, pure and free of allocation, so that a real-time tick
//! may use it. Lengths are metres, angles radians, times seconds; a pose is that of the tool frame
//! in the frame of the base link.

pub mod chain;
pub mod clearance;
pub mod description;
pub mod frame;
pub mod global;
pub mod model;
pub mod streaming;
pub mod task;

pub use chain::{Chain, Driver, Jacobian, Joint, Linearised, Motion, Moves, Places};
pub use clearance::{Capsule, Clearance, ClearanceError, Nearness, Obstacle, Pair, Shapes};
pub use description::{Description, DescriptionError};
pub use frame::Frame;
pub use global::{Answer, Bound, Exact, InputError, Options, SetupError, Solver, Unreached};
pub use model::{Limits, MAX_JOINTS, Model};
pub use task::{Axes, Residual, Task};
