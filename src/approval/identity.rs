//! What a cell runs with, as hashes and values that can be compared.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::cell::{Cell, JobSection};
use crate::policy::package;

/// What of a cell file says on which wires the arm is, where files are and what is to be serviced
/// when, but not what files hold nor how the arm moves. `*` is any name.
const WIRES: [&[&str]; 16] = [
    &["name"],
    &["arms", "*", "cell"],
    &["arm", "urdf"],
    &["arm", "calibration"],
    &["bus", "port"],
    &["cameras", "*", "url"],
    &["cameras", "*", "login"],
    &["cameras", "*", "device"],
    &["cameras", "*", "bus"],
    &["cameras", "*", "gige"],
    &["cameras", "*", "serial"],
    &["cameras", "*", "packet_bytes"],
    &["jobs", "*", "package"],
    &["jobs", "*", "remote", "api_key_file"],
    &["inference", "library"],
    &["service"],
];

/// A file of a cell that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: it can't be read: {why}; mend the cell file or the file it names", .path.display())]
pub struct IdentityError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// A file and the SHA-256 of what it holds, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    /// Where it is.
    pub path: PathBuf,
    /// Its hash.
    pub sha256: String,
}

/// What a cell runs with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Files by what they are to the cell: `arm.urdf`, `arm.calibration`, `jobs.NAME/FILE`.
    pub files: BTreeMap<String, Print>,
    /// The values in the cell file that count for the motion, by their keys.
    pub cell: BTreeMap<String, String>,
}

impl Identity {
    /// Of `cell` with the packages of `jobs`.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn of<'a>(
        cell: &Cell,
        jobs: impl IntoIterator<Item = &'a JobSection>,
    ) -> Result<Identity, IdentityError> {
        let mut files = BTreeMap::new();
        let mut add = |key: String, path: PathBuf| {
            let sha256 = sha256_of(&path).map_err(|error| IdentityError {
                path: path.clone(),
                why: error.to_string(),
            })?;
            files.insert(key, Print { path, sha256 });
            Ok(())
        };
        add("arm.urdf".into(), cell.arm.urdf.clone())?;
        add("arm.calibration".into(), cell.arm.calibration.clone())?;
        for job in jobs {
            // What a server runs can't be hashed; that it is asked, and how, is in the cell file.
            let Some(folder) = job.package() else {
                continue;
            };
            let held = package::files(folder).map_err(|error| IdentityError {
                path: folder.to_owned(),
                why: error.to_string(),
            })?;
            for (name, path) in held {
                add(format!("jobs.{}/{name}", job.name), path)?;
            }
        }
        let unreadable = |why: String| IdentityError {
            path: cell.file.clone(),
            why,
        };
        let text =
            std::fs::read_to_string(&cell.file).map_err(|error| unreadable(error.to_string()))?;
        let table: Table = toml::from_str(&text)
            .map_err(|error: toml::de::Error| unreadable(error.message().to_owned()))?;
        Ok(Identity {
            files,
            cell: values(&table),
        })
    }

    /// Of a cell of several arms: of `shared`, what they share, with the packages of `jobs`, and of
    /// each arm's own cell without its jobs and cameras, under `arms.NAME`.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn of_several<'a>(
        shared: &Cell,
        jobs: impl IntoIterator<Item = &'a JobSection>,
        arms: impl IntoIterator<Item = (&'a str, &'a Cell)>,
    ) -> Result<Identity, IdentityError> {
        let mut all = Identity::of(shared, jobs)?;
        // Those of the first arm, which has them under its name.
        all.files.retain(|key, _| !key.starts_with("arm."));
        for (name, cell) in arms {
            let own = Identity::of(cell, [])?;
            let under = |key: &String| format!("arms.{name}.{key}");
            let files = own.files.iter();
            all.files
                .extend(files.map(|(key, print)| (under(key), print.clone())));
            let unused = |key: &str| {
                let elsewhere = ["jobs.", "cameras.", "inference.", "watch."];
                elsewhere.iter().any(|table| key.starts_with(table))
            };
            let values = own.cell.iter().filter(|(key, _)| !unused(key));
            all.cell
                .extend(values.map(|(key, value)| (under(key), value.clone())));
        }
        Ok(all)
    }

    /// The hash of the cell's values, one `key = value` a line.
    #[must_use]
    pub fn cell_sha256(&self) -> String {
        values_sha256(&self.cell)
    }

    /// The file or key that differs from `before`, when one does.
    #[must_use]
    pub fn changed_since(&self, before: &Identity) -> Option<String> {
        let print = |print: &Print| print.path.display().to_string();
        let files = self.files.iter();
        let changed = files.filter(|(key, now)| before.files.get(*key) != Some(now));
        let gone = before
            .files
            .iter()
            .filter(|(key, _)| !self.files.contains_key(*key));
        let mut files = changed.chain(gone).map(|(_, file)| print(file));
        files.next().or_else(|| {
            let changed = |(key, value): &(&String, &String)| before.cell.get(*key) != Some(value);
            let gone = before.cell.keys().find(|key| !self.cell.contains_key(*key));
            let key = self
                .cell
                .iter()
                .find(changed)
                .map(|(key, _)| key)
                .or(gone)?;
            Some(format!("`{key}` in the cell file"))
        })
    }
}

