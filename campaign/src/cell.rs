//! The arm of a scenario: the SO-101 with random limits, and the core's settings for it.
//!
//! Owns what "within reason" means. Never draws a cell that no integrator would write: a joint can
//! follow at its speed limit without standing at the edge of its lead.

use std::time::Duration;

use surehand::arm::{
    AfterStop, ArmModel, ArmSpec, Block, JointSpec, ModelError, Parking, Plane, Space,
};
use surehand::control::{Clearance, CoreConfig, MonitorConfig, PlanRules};
use surehand::units::{JointVec, Rad, RadPerSec, RadPerSec2, RadPerSec3};

use crate::rng::Rng;
use crate::servo::{Build, Servo};

const URDF: &str = include_str!("../../urdf/so101.urdf");
const JOINTS: [&str; 6] = [
    "shoulder_pan",
    "shoulder_lift",
    "elbow_flex",
    "wrist_flex",
    "wrist_roll",
    "gripper",
];
/// A pose the arm can go anywhere from, radians.
const READY: [f64; 6] = [0.1, -0.4, 0.5, 1.2, 1.5, 0.2];

/// An arm, its settings and its servos.
#[derive(Debug)]
pub struct Cell {
    /// What the core is told of the space around the arm.
    pub space: Space,
    /// What the core is told.
    pub config: CoreConfig,
    /// The servos where the scenario begins, in the arm's order.
    pub servos: Vec<Servo>,
}

impl Cell {
    /// A cell from `rng`; `torque` as its servos are found.
    ///
    /// # Errors
    /// When the URDF does not make the arm.
    pub fn draw(rng: &mut Rng, torque: bool) -> Result<Cell, ModelError> {
        let rate_hz = rng.scale(100.0, 500.0).round();
        let period = Duration::from_secs_f64(1.0 / rate_hz);
        let lag = rng.between(0.012, 0.035);
        let joints = JOINTS.into_iter().map(|name| joint(rng, name)).collect();
        let spec = ArmSpec {
            joints,
            gripper: Some("gripper".into()),
            base_link: "base".into(),
            tool_link: "grasp_frame".into(),
        };
        let model = ArmModel::parse("so101.urdf", URDF, &spec)?;
        let servos = (0..JOINTS.len())
            .map(|index| servo(rng, &model, index, lag, torque))
            .collect();
        let space = space(rng, &model);
        Ok(Cell {
            config: settings(rng, model, period, space.clone()),
            space,
            servos,
        })
    }
}

fn joint(rng: &mut Rng, name: &str) -> JointSpec {
    let velocity = rng.scale(0.8, 4.0);
    // Stops from full speed in 0.12 to 0.5 s.
    let acceleration = velocity / rng.between(0.12, 0.5);
    // What the URDF allows is −1.6 … 1.6 or more, but for the gripper.
    let narrow = rng.chance(0.3) && name != "gripper";
    JointSpec {
        name: name.into(),
        velocity: RadPerSec(velocity),
        acceleration: RadPerSec2(acceleration),
        // Full acceleration within 5 to 120 ms.
        jerk: RadPerSec3(acceleration / rng.scale(0.005, 0.12)),
        lower: narrow.then(|| Rad(rng.between(-1.5, -0.6))),
        upper: narrow.then(|| Rad(rng.between(1.55, 1.6))),
    }
}

fn servo(rng: &mut Rng, model: &ArmModel, index: usize, lag: f64, torque: bool) -> Servo {
    let limits = model.limits().get(index).unwrap_or_default();
    let build = Build {
        lag,
        speed: limits.velocity.0 * rng.between(1.2, 2.0),
        acceleration: limits.acceleration.0 * rng.between(2.0, 5.0),
        sag: rng.between(-0.1, 0.1) * limits.stopping_distance().0,
        stops: (limits.lower.0 - 0.4, limits.upper.0 + 0.4),
    };
    let position = match rng.below(10) {
        0 => limits.lower.0 + rng.between(-0.19, 0.05),
        1 => limits.upper.0 + rng.between(-0.05, 0.19),
        2 => rng.between(limits.lower.0, limits.upper.0),
        _ => READY[index] + rng.between(-0.1, 0.1),
    };
    Servo::new(build, position, torque)
}

