//! `surehand status`: the mode, why, what to do, and how the loop is doing.

use std::path::Path;

use serde_json::{Value, json};

use super::operator::Guard;
use super::{Exit, Outcome, output};
use crate::cell::joint_of;
use crate::messages::{InputRole, Level, LogHealth, Percentiles, Raised, Rung, Status};
use crate::units::JointSet;

mod cell;

/// More lost replies than this share is an alarm.
const LOST_ALARM: f64 = 0.02;
/// A servo that reports this has cut its torque by itself.
const OVERLOAD_BIT: u8 = 0x20;
/// More missed ticks than this share, over ten seconds, is an alarm.
const MISSED_ALARM: f64 = 0.01;

pub(super) fn run(socket: Option<&Path>, json: bool) -> Outcome {
    let mut arms = Vec::new();
    for mut guard in Guard::all(socket)? {
        let status = guard.status()?;
        arms.push((guard.arm, status));
    }
    if json {
        output::json(&match arms.as_slice() {
            [(arm, only)] if arm.is_empty() => document(only),
            several => cell::document(several),
        });
        return Ok(Exit::Done);
    }
    let lines = match arms.as_slice() {
        [(arm, only)] if arm.is_empty() => lines(only),
        several => cell::lines(several),
    };
    for line in lines {
        output::line_out(&line);
    }
    Ok(Exit::Done)
}

fn cause_text(status: &Status) -> Option<String> {
    let cause = status.cause?;
    Some(status.with_names(|names| cause.text(names)))
}

/// `: cause; remedy` for the end of a sentence, or nothing.
pub(super) fn why(status: &Status) -> String {
    match (cause_text(status), status.cause) {
        (Some(text), Some(cause)) => format!(": {text}; {}", cause.remedy()),
        _ => String::new(),
    }
}

fn named(status: &Status, joints: JointSet) -> Vec<&str> {
    let names = status.joints.iter().enumerate();
    let those = names.filter(|(index, _)| joints.contains(*index));
    those.map(|(_, joint)| joint.name.as_str()).collect()
}

fn percentiles(p: &Percentiles) -> Value {
    json!({"p50": p.p50, "p99": p.p99, "p999": p.p999, "max": p.max})
}

fn document(status: &Status) -> Value {
    let runner = status.runner.as_ref();
    let joints: Vec<Value> = status
        .joints
        .iter()
        .map(|joint| {
            json!({
                "name": joint.name.as_str(),
                "id": joint.id,
                "position": joint.position.0,
                "velocity": joint.velocity.0,
                "command": joint.command.0,
                "lower": joint.limits.0.0,
                "upper": joint.limits.1.0,
                "stopping_distance": joint.stopping_distance.0,
                "load": joint.load,
                "temperature": joint.temperature.0,
                "voltage": joint.voltage.0,
                "errors": joint.errors,
                "read_failures": joint.read_failures,
                "clamped": joint.clamped,
            })
        })
        .collect();
    json!({
        "mode": status.mode.word(),
        "latched": status.mode.latched(),
        "cause": cause_text(status),
        "remedy": status.cause.map(|cause| cause.remedy()),
        "job": runner.map(|r| r.job.as_str()).filter(|job| !job.is_empty()),
        "episode": runner.map(|r| r.episode),
        "alarms": alarms(status),
        "stop": {
            "rung": status.rung.word(),
            "drove_on": named(status, status.drove_on),
            "not_confirmed": named(status, status.not_confirmed),
        },
        "ease": status.ease,
        "guard_pid": status.guard_pid,
        "runner_pid": runner.map(|r| r.pid),
        "realtime": status.granted.realtime(),
        "memory_locked": status.granted.memory_locked,
        "granted": {
            "priority": status.granted.priority,
            "memory_locked": status.granted.memory_locked,
            "cpu": status.granted.cpu,
        },
        "tick": {
            "rate_hz": status.rate_hz,
            "count": status.ticks,
            "missed": status.missed,
            "missed_lately": status.missed_lately,
            "lateness_us": percentiles(&status.lateness_us),
            "decide_us": percentiles(&status.decide_us),
        },
        "bus": {
            "cycle_us": percentiles(&status.bus_us),
            "replies_lost": status.replies_lost,
            "errors": {
                "timeouts": status.bus_errors.timeouts,
                "checksum": status.bus_errors.checksum,
                "wrong_id": status.bus_errors.wrong_id,
                "stray_bytes": status.bus_errors.stray_bytes,
                "io": status.bus_errors.io,
            },
        },
        "plan": {
            "age_ms": status.plan_age_ms,
            "lag_ms": status.plan_lag_ms,
            "lag_most_ms": status.plan_lag_most_ms,
            "slowed": status.plan_slowed,
            "refused": status.plans_refused,
            "starved": status.plans_starved,
        },
        "policy": {
            "backend": runner.map(|r| r.backend.as_str()),
            "inference_ms": runner.map(|r| percentiles(&r.inference_ms)),
        },
        "watch": runner.map(|r| watch(&r.watch)),
        "log": runner.map(|r| json!({
            "error": log_error(&r.log),
            "waiting": r.log.waiting,
            "lost": r.log.lost,
        })),
        "service": service(status),
        "inputs": inputs(status),
        "joints": joints,
    })
}

/// What is to be seen to on the arm.
fn service(status: &Status) -> Vec<Value> {
    let due = status.runner.iter().flat_map(|runner| &runner.service);
    due.map(|due| json!({"name": due.name.as_str(), "say": due.say.as_str()}))
        .collect()
}

