//! A file that puts something right, shown before it is written.

use std::io;
use std::path::{Path, PathBuf};

use super::Host;

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// Where, on the machine.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// What has to be done for it to take effect.
    pub then: String,
}

impl Mend {
    /// `Some` unless the machine has this very file already.
    pub fn unless_there(self, host: &Host) -> Option<Mend> {
        let there = host.read(&self.path.to_string_lossy());
        (there.as_deref() != Some(self.text.trim())).then_some(self)
    }

    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// When the folder can't be made or the file not be written: mostly for want of rights.
    pub fn write(&self, host: &Host) -> io::Result<()> {
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
    use std::io::Write;
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
}
