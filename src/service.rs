//! The service book of an arm: how much each joint was used, and what is due for it.
//!
//! Owns the book, a small JSON file beside the calibration. It is written whole or not at all, by
//! whoever has something to add, one at a time. Nothing in it decides about motion, and the guard
//! knows nothing of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::cell::{Counted, Reminder};

mod count;
pub use count::Count;

/// The only format there is.
const FORMAT: u32 = 1;

/// Why a book can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The system refuses.
    #[error("{}: {error}; make it possible to write there", .path.display())]
    File {
        /// The book.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no service book.
    #[error("{}: it is no service book ({why}); mend it, or move it away to begin a new one", .path.display())]
    Damaged {
        /// The book.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// How much a joint was used.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds with torque on.
    pub torque_s: f64,
    /// Seconds in motion.
    pub motion_s: f64,
    /// Radians travelled, either way.
    pub travelled_rad: f64,
    /// Times its torque was switched on.
    pub starts: u64,
}

impl Usage {
    /// As much of it as `counted` counts, in its unit.
    #[must_use]
    pub fn of(&self, counted: Counted) -> f64 {
        match counted {
            Counted::Hours => self.torque_s / 3600.0,
            Counted::MotionHours => self.motion_s / 3600.0,
            Counted::Radians => self.travelled_rad,
            Counted::Starts => self.starts as f64,
        }
    }

    fn add(&mut self, more: &Usage) {
        self.torque_s += more.torque_s;
        self.motion_s += more.motion_s;
        self.travelled_rad += more.travelled_rad;
        self.starts = self.starts.saturating_add(more.starts);
    }
}

/// A reminder that somebody has seen to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Its name.
    pub reminder: String,
    /// Who says so.
    pub by: String,
    /// When, by the wall clock, RFC 3339.
    pub at: String,
    /// How much the joints had been used by then.
    pub joints: BTreeMap<String, Usage>,
}

/// The book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Book {
    format: u32,
    /// The joints' use since it was begun.
    pub joints: BTreeMap<String, Usage>,
    /// What was seen to, the last one last.
    #[serde(default)]
    pub done: Vec<Done>,
}

impl Default for Book {
    fn default() -> Book {
        Book {
            format: FORMAT,
            joints: BTreeMap::new(),
            done: Vec::new(),
        }
    }
}

/// How far a reminder has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing<'a> {
    /// The reminder.
    pub reminder: &'a Reminder,
    /// The joint with the most use, or the one that it names; `None` before there is any.
    pub joint: Option<&'a str>,
    /// Its use since the reminder was seen to last, in the reminder's unit.
    pub used: f64,
    /// When it was seen to last.
    pub done: Option<&'a Done>,
}

impl Standing<'_> {
    /// Whether it is to be seen to.
    #[must_use]
    pub fn due(&self) -> bool {
        self.used >= self.reminder.every
    }
}

impl std::fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reminder {
            counted,
            every,
            say,
            ..
        } = self.reminder;
        let since = match self.done {
            Some(done) => format!("since {}", done.at),
            None => "since the book was begun".into(),
        };
        write!(
            f,
            "{say} ({} has {:.1} {} {since}, it is due every {every})",
            self.joint.unwrap_or("no joint"),
            self.used,
            counted.unit()
        )
    }
}

impl Book {
    /// The book of the arm with this calibration.
    #[must_use]
    pub fn path(calibration: &Path) -> PathBuf {
        calibration.with_extension("service.json")
    }

