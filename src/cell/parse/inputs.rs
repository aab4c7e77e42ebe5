//! What a cell file says of emergency stops, enabling switches and the relay.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{Source, Table};
use crate::cell::{
    CellError, Contact, InputSection, Lines, ModemLine, Pull, RelayLine, RelaySection,
};
use crate::messages::{InputRole, MAX_INPUTS};

/// The highest code of a key or button.
const LAST_KEY: u32 = 0x2ff;
/// More lines than any GPIO chip has.
const LAST_LINE: u32 = 1023;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInput {
    kind: Spanned<String>,
    role: Spanned<String>,
    lines: Spanned<Vec<RawLine>>,
    chip: Option<Spanned<PathBuf>>,
    contact: Option<Spanned<String>>,
    pull: Option<Spanned<String>>,
    port: Option<Spanned<PathBuf>>,
    device: Option<Spanned<PathBuf>>,
    #[serde(default)]
    antivalent: bool,
    disagree_ms: Option<Spanned<f64>>,
    debounce_ms: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRelay {
    kind: Spanned<String>,
    line: Spanned<RawLine>,
    chip: Option<Spanned<PathBuf>>,
    port: Option<Spanned<PathBuf>>,
    power_up_ms: Option<Spanned<f64>>,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum RawLine {
    Number(u32),
    Word(String),
}

/// One table of the file, to name its keys in errors.
struct Place<'a> {
    source: &'a Source<'a>,
    folder: &'a Path,
    /// `inputs.NAME` or `relay`.
    table: String,
}

impl Place<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.table)
    }

    /// A path that this kind must have.
    fn path(
        &self,
        key: &str,
        path: Option<&Spanned<PathBuf>>,
        kind: &Spanned<String>,
    ) -> Result<PathBuf, CellError> {
        path.map(|path| self.folder.join(path.get_ref()))
            .ok_or_else(|| {
                let what = format!(
                    "`{}` is missing: a \"{}\" needs it",
                    self.key(key),
                    kind.get_ref()
                );
                self.source.at(kind.span(), what)
            })
    }

    /// Refuses a key that means nothing with this kind.
    fn refuse<T>(
        &self,
        key: &str,
        value: Option<&Spanned<T>>,
        kind: &Spanned<String>,
    ) -> Result<(), CellError> {
        value.map_or(Ok(()), |value| {
            let what = format!(
                "`{}` means nothing with the kind \"{}\": take it out",
                self.key(key),
                kind.get_ref()
            );
            Err(self.source.at(value.span(), what))
        })
    }

    /// One of `choices` by its word.
    fn choice<T: Copy>(
        &self,
        key: &str,
        word: &Spanned<String>,
        choices: &[(&str, T)],
    ) -> Result<T, CellError> {
        let found = choices.iter().find(|(name, _)| name == word.get_ref());
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<String> = choices.iter().map(|(n, _)| format!("\"{n}\"")).collect();
            let what = format!(
                "`{}` is \"{}\", it must be {}",
                self.key(key),
                word.get_ref(),
                names.join(" or ")
            );
            self.source.at(word.span(), what)
        })
    }
}

const WORDS: &str = "\"dcd\", \"cts\", \"dsr\" or \"ri\"";

pub(super) fn inputs(
    source: &Source<'_>,
    folder: &Path,
    raw: Table<RawInput>,
) -> Result<Vec<InputSection>, CellError> {
    if raw.len() > MAX_INPUTS {
        let what = format!("it has more than {MAX_INPUTS} inputs");
        return Err(CellError::new(source.file, what));
    }
    raw.into_iter()
        .map(|(name, raw)| {
            let place = Place {
                source,
                folder,
                table: format!("inputs.{name}"),
            };
            input(&place, name, &raw)
        })
        .collect()
}

