//! A conversation with the person at the arm: plain lines in any terminal, or with `--json` events
//! out and answers, a line each, in.
//!
//! Owns what is said and heard. Ctrl-C, and the end of the input, end a conversation wherever it is
//! asked for an answer, and nowhere else: nothing half-done is left behind.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use super::run::{Told, stop_on_signals};
use super::{Exit, Failure, output};

/// How often somebody who waits looks whether the conversation was ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The conversation.
pub(super) struct Dialog {
    json: bool,
    told: Told,
    heard: Vec<u8>,
    over: bool,
    /// What to do when it ends early.
    go_on: String,
}

impl Dialog {
    /// Begins one; `go_on` says how it can be taken up again after an early end.
    pub(super) fn begin(json: bool, go_on: impl Into<String>) -> Result<Dialog, Failure> {
        Ok(Dialog {
            json,
            told: stop_on_signals()?,
            heard: Vec::new(),
            over: false,
            go_on: go_on.into(),
        })
    }

    /// Whether events are spoken and not lines.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Whether lines may be drawn over.
    pub(super) fn live(&self) -> bool {
        let able = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        !self.json && able && std::io::stdout().is_terminal()
    }

    /// How it can be taken up again after an early end, from now on.
    pub(super) fn go_on_by(&mut self, go_on: impl Into<String>) {
        self.go_on = go_on.into();
    }

    /// Says something.
    pub(super) fn say(&self, event: &str, line: &str, more: Value) {
        if self.json {
            let mut document = json!({"event": event, "line": line});
            if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
                document.extend(more);
            }
            output::json(&document);
        } else {
            output::line_out(line);
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When the person wants an end.
    pub(super) fn ask(&mut self, key: &str, question: &str) -> Result<String, Failure> {
        self.say("ask", question, json!({"key": key}));
        loop {
            if let Some(answer) = self.answer_within(LOOK_EVERY)? {
                return Ok(answer);
            }
        }
    }

    /// Asks for a yes.
    ///
    /// # Errors
    /// When the person wants an end.
    pub(super) fn agree(&mut self, key: &str, question: &str) -> Result<bool, Failure> {
        let answer = self.ask(key, question)?;
        Ok(["yes", "y"].contains(&answer.to_ascii_lowercase().as_str()))
    }

    /// An answer, if one comes so soon.
    ///
    /// # Errors
    /// When the person wants an end.
    pub(super) fn answer_within(&mut self, wait: Duration) -> Result<Option<String>, Failure> {
        let until = Instant::now() + wait;
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()));
            }
            if self.told.flag.load(Ordering::Relaxed) || self.over {
                return Err(self.ended());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.listen(left.min(LOOK_EVERY));
        }
    }

    fn listen(&mut self, wait: Duration) {
        let stdin = rustix::stdio::stdin();
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        if !matches!(poll(&mut fds, Some(&timeout)), Ok(ready) if ready > 0) {
            return;
        }
        let mut bytes = [0; 256];
        match rustix::io::read(stdin, &mut bytes) {
            Ok(count) if count > 0 => {
                self.heard.extend(bytes.iter().take(count));
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Ok(_) | Err(_) => self.over = true,
        }
    }

    fn ended(&self) -> Failure {
        let why = if self.over {
            "the input has ended"
        } else {
            "ended by you"
        };
        Failure {
            line: format!("{why}; nothing is half-written: go on with {}", self.go_on),
            exit: Exit::Operator,
        }
    }
}
