//! A person's hand on an arm: what each key means, and what is told of the arm.
//!
//! Owns the loop, which waits for keys and for nothing else: the guard is told that the arm is held
//! only as long as it turns. What a stroke does is a file of its own.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use super::axes::{Axes, Axis, Table};
use super::grip::Grip;
use super::keys::{Act, Heard, Key, Keys};
use super::picture;
use super::screen::{Input, Screen};
use super::strokes::Phase;
use crate::cell::Cell;
use crate::cli::operator::Guard;
use crate::cli::run::Told;
use crate::cli::{Exit, Failure, Outcome};
use crate::messages::channel::Received;
use crate::messages::{
    Cause, FromGuard, MAX_MESSAGE, Mode, Names, Refusal, Request, Telemetry, ToGuard,
};
use crate::realtime;
use crate::runner::guard_process::GuardProcess;
use crate::runner::link::{GuardLink, GuardState};
use crate::units::MonoTime;

/// The keys of a table's axes: one row leads up, the row below it down.
pub(super) const PLUS: [char; 8] = ['q', 'w', 'e', 'r', 't', 'y', 'u', 'i'];
pub(super) const MINUS: [char; 8] = ['a', 's', 'd', 'f', 'g', 'h', 'j', 'k'];
/// Shares of the reduced speed.
const SHARES: [f64; 5] = [0.05, 0.1, 0.25, 0.5, 1.0];
const SHARE_AT_FIRST: usize = 2;
/// How long the loop waits for a key.
const TURN: Duration = Duration::from_millis(5);
/// Between two pictures, nanoseconds.
const DRAW_EVERY: u64 = 100_000_000;
/// The command stands when it changes by less from tick to tick, radians.
const STILL: f64 = 1e-5;
/// How long the guard may take to answer, and to bring the arm to stand.
const ANSWER: Duration = Duration::from_secs(2);
const STANDING: Duration = Duration::from_secs(5);
/// How long it is asked again: longer than control is kept by somebody who has left.
const AGAIN: Duration = Duration::from_secs(4);

/// A person's hand on an arm.
pub(super) struct Hand<'a> {
    cell: String,
    pub(super) axes: Axes,
    inputs: Vec<String>,
    pub(super) operator: Guard,
    pub(super) link: &'a GuardLink,
    pub(super) screen: Screen,
    keys: Keys,
    pub(super) grip: Grip,
    table: Table,
    share: usize,
    /// The next `L` lets the arm go limp.
    letting_go: bool,
    pub(super) phase: Phase,
    before: Option<Telemetry>,
    /// Whether the command has stood since the tick before.
    pub(super) stands: bool,
    pub(super) held_at: MonoTime,
    drawn_at: MonoTime,
    pub(super) plans: u64,
    pub(super) bytes: Vec<u8>,
}

