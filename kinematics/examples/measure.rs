//! Solves random problems on several arms and prints how many, how long and in how many iterations.
//!
//! `cargo run --release -p surehand-kinematics --example measure -- [PROBLEMS] [SEED] [ARM]`
//!
//! `… --example measure -- PROBLEMS.csv ARM.urdf BASE TIP` solves those of a file, which has columns
//! `x,y,z,qx,qy,qz,qw`.
//!
//! Targets are the poses of uniform draws inside the limits. A solve is timed by the wall clock, and
//! a slow one again, since it does the same each time: what is printed is the shortest of five, or of 25
//! where that is above 100 µs.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a program that measures time"
)]

#[path = "../robots/mod.rs"]
mod robots;

use std::hint::black_box;
use std::time::Instant;

use surehand_kinematics::{Description, Frame, Model, Options, Solver, Task};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!(
        "{:8} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>5} {:>5}  fk+j ns",
        "arm", "solved %", "to 1e-6", "p50 µs", "mean", "p99", "p99.9", "max", "iter", "p99", "max"
    );
    if let [csv, urdf, base, tip] = arguments.as_slice() {
        return from_files(csv, urdf, base, tip);
    }
    let mut arguments = arguments.iter();
    let problems: usize = arguments.next().map_or(100_000, |it| it.parse().unwrap());
    let seed: u64 = arguments.next().map_or(7, |it| it.parse().unwrap());
    let only = arguments.next();
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    if wanted("so101") {
        drawn("so101", &robots::so101(), problems, seed);
    }
    if wanted("ur5e") {
        drawn("ur5e", &robots::ur5e(), problems, seed);
    }
    if wanted("xarm6") {
        drawn("xarm6", &robots::xarm6(), problems, seed);
    }
    if wanted("panda") {
        drawn("panda", &robots::panda(), problems, seed);
    }
    if wanted("iiwa") {
        drawn("iiwa", &robots::iiwa(), problems, seed);
    }
    if wanted("wild") {
        drawn("wild", &robots::wild(), problems, seed);
    }
}

fn drawn<const N: usize>(name: &str, model: &Model<N>, problems: usize, seed: u64) {
    let mut state = seed;
    let targets: Vec<Frame> = (0..problems)
        .map(|_| model.chain.pose(&robots::draw(model, &mut state)))
        .collect();
    measure(name, model, &targets);
}

fn from_files(csv: &str, urdf: &str, base: &str, tip: &str) {
    let text = std::fs::read_to_string(urdf).unwrap();
    let description = Description::read(urdf, &text, base, tip).unwrap();
    let table = std::fs::read_to_string(csv).unwrap();
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let columns = ["x", "y", "z", "qx", "qy", "qz", "qw"]
        .map(|name| header.iter().position(|column| *column == name).unwrap());
    let targets: Vec<Frame> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [x, y, z, a, b, c, d] = columns.map(|column| cells[column].parse().unwrap());
            Frame::from_quaternion([x, y, z], [a, b, c, d]).unwrap()
        })
        .collect();
    match description.len() {
        4 => measure(tip, &description.model::<4>().unwrap(), &targets),
        5 => measure(tip, &description.model::<5>().unwrap(), &targets),
        6 => measure(tip, &description.model::<6>().unwrap(), &targets),
        7 => measure(tip, &description.model::<7>().unwrap(), &targets),
        joints => panic!("{joints} joints: add a line here"),
    }
}

fn measure<const N: usize>(name: &str, model: &Model<N>, targets: &[Frame]) {
    let begun = Instant::now();
    let solver = Solver::new(model, Task::Pose, Options::default()).unwrap();
    let build = begun.elapsed();
    let mut times = Vec::new();
    let mut iterations = Vec::new();
    let (mut solved, mut exact) = (0_u32, 0_u32);
    let problems = u32::try_from(targets.len()).unwrap();
    for target in targets {
        let mut nanos = u128::MAX;
        let mut answer = None;
        for turn in 0..25 {
            if turn >= 5 && nanos < 100_000 {
                break;
            }
            let begun = Instant::now();
            answer = Some(black_box(solver.solve(black_box(target), None).unwrap()));
            nanos = nanos.min(begun.elapsed().as_nanos());
            if nanos < 4_000 {
                break;
            }
        }
        let answer = answer.unwrap();
        let way = model.chain.pose(&answer.joints).way_to(target);
        let (position, angle) = (way.fixed_rows::<3>(0).norm(), way.fixed_rows::<3>(3).norm());
        let inside = model.limits.hold(&answer.joints, 1e-6);
        solved += u32::from(inside && position <= 1e-4 && angle <= 1e-3);
        exact += u32::from(inside && position <= 1e-6 && angle <= 1e-6);
        times.push(nanos);
        iterations.push(answer.iterations);
    }
    let mean = times.iter().sum::<u128>() / u128::from(problems);
    times.sort_unstable();
    let mean_iterations =
        iterations.iter().map(|it| u64::from(*it)).sum::<u64>() * 10 / u64::from(problems);
    iterations.sort_unstable();
    let at = |per_mille: usize| (times.len() - 1) * per_mille / 1000;
    let micros = |nanos: u128| nanos as f64 / 1000.0;
    println!(
        "{name:8} {:9.4} {:9.4} {:7.2} {:7.2} {:7.2} {:7.2} {:7.2} {:6.1} {:5} {:5}  {:.0}  build {:.0} ms",
        100.0 * f64::from(solved) / f64::from(problems),
        100.0 * f64::from(exact) / f64::from(problems),
        micros(times[at(500)]),
        micros(mean),
        micros(times[at(990)]),
        micros(times[at(999)]),
        micros(times[times.len() - 1]),
        mean_iterations as f64 / 10.0,
        iterations[at(990)],
        iterations[iterations.len() - 1],
        forward(model),
        build.as_secs_f64() * 1e3,
    );
}

/// Nanoseconds of forward kinematics and Jacobian.
fn forward<const N: usize>(model: &Model<N>) -> f64 {
    let mut state = 1;
    let joints: Vec<[f64; N]> = (0..256).map(|_| robots::draw(model, &mut state)).collect();
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let begun = Instant::now();
        for joints in &joints {
            black_box(model.chain.linearise(black_box(joints)));
        }
        best = best.min(begun.elapsed().as_secs_f64() * 1e9 / 256.0);
    }
    best
}
