//! A person's terminal: the program in it, what it shows, and what is typed.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a harness that each test file uses a part of; a test may panic"
)]

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A terminal with the program in it; the program is killed when this is dropped.
pub struct Terminal {
    child: Child,
    keys: Option<std::fs::File>,
    closing: Arc<AtomicBool>,
    shown: Arc<Mutex<String>>,
    /// How far it was looked at.
    seen: usize,
}

impl Terminal {
    /// Runs `surehand` with these arguments as a person would: the terminal is its own.
    pub fn run(args: &[&str]) -> Terminal {
        Terminal::run_as("dumb", args)
    }

    /// The same on a terminal of this kind.
    pub fn run_as(kind: &str, args: &[&str]) -> Terminal {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let far = || -> OwnedFd { rustix::pty::ioctl_tiocgptpeer(&near, flags).unwrap() };
        // Ctrl-C reaches only who has the terminal as its own.
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(env!("CARGO_BIN_EXE_surehand"))
            .args(args)
            .env("TERM", kind)
            .stdin(Stdio::from(far()))
            .stdout(Stdio::from(far()))
            .stderr(Stdio::from(far()))
            .spawn()
            .expect("the program starts");
        let keys = std::fs::File::from(near);
        let mut screen = keys.try_clone().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let shows = Arc::clone(&shown);
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !closed.load(Ordering::Relaxed) {
                let timeout = Timespec {
                    tv_sec: 0,
                    tv_nsec: 20_000_000,
                };
                let mut fds = [PollFd::new(&screen, PollFlags::IN)];
                if !matches!(poll(&mut fds, Some(&timeout)), Ok(ready) if ready > 0) {
                    continue;
                }
                let Ok(count @ 1..) = screen.read(&mut bytes) else {
                    break;
                };
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                let mut shows = shows.lock().unwrap_or_else(PoisonError::into_inner);
                shows.push_str(&text);
            }
        });
        Terminal {
            child,
            keys: Some(keys),
            closing,
            shown,
            seen: 0,
        }
    }

    /// Everything it has shown.
    pub fn shown(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }

    /// Waits until this is shown, after all that was waited for before.
    pub fn see(&mut self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown();
            let rest = shown.get(self.seen..).unwrap_or_default();
            if let Some(at) = rest.find(what) {
                self.seen += at + what.len();
                return;
            }
            assert!(Instant::now() < deadline, "never `{what}` in:\n{shown}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types a line.
    pub fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Presses Ctrl-C.
    pub fn ctrl_c(&mut self) {
        self.press("\x03");
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let terminal = self.keys.as_mut().expect("the terminal is there");
        terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// The window is closed, or the line to it is lost.
    pub fn close(&mut self) {
        self.keys = None;
        self.closing.store(true, Ordering::Relaxed);
    }

    /// The process of the program.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // Its last words.
                std::thread::sleep(Duration::from_millis(200));
                return status;
            }
            assert!(Instant::now() < deadline, "no end:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
