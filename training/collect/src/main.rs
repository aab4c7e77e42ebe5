//! `surehand-collect`: demonstrations for imitation, and the measure of what was learned.
//!
//! The controller's own core and codec run against the simulated arm in virtual time, two
//! episodes at once. Reports go to standard output as JSON, progress to standard error.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod campaign;
mod dataset;
mod demonstration;
mod disturbance;
mod expert;
mod hand;
mod look;
mod rig;
mod start;
mod trial;

/// Why nothing more can be done: one line.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Failure {
        Failure(what.into())
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}

/// Demonstrations for imitation, and the measure of what was learned.
#[derive(Parser)]
struct Cli {
    /// The cell file.
    #[arg(long, global = true, default_value = "cells/sim.toml")]
    cell: PathBuf,
    /// Episodes at once.
    #[arg(long, global = true, default_value_t = 2)]
    threads: usize,
    /// What a policy with an input `noise` draws it from, together with the episode's seed; the
    /// job's own `noise_seed` when left out.
    #[arg(long, global = true, value_name = "SEED")]
    noise_seed: Option<u64>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Episodes {
    /// How many episodes.
    #[arg(long, default_value_t = 100)]
    episodes: u32,
    /// Seed of the first; each next one counts up.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Subcommand)]
enum Command {
    /// The expert alone: how often does it succeed?
    Expert {
        #[command(flatten)]
        episodes: Episodes,
        /// Disturb it as in `collect`.
        #[arg(long)]
        disturbed: bool,
        /// Print what it does at every step.
        #[arg(long)]
        trace: bool,
    },
    /// Collects demonstrations of the disturbed expert under changing light and colours.
    Collect {
        #[command(flatten)]
        episodes: Episodes,
        /// Folder to write; what is there is replaced.
        #[arg(long)]
        out: PathBuf,
        /// Let this policy package lead, and write down what the expert would do instead.
        #[arg(long, value_name = "DIR")]
        corrected: Option<PathBuf>,
    },
    /// Lets a policy package do the task.
    Evaluate {
        #[command(flatten)]
        episodes: Episodes,
        /// The policy package.
        #[arg(long)]
        package: PathBuf,
        /// Cover this camera.
        #[arg(long)]
        cover: Option<String>,
        /// Change light and colours as in `collect`.
        #[arg(long)]
        randomised: bool,
        /// Print what it does at every step, beside what the expert would do.
        #[arg(long)]
        trace: bool,
        /// Also write the report here.
        #[arg(long)]
        report: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(what)) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let campaign = campaign::Campaign::load(&cli.cell, cli.threads, cli.noise_seed)?;
    match &cli.command {
        Command::Expert {
            episodes,
            disturbed,
            trace,
        } => {
            let report = campaign.expert(episodes.seed, episodes.episodes, *disturbed, *trace)?;
            print_report(&report, None)
        }
        Command::Collect {
            episodes,
            out,
            corrected,
        } => {
            let package = corrected.as_deref();
            let meta = campaign.collect(episodes.seed, episodes.episodes, out, package)?;
            print_report(&meta, None)
        }
        Command::Evaluate {
            episodes,
            package,
            cover,
            randomised,
            trace,
            report,
        } => {
            let test = campaign::Test {
                package,
                cover: cover.as_deref(),
                randomised: *randomised,
                trace: *trace,
            };
            let result = campaign.evaluate(episodes.seed, episodes.episodes, &test)?;
            print_report(&result, report.as_deref())
        }
    }
}

fn print_report(report: &impl serde::Serialize, file: Option<&Path>) -> Result<(), Failure> {
    let text = serde_json::to_string(report)?;
    if let Some(file) = file {
        std::fs::write(file, format!("{text}\n"))?;
    }
    println!("{text}");
    Ok(())
}
