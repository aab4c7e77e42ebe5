//! `[service]`: a line for each reminder, with what it counts.

use serde::Deserialize;
use toml::Spanned;

use super::super::service::{Counted, Reminder};
use super::{CellError, Source, Table};
use crate::messages::ServiceDue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReminder {
    every_hours: Option<Spanned<f64>>,
    every_motion_hours: Option<Spanned<f64>>,
    every_rad: Option<Spanned<f64>>,
    every_starts: Option<Spanned<f64>>,
    joint: Option<Spanned<String>>,
    say: Spanned<String>,
}

impl RawReminder {
    fn every(&self, counted: Counted) -> Option<&Spanned<f64>> {
        match counted {
            Counted::Hours => self.every_hours.as_ref(),
            Counted::MotionHours => self.every_motion_hours.as_ref(),
            Counted::Radians => self.every_rad.as_ref(),
            Counted::Starts => self.every_starts.as_ref(),
        }
    }
}

/// The reminders of a cell whose arm has `joints`.
pub(super) fn service(
    source: &Source<'_>,
    raw: Table<Spanned<RawReminder>>,
    joints: &[String],
) -> Result<Vec<Reminder>, CellError> {
    raw.into_iter()
        .map(|(name, raw)| reminder(source, name, &raw, joints))
        .collect()
}

fn reminder(
    source: &Source<'_>,
    name: String,
    spanned: &Spanned<RawReminder>,
    joints: &[String],
) -> Result<Reminder, CellError> {
    let raw = spanned.get_ref();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
        let what =
            format!("`service.{name}` must have a name of 1 to 32 letters, digits, `-` or `_`");
        return Err(source.at(spanned.span(), what));
    }
    let mut said = Counted::ALL
        .into_iter()
        .filter_map(|counted| Some((counted, raw.every(counted)?)));
    let (Some((counted, every)), None) = (said.next(), said.next()) else {
        let keys = Counted::ALL.map(Counted::key).join(", ");
        let what = format!("`service.{name}` must say exactly one of {keys}");
        return Err(source.at(spanned.span(), what));
    };
    let key = format!("service.{name}.{}", counted.key());
    let every = source.number(&key, every, 0.001..=1e9)?;
    let say = raw.say.get_ref().trim();
    if say.is_empty() || say.len() > ServiceDue::SAYS || say.contains(char::is_control) {
        let most = ServiceDue::SAYS;
        let what = format!("`service.{name}.say` must be one line of 1 to {most} letters");
        return Err(source.at(raw.say.span(), what));
    }
    if let Some(joint) = &raw.joint
        && !joints.contains(joint.get_ref())
    {
        let what = format!(
            "`service.{name}.joint` is {}, joints of this cell are: {}",
            joint.get_ref(),
            joints.join(", ")
        );
        return Err(source.at(joint.span(), what));
    }
    Ok(Reminder {
        counted,
        every,
        joint: raw.joint.as_ref().map(|joint| joint.get_ref().clone()),
        say: say.to_owned(),
        name,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;
    use super::*;

    const GOOD: &str = include_str!("../../../cells/sim.toml");

    fn with(line: &str) -> Result<Vec<Reminder>, String> {
        let text = format!("{GOOD}\n[service]\n{line}\n");
        let cell = parse(Path::new("cells/x.toml"), &text);
        cell.map(|cell| cell.service)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_reminder_says_what_it_counts_of_which_joint() {
        let all = with(
            "grease = { every_motion_hours = 200, joint = \"elbow_flex\", say = \"grease it\" }\n\
             horns = { every_starts = 1000, say = \" check the screws of the horns \" }",
        );
        let wanted = |name: &str, counted, every, joint: Option<&str>, say: &str| Reminder {
            name: name.into(),
            counted,
            every,
            joint: joint.map(Into::into),
            say: say.into(),
        };
        assert_eq!(
            all.unwrap(),
            [
                wanted(
                    "grease",
                    Counted::MotionHours,
                    200.0,
                    Some("elbow_flex"),
                    "grease it"
                ),
                wanted(
                    "horns",
                    Counted::Starts,
                    1000.0,
                    None,
                    "check the screws of the horns"
                ),
            ]
        );
    }

    #[test]
    fn a_wrong_reminder_is_told_with_its_line_and_what_would_be_right() {
        let line = GOOD.lines().count() + 3;
        let long = format!("a = {{ every_rad = 1, say = \"{}\" }}", "x".repeat(97));
        for (wrong, what) in [
            ("a = { every_hour = 5, say = \"x\" }", "every_hour"),
            ("a = { say = \"x\" }", "exactly one of every_hours"),
            (
                "a = { every_hours = 5, every_rad = 5, say = \"x\" }",
                "exactly one of every_hours",
            ),
            (
                "a = { every_hours = 0, say = \"x\" }",
                "service.a.every_hours",
            ),
            ("a = { every_hours = 5 }", "say"),
            ("a = { every_hours = 5, say = \"\" }", "service.a.say"),
            (&long, "1 to 96 letters"),
            (
                "a = { every_hours = 5, joint = \"knee\", say = \"x\" }",
                "elbow_flex",
            ),
            ("\"a b\" = { every_hours = 5, say = \"x\" }", "letters"),
        ] {
            let refusal = with(wrong).unwrap_err();
            assert!(
                refusal.starts_with(&format!("cells/x.toml:{line}: ")),
                "{refusal}"
            );
            assert!(refusal.contains(what), "{refusal}");
        }
    }
}
