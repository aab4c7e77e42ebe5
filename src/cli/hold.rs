//! `surehand start --hold`: the arm runs for as long as this command does.
//!
//! Letting go with Ctrl-C pauses; a command that dies, freezes or loses its connection is a stop.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use super::operator::{Guard, held, no_answer};
use super::{Exit, Failure, Outcome, output, run::stop_on_signals};
use crate::messages::channel::Received;
use crate::messages::{FromGuard, HOLD_EVERY, Mode, Request, Status, ToGuard};
use crate::realtime::{self, nanos};
use crate::units::MonoTime;

/// Turns of holding from one look at the status to the next.
const LOOK_EVERY: u32 = 8;
/// The least real-time priority keeps a busy machine from letting go.
const PRIORITY: i32 = 1;

pub(super) fn run(socket: Option<&Path>, job: Option<&str>, json: bool) -> Outcome {
    let mut guard = Guard::connect(socket)?;
    guard.expect_job(job)?;
    let let_go = stop_on_signals()?;
    // Refused is fine: a machine that lets go too early is a stop.
    let _ = realtime::set_fifo(PRIORITY);
    guard.send(&hold());
    guard.send(&ToGuard::Request(Request::StartHeld));
    match guard.receive() {
        Some(FromGuard::Done(_)) => {}
        Some(FromGuard::Refused(refusal)) => return Err(guard.refused("start", refusal)?),
        Some(FromGuard::Held(holder)) => return Err(held("start", &holder)),
        _ => return Err(no_answer()),
    }
    say(json, "held", "running while held; Ctrl-C lets go");
    let mut next = realtime::now();
    for turn in 1.. {
        if let_go.flag.load(Ordering::Relaxed) {
            break;
        }
        guard.send(&hold());
        if turn % LOOK_EVERY == 0 {
            guard.send(&ToGuard::Status);
        }
        next = MonoTime(next.0 + nanos(HOLD_EVERY)).max(realtime::now());
        if let Some(status) = until(&mut guard, next)?
            && !matches!(status.mode, Mode::Running | Mode::Parking)
        {
            return over(&status, json);
        }
    }
    guard.send(&ToGuard::Request(Request::Pause));
    // The connection closes only when the guard has paused: it would be a lost one.
    loop {
        match guard.receive() {
            Some(FromGuard::Done(_)) => break,
            // It has stopped by itself in this very moment, or somebody else took control.
            Some(FromGuard::Refused(_) | FromGuard::Held(_)) => {
                return over(&guard.status()?, json);
            }
            Some(
                FromGuard::Status(_)
                | FromGuard::Telemetry(_)
                | FromGuard::Welcome { .. }
                | FromGuard::Asked(_),
            ) => {}
            None => return Err(no_answer()),
        }
    }
    say(json, "let_go", "let go; `surehand start --hold` goes on");
    Ok(Exit::Operator)
}

fn hold() -> ToGuard {
    ToGuard::Hold {
        sent_at: realtime::now(),
    }
}

/// Takes in what the guard says until `deadline`; a status when it sent one.
fn until(guard: &mut Guard, deadline: MonoTime) -> Result<Option<Status>, Failure> {
    let mut found = None;
    loop {
        let left = Duration::from_nanos(deadline.since(realtime::now()));
        match guard.receive_within(left) {
            Received::Nothing if left.is_zero() => return Ok(found),
            Received::Nothing | Received::Garbage => {}
            Received::Closed => {
                return Err(Failure::hardware("the guard is gone; the arm was let go"));
            }
            Received::Message(FromGuard::Status(status)) => found = Some(status),
            Received::Message(FromGuard::Refused(refusal)) => {
                return Err(guard.refused("hold", refusal)?);
            }
            Received::Message(
                FromGuard::Done(_)
                | FromGuard::Held(_)
                | FromGuard::Welcome { .. }
                | FromGuard::Telemetry(_)
                | FromGuard::Asked(_),
            ) => {}
        }
    }
}

/// The run ended by itself.
fn over(status: &Status, json: bool) -> Outcome {
    let why = super::status::why(status);
    say(json, status.mode.word(), &format!("{}{why}", status.mode));
    Ok(match status.cause {
        None => Exit::Done,
        Some(cause) if cause.in_order() => Exit::Operator,
        Some(_) => Exit::SafeStop,
    })
}

fn say(json: bool, event: &str, line: &str) {
    if json {
        output::json(&json!({"event": event, "line": line}));
    } else {
        output::line_out(line);
    }
}
