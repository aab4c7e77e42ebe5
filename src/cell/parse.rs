//! From the text of a cell file to a [`Cell`]: unknown keys refused, every error one line with
//! the file, the line, the key and what would be right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{ArmSection, BackendKind, Cell, InferenceSection, LoopSection};

mod arms;
mod bus;
mod cameras;
mod held_up;
mod inputs;
mod jobs;
mod limits;
mod parking;
mod remote;
mod service;
mod watch;

pub(super) use arms::two_arms;
use bus::{RawBus, bus};
use cameras::{RawCamera, cameras};
use held_up::{RawHeldUp, held_up};
use inputs::{RawInput, RawRelay, inputs, relay};
use jobs::{RawJob, jobs};
use limits::{RawLimits, RawMonitors, RawWorkspace, limits, monitors, workspace};
use parking::{RawParking, parking};
use service::{RawReminder, service};
use watch::{RawRule, watch};

/// What is wrong with a cell file, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct CellError {
    /// File, and line where known.
    pub place: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl CellError {
    pub(super) fn new(file: &Path, what: impl Into<String>) -> CellError {
        CellError {
            place: file.display().to_string(),
            what: what.into(),
        }
    }
}

/// A table with names of the user's own, in the order of the names.
type Table<T> = BTreeMap<String, T>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCell {
    name: Spanned<String>,
    arm: RawArm,
    bus: RawBus,
    #[serde(rename = "loop", default)]
    control: RawLoop,
    limits: Table<RawLimits>,
    #[serde(default)]
    monitors: RawMonitors,
    #[serde(default)]
    workspace: RawWorkspace,
    parking: Option<RawParking>,
    #[serde(default)]
    inputs: Table<RawInput>,
    relay: Option<RawRelay>,
    #[serde(default)]
    cameras: Table<RawCamera>,
    #[serde(default)]
    jobs: Table<RawJob>,
    #[serde(default)]
    inference: RawInference,
    #[serde(default)]
    watch: Table<Spanned<RawRule>>,
    #[serde(default)]
    service: Table<Spanned<RawReminder>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArm {
    urdf: PathBuf,
    base: String,
    tip: String,
    gripper: String,
    calibration: PathBuf,
    tool_floor_m: Option<Spanned<f64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLoop {
    rate_hz: Option<Spanned<f64>>,
    priority: Option<Spanned<i32>>,
    cpu: Option<usize>,
    lock_memory: Option<bool>,
    lease_ms: Option<Spanned<f64>>,
    lease_without_realtime_ms: Option<Spanned<f64>>,
    #[serde(default)]
    allow_without_realtime: bool,
    #[serde(default)]
    hold_to_run: bool,
    max_plan_age_ms: Option<Spanned<f64>>,
    max_path_lag_ms: Option<Spanned<f64>>,
    crossfade_ms: Option<Spanned<f64>>,
    first_plan_ms: Option<Spanned<f64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawInference {
    #[serde(default)]
    backend: BackendKind,
    library: Option<PathBuf>,
    threads: Option<Spanned<usize>>,
    held_up: Option<RawHeldUp>,
}

/// A place in a file, to point errors at.
struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn at(&self, span: std::ops::Range<usize>, what: impl Into<String>) -> CellError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        CellError {
            place: format!("{}:{line}", self.file.display()),
            what: what.into(),
        }
    }

    /// The whole text as a `T`.
    fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, CellError> {
        toml::from_str(self.text).map_err(|error| {
            let what = error.message().replace('\n', " ");
            match error.span() {
                Some(span) => self.at(span, what),
                None => CellError::new(self.file, what),
            }
        })
    }

    /// `value` when it is finite and inside `range`, else an error naming key and range.
    fn number(
        &self,
        key: &str,
        value: &Spanned<f64>,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<f64, CellError> {
        let number = *value.get_ref();
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(self.at(
                value.span(),
                format!(
                    "`{key}` is {number}, it must be {} to {}",
                    range.start(),
                    range.end()
                ),
            ))
        }
    }

    fn optional(
        &self,
        key: &str,
        value: Option<&Spanned<f64>>,
        default: f64,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<f64, CellError> {
        value.map_or(Ok(default), |value| self.number(key, value, range))
    }

    fn millis(
        &self,
        key: &str,
        value: Option<&Spanned<f64>>,
        default_ms: f64,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Duration, CellError> {
        self.optional(key, value, default_ms, range)
            .map(|ms| Duration::from_secs_f64(ms * 1e-3))
    }
}

/// The cell of file `path`, whose text is in `text_in`.
pub(super) fn load(path: &Path, text_in: &Path) -> Result<Cell, CellError> {
    parse(path, &text_of(path, text_in)?)
}

/// What `text_in` holds, which stands for the cell file `path`.
fn text_of(path: &Path, text_in: &Path) -> Result<String, CellError> {
    std::fs::read_to_string(text_in)
        .map_err(|error| CellError::new(path, format!("the cell file can't be read: {error}")))
}

/// The cell's name, which names a socket.
fn named(source: &Source<'_>, name: &Spanned<String>) -> Result<String, CellError> {
    let text = name.get_ref();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 32 || !text.chars().all(plain) {
        return Err(source.at(
            name.span(),
            "`name` must be 1 to 32 letters, digits, `-` or `_`: it names a socket",
        ));
    }
    Ok(text.clone())
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Cell, CellError> {
    let source = Source { file: path, text };
    if let Some(place) = arms::place_of_arms(text) {
        return Err(arms::not_for_one(&source, place));
    }
    let raw: RawCell = source.read()?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = named(&source, &raw.name)?;
    let joints: Vec<String> = raw.limits.keys().cloned().collect();
    Ok(Cell {
        name,
        file: path.to_owned(),
        arm: ArmSection {
            urdf: folder.join(raw.arm.urdf),
            base: raw.arm.base,
            tip: raw.arm.tip,
            gripper: raw.arm.gripper,
            calibration: folder.join(raw.arm.calibration),
            tool_floor: source.optional(
                "tool_floor_m",
                raw.arm.tool_floor_m.as_ref(),
                f64::NEG_INFINITY,
                -2.0..=2.0,
            )?,
        },
        bus: bus(&source, folder, raw.bus)?,
        control: control(&source, &raw.control)?,
        limits: limits(&source, raw.limits)?,
        monitors: monitors(&source, &raw.monitors)?,
        workspace: workspace(&source, &raw.workspace)?,
        parking: raw.parking.map(|raw| parking(&source, raw)).transpose()?,
        inputs: inputs(&source, folder, raw.inputs)?,
        relay: raw
            .relay
            .map(|raw| relay(&source, folder, &raw))
            .transpose()?,
        cameras: cameras(&source, folder, raw.cameras)?,
        jobs: jobs(&source, folder, raw.jobs)?,
        inference: inference(&source, folder, raw.inference)?,
        watch: watch(&source, &raw.watch)?,
        service: service(&source, raw.service, &joints)?,
    })
}

fn control(source: &Source<'_>, raw: &RawLoop) -> Result<LoopSection, CellError> {
    let priority = raw.priority.as_ref().map_or(80, |p| *p.get_ref());
    if !(1..=98).contains(&priority) {
        let span = raw.priority.as_ref().map_or(0..0, Spanned::span);
        return Err(source.at(span, "`priority` must be 1 to 98 (SCHED_FIFO)"));
    }
    let crossfade = raw.crossfade_ms.as_ref();
    Ok(LoopSection {
        rate_hz: source.optional("rate_hz", raw.rate_hz.as_ref(), 100.0, 20.0..=1000.0)?,
        priority,
        cpu: raw.cpu,
        lock_memory: raw.lock_memory.unwrap_or(true),
        lease: source.millis("lease_ms", raw.lease_ms.as_ref(), 25.0, 5.0..=1000.0)?,
        lease_without_realtime: source.millis(
            "lease_without_realtime_ms",
            raw.lease_without_realtime_ms.as_ref(),
            85.0,
            5.0..=1000.0,
        )?,
        allow_without_realtime: raw.allow_without_realtime,
        hold_to_run: raw.hold_to_run,
        max_plan_age: source.millis(
            "max_plan_age_ms",
            raw.max_plan_age_ms.as_ref(),
            300.0,
            10.0..=5000.0,
        )?,
        max_path_lag: source.millis(
            "max_path_lag_ms",
            raw.max_path_lag_ms.as_ref(),
            1000.0,
            100.0..=60_000.0,
        )?,
        crossfade: source.millis("crossfade_ms", crossfade, 100.0, 0.0..=2000.0)?,
        first_plan: source.millis(
            "first_plan_ms",
            raw.first_plan_ms.as_ref(),
            1000.0,
            10.0..=60_000.0,
        )?,
    })
}

fn inference(
    source: &Source<'_>,
    folder: &Path,
    raw: RawInference,
) -> Result<InferenceSection, CellError> {
    let threads = raw.threads.as_ref().map_or(1, |t| *t.get_ref());
    if !(1..=64).contains(&threads) {
        let span = raw.threads.as_ref().map_or(0..0, Spanned::span);
        return Err(source.at(span, "`inference.threads` must be 1 to 64"));
    }
    Ok(InferenceSection {
        backend: raw.backend,
        library: raw.library.map(|library| folder.join(library)),
        threads,
        held_up: raw.held_up.map(|raw| held_up(source, &raw)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../cells/sim.toml");

    fn refusal(text: &str) -> String {
        parse(Path::new("cells/x.toml"), text)
            .expect_err("a wrong cell file is refused")
            .to_string()
    }

    /// The good file with `line` in place of the line that begins with `old`.
    fn with(old: &str, line: &str) -> (String, usize) {
        let at = GOOD
            .lines()
            .position(|l| l.starts_with(old))
            .expect("the good file has that line");
        let text: Vec<&str> = GOOD
            .lines()
            .enumerate()
            .map(|(i, l)| if i == at { line } else { l })
            .collect();
        (text.join("\n"), at + 1)
    }

    #[test]
    fn the_shipped_cell_is_good_and_its_paths_are_beside_it() {
        let cell = parse(Path::new("cells/sim.toml"), GOOD).unwrap();
        assert_eq!(cell.arm.urdf, Path::new("cells/../urdf/so101.urdf"));
        assert_eq!(cell.cameras.len(), 2);
        assert_eq!(cell.job(None).unwrap().name, "pick_cube");
        assert!(cell.job(Some("paint")).is_err());
    }

    #[test]
    fn a_wrong_value_is_told_in_one_line_with_its_place_and_what_would_be_right() {
        let cases = [
            (
                "rate_hz",
                "rate_hz = 5",
                "`rate_hz` is 5, it must be 20 to 1000",
            ),
            ("rate_hz", "rate_hz = nan", "`rate_hz` is NaN"),
            ("rate_hz", "raet_hz = 200", "unknown field `raet_hz`"),
            ("baud", "baud = 9600", "`baud` must be one of"),
            (
                "kind",
                "kind = \"canopen\"",
                "expected `feetech` or `dynamixel`",
            ),
            ("priority", "priority = 99", "`priority` must be 1 to 98"),
            (
                "shoulder_pan = { velocity",
                "shoulder_pan = { velocity = -1.0, acceleration = 12.0 }",
                "`limits.shoulder_pan.velocity` is -1",
            ),
            ("width = 96", "width = 0", "must be 8 to 4096 pixels"),
            (
                "url = \"http://127.0.0.1:8010/cameras/overhead",
                "url = \"rtsp://x\"",
                "must begin with http://",
            ),
            ("name = \"sim\"", "name = \"../sim\"", "`name` must be"),
        ];
        for (old, line, what) in cases {
            let (text, number) = with(old, line);
            let refusal = refusal(&text);
            assert!(
                refusal.starts_with(&format!("cells/x.toml:{number}: ")),
                "{line}: {refusal}"
            );
            assert!(refusal.contains(what), "{line}: {refusal}");
            assert!(!refusal.contains('\n'), "{refusal}");
        }
    }

    #[test]
    fn a_missing_section_is_named() {
        let text = GOOD.replace("[bus]", "[buss]");
        assert!(refusal(&text).contains("buss"));
        assert!(refusal("name = \"x\"").contains("missing field"));
    }
}
