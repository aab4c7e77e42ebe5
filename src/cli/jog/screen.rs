//! The person's terminal: keys out of it one by one, and a picture that stays in its place.
//!
//! Owns the terminal's settings, and gives them back however it ends. Where there is no terminal
//! that can be drawn on, or with `--json`, lines and events take the picture's place. Waits for no
//! key, but for a terminal that takes nothing it does: then the loop stands, and with it the arm.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{InputModes, LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use super::keys::{ASK, ASK_BACK};
use crate::cli::{Failure, output};

/// Another screen than the one that scrolls, and no cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// What came from the keyboard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Nothing yet.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// The terminal is gone, or the input has ended.
    Lost,
}

/// How things are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Events, a line each.
    Events,
    /// Lines.
    Lines,
    /// A picture that is drawn over.
    Picture,
}

/// The terminal.
pub(super) struct Screen {
    manner: Manner,
    before: Option<Termios>,
    /// What was told last.
    told: String,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When there is none and events are not asked for, or it can't be set.
    pub(super) fn enter(json: bool) -> Result<Screen, Failure> {
        let stdin = rustix::stdio::stdin();
        let terminal = std::io::stdin().is_terminal();
        if !terminal && !json {
            return Err(Failure::configuration(
                "jog needs a terminal to read keys from; a program gives them with --json",
            ));
        }
        let drawn = std::env::var_os("TERM").is_some_and(|term| term != "dumb")
            && std::io::stdout().is_terminal();
        let manner = match (json, drawn) {
            (true, _) => Manner::Events,
            (false, true) => Manner::Picture,
            (false, false) => Manner::Lines,
        };
        let mut screen = Screen {
            manner,
            before: None,
            told: String::new(),
        };
        if terminal {
            let failed =
                |error| Failure::configuration(format!("the terminal can't be set: {error}"));
            let before = tcgetattr(stdin).map_err(failed)?;
            let mut raw = before.clone();
            raw.local_modes -=
                LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
            // Ctrl-S must not hold up what is drawn, nor may Enter be turned into something else.
            raw.input_modes -= InputModes::IXON | InputModes::ICRNL;
            tcsetattr(stdin, OptionalActions::Flush, &raw).map_err(failed)?;
            screen.before = Some(before);
        }
        if manner == Manner::Picture {
            write(&format!("{ENTER}{ASK}"));
        }
        Ok(screen)
    }

    /// What comes from the keyboard within `wait`, which is less than a second.
    pub(super) fn hear(&self, wait: Duration) -> Input {
        let stdin = rustix::stdio::stdin();
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        if !matches!(poll(&mut fds, Some(&timeout)), Ok(ready) if ready > 0) {
            return Input::Nothing;
        }
        let mut bytes = [0; 256];
        match rustix::io::read(stdin, &mut bytes) {
            Ok(count) if count > 0 => Input::Bytes(bytes.iter().take(count).copied().collect()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Input::Nothing,
            Ok(_) | Err(_) => Input::Lost,
        }
    }

    /// Tells of something that happened.
    pub(super) fn tell(&mut self, event: &str, line: &str, more: Value) {
        match self.manner {
            Manner::Events => {
                let mut document = json!({"event": event, "line": line});
                if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
                    document.extend(more);
                }
                output::json(&document);
            }
            Manner::Lines => output::line_out(line),
            Manner::Picture => line.clone_into(&mut self.told),
        }
    }

    /// Whether a picture is drawn.
    pub(super) fn draws(&self) -> bool {
        self.manner == Manner::Picture
    }

    /// Draws these lines in place of those before, and what was told last below them.
    pub(super) fn draw(&self, lines: &[String]) {
        let told = self.told.as_str();
        let all = lines.iter().map(String::as_str).chain(["", told]);
        // To the end of each line, and of the screen, what was there before goes.
        let picture: String = all.map(|line| format!("{line}\x1b[K\n")).collect();
        write(&format!("\x1b[H{picture}\x1b[J"));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.manner == Manner::Picture {
            write(&format!("{ASK_BACK}{LEAVE}"));
        }
        if let Some(before) = &self.before {
            // A terminal that is gone needs nothing back.
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, before);
        }
        if self.manner == Manner::Picture && !self.told.is_empty() {
            output::line_out(&self.told);
        }
    }
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    // A terminal that is gone is heard of by the keyboard's end.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
