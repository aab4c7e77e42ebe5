//! What a cell says of where the arm is put away.

use serde::Deserialize;
use toml::Spanned;

use super::{Source, Table};
use crate::arm::AfterStop;
use crate::cell::{CellError, ParkingSection};
use crate::units::Rad;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawParking {
    pose: Table<Spanned<f64>>,
    speed: Option<Spanned<f64>>,
    #[serde(default)]
    at_exit: AfterStop,
    #[serde(default)]
    when_hot: AfterStop,
}

pub(super) fn parking(source: &Source<'_>, raw: RawParking) -> Result<ParkingSection, CellError> {
    let pose = raw.pose.iter().map(|(joint, value)| {
        let key = format!("parking.pose.{joint}");
        Ok((joint.clone(), Rad(source.number(&key, value, -7.0..=7.0)?)))
    });
    Ok(ParkingSection {
        pose: pose.collect::<Result<Vec<_>, CellError>>()?,
        speed: source.optional("parking.speed", raw.speed.as_ref(), 0.25, 0.01..=1.0)?,
        at_exit: raw.at_exit,
        when_hot: raw.when_hot,
    })
}
