//! `surehand log`: what a run's audit log says, for a person; `--json` gives its lines as they are.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::voice::said_of;
use super::{Exit, Failure, Outcome, output};
use crate::messages::channel::socket_folder;
use crate::record::clock::parse;
use crate::record::folder::{AUDIT, LATEST};
use crate::record::read::{Entry, Log, find};

/// The wall clock and the monotonic one may drift apart by this much between two lines before it is
/// told, milliseconds.
const CLOCK_STEP_MS: i64 = 2000;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A run's folder or log, a folder of runs, or a cell file (its last run); this user's last run
    /// when left out.
    run: Option<PathBuf>,
}

pub(super) fn run(args: &Args, socket: Option<&Path>, json: bool) -> Outcome {
    let path = match &args.run {
        Some(place) => find(place).ok_or_else(|| {
            Failure::configuration(format!(
                "{}: there is no audit log; name the folder of a run, or one with runs in it",
                place.display()
            ))
        })?,
        None => latest(socket)?,
    };
    let log = Log::read(&path).map_err(|error| {
        Failure::configuration(format!("{}: it can't be read: {error}", path.display()))
    })?;
    if json {
        for entry in &log.entries {
            match entry {
                Entry::Line(text, _) => output::line_out(text),
                Entry::Torn(..) | Entry::Missing(_) => eprintln!("surehand: {}", flaw(entry)),
            }
        }
    } else {
        output::line_out(&path.display().to_string());
        let mut page = Page::default();
        for entry in &log.entries {
            page.entry(entry).iter().for_each(|it| output::line_out(it));
        }
        if !log.ended() {
            output::line_out(if log.live {
                "the run goes on"
            } else {
                "there is no end: the runner was killed, or the machine lost its power"
            });
        }
    }
    Ok(Exit::Done)
}

/// The log of the run that this user began last.
fn latest(socket: Option<&Path>) -> Result<PathBuf, Failure> {
    let folder = match socket.and_then(Path::parent) {
        Some(folder) => folder.to_owned(),
        None => socket_folder().map_err(Failure::hardware)?,
    };
    let log = folder.join(LATEST).join(AUDIT);
    let log = log.canonicalize().map_err(|_| {
        Failure::configuration(
            "no run is known since this machine started; name a run's folder or a cell file: `surehand log cells/sim.toml`",
        )
    })?;
    Ok(log)
}

fn flaw(entry: &Entry) -> String {
    match entry {
        Entry::Torn(bytes) => {
            format!("{bytes} bytes here are no line: torn when the power went, or damaged")
        }
        Entry::Missing(1) => "a line is missing here".into(),
        Entry::Missing(lines) => format!("{lines} lines are missing here"),
        Entry::Line(text, _) => text.clone(),
    }
}

/// What was printed before, for what is told relative to it.
#[derive(Default)]
struct Page {
    /// Monotonic time of the first line, and of the last with its wall clock, milliseconds.
    first: Option<i64>,
    last: Option<(i64, i64)>,
    date: String,
}

impl Page {
    /// The lines for `entry`.
    fn entry(&mut self, entry: &Entry) -> Vec<String> {
        let Entry::Line(_, line) = entry else {
            return vec![format!("  !! {}", flaw(entry))];
        };
        let mut lines = Vec::new();
        let time = line["time"].as_str().unwrap_or("?");
        let at = (line["t_ns"].as_i64().unwrap_or(0)) / 1_000_000;
        if let (Some(wall), Some((at_before, wall_before))) = (parse(time), self.last) {
            let step = (wall - wall_before) - (at - at_before);
            if step.abs() > CLOCK_STEP_MS {
                let way = if step < 0 { "back" } else { "forward" };
                let secs = step.abs() as f64 / 1000.0;
                lines.push(format!("  -- the wall clock was set {way} by {secs:.0} s"));
            }
        }
        if let Some(wall) = parse(time) {
            self.last = Some((at, wall));
        }
        let (date, clock) = time.split_once('T').unwrap_or(("", time));
        if date != self.date {
            self.date = date.to_owned();
            lines.push(format!("{date} (UTC)"));
        }
        let since = (at - *self.first.get_or_insert(at)) as f64 / 1000.0;
        let event = line["event"].as_str().unwrap_or("?");
        let mut told = told(event, line).into_iter();
        let arm = line["arm"].as_str().map_or(String::new(), said_of);
        let first = format!("{arm}{}", told.next().unwrap_or_default());
        let clock = clock.trim_end_matches('Z');
        lines.push(format!("{clock:<12} {since:>+9.3} s  {event:<9} {first}"));
        lines.extend(told.map(|more| format!("{:<35} {more}", "")));
        lines
    }
}

