//! The files of the arm as they were when the run began.
//!
//! A guard that takes over in the middle must have the limits that the one before it had, whatever
//! somebody has done to the files since. Owns the copies; removes them with the run. Never judges
//! an edit: it counts at the next start.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cell::Cell;

/// How often the files are compared with their copies.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Copies of a cell's file, its URDF and its calibration.
#[derive(Debug)]
pub struct Frozen {
    folder: PathBuf,
    /// Each file, its copy, and whether an edit of it was told.
    files: Vec<(PathBuf, Vec<u8>, bool)>,
    looked_at: Instant,
}

impl Frozen {
    /// Copies what `cell` was read from into `folder`, which is this run's own.
    ///
    /// # Errors
    /// When a file can't be read, or a copy not be written.
    pub fn make(cell: &Cell, folder: PathBuf) -> io::Result<Frozen> {
        // What is there is left over from a run that was killed.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let mut files = Vec::new();
        for (file, name) in cell.frozen_names() {
            let bytes = std::fs::read(file)?;
            std::fs::write(folder.join(name), &bytes)?;
            files.push((file.to_owned(), bytes, false));
        }
        Ok(Frozen {
            folder,
            files,
            looked_at: Instant::now(),
        })
    }

    /// Where the copies are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file that was edited since and not told yet; looks once a second.
    pub fn edited(&mut self) -> Option<&Path> {
        if self.looked_at.elapsed() < LOOK_EVERY {
            return None;
        }
        self.looked_at = Instant::now();
        let edited = self.files.iter_mut().find(|(file, bytes, told)| {
            !told && std::fs::read(file).is_ok_and(|now| now != *bytes)
        })?;
        edited.2 = true;
        Some(&edited.0)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // Left behind it does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
