//! `surehand doctor`: what of this machine, and of a cell on it, would keep an arm from running
//! well, a line each; `--fix` writes the files that mend it, each after a yes.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

mod arm;
mod cameras;

use serde_json::json;

use super::{Exit, Outcome, check, output, service};
use crate::cell::{Cell, Overrides};
use crate::host::{Host, Item, Mend, State, grants, machine, ports};
use crate::policy::finding::{Finding, Severity};
use crate::realtime::{self, Grants, Wanted};
use crate::record::folder;
use crate::runner::Setup;

/// What a cell asks for that does not say.
const PRIORITY: i32 = 80;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The cell file; its arm, cameras and policies are looked at as well.
    cell: Option<PathBuf>,
    /// The serial port instead of the cell's.
    #[arg(long, value_name = "PATH")]
    port: Option<PathBuf>,
    /// Write the files that put things right; asks before each.
    #[arg(long)]
    fix: bool,
    /// The machine whose files are under DIR, an image for instance, instead of this one.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let host = Host::at(&args.root);
    let items = examine(args, &host);
    let ok = items.iter().all(|item| item.state != State::Error);
    if json {
        output::json(&json!({"ok": ok, "items": items}));
    } else {
        for item in &items {
            output::line_out(&item.to_string());
        }
        output::line_out(&summary(&items, args));
    }
    if args.fix {
        mend(&host, &items);
    }
    Ok(if ok { Exit::Done } else { Exit::Hardware })
}

fn examine(args: &Args, host: &Host) -> Vec<Item> {
    let (cell, unread) = match &args.cell {
        None => (None, None),
        Some(path) => match Cell::load(path, &overrides(args)) {
            Ok(cell) => (Some(cell), None),
            Err(problem) => (
                None,
                Some(Item::error(
                    problem.place,
                    problem.what,
                    "mend the cell file",
                )),
            ),
        },
    };
    let control = cell.as_ref().map(|cell| &cell.control);
    let wanted = Wanted {
        priority: control.map_or(PRIORITY, |control| control.priority),
        cpu: control.and_then(|control| control.cpu),
        lock_memory: control.is_none_or(|control| control.lock_memory),
    };
    // What another machine would grant can't be asked.
    let granted = host.is_this_one().then(|| realtime::probe(wanted));
    let locked = granted
        .as_ref()
        .is_some_and(|it: &Grants| it.locked.is_ok());
    let mut items = machine::items(host, wanted.cpu, locked);
    if let Some(granted) = &granted {
        let required = control.is_some_and(|control| !control.allow_without_realtime);
        items.extend(grants::items(host, granted, required));
    }
    items.extend(unread);
    match &cell {
        Some(cell) => items.extend(with_cell(args, host, cell)),
        None => items.extend(all_ports(args, host)),
    }
    items
}

fn overrides(args: &Args) -> Overrides {
    Overrides {
        port: args.port.clone(),
        ..Overrides::default()
    }
}

/// Every adapter there is, where no cell says which one matters.
fn all_ports(args: &Args, host: &Host) -> Vec<Item> {
    if let Some(port) = &args.port {
        return ports::items(host, port, &stem(port));
    }
    let adapters = ports::adapters(host);
    if adapters.is_empty() {
        return vec![Item::warning(
            "ports",
            "no USB serial adapter is here",
            "connect the arm's adapter and switch its power on",
        )];
    }
    let looked = adapters.iter().flat_map(|adapter| {
        let device = Path::new("/dev").join(&adapter.tty);
        let name = adapter.stable.clone().unwrap_or(device);
        ports::items(host, &name, &adapter.tty)
    });
    looked.collect()
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn with_cell(args: &Args, host: &Host, cell: &Cell) -> Vec<Item> {
    let mut items = ports::items(host, &cell.bus.port, &stem(&cell.file));
    items.push(machine::disk(&folder::beside(&cell.file)));
    items.extend(service::items(cell));
    let mut findings = check::check_files(cell, &[("", cell)]);
    let broken = (findings.iter()).any(|finding| finding.severity == Severity::Error);
    findings.extend(check::check_lock(cell));
    let (mut servers, mut timed) = (Vec::new(), Vec::new());
    // What an image would do on its own machine can't be tried here.
    if !broken && host.is_this_one() {
        items.extend(arm::items(cell));
        // Any job will do: the cameras are the cell's. Why one can't be read is told below.
        let job = cell.jobs.first().map(|job| job.name.as_str());
        if let Ok(setup) = Setup::load(&cell.file, job, &overrides(args)) {
            items.extend(cameras::items(&setup));
        }
        servers = check::server::ask(cell, &mut findings);
        timed = check::latency::measure(cell, &mut servers, &mut findings);
    }
    let spoken = servers.iter().filter(|it| it.says.is_some());
    items.extend(spoken.map(|it| Item::good("policy", it.line())));
    items.extend(timed.iter().map(|it| Item::good("policy", it.line())));
    items.extend(findings.into_iter().map(item));
    items
}

fn item(finding: Finding) -> Item {
    let Finding {
        severity,
        place,
        what,
        remedy,
    } = finding;
    match severity {
        Severity::Warning => Item::warning(place, what, remedy),
        Severity::Error => Item::error(place, what, remedy),
    }
}

/// One line at the end: how it stands, and what comes next.
fn summary(items: &[Item], args: &Args) -> String {
    let count = |state| items.iter().filter(|item| item.state == state).count();
    let (errors, warnings) = (count(State::Error), count(State::Warning));
    let found = format!(
        "{} looked at, {errors} errors, {warnings} warnings",
        items.len()
    );
    let mendable = items.iter().any(|item| item.mend.is_some());
    let cell = args.cell.as_ref().map(|cell| cell.display().to_string());
    let next = match (errors, cell) {
        _ if mendable && !args.fix => {
            "next: `surehand doctor --fix` writes what mends some of it".into()
        }
        (0, Some(cell)) => format!("next: `surehand run {cell}`"),
        (0, None) => "next: `surehand doctor CELL` looks at an arm as well".into(),
        (_, _) => "next: mend the errors above".into(),
    };
    format!("{found}; {next}")
}

/// Writes each file that mends something, once somebody has said yes to it.
fn mend(host: &Host, items: &[Item]) {
    let mut done: Vec<&Path> = Vec::new();
    for mend in items.iter().filter_map(|item| item.mend.as_ref()) {
        if done.contains(&mend.path.as_path()) {
            continue;
        }
        done.push(&mend.path);
        let line = if agreed(mend) {
            match mend.write(host) {
                Ok(()) if mend.now.is_empty() => {
                    format!("written: {}; now {}", mend.path.display(), mend.then)
                }
                Ok(()) => format!(
                    "written: {}, and set at once; for the rest of it {}",
                    mend.path.display(),
                    mend.then
                ),
                Err(error) => format!(
                    "{} can't be written, or not all it says be set ({error}): run it again with sudo",
                    mend.path.display()
                ),
            }
        } else {
            format!("{} left as it is", mend.path.display())
        };
        say(&format!("{line}\n"));
    }
    if done.is_empty() {
        say("nothing here is mended by writing a file\n");
    }
}

fn agreed(mend: &Mend) -> bool {
    say(&format!(
        "\n{}\n{}write it? [y/N] ",
        mend.path.display(),
        mend.text
    ));
    let mut answer = String::new();
    // Nobody there to answer is a no.
    let heard = std::io::stdin().lock().read_line(&mut answer).is_ok();
    heard && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// For whoever sits there; standard output is for the answer.
fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    // Without anybody to read it there is nobody to tell.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
