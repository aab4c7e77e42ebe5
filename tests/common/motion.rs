//! An arm in motion, and how soon a goal on its wire slows down.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::braking::{QUICK, first_braking_ns};
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

/// For how long the arm of a cell is held up without stopping for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// As a real arm's: a busy machine stops it now and then.
    Real,
    /// Shorter than a guard is frozen before it is replaced.
    Short,
    /// As long as a cell may say.
    Long,
}

impl Patience {
    /// How long a guard that is stopped stops the arm and is not replaced.
    pub const STALL: Duration = Duration::from_millis(150);

    /// The cell `quick.toml` for `sim` with this patience.
    pub fn cell(self, sim: &Sim, folder: &Path) -> PathBuf {
        let cell = sim.cell("quick.toml", folder);
        let told = match self {
            Patience::Long => return cell,
            Patience::Short => "hold_up_ms = 100\n",
            Patience::Real => "",
        };
        let text = std::fs::read_to_string(&cell).unwrap();
        assert!(text.contains(LONG), "{text}");
        std::fs::write(&cell, text.replace(LONG, told)).unwrap();
        cell
    }
}

/// What the cell says itself.
const LONG: &str = "hold_up_ms = 150\n";

/// A controller whose pan joint has been moving at a steady speed for a while.
pub fn moving(sim: &Sim, folder: &Path, index: u64) -> Controller {
    moving_in(sim, folder, index, Patience::Long, &[])
}

/// As [`moving`], with variables in the controller's environment.
pub fn moving_in(
    sim: &Sim,
    folder: &Path,
    index: u64,
    patience: Patience,
    environment: &[(&str, &str)],
) -> Controller {
    let cell = patience.cell(sim, folder);
    let job = if sim.positions()[0] > 0.0 {
        "right"
    } else {
        "left"
    };
    let mut controller = Controller::run_in(&cell, &["--job", job], environment);
    controller.events.wait_mode("running");
    std::thread::sleep(Duration::from_millis(phase_ms(index)));
    controller
}

/// Milliseconds from `from_ns` to the first goal of the pan joint that brakes.
pub fn first_slower_ms(goals: &[Goals], from_ns: u64) -> f64 {
    let first = first_braking_ns(goals, from_ns, QUICK).expect("no goal ever slowed down");
    (first - from_ns) as f64 * 1e-6
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
