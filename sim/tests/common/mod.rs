//! A running simulator and the two sides a client sees: the port and HTTP.
#![allow(
    dead_code,
    reason = "each test file uses its own part of these helpers"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use surehand_sim::process::{Running, SimOptions};
use surehand_sim::servo::Model;

pub(crate) const PING_1: [u8; 6] = [0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB];
pub(crate) const PONG_1: [u8; 6] = [0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC];
/// Sync read of 56…63 from six servos, answered by 84 bytes.
pub(crate) const READ_ALL: [u8; 14] = [
    0xFF, 0xFF, 0xFE, 0x0A, 0x82, 0x38, 0x08, 1, 2, 3, 4, 5, 6, 0x20,
];

/// A simulator with its link in a folder of its own.
pub(crate) struct Sim {
    pub(crate) running: Running,
    pub(crate) dir: tempfile::TempDir,
}

impl Sim {
    pub(crate) fn start() -> Sim {
        Sim::with(None)
    }

    /// One with other servos than the scene's.
    pub(crate) fn with(servos: Option<Model>) -> Sim {
        let dir = tempfile::tempdir().unwrap();
        let running = Running::start(&SimOptions {
            servos,
            pty: Some(dir.path().join("arm")),
            seed: 7,
            ..SimOptions::default()
        })
        .unwrap();
        Sim { running, dir }
    }

    pub(crate) fn link(&self) -> PathBuf {
        self.dir.path().join("arm")
    }

    pub(crate) fn port(&self) -> Port {
        Port::open(&self.link()).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        self.request("POST", path, body)
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> Reply {
        let mut stream = self.connect(method, path, body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Reply::of(&bytes)
    }

    /// Sends a request and leaves the answer unread.
    pub(crate) fn connect(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.running.http()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream
    }
}

/// An answer over HTTP.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn of(bytes: &[u8]) -> Reply {
        let split = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&bytes[..split]).to_string();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[split + 4..].to_vec();
        Reply { status, body }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The host's end of the line.
pub(crate) struct Port(File);

impl Port {
    pub(crate) fn open(path: &Path) -> std::io::Result<Port> {
        let flags = (rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::NONBLOCK).bits();
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags as i32)
            .open(path)?;
        Ok(Port(file))
    }

    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// Sends bytes and collects what comes back: `expect` bytes, or fewer within `patience`.
    pub(crate) fn ask(&mut self, request: &[u8], expect: usize, patience: Duration) -> Vec<u8> {
        self.0.write_all(request).unwrap();
        self.listen(expect, patience)
    }

    pub(crate) fn listen(&mut self, expect: usize, patience: Duration) -> Vec<u8> {
        let end = Instant::now() + patience;
        let mut got = Vec::new();
        while got.len() < expect {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(left) = Timespec::try_from(left) else {
                break;
            };
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            if poll(&mut fds, Some(&left)).unwrap() == 0 {
                break;
            }
            let mut buffer = [0; 256];
            match self.0.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => got.extend_from_slice(&buffer[..count]),
            }
        }
        got
    }

    pub(crate) fn ping(&mut self) -> Vec<u8> {
        self.ask(&PING_1, 6, Duration::from_secs(2))
    }
}
