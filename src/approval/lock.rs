//! The lock file: what was approved, by whom and when.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::identity::{Identity, values_sha256};

/// The only format there is.
const FORMAT: u32 = 1;

/// Why a lock file can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The system refuses.
    #[error("{}: {error}", .path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no lock file, or somebody has edited it.
    #[error("{}: {why}; look at what it should hold and approve it anew with `surehand lock`", .path.display())]
    Damaged {
        /// The lock file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// What was approved to run in a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: u32,
    /// Who approved it.
    pub approved_by: String,
    /// When, by the wall clock of the machine it was approved on, RFC 3339.
    pub approved_at: String,
    /// What wrote it.
    surehand: String,
    /// Of the values in `cell`.
    cell_sha256: String,
    /// As [`Identity::cell`].
    cell: BTreeMap<String, String>,
    /// The hashes of [`Identity::files`].
    files: BTreeMap<String, String>,
}

/// One thing that is not as it was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The file that differs.
    pub path: PathBuf,
    /// In what.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Drift { path, what, remedy } = self;
        write!(f, "{}: {what}; {remedy}", path.display())
    }
}

impl Lock {
    /// The lock file of the cell at `cell`.
    #[must_use]
    pub fn path(cell: &Path) -> PathBuf {
        cell.with_extension("lock")
    }

    /// Approves `identity`.
    #[must_use]
    pub fn new(identity: &Identity, by: &str, at: String) -> Lock {
        let files = identity.files.iter();
        Lock {
            format: FORMAT,
            approved_by: by.to_owned(),
            approved_at: at,
            surehand: env!("CARGO_PKG_VERSION").to_owned(),
            cell_sha256: identity.cell_sha256(),
            cell: identity.cell.clone(),
            files: files
                .map(|(key, print)| (key.clone(), print.sha256.clone()))
                .collect(),
        }
    }

