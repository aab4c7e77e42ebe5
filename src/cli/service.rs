//! `surehand service`: how much the arm's joints were used, what is due for them, and what was done.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Exit, Failure, Outcome, output};
use crate::cell::{Cell, Counted, Overrides};
use crate::host::Item;
use crate::record::{clock, users};
use crate::service::{Book, Standing};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The cell file.
    cell: PathBuf,
    /// Note that this reminder was seen to: it counts anew from now on.
    #[arg(long, value_name = "NAME")]
    done: Option<String>,
    /// Who did it; the user who types this when left out.
    #[arg(long, value_name = "NAME", requires = "done")]
    by: Option<String>,
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let cell = Cell::load(&args.cell, &Overrides::default()).map_err(Failure::configuration)?;
    let path = Book::path(&cell.arm.calibration);
    let book = match &args.done {
        None => Book::read(&path).map_err(Failure::configuration)?,
        Some(done) => {
            known(&cell, done)?;
            let by = args.by.clone().unwrap_or_else(users::own);
            Book::update(&path, |book| book.note(done, &by, clock::now().rfc3339()))
                .map_err(Failure::hardware)?
        }
    };
    let standings: Vec<Standing<'_>> = cell.service.iter().map(|it| book.standing(it)).collect();
    if json {
        output::json(&json!({
            "book": path,
            "joints": book.joints,
            "reminders": standings.iter().map(document).collect::<Vec<_>>(),
        }));
        return Ok(Exit::Done);
    }
    for line in table(&book) {
        output::line_out(&line);
    }
    for standing in &standings {
        output::line_out(&line(standing));
    }
    Ok(Exit::Done)
}

/// Refuses a name that is none of the cell's reminders.
fn known(cell: &Cell, name: &str) -> Result<(), Failure> {
    let names: Vec<&str> = cell.service.iter().map(|it| it.name.as_str()).collect();
    if names.contains(&name) {
        return Ok(());
    }
    let file = cell.file.display();
    Err(Failure::configuration(if names.is_empty() {
        format!("{file}: it has no reminders; add a [service] section")
    } else {
        format!(
            "{file}: there is no reminder `{name}`; reminders are: {}",
            names.join(", ")
        )
    }))
}

fn table(book: &Book) -> Vec<String> {
    if book.joints.is_empty() {
        return vec!["nothing was written down of this arm yet".into()];
    }
    let head = format!(
        "{:<16} {:>12} {:>12} {:>12} {:>8}",
        "joint", "h torque on", "h in motion", "rad", "starts"
    );
    let joints = book.joints.iter().map(|(joint, used)| {
        format!(
            "{joint:<16} {:>12.2} {:>12.2} {:>12.1} {:>8}",
            used.of(Counted::Hours),
            used.of(Counted::MotionHours),
            used.travelled_rad,
            used.starts
        )
    });
    std::iter::once(head).chain(joints).collect()
}

fn line(standing: &Standing<'_>) -> String {
    let state = if standing.due() { "DUE    " } else { "not yet" };
    let mut line = format!("{state} {}: {standing}", standing.reminder.name);
    if let Some(done) = standing.done {
        line += &format!("; last done by {}", done.by);
    }
    line
}

fn document(standing: &Standing<'_>) -> Value {
    let reminder = standing.reminder;
    json!({
        "name": reminder.name,
        "say": reminder.say,
        "counts": reminder.counted.key(),
        "every": reminder.every,
        "used": standing.used,
        "joint": standing.joint,
        "due": standing.due(),
        "done": standing.done.map(|done| json!({"by": done.by, "at": done.at})),
    })
}

/// What `doctor` says of the reminders of `cell`.
pub(super) fn items(cell: &Cell) -> Vec<Item> {
    const ITEM: &str = "service";
    let book = match Book::read(&Book::path(&cell.arm.calibration)) {
        Ok(book) => book,
        Err(error) => {
            let remedy = "until then the arm's hours are not written down";
            return vec![Item::warning(ITEM, error.to_string(), remedy)];
        }
    };
    if cell.service.is_empty() {
        return Vec::new();
    }
    let file = cell.file.display();
    let due = cell.service.iter().map(|it| book.standing(it));
    let due: Vec<Item> = due
        .filter(Standing::due)
        .map(|due| {
            let name = &due.reminder.name;
            Item::warning(
                format!("{ITEM} {name}"),
                due.to_string(),
                format!("once it is done: `surehand service {file} --done {name}`"),
            )
        })
        .collect();
    if due.is_empty() {
        let what = format!("nothing is due of {} reminders", cell.service.len());
        return vec![Item::good(ITEM, what)];
    }
    due
}
