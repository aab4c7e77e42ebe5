//! Opens and configures the serial port, for this process alone.
//!
//! `tokio-serial` configures and locks the device; the loop reads and writes a descriptor of its
//! own on it, which never blocks and needs no runtime. Never sends a byte.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tokio_serial::{DataBits, ErrorKind, FlowControl, Parity, SerialPort, StopBits};

use super::transaction::Line;
use crate::arm::Family;

/// Why a port could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// There is no such device.
    #[error("{} does not exist: connect the adapter and look for its name under /dev/serial/by-id", .0.display())]
    Absent(PathBuf),
    /// This user may not open it.
    #[error("{} may not be opened by this user: join its group (`sudo usermod -aG dialout $USER`) and log in again", .0.display())]
    Permission(PathBuf),
    /// Another program has it.
    #[error("{} is in use by another program: end that one first (`fuser {}` names it)", .0.display(), .0.display())]
    Busy(PathBuf),
    /// It is not a serial port.
    #[error("{} is not a serial port: name the adapter's device", .0.display())]
    NotATerminal(PathBuf),
    /// It can't be set as asked.
    #[error("{} can't be set to {baud} baud, 8N1 ({reason}): choose a rate the adapter has", path.display())]
    Settings {
        /// The port.
        path: PathBuf,
        /// The rate asked for.
        baud: u32,
        /// What the system says.
        reason: String,
    },
    /// Anything else.
    #[error("{} can't be opened ({reason}): reconnect the adapter", path.display())]
    Other {
        /// The port.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// An open port. The lock is held as long as this lives.
#[derive(Debug)]
pub struct Port {
    path: PathBuf,
    baud: u32,
    line: Line,
    /// Configured the device and holds its lock.
    lock: Box<dyn SerialPort>,
}

impl Port {
    /// Opens `path` at `baud`, 8N1, without flow control, for this process alone, with servos of
    /// `family` on it.
    ///
    /// # Errors
    /// One line with the port and what to do, when it is absent, forbidden, in use or no serial
    /// port.
    pub fn open(path: &Path, baud: u32, family: Family) -> Result<Port, PortError> {
        let (fd, lock) = device(path, baud)?;
        Ok(Port {
            path: path.to_path_buf(),
            baud,
            line: Line::new(fd, family).map_err(|errno| opening(path, errno))?,
            lock,
        })
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its rate.
    #[must_use]
    pub fn baud(&self) -> u32 {
        self.baud
    }

    /// The family of the servos on it.
    #[must_use]
    pub fn family(&self) -> Family {
        self.line.family()
    }

    /// Another handle on the device, for its modem lines: it sends and receives nothing.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn modem(&self) -> Result<Box<dyn SerialPort>, tokio_serial::Error> {
        self.lock.try_clone()
    }

    /// The line behind it.
    pub fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    /// What has gone wrong on it so far.
    #[must_use]
    pub fn errors(&self) -> crate::messages::BusErrors {
        self.line.errors()
    }
}

/// Opens and configures the device at `path`, 8N1, without flow control, for this process alone:
/// a descriptor that never blocks, and the handle that holds the lock.
///
/// # Errors
/// As [`Port::open`].
pub fn device(path: &Path, baud: u32) -> Result<(OwnedFd, Box<dyn SerialPort>), PortError> {
    let path = path.to_path_buf();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd =
        rustix::fs::open(&path, flags, Mode::empty()).map_err(|errno| opening(&path, errno))?;
    if !rustix::termios::isatty(&fd) {
        return Err(PortError::NotATerminal(path));
    }
    let lock = tokio_serial::new(path.to_string_lossy(), baud)
        .data_bits(DataBits::Eight)
        .parity(Parity::None)
        .stop_bits(StopBits::One)
        .flow_control(FlowControl::None)
        .exclusive(true)
        .open()
        .map_err(|error| configuring(&path, baud, &error))?;
    if is_pseudo_terminal(&path) {
        // A pty outlives its last user as long as the other end is open, and so does its
        // exclusive flag: after a crash no ordinary user could open it again. The file lock
        // alone goes with the process.
        rustix::termios::ioctl_tiocnxcl(&fd).map_err(|errno| opening(&path, errno))?;
    }
    Ok((fd, lock))
}

fn is_pseudo_terminal(path: &Path) -> bool {
    std::fs::canonicalize(path).is_ok_and(|real| real.starts_with("/dev/pts"))
}

fn opening(path: &Path, errno: Errno) -> PortError {
    let path = path.to_path_buf();
    match errno {
        Errno::NOENT | Errno::NXIO | Errno::NODEV => PortError::Absent(path),
        Errno::ACCESS | Errno::PERM => PortError::Permission(path),
        Errno::BUSY | Errno::WOULDBLOCK => PortError::Busy(path),
        Errno::NOTTY | Errno::ISDIR => PortError::NotATerminal(path),
        other => PortError::Other {
            path,
            reason: other.to_string(),
        },
    }
}

fn configuring(path: &Path, baud: u32, error: &tokio_serial::Error) -> PortError {
    let path = path.to_path_buf();
    match error.kind() {
        // It was there and could be opened a moment ago, so it can't be locked.
        ErrorKind::NoDevice => PortError::Busy(path),
        ErrorKind::Io(std::io::ErrorKind::NotFound) => PortError::Absent(path),
        ErrorKind::Io(std::io::ErrorKind::PermissionDenied) => PortError::Permission(path),
        ErrorKind::InvalidInput | ErrorKind::Unknown | ErrorKind::Io(_) => PortError::Settings {
            path,
            baud,
            reason: error.to_string(),
        },
    }
}
