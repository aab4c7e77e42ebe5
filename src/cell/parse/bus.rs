//! The `[bus]` section: which servos, where, how fast, and what of them is relied on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{CellError, Source};
use crate::arm::Family;
use crate::cell::{BusSection, ShadowSection, TestedServo, WatchdogSection};

/// One unit of a bus watchdog, ms.
const WATCHDOG_UNIT_MS: f64 = 20.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBus {
    kind: Family,
    port: PathBuf,
    baud: Spanned<u32>,
    shared_replies: Option<Spanned<bool>>,
    watchdog: Option<Spanned<RawWatchdog>>,
    shadows: Option<Spanned<BTreeMap<String, RawShadow>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShadow {
    id: Spanned<u8>,
    #[serde(default)]
    mirrored: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWatchdog {
    after_ms: Spanned<f64>,
    tested: Vec<Spanned<String>>,
}

pub(super) fn bus(
    source: &Source<'_>,
    folder: &Path,
    raw: RawBus,
) -> Result<BusSection, CellError> {
    let bauds = raw.kind.bauds();
    if !bauds.contains(raw.baud.get_ref()) {
        return Err(source.at(
            raw.baud.span(),
            format!(
                "`baud` must be one of {bauds:?} for {} servos",
                raw.kind.name()
            ),
        ));
    }
    let only = |key: &str, span| {
        source.at(
            span,
            format!("`bus.{key}` is for kind = \"dynamixel\": take it out"),
        )
    };
    if raw.kind == Family::Feetech {
        if let Some(shared) = &raw.shared_replies {
            return Err(only("shared_replies", shared.span()));
        }
        if let Some(watchdog) = &raw.watchdog {
            return Err(only("watchdog", watchdog.span()));
        }
        if let Some(shadows) = &raw.shadows {
            return Err(only("shadows", shadows.span()));
        }
    }
    Ok(BusSection {
        family: raw.kind,
        port: folder.join(raw.port),
        baud: *raw.baud.get_ref(),
        shared_replies: raw.shared_replies.is_some_and(Spanned::into_inner),
        watchdog: raw.watchdog.map(|raw| watchdog(source, &raw)).transpose()?,
        shadows: shadows(source, raw.shadows)?,
    })
}

fn shadows(
    source: &Source<'_>,
    raw: Option<Spanned<BTreeMap<String, RawShadow>>>,
) -> Result<Vec<ShadowSection>, CellError> {
    let named = raw.map(Spanned::into_inner).unwrap_or_default().into_iter();
    let one = |(joint, raw): (String, RawShadow)| {
        let id = *raw.id.get_ref();
        if id > 252 {
            let what = format!("`bus.shadows.{joint}.id` is {id}, it must be 0 to 252");
            return Err(source.at(raw.id.span(), what));
        }
        Ok(ShadowSection {
            joint,
            id,
            mirrored: raw.mirrored,
        })
    };
    named.map(one).collect()
}

fn watchdog(source: &Source<'_>, raw: &Spanned<RawWatchdog>) -> Result<WatchdogSection, CellError> {
    let watchdog = raw.get_ref();
    if watchdog.tested.is_empty() {
        return Err(source.at(
            raw.span(),
            "`bus.watchdog.tested` is empty: name what passed the commissioning test, such as \"XL430-W250 fw 45\", or take the section out",
        ));
    }
    let after = source.number(
        "bus.watchdog.after_ms",
        &watchdog.after_ms,
        2.0 * WATCHDOG_UNIT_MS..=127.0 * WATCHDOG_UNIT_MS,
    )?;
    let tested = watchdog.tested.iter().map(|text| {
        tested(text.get_ref()).ok_or_else(|| {
            source.at(
                text.span(),
                format!(
                    "`bus.watchdog.tested` has \"{}\", it must be a model and its firmware, such as \"XL430-W250 fw 45\"",
                    text.get_ref()
                ),
            )
        })
    });
    Ok(WatchdogSection {
        // At most 127, checked above.
        units: (after / WATCHDOG_UNIT_MS).ceil() as u8,
        tested: tested.collect::<Result<_, _>>()?,
    })
}

fn tested(text: &str) -> Option<TestedServo> {
    let (model, firmware) = text.split_once(" fw ")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let named = !model.is_empty() && model.chars().all(plain);
    Some(TestedServo {
        model: model.to_owned(),
        firmware: firmware.parse().ok().filter(|fw| (1..=255).contains(fw))?,
    })
    .filter(|_| named)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const GOOD: &str = include_str!("../../../cells/sim.toml");

    fn with(bus: &str) -> Result<BusSection, String> {
        let text = GOOD.replace("kind = \"feetech\"\n", bus);
        assert_ne!(text, GOOD);
        let cell = parse(Path::new("cells/x.toml"), &text);
        cell.map(|cell| cell.bus).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bus_of_the_x_series_is_read_with_its_watchdog() {
        let bus = with(
            "kind = \"dynamixel\"\nshared_replies = true\nwatchdog = { after_ms = 110, tested = [\"XL430-W250 fw 45\"] }\n",
        )
        .unwrap();
        assert_eq!(bus.family, Family::Dynamixel);
        assert!(bus.shared_replies);
        let watchdog = bus.watchdog.unwrap();
        assert_eq!(watchdog.units, 6);
        let tested = TestedServo {
            model: "XL430-W250".into(),
            firmware: 45,
        };
        assert_eq!(watchdog.tested, [tested]);
    }

    #[test]
    fn second_servos_are_read_and_are_no_feetech_servos() {
        let shadows = "shadows = { shoulder_lift = { id = 7, mirrored = true } }\n";
        let bus = with(&format!("kind = \"dynamixel\"\n{shadows}")).unwrap();
        let second = ShadowSection {
            joint: "shoulder_lift".into(),
            id: 7,
            mirrored: true,
        };
        assert_eq!(bus.shadows, [second]);
        let line = with(&format!("kind = \"feetech\"\n{shadows}")).unwrap_err();
        assert!(line.contains("bus.shadows"), "{line}");
        let beyond = shadows.replace('7', "253");
        let line = with(&format!("kind = \"dynamixel\"\n{beyond}")).unwrap_err();
        assert!(line.contains("0 to 252"), "{line}");
    }

    #[test]
    fn a_watchdog_that_nothing_is_known_of_is_refused() {
        let refused = |bus: &str, word: &str| {
            let line = with(bus).unwrap_err();
            assert!(
                line.starts_with("cells/x.toml:") && line.contains(word),
                "{line}"
            );
        };
        let watchdog = |rest: &str| format!("kind = \"dynamixel\"\nwatchdog = {{ {rest} }}\n");
        refused(&watchdog("after_ms = 100, tested = []"), "is empty");
        refused(
            &watchdog("after_ms = 100, tested = [\"XL430-W250\"]"),
            "XL430-W250 fw 45",
        );
        refused(
            &watchdog("after_ms = 5, tested = [\"XL430-W250 fw 45\"]"),
            "40 to 2540",
        );
        refused(
            "kind = \"feetech\"\nwatchdog = { after_ms = 100, tested = [\"A fw 1\"] }\n",
            "dynamixel",
        );
        refused("kind = \"feetech\"\nshared_replies = true\n", "dynamixel");
    }
}
