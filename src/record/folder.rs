//! The folder of one run: `runs/<time>-<job>/`, with its audit log.
//!
//! Owns its making. A run that could not be recorded is refused here, before anything is switched
//! on. The wall clock names a folder and says nothing else: which run is the latest is kept in a
//! link beside it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, fstatvfs};

use super::clock::Stamp;

/// The log's name in the folder of a run.
pub const AUDIT: &str = "audit.jsonl";
/// The folder of runs beside a cell file.
pub const RUNS: &str = "runs";
/// The link to the run that came up last; one that was refused is not the last.
pub const LATEST: &str = "latest";
/// A run begins only where there is at least so much room, bytes: weeks of an ordinary log.
const ROOM: u64 = 1 << 20;

/// Why a run can't be recorded.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: the run can't be recorded there ({error}); make {} there, or choose another folder with --runs",
    .folder.display(), remedy(.error)
)]
pub struct RecordError {
    /// Where.
    pub folder: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "room",
        _ => "it possible to write",
    }
}

/// Where runs of `cell` are recorded when nobody says otherwise.
#[must_use]
pub fn beside(cell: &Path) -> PathBuf {
    cell.parent().unwrap_or(Path::new("")).join(RUNS)
}

/// The log of a new run of `job` in `runs`: its folder, and the file with `first` in it, on the
/// disk already.
///
/// # Errors
/// When it can't be made or written.
pub(super) fn begin(
    runs: &Path,
    job: &str,
    now: Stamp,
    first: &str,
) -> Result<(PathBuf, File), RecordError> {
    let refused = |error| RecordError {
        folder: runs.to_owned(),
        error,
    };
    std::fs::create_dir_all(runs).map_err(refused)?;
    let folder = make(runs, job, now).map_err(refused)?;
    match first_line(&folder, first) {
        Ok(file) => {
            for made in [&folder, runs] {
                // What a power cut must not take; not every file system can.
                let _ = File::open(made).and_then(|folder| folder.sync_all());
            }
            Ok((folder, file))
        }
        Err(error) => {
            let _ = std::fs::remove_file(folder.join(AUDIT));
            let _ = std::fs::remove_dir(&folder);
            Err(refused(error))
        }
    }
}

/// A new folder; runs that begin within a second get numbers.
fn make(runs: &Path, job: &str, now: Stamp) -> io::Result<PathBuf> {
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let job: String = job.chars().map(plain).take(64).collect();
    let name = format!("{}-{job}", now.compact());
    for number in 1.. {
        let folder = match number {
            1 => runs.join(&name),
            number => runs.join(format!("{name}-{number}")),
        };
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {}
            Err(error) => return Err(error),
            Ok(()) => return folder.canonicalize(),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn first_line(folder: &Path, first: &str) -> io::Result<File> {
    let mut file = File::options()
        .append(true)
        .create_new(true)
        .open(folder.join(AUDIT))?;
    // Held as long as the run goes on, which is how a reader knows; not every file system can.
    let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
    let disk = fstatvfs(&file)?;
    // Some file systems have no size.
    if disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM {
        return Err(io::ErrorKind::StorageFull.into());
    }
    file.write_all(first.as_bytes())?;
    file.sync_data()?;
    Ok(file)
}

/// Makes `link` lead to `target`, in one step.
///
/// # Errors
/// When the folder of `link` can't be written.
pub fn point(link: &Path, target: &Path) -> io::Result<()> {
    let beside = link.with_extension(format!("{}", std::process::id()));
    // Left over from one that was killed between the two steps.
    let _ = std::fs::remove_file(&beside);
    std::os::unix::fs::symlink(target, &beside)?;
    std::fs::rename(&beside, link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MonoTime;

    const NOW: Stamp = Stamp {
        at: MonoTime(0),
        wall_ms: 1_709_168_461_042,
    };

    #[test]
    fn runs_of_one_second_have_folders_of_their_own() {
        let runs = tempfile::tempdir().unwrap();
        let begin = || begin(runs.path(), "pick/cube", NOW, "{}\n").unwrap().0;
        let (first, second) = (begin(), begin());
        assert_eq!(first.file_name().unwrap(), "20240229T010101Z-pick_cube");
        assert_eq!(second.file_name().unwrap(), "20240229T010101Z-pick_cube-2");
        assert_eq!(std::fs::read(second.join(AUDIT)).unwrap(), b"{}\n");
    }

    #[test]
    fn a_run_that_cannot_be_recorded_says_where_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        std::fs::write(&runs, "a file").unwrap();
        let error = begin(&runs, "pick", NOW, "{}\n").unwrap_err().to_string();
        assert!(error.contains("runs: the run can't be recorded"), "{error}");
        assert!(error.contains("--runs") && !error.contains('\n'), "{error}");
    }
}
