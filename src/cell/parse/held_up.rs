//! `inference.held_up`: inference that takes longer on purpose.

use serde::Deserialize;
use toml::Spanned;

use super::super::HeldUpSection;
use super::{CellError, Source};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHeldUp {
    by_ms: Option<Spanned<f64>>,
    jitter_ms: Option<Spanned<f64>>,
    stall_ms: Option<Spanned<f64>>,
    stall_at: Option<u64>,
}

pub(super) fn held_up(source: &Source<'_>, raw: &RawHeldUp) -> Result<HeldUpSection, CellError> {
    let time = |key: &str, value: &Option<Spanned<f64>>| {
        let key = format!("inference.held_up.{key}");
        source.millis(&key, value.as_ref(), 0.0, 0.0..=10_000.0)
    };
    Ok(HeldUpSection {
        by: time("by_ms", &raw.by_ms)?,
        jitter: time("jitter_ms", &raw.jitter_ms)?,
        stall: time("stall_ms", &raw.stall_ms)?,
        stall_at: raw.stall_at.unwrap_or(20),
    })
}
