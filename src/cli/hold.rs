//! `surehand start --hold`: the arm runs for as long as this command does.
//!
//! Letting go with Ctrl-C pauses; a command that dies, freezes or loses its connection is a stop.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use super::operator::{Guard, held, no_answer};
use super::run::stop_on_signals;
use super::voice::said_of;
use super::{Exit, Failure, Outcome, output};
use crate::messages::channel::Received;
use crate::messages::{FromGuard, HOLD_EVERY, Mode, Request, Status, ToGuard};
use crate::realtime::{self, nanos};
use crate::units::MonoTime;

/// Turns of holding from one look at the status to the next.
const LOOK_EVERY: u32 = 8;
/// The least real-time priority keeps a busy machine from letting go.
const PRIORITY: i32 = 1;

pub(super) fn run(socket: Option<&Path>, job: Option<&str>, json: bool) -> Outcome {
    let mut guards = Guard::all(socket)?;
    for guard in &mut guards {
        guard.expect_job(job)?;
    }
    let let_go = stop_on_signals()?;
    // Refused is fine: a machine that lets go too early is a stop.
    let _ = realtime::set_fifo(PRIORITY);
    start(&mut guards)?;
    say(json, "held", "running while held; Ctrl-C lets go");
    let mut next = realtime::now();
    for turn in 1.. {
        if let_go.flag.load(Ordering::Relaxed) {
            break;
        }
        for guard in &mut guards {
            guard.send(&hold());
            if turn % LOOK_EVERY == 0 {
                guard.send(&ToGuard::Status);
            }
        }
        next = MonoTime(next.0 + nanos(HOLD_EVERY)).max(realtime::now());
        // The first is waited for; the others have spoken by then.
        for guard in &mut guards {
            if let Some(status) = until(guard, next)?
                && !matches!(status.mode, Mode::Running | Mode::Parking)
            {
                return over(&guard.arm, &status, json);
            }
        }
    }
    let pause = ToGuard::Request(Request::Pause);
    guards.iter_mut().for_each(|guard| guard.send(&pause));
    // The connections close only when the guards have paused: each would be a lost one.
    for guard in &mut guards {
        if let Some(status) = paused(guard)? {
            return over(&guard.arm, &status, json);
        }
    }
    say(json, "let_go", "let go; `surehand start --hold` goes on");
    Ok(Exit::Operator)
}

/// Starts all arms; those that were started are paused again when another refuses.
fn start(guards: &mut [Guard]) -> Result<(), Failure> {
    for index in 0..guards.len() {
        let (started, others) = guards.split_at_mut(index);
        let Some(guard) = others.first_mut() else {
            break;
        };
        guard.send(&hold());
        guard.send(&ToGuard::Request(Request::StartHeld));
        let failure = match guard.receive() {
            Some(FromGuard::Done(_)) => continue,
            Some(FromGuard::Refused(refusal)) => guard.refused("start", refusal)?,
            Some(FromGuard::Held(holder)) => held("start", &holder),
            _ => no_answer(),
        };
        let pause = ToGuard::Request(Request::Pause);
        started.iter_mut().for_each(|guard| guard.send(&pause));
        return Err(failure);
    }
    Ok(())
}

/// Waits until the guard has paused; its status when it stopped by itself in this very moment, or
/// somebody else took control.
fn paused(guard: &mut Guard) -> Result<Option<Status>, Failure> {
    loop {
        match guard.receive() {
            Some(FromGuard::Done(_)) => return Ok(None),
            Some(FromGuard::Refused(_) | FromGuard::Held(_)) => return guard.status().map(Some),
            Some(
                FromGuard::Status(_)
                | FromGuard::Telemetry(_)
                | FromGuard::Welcome { .. }
                | FromGuard::Asked(_),
            ) => {}
            None => return Err(no_answer()),
        }
    }
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

/// The run ended by itself, at this arm first.
fn over(arm: &str, status: &Status, json: bool) -> Outcome {
    let why = super::status::why(status);
    let line = format!("{}{}{why}", said_of(arm), status.mode);
    say(json, status.mode.word(), &line);
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
