//! Measures the streaming solve: a circle, a fly-by of a wrist singularity, and reaching out of the
//! workspace and back, on arms of five, six and seven joints, at 1 kHz and 200 Hz.
//!
//! `cargo run --release -p surehand-kinematics --example stream`

#![allow(clippy::unwrap_used, reason = "a trial may end in a panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "ticks are timed where they are measured"
)]
#![allow(
    unreachable_pub,
    dead_code,
    reason = "modules shared by tests and measuring program"
)]

#[path = "../tests/streaming/robots.rs"]
mod robots;
#[path = "../tests/streaming/scenes.rs"]
mod scenes;

use nalgebra::{Vector3, Vector6};
use scenes::{Circle, Figures, Run, fly_by, reach_out};
use surehand_kinematics::{Clearance, Model, Obstacle, Shapes};

/// Radians a second squared.
const ACCELERATION: f64 = 20.0;

fn main() {
    println!(
        "{:<38} {:>9} {:>9} {:>6} {:>6} {:>8} {:>7} {:>6} {:>7} {:>7}",
        "", "error mm", "back mm", "speed", "accel", "beyond", "slowest", "s", "µs p50", "p99.9"
    );
    for period in [0.001, 0.005] {
        circles(
            "so101",
            robots::so101(),
            SO101,
            Some(Vector3::new(0.0388353, 0.0, 0.0)),
            period,
        );
        circles("ur5e", robots::ur5e(), UR5E, None, period);
        circles("panda", robots::panda(), PANDA, None, period);
        for closest in [0.027, 0.005, 0.1] {
            let model = robots::ur5e();
            let (line, start) = fly_by(&model.chain, closest, 19.5, 0.15);
            let mut run = Run::new(model, ACCELERATION, period, start);
            let done = run.follow(&line, 30.0);
            let name = format!(
                "ur5e fly-by {closest}{}",
                if done { "" } else { " (stuck)" }
            );
            print(&name, &run, 0.0, period);
        }
        let model = robots::ur5e();
        let (line, start) = fly_by(&model.chain, 0.027, 19.5, 0.15);
        let mut run = Run::new(model, ACCELERATION, period, start);
        run.track(&line, 0.3, line.seconds);
        print("ur5e fly-by in its own time", &run, 0.0, period);
        twists("so101", robots::so101(), SO101, period);
        twists("ur5e", robots::ur5e(), UR5E, period);
        twists("panda", robots::panda(), PANDA, period);
        reaches("so101", robots::so101(), SO101, period);
        reaches("ur5e", robots::ur5e(), UR5E, period);
        reaches("panda", robots::panda(), PANDA, period);
    }
    let urdf = include_str!("../../urdf/so101.urdf");
    let shapes = Shapes::read("so101.urdf", urdf, "base", "gripper_frame", &|_| None).unwrap();
    clearances("so101", &robots::so101(), &shapes, SO101);
    let (ur5e, panda) = (robots::ur5e(), robots::panda());
    clearances("ur5e", &ur5e, &Shapes::rods(&ur5e, 0.03), UR5E);
    clearances("panda", &panda, &Shapes::rods(&panda, 0.05), PANDA);
}

