//! `surehand guard`: the real-time half, started by the runner.

use std::path::{Path, PathBuf};

use super::{Exit, Failure, Outcome};
use crate::cell::{Cell, Overrides};
use crate::guard::{Boot, GuardError};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The cell file.
    cell: PathBuf,
    /// Another serial port than the cell's.
    #[arg(long)]
    port: Option<PathBuf>,
    /// Take over from a guard that was lost.
    #[arg(long)]
    replacing: bool,
    /// Take over from a guard whose port was unplugged and is there again.
    #[arg(long, conflicts_with = "replacing")]
    replugged: bool,
    /// Copies of the cell's files to read in their place.
    #[arg(long)]
    frozen: Option<PathBuf>,
    /// No point of the arm goes faster than this, metres a second.
    #[arg(long)]
    tool_speed: Option<f64>,
}

pub(super) fn run(args: &Args, socket: Option<&Path>) -> Outcome {
    let overrides = Overrides {
        port: args.port.clone(),
        camera_host: None,
        frozen: args.frozen.clone(),
    };
    let mut cell = Cell::load(&args.cell, &overrides).map_err(Failure::configuration)?;
    if let Some(most) = args.tool_speed {
        // It only ever makes the cell slower.
        let usual = cell.workspace.tool_speed.unwrap_or(f64::INFINITY);
        cell.workspace.tool_speed = Some(usual.min(most));
    }
    let socket = super::run::socket_path(socket, &cell.name)?;
    let boot = match (args.replacing, args.replugged) {
        (_, true) => Boot::Replugged,
        (true, false) => Boot::Replacing,
        (false, false) => Boot::Fresh,
    };
    match crate::guard::run(&cell, &socket, boot) {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(match &error {
            GuardError::Configuration(_) => Failure::configuration(error),
            GuardError::Hardware(_) => Failure::hardware(error),
        }),
    }
}
