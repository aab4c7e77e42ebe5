//! Who moves the arm in a trial: the scripted expert or a policy package.
//!
//! Owns turning what is seen at one moment into a plan. Never sees the future, and the policy
//! never sees the cube's pose.

use std::sync::Arc;

use surehand::camera::Rgb8;
use surehand::messages::{MAX_WAYPOINTS, Plan, ToolSetpoint, Waypoints};
use surehand::policy::{Observation, Picture, Policy};
use surehand::units::{JointVec, MonoTime, Rad};

use crate::Failure;
use crate::expert::{CHUNK, CLOSED, STEP_SECS, TILT, Tool};

/// The tool never goes below this, metres: the jaws' tips are lower than the tool point.
const LOWEST: f64 = 0.0105;

/// The gripper is never told to open wider, radians.
const WIDEST: f64 = 0.6;

/// What the arm looked like when the pictures were taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: MonoTime,
    pub(crate) measured: JointVec<Rad>,
    pub(crate) command: JointVec<Rad>,
}

/// A chunk of the expert as a plan, relative to where the tool was commanded to be.
pub(crate) fn plan_of(at: MonoTime, base: &Tool, chunk: &[[f64; 5]; CHUNK]) -> Plan {
    let mut points: heapless::Vec<ToolSetpoint, MAX_WAYPOINTS> = heapless::Vec::new();
    for step in chunk {
        let [x, y, z] = base.position;
        // A chunk is far shorter than a plan may be.
        let _ = points.push(ToolSetpoint {
            position: [x + step[0], y + step[1], (z + step[2]).max(LOWEST)],
            tilt: TILT,
            roll: base.roll + step[3],
            gripper: step[4].clamp(CLOSED, WIDEST),
        });
    }
    Plan {
        id: 0,
        captured_at: at,
        start: at.offset_secs(STEP_SECS),
        step_ns: (STEP_SECS * 1e9) as u32,
        waypoints: Waypoints::Tool(points),
    }
}

/// A policy's answer to pictures and joints.
pub(crate) fn ask(
    policy: &mut Policy,
    moment: &Moment,
    pictures: &[Arc<Rgb8>],
) -> Result<Plan, Failure> {
    let observation = Observation {
        captured_at: moment.at,
        pictures: pictures
            .iter()
            .map(|picture| Picture {
                width: picture.width(),
                height: picture.height(),
                rgb: picture.data(),
            })
            .collect(),
        measured: moment.measured,
        command: moment.command,
    };
    Ok(policy.plan(&observation, 0)?)
}
