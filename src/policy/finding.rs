//! What a check finds: one line each for a person, one object each for a program.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, but perhaps not as meant.
    Warning,
    /// It can't be used.
    Error,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// File and key: `manifest.json: model.runner.type`.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong, with the value found.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Finding {
            place,
            what,
            remedy,
            ..
        } = self;
        write!(f, "{severity}: {place}: {what}; {remedy}")
    }
}

/// Findings in the order they were made.
#[derive(Debug, Clone, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds an error.
    pub fn error(
        &mut self,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Severity::Error, place.into(), what.into(), remedy.into());
    }

    /// Adds a warning.
    pub fn warning(
        &mut self,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Severity::Warning, place.into(), what.into(), remedy.into());
    }

    /// The first error, if there is one.
    #[must_use]
    pub fn first_error(&self) -> Option<&Finding> {
        self.0.iter().find(|f| f.severity == Severity::Error)
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        let error = |f: &&Finding| f.severity == Severity::Error;
        self.0.iter().filter(error).count()
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Text of a stranger's file may hold anything; a finding is one line.
    fn push(&mut self, severity: Severity, place: String, what: String, remedy: String) {
        let line = |text: String| -> String {
            let clean = |c: char| if c.is_control() { ' ' } else { c };
            text.chars().map(clean).take(400).collect()
        };
        self.0.push(Finding {
            severity,
            place: line(place),
            what: line(what),
            remedy: line(remedy),
        });
    }
}
