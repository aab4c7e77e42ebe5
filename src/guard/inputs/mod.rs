//! The emergency stops and enabling switches of a cell, read once a tick.
//!
//! Owns their devices and what each contact says, with channels compared and bouncing waited out.
//! A closed contact permits; open, unreadable and contradictory ones stop. Never decides what
//! becomes of the arm: the core does.
//!
//! Real time: reading neither blocks, allocates nor logs; opening does.

mod contact;
mod gpio;
mod hid;
mod modem;
mod simulated;
mod watched;

use std::path::Path;

use self::contact::{Contact, Rules};
use self::modem::Ports;
use super::{Boot, GuardError};
use crate::bus::Port;
use crate::cell::{Cell, InputSection, Lines};
use crate::control::SafetyInputs;
use crate::messages::{InputRole, InputStatus, Level, MAX_INPUTS, name};
use crate::realtime::nanos;
use crate::units::MonoTime;

/// One channel of a contact.
pub(super) trait Channel: Send {
    /// What it says now; waits for nothing.
    fn level(&mut self, now: MonoTime) -> Level;
}

/// Why a channel can't be read: what is wrong and what to do, without the input's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
struct ChannelError {
    /// The device or file.
    place: String,
    what: String,
}

impl ChannelError {
    fn new(path: &Path, what: impl Into<String>) -> ChannelError {
        ChannelError {
            place: path.display().to_string(),
            what: what.into(),
        }
    }
}

/// A channel that a guard taking over could not open: it stays broken.
struct Lost;

impl Channel for Lost {
    fn level(&mut self, _now: MonoTime) -> Level {
        Level::Broken
    }
}

struct Input {
    role: InputRole,
    first: Box<dyn Channel>,
    second: Option<Box<dyn Channel>>,
    contact: Contact,
}

/// All inputs of a cell, in the cell's order.
pub(super) struct SafetyContacts {
    inputs: heapless::Vec<Input, MAX_INPUTS>,
    /// The same, as status shows them.
    status: heapless::Vec<InputStatus, MAX_INPUTS>,
}

impl SafetyContacts {
    /// Opens every device; `arm` is the arm's own port.
    ///
    /// # Errors
    /// One line naming the input, its device and what to do. A guard that takes over has no
    /// choice: there such an input is broken until the guard is started anew.
    pub(super) fn open(cell: &Cell, arm: &Port, boot: Boot) -> Result<SafetyContacts, GuardError> {
        let mut contacts = SafetyContacts {
            inputs: heapless::Vec::new(),
            status: heapless::Vec::new(),
        };
        let mut ports = Ports::new(arm, cell.control.priority);
        for section in &cell.inputs {
            let (first, second) = match (open(section, &mut ports), boot) {
                (Ok(channels), _) => channels,
                (Err(error), Boot::Fresh) => {
                    return Err(GuardError::Hardware(format!(
                        "input {}: {error}",
                        section.name
                    )));
                }
                (Err(error), Boot::Replacing | Boot::Replugged) => {
                    tracing::error!("input {} is broken: {error}", section.name);
                    (Box::new(Lost) as Box<dyn Channel>, None)
                }
            };
            contacts.push(section, first, second);
        }
        Ok(contacts)
    }

    fn push(
        &mut self,
        section: &InputSection,
        first: Box<dyn Channel>,
        second: Option<Box<dyn Channel>>,
    ) {
        let contact = Contact::new(Rules {
            antivalent: section.antivalent,
            disagree_ns: nanos(section.disagree),
            debounce_ns: nanos(section.debounce),
        });
        let input = Input {
            role: section.role,
            first,
            second,
            contact,
        };
        let status = InputStatus {
            name: name(&section.name),
            role: section.role,
            level: Level::Broken,
        };
        // The cell file has no more than fit.
        let _ = self.inputs.push(input);
        let _ = self.status.push(status);
    }

    /// Reads all of them at `now`.
    pub(super) fn read(&mut self, now: MonoTime) -> SafetyInputs {
        let mut found = SafetyInputs::default();
        for ((index, input), status) in (0..).zip(&mut self.inputs).zip(&mut self.status) {
            let first = input.first.level(now);
            let second = input.second.as_mut().map(|second| second.level(now));
            let level = input.contact.observe(now, first, second);
            status.level = level;
            let slot = match (level, input.role) {
                (Level::Closed, _) => continue,
                (Level::Broken, _) => &mut found.broken,
                (Level::Open, InputRole::EmergencyStop) => &mut found.pressed,
                (Level::Open, InputRole::Enabling) => &mut found.not_enabled,
            };
            slot.get_or_insert(index);
        }
        found
    }

    /// What each said last.
    pub(super) fn status(&self) -> &heapless::Vec<InputStatus, MAX_INPUTS> {
        &self.status
    }
}

type Channels = (Box<dyn Channel>, Option<Box<dyn Channel>>);

fn open(section: &InputSection, ports: &mut Ports<'_>) -> Result<Channels, ChannelError> {
    match &section.lines {
        Lines::Gpio {
            chip,
            lines,
            contact,
            pull,
        } => pair(lines, |line| gpio::open(chip, *line, *contact, *pull)),
        Lines::Modem { port, lines } => pair(lines, |line| ports.open(port.as_deref(), *line)),
        Lines::Hid { device, lines } => pair(lines, |key| hid::open(device, *key, section.role)),
        Lines::Simulated { lines } => pair(lines, |path| simulated::open(path)),
    }
}

/// Opens the first line, and the second where there is one.
fn pair<T, C: Channel + 'static>(
    lines: &[T],
    mut open: impl FnMut(&T) -> Result<C, ChannelError>,
) -> Result<Channels, ChannelError> {
    let mut channels = lines.iter().map(|line| {
        let channel: Box<dyn Channel> = Box::new(open(line)?);
        Ok(channel)
    });
    match channels.next() {
        Some(first) => Ok((first?, channels.next().transpose()?)),
        // The cell file names one line or two.
        None => Ok((Box::new(Lost), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Says(Level);

    impl Channel for Says {
        fn level(&mut self, _now: MonoTime) -> Level {
            self.0
        }
    }

    #[test]
    fn each_kind_of_trouble_is_told_with_the_first_input_that_has_it() {
        let mut contacts = SafetyContacts {
            inputs: heapless::Vec::new(),
            status: heapless::Vec::new(),
        };
        let inputs = [
            (InputRole::Enabling, Level::Closed),
            (InputRole::Enabling, Level::Open),
            (InputRole::EmergencyStop, Level::Open),
            (InputRole::EmergencyStop, Level::Open),
            (InputRole::EmergencyStop, Level::Broken),
            (InputRole::Enabling, Level::Broken),
        ];
        for (role, level) in inputs {
            let section = InputSection {
                name: "x".into(),
                role,
                lines: Lines::Simulated { lines: vec![] },
                antivalent: false,
                disagree: Duration::ZERO,
                debounce: Duration::ZERO,
            };
            contacts.push(&section, Box::new(Says(level)), None);
        }
        let found = contacts.read(MonoTime(1));
        let expected = SafetyInputs {
            pressed: Some(2),
            broken: Some(4),
            not_enabled: Some(1),
        };
        assert_eq!(found, expected);
        assert_eq!(contacts.status()[1].level, Level::Open);
    }
}
