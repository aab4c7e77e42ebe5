//! The command line.

/// Runs the command line and gives the exit code.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(2)
}
