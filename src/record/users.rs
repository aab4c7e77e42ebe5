//! What users are called, as the system's own list has it.
//!
//! Read once: nobody waits for a directory service in the middle of a run.

use std::collections::BTreeMap;

/// Names by number.
#[derive(Debug, Clone, Default)]
pub struct Users(BTreeMap<u32, String>);

impl Users {
    /// Reads the list; empty where there is none.
    #[must_use]
    pub fn read() -> Users {
        Users::parse(&std::fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    /// `passwd(5)`: the name is the first field, the number the third.
    fn parse(list: &str) -> Users {
        let entry = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            Some((uid, name))
        };
        // The first of two names is the one the system gives.
        Users(list.lines().rev().filter_map(entry).collect())
    }

    /// The name of user `uid`.
    #[must_use]
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.0.get(&uid).map(String::as_str)
    }
}

/// The user this process acts for; a number where the user has no name.
#[must_use]
pub fn own() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let users = Users::read();
    users
        .name(uid)
        .map_or_else(|| format!("user {uid}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts_and_broken_lines_do_not() {
        let users =
            Users::parse("root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:\nana:x:1000:\nnone\nodd:x:y:");
        assert_eq!(users.name(0), Some("root"));
        assert_eq!(users.name(1000), Some("ana"));
        assert_eq!(users.name(7), None);
    }
}