impl<'a> Hand<'a> {
    pub(super) fn new(
        cell: &Cell,
        axes: Axes,
        operator: Guard,
        link: &'a GuardLink,
        screen: Screen,
    ) -> Hand<'a> {
        Hand {
            cell: cell.name.clone(),
            axes,
            inputs: cell.inputs.iter().map(|it| it.name.clone()).collect(),
            operator,
            link,
            screen,
            keys: Keys::default(),
            grip: Grip::default(),
            table: Table::Joints,
            share: SHARE_AT_FIRST,
            letting_go: false,
            phase: Phase::Still,
            before: None,
            stands: false,
            held_at: MonoTime::default(),
            drawn_at: MonoTime::default(),
            plans: 0,
            bytes: vec![0; MAX_MESSAGE],
        }
    }

    /// Moves the arm as the person says, until they have had enough or the terminal is lost.
    ///
    /// # Errors
    /// When the guard is gone.
    pub(super) fn until_the_end(&mut self, told: &Told) -> Outcome {
        loop {
            if told.flag.load(Ordering::Relaxed) {
                return Ok(Exit::Operator);
            }
            match self.screen.hear(TURN) {
                Input::Nothing => {}
                Input::Bytes(bytes) => {
                    for heard in self.keys.hear(&bytes) {
                        if self.hear(heard)? {
                            return Ok(Exit::Done);
                        }
                    }
                }
                Input::Lost => return Ok(Exit::Operator),
            }
            self.listen()?;
            if self.link.guard() != GuardState::Up {
                return Err(gone());
            }
            let now = realtime::now();
            let Some(tick) = self.link.latest() else {
                continue;
            };
            self.look(&tick);
            self.move_on(&tick, now);
            self.hold(&tick, now);
            if self.screen.draws() && now.since(self.drawn_at) >= DRAW_EVERY {
                self.drawn_at = now;
                self.draw(&tick);
            }
        }
    }

    /// One key; whether it was the last.
    fn hear(&mut self, heard: Heard) -> Result<bool, Failure> {
        let Heard(key, act) = heard;
        if let Key::Char(c) = key
            && self.axis(c).is_some()
        {
            self.letting_go = false;
            self.grip.hear(key, act, realtime::now());
            return Ok(false);
        }
        if matches!(act, Act::Released | Act::Repeated) {
            return Ok(false);
        }
        // Whatever else is pressed, the arm does not go on.
        self.grip.open();
        let letting_go = std::mem::take(&mut self.letting_go);
        match key {
            Key::Char(' ') | Key::Escape => self.ask(Request::Stop),
            Key::Char('\x03') => return Ok(true),
            Key::Char('\n') => self.engage(),
            Key::Char('\t') => {
                self.table = match self.table {
                    Table::Joints => Table::Tool,
                    Table::Tool => Table::Joints,
                };
                let what = match self.table {
                    Table::Joints => "joints",
                    Table::Tool => "tool",
                };
                let line = format!("the keys move the {what}");
                self.screen.tell("table", &line, json!({"table": what}));
            }
            Key::Char('+' | '=') => self.faster(1),
            Key::Char('-' | '_') => self.faster(-1),
            Key::Char('L') if letting_go => self.let_go(),
            Key::Char('L') => {
                self.letting_go = true;
                self.tell("an arm without brakes falls: support it, then press Shift-L again");
            }
            Key::Char(_) | Key::Other => {}
        }
        Ok(false)
    }

    /// The axis of a key, and which way.
    pub(super) fn axis(&self, key: char) -> Option<(Axis, f64)> {
        let axes = self.axes.table(self.table);
        let of = |row: &[char]| {
            let index = row.iter().position(|it| *it == key)?;
            axes.get(index).copied()
        };
        let up = of(&PLUS).map(|axis| (axis, 1.0));
        up.or_else(|| of(&MINUS).map(|axis| (axis, -1.0)))
    }

    fn faster(&mut self, by: isize) {
        let share = self.share.saturating_add_signed(by).min(SHARES.len() - 1);
        self.share = share;
        let line = format!("{:.0} % of reduced speed", 100.0 * self.share());
        self.screen
            .tell("speed", &line, json!({"share": self.share()}));
    }

    pub(super) fn share(&self) -> f64 {
        SHARES.get(self.share).copied().unwrap_or(0.05)
    }

    /// Torque on where the arm is, out of whatever it was stopped by.
    fn engage(&mut self) {
        if !matches!(self.phase, Phase::Still) {
            return;
        }
        let mode = self.link.latest().map(|tick| tick.mode);
        let requests: &[Request] = match mode {
            Some(Mode::Stopped) => &[Request::Reset, Request::Enable],
            Some(Mode::Idle) => &[Request::Enable],
            Some(Mode::Holding | Mode::Running | Mode::Stopping | Mode::Parking) | None => &[],
        };
        for request in requests {
            let began = Instant::now();
            loop {
                match self.link.request(*request, ANSWER) {
                    Ok(()) => break,
                    // It wants every servo read in that very tick, and who held control last keeps it
                    // for a while.
                    Err(Some(refusal))
                        if (refusal.may_pass() || refusal == Refusal::Held)
                            && began.elapsed() < AGAIN =>
                    {
                        self.link.wait_news(Duration::from_millis(20));
                    }
                    Err(Some(refusal)) => {
                        let why = self.named(|names| refusal.text(names));
                        return self.tell(&format!("{} was refused: {why}", request.word()));
                    }
                    Err(None) => return self.tell("the guard gave no answer"),
                }
            }
        }
        if !requests.is_empty() {
            self.tell("torque is on; the arm stands where it is");
        }
    }

    fn let_go(&mut self) {
        let line = match self.link.request(Request::Release, ANSWER) {
            Ok(()) => "torque is off; Enter switches it on again where the arm is then".to_owned(),
            Err(Some(refusal)) => {
                let why = self.named(|names| refusal.text(names));
                format!("torque stays on: {why}")
            }
            Err(None) => "the guard gave no answer".to_owned(),
        };
        self.tell(&line);
    }

    /// What the guard says to the one who holds the arm.
    fn listen(&mut self) -> Result<(), Failure> {
        loop {
            match self.operator.receive_within(Duration::ZERO) {
                Received::Nothing => return Ok(()),
                Received::Garbage => {}
                Received::Closed => return Err(gone()),
                // It was stopped by something else in the very moment of its pause.
                Received::Message(FromGuard::Refused(_))
                    if matches!(self.phase, Phase::Ending { .. } | Phase::Still) => {}
                Received::Message(FromGuard::Refused(refusal)) => {
                    let why = self.named(|names| refusal.text(names));
                    self.not_now(&format!("it does not move: {why}"));
                }
                Received::Message(FromGuard::Held(holder)) => {
                    self.not_now(&format!("{holder} holds control of the arm"));
                }
                Received::Message(
                    FromGuard::Done(_)
                    | FromGuard::Status(_)
                    | FromGuard::Welcome { .. }
                    | FromGuard::Telemetry(_)
                    | FromGuard::Asked(_),
                ) => {}
            }
        }
    }

    /// A start, or a hold, was refused.
    fn not_now(&mut self, line: &str) {
        self.grip.spend();
        if matches!(self.phase, Phase::Starting { .. }) {
            self.phase = Phase::Still;
        }
        self.tell(line);
    }

    /// Takes a tick in: whether the command stands, and what has become of the mode.
    fn look(&mut self, tick: &Telemetry) {
        let Some(before) = self.before.replace(*tick) else {
            return self.tell_mode(tick);
        };
        if before.tick != tick.tick {
            let moved = before.command.iter().zip(&tick.command);
            let most = moved.map(|(a, b)| (b.0 - a.0).abs()).fold(0.0, f64::max);
            self.stands = most < STILL;
        }
        if (before.mode, before.cause) != (tick.mode, tick.cause) {
            self.tell_mode(tick);
        }
    }

    fn tell_mode(&mut self, tick: &Telemetry) {
        // A stroke says itself how it goes.
        let quiet = tick.cause.is_none() && matches!(tick.mode, Mode::Running | Mode::Holding);
        if quiet {
            return;
        }
        let why = self.why(tick);
        let line = format!("{}{why}", tick.mode);
        let more = json!({"mode": tick.mode.word()});
        self.screen.tell("mode", &line, more);
    }

    /// `: cause; remedy`, or nothing.
    fn why(&self, tick: &Telemetry) -> String {
        match tick.cause {
            // It has just come up, and nothing has happened.
            Some(Cause::Boot) => ": press Enter to switch torque on where the arm is".to_owned(),
            Some(Cause::OperatorStop) => ": stopped by an operator; Enter goes on".to_owned(),
            Some(cause) => {
                let text = self.named(|names| cause.text(names));
                format!(": {text}; {}; then Enter", cause.remedy())
            }
            None => String::new(),
        }
    }

    pub(super) fn named(&self, say: impl FnOnce(&Names<'_>) -> String) -> String {
        let joints: Vec<&str> = self.axes.model.names().iter().map(String::as_str).collect();
        let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
        say(&Names {
            joints: &joints,
            inputs: &inputs,
            ..Names::NONE
        })
    }

    pub(super) fn ask(&mut self, request: Request) {
        self.operator.send(&ToGuard::Request(request));
    }

    pub(super) fn tell(&mut self, line: &str) {
        self.screen.tell("note", line, json!({}));
    }

    fn draw(&self, tick: &Telemetry) {
        let moves = match &self.phase {
            Phase::Moving { stroke, .. } => Some(stroke.axis),
            Phase::Still | Phase::Starting { .. } | Phase::Ending { .. } => None,
        };
        self.screen.draw(&picture::lines(&picture::Shown {
            cell: &self.cell,
            axes: &self.axes,
            tick,
            table: self.table,
            share: self.share(),
            moves,
            why: &self.why(tick),
        }));
    }

    /// The guard stops the arm, parks it where the cell says so, and ends.
    pub(super) fn end(&mut self, mut own: Option<&mut GuardProcess>) {
        // A guard that is gone already has nothing left to be asked.
        let _ = self.link.request(Request::Shutdown, ANSWER);
        let mut began = Instant::now();
        loop {
            let ended = match &mut own {
                Some(guard) => guard.wait_end(Duration::from_millis(50)),
                None => {
                    self.link.wait_news(Duration::from_millis(50));
                    self.link.guard() != GuardState::Up
                }
            };
            if ended {
                return;
            }
            if let Some(tick) = self.link.latest().filter(|tick| tick.mode == Mode::Parking) {
                // However long the way is: what goes wrong on it is a stop.
                began = Instant::now();
                self.look(&tick);
                if self.screen.draws() {
                    self.draw(&tick);
                }
            }
            if began.elapsed() > STANDING {
                let pid = self.link.guard_pid;
                return self.tell(&format!(
                    "the guard (process {pid}) has not ended; it holds the arm"
                ));
            }
        }
    }
}

fn gone() -> Failure {
    Failure::hardware("the guard is gone; the servos hold what they were told last")
}
