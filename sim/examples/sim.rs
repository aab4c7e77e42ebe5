//! The simulated arm alone: `cargo run -p surehand-sim --example sim -- [PTY [HTTP [SEED]]]`.

use surehand_sim::process::{SimOptions, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut options = SimOptions {
        pty: args.next().map(Into::into),
        ..SimOptions::default()
    };
    if let Some(http) = args.next() {
        options.http = http.parse()?;
    }
    if let Some(seed) = args.next() {
        options.seed = seed.parse()?;
    }
    run(options)?;
    Ok(())
}
