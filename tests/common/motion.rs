//! An arm in motion, and how soon a goal on its wire slows down.

use std::path::Path;
use std::time::Duration;

use nalgebra::{Matrix3, Vector3};
use serde_json::Value;

use super::{Controller, Goals, Sim};

/// One count of the encoder, radians.
pub const COUNT: f64 = std::f64::consts::TAU / 4096.0;
/// The cell's acceleration limit, rad/s².
const ACCELERATION: f64 = 40.0;
/// The cell's jerk limit, rad/s³.
const JERK: f64 = 20_000.0;
/// The cell's stopping distance, v/2 · (v/a + a/j), radians.
pub const STOPPING: f64 = 3.0 / 2.0 * (3.0 / ACCELERATION + ACCELERATION / JERK);

/// Phases in the first half of the move, where it only gets faster: slowing down is then never
/// the plan's. Deterministic: nothing here needs good randomness.
fn phase_ms(index: u64) -> u64 {
    600 + index.wrapping_mul(2_654_435_761) % 250
}

/// A controller whose pan joint has been moving at a steady speed for a while.
///
/// A strict cell stops for the hold-ups that a real arm's does, which a busy machine may cause.
pub fn moving(sim: &Sim, folder: &Path, index: u64, strict: bool) -> Controller {
    let cell = sim.cell("quick.toml", folder);
    if strict {
        let text = std::fs::read_to_string(&cell).unwrap();
        std::fs::write(&cell, text.replace("hold_up_ms = 150", "hold_up_ms = 30")).unwrap();
    }
    let job = if sim.positions()[0] > 0.0 {
        "right"
    } else {
        "left"
    };
    let mut controller = Controller::run(&cell, &["--job", job]);
    controller.events.wait_mode("running");
    std::thread::sleep(Duration::from_millis(phase_ms(index)));
    controller
}

/// Goals that say how the joint was moving: 120 ms.
const FITTED: usize = 24;

/// How a joint went on from the last of some goals: the parabola nearest to them, as counts at
/// zero, counts a step and counts a step squared.
fn fit(points: impl Iterator<Item = (f64, f64)>) -> Vector3<f64> {
    let (mut normal, mut right) = (Matrix3::zeros(), Vector3::zeros());
    for (x, y) in points {
        let row = Vector3::new(1.0, x, x * x);
        normal += row * row.transpose();
        right += row * y;
    }
    normal.lu().solve(&right).expect("enough goals")
}

/// Milliseconds from `from_ns` to the first goal of the pan joint that falls short of going on as
/// before, and goes on to fall short by more than a count and a half.
pub fn first_slower_ms(goals: &[Goals], from_ns: u64) -> f64 {
    let (before, after): (Vec<&Goals>, Vec<&Goals>) =
        goals.iter().partition(|goal| goal.t_ns <= from_ns);
    let n = before.len();
    assert!(n > FITTED, "too few goals before the event: {n}");
    let before = &before[n - FITTED..];
    let last = before[FITTED - 1];
    let since_last = |goal: &Goals| (goal.t_ns as f64 - last.t_ns as f64) * 2e-7;
    let way = f64::from(last.counts[0] - before[0].counts[0]);
    assert!(
        way.abs() > 1.2 * FITTED as f64,
        "the arm was not moving: {way}"
    );
    // A silent servo makes the reading take longer, and every goal behind it come later: what
    // counts as slower is slower by the clock and from goal to goal.
    let counts = |goal: &Goals| f64::from(goal.counts[0]) * way.signum();
    let by_clock = fit(before.iter().map(|goal| (since_last(goal), counts(goal))));
    let steps = (0..FITTED).map(|index| index as f64 - (FITTED - 1) as f64);
    let by_goal = fit(steps.zip(before.iter().map(|goal| counts(goal))));
    let expected = |fit: &Vector3<f64>, x: f64| fit.x + fit.y * x + fit.z * x * x;
    let mut onset = None;
    for (index, goal) in (1..).zip(after) {
        let by_clock = expected(&by_clock, since_last(goal));
        let by_goal = expected(&by_goal, f64::from(index));
        let short = by_clock.min(by_goal) - counts(goal);
        // Goals are whole counts: half a count short may be rounding, and is the beginning of
        // the braking only when the next goals fall short by more.
        if short <= 0.5 {
            onset = None;
            continue;
        }
        let since = *onset.get_or_insert(goal.t_ns);
        if short > 1.5 {
            return (since - from_ns) as f64 * 1e-6;
        }
    }
    panic!("no goal ever slowed down");
}

pub fn assert_stands_held_and_latched(sim: &Sim, status: &Value, cause: &str) {
    assert_eq!(status["mode"], "stopped");
    assert_eq!(status["latched"], true);
    let text = status["cause"].as_str().unwrap_or_default();
    assert!(text.contains(cause), "cause: {text}");
    assert!(status["remedy"].as_str().is_some_and(|r| !r.is_empty()));
    let state = sim.state();
    for joint in state["joints"].as_array().unwrap() {
        assert_eq!(joint["torque_enabled"], true, "{joint}");
        let away = joint["position"].as_f64().unwrap() - joint["goal"].as_f64().unwrap();
        assert!(away.abs() < STOPPING + 0.02, "{joint}");
    }
}

pub fn settle() {
    std::thread::sleep(Duration::from_millis(400));
}
