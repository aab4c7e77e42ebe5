//! What a cell says of its emergency stops, enabling switches and relay.
//!
//! Plain data, complete and in range. Never opens a device: the guard does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::messages::InputRole;

/// One emergency stop or enabling switch: a contact that permits while it is closed.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSection {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: InputRole,
    /// Where its one or two channels are read.
    pub lines: Lines,
    /// Whether the second channel says the opposite of the first.
    pub antivalent: bool,
    /// How long two channels may disagree.
    pub disagree: Duration,
    /// How long a contact must be closed before it counts as closed; open counts at once.
    pub debounce: Duration,
}

/// Where an input is read: one channel or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lines {
    /// Lines of a GPIO chip.
    Gpio {
        /// The chip's device.
        chip: PathBuf,
        /// Line numbers.
        lines: Vec<u32>,
        /// Where a closed contact leads to.
        contact: Contact,
        /// Who pulls the line of an open contact.
        pull: Pull,
    },
    /// Modem lines of a serial port; a closed contact asserts them.
    Modem {
        /// The port; the arm's own when left out.
        port: Option<PathBuf>,
        /// Which lines.
        lines: Vec<ModemLine>,
    },
    /// Keys or buttons of an input device.
    Hid {
        /// Its device, by a path that is always its own.
        device: PathBuf,
        /// Key codes.
        lines: Vec<u16>,
    },
    /// Files that say `closed` or `open`.
    Simulated {
        /// The files.
        lines: Vec<PathBuf>,
    },
}

impl Lines {
    /// The devices and files it is read from.
    #[must_use]
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Lines::Gpio { chip, .. } => vec![chip],
            Lines::Modem { port, .. } => port.iter().map(PathBuf::as_path).collect(),
            Lines::Hid { device, .. } => vec![device],
            Lines::Simulated { lines } => lines.iter().map(PathBuf::as_path).collect(),
        }
    }
}

/// Where a closed contact leads a GPIO line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// To ground: closed is low.
    ToGround,
    /// To the supply: closed is high.
    ToSupply,
}

/// Who leads a GPIO line the other way while its contact is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// A resistor of the chip.
    Internal,
    /// A resistor outside.
    External,
}

/// An input line of a serial port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModemLine {
    /// Data carrier detect.
    Dcd,
    /// Clear to send.
    Cts,
    /// Data set ready.
    Dsr,
    /// Ring indicator.
    Ri,
}

/// The relay that gives motor power while the guard pumps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySection {
    /// What is toggled.
    pub line: RelayLine,
    /// From the first pulse to servos that answer.
    pub power_up: Duration,
}

/// Where the relay is pumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayLine {
    /// A line of a GPIO chip.
    Gpio {
        /// The chip's device.
        chip: PathBuf,
        /// Line number.
        line: u32,
    },
    /// Request to send of a serial port.
    Rts(PathBuf),
    /// Data terminal ready of a serial port.
    Dtr(PathBuf),
    /// A file that holds `0` or `1`.
    Simulated(PathBuf),
}