    /// Reads the lock of the cell at `cell`; `None` when nothing was approved.
    ///
    /// # Errors
    /// When there is one that can't be read.
    pub fn read(cell: &Path) -> Result<Option<Lock>, LockError> {
        let path = Lock::path(cell);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LockError::File { path, error }),
        };
        let damaged = |why: String| LockError::Damaged {
            path: path.clone(),
            why,
        };
        let lock: Lock = toml::from_str(&text)
            .map_err(|error| damaged(format!("it is no lock file: {}", error.message())))?;
        if lock.format != FORMAT {
            let format = lock.format;
            return Err(damaged(format!(
                "its format is {format}, this program reads {FORMAT}"
            )));
        }
        if values_sha256(&lock.cell) != lock.cell_sha256 {
            return Err(damaged("its [cell] is not what was approved".into()));
        }
        Ok(Some(lock))
    }

    /// Writes it beside the cell at `cell`, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, cell: &Path) -> Result<PathBuf, LockError> {
        let path = Lock::path(cell);
        let failed = |error| LockError::File {
            path: path.clone(),
            error,
        };
        let body = toml::to_string(self).map_err(|error| failed(io::Error::other(error)))?;
        let text = format!(
            "# What was approved to run in this cell; `surehand run` refuses what differs from it.\n\
             # Written by `surehand lock`, not by hand.\n{body}"
        );
        let beside = path.with_extension(format!("lock.{}", std::process::id()));
        let written = File::create(&beside)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&beside, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        written.map_err(failed)?;
        Ok(path)
    }

    /// What of `identity`, that of the cell at `cell`, is not as approved. Of jobs only `job` counts,
    /// all of them when it is `None`.
    #[must_use]
    pub fn drift(&self, identity: &Identity, cell: &Path, job: Option<&str>) -> Vec<Drift> {
        let counts = |key: &str| match (job, key.strip_prefix("jobs.")) {
            (Some(job), Some(rest)) => rest
                .strip_prefix(job)
                .is_some_and(|rest| rest.starts_with(['/', '.'])),
            _ => true,
        };
        let Lock {
            approved_by,
            approved_at,
            ..
        } = self;
        let remedy = format!(
            "put it back, or have it approved with `surehand lock {}`",
            cell.display()
        );
        let drift = |path: &Path, what: String| Drift {
            path: path.to_owned(),
            what,
            remedy: remedy.clone(),
        };
        let mut found = Vec::new();
        for (key, print) in identity.files.iter().filter(|(key, _)| counts(key)) {
            let what = match self.files.get(key) {
                Some(approved) if *approved == print.sha256 => continue,
                Some(_) => format!("not what {approved_by} approved on {approved_at}"),
                None => format!("not among what {approved_by} approved on {approved_at}"),
            };
            found.push(drift(&print.path, what));
        }
        for key in self.files.keys().filter(|key| counts(key)) {
            if !identity.files.contains_key(key) {
                let what = format!("{key} is gone, which {approved_by} approved on {approved_at}");
                found.push(drift(cell, what));
            }
        }
        let keys: std::collections::BTreeSet<&String> =
            identity.cell.keys().chain(self.cell.keys()).collect();
        for key in keys.into_iter().filter(|key| counts(key)) {
            let (now, approved) = (identity.cell.get(key), self.cell.get(key));
            if now == approved {
                continue;
            }
            let value = |value: Option<&String>| value.map_or("nothing", String::as_str).to_owned();
            let what = format!(
                "{key} is {}, {approved_by} approved {} on {approved_at}",
                value(now),
                value(approved)
            );
            found.push(drift(cell, what));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::identity::Print;

    fn identity() -> Identity {
        let print = |name: &str| Print {
            path: format!("/cell/{name}").into(),
            sha256: format!("hash of {name}"),
        };
        let files = [
            "arm.urdf",
            "jobs.pick/manifest.json",
            "jobs.place/manifest.json",
        ];
        let cell = [
            ("limits.pan.velocity", "2"),
            ("jobs.pick.start.pan", "0"),
            ("jobs.place.start.pan", "1"),
        ];
        Identity {
            files: files.map(|name| (name.to_owned(), print(name))).into(),
            cell: cell.map(|(key, value)| (key.into(), value.into())).into(),
        }
    }

    fn lines(identity: &Identity, job: Option<&str>) -> Vec<String> {
        let lock = Lock::new(&self::identity(), "ana", "then".into());
        let drift = lock.drift(identity, Path::new("c.toml"), job);
        drift.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_as_approved_is_no_drift() {
        assert_eq!(lines(&identity(), None), Vec::<String>::new());
    }

    #[test]
    fn a_drift_names_file_what_and_what_to_do() {
        let mut changed = identity();
        changed
            .cell
            .insert("limits.pan.velocity".into(), "3".into());
        changed.files.get_mut("arm.urdf").unwrap().sha256 = "another".into();
        let remedy = "put it back, or have it approved with `surehand lock c.toml`";
        assert_eq!(
            lines(&changed, None),
            [
                format!("/cell/arm.urdf: not what ana approved on then; {remedy}"),
                format!("c.toml: limits.pan.velocity is 3, ana approved 2 on then; {remedy}"),
            ]
        );
    }

    #[test]
    fn what_was_added_or_taken_away_is_drift_too_but_of_other_jobs() {
        let mut changed = identity();
        changed.files.remove("jobs.pick/manifest.json");
        changed.cell.remove("jobs.place.start.pan");
        changed.cell.insert("loop.cpu".into(), "1".into());
        assert_eq!(lines(&changed, None).len(), 3);
        let place = lines(&changed, Some("place"));
        assert_eq!(place.len(), 2, "{place:?}");
        assert!(place[0].contains("jobs.place.start.pan is nothing"));
        assert!(lines(&changed, Some("pick"))[0].contains("manifest.json is gone"));
    }

    #[test]
    fn a_lock_file_is_read_back_and_one_that_was_edited_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let cell = folder.path().join("c.toml");
        assert_eq!(Lock::read(&cell).unwrap(), None);
        let lock = Lock::new(&identity(), "ana", "then".into());
        let path = lock.write(&cell).unwrap();
        assert_eq!(Lock::read(&cell).unwrap().as_ref(), Some(&lock));
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("velocity\" = \"2\"", "velocity\" = \"3\""),
            ("format = 1", "format = 2"),
            ("approved_by", "approved_for"),
        ] {
            assert!(text.contains(from), "{text}");
            std::fs::write(&path, text.replace(from, to)).unwrap();
            let said = Lock::read(&cell).unwrap_err().to_string();
            assert!(
                said.contains("c.lock") && said.contains("surehand lock"),
                "{said}"
            );
        }
    }
}