/// What the runner watches and found beyond its limit.
fn watch(all: &[Raised]) -> Vec<Value> {
    let each = all.iter().map(|raised| {
        json!({
            "what": raised.what.key(),
            "value": raised.value,
            "limit": raised.limit,
            "then": raised.then.word(),
            "text": raised.to_string(),
        })
    });
    each.collect()
}

fn inputs(status: &Status) -> Vec<Value> {
    let inputs = status.inputs.iter();
    inputs
        .map(|input| {
            json!({
                "name": input.name.as_str(),
                "role": match input.role {
                    InputRole::EmergencyStop => "emergency_stop",
                    InputRole::Enabling => "enabling",
                },
                "level": level(input.level),
            })
        })
        .collect()
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Closed => "closed",
        Level::Open => "open",
        Level::Broken => "broken",
    }
}

/// Why the audit log can't be written, when it can't.
fn log_error(log: &LogHealth) -> Option<String> {
    (log.error != 0).then(|| std::io::Error::from_raw_os_error(log.error).to_string())
}

/// What does not stop the arm but should be seen to.
fn alarms(status: &Status) -> Vec<String> {
    let mut alarms = Vec::new();
    if status.missed_lately > MISSED_ALARM {
        alarms.push(format!(
            "{:.1} % of the last ten seconds' ticks were missed: other work holds the loop up; see docs/realtime.md",
            100.0 * status.missed_lately
        ));
    }
    if status.replies_lost > LOST_ALARM {
        alarms.push(format!(
            "{:.0} % of the servos' replies are lost: check the bus cables",
            100.0 * status.replies_lost
        ));
    }
    if status.ease < 1.0 {
        alarms.push(format!(
            "the arm goes at {:.0} % of its speed: a servo is hot or badly supplied",
            100.0 * status.ease
        ));
    }
    let watched = status.runner.iter().flat_map(|runner| &runner.watch);
    alarms.extend(watched.map(Raised::to_string));
    let log = status.runner.as_ref().map(|runner| runner.log);
    if let Some((log, why)) = log.and_then(|log| Some((log, log_error(&log)?))) {
        alarms.push(format!(
            "the audit log can't be written ({why}): {} lines are kept in memory, {} are lost; make room or access for it",
            log.waiting, log.lost
        ));
    }
    for joint in &status.joints {
        if joint.errors & OVERLOAD_BIT != 0 {
            alarms.push(format!(
                "servo {} has cut its own torque: the arm may sag, support it",
                joint.name
            ));
        }
    }
    let drove_on = named(status, status.drove_on).join(", ");
    match status.rung {
        Rung::Hold => {}
        Rung::LetGo => alarms.push(format!(
            "{drove_on} drove on after the stop: torque was taken from the whole arm"
        )),
        Rung::CutPower => alarms.push(format!(
            "{drove_on} drives on without torque: CUT THE ARM'S POWER"
        )),
    }
    if !status.not_confirmed.is_empty() {
        let joints = named(status, status.not_confirmed).join(", ");
        alarms.push(format!("the stop is not confirmed by {joints}"));
    }
    if !status.granted.realtime() {
        alarms.push(
            "real-time priority was refused: stops may take 100 ms; see docs/realtime.md".into(),
        );
    }
    alarms
}

fn lines(status: &Status) -> Vec<String> {
    of_arm(status, "", Some(job(status)))
}

/// What runs and with which inference.
fn job(status: &Status) -> String {
    match &status.runner {
        Some(runner) if !runner.job.is_empty() => format!(
            "job {}, episode {}, inference on {} {:.1} ms (p99 {:.1})",
            runner.job,
            runner.episode,
            runner.backend,
            runner.inference_ms.p50,
            runner.inference_ms.p99
        ),
        Some(_) => "a runner is connected and has no job".into(),
        None => "no runner is connected".into(),
    }
}

/// What is an arm's own, its joints called by its name, and `job` where that is to be said with it.
fn of_arm(status: &Status, arm: &str, job: Option<String>) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(format!("{}{}", status.mode.word().to_uppercase(), {
        let text = cause_text(status);
        text.map(|text| format!(": {text}")).unwrap_or_default()
    }));
    if let Some(cause) = status.cause {
        lines.push(format!("  what to do: {}", cause.remedy()));
    }
    let alarms = alarms(status);
    lines.extend(alarms.into_iter().map(|alarm| format!("  ALARM: {alarm}")));
    lines.extend(job);
    lines.push(format!(
        "loop {:.0} Hz, {} ticks, {} missed; late {:.0} µs (p99 {:.0}, max {:.0}); bus {:.0} µs (p99 {:.0}){}",
        status.rate_hz,
        status.ticks,
        status.missed,
        status.lateness_us.p50,
        status.lateness_us.p99,
        status.lateness_us.max,
        status.bus_us.p50,
        status.bus_us.p99,
        if status.granted.realtime() { "" } else { "; NOT real time" }
    ));
    for due in status.runner.iter().flat_map(|runner| &runner.service) {
        lines.push(format!(
            "  service {} is due: {}; `surehand service CELL` says more",
            due.name, due.say
        ));
    }
    for input in &status.inputs {
        lines.push(format!("  {:<14} {}", input.name, level(input.level)));
    }
    let width = if arm.is_empty() { 14 } else { 20 };
    for joint in &status.joints {
        lines.push(format!(
            "  {:<width$} {:>7.3} rad  goal {:>7.3}  load {:>4.0} %  {:>3.0} °C  {:>4.1} V{}",
            joint_of(arm, &joint.name),
            joint.position.0,
            joint.command.0,
            joint.load * 100.0,
            joint.temperature.0,
            joint.voltage.0,
            if joint.errors == 0 {
                String::new()
            } else {
                format!("  error bits 0x{:02x}", joint.errors)
            }
        ));
    }
    lines
}
