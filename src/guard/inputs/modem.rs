//! A contact on a modem line of a serial port, the arm's own or another.
//!
//! A closed contact asserts the line; an open wire leaves it at rest. Owns the ports it opens.
//! Never sends a byte.

use std::path::Path;

use tokio_serial::SerialPort;

use super::watched::Watched;
use super::{Channel, ChannelError};
use crate::bus::Port;
use crate::cell::ModemLine;
use crate::messages::Level;
use crate::units::MonoTime;

/// Of no matter for modem lines, but a port has a rate.
const BAUD: u32 = 9600;

/// Where modem lines are found.
pub(super) struct Ports<'a> {
    arm: &'a Port,
    priority: i32,
    /// Other ports opened so far: two lines may be of one.
    others: Vec<(std::path::PathBuf, Box<dyn SerialPort>)>,
}

impl Ports<'_> {
    /// The arm's own port, and none other yet. Lines are watched just below the `priority` of the
    /// loop.
    pub(super) fn new(arm: &Port, priority: i32) -> Ports<'_> {
        Ports {
            arm,
            priority: (priority - 1).max(1),
            others: Vec::new(),
        }
    }

    /// Watches `line` of `path`, or of the arm's own port.
    pub(super) fn open(
        &mut self,
        path: Option<&Path>,
        line: ModemLine,
    ) -> Result<Watched, ChannelError> {
        let place = path.unwrap_or(self.arm.path()).to_path_buf();
        let no = |what: &dyn std::fmt::Display| ChannelError::new(&place, what.to_string());
        let port = match path {
            None => self.arm.modem(),
            Some(path) => self.other(path),
        };
        let port = port.map_err(|error| {
            no(&format_args!(
                "it can't be opened for its modem lines ({error}): name a serial port that nobody else uses"
            ))
        })?;
        let mut contact = LineContact { port, line };
        contact.read().map_err(|error| {
            no(&format_args!(
                "it has no modem lines ({error}): name a serial port that has them"
            ))
        })?;
        Watched::start(contact, self.priority)
            .map_err(|error| no(&format_args!("no thread for its modem lines: {error}")))
    }

    fn other(&mut self, path: &Path) -> Result<Box<dyn SerialPort>, tokio_serial::Error> {
        if let Some((_, port)) = self.others.iter().find(|(known, _)| known == path) {
            return port.try_clone();
        }
        let port = tokio_serial::new(path.to_string_lossy(), BAUD)
            .exclusive(true)
            .open()?;
        let clone = port.try_clone()?;
        self.others.push((path.to_path_buf(), port));
        Ok(clone)
    }
}

struct LineContact {
    port: Box<dyn SerialPort>,
    line: ModemLine,
}

impl LineContact {
    fn read(&mut self) -> Result<Level, tokio_serial::Error> {
        let asserted = match self.line {
            ModemLine::Dcd => self.port.read_carrier_detect(),
            ModemLine::Cts => self.port.read_clear_to_send(),
            ModemLine::Dsr => self.port.read_data_set_ready(),
            ModemLine::Ri => self.port.read_ring_indicator(),
        };
        asserted.map(
            |asserted| {
                if asserted { Level::Closed } else { Level::Open }
            },
        )
    }
}

impl Channel for LineContact {
    fn level(&mut self, _now: MonoTime) -> Level {
        self.read().unwrap_or(Level::Broken)
    }
}
