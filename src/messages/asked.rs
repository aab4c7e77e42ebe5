//! Who asked the guard for something and what was answered, as the runner is told for its log.

use serde::{Deserialize, Serialize};

use super::{Name, Refusal, Request, Role};

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asker {
    /// What it said it is; `None` for one that said nothing, as a stop may.
    pub role: Option<Role>,
    /// What it called itself; empty before it did.
    pub name: Name,
    /// The user and the process that connected, as the system knows them.
    pub peer: Option<(u32, i32)>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It was carried out, or has begun to be.
    Done,
    /// It was refused, and why.
    Refused(Refusal),
    /// Another client holds control: its name.
    Held(Name),
}

/// A request with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Counts this guard's requests from 1: a gap is what the runner was too busy to hear.
    pub number: u64,
    /// Who asked.
    pub asker: Asker,
    /// What for.
    pub request: Request,
    /// What was answered.
    pub answer: Answer,
}
