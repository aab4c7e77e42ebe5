//! The measure itself: the limiter's own goals, rounded as the wire rounds them, with a braking
//! at a known tick.

use surehand::arm::JointLimits;
use surehand::control::{Around, Limiter, Measured};
use surehand::units::{JointVec, Rad, RadPerSec, RadPerSec2, RadPerSec3};

use crate::common::Goals;
use crate::common::braking::{QUICK, first_braking_ns};
use crate::common::motion::COUNT;

const PERIOD_NS: u64 = 5_000_000;

/// Goals of a joint that follows `plan` (radians at seconds), brakes at goal `braking`, and does
/// not write goal `missed`.
fn goals(
    plan: impl Fn(f64) -> f64,
    braking: usize,
    missed: Option<usize>,
    phase: f64,
) -> Vec<Goals> {
    let limits = JointLimits {
        lower: Rad(-3.0),
        upper: Rad(3.0),
        velocity: RadPerSec(3.0),
        acceleration: RadPerSec2(QUICK.acceleration),
        jerk: RadPerSec3(QUICK.jerk),
    };
    let at = |position: f64, velocity: f64| {
        let measured = Measured {
            position: Rad(position),
            velocity: RadPerSec(velocity),
        };
        JointVec::repeat(measured, 1)
    };
    let begin = phase * COUNT;
    let limits = JointVec::repeat(limits, 1);
    let mut limiter = Limiter::new(&limits, 0.005, &JointVec::repeat(Rad(begin + plan(0.0)), 1));
    let mut goals = Vec::new();
    for tick in 1..braking + 20 {
        if missed == Some(tick) {
            continue;
        }
        let now = limiter.command().positions().get(0).unwrap().0;
        let speed = limiter.velocities().get(0).unwrap().0;
        let command = if tick >= braking {
            limiter.brake(&at(now, speed))
        } else {
            let target = JointVec::repeat(Rad(begin + plan(tick as f64 * 0.005)), 1);
            limiter.follow(&target, &at(now, speed), &Around::OPEN)
        };
        let counts = (command.positions().get(0).unwrap().0 / COUNT).round() as i32;
        goals.push(Goals {
            tick_ns: tick as u64 * PERIOD_NS,
            // Reading takes longer from some moment on, as with a servo that is silent.
            t_ns: tick as u64 * PERIOD_NS
                + if tick + 4 < braking {
                    1_200_000
                } else {
                    3_900_000
                },
            counts: vec![counts],
        });
    }
    goals
}

/// A minimum-jerk move of 2.8 rad in 3.5 s: what the runner makes of the way across the cell.
fn across(secs: f64) -> f64 {
    let s = (secs / 3.5).clamp(0.0, 1.0);
    2.8 * s * s * s * (10.0 - 15.0 * s + 6.0 * s * s)
}

/// A swaying policy at half a radian a second.
fn swaying(secs: f64) -> f64 {
    0.35 * (1.5 * secs - 1.2).sin()
}

#[test]
fn the_first_goal_of_a_braking_is_found_at_every_phase() {
    let (mut wrong, mut tried) = (0, 0);
    for plan in [across as fn(f64) -> f64, swaying] {
        for braking in (110..190).step_by(7) {
            for phase in 0..50 {
                let goals = goals(plan, braking, None, f64::from(phase) / 50.0);
                // Struck 12 ms before the tick in which the arm began to brake.
                let struck = braking as u64 * PERIOD_NS - 12_000_000;
                let found = first_braking_ns(&goals, struck, QUICK).unwrap() / PERIOD_NS;
                let found = usize::try_from(found).unwrap();
                // Rounded to counts, two beginnings can give the same goals.
                let off = found.abs_diff(braking);
                assert!(
                    off <= 1,
                    "goal {found}, not {braking}, at phase {phase} of 50"
                );
                wrong += off;
                tried += 1;
            }
        }
    }
    assert!(wrong * 50 <= tried, "{wrong} of {tried} were off by a goal");
}

#[test]
fn a_missed_tick_before_the_braking_is_not_taken_for_it() {
    for phase in 0..50 {
        let goals = goals(across, 150, Some(144), f64::from(phase) / 50.0);
        let found = first_braking_ns(&goals, 142 * PERIOD_NS, QUICK).unwrap();
        assert!((150..=152).contains(&(found / PERIOD_NS)), "{found}");
    }
}

#[test]
fn an_arm_that_goes_on_has_no_first_goal() {
    let goals = goals(across, 190, None, 0.3);
    assert_eq!(
        first_braking_ns(&goals[..180], 150 * PERIOD_NS, QUICK),
        None
    );
}
