//! The guard as a child process: started before anything heavy, replaced when it dies or freezes.
//!
//! Owns the child and the place of its socket. Never speaks the protocol: that is the link's.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use super::link::GuardLink;
use crate::messages::RunnerReport;

/// How long a process takes to be gone once its connection has closed.
const LAST_BREATH: Duration = Duration::from_millis(100);

/// How a guard comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// The first one.
    Fresh,
    /// In place of one that was lost: it takes over an arm that may be moving.
    Replacing,
    /// In place of one whose port was unplugged and is there again.
    Replugged,
}

/// What a guard is started with.
#[derive(Debug, Clone)]
pub struct GuardSpec {
    /// The cell file.
    pub cell: PathBuf,
    /// Another port than the cell's.
    pub port: Option<PathBuf>,
    /// Where it listens.
    pub socket: PathBuf,
    /// Copies of the cell's files that one which takes over is made from.
    pub frozen: Option<PathBuf>,
    /// No point of the arm goes faster than this, metres a second, whatever the cell says.
    pub tool_speed: Option<f64>,
}

/// Why there is no guard.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// It could not be started at all.
    #[error("the guard could not be started: {0}")]
    Start(#[from] io::Error),
    /// It ended while it came up; it has said why itself.
    #[error("the guard ended while coming up ({0})")]
    Ended(ExitStatus),
    /// It did not listen in time.
    #[error("the guard did not come up within {0:?}")]
    Late(Duration),
}

/// A running guard.
#[derive(Debug)]
pub struct GuardProcess {
    child: Child,
    spec: GuardSpec,
}

impl GuardProcess {
    /// Starts a guard.
    ///
    /// # Errors
    /// When the process can't be made.
    pub fn start(spec: &GuardSpec, boot: Boot) -> Result<GuardProcess, GuardError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("guard").arg(&spec.cell);
        command.arg("--socket").arg(&spec.socket);
        if let Some(port) = &spec.port {
            command.arg("--port").arg(port);
        }
        if let Some(most) = spec.tool_speed {
            command.arg("--tool-speed").arg(most.to_string());
        }
        let takes_over = match boot {
            Boot::Fresh => None,
            Boot::Replacing => Some("--replacing"),
            Boot::Replugged => Some("--replugged"),
        };
        if let Some(flag) = takes_over {
            command.arg(flag);
            if let Some(frozen) = &spec.frozen {
                command.arg("--frozen").arg(frozen);
            }
        }
        // A group of its own: a Ctrl-C in the terminal goes to the runner, which stops the arm in
        // order; and the guard outlives whoever started it.
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(GuardProcess {
            child,
            spec: spec.clone(),
        })
    }

    /// Connects as soon as the guard listens; what it tells goes into `ledger`, too.
    ///
    /// # Errors
    /// When it ends first, or takes longer than `timeout`.
    pub fn connect(
        &mut self,
        report: &RunnerReport,
        ledger: Option<&Arc<Ledger>>,
        timeout: Duration,
    ) -> Result<GuardLink, GuardError> {
        let started = Instant::now();
        loop {
            let link = GuardLink::connect(&self.spec.socket, report.clone(), ledger.cloned());
            if let Ok(link) = link {
                return Ok(link);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(GuardError::Ended(status));
            }
            if started.elapsed() > timeout {
                return Err(GuardError::Late(timeout));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether this guard, whose connection has closed, ended because it was told to.
    pub fn ended_in_order(&mut self) -> bool {
        // The connection closes a moment before the process is gone.
        self.wait_end(LAST_BREATH)
            && matches!(self.child.try_wait(), Ok(Some(status)) if status.success())
    }

    /// Kills what is left of this guard and starts another in its place, which comes up by `boot`.
    ///
    /// # Errors
    /// When the new process can't be made.
    pub fn replace(&mut self, boot: Boot) -> Result<(), GuardError> {
        // Already dead is what we want.
        let _ = self.child.kill();
        self.child.wait()?;
        *self = GuardProcess::start(&self.spec, boot)?;
        Ok(())
    }

    /// Ends a guard that nobody has ever connected to: it has switched nothing on.
    pub fn end_idle(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the guard to end by itself.
    pub fn wait_end(&mut self, timeout: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < timeout {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}
