//! `[watch]`: what the runner watches of its policy, from where on, and what it does then.

use crate::messages::{Then, Watch};

/// The limit of one thing that is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WatchRule {
    /// What.
    pub what: Watch,
    /// Beyond this something is done.
    pub limit: f64,
    /// What is done.
    pub then: Then,
}

/// All of them, in the order of [`Watch::ALL`].
#[derive(Debug, Clone, PartialEq)]
pub struct WatchSection {
    /// The rules.
    pub rules: Vec<WatchRule>,
}

impl Default for WatchSection {
    fn default() -> WatchSection {
        let rule = |what: Watch| WatchRule {
            what,
            limit: usual(what),
            then: Then::Warn,
        };
        WatchSection {
            rules: Watch::ALL.map(rule).to_vec(),
        }
    }
}

/// The limit where a cell says none.
pub(super) fn usual(what: Watch) -> f64 {
    match what {
        Watch::Age => 1500.0,
        Watch::Repeated => 2.0,
        Watch::Blank => 0.01,
        Watch::Blurred => 0.4,
        Watch::State => 8.0,
        Watch::Pictures => 3.0,
        Watch::Apart => 0.5,
        Watch::ToolApart => 0.1,
    }
}
