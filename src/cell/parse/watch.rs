//! `[watch]`: a limit and what is done beyond it, by the key of what is watched.

use serde::Deserialize;
use toml::Spanned;

use super::super::watch::{WatchRule, WatchSection, usual};
use super::{CellError, Source, Table};
use crate::messages::{Then, Watch};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    limit: Option<Spanned<f64>>,
    #[serde(default)]
    then: Then,
}

/// What `raw` says, and the usual of all it does not speak of.
pub(super) fn watch(
    source: &Source<'_>,
    raw: &Table<Spanned<RawRule>>,
) -> Result<WatchSection, CellError> {
    if let Some((key, rule)) = raw
        .iter()
        .find(|(key, _)| Watch::ALL.iter().all(|what| what.key() != key.as_str()))
    {
        let known = Watch::ALL.map(Watch::key).join(", ");
        return Err(source.at(
            rule.span(),
            format!("`watch.{key}` is unknown; what is watched: {known}"),
        ));
    }
    let rules = Watch::ALL.into_iter().map(|what| {
        let rule = raw.get(what.key()).map(Spanned::get_ref);
        let key = format!("watch.{}.limit", what.key());
        let limit = rule.and_then(|rule| rule.limit.as_ref());
        Ok(WatchRule {
            what,
            limit: source.optional(&key, limit, usual(what), 0.0..=1e6)?,
            then: rule.map_or(Then::Warn, |rule| rule.then),
        })
    });
    Ok(WatchSection {
        rules: rules.collect::<Result<_, CellError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;
    use super::*;

    const GOOD: &str = include_str!("../../../cells/sim.toml");

    fn with(lines: &str) -> Result<WatchSection, String> {
        let cell = parse(Path::new("cells/x.toml"), &format!("{GOOD}\n{lines}\n"));
        cell.map(|cell| cell.watch)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn everything_is_watched_and_warned_of_where_nothing_is_said() {
        assert_eq!(with(""), Ok(WatchSection::default()));
        let rules = with("[watch]\nsharpness = { then = \"off\" }\ndisagreement_rad = { limit = 0.2, then = \"hold\" }").unwrap().rules;
        let rule = |what: Watch| *rules.iter().find(|rule| rule.what == what).unwrap();
        assert_eq!(rule(Watch::Blurred).then, Then::Off);
        assert_eq!(
            (rule(Watch::Apart).limit, rule(Watch::Apart).then),
            (0.2, Then::Hold)
        );
        assert_eq!(rule(Watch::Age).then, Then::Warn);
    }

    #[test]
    fn a_wrong_key_or_action_is_told_with_the_right_ones() {
        let refusal = with("[watch]\nage = { limit = 1 }").unwrap_err();
        assert!(refusal.contains("observation_age_ms"), "{refusal}");
        let refusal = with("[watch]\nsharpness = { then = \"stop\" }").unwrap_err();
        assert!(refusal.contains("hold"), "{refusal}");
    }
}
