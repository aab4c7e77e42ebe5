//! What a run tells a person or a program: a line or a JSON event at a time.

use serde_json::{Map, Value, json};

use super::{Exit, output};
use crate::messages::{Cause, Names, Percentiles, Status};
use crate::runner::job::{End, Event, Why};
use crate::runner::{ArmSetup, Options, Runner, Setup, Summary};

/// Tells a person or a program what happens.
pub(super) struct Voice {
    json: bool,
    /// In the cell's order.
    arms: Vec<Named>,
    cameras: Vec<String>,
    server: String,
}

/// What is called how of one arm.
struct Named {
    /// The arm itself; empty when it is the only one.
    arm: String,
    joints: Vec<String>,
    inputs: Vec<String>,
}

impl Voice {
    pub(super) fn new(json: bool, setup: &Setup) -> Voice {
        let named = |it: &ArmSetup| Named {
            arm: it.name.clone(),
            joints: it.arm.model.names().to_vec(),
            inputs: it.cell.inputs.iter().map(|i| i.name.clone()).collect(),
        };
        Voice {
            json,
            arms: setup.arms.iter().map(named).collect(),
            cameras: setup.cell.cameras.iter().map(|c| c.name.clone()).collect(),
            server: setup.job.server().unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn ready(&self, runner: &Runner, options: &Options, more: Value) {
        let pids = runner.guard_pids();
        if self.json {
            let mut event = json!({
                "event": "ready",
                "guard_pid": pids.first(),
                "runner_pid": std::process::id(),
                "socket": options.socket,
            });
            if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
                event.extend(more.clone());
                if let [_, _, ..] = self.arms.as_slice() {
                    let pids = self.arms.iter().zip(&pids);
                    let pids = pids.map(|(it, pid)| (it.arm.clone(), json!(pid)));
                    event.insert("guard_pids".into(), pids.collect::<Map<_, _>>().into());
                }
            }
            output::json(&event);
        } else {
            let arms = if pids.len() > 1 { "arms" } else { "arm" };
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            output::line_out(&format!(
                "ready; stop the {arms} with Ctrl-C here or `surehand estop` anywhere (guard {})",
                pids.join(", ")
            ));
        }
    }

    /// `why` with names, the arm's first where there are several.
    pub(super) fn cause(&self, why: &Why) -> String {
        let Some(named) = self.arms.get(why.arm) else {
            return why.cause.text(&Names::NONE);
        };
        let joints: Vec<&str> = named.joints.iter().map(String::as_str).collect();
        let cameras: Vec<&str> = self.cameras.iter().map(String::as_str).collect();
        let inputs: Vec<&str> = named.inputs.iter().map(String::as_str).collect();
        let text = why.cause.text(&Names {
            joints: &joints,
            cameras: &cameras,
            inputs: &inputs,
            backend: &self.server,
        });
        format!("{}{text}", said_of(&named.arm))
    }

    /// The arm's name in front of what is said of it, where there are several.
    fn of_arm(&self, arm: usize) -> String {
        self.arms
            .get(arm)
            .map_or(String::new(), |it| said_of(&it.arm))
    }

    pub(super) fn event(&self, event: &Event) {
        if self.json {
            output::json(&match event {
                Event::Mode(mode, why) => json!({
                    "event": "mode",
                    "mode": mode.word(),
                    "cause": why.as_ref().map(|why| self.cause(why)),
                    "remedy": why.as_ref().map(|why| why.cause.remedy()),
                }),
                Event::GuardReplaced { arm, pid } => {
                    let arm = self.arms.get(*arm).map(|it| it.arm.as_str());
                    let arm = arm.filter(|name| !name.is_empty());
                    json!({"event": "guard_replaced", "guard_pid": pid, "arm": arm})
                }
                Event::Episode {
                    index,
                    success,
                    seconds,
                } => json!({
                    "event": "episode",
                    "index": index,
                    "success": success,
                    "seconds": seconds,
                }),
            });
            return;
        }
        match event {
            Event::Mode(mode, Some(why)) => output::line_out(&format!(
                "{mode}: {}\n  what to do: {}",
                self.cause(why),
                why.cause.remedy()
            )),
            Event::Mode(mode, None) => output::line_out(mode.word()),
            Event::GuardReplaced { arm, pid } => {
                output::line_out(&format!(
                    "{}the guard was replaced; the new one is process {pid}",
                    self.of_arm(*arm)
                ));
            }
            Event::Episode {
                index,
                success,
                seconds,
            } => {
                let verdict = match success {
                    Some(true) => "done",
                    Some(false) => "failed",
                    None => "over",
                };
                output::line_out(&format!(
                    "episode {:>3}: {verdict} in {seconds:.1} s",
                    index + 1
                ));
            }
        }
    }

    pub(super) fn done(&self, summary: &Summary) {
        let tally = &summary.tally;
        let status = summary.statuses.first().and_then(Option::as_deref);
        let missed = status.map(|s| s.missed);
        if self.json {
            let times =
                |p: &Percentiles| json!({"p50": p.p50, "p99": p.p99, "p999": p.p999, "max": p.max});
            let loops = |arm: &(&Named, &Option<Box<Status>>)| {
                let (named, status) = arm;
                let status = status.as_deref();
                let of_loop = json!({
                    "ticks": status.map(|s| s.ticks),
                    "missed": status.map(|s| s.missed),
                    "realtime": status.map(|s| s.granted.realtime()),
                });
                (named.arm.clone(), of_loop)
            };
            let arms = self.arms.iter().zip(&summary.statuses);
            let arms: Map<String, Value> = arms.map(|arm| loops(&arm)).collect();
            output::json(&json!({
                // What is said without an arm's name is the only or the first one's.
                "arms": (arms.len() > 1).then_some(arms),
                "event": "done",
                "episodes": tally.episodes,
                "succeeded": tally.succeeded,
                "missed": missed,
                "stops": tally.stops,
                "ticks": status.map(|s| s.ticks),
                "lateness_us": status.map(|s| times(&s.lateness_us)),
                "bus_us": status.map(|s| times(&s.bus_us)),
                "decide_us": status.map(|s| times(&s.decide_us)),
                "inference_ms": status.and_then(|s| s.runner.as_ref()).map(|r| times(&r.inference_ms)),
                "backend": status.and_then(|s| s.runner.as_ref()).map(|r| r.backend.as_str()),
                "realtime": status.map(|s| s.granted.realtime()),
            }));
            return;
        }
        if tally.judged > 0 {
            output::line_out(&format!(
                "{} of {} episodes succeeded; {} stops",
                tally.succeeded, tally.episodes, tally.stops
            ));
        } else {
            output::line_out(&format!(
                "{} episodes; {} stops",
                tally.episodes, tally.stops
            ));
        }
        let each = self.arms.iter().zip(&summary.statuses);
        for (named, status) in each.filter_map(|(it, status)| Some((it, status.as_deref()?))) {
            output::line_out(&format!(
                "{}{} ticks at {:.0} Hz, {} missed; late p50 {:.0} µs, p99 {:.0}, max {:.0}; bus p99 {:.0} µs{}",
                said_of(&named.arm),
                status.ticks,
                status.rate_hz,
                status.missed,
                status.lateness_us.p50,
                status.lateness_us.p99,
                status.lateness_us.max,
                status.bus_us.p99,
                if status.granted.realtime() {
                    ""
                } else {
                    "; NOT real time"
                },
            ));
        }
        if let Some(runner) = status.and_then(|status| status.runner.as_ref()) {
            output::line_out(&format!(
                "inference on {}: p50 {:.1} ms, p99 {:.1}, max {:.1}",
                runner.backend,
                runner.inference_ms.p50,
                runner.inference_ms.p99,
                runner.inference_ms.max
            ));
        }
    }

    pub(super) fn exit(&self, end: &End) -> Exit {
        let Why { cause, .. } = match end {
            End::Finished => return Exit::Done,
            End::Told => return Exit::Operator,
            End::Stopped(why) => *why,
        };
        match cause {
            Cause::OperatorStop | Cause::Shutdown | Cause::Signal | Cause::Parked => Exit::Operator,
            _ => Exit::SafeStop,
        }
    }
}

/// An arm's name in front of what is said of it; nothing where it has none.
pub(super) fn said_of(arm: &str) -> String {
    if arm.is_empty() {
        String::new()
    } else {
        format!("{arm}: ")
    }
}