pub(super) fn values_sha256(values: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (key, value) in values {
        hash.update(format!("{key} = {value}\n"));
    }
    hex(&hash.finalize())
}

/// The SHA-256 of what `path` holds, in hexadecimal.
///
/// # Errors
/// When it can't be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 64 * 1024];
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(bytes.get(..read).unwrap_or_default()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The values of a cell file but those of [`WIRES`], by key.
fn values(table: &Table) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut path = Vec::new();
    for (key, value) in table {
        collect(value, &mut path, key, &mut values);
    }
    values
}

fn collect<'a>(
    value: &'a Value,
    path: &mut Vec<&'a str>,
    key: &'a str,
    values: &mut BTreeMap<String, String>,
) {
    path.push(key);
    let wire = |pattern: &&[&str]| {
        pattern.len() == path.len() && pattern.iter().zip(&*path).all(|(a, b)| *a == "*" || a == b)
    };
    if !WIRES.iter().any(wire) {
        match value {
            Value::Table(table) => {
                for (key, value) in table {
                    collect(value, path, key, values);
                }
            }
            leaf => {
                values.insert(path.join("."), text(leaf));
            }
        }
    }
    path.pop();
}

/// A value as it is written down: the same for the same number, whatever writes TOML. Integers are
/// numbers like others: `2` is `2.0`.
fn text(value: &Value) -> String {
    match value {
        Value::Integer(number) => format!("{number}"),
        Value::Float(number) => format!("{number}"),
        Value::Boolean(yes) => format!("{yes}"),
        Value::String(text) => format!("{text:?}"),
        Value::Datetime(time) => format!("{time}"),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().map(text).collect();
            format!("[{}]", all.join(", "))
        }
        Value::Table(table) => {
            let all: Vec<String> = table
                .iter()
                .map(|(key, value)| format!("{key} = {}", text(value)))
                .collect();
            format!("{{ {} }}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> BTreeMap<String, String> {
        values(&toml::from_str(text).unwrap())
    }

    #[test]
    fn wires_and_layout_of_a_cell_file_are_no_part_of_it_and_all_else_is() {
        let cell = of(
            "name = 'a'\n[bus]\nport = '/dev/x'\nbaud = 1_000\n[cameras.top]\nurl = 'u'\n\
             width = 96\n[limits]\npan = { velocity = 2.0, acceleration = 12 }\n\
             [service]\nhorns = { every_hours = 5, say = 'look' }\n",
        );
        let same = of(
            "[limits.pan]\n# slower\nacceleration = 12.0\nvelocity = 2\n[cameras.top]\n\
             width = 96\nurl = 'v'\n[bus]\nbaud = 1000\nport = '/dev/y'\n",
        );
        assert_eq!(cell, same);
        let keys: Vec<&String> = cell.keys().collect();
        assert_eq!(
            keys,
            [
                "bus.baud",
                "cameras.top.width",
                "limits.pan.acceleration",
                "limits.pan.velocity"
            ]
        );
        let other = of(
            "[limits.pan]\nacceleration = 12.0\nvelocity = 2.1\n[cameras.top]\n\
             width = 96\n[bus]\nbaud = 1000\n",
        );
        assert_ne!(cell, other);
        assert_ne!(values_sha256(&cell), values_sha256(&other));
    }

    #[test]
    fn boxes_and_lists_are_part_of_it() {
        let boxes = of("[workspace]\nkeep_out = [{ min = [0, 0.1], max = [1, 2] }]\n");
        assert_eq!(
            boxes["workspace.keep_out"],
            "[{ max = [1, 2], min = [0, 0.1] }]"
        );
    }

    #[test]
    fn a_hash_is_that_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(
            sha256_of(&path).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
