//! A file that puts something right, shown before it is written.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Host;

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// Where, on the machine.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// Settings of the running kernel, and what is written into them for the same to hold at once.
    pub now: Vec<(PathBuf, String)>,
    /// What has to be done for it to take effect.
    pub then: String,
}

impl Mend {
    /// `Some` unless the machine has this very file already, and its kernel is set so.
    pub fn unless_there(self, host: &Host) -> Option<Mend> {
        let there = host.read(&self.path.to_string_lossy());
        let written = there.as_deref() == Some(self.text.trim());
        let set = self.now.iter().all(|(setting, value)| {
            let held = host.read(&setting.to_string_lossy());
            // One that is not there has been unplugged: the file is for when it comes back.
            held.is_none_or(|held| held == *value)
        });
        (!(written && set)).then_some(self)
    }

    /// Writes it whole or not at all, and sets what takes effect at once.
    ///
    /// # Errors
    /// When the folder can't be made, the file not be written or a setting not be set: mostly for
    /// want of rights.
    pub fn write(&self, host: &Host) -> io::Result<()> {
        self.write_file(host)?;
        self.now.iter().try_for_each(|(setting, value)| {
            let path = host.path(&setting.to_string_lossy());
            match OpenOptions::new().write(true).truncate(true).open(path) {
                Ok(mut setting) => setting.write_all(value.as_bytes()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn write_file(&self, host: &Host) -> io::Result<()> {
        let path = host.path(&self.path.to_string_lossy());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // A dot keeps those who read whole folders from reading it half written.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.new"));
        let written =
            write_through(&beside, &self.text).and_then(|()| std::fs::rename(&beside, &path));
        if written.is_err() {
            // It may not even have been made.
            let _ = std::fs::remove_file(&beside);
        }
        written
    }
}

fn write_through(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_is_then_there() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let mend = Mend {
            path: "/etc/security/limits.d/surehand.conf".into(),
            text: "@surehand - rtprio 90\n".into(),
            now: Vec::new(),
            then: "log in again".into(),
        };
        let needed = mend.clone().unless_there(&host).unwrap();
        needed.write(&host).unwrap();
        let file = root.path().join("etc/security/limits.d/surehand.conf");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), mend.text);
        assert_eq!(mend.unless_there(&host), None);
        let folder = std::fs::read_dir(file.parent().unwrap()).unwrap();
        assert_eq!(folder.count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_setting_that_went_back_is_mended_again_and_one_that_is_gone_is_not_missed() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let setting = root.path().join("sys/latency_timer");
        std::fs::create_dir_all(setting.parent().unwrap()).unwrap();
        std::fs::write(&setting, "16\n").unwrap();
        let mend = Mend {
            path: "/etc/udev/rules.d/70-arm.rules".into(),
            text: "a rule\n".into(),
            now: vec![("/sys/latency_timer".into(), "1".into())],
            then: "plug it in again".into(),
        };
        mend.write(&host).unwrap();
        assert_eq!(std::fs::read_to_string(&setting).unwrap(), "1");
        assert_eq!(mend.clone().unless_there(&host), None);
        std::fs::write(&setting, "16\n").unwrap();
        assert!(mend.clone().unless_there(&host).is_some());
        std::fs::remove_file(&setting).unwrap();
        assert_eq!(mend.clone().unless_there(&host), None);
        mend.write(&host).unwrap();
        assert!(!setting.exists(), "nothing is made up");
    }
}