/// What a line says, for a person.
fn told(event: &str, line: &Value) -> Vec<String> {
    let text = |key: &str| line[key].as_str().unwrap_or("?");
    let number = |key: &str| line[key].as_u64().map_or("?".into(), |n| n.to_string());
    match event {
        "start" => {
            let mut lines = vec![format!(
                "{} runs job {} of {} on {} (surehand {}, process {})",
                text("user"),
                text("job"),
                text("cell"),
                text("port"),
                text("surehand"),
                number("pid"),
            )];
            let hash = |value: &Value| value.as_str().unwrap_or("?").chars().take(16).collect();
            let cell: String = hash(&line["sha256"]["cell"]);
            lines.push(format!("{cell}  {}", text("file")));
            let files = line["sha256"]["files"].as_object();
            for (file, sha256) in files.into_iter().flatten() {
                let sha256: String = hash(sha256);
                lines.push(format!("{sha256}  {file}"));
            }
            let approved = &line["approved"];
            lines.push(match (approved["by"].as_str(), approved["at"].as_str()) {
                (Some(by), Some(at)) => format!("approved by {by} on {at}"),
                _ => "approved by nobody".into(),
            });
            lines
        }
        "ready" => vec![format!(
            "guard {}, inference on {}",
            number("guard_pid"),
            text("backend")
        )],
        "request" => {
            let by = line["by"].as_str().or(line["user"].as_str());
            let role = line["as"].as_str().filter(|role| *role == "runner");
            let process = line["pid"].as_u64();
            let process = process.map_or(String::new(), |pid| format!(", process {pid}"));
            let why = line["why"].as_str();
            vec![format!(
                "{} by {}{process}{}: {}{}",
                text("request"),
                by.unwrap_or("somebody"),
                role.map_or(String::new(), |role| format!(" ({role})")),
                text("answer"),
                why.map_or(String::new(), |why| format!(", {why}")),
            )]
        }
        "mode" => {
            let cause = line["cause"].as_str();
            let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
            vec![format!("{}{cause}", text("mode"))]
        }
        "stop" => vec![
            text("cause").to_owned(),
            format!("what to do: {}", text("remedy")),
        ],
        "drift" => {
            let all = line["differs"].as_array().into_iter().flatten();
            all.filter_map(|it| it.as_str().map(str::to_owned))
                .collect()
        }
        "guard_lost" => vec![format!(
            "process {} is {}",
            number("guard_pid"),
            text("how")
        )],
        "guard_replaced" => vec![format!("by process {}", number("guard_pid"))],
        "edited" => vec![format!("{}: it counts {}", text("file"), text("counts"))],
        "episode" => {
            let verdict = match line["success"].as_bool() {
                Some(true) => "done",
                Some(false) => "failed",
                None => "over",
            };
            let seconds = line["seconds"].as_f64().unwrap_or(0.0);
            let index = line["index"].as_u64().unwrap_or(0) + 1;
            vec![format!("{index}: {verdict} in {seconds:.1} s")]
        }
        "lost" => vec![format!(
            "{} lines, for which there was no room",
            number("lines")
        )],
        "end" => {
            let why = line["why"].as_str();
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            vec![format!("{}{why}", text("how"))]
        }
        _ => vec![line.to_string()],
    }
}
