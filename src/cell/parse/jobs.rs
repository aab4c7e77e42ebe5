//! `[jobs.NAME]`: which policy, from where, and how its chunks become plans.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::super::{ChunkSection, JobSection, Joining};
use super::remote::{self, RawRemote};
use super::{CellError, Source, Table};
use crate::units::Rad;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawJob {
    pub(super) package: Option<PathBuf>,
    pub(super) remote: Option<Box<RawRemote>>,
    start: Table<Spanned<f64>>,
    episode_secs: Spanned<f64>,
    plan_hz: Option<Spanned<f64>>,
    chunks: Option<Joining>,
    horizon_steps: Option<Spanned<u16>>,
    ensemble_m: Option<Spanned<f64>>,
    max_guidance_weight: Option<Spanned<f64>>,
    noise_seed: Option<u64>,
}

pub(super) fn jobs(
    source: &Source<'_>,
    folder: &Path,
    raw: Table<RawJob>,
) -> Result<Vec<JobSection>, CellError> {
    raw.into_iter()
        .map(|(name, raw)| job(source, folder, name, raw))
        .collect()
}

fn job(
    source: &Source<'_>,
    folder: &Path,
    name: String,
    mut raw: RawJob,
) -> Result<JobSection, CellError> {
    let policy = remote::policy(source, folder, &name, &mut raw)?;
    let start = raw
        .start
        .iter()
        .map(|(joint, value)| {
            let key = format!("jobs.{name}.start.{joint}");
            Ok((joint.clone(), Rad(source.number(&key, value, -7.0..=7.0)?)))
        })
        .collect::<Result<Vec<_>, CellError>>()?;
    let episode = source.number(
        &format!("jobs.{name}.episode_secs"),
        &raw.episode_secs,
        1.0..=3600.0,
    )?;
    Ok(JobSection {
        policy,
        start,
        episode: Duration::from_secs_f64(episode),
        plan_hz: source.optional(
            &format!("jobs.{name}.plan_hz"),
            raw.plan_hz.as_ref(),
            10.0,
            0.5..=100.0,
        )?,
        chunks: chunks(source, &name, &raw)?,
        plan_hz_said: raw.plan_hz.is_some(),
        noise_seed: raw.noise_seed.unwrap_or_default(),
        name,
    })
}

fn chunks(source: &Source<'_>, name: &str, raw: &RawJob) -> Result<ChunkSection, CellError> {
    let usual = ChunkSection::default();
    let key = |key: &str| format!("jobs.{name}.{key}");
    let horizon = raw.horizon_steps.as_ref();
    if let Some(horizon) = horizon
        && *horizon.get_ref() > 128
    {
        let what = format!("`{}` must be 0 to 128 steps", key("horizon_steps"));
        return Err(source.at(horizon.span(), what));
    }
    let ensemble_m = raw.ensemble_m.as_ref();
    Ok(ChunkSection {
        joining: raw.chunks,
        horizon: horizon.map_or(usual.horizon, |horizon| *horizon.get_ref()),
        ensemble_m: ensemble_m
            .map(|m| source.number(&key("ensemble_m"), m, -10.0..=10.0))
            .transpose()?,
        max_guidance_weight: source.optional(
            &key("max_guidance_weight"),
            raw.max_guidance_weight.as_ref(),
            usual.max_guidance_weight,
            0.0..=1000.0,
        )?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const GOOD: &str = include_str!("../../../cells/sim.toml");

    fn with(lines: &str) -> Result<ChunkSection, String> {
        let text = GOOD.replace("episode_secs", &format!("{lines}\nepisode_secs"));
        let cell = parse(Path::new("cells/x.toml"), &text).map_err(|it| it.to_string())?;
        Ok(cell.job(None).map_err(|it| it.to_string())?.chunks)
    }

    #[test]
    fn a_job_says_how_its_chunks_become_plans() {
        assert_eq!(with(""), Ok(ChunkSection::default()));
        let ensemble = with("chunks = \"ensemble\"\nensemble_m = 0.1").unwrap();
        assert_eq!(ensemble.joining, Some(Joining::Ensemble));
        assert_eq!(ensemble.ensemble_m, Some(0.1));
        let faded = with("chunks = \"cross-fade\"\nhorizon_steps = 20").unwrap();
        assert_eq!(
            (faded.joining, faded.horizon),
            (Some(Joining::CrossFade), 20)
        );
    }

    #[test]
    fn a_wrong_way_of_joining_is_told_with_the_right_ones() {
        let refusal = with("chunks = \"blend\"").unwrap_err();
        assert!(refusal.contains("cross-fade"), "{refusal}");
        let refusal = with("horizon_steps = 200").unwrap_err();
        assert!(refusal.contains("0 to 128"), "{refusal}");
    }
}
