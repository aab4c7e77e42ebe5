//! The limiter held against trajectories that the C++ library `ruckig` made.
//!
//! `tests/ruckig/record.py` says how they were recorded.

use super::super::axis::Axis;
use super::super::intercept::{Rates, Target, intercept};
use super::super::profile::{State, Stop};
use super::*;

/// Radians, rad/s and rad/s² by which we may differ.
const APART: [f64; 3] = [2e-5, 2e-4, 2e-2];
const SECS: f64 = 1e-6;

const RECORDED: &str = include_str!("../../../../tests/ruckig/trajectories.csv");

/// One joint's way, as recorded.
struct Way {
    limits: JointLimits,
    from: State,
    target: f64,
    drift: f64,
    secs: f64,
    /// When, and where it was then.
    at: Vec<(f64, State)>,
}

fn ways(kind: &str) -> Vec<Way> {
    let rows = RECORDED.lines().filter(|row| row.starts_with(kind));
    rows.map(|row| {
        let numbers: Vec<f64> = row.split(',').skip(1).map(|n| n.parse().unwrap()).collect();
        let state = |at: usize| State {
            position: numbers[at],
            velocity: numbers[at + 1],
            acceleration: numbers[at + 2],
        };
        Way {
            limits: JointLimits {
                lower: Rad(-100.0),
                upper: Rad(100.0),
                velocity: RadPerSec(numbers[0]),
                acceleration: RadPerSec2(numbers[1]),
                jerk: RadPerSec3(numbers[2]),
            },
            from: state(3),
            target: numbers[6],
            drift: numbers[7],
            secs: numbers[8],
            at: (0..4)
                .map(|n| (numbers[9 + 4 * n], state(10 + 4 * n)))
                .collect(),
        }
    })
    .collect()
}

fn same(ours: &State, recorded: &State) -> bool {
    let apart = [
        ours.position - recorded.position,
        ours.velocity - recorded.velocity,
        ours.acceleration - recorded.acceleration,
    ];
    apart
        .iter()
        .zip(APART)
        .all(|(apart, most)| apart.abs() <= most)
}

#[test]
fn a_stop_is_the_one_that_was_recorded() {
    let ways = ways("stop");
    assert_eq!(ways.len(), 120);
    for way in ways {
        let stop = Stop::of(&way.from, &way.limits);
        let secs = stop.secs();
        assert!((secs - way.secs).abs() < SECS, "{secs} s, {} s", way.secs);
        for (secs, recorded) in &way.at {
            let ours = stop.after(&way.from, *secs);
            assert!(same(&ours, recorded), "{ours:?} {recorded:?}");
        }
    }
}

#[test]
fn a_step_towards_a_target_is_the_one_that_was_recorded() {
    let ways = ways("step");
    assert_eq!(ways.len(), 280);
    for way in ways {
        let rates = Rates {
            velocity: way.limits.velocity.0,
            acceleration: way.limits.acceleration.0,
            jerk: way.limits.jerk.0,
        };
        for (secs, recorded) in &way.at {
            // Recorded in the frame that moves with the target.
            let target = Target {
                position: way.target + way.drift * secs,
                velocity: way.drift,
            };
            let recorded = State {
                position: recorded.position + way.drift * secs,
                velocity: recorded.velocity + way.drift,
                ..*recorded
            };
            let ours = intercept(&way.from, target, rates, *secs).unwrap();
            assert!(same(&ours, &recorded), "{ours:?} {recorded:?}");
        }
    }
}

/// Beginning anew each tick costs nothing but what rounding makes of a speed at its very limit.
#[test]
fn a_target_followed_tick_by_tick_is_reached_when_the_recorded_way_ends() {
    let mut followed = 0;
    for way in ways("step") {
        if way.drift != 0.0 || way.secs < 0.04 {
            continue;
        }
        followed += 1;
        let period = way.secs / 36.5;
        let mut axis = Axis::new(way.limits, way.from.position);
        axis.state = way.from;
        let arrived = (1..99).find(|_| {
            // Without a reading there is no lead to keep: ticks may be long.
            let unread = Measured {
                position: Rad(f64::NAN),
                ..Measured::default()
            };
            axis.follow(way.target, unread, way.limits.velocity.0, period);
            axis.state.rests() && (axis.state.position - way.target).abs() < APART[0]
        });
        assert!(
            matches!(arrived, Some(37 | 38)),
            "in tick {arrived:?} of 37"
        );
    }
    assert!(followed > 100, "{followed}");
}
