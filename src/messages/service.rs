//! What is to be seen to on the arm, as the runner tells it for `status`.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::Name;

/// The most that are told at once.
pub const MAX_SERVICE: usize = 4;
/// The most letters (bytes) of what is said.
const SAYS: usize = 96;

/// A reminder of the cell that is due.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServiceDue {
    /// Its name.
    pub name: Name,
    /// What is to be done.
    pub say: String<SAYS>,
}

impl ServiceDue {
    /// The most letters (bytes) of what is said.
    pub const SAYS: usize = SAYS;

    /// Reminder `name`, which says `say`; what is too long is cut off.
    #[must_use]
    pub fn new(name: &str, say: &str) -> ServiceDue {
        let mut due = ServiceDue {
            name: super::name(name),
            say: String::new(),
        };
        for c in say.chars() {
            if due.say.push(c).is_err() {
                break;
            }
        }
        due
    }
}
