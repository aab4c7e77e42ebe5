//! A chunk of the expert as a plan for the controller.
//!
//! Owns the bounds that a demonstrated plan keeps. A policy's plans are made by the
//! controller's own decoder instead.

use surehand::messages::{MAX_WAYPOINTS, Plan, ToolSetpoint, Waypoints};
use surehand::units::MonoTime;

use crate::expert::{CHUNK, CLOSED, STEP_SECS, TILT, Tool};

/// The tool never goes below this, metres: the jaws' tips are lower than the tool point.
const LOWEST: f64 = 0.0105;
/// The gripper is never told to open wider, radians.
const WIDEST: f64 = 0.6;

/// `chunk` as a plan, relative to `base`, where the tool was commanded to be at `at`.
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
