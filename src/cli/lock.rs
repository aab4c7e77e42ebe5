//! `surehand lock`: approves what a cell runs with, as it is now.

use std::path::PathBuf;

use serde_json::json;

use super::check::{check_files, error, names_and_cells};
use super::{Exit, Failure, Outcome, output};
use crate::approval::{Identity, Lock};
use crate::cell::{Cell, Overrides, TwoArms};
use crate::policy::finding::Severity;
use crate::record::{clock, users};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The cell file.
    cell: PathBuf,
    /// Who approves it; the user who types this when left out.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let two = TwoArms::load(&args.cell).map_err(Failure::configuration)?;
    let cell = match two.as_ref().and_then(TwoArms::shared) {
        Some(shared) => shared,
        None => Cell::load(&args.cell, &Overrides::default()).map_err(Failure::configuration)?,
    };
    let arms = match &two {
        Some(two) => names_and_cells(two),
        None => vec![("", &cell)],
    };
    let wrong = check_files(&cell, &arms);
    if let Some(wrong) = wrong.iter().find(|it| it.severity == Severity::Error) {
        return Err(Failure::configuration(format!("not approved: {wrong}")));
    }
    let identity = match &two {
        Some(_) => Identity::of_several(&cell, &cell.jobs, arms),
        None => Identity::of(&cell, &cell.jobs),
    };
    let identity = identity.map_err(Failure::configuration)?;
    let before = match Lock::read(&cell.file) {
        Ok(before) => before,
        // It is written anew, and said.
        Err(damaged) => {
            output::line_out(&error(&cell.file, damaged, "it is replaced").to_string());
            None
        }
    };
    let drift = before.map(|lock| lock.drift(&identity, &cell.file, None));
    let by = args.by.clone().unwrap_or_else(users::own);
    let lock = Lock::new(&identity, &by, clock::now().rfc3339());
    let path = lock.write(&cell.file).map_err(Failure::configuration)?;
    let changed: Vec<String> = drift
        .iter()
        .flatten()
        .map(|drift| format!("{}: {}", drift.path.display(), drift.what))
        .collect();
    if json {
        output::json(&json!({
            "lock": path,
            "approved_by": by,
            "files": identity.files.len(),
            "cell_sha256": identity.cell_sha256(),
            "changed": changed,
        }));
        return Ok(Exit::Done);
    }
    for line in changed {
        output::line_out(&format!("approved now: {line}"));
    }
    output::line_out(&format!(
        "{}: {by} approves {} files and {} values of the cell; `surehand run` refuses whatever differs",
        path.display(),
        identity.files.len(),
        identity.cell.len()
    ));
    Ok(Exit::Done)
}
