//! Whether real-time priority and locked memory would be granted to this user.

use super::{Host, Item, Mend};
use crate::realtime::Grants;

/// The file that grants both to the users of group `surehand`.
const LIMITS: &str = "/etc/security/limits.d/surehand.conf";

/// What of `grants` stands in the way; `required` when the cell runs only with the priority.
#[must_use]
pub fn items(host: &Host, grants: &Grants, required: bool) -> Vec<Item> {
    let mend = || limits().unless_there(host);
    let remedy = || match mend() {
        Some(_) => {
            "`surehand doctor --fix` writes the file that grants it (docs/realtime.md)".to_owned()
        }
        None => format!("{LIMITS} grants it to group surehand: {THEN}"),
    };
    let priority = match &grants.fifo {
        Ok(priority) => Item::good("real-time priority", format!("SCHED_FIFO {priority}")),
        Err(why) if required => Item::error("real-time priority", why, remedy()).mended_by(mend()),
        Err(why) => Item::warning("real-time priority", why, remedy()).mended_by(mend()),
    };
    let memory = match &grants.locked {
        Ok(()) => Item::good("locked memory", "may be locked"),
        Err(why) => Item::warning("locked memory", why, remedy()).mended_by(mend()),
    };
    vec![priority, memory]
}

const THEN: &str = "make the group and join it (`sudo groupadd -f surehand && sudo usermod -aG surehand $USER`), then log in again";

fn limits() -> Mend {
    Mend {
        path: LIMITS.into(),
        text: "# Real-time priority and locked memory for the control loop of surehand.\n\
               @surehand - rtprio 90\n\
               @surehand - memlock unlimited\n"
            .into(),
        now: Vec::new(),
        then: THEN.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::State;

    fn refused() -> Grants {
        Grants {
            fifo: Err("SCHED_FIFO 80: RLIMIT_RTPRIO is 0, 80 is needed".into()),
            locked: Err("RLIMIT_MEMLOCK is 8192 KiB, 262144 KiB are needed".into()),
            cpu: None,
        }
    }

    #[test]
    fn a_cell_that_needs_the_priority_makes_its_absence_an_error() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let states = |required| -> Vec<State> {
            let items = items(&host, &refused(), required);
            items.iter().map(|item| item.state).collect()
        };
        assert_eq!(states(true), [State::Error, State::Warning]);
        assert_eq!(states(false), [State::Warning, State::Warning]);
    }

    #[test]
    fn once_the_file_is_there_the_group_is_what_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let first = items(&host, &refused(), true);
        first[0].mend.as_ref().unwrap().write(&host).unwrap();
        let second = items(&host, &refused(), true);
        assert_eq!(second[0].mend, None);
        let remedy = second[0].remedy.as_ref().unwrap();
        assert!(remedy.contains("usermod -aG surehand"), "{remedy}");
    }
}