fn input(place: &Place<'_>, name: String, raw: &RawInput) -> Result<InputSection, CellError> {
    if name.len() > 32 {
        let what = format!("`{}` has a name longer than 32 bytes", place.table);
        return Err(place.source.at(raw.kind.span(), what));
    }
    let channels = raw.lines.get_ref().len();
    if !(1..=2).contains(&channels) {
        let what = format!("`{}` must name one line or two", place.key("lines"));
        return Err(place.source.at(raw.lines.span(), what));
    }
    if channels == 1 && raw.antivalent {
        let what = format!(
            "`{}` wants a second line to say the opposite",
            place.key("antivalent")
        );
        return Err(place.source.at(raw.lines.span(), what));
    }
    const ROLES: [(&str, InputRole); 2] = [
        ("emergency_stop", InputRole::EmergencyStop),
        ("enabling", InputRole::Enabling),
    ];
    let millis = |key: &str, value: Option<&Spanned<f64>>, default, range| {
        place.source.millis(&place.key(key), value, default, range)
    };
    Ok(InputSection {
        role: place.choice("role", &raw.role, &ROLES)?,
        lines: lines(place, raw)?,
        antivalent: raw.antivalent,
        disagree: millis("disagree_ms", raw.disagree_ms.as_ref(), 50.0, 5.0..=1000.0)?,
        debounce: millis("debounce_ms", raw.debounce_ms.as_ref(), 20.0, 0.0..=1000.0)?,
        name,
    })
}

fn lines(place: &Place<'_>, raw: &RawInput) -> Result<Lines, CellError> {
    let kind = &raw.kind;
    let refuse_gpio = || {
        place.refuse("chip", raw.chip.as_ref(), kind)?;
        place.refuse("contact", raw.contact.as_ref(), kind)?;
        place.refuse("pull", raw.pull.as_ref(), kind)
    };
    let refuse_port = || place.refuse("port", raw.port.as_ref(), kind);
    let refuse_device = || place.refuse("device", raw.device.as_ref(), kind);
    match kind.get_ref().as_str() {
        "gpio" => {
            refuse_port()?;
            refuse_device()?;
            const CONTACTS: [(&str, Contact); 2] = [
                ("to_ground", Contact::ToGround),
                ("to_supply", Contact::ToSupply),
            ];
            const PULLS: [(&str, Pull); 2] =
                [("internal", Pull::Internal), ("external", Pull::External)];
            let contact = raw.contact.as_ref();
            let pull = raw.pull.as_ref();
            Ok(Lines::Gpio {
                chip: place.path("chip", raw.chip.as_ref(), kind)?,
                lines: numbers(place, raw, LAST_LINE, "a line number of the chip")?,
                contact: contact.map_or(Ok(Contact::ToGround), |word| {
                    place.choice("contact", word, &CONTACTS)
                })?,
                pull: pull.map_or(Ok(Pull::Internal), |word| {
                    place.choice("pull", word, &PULLS)
                })?,
            })
        }
        "modem" => {
            refuse_gpio()?;
            refuse_device()?;
            let port = raw.port.as_ref();
            Ok(Lines::Modem {
                port: port.map(|port| place.folder.join(port.get_ref())),
                lines: each(place, raw, WORDS, |line| match line {
                    RawLine::Word(word) => modem_line(word),
                    RawLine::Number(_) => None,
                })?,
            })
        }
        "hid" => {
            refuse_gpio()?;
            refuse_port()?;
            let codes = numbers(place, raw, LAST_KEY, "the code of a key or button")?;
            Ok(Lines::Hid {
                device: place.path("device", raw.device.as_ref(), kind)?,
                lines: codes
                    .into_iter()
                    .filter_map(|n| u16::try_from(n).ok())
                    .collect(),
            })
        }
        "simulated" => {
            refuse_gpio()?;
            refuse_port()?;
            refuse_device()?;
            Ok(Lines::Simulated {
                lines: each(
                    place,
                    raw,
                    "a file that says `closed` or `open`",
                    |line| match line {
                        RawLine::Word(path) => Some(place.folder.join(path)),
                        RawLine::Number(_) => None,
                    },
                )?,
            })
        }
        other => Err(unknown_kind(
            place,
            kind,
            other,
            "\"gpio\", \"modem\", \"hid\" or \"simulated\"",
        )),
    }
}

