//! Every fault that is struck in motion: once at one phase in each run of the tests, and at many
//! phases for the table of reactions.

use crate::common::{Sim, now_ns};
use crate::machine::Machine;
use crate::registry::rows;
use crate::strike::{Reaction, Strike};

/// Room for a machine that other work holds up, when one reaction is looked at alone, milliseconds.
const BUSY: f64 = 200.0;

/// Strikes each of the rows `first` to `last` once.
fn strike(first: u8, last: u8) {
    let rows = rows().into_iter();
    for row in rows.filter(|row| (first..=last).contains(&row.number)) {
        for (strike, index) in row.strikes.iter().zip(u64::from(row.number)..) {
            let reaction = strike.react(&strike.arm(100 + index), index, false);
            let reaction = reaction.milliseconds();
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

/// The reactions to one strike at many phases.
#[derive(Default)]
struct Reactions {
    /// Milliseconds.
    braked: Vec<f64>,
    /// A strict arm on a busy machine stops by itself now and then, before it is struck or for what
    /// held it up meanwhile: those say nothing.
    spoilt: u64,
    /// What must come of the strike did not.
    failed: u64,
}

impl Reactions {
    fn attempt(&mut self, row: u8, strike: &Strike, sim: &Sim, machine: &Machine, index: u64) {
        let since = now_ns();
        let attempt = std::panic::AssertUnwindSafe(|| strike.react(sim, index, true));
        match std::panic::catch_unwind(attempt) {
            Ok(Reaction::Braked(ms)) => {
                self.braked.push(ms);
                if ms > strike.bound {
                    eprintln!(
                        "row {row}, {}, trial {index}: {ms:.1} ms; a thread above all others woke up {:.1} ms late meanwhile",
                        strike.name,
                        machine.latest(since)
                    );
                }
                return;
            }
            Ok(Reaction::Elsewise(cause)) => {
                self.spoilt += 1;
                eprintln!("row {row}, {}, trial {index}: spoilt, {cause}", strike.name);
            }
            Err(_) => {
                self.failed += 1;
                eprintln!("row {row}, {}, trial {index}: FAILED", strike.name);
            }
        }
        sim.clear_faults();
    }

    /// Prints p50, p99 and maximum, and how many were inside the bound of how many.
    fn print(&mut self, number: u8, what: &str, bound: f64) {
        let struck = self.braked.len() as u64 + self.failed;
        let inside = self.braked.iter().filter(|ms| **ms <= bound).count();
        self.braked.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (self.braked.len().saturating_sub(1) as f64 * share).round() as usize;
            let ms = self.braked.get(index);
            ms.map_or(String::new(), |ms| format!("{ms:.1}"))
        };
        let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
        println!("| {number} | {what} | {bound} | {p50} | {p99} | {max} | {inside} of {struck} |");
    }
}

#[test]
#[ignore = "takes minutes: prints the table of reactions"]
fn table() {
    let trials = given("SUREHAND_TRIALS").unwrap_or(20);
    let only = given("SUREHAND_ROW");
    let machine = Machine::watch();
    println!("Milliseconds to the first braking goal, of the trials that nothing else spoilt.\n");
    println!("| row | fault in motion | bound | p50 | p99 | max | inside |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows() {
        if only.is_some_and(|only| only != u64::from(row.number)) {
            continue;
        }
        for strike in &row.strikes {
            let mut all = Reactions::default();
            for index in 0..trials {
                let sim = strike.arm(100 + index);
                all.attempt(row.number, strike, &sim, &machine, index);
            }
            let what = format!("{}: {}", row.fault, strike.name);
            all.print(row.number, &what, strike.bound);
        }
    }
}

#[test]
#[ignore = "takes half an hour: SUREHAND_TRIALS=1000 deaths of the runner by each signal"]
fn many_deaths_of_the_runner() {
    let trials = given("SUREHAND_TRIALS").unwrap_or(1000);
    let (sim, machine) = (Sim::start(1), Machine::watch());
    let mut failed = 0;
    for row in rows().iter().filter(|row| row.number <= 2) {
        for strike in &row.strikes {
            let mut all = Reactions::default();
            let mut index = 0;
            // As many as wanted, besides those that say nothing; should most be so, it ends too.
            while index - all.spoilt < trials && all.spoilt <= trials / 10 + 5 {
                all.attempt(row.number, strike, &sim, &machine, index);
                index += 1;
            }
            all.print(row.number, row.fault, strike.bound);
            println!("{} more stopped for something else", all.spoilt);
            failed += all.failed;
        }
    }
    assert_eq!(failed, 0, "deaths that were not survived");
}