/// Some cells have walls around the arm, a box beside it or planes, or watch the links, and some
/// bound their speed.
fn space(rng: &mut Rng, model: &ArmModel) -> Space {
    let mut space = Space {
        margin: rng.between(0.005, 0.03),
        slow_zone: rng.pick([0.0, 0.03, 0.03, 0.1]) * rng.between(0.5, 1.0),
        tool_speed: rng.chance(0.2).then(|| rng.scale(0.1, 0.8)),
        ..Space::default()
    };
    if rng.chance(0.65) {
        return space;
    }
    let pose = model.forward(&READY.into_iter().map(Rad).collect());
    let tool: [f64; 3] = pose.tool.translation.into();
    let joints = pose.axes().skip(2).map(|(_, origin)| (*origin).into());
    let ends: Vec<[f64; 3]> = joints.chain(std::iter::once(tool)).collect();
    let around = |rng: &mut Rng, least: f64, most: f64| {
        let sides: [f64; 3] = std::array::from_fn(|_| rng.between(least, most));
        sides
    };
    let (below, above) = (around(rng, 0.08, 0.4), around(rng, 0.08, 0.3));
    let walls = Block {
        min: std::array::from_fn(|axis| {
            ends.iter()
                .map(|end| end[axis])
                .fold(f64::INFINITY, f64::min)
                - below[axis]
        }),
        max: std::array::from_fn(|axis| {
            ends.iter()
                .map(|end| end[axis])
                .fold(f64::NEG_INFINITY, f64::max)
                + above[axis]
        }),
    };
    let (away, size) = (around(rng, 0.04, 0.2), around(rng, 0.02, 0.1));
    let side = around(rng, -1.0, 1.0);
    let corner: [f64; 3] =
        std::array::from_fn(|axis| tool[axis] + (size[axis] + away[axis]) * side[axis].signum());
    let block = Block {
        min: std::array::from_fn(|axis| corner[axis] - size[axis]),
        max: std::array::from_fn(|axis| corner[axis] + size[axis]),
    };
    space.walls = rng.chance(0.5).then_some(walls);
    if rng.chance(0.5) {
        // There is room for one.
        let _ = space.keep_out.push(block);
    }
    for _ in 0..rng.below(4) {
        let slope: [f64; 3] = std::array::from_fn(|_| rng.between(-1.0, 1.0));
        // There is room for eight.
        let _ = space
            .planes
            .push(facing(&ends, slope, rng.between(0.05, 0.2)));
    }
    space.link_radius = rng.chance(0.7).then(|| rng.between(0.005, 0.025));
    space
}

/// A plane of this slope that is this far from the nearest of `ends`.
fn facing(ends: &[[f64; 3]], slope: [f64; 3], away: f64) -> Plane {
    let length = slope.iter().map(|side| side * side).sum::<f64>().sqrt();
    let normal = slope.map(|side| side / length);
    let height = |end: &[f64; 3]| {
        end.iter()
            .zip(normal)
            .map(|(at, side)| at * side)
            .sum::<f64>()
    };
    let least = ends.iter().map(height).fold(f64::INFINITY, f64::min);
    Plane {
        point: normal.map(|side| side * (least - away)),
        normal,
    }
}

fn settings(rng: &mut Rng, model: ArmModel, period: Duration, space: Space) -> CoreConfig {
    // As often a whole number of periods as not: a lease may be off by one either way.
    let lease = if rng.chance(0.5) {
        period * (1 + rng.below(9) as u32)
    } else {
        period.max(Duration::from_nanos(rng.millis(8.0, 100.0)))
    };
    let hold_up = rng.chance(0.3);
    let standard = MonitorConfig::default();
    let floor = rng.chance(0.5);
    let clearance = Clearance::new(&model, space);
    let parking = parking(rng, &model, &clearance);
    CoreConfig {
        clearance,
        parking,
        lease,
        first_plan: Duration::from_nanos(rng.millis(100.0, 2500.0)),
        plans: PlanRules {
            max_age: Duration::from_nanos(rng.millis(150.0, 600.0)),
            crossfade: Duration::from_nanos(rng.millis(10.0, 200.0)),
            floor: if floor { 0.01 } else { f64::NEG_INFINITY },
            ..PlanRules::default()
        },
        monitors: MonitorConfig {
            misses: 3 + rng.below(6) as u8,
            missed_ticks: if hold_up { 20 } else { standard.missed_ticks },
            stall: if hold_up {
                Duration::from_millis(150)
            } else {
                standard.stall
            },
            ..standard
        },
        ..CoreConfig::new(model, period)
    }
}

/// Every other cell has a place to put the arm away that is clear of everything.
fn parking(rng: &mut Rng, model: &ArmModel, clearance: &Clearance) -> Option<Parking> {
    if rng.chance(0.5) {
        return None;
    }
    let after = |rng: &mut Rng| {
        if rng.chance(0.5) {
            AfterStop::Park
        } else {
            AfterStop::Hold
        }
    };
    let (at_exit, when_hot) = (after(rng), after(rng));
    let speed = rng.scale(0.1, 1.0);
    let pose: JointVec<Rad> = (READY.into_iter().zip(model.limits()))
        .map(|(ready, limits)| {
            let at = ready + rng.between(-0.6, 0.6);
            Rad(at.clamp(limits.lower.0, limits.upper.0))
        })
        .collect();
    let clear = clearance.of(model, &pose).least() >= 0.0;
    clear.then(|| Parking {
        pose: pose.map(|at| (!rng.chance(0.1)).then_some(at)),
        speed,
        at_exit,
        when_hot,
    })
}