fn unknown_kind(place: &Place<'_>, kind: &Spanned<String>, is: &str, kinds: &str) -> CellError {
    let what = format!("`{}` is \"{is}\", it must be {kinds}", place.key("kind"));
    place.source.at(kind.span(), what)
}

fn modem_line(word: &str) -> Option<ModemLine> {
    match word {
        "dcd" => Some(ModemLine::Dcd),
        "cts" => Some(ModemLine::Cts),
        "dsr" => Some(ModemLine::Dsr),
        "ri" => Some(ModemLine::Ri),
        _ => None,
    }
}

/// Every line of an input as this kind has them; `wanted` says what one is.
fn each<T>(
    place: &Place<'_>,
    raw: &RawInput,
    wanted: &str,
    read: impl Fn(&RawLine) -> Option<T>,
) -> Result<Vec<T>, CellError> {
    let lines: Option<Vec<T>> = raw.lines.get_ref().iter().map(read).collect();
    lines.ok_or_else(|| {
        let what = format!(
            "`{}` must name {wanted}, for the kind \"{}\"",
            place.key("lines"),
            raw.kind.get_ref()
        );
        place.source.at(raw.lines.span(), what)
    })
}

fn numbers(
    place: &Place<'_>,
    raw: &RawInput,
    last: u32,
    wanted: &str,
) -> Result<Vec<u32>, CellError> {
    each(
        place,
        raw,
        &format!("{wanted}, 0 to {last}"),
        |line| match line {
            RawLine::Number(number) if *number <= last => Some(*number),
            RawLine::Number(_) | RawLine::Word(_) => None,
        },
    )
}

pub(super) fn relay(
    source: &Source<'_>,
    folder: &Path,
    raw: &RawRelay,
) -> Result<RelaySection, CellError> {
    let place = Place {
        source,
        folder,
        table: "relay".into(),
    };
    let kind = &raw.kind;
    let wrong_line = |wanted: &str| {
        let what = format!(
            "`relay.line` must be {wanted}, for the kind \"{}\"",
            kind.get_ref()
        );
        Err(source.at(raw.line.span(), what))
    };
    let refuse_chip = || place.refuse("chip", raw.chip.as_ref(), kind);
    let refuse_port = || place.refuse("port", raw.port.as_ref(), kind);
    let line = match (kind.get_ref().as_str(), raw.line.get_ref()) {
        ("gpio", RawLine::Number(line)) if *line <= LAST_LINE => {
            refuse_port()?;
            RelayLine::Gpio {
                chip: place.path("chip", raw.chip.as_ref(), kind)?,
                line: *line,
            }
        }
        ("gpio", _) => return wrong_line("a line number of the chip"),
        ("modem", line) => {
            refuse_chip()?;
            let port = place.path("port", raw.port.as_ref(), kind)?;
            match line {
                RawLine::Word(word) if word == "rts" => RelayLine::Rts(port),
                RawLine::Word(word) if word == "dtr" => RelayLine::Dtr(port),
                RawLine::Word(_) | RawLine::Number(_) => return wrong_line("\"rts\" or \"dtr\""),
            }
        }
        ("simulated", RawLine::Word(path)) => {
            refuse_chip()?;
            refuse_port()?;
            RelayLine::Simulated(folder.join(path))
        }
        ("simulated", RawLine::Number(_)) => return wrong_line("a file"),
        (other, _) => {
            let kinds = "\"gpio\", \"modem\" or \"simulated\"";
            return Err(unknown_kind(&place, kind, other, kinds));
        }
    };
    Ok(RelaySection {
        line,
        power_up: source.millis(
            "relay.power_up_ms",
            raw.power_up_ms.as_ref(),
            500.0,
            0.0..=10_000.0,
        )?,
    })
}

#[cfg(test)]
mod tests;
