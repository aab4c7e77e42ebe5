//! The audit log of one run: who asked for what, and what the controller did.
//!
//! Owns what is worth a line and what is in it. Whoever tells it something goes on at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::backlog::Line;
use super::clock;
use super::folder::{self, RecordError};
use super::journal::Journal;
use super::users::Users;
use crate::messages::{
    Answer, Asked, Asker, Cause, LogHealth, Mode, Names, Refusal, Role, Telemetry,
};
use crate::units::{JointVec, Rad};

/// The names that indices in causes mean, each in the arm's or the cell's order.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// Of the arm; empty when the cell has one.
    pub arm: String,
    /// Of the joints.
    pub joints: Vec<String>,
    /// Of the cameras.
    pub cameras: Vec<String>,
    /// Of the safety inputs.
    pub inputs: Vec<String>,
    /// What runs the policy, where that is not in this machine.
    pub backend: String,
}

impl Labels {
    fn text(&self, of: impl FnOnce(&Names<'_>) -> String) -> String {
        let joints: Vec<&str> = self.joints.iter().map(String::as_str).collect();
        let cameras: Vec<&str> = self.cameras.iter().map(String::as_str).collect();
        let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
        of(&Names {
            joints: &joints,
            cameras: &cameras,
            inputs: &inputs,
            backend: &self.backend,
        })
    }

    fn cause(&self, cause: Option<Cause>) -> Value {
        cause.map_or(Value::Null, |cause| {
            self.text(|names| cause.text(names)).into()
        })
    }

    fn refusal(&self, refusal: &Refusal) -> String {
        self.text(|names| refusal.text(names))
    }

    /// Angles by the joints' names, to a tenth of a milliradian.
    fn angles(&self, angles: &JointVec<Rad>) -> Value {
        let named = self.joints.iter().zip(angles);
        let rounded = |angle: Rad| (angle.0 * 1e4).round() / 1e4;
        named
            .map(|(joint, angle)| (joint.clone(), json!(rounded(*angle))))
            .collect::<Map<String, Value>>()
            .into()
    }
}

/// What was last heard from a guard.
#[derive(Debug, Default)]
struct Heard {
    mode: Option<(Mode, Option<Cause>)>,
    tick: u64,
    asked: u64,
}

/// The log. Dropping it writes what still waits.
#[derive(Debug)]
pub struct Audit {
    journal: Arc<Journal>,
    folder: PathBuf,
    labels: Labels,
    users: Arc<Users>,
    heard: Mutex<Heard>,
}

impl Audit {
    /// Begins the log of a run of `job` in a folder of its own in `runs`; `start` is a JSON object
    /// of what it runs with.
    ///
    /// # Errors
    /// When the run can't be recorded: it must not begin.
    pub fn begin(
        runs: &Path,
        job: &str,
        labels: Labels,
        start: &Value,
    ) -> Result<Audit, RecordError> {
        let now = clock::now();
        let first = Line::new(0, now.at.0, now.rfc3339(), "start", &start.to_string());
        let (folder, file) = folder::begin(runs, job, now, &first.text)?;
        let path = folder.join(folder::AUDIT);
        let journal = Journal::start(file, path, 1, clock::now).map_err(|error| RecordError {
            folder: folder.clone(),
            error,
        })?;
        Ok(Audit {
            journal: Arc::new(journal),
            folder,
            labels,
            users: Arc::new(Users::read()),
            heard: Mutex::new(Heard::default()),
        })
    }

    /// The same log for what another guard of the cell tells, whose arm's names are `labels`.
    #[must_use]
    pub fn beside(&self, labels: Labels) -> Audit {
        Audit {
            journal: Arc::clone(&self.journal),
            folder: self.folder.clone(),
            labels,
            users: Arc::clone(&self.users),
            heard: Mutex::new(Heard::default()),
        }
    }

    /// The folder of the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How the log fares.
    #[must_use]
    pub fn health(&self) -> LogHealth {
        self.journal.health()
    }

    /// Adds a line for `event` with the members of the JSON object `more`.
    pub fn add(&self, event: &str, more: &Value) {
        self.journal.add(event, &more.to_string());
    }

