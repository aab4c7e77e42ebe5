//! Every fault that is struck in motion: once at one phase in each run of the tests, and at many
//! phases for the table of reactions.

use crate::common::Sim;
use crate::registry::rows;
use crate::strike::Strike;

/// Room for a machine that other work holds up, when one reaction is looked at alone, milliseconds.
const BUSY: f64 = 200.0;

/// Strikes each of the rows `first` to `last` once.
fn strike(first: u8, last: u8) {
    let rows = rows().into_iter();
    for row in rows.filter(|row| (first..=last).contains(&row.number)) {
        for (strike, index) in row.strikes.iter().zip(u64::from(row.number)..) {
            let reaction = strike.react(&strike.arm(100 + index), index, false);
            let slow = reaction >= strike.bound + BUSY;
            assert!(!slow, "row {}, {}: {reaction} ms", row.number, strike.name);
        }
    }
}

#[test]
fn processes_that_break_slow_the_arm_down() {
    strike(1, 16);
}

#[test]
fn cameras_and_policies_that_break_slow_the_arm_down() {
    strike(17, 24);
}

#[test]
fn lines_and_servos_that_break_slow_the_arm_down() {
    strike(25, 42);
}

#[test]
fn whoever_asks_slows_the_arm_down() {
    strike(43, 52);
}

/// A number given in the environment.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// One reaction; `None`, and why, where the trial was spoilt: a strict arm on a busy machine stops
/// by itself now and then, before it is struck or for what held it up meanwhile.
fn attempt(row: u8, strike: &Strike, sim: &Sim, index: u64) -> Option<f64> {
    let attempt = std::panic::AssertUnwindSafe(|| strike.react(sim, index, true));
    let outcome = std::panic::catch_unwind(attempt);
    if outcome.is_err() {
        eprintln!("row {row}, {}, trial {index}: spoilt", strike.name);
        sim.clear_faults();
    }
    outcome.ok()
}

/// Prints p50, p99 and maximum of `all`.
fn print_row(number: u8, what: &str, bound: f64, trials: u64, all: impl Iterator<Item = f64>) {
    let mut all: Vec<f64> = all.collect();
    if all.is_empty() {
        return println!("| {number} | {what} | {bound} | | | | 0 of {trials} |");
    }
    all.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = ((all.len() - 1) as f64 * share).round() as usize;
        format!("{:.1}", all[index])
    };
    let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
    println!(
        "| {number} | {what} | {bound} | {p50} | {p99} | {max} | {} of {trials} |",
        all.len()
    );
}

#[test]
#[ignore = "takes minutes: prints the table of reactions"]
fn table() {
    let trials = given("SUREHAND_TRIALS").unwrap_or(20);
    let only = given("SUREHAND_ROW");
    println!("Milliseconds to the first braking goal; `of`: trials that nothing else spoilt.\n");
    println!("| row | fault in motion | bound | p50 | p99 | max | of |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows() {
        if only.is_some_and(|only| only != u64::from(row.number)) {
            continue;
        }
        for strike in &row.strikes {
            let sims = (0..trials).map(|index| (strike.arm(100 + index), index));
            let all = sims.filter_map(|(sim, index)| attempt(row.number, strike, &sim, index));
            let what = format!("{}: {}", row.fault, strike.name);
            print_row(row.number, &what, strike.bound, trials, all);
        }
    }
}

#[test]
#[ignore = "takes half an hour: SUREHAND_TRIALS=1000 deaths of the runner"]
fn many_deaths_of_the_runner() {
    let trials = given("SUREHAND_TRIALS").unwrap_or(1000);
    let sim = Sim::start(1);
    for row in rows().iter().filter(|row| row.number <= 2) {
        for strike in &row.strikes {
            let all = (0..trials).filter_map(|index| attempt(row.number, strike, &sim, index));
            print_row(row.number, row.fault, strike.bound, trials, all);
        }
    }
}
