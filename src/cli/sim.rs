//! `surehand sim`: the simulated arm alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Exit, Failure, Outcome};

const HANDS: &str = "\
Over HTTP:
  GET  /state     the cell as it truly is
  GET  /wire      what has passed over the servo line (?since_ns=T)
  GET  /eeprom    each servo's EEPROM as its next power-up finds it
  POST /faults    one fault, as {\"fault\": \"silence\", \"id\": 3, \"for_ms\": 120}; DELETE ends them
  POST /episode   places the cubes, {\"seed\": 7}
  POST /hands     what a person's hands do:
    {\"hands\": \"connect\", \"servos\": [\"gripper\"]}             exactly these hang on the line
    {\"hands\": \"turn\", \"joint\": \"gripper\", \"to\": 0.4}      turn a limp joint (rad) and hold it
    {\"hands\": \"let_go\"}                                      hold none any more
    {\"hands\": \"mount\", \"joint\": \"gripper\", \"encoder_at_zero\": 2048}   put its horn on anew
    {\"hands\": \"power\", \"on\": false}                        the servos' supply
    {\"hands\": \"cut_power\", \"at_write\": 2, \"kept\": true}   at the second write to EEPROM from now";

#[derive(clap::Args)]
#[command(after_help = HANDS)]
pub(super) struct Args {
    /// Scene file; the pick-and-place cell when left out.
    scene: Option<PathBuf>,
    /// Servos in place of the scene's, such as XL430-W250.
    #[arg(long, value_name = "MODEL", value_parser = surehand_sim::servo::Model::named)]
    servos: Option<surehand_sim::servo::Model>,
    /// Bits a second the servos are set to; the scene's when left out.
    #[arg(long, value_name = "RATE")]
    baud: Option<u32>,
    /// Servos out of their boxes: id 1, the factory's rate and limits, mounted anyhow, none
    /// connected yet (POST /hands connects them).
    #[arg(long)]
    fresh: bool,
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
        baud: args.baud,
        fresh: args.fresh,
        pty: args.pty,
        http: args.http,
        seed: args.seed,
        end_with_parent: args.end_with_parent,
    };
    surehand_sim::process::run(options)
        .map(|()| Exit::Done)
        .map_err(Failure::configuration)
}
