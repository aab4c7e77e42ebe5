//! Who has a serial port open, and what to do about it. Ends nobody.

use std::fmt;
use std::path::Path;

use crate::host::Host;
use crate::host::ports::users_of;

/// A process that has it open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupant {
    /// Process id.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

impl Occupant {
    /// Whether it is a controller of ours.
    #[must_use]
    pub fn is_controller(&self) -> bool {
        let mut words = self.command.split(' ');
        let program = words.next().unwrap_or_default();
        let ours = Path::new(program)
            .file_name()
            .is_some_and(|it| it == "surehand");
        ours && words.any(|word| ["guard", "run", "demo"].contains(&word))
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (`{}`)", self.pid, self.command)
    }
}

/// Those that have `port` open, this process aside, as far as this user may see them.
#[must_use]
pub fn of(port: &Path) -> Vec<Occupant> {
    let Ok(device) = std::fs::canonicalize(port) else {
        return Vec::new();
    };
    let own = std::process::id();
    let users = users_of(&Host::at(Path::new("/")), &device).into_iter();
    let others = users.filter(|(pid, _)| *pid != own);
    let mut found: Vec<Occupant> = others
        .map(|(pid, name)| Occupant {
            pid,
            command: command(pid).unwrap_or(name),
        })
        .collect();
    found.sort_by_key(|it| (!it.is_controller(), it.pid));
    found
}

/// The command line of a process, as far as it fits a line; `None` when it can't be read.
fn command(pid: u32) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let line: String = line.trim().chars().take(120).collect();
    Some(line).filter(|line| !line.is_empty())
}

/// What to do about a port that is in use.
#[must_use]
pub fn advice(port: &Path) -> String {
    match of(port).as_slice() {
        [first, ..] if first.is_controller() => format!(
            "{} is in use by a controller, {first}: end it with `surehand shutdown` first",
            port.display()
        ),
        [first, ..] => format!("{} is in use by {first}: end it first", port.display()),
        [] => format!(
            "{} is in use by another program: end that one first (`sudo fuser {}` names it)",
            port.display(),
            port.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_told_from_other_programs() {
        let of = |command: &str| Occupant {
            pid: 7,
            command: command.into(),
        };
        assert!(of("/usr/bin/surehand guard --cell cells/sim.toml").is_controller());
        assert!(!of("/usr/bin/surehand sim --pty /tmp/arm").is_controller());
        assert!(!of("minicom guard").is_controller());
    }
}
