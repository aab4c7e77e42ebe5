//! `surehand sim`: the simulated arm alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Exit, Failure, Outcome};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Scene file; the pick-and-place cell when left out.
    scene: Option<PathBuf>,
    /// Servos in place of the scene's, such as XL430-W250.
    #[arg(long, value_name = "MODEL", value_parser = surehand_sim::servo::Model::named)]
    servos: Option<surehand_sim::servo::Model>,
    /// Make PATH a link to the arm's serial port.
    #[arg(long, value_name = "PATH")]
    pty: Option<PathBuf>,
    /// Where cameras, state and faults are served.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// Seed of placements, noise and random faults.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// End when the starting process is gone and nobody has used the port for a while.
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

pub(super) fn run(args: Args) -> Outcome {
    let options = surehand_sim::process::SimOptions {
        scene: args.scene,
        servos: args.servos,
        pty: args.pty,
        http: args.http,
        seed: args.seed,
        end_with_parent: args.end_with_parent,
    };
    surehand_sim::process::run(options)
        .map(|()| Exit::Done)
        .map_err(Failure::configuration)
}