/// What keeping clear costs: circles that are followed, tracked and jogged, with and without, by
/// turns.
fn clearances<const N: usize>(name: &str, model: &Model<N>, shapes: &Shapes, start: [f64; N]) {
    let tool = model.chain.pose(&start).translation;
    let around = [
        Obstacle::Plane {
            point: Vector3::new(0.0, 0.0, -0.1),
            normal: Vector3::z(),
        },
        Obstacle::Plane {
            point: tool * 1.3,
            normal: -tool.normalize(),
        },
    ];
    let clearance = Clearance::new(model, shapes, &around, 0.1).unwrap();
    println!(
        "{name}: {} capsules, {} pairs, nearest {:.3} m",
        shapes.capsules().len(),
        clearance.pairs().len(),
        clearance.least(&start).unwrap().distance
    );
    for kind in ["follow", "track", "jog"] {
        let run = || Run::new(model.clone(), ACCELERATION, 0.001, start);
        let (mut without, mut with) = (run(), run());
        with.follower
            .set_clearance(clearance.clone(), 0.005)
            .unwrap();
        for _ in 0..3 {
            for run in [&mut without, &mut with] {
                let circle = Circle {
                    start: run.tool(),
                    radius: 0.05,
                    period: 2.0,
                    rounds: 100.0,
                    about: None,
                };
                run.follower.begin(0.0);
                for tick in 0..4000 {
                    let at = 0.001 * f64::from(tick);
                    let place = surehand_kinematics::streaming::Path::at(&circle, at);
                    run.tick(|follower| match kind {
                        "follow" => follower.follow(&circle, 1.0),
                        "track" => follower.track(&place.pose),
                        _ => follower.jog(&place.tangent),
                    });
                }
            }
        }
        print(&format!("{name} {kind} without"), &without, 0.0, 0.001);
        print(&format!("{name} {kind} with"), &with, 0.0, 0.001);
    }
}

const SO101: [f64; 5] = [0.1, -0.4, 0.5, 0.9, 0.2];
const UR5E: [f64; 6] = [0.2, -1.3, 1.7, -1.9, -1.5, 0.3];
const PANDA: [f64; 7] = [0.1, -0.4, 0.1, -2.0, 0.1, 1.8, 0.6];

fn circles<const N: usize>(
    name: &str,
    model: Model<N>,
    start: [f64; N],
    about: Option<Vector3<f64>>,
    period: f64,
) {
    let mut run = Run::new(model, ACCELERATION, period, start);
    let circle = Circle {
        start: run.tool(),
        radius: 0.05,
        period: 2.0,
        rounds: 3.0,
        about,
    };
    let done = run.follow(&circle, 30.0);
    let title = format!("{name} circle{}", if done { "" } else { " (stuck)" });
    print(&title, &run, 0.0, period);
    let mut run = Run::new(run.model, ACCELERATION, period, start);
    run.track(&circle, 0.5, 6.0);
    print(&format!("{name} circle in its own time"), &run, 0.0, period);
}

/// Twists that turn round a direction of their own twice a second.
fn twists<const N: usize>(name: &str, model: Model<N>, start: [f64; N], period: f64) {
    let mut run = Run::new(model, ACCELERATION, period, start);
    while run.figures.seconds < 40.0 {
        let phase = 12.0 * run.figures.seconds;
        let slow = run.figures.seconds.sin();
        let twist = Vector6::new(
            phase.sin(),
            phase.cos(),
            slow,
            slow,
            phase.cos(),
            phase.sin(),
        );
        run.tick(|follower| follower.jog(&(twist * 0.3)));
    }
    print(&format!("{name} twists"), &run, 0.0, period);
}

fn reaches<const N: usize>(name: &str, model: Model<N>, start: [f64; N], period: f64) {
    let mut run = Run::new(model, ACCELERATION, period, start);
    let back = reach_out(&mut run, 1.0, 3.0, 12);
    print(&format!("{name} out and back"), &run, back, period);
}

fn print<const N: usize>(name: &str, run: &Run<N>, back: f64, period: f64) {
    let Figures {
        error,
        velocity,
        acceleration,
        beyond,
        slowest,
        seconds,
        times,
    } = &run.figures;
    let mut times: Vec<u128> = times.iter().map(|time| time.as_nanos()).collect();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000] as f64 * 1e-3;
    println!(
        "{:<38} {:>9.5} {:>9.5} {:>6.3} {:>6.3} {:>8.1e} {:>7.3} {:>6.2} {:>7.2} {:>7.2}",
        format!("{name} {:.0} Hz", 1.0 / period),
        error * 1e3,
        back * 1e3,
        velocity,
        acceleration,
        beyond,
        slowest,
        seconds,
        at(500),
        at(999),
    );
}
