//! What commands print: logs on standard error, answers and events on standard output.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use tracing_subscriber::EnvFilter;

use super::Command;

/// Logs to standard error; warnings only where a person reads the command's own lines.
pub(super) fn start_logging(command: &Command) {
    let quiet = matches!(
        command,
        Command::Demo(_)
            | Command::Trace(_)
            | Command::Scan(_)
            | Command::Setup(_)
            | Command::Calibrate(_)
            | Command::Jog(_)
    );
    let level = if quiet { "warn" } else { "info" };
    // Dependencies speak only of what went wrong.
    let filter = EnvFilter::new(format!("warn,surehand={level},surehand_sim={level}"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// Prints one JSON document on a line of its own.
pub(super) fn json(value: &impl Serialize) {
    let line = serde_json::to_string(value).unwrap_or_else(|error| {
        // Only a map with keys that are no strings could fail, and none is printed.
        format!("{{\"error\":\"{error}\"}}")
    });
    line_out(&line);
}

/// Prints a line; a reader that went away is no reason to stop an arm.
pub(super) fn line_out(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
