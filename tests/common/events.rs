//! A process that tells what happens, line by line.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A process that prints one JSON event a line; killed when dropped.
pub struct Events {
    child: Child,
    lines: Receiver<Value>,
    /// All events so far.
    pub seen: Vec<Value>,
    /// Standard error so far: why it stopped, when it did.
    said: Arc<Mutex<String>>,
}

impl Events {
    pub fn start(command: &mut Command) -> Events {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("standard error is piped");
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(json!({"garbage": line}));
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Events {
            child,
            lines,
            seen: Vec::new(),
            said,
        }
    }

    /// What it wrote to standard error.
    pub fn said(&self) -> String {
        // The last words may be on their way.
        std::thread::sleep(Duration::from_millis(100));
        let said = self.said.lock();
        said.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next event for which `wanted` is true.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if wanted(&event) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!(
                        "no event `{what}`; it said:\n{}\nseen: {:#?}",
                        self.said(),
                        self.seen
                    );
                }
            }
        }
    }

    /// Waits for a mode; gives its event.
    pub fn wait_mode(&mut self, mode: &str) -> Value {
        self.wait(mode, |e| e["event"] == "mode" && e["mode"] == mode)
    }

    /// Waits for the end.
    pub fn wait_exit(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                while let Ok(event) = self.lines.recv_timeout(Duration::from_millis(200)) {
                    self.seen.push(event);
                }
                return status;
            }
            assert!(Instant::now() < deadline, "the program did not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