    /// As [`Audit::add`], with the arm it is about where the cell has several.
    pub fn add_of_arm(&self, event: &str, mut more: Value) {
        if !self.labels.arm.is_empty()
            && let Some(more) = more.as_object_mut()
        {
            more.insert("arm".into(), self.labels.arm.clone().into());
        }
        self.add(event, &more);
    }

    /// Writes what waits, for at most some seconds: the run is over, whoever still holds the log.
    pub fn close(&self) {
        self.journal.close();
    }

    /// Makes this the last run, for those who look for it.
    pub fn make_latest(&self) {
        // A convenience: a link that can't be made is no reason not to run.
        if let (Some(runs), Some(name)) = (self.folder.parent(), self.folder.file_name()) {
            let _ = folder::point(&runs.join(folder::LATEST), Path::new(name));
        }
    }

    /// Takes in a tick: a line when the mode or its cause is another one, and one more for a stop.
    pub fn tick(&self, telemetry: &Telemetry) {
        let mut heard = self.heard();
        let now = (telemetry.mode, telemetry.cause);
        let before = heard.mode.replace(now);
        let unheard = (telemetry.tick).saturating_sub(heard.tick.saturating_add(1));
        heard.tick = telemetry.tick;
        let Some(before) = before else {
            drop(heard);
            return self.mode(telemetry, None, 0);
        };
        drop(heard);
        // Numbers in a cause that are none must not make a line of every tick.
        let kind = |cause: Option<Cause>| cause.as_ref().map(std::mem::discriminant);
        if (before.0, kind(before.1)) != (now.0, kind(now.1)) {
            self.mode(telemetry, Some(before.0), unheard);
        }
    }

    fn mode(&self, telemetry: &Telemetry, was: Option<Mode>, unheard: u64) {
        let cause = self.labels.cause(telemetry.cause);
        let remedy = telemetry.cause.map(|cause| cause.remedy());
        let stops = telemetry.mode.latched() && was.is_some_and(|was| !was.latched());
        let mut line = json!({
            "mode": telemetry.mode.word(),
            "was": was.map(Mode::word),
            "cause": cause,
            "remedy": remedy,
            "tick": telemetry.tick,
            "tick_ns": telemetry.at.0,
        });
        if unheard > 0
            && let Some(line) = line.as_object_mut()
        {
            line.insert("ticks_unheard".into(), unheard.into());
        }
        self.add_of_arm("mode", line);
        if stops {
            self.add_of_arm(
                "stop",
                json!({
                    "cause": cause,
                    "remedy": remedy,
                    "in_order": telemetry.cause.is_some_and(Cause::in_order),
                    "plan": telemetry.plan_id,
                    "measured": self.labels.angles(&telemetry.measured),
                    "command": self.labels.angles(&telemetry.command),
                    "tick_ns": telemetry.at.0,
                }),
            );
        }
    }

    /// Takes in a request and its answer.
    pub fn asked(&self, asked: &Asked) {
        let mut heard = self.heard();
        let unheard = (asked.number).saturating_sub(heard.asked.saturating_add(1));
        heard.asked = asked.number;
        drop(heard);
        if unheard > 0 {
            self.add_of_arm("requests_unheard", json!({"requests": unheard}));
        }
        let Asker { role, name, peer } = &asked.asker;
        let (answer, why) = match &asked.answer {
            Answer::Done => ("done", None),
            Answer::Refused(refusal) => ("refused", Some(self.labels.refusal(refusal))),
            Answer::Held(holder) => ("refused", Some(format!("{holder} holds control"))),
        };
        let name = Some(name.as_str()).filter(|name| !name.is_empty());
        self.add_of_arm(
            "request",
            json!({
                "request": asked.request.word(),
                "by": name,
                "as": role.map(|role| match role {
                    Role::Runner | Role::Pulse => "runner",
                    Role::Operator => "operator",
                }),
                "uid": peer.map(|(uid, _)| uid),
                "user": peer.and_then(|(uid, _)| self.users.name(uid)),
                "pid": peer.map(|(_, pid)| pid).filter(|pid| *pid > 0),
                "answer": answer,
                "why": why,
            }),
        );
    }

    /// A new guard is about to speak, which counts from the beginning.
    pub fn guard_replaced(&self) {
        let mut heard = self.heard();
        (heard.tick, heard.asked) = (u64::MAX - 1, 0);
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // A thread that panicked while holding it left plain data behind.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
