//! `surehand-campaign`: hours of faults in virtual time, or one scenario again.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use surehand_campaign::campaign;
use surehand_campaign::scenario::{self, Seen};

/// A campaign this long must have seen every kind of trip, hours.
const LONG: f64 = 10.0;
/// Ticks that a replay prints.
const TRACED: usize = 25;

/// The control core and simulated servos in virtual time, under random faults.
#[derive(Parser)]
struct Cli {
    /// Simulated hours.
    #[arg(long, default_value_t = 10.0)]
    hours: f64,
    /// The campaign's seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Scenarios at once; as many as there are cores when left out.
    #[arg(long)]
    threads: Option<usize>,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
    /// Runs the one scenario of this seed and prints its last ticks.
    #[arg(long, conflicts_with_all = ["hours", "seed"])]
    replay: Option<u64>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.replay {
        Some(seed) => replay(seed),
        None => run(&cli),
    }
}

fn run(cli: &Cli) -> ExitCode {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cli.threads.unwrap_or_else(cores);
    let began = Instant::now();
    let tally = match campaign::run(cli.seed, cli.hours, threads) {
        Ok(tally) => tally,
        Err(violation) => {
            println!("{violation}");
            println!("replay: surehand-campaign --replay {}", violation.seed);
            return ExitCode::FAILURE;
        }
    };
    let secs = began.elapsed().as_secs_f64();
    let unseen = if cli.hours >= LONG {
        campaign::unseen(&tally)
    } else {
        Vec::new()
    };
    if cli.json {
        let document = serde_json::json!({
            "ok": unseen.is_empty(),
            "seed": cli.seed,
            "hours": tally.hours(),
            "scenarios": tally.scenarios,
            "ticks": tally.ticks,
            "modes": tally.shares().map(|(mode, share)| (mode.word(), share)).collect::<std::collections::BTreeMap<_, _>>(),
            "plans": {"admitted": tally.plans, "refused": tally.refused},
            "takeovers": tally.takeovers,
            "trips": tally.causes,
            "unseen": unseen,
            "digest": format!("{:016x}", tally.digest),
            "seconds": secs,
        });
        println!("{document}");
    } else {
        println!(
            "{:.1} simulated hours in {secs:.1} s: {} scenarios, {} ticks ({:.0} a second)",
            tally.hours(),
            tally.scenarios,
            tally.ticks,
            tally.ticks as f64 / secs,
        );
        for (mode, share) in tally.shares() {
            println!("{:>8.1}%  {mode}", 100.0 * share);
        }
        println!(
            "{} plans followed, {} refused while running, {} takeovers",
            tally.plans, tally.refused, tally.takeovers
        );
        for (cause, count) in &tally.causes {
            println!("{count:>9}  {cause}");
        }
        println!("no violation; digest {:016x}", tally.digest);
    }
    if unseen.is_empty() {
        ExitCode::SUCCESS
    } else {
        eprintln!("a weak campaign: it never saw {}", unseen.join(", "));
        ExitCode::FAILURE
    }
}

fn replay(seed: u64) -> ExitCode {
    let mut last = VecDeque::new();
    let outcome = scenario::run(seed, &mut |seen| {
        if last.len() == TRACED {
            last.pop_front();
        }
        last.push_back(line(seen));
    });
    for line in last {
        println!("{line}");
    }
    match outcome {
        Ok(tally) => {
            println!(
                "scenario {seed}: no violation in {} ticks, digest {:016x}",
                tally.ticks, tally.digest
            );
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}

/// One tick as a line.
fn line(seen: &Seen<'_>) -> String {
    use std::fmt::Write;
    use surehand::control::JointReading;

    let Seen {
        tick,
        inputs,
        step,
        fault,
    } = seen;
    let mut text = format!("{tick} {} +{} {}", inputs.now.0, inputs.missed, step.mode);
    let _ = match &step.cause {
        Some(cause) => write!(text, " ({cause:?})"),
        None => Ok(()),
    };
    let _ = write!(text, " plan {} {:?} read", step.plan_id, inputs.link);
    for reading in &inputs.joints {
        let _ = match reading {
            JointReading::Fresh { position, .. } => write!(text, " {:.5}", position.0),
            JointReading::Missing(fault) => write!(text, " {fault:?}"),
        };
    }
    let _ = write!(text, " goals");
    for goal in step.command.iter().flat_map(|command| {
        let goals = command.positions();
        goals.iter().map(|goal| goal.0).collect::<Vec<_>>()
    }) {
        let _ = write!(text, " {goal:.6}");
    }
    for (request, answer) in inputs.signals.requests.iter().zip(&step.answers) {
        let _ = write!(text, " {request:?}: {answer:?}");
    }
    if let Some(plan) = inputs.plan {
        let _ = write!(text, " offered {} {:?}", plan.id, step.refused);
    }
    if let Some(fault) = fault {
        let _ = write!(text, " FAULT {fault:?}");
    }
    text
}
