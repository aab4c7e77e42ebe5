//! The files of the arm as they were when the run began.
//!
//! A guard that takes over in the middle must have the limits that the one before it had, whatever
//! somebody has done to the files since. Owns the copies; removes them with the run. Never judges
//! an edit: it counts at the next start.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::cell::Cell;

/// What the name of a folder of copies ends in.
const FOLDER: &str = "files";

/// Copies of a cell's file, its URDF and its calibration.
#[derive(Debug)]
pub struct Frozen {
    folder: PathBuf,
}

impl Frozen {
    /// Copies what `cell` was read from into a folder of this process beside `socket`: a second run
    /// that is about to be refused must not touch those of the first.
    ///
    /// # Errors
    /// When a file can't be read, or a copy not be written.
    pub fn make(cell: &Cell, socket: &Path) -> io::Result<Frozen> {
        remove_left_over(socket);
        let folder = socket.with_extension(format!("{}.{FOLDER}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let frozen = Frozen { folder };
        for (file, name) in cell.frozen_names() {
            std::fs::write(frozen.folder.join(name), std::fs::read(file)?)?;
        }
        Ok(frozen)
    }

    /// Where the copies are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Removes the folders beside `socket` whose process is gone: it was killed.
fn remove_left_over(socket: &Path) {
    let (Some(beside), Some(stem)) = (socket.parent(), socket.file_stem()) else {
        return;
    };
    let prefix = format!("{}.", stem.to_string_lossy());
    let entries = std::fs::read_dir(beside).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(&prefix))
            .and_then(|rest| rest.strip_suffix(FOLDER))
            .and_then(|rest| rest.strip_suffix('.'))
            .and_then(|pid| pid.parse::<u32>().ok());
        if let Some(pid) = pid
            && !Path::new(&format!("/proc/{pid}")).exists()
        {
            // Left behind it does no harm.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // Left behind it does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_processes_that_are_gone_are_removed() {
        let beside = tempfile::tempdir().unwrap();
        let own = format!("arm.{}.files", std::process::id());
        let names = [
            "arm.4294967294.files",
            &own,
            "arm.sock.files",
            "other.4294967294.files",
        ];
        for name in names {
            std::fs::create_dir(beside.path().join(name)).unwrap();
        }
        remove_left_over(&beside.path().join("arm.sock"));
        let there = names.map(|name| beside.path().join(name).exists());
        assert_eq!(there, [false, true, true, true]);
    }
}
