//! Where a demonstration begins, and what happens to the cube on the way.
//!
//! Owns the variety that makes a policy robust beyond the one start pose of the job: other
//! poses of the arm, and cubes that are moved or snatched away while the arm works.

use rand::{Rng, RngExt};
use surehand::arm::ArmModel;
use surehand::arm::geometry::ArmChain;
use surehand::arm::tool::{pose_of, tool_of};
use surehand::messages::ToolSetpoint;
use surehand::units::{JointVec, Rad};
use surehand_kinematics::{Limits, Model, Options, Solver, Task};

use crate::disturbance::gauss;
use crate::expert::TILT;

/// Share of demonstrations that begin near the job's own start.
const NEAR_START: f64 = 0.5;
/// Joint noise there, radians.
const NEAR: f64 = 0.05;
/// Chance that the cube is moved once in the episode.
const MOVED: f64 = 0.15;
/// Chance that the gripper lets go on the way once.
const DROPPED: f64 = 0.12;
/// Chance that the cube is snatched from the jaws once.
const SNATCHED: f64 = 0.10;
/// Elsewhere: polar about the pan axis and height, metres and radians.
const RADIUS: [f64; 2] = [0.13, 0.27];
const ANGLE: [f64; 2] = [-1.15, 0.8];
const HEIGHT: [f64; 2] = [0.04, 0.11];

/// What somebody does to the cube.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mischief {
    /// Nothing.
    None,
    /// It is put elsewhere at this time, seconds.
    MoveAt(f64),
    /// It is taken out of the jaws once it has been carried for this long, seconds.
    SnatchAfter(f64),
    /// The gripper is made to open once the cube has been carried for this long, seconds.
    DropAfter(f64),
}

/// Draws what somebody does to the cube.
pub(crate) fn mischief(rng: &mut impl Rng) -> Mischief {
    let draw: f64 = rng.random();
    if draw < MOVED {
        Mischief::MoveAt(rng.random_range(0.5..4.0))
    } else if draw < MOVED + SNATCHED {
        Mischief::SnatchAfter(rng.random_range(0.1..2.0))
    } else if draw < MOVED + SNATCHED + DROPPED {
        Mischief::DropAfter(rng.random_range(0.0..1.5))
    } else {
        Mischief::None
    }
}

/// Draws where the joints are at the beginning; `cube` is where the cube lies.
pub(crate) fn pose(
    rng: &mut impl Rng,
    model: &ArmModel,
    start: &JointVec<Rad>,
    pan_axis: [f64; 2],
    cube: [f64; 2],
) -> Vec<f64> {
    let gripper = rng.random_range(-0.1..0.6);
    let mut joints = *start;
    if rng.random::<f64>() < NEAR_START {
        joints = joints.map(|angle| Rad(angle.0 + NEAR * gauss(rng)));
    } else {
        for _ in 0..20 {
            let radius = rng.random_range(RADIUS[0]..RADIUS[1]);
            let angle = rng.random_range(ANGLE[0]..ANGLE[1]);
            let position = [
                pan_axis[0] + radius * angle.cos(),
                pan_axis[1] + radius * angle.sin(),
                rng.random_range(HEIGHT[0]..HEIGHT[1]),
            ];
            let near = (position[0] - cube[0]).hypot(position[1] - cube[1]) < 0.07;
            let target = ToolSetpoint {
                position,
                tilt: TILT,
                roll: tool_of(model, start).unwrap_or_default().roll + 0.5 * gauss(rng),
                gripper,
            };
            if let Some(solved) = solve(model, &target, start).filter(|_| !near) {
                joints = solved;
                break;
            }
        }
    }
    if let Some(last) = joints.as_mut_slice().last_mut() {
        *last = Rad(gripper);
    }
    joints.iter().map(|angle| angle.0).collect()
}

/// The joints nearest to `start` that bring the simulated arm's tool to `target`, where they can.
fn solve(model: &ArmModel, target: &ToolSetpoint, start: &JointVec<Rad>) -> Option<JointVec<Rad>> {
    let ArmChain::Five(chain) = model.chain() else {
        return None;
    };
    let limits = model.chain_limits();
    let of = |number: fn(&surehand::arm::JointLimits) -> f64| {
        let all: Vec<f64> = limits.iter().map(number).collect();
        <[f64; 5]>::try_from(all).ok()
    };
    let arm = Model {
        names: std::array::from_fn(|_| String::new()),
        chain: *chain,
        limits: Limits {
            lower: of(|limits| limits.lower.0)?,
            upper: of(|limits| limits.upper.0)?,
            velocity: of(|limits| limits.velocity.0)?,
        },
    };
    let options = Options {
        starts: 0,
        ..Options::default()
    };
    let solver = Solver::new(&arm, Task::Pose, options).ok()?;
    let near: Vec<f64> = model.chain_of(start).iter().copied().collect();
    let near = <[f64; 5]>::try_from(near).ok()?;
    let answer = solver
        .solve(&pose_of(model, target, false)?, Some(&near))
        .ok()?;
    let within = answer.residual.position < 0.002 && answer.residual.angle < 0.05;
    within.then(|| model.with_chain(start, &answer.joints.into_iter().collect()))
}
