//! A serial port that was unplugged and is there again.
//!
//! A guard whose port has failed never opens another: its loop opens nothing. Owns the looking for
//! the port; the guard that takes the arm over is the runner's to start.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, access};

/// How long a port is there before it is opened: the system still gives it its name and rights.
const SETTLED: Duration = Duration::from_secs(1);

/// Which device a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Device {
    folder: u64,
    entry: u64,
    number: u64,
}

impl Device {
    fn at(path: &Path) -> Option<Device> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Device {
            folder: meta.dev(),
            entry: meta.ino(),
            number: meta.rdev(),
        })
    }
}

/// The port of one guard, as the runner sees it.
#[derive(Debug)]
pub(super) struct Replug {
    path: PathBuf,
    /// What the guard opened.
    opened: Option<Device>,
    /// Whether that device was missing at a look.
    missed: bool,
    /// Since when another is in its place.
    back: Option<(Device, Instant)>,
}

impl Replug {
    /// Of a guard that has just opened `path`.
    pub(super) fn new(path: PathBuf) -> Replug {
        Replug {
            opened: Device::at(&path),
            missed: false,
            back: None,
            path,
        }
    }

    /// Whether there is another port to be opened, asked at `now` again and again: the one that was
    /// opened has been away, or another is in its place, and it may be read and written.
    pub(super) fn is_back(&mut self, now: Instant) -> bool {
        let device = Device::at(&self.path);
        let usable = access(&self.path, Access::READ_OK | Access::WRITE_OK).is_ok();
        self.missed |= device.is_none();
        let Some(device) = device.filter(|it| usable && (self.missed || Some(*it) != self.opened))
        else {
            self.back = None;
            return false;
        };
        let since = match self.back {
            Some((before, since)) if before == device => since,
            _ => now,
        };
        self.back = Some((device, since));
        now.duration_since(since) >= SETTLED
    }

    /// A guard has opened what is there.
    pub(super) fn opened(&mut self) {
        *self = Replug::new(std::mem::take(&mut self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that leads to `device`, where there is one.
    fn link(path: &Path, device: Option<&str>) {
        let _ = std::fs::remove_file(path);
        if let Some(device) = device {
            std::os::unix::fs::symlink(device, path).unwrap();
        }
    }

    #[test]
    fn a_port_is_back_when_it_was_away_and_has_been_there_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arm");
        link(&path, Some("/dev/null"));
        let mut port = Replug::new(path.clone());
        let begin = Instant::now();
        let mut at = |ms: u64| port.is_back(begin + Duration::from_millis(ms));
        assert!(!at(0) && !at(5000), "it was never away");
        link(&path, None);
        assert!(!at(5020));
        link(&path, Some("/dev/null"));
        assert!(!at(5040) && !at(6030) && at(6040));
        link(&path, None);
        assert!(!at(6060));
        link(&path, Some("/dev/zero"));
        assert!(!at(6080) && at(7080));
        port.opened();
        assert!(!port.is_back(begin + Duration::from_secs(60)));
    }

    #[test]
    fn another_device_in_its_place_is_told_without_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arm");
        link(&path, Some("/dev/null"));
        let mut port = Replug::new(path.clone());
        let begin = Instant::now();
        link(&path, Some("/dev/zero"));
        assert!(!port.is_back(begin));
        assert!(port.is_back(begin + SETTLED));
    }
}
