//! `[arms.NAME]`: a cell of two arms, whose own files say all about each of them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::cameras::{RawCamera, cameras};
use super::jobs::{RawJob, jobs};
use super::watch::{RawRule, watch};
use super::{CellError, RawInference, Source, Table, inference, named};
use crate::cell::{CameraSection, InferenceSection, JobSection, PolicySection, WatchSection};

/// How many arms a cell of several has.
const ARMS: usize = 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTwoArms {
    name: Spanned<String>,
    arms: Table<RawArmFile>,
    #[serde(default)]
    cameras: Table<RawCamera>,
    #[serde(default)]
    jobs: Table<RawJob>,
    #[serde(default)]
    inference: RawInference,
    #[serde(default)]
    watch: Table<Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArmFile {
    cell: PathBuf,
}

/// A cell of two arms before the files of its arms are read.
pub(in crate::cell) struct TwoArmsFile {
    pub(in crate::cell) name: String,
    /// Each arm's name and cell file.
    pub(in crate::cell) arms: Vec<(String, PathBuf)>,
    pub(in crate::cell) cameras: Vec<CameraSection>,
    pub(in crate::cell) jobs: Vec<JobSection>,
    pub(in crate::cell) inference: InferenceSection,
    pub(in crate::cell) watch: WatchSection,
}

/// Where `text` speaks of arms, when it does: such a table makes a cell of several.
pub(super) fn place_of_arms(text: &str) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let header = trimmed.strip_prefix('[').map(str::trim_start);
        let rest = header.unwrap_or(trimmed).strip_prefix("arms");
        if rest.is_some_and(|rest| rest.trim_start().starts_with(['.', ']', '='])) {
            return Some(at..at + line.len());
        }
        at += line.len();
    }
    None
}

/// The file of a cell of two arms given to a command for one.
pub(super) fn not_for_one(source: &Source<'_>, place: std::ops::Range<usize>) -> CellError {
    let raw: Option<RawTwoArms> = toml::from_str(source.text).ok();
    let folder = source.file.parent().unwrap_or(Path::new(""));
    let arms = raw.into_iter().flat_map(|raw| raw.arms);
    let files: Vec<String> = arms
        .map(|(_, arm)| folder.join(arm.cell).display().to_string())
        .collect();
    let files = match files.as_slice() {
        [] => "the file of that arm".to_owned(),
        files => files.join(" or "),
    };
    source.at(
        place,
        format!("this is a cell of two arms, and this command is for one: give it {files}"),
    )
}

/// The cell of two arms in file `path`; `None` when it is the cell of one.
pub(in crate::cell) fn two_arms(path: &Path) -> Result<Option<TwoArmsFile>, CellError> {
    let text = super::text_of(path, path)?;
    let Some(place) = place_of_arms(&text) else {
        return Ok(None);
    };
    let source = Source {
        file: path,
        text: &text,
    };
    let raw: RawTwoArms = source.read()?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = named(&source, &raw.name)?;
    if raw.arms.len() != ARMS {
        let what = format!(
            "it has {} arms; a cell has two, each in a table [arms.NAME] with its own `cell` file, or is one arm's own",
            raw.arms.len()
        );
        return Err(source.at(place, what));
    }
    let plain = |c: char| c.is_ascii_alphanumeric();
    let wrong = |name: &&String| name.is_empty() || name.len() > 16 || !name.chars().all(plain);
    if let Some(name) = raw.arms.keys().find(wrong) {
        let what = format!(
            "`arms.{name}`: an arm's name is 1 to 16 letters and digits, such as left and right: its joints are called by it"
        );
        return Err(source.at(place, what));
    }
    let jobs = jobs(&source, folder, raw.jobs)?;
    let remote = |job: &&JobSection| matches!(job.policy, PolicySection::Remote(_));
    if let Some(job) = jobs.iter().find(remote) {
        let what = format!(
            "`jobs.{}.remote`: a policy on a server leads one arm; give this job a `package`",
            job.name
        );
        return Err(CellError::new(path, what));
    }
    Ok(Some(TwoArmsFile {
        name,
        arms: raw
            .arms
            .into_iter()
            .map(|(name, arm)| (name, folder.join(arm.cell)))
            .collect(),
        cameras: cameras(&source, folder, raw.cameras)?,
        jobs,
        inference: inference(&source, folder, raw.inference)?,
        watch: watch(&source, &raw.watch)?,
    }))
}