    /// Reads the book at `path`; an empty one where there is none yet.
    ///
    /// # Errors
    /// When there is one that can't be read.
    pub fn read(path: &Path) -> Result<Book, BookError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            Err(error) => {
                let path = path.to_owned();
                return Err(BookError::File { path, error });
            }
        };
        let damaged = |why: String| BookError::Damaged {
            path: path.to_owned(),
            why,
        };
        let book: Book = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if book.format != FORMAT {
            let format = book.format;
            return Err(damaged(format!(
                "its format is {format}, this program reads {FORMAT}"
            )));
        }
        Ok(book)
    }

    /// Reads the book at `path`, changes it and writes it; others that do the same wait meanwhile.
    ///
    /// # Errors
    /// When it can't be read or written; it is then as it was.
    pub fn update(path: &Path, change: impl FnOnce(&mut Book)) -> Result<Book, BookError> {
        let failed = |error| BookError::File {
            path: path.to_owned(),
            error,
        };
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        flock(&folder, FlockOperation::LockExclusive).map_err(|errno| failed(errno.into()))?;
        let mut book = Book::read(path)?;
        change(&mut book);
        let text = serde_json::to_string_pretty(&book).map_err(|error| failed(error.into()))?;
        // One name for all, as the folder is locked: what a killed program left is written over.
        let beside = path.with_extension("json.new");
        let written = File::create(&beside)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&beside, path));
        if written.is_err() {
            // It may not even have been made.
            let _ = std::fs::remove_file(&beside);
        }
        written.map_err(failed)?;
        // What a power cut must not take; not every file system can.
        let _ = folder.sync_all();
        Ok(book)
    }

    /// Adds the use of the joints, which are in the order of `names`.
    pub fn add<'a>(&mut self, names: &[String], used: impl IntoIterator<Item = &'a Usage>) {
        for (name, used) in names.iter().zip(used) {
            self.joints.entry(name.clone()).or_default().add(used);
        }
    }

    /// Notes that `reminder` was seen to.
    pub fn note(&mut self, reminder: &str, by: &str, at: String) {
        self.done.push(Done {
            reminder: reminder.to_owned(),
            by: by.to_owned(),
            at,
            joints: self.joints.clone(),
        });
    }

    /// How far `reminder` has come.
    #[must_use]
    pub fn standing<'a>(&'a self, reminder: &'a Reminder) -> Standing<'a> {
        let mut done = self.done.iter().rev();
        let done = done.find(|done| done.reminder == reminder.name);
        let counts = |joint: &str| reminder.joint.as_deref().is_none_or(|it| it == joint);
        let used = self.joints.iter().filter(|(joint, _)| counts(joint));
        let used = used.map(|(joint, usage)| {
            let before = done.and_then(|done| done.joints.get(joint));
            let before = before.map_or(0.0, |before| before.of(reminder.counted));
            (joint.as_str(), usage.of(reminder.counted) - before)
        });
        let most = used.max_by(|(_, a), (_, b)| a.total_cmp(b));
        Standing {
            reminder,
            joint: most.map(|(joint, _)| joint),
            used: most.map_or(0.0, |(_, used)| used),
            done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reminder(counted: Counted, every: f64, joint: Option<&str>) -> Reminder {
        Reminder {
            name: "grease".into(),
            counted,
            every,
            joint: joint.map(Into::into),
            say: "grease the gears".into(),
        }
    }

    fn hours(hours: f64) -> Usage {
        Usage {
            torque_s: 3600.0 * hours,
            ..Usage::default()
        }
    }

    const NAMES: [&str; 2] = ["pan", "lift"];

    fn add(book: &mut Book, used: [f64; 2]) {
        book.add(&NAMES.map(String::from), &used.map(hours));
    }

    #[test]
    fn a_reminder_is_due_by_the_joint_with_the_most_use_until_it_is_done() {
        let mut book = Book::default();
        let any = reminder(Counted::Hours, 500.0, None);
        let pan = reminder(Counted::Hours, 500.0, Some("pan"));
        assert_eq!(book.standing(&any).joint, None);
        add(&mut book, [200.0, 300.0]);
        assert!(!book.standing(&any).due());
        add(&mut book, [200.0, 201.0]);
        assert!(book.standing(&any).due());
        assert!(!book.standing(&pan).due());
        let told = book.standing(&any).to_string();
        assert!(
            told.starts_with("grease the gears (lift has 501.0 h with torque on since the book"),
            "{told}"
        );
        book.note("grease", "ana", "2026-11-23T10:00:00.000Z".into());
        assert!(!book.standing(&any).due());
        add(&mut book, [499.0, 1.0]);
        let standing = book.standing(&any);
        assert_eq!(standing.joint, Some("pan"));
        assert!((standing.used - 499.0).abs() < 1e-9);
        assert!(standing.to_string().contains("since 2026-11-23T10"));
    }

    #[test]
    fn additions_of_several_programs_all_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = Book::path(&folder.path().join("arm.json"));
        assert_eq!(path.file_name().unwrap(), "arm.service.json");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        Book::update(&path, |book| add(book, [1.0, 0.0])).unwrap();
                    }
                });
            }
        });
        let book = Book::read(&path).unwrap();
        assert!((book.joints["pan"].of(Counted::Hours) - 40.0).abs() < 1e-9);
        let files = std::fs::read_dir(folder.path()).unwrap();
        assert_eq!(files.count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_damaged_book_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arm.service.json");
        for damaged in [
            "{\"format\": 1, \"joints\": {",
            "{\"format\": 2, \"joints\": {}}",
        ] {
            std::fs::write(&path, damaged).unwrap();
            let error = Book::update(&path, |book| add(book, [1.0, 1.0])).unwrap_err();
            let line = error.to_string();
            assert!(line.contains("arm.service.json"), "{line}");
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        }
    }
}
