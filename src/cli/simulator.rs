//! The simulator as a child process, for the commands that bring their own arm.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::Failure;
use crate::arm::Family;
use crate::cell::{Cell, Overrides};

/// `relative` below the working directory, or beside any folder above the program itself.
pub(super) fn find_up(relative: &Path) -> Result<PathBuf, Failure> {
    let exe = std::env::current_exe().unwrap_or_default();
    std::iter::once(PathBuf::new())
        .chain(exe.ancestors().skip(1).map(Path::to_owned))
        .map(|folder| folder.join(relative))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Failure::configuration(format!(
                "{} is not here; run the demo from the project's folder, or name a cell with --cell",
                relative.display()
            ))
        })
}

#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    /// The arm's serial port.
    pub(super) pty: PathBuf,
    /// Its HTTP server.
    pub(super) http: String,
}

/// The simulator as a child; it ends when this is dropped.
pub(super) struct Simulator {
    child: Child,
    pub(super) ready: Ready,
}

impl Simulator {
    /// Starts one with servos of the family that `cell` is made for, and waits until it is ready.
    ///
    /// # Errors
    /// When the cell can't be read, or the simulator does not come up.
    pub(super) fn start(seed: u64, cell: &Path) -> Result<Simulator, Failure> {
        let cell = Cell::load(cell, &Overrides::default()).map_err(Failure::configuration)?;
        let failed = |what: String| Failure::hardware(format!("the simulator {what}"));
        let exe = std::env::current_exe().map_err(|e| failed(format!("has no program: {e}")))?;
        // A group of its own: a Ctrl-C in the terminal must not take the arm's servos away while
        // the arm is being stopped.
        let servos: &[&str] = match cell.bus.family {
            Family::Feetech => &[],
            Family::Dynamixel => &["--servos", "XL430-W250"],
        };
        let mut child = Command::new(exe)
            .args(["sim", "--end-with-parent", "--seed", &seed.to_string()])
            .args(servos)
            .args(["--baud", &cell.bus.baud.to_string()])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("could not be started: {error}")))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            // An error leaves the line empty, which is told below.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        match serde_json::from_str(&line) {
            Ok(ready) => Ok(Simulator { child, ready }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed("did not come up; its own message is above".into()))
            }
        }
    }
}

impl Simulator {
    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(3) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request to the simulator on this machine.
pub(super) fn request(host: &str, method: &str, path: &str, body: &str) -> Result<Value, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the simulator at {host}{path}: {error}");
    let mut stream = TcpStream::connect(host).map_err(|e| failed(&e))?;
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .map_err(|e| failed(&e))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .map_err(|e| failed(&e))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| failed(&e))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.starts_with("HTTP/1.1 2") {
        return Err(failed(&head.lines().next().unwrap_or("no answer")));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(body).map_err(|e| failed(&e))
}
