//! Looks whether somebody edits the files that a run was begun with.
//!
//! An edit counts at the next start and never before. Owns the thread that looks, and tells; the
//! run's own copies are elsewhere.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use crate::approval::sha256_of;
use crate::record::audit::Audit;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// What a file system says when somebody has written: length, times of content and of the entry,
/// and which file it is.
type Trace = (u64, i64, i64, i64, i64, u64);

fn trace(path: &Path) -> Option<Trace> {
    let meta = std::fs::metadata(path).ok()?;
    Some((
        meta.len(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec(),
        meta.ino(),
    ))
}

/// One file.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    trace: Option<Trace>,
    begun_with: String,
    holds: String,
}

impl Watched {
    /// The hash of what it holds now, when that has changed since the last look. A file that is
    /// gone for a moment, as editors do, is not edited.
    fn edited(&mut self) -> Option<&str> {
        let now = trace(&self.path)?;
        if self.trace == Some(now) {
            return None;
        }
        let holds = sha256_of(&self.path).ok()?;
        self.trace = Some(now);
        let edited = holds != self.holds;
        self.holds = holds;
        edited.then_some(&self.holds)
    }
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    closing: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches `files`, each with the hash of what it holds, and tells `audit`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        files: impl IntoIterator<Item = (PathBuf, String)>,
        audit: Arc<Audit>,
    ) -> std::io::Result<Watch> {
        let mut files: Vec<Watched> = files
            .into_iter()
            .map(|(path, sha256)| Watched {
                // The first look hashes every file: what was edited before it is found too.
                trace: None,
                path,
                begun_with: sha256.clone(),
                holds: sha256,
            })
            .collect();
        let (closing, closed) = channel();
        let thread = std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || {
                while closed.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    files.iter_mut().for_each(|file| tell(file, &audit));
                }
            })?;
        Ok(Watch {
            closing: Some(closing),
            thread: Some(thread),
        })
    }
}

fn tell(file: &mut Watched, audit: &Audit) {
    let Some(sha256) = file.edited().map(str::to_owned) else {
        return;
    };
    let put_back = sha256 == file.begun_with;
    let path = file.path.display();
    if put_back {
        tracing::info!("{path} is again what this run was begun with");
    } else {
        tracing::warn!(
            "{path} was edited while the arm runs: nothing of it counts before the next start"
        );
    }
    audit.add(
        "edited",
        &json!({
            "file": file.path,
            "sha256": sha256,
            "begun_with": file.begun_with,
            "counts": "not before the next start",
        }),
    );
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.closing = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_told_once_and_a_touch_or_an_absence_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cell.toml");
        std::fs::write(&path, "velocity = 1").unwrap();
        let sha256 = sha256_of(&path).unwrap();
        let mut file = Watched {
            path: path.clone(),
            trace: None,
            begun_with: sha256.clone(),
            holds: sha256,
        };
        assert_eq!(file.edited(), None);
        std::fs::write(&path, "velocity = 1").unwrap();
        assert_eq!(file.edited(), None, "it holds the same");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.edited(), None);
        std::fs::write(&path, "velocity = 20").unwrap();
        assert_eq!(file.edited().map(str::len), Some(64));
        assert_eq!(file.edited(), None, "told");
    }
}
