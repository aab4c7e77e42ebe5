//! The set-up's notebook: what each servo held before it was changed, written down before it is,
//! and which joints are done. One JSON object a line; a torn last line is left out.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::register::Settings;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// A servo is about to be changed.
    Was {
        /// Its joint.
        joint: String,
        /// Its family.
        family: String,
        /// Its model number.
        model: Option<i32>,
        /// What it holds.
        was: Settings,
        /// What it is to hold.
        becomes: Settings,
        /// When, UTC.
        time: String,
    },
    /// It was changed, and the change read back.
    Done {
        /// Its joint.
        joint: String,
        /// Its id now.
        id: u8,
    },
    /// It has been given back what it held.
    Undone {
        /// Its joint.
        joint: String,
    },
}

/// Why the notebook can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NotebookError {
    /// Reading or writing.
    #[error("{}: {source}: name another file with --notebook", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line in the middle is none of ours.
    #[error("{}:{line} is no line of a set-up: name the file that `surehand setup` wrote", path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

/// The file.
#[derive(Debug)]
pub struct Notebook {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl Notebook {
    /// Reads what is there; a file that is not there yet is empty.
    ///
    /// # Errors
    /// When it can't be read, or is something else.
    pub fn open(path: &Path) -> Result<Notebook, NotebookError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                let path = path.to_owned();
                return Err(NotebookError::File { path, source });
            }
        };
        let lines: Vec<&str> = text.lines().collect();
        let mut entries = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            match serde_json::from_str(line) {
                Ok(entry) => entries.push(entry),
                // Power may have failed while it was being written: then nothing had been changed.
                Err(_) if at + 1 == lines.len() && !text.ends_with('\n') => {}
                Err(_) => {
                    return Err(NotebookError::Strange {
                        path: path.to_owned(),
                        line: at + 1,
                    });
                }
            }
        }
        Ok(Notebook {
            path: path.to_owned(),
            entries,
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line and sees it on the disk.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn note(&mut self, entry: Entry) -> Result<(), NotebookError> {
        let failed = |source| NotebookError::File {
            path: self.path.clone(),
            source,
        };
        let line = serde_json::to_string(&entry).map_err(|error| failed(error.into()))?;
        let append = || -> std::io::Result<()> {
            let torn =
                std::fs::read(&self.path).is_ok_and(|it| !it.is_empty() && !it.ends_with(b"\n"));
            let mut file: File = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.path)?;
            if torn {
                // What is left of a line that a power cut tore must not spoil this one.
                let whole = self
                    .entries
                    .iter()
                    .filter_map(|it| serde_json::to_string(it).ok());
                let text: String = whole.map(|line| line + "\n").collect();
                std::fs::write(&self.path, text)?;
            }
            file.write_all((line + "\n").as_bytes())?;
            file.sync_all()
        };
        append().map_err(failed)?;
        self.entries.push(entry);
        Ok(())
    }

    /// The id a joint was set up with, when it is done and was not undone.
    #[must_use]
    pub fn done(&self, joint: &str) -> Option<u8> {
        let mut done = None;
        for entry in &self.entries {
            match entry {
                Entry::Done { joint: of, id } if of == joint => done = Some(*id),
                Entry::Undone { joint: of } if of == joint => done = None,
                Entry::Was { .. } | Entry::Done { .. } | Entry::Undone { .. } => {}
            }
        }
        done
    }

    /// What can be undone, the last joint first: its name, what its servo held at the very first,
    /// and what it was made to hold at last.
    #[must_use]
    pub fn to_undo(&self) -> Vec<(String, Settings, Settings)> {
        let mut open: Vec<(String, Settings, Settings)> = Vec::new();
        for entry in &self.entries {
            match entry {
                Entry::Was {
                    joint,
                    was,
                    becomes,
                    ..
                } => match open.iter_mut().find(|(of, _, _)| of == joint) {
                    Some((_, _, last)) => last.extend(becomes),
                    None => open.push((joint.clone(), was.clone(), becomes.clone())),
                },
                Entry::Undone { joint } => open.retain(|(of, _, _)| of != joint),
                Entry::Done { .. } => {}
            }
        }
        open.reverse();
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commission::Setting;

    fn was(joint: &str, id: i32, becomes: i32) -> Entry {
        Entry::Was {
            joint: joint.into(),
            family: "feetech".into(),
            model: Some(777),
            was: Settings::from([(Setting::Id, id)]),
            becomes: Settings::from([(Setting::Id, becomes)]),
            time: "now".into(),
        }
    }

    fn done(joint: &str, id: u8) -> Entry {
        let joint = joint.into();
        Entry::Done { joint, id }
    }

    #[test]
    fn the_first_thing_a_servo_held_is_what_undoing_gives_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arm.setup.jsonl");
        let mut notebook = Notebook::open(&path).unwrap();
        for entry in [
            was("elbow", 1, 3),
            was("elbow", 3, 3),
            done("elbow", 3),
            was("wrist", 1, 4),
        ] {
            notebook.note(entry).unwrap();
        }
        let mut notebook = Notebook::open(&path).unwrap();
        assert_eq!(
            (notebook.done("elbow"), notebook.done("wrist")),
            (Some(3), None)
        );
        let first = |at: usize| {
            let (joint, was, _) = notebook.to_undo()[at].clone();
            (joint, was[&Setting::Id])
        };
        assert_eq!(
            (first(0), first(1)),
            (("wrist".into(), 1), ("elbow".into(), 1))
        );
        let joint = "elbow".into();
        notebook.note(Entry::Undone { joint }).unwrap();
        assert_eq!(notebook.done("elbow"), None);
        assert_eq!(notebook.to_undo().len(), 1);
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arm.setup.jsonl");
        let mut notebook = Notebook::open(&path).unwrap();
        notebook.note(done("elbow", 3)).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"event\":\"do")).unwrap();
        let mut notebook = Notebook::open(&path).unwrap();
        notebook.note(done("wrist", 4)).unwrap();
        let notebook = Notebook::open(&path).unwrap();
        assert_eq!(
            (notebook.done("elbow"), notebook.done("wrist")),
            (Some(3), Some(4))
        );
        std::fs::write(&path, "{}\n{}\n").unwrap();
        assert!(
            Notebook::open(&path)
                .unwrap_err()
                .to_string()
                .contains(":1 ")
        );
    }
}
