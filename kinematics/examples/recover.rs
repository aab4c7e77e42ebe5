//! Leads arms out of their workspace and back, from anywhere in any direction, and counts how many are
//! back with their target: two seconds after it is, and once joints have had the time to unwind.
//!
//! `cargo run --release -p surehand-kinematics --example recover -- [EXCURSIONS] [SEED] [ARM]`

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

#[path = "../robots/mod.rs"]
mod more;
#[path = "../tests/streaming/robots.rs"]
mod robots;
#[path = "../tests/streaming/scenes.rs"]
mod scenes;

use scenes::{Dice, Run, excursion};
use surehand_kinematics::Model;

/// Radians a second squared.
const ACCELERATION: f64 = 20.0;
/// Seconds after which a joint that turns through its whole range is there.
const LONGEST: f64 = 20.0;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let times: u32 = arguments.next().map_or(2000, |it| it.parse().unwrap());
    let seed: u64 = arguments.next().map_or(4, |it| it.parse().unwrap());
    let only = arguments.next();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    println!(
        "             of   0.1 mm and 1 mrad after 2 s   0.1 mm after 2 s   after {LONGEST} s: both, 0.1 mm"
    );
    if wanted("so101") {
        measure("so101", &robots::so101(), times, seed);
    }
    if wanted("ur5e") {
        measure("ur5e", &robots::ur5e(), times, seed);
    }
    if wanted("panda") {
        measure("panda", &robots::panda(), times, seed);
    }
    if wanted("xarm6") {
        measure("xarm6", &more::xarm6(), times, seed);
    }
    if wanted("iiwa") {
        measure("iiwa", &more::iiwa(), times, seed);
    }
    let mut state = seed;
    for index in 0..4 {
        let (five, six, seven) = (
            more::random::<5>(&mut state, &[]),
            more::random::<6>(&mut state, &[]),
            more::random::<7>(&mut state, &[2]),
        );
        if wanted("random") {
            measure(&format!("random5.{index}"), &five, times / 4, seed);
            measure(&format!("random6.{index}"), &six, times / 4, seed);
            measure(&format!("random7.{index}"), &seven, times / 4, seed);
        }
    }
}

fn measure<const N: usize>(name: &str, model: &Model<N>, times: u32, seed: u64) {
    let mut dice = Dice(seed);
    let (mut soon, mut near, mut late, mut late_near) = (0, 0, 0, 0);
    for case in 0..times {
        let mut run = Run::new(model.clone(), ACCELERATION, 0.001, [0.0; N]);
        let target = excursion(&mut run, &mut dice, case % 2 == 1);
        let off = |run: &Run<N>| {
            let off = run.tool().way_to(&target);
            (off.fixed_rows::<3>(0).norm(), off.fixed_rows::<3>(3).norm())
        };
        let (position, angle) = off(&run);
        let fast = run.follower.velocities();
        let fastest = (0..N)
            .map(|joint| fast[joint].abs() / model.limits.velocity[joint])
            .fold(0.0, f64::max);
        near += u32::from(position < 1e-4);
        if position < 1e-4 && angle < 1e-3 {
            soon += 1;
            late += 1;
            late_near += 1;
            continue;
        }
        let begun = run.figures.seconds;
        while run.figures.seconds < begun + LONGEST - 2.0 {
            run.tick(|follower| follower.track(&target));
            let (position, angle) = off(&run);
            if position < 1e-4 && angle < 1e-3 {
                break;
            }
        }
        let after = off(&run);
        late += u32::from(after.0 < 1e-4 && after.1 < 1e-3);
        late_near += u32::from(after.0 < 1e-4);
        println!(
            "  {name} {case}: {:.2e} m {:.2e} rad at {fastest:.2} of its speed, then {:.2e} m {:.2e} rad after {:.1} s",
            position,
            angle,
            after.0,
            after.1,
            run.figures.seconds - begun
        );
    }
    println!("{name:10} {times:5}   {soon:5} {near:5} {late:5} {late_near:5}");
}
