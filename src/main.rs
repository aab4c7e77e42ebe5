//! The `surehand` binary: an exit code and one line of error; nothing else.

fn main() -> std::process::ExitCode {
    surehand::cli::main()
}
