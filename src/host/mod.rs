//! The machine a controller runs on: what it is, what it grants, and what would mend it.
//!
//! Owns the reading of `/proc`, `/sys`, `/dev` and `/etc`, under any root, so that an image can be
//! looked at, and a test's folder. [`machine`] is kernel, processors and disk, [`grants`] what
//! real-time work needs, [`ports`] the serial adapters; [`mend`] is a file that would put something
//! right. Reads only: writing a mend is its caller's act.

use std::path::{Path, PathBuf};

use serde::Serialize;

pub mod grants;
pub mod machine;
pub mod mend;
pub mod ports;

pub use mend::Mend;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// It works, but perhaps not always.
    Warning,
    /// It keeps an arm from running.
    Error,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// How it is.
    pub state: State,
    /// What was looked at.
    pub item: String,
    /// What was found, with the value.
    pub what: String,
    /// What to do; nothing where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The file that would put it right.
    #[serde(skip)]
    pub mend: Option<Mend>,
}

impl Item {
    /// As it should be.
    pub fn good(item: impl Into<String>, what: impl Into<String>) -> Item {
        Item {
            state: State::Good,
            item: item.into(),
            what: what.into(),
            remedy: None,
            mend: None,
        }
    }

    /// It works, but perhaps not always.
    pub fn warning(
        item: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Item {
        Item {
            state: State::Warning,
            remedy: Some(remedy.into()),
            ..Item::good(item, what)
        }
    }

    /// It keeps an arm from running.
    pub fn error(
        item: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Item {
        Item {
            state: State::Error,
            ..Item::warning(item, what, remedy)
        }
    }

    /// With a file that would put it right.
    #[must_use]
    pub fn mended_by(self, mend: Option<Mend>) -> Item {
        Item { mend, ..self }
    }
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            State::Good => "ok     ",
            State::Warning => "warning",
            State::Error => "error  ",
        };
        write!(f, "{state}  {}: {}", self.item, self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// A file system with a machine's files in it.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
}

impl Host {
    /// The machine whose files are under `root`; `/` is this one.
    #[must_use]
    pub fn at(root: &Path) -> Host {
        Host {
            root: root.to_owned(),
        }
    }

    /// Whether it is this machine, so that its kernel can be asked as well.
    #[must_use]
    pub fn is_this_one(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where the machine's own `path`, an absolute one, is found.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// What the machine itself calls the file found at `path`.
    #[must_use]
    pub fn own_name(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.root) {
            Ok(below) => Path::new("/").join(below),
            Err(_) => path.to_owned(),
        }
    }

    /// A short text file, without white space at its ends; `None` when it can't be read.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.path(path)).ok()?;
        Some(text.trim().to_owned())
    }

    /// The names in a folder, sorted; none when it can't be read.
    #[must_use]
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder));
        let names = entries.into_iter().flatten().flatten();
        let mut names: Vec<String> = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// The processes that run, by number, with their names.
    #[must_use]
    pub fn processes(&self) -> Vec<(u32, String)> {
        let numbers = self.names("/proc").into_iter();
        numbers
            .filter_map(|name| {
                let pid = name.parse().ok()?;
                Some((pid, self.read(&format!("/proc/{name}/comm"))?))
            })
            .collect()
    }
}
