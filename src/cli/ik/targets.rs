//! The targets of a batch, out of a CSV file.
//!
//! Owns every way in which such a file can be wrong: one line with file, line and column. Nothing is
//! solved before all of it was read.

use std::io::Read;
use std::path::Path;

use surehand_kinematics::Frame;

use crate::cli::Failure;

/// The columns of a pose, metres and a unit quaternion.
const POSE: [&str; 7] = ["x", "y", "z", "qx", "qy", "qz", "qw"];

/// A pose to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target<const N: usize> {
    pub(super) pose: Frame,
    /// Where to be near, when asked for.
    pub(super) seed: Option<[f64; N]>,
    /// Where it stands in the file, from 1.
    pub(super) line: u64,
}

/// Reads `file`, standard input when it is `-`; with `near` the seed columns too.
///
/// # Errors
/// One line with file, line, column and remedy.
pub(super) fn read<const N: usize>(file: &Path, near: bool) -> Result<Vec<Target<N>>, Failure> {
    let place = file.display().to_string();
    let text = if place == "-" {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map(|_| text)
    } else {
        std::fs::read(file)
    };
    let text = text.map_err(|error| {
        Failure::configuration(format!(
            "{place}: cannot be read ({error}); give a CSV file of targets as --targets"
        ))
    })?;
    Table { place: &place }.read(&text, near)
}

/// A file being read; every error names it.
struct Table<'a> {
    place: &'a str,
}

impl Table<'_> {
    fn error(&self, line: u64, what: impl std::fmt::Display) -> Failure {
        Failure::configuration(format!("{}:{line}: {what}", self.place))
    }

    fn read<const N: usize>(&self, text: &[u8], near: bool) -> Result<Vec<Target<N>>, Failure> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text);
        let header = reader.headers().map_err(|error| self.error(1, error))?;
        let header = header.clone();
        let pose = POSE.map(|name| self.column(&header, name));
        let seeds: [_; N] = std::array::from_fn(|joint| format!("seed{joint}"));
        let seeds = near.then(|| seeds.map(|name| self.column(&header, &name)));
        let pose = all(pose)?;
        let seeds = seeds.map(all).transpose()?;
        let mut targets = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| {
                let line = error.position().map_or(0, csv::Position::line);
                self.error(line, error)
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            let number = |column: usize| {
                let word = record.get(column).unwrap_or_default();
                word.parse::<f64>()
                    .ok()
                    .filter(|it| it.is_finite())
                    .ok_or_else(|| {
                        let name = header.get(column).unwrap_or_default();
                        self.error(line, format!("{name} is `{word}`; give a finite number"))
                    })
            };
            let [x, y, z, qx, qy, qz, qw] = all(pose.map(number))?;
            let quaternion = [qx, qy, qz, qw];
            let pose = Frame::from_quaternion([x, y, z], quaternion).ok_or_else(|| {
                let length = quaternion.iter().map(|it| it * it).sum::<f64>().sqrt();
                self.error(
                    line,
                    format!("qx,qy,qz,qw has length {length:.4}; give a quaternion of length 1"),
                )
            })?;
            let seed = seeds.map(|columns| all(columns.map(number))).transpose()?;
            targets.push(Target { pose, seed, line });
        }
        if targets.is_empty() {
            return Err(self.error(1, "no target follows the header"));
        }
        Ok(targets)
    }

    fn column(&self, header: &csv::StringRecord, name: &str) -> Result<usize, Failure> {
        header.iter().position(|it| it == name).ok_or_else(|| {
            let there: Vec<&str> = header.iter().collect();
            self.error(
                1,
                format!(
                    "there is no column `{name}`; columns are: {}",
                    there.join(", ")
                ),
            )
        })
    }
}

/// All of them, or the first error.
fn all<T: Default + Copy, const N: usize>(
    each: [Result<T, Failure>; N],
) -> Result<[T; N], Failure> {
    let mut whole = [T::default(); N];
    for (slot, one) in whole.iter_mut().zip(each) {
        *slot = one?;
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn table(text: &str, near: bool) -> Result<Vec<Target<2>>, String> {
        let table = Table { place: "t.csv" };
        table
            .read(text.as_bytes(), near)
            .map_err(|failure| failure.line)
    }

    #[test]
    fn columns_are_found_by_name_and_others_left_alone() {
        let text = "ref0,qw,x,y,z,qx,qy,qz,seed1,seed0\n9,1,0.1,0.2,0.3,0,0,0,5,4\n";
        let targets = table(text, true).unwrap();
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].pose.translation.z, 0.3);
        assert_eq!(targets[0].seed, Some([4.0, 5.0]));
        assert_eq!(table(text, false).unwrap()[0].seed, None);
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        let head = "x,y,z,qx,qy,qz,qw\n0,0,0,0,0,0,1\n";
        for (text, near, wanted) in [
            (
                "x,y,z,qx,qy,qz\n".to_owned(),
                false,
                "t.csv:1: there is no column `qw`",
            ),
            (head.to_owned(), true, "t.csv:1: there is no column `seed0`"),
            (
                format!("{head}0,NaN,0,0,0,0,1\n"),
                false,
                "t.csv:3: y is `NaN`",
            ),
            (
                format!("{head}0,zero,0,0,0,0,1\n"),
                false,
                "t.csv:3: y is `zero`",
            ),
            (
                format!("{head}0,0,0,0,0,0,0.9\n"),
                false,
                "t.csv:3: qx,qy,qz,qw has length 0.9000",
            ),
            (format!("{head}0,0,0,0,0\n"), false, "t.csv:3: "),
            (
                "x,y,z,qx,qy,qz,qw\n".to_owned(),
                false,
                "t.csv:1: no target",
            ),
            (String::new(), false, "t.csv:1: there is no column `x`"),
        ] {
            let line = table(&text, near).unwrap_err();
            assert!(line.starts_with(wanted), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }
}
