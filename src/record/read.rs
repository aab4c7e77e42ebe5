//! Reading an audit log back, whatever became of it.
//!
//! A power cut may tear the last line, a full disk may have cost some: what is readable is given,
//! and what is missing is said. Never changes a log.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use super::folder::{AUDIT, LATEST, RUNS, beside};

/// One line of a log.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A line that is whole, as it stands and read.
    Line(String, Value),
    /// Bytes that are no line: torn by a power cut, or damaged.
    Torn(usize),
    /// So many numbers are missing here.
    Missing(u64),
}

/// A log.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// The file.
    pub path: PathBuf,
    /// What is in it, in order.
    pub entries: Vec<Entry>,
    /// Whether its run goes on.
    pub live: bool,
}

impl Log {
    /// Reads the log at `path`.
    ///
    /// # Errors
    /// When it can't be read at all.
    pub fn read(path: &Path) -> io::Result<Log> {
        let file = File::open(path)?;
        // Who writes it holds it.
        let live = flock(&file, FlockOperation::NonBlockingLockShared).is_err();
        Ok(Log {
            path: path.to_owned(),
            entries: entries(&std::fs::read(path)?),
            live,
        })
    }

    /// Whether the run was brought to an end that is in the log.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.entries.iter().any(|entry| match entry {
            Entry::Line(_, line) => line["event"] == "end",
            Entry::Torn(_) | Entry::Missing(_) => false,
        })
    }
}

fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut next = 0;
    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = std::str::from_utf8(part).ok();
        let line = text
            .and_then(|text| text.strip_suffix('\n'))
            .and_then(|text| Some((text, serde_json::from_str::<Value>(text).ok()?)));
        let Some((text, line)) = line else {
            entries.push(Entry::Torn(part.len()));
            continue;
        };
        if let Some(seq) = line["seq"].as_u64() {
            // A note of a loss stands for all that were lost.
            let first = line["first_seq"].as_u64().unwrap_or(seq);
            if first > next {
                entries.push(Entry::Missing(first - next));
            }
            next = seq + 1;
        }
        entries.push(Entry::Line(text.to_owned(), line));
    }
    entries
}

/// The log that `place` means: a log, the folder of a run, a folder of runs or a cell file (their
/// last run).
#[must_use]
pub fn find(place: &Path) -> Option<PathBuf> {
    let named = if place.is_dir() {
        [
            place.join(AUDIT),
            place.join(LATEST).join(AUDIT),
            place.join(RUNS).join(LATEST).join(AUDIT),
        ]
        .into_iter()
        .find(|log| log.is_file())
    } else if place.extension().is_some_and(|ext| ext == "toml") {
        Some(beside(place).join(LATEST).join(AUDIT))
    } else {
        Some(place.to_owned())
    };
    named.filter(|log| log.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64) -> String {
        format!("{{\"seq\":{seq},\"event\":\"test\"}}\n")
    }

    #[test]
    fn a_torn_last_line_is_told_and_costs_no_other() {
        for torn in [
            "{\"seq\":2,\"ev",
            "\0\0\0\0",
            "{\"seq\":2,\"event\":\"test\"}",
        ] {
            let text = line(0) + &line(1) + torn;
            let entries = entries(text.as_bytes());
            assert_eq!(entries.len(), 3);
            assert!(matches!(&entries[1], Entry::Line(..)));
            assert_eq!(entries[2], Entry::Torn(torn.len()));
        }
        assert!(matches!(entries(b"\xff\xfe"), torn if torn == [Entry::Torn(2)]));
        assert_eq!(entries(b""), []);
    }

    #[test]
    fn missing_numbers_are_told_but_where_the_log_tells_of_them_itself() {
        let lost = "{\"seq\":8,\"first_seq\":5,\"lines\":4,\"event\":\"lost\"}\n";
        let text = line(0) + &line(3) + &line(4) + lost + &line(9);
        let missing: Vec<Entry> = entries(text.as_bytes())
            .into_iter()
            .filter(|entry| matches!(entry, Entry::Missing(_)))
            .collect();
        assert_eq!(missing, [Entry::Missing(2)]);
    }
}
