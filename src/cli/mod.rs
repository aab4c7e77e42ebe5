//! The command line: one file a subcommand; typed errors inside, one line and an exit code here.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod calibrate;
mod check;
mod demo;
mod dialog;
mod doctor;
mod guard;
mod hold;
mod ik;
mod jog;
mod lock;
mod log;
mod operator;
mod output;
mod run;
mod scan;
mod service;
mod setup;
mod sim;
mod simulator;
mod status;
mod trace;
mod voice;

/// How a command ended, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done,
    /// An operator stopped it.
    Operator,
    /// A file or an argument is wrong; nothing has moved.
    Configuration,
    /// A port, servo or camera is not there or does not work.
    Hardware,
    /// The arm was stopped for safety.
    SafeStop,
    /// All ran as it should, but the job did not succeed.
    JobFailed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Operator => 1,
            Exit::Configuration => 2,
            Exit::Hardware => 3,
            Exit::SafeStop => 4,
            Exit::JobFailed => 5,
        })
    }
}

/// One line for a person, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// What, where, and what to do.
    pub line: String,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// Something is wrong with a file or an argument.
    pub fn configuration(error: impl std::fmt::Display) -> Failure {
        Failure {
            line: error.to_string(),
            exit: Exit::Configuration,
        }
    }

    /// Something is wrong with a device.
    pub fn hardware(error: impl std::fmt::Display) -> Failure {
        Failure {
            line: error.to_string(),
            exit: Exit::Hardware,
        }
    }
}

type Outcome = Result<Exit, Failure>;

#[derive(Parser)]
#[command(
    name = "surehand",
    version,
    about = "Runs a learned policy on a servo arm: on time, inside limits, and it stops well",
    after_help = "Exit codes: 0 done, 1 stopped by the operator, 2 configuration, 3 hardware, \
                  4 safe stop, 5 the job did not succeed.\n\
                  A software stop is not an emergency stop: a cell needs one that cuts motor power."
)]
struct Cli {
    /// Print one JSON document, or one JSON line an event, on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// The socket of the controller (found by itself when only one runs).
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A simulated cell and the pick-and-place job, end to end.
    Demo(demo::Args),
    /// The simulated arm alone, on a pty, with cameras over HTTP.
    Sim(sim::Args),
    /// The controller in the foreground with one job.
    Run(run::Args),
    /// What is plugged in: ports, and the servos on one.
    Scan(scan::Args),
    /// Ids and rates of servos out of their boxes, one servo at a time.
    Setup(setup::Args),
    /// Where each joint's counts begin and end: measured while you move the arm by hand.
    Calibrate(calibrate::Args),
    /// Move the arm with keys, joint by joint or by its tool, for as long as a key is held.
    Jog(jog::Args),
    /// All that can be known about a cell or a package without moving.
    Check(check::Args),
    /// What of this machine, and of a cell on it, would keep an arm from running well.
    Doctor(doctor::Args),
    /// How much the joints were used, and what is due for them; notes what was done.
    Service(service::Args),
    /// Approve what a cell runs with, as it is now: package, URDF, calibration, limits.
    Lock(lock::Args),
    /// Who asked for what in a run, and what the controller did.
    Log(log::Args),
    /// How punctual this machine is: lateness, bus, inverse kinematics, inference.
    Bench(bench::Args),
    /// Joints for a table of poses, as CSV: the kinematics as a tool of its own.
    Ik(ik::Args),
    /// A simulated arm traces a circle and a fly-by; the tool's error, measured by ground truth.
    Trace(trace::Args),
    /// What a running controller does, and why it stands.
    Status,
    /// Stop the arm now: decelerate, hold, latch.
    #[command(visible_alias = "stop")]
    Estop,
    /// Leave the latched stop, when its cause is gone.
    Reset,
    /// Torque on, standing where the arm is.
    Enable,
    /// Let the job go on.
    #[command(visible_alias = "resume")]
    Start {
        /// The job's name; the running controller has one.
        job: Option<String>,
        /// The arm runs only as long as this command does; Ctrl-C lets go.
        #[arg(long)]
        hold: bool,
    },
    /// Decelerate and hold; `start` goes on.
    Pause,
    /// Torque off in place: an arm without brakes falls. Support it first.
    Release,
    /// Go to the park pose and let go there; `estop` stops it on the way.
    Park,
    /// Stop, hold (or park, where the cell says so), and end the controller.
    Shutdown,
    /// The real-time half of a controller (started by `run`).
    #[command(hide = true)]
    Guard(guard::Args),
}

/// Runs the command line and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    output::start_logging(&cli.command);
    let socket = cli.socket.as_deref();
    let outcome = match cli.command {
        Command::Demo(args) => demo::run(&args, cli.socket.clone(), cli.json),
        Command::Sim(args) => sim::run(args),
        Command::Run(args) => run::run(&args, cli.socket.clone(), cli.json),
        Command::Scan(args) => scan::run(&args, cli.json),
        Command::Setup(args) => setup::run(&args, cli.json),
        Command::Calibrate(args) => calibrate::run(&args, cli.json),
        Command::Jog(args) => jog::run(&args, socket, cli.json),
        Command::Check(args) => check::run(&args, cli.json),
        Command::Doctor(args) => doctor::run(&args, cli.json),
        Command::Service(args) => service::run(&args, cli.json),
        Command::Lock(args) => lock::run(&args, cli.json),
        Command::Log(args) => log::run(&args, socket, cli.json),
        Command::Bench(args) => bench::run(&args, cli.json),
        Command::Ik(args) => ik::run(&args, cli.json),
        Command::Trace(args) => trace::run(&args, cli.json),
        Command::Status => status::run(socket, cli.json),
        Command::Estop => operator::stop(socket, cli.json),
        Command::Reset => operator::ask(socket, operator::Verb::Reset, cli.json),
        Command::Enable => operator::ask(socket, operator::Verb::Enable, cli.json),
        Command::Start { job, hold: true } => hold::run(socket, job.as_deref(), cli.json),
        Command::Start { job, hold: false } => {
            operator::ask(socket, operator::Verb::Start(job.as_deref()), cli.json)
        }
        Command::Pause => operator::ask(socket, operator::Verb::Pause, cli.json),
        Command::Release => operator::ask(socket, operator::Verb::Release, cli.json),
        Command::Park => operator::ask(socket, operator::Verb::Park, cli.json),
        Command::Shutdown => operator::ask(socket, operator::Verb::Shutdown, cli.json),
        Command::Guard(args) => guard::run(&args, socket),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // Empty when another process of ours has said it already.
            if !failure.line.is_empty() {
                eprintln!("surehand: {}", failure.line);
            }
            failure.exit.into()
        }
    }
}
