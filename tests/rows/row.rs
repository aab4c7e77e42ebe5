//! A fault to survive: what is promised, how it is struck, and which tests hold to it.

use crate::common::Servos;
use crate::strike::{After, Blow, Motion, Strike};

/// One fault.
pub struct Row {
    pub number: u8,
    pub fault: &'static str,
    /// What must come of it, and within how many milliseconds.
    pub reaction: &'static str,
    /// Struck in motion and measured on the wire.
    pub strikes: Vec<Strike>,
    /// Tests, as `file::name`, that hold it to its reaction.
    pub tests: &'static [&'static str],
    /// What of it can't be tested yet, and why.
    pub lacking: Option<&'static str>,
}

pub fn row(number: u8, fault: &'static str, reaction: &'static str) -> Row {
    Row {
        number,
        fault,
        reaction,
        strikes: Vec::new(),
        tests: &[],
        lacking: None,
    }
}

impl Row {
    pub fn struck(
        mut self,
        name: &'static str,
        blow: Blow,
        cause: &'static str,
        bound: f64,
    ) -> Row {
        self.strikes.push(Strike::new(name, blow, cause, bound));
        self
    }

    /// What the last strike is struck in.
    pub fn while_it(mut self, motion: Motion) -> Row {
        self.strikes = self.last(|strike| strike.while_it(motion));
        self
    }

    /// What is struck by the last strike.
    pub fn on(mut self, servos: Servos) -> Row {
        self.strikes = self.last(|strike| strike.on(servos));
        self
    }

    /// What comes after the last strike.
    pub fn then(mut self, after: After) -> Row {
        self.strikes = self.last(|strike| strike.then(after));
        self
    }

    fn last(&mut self, change: impl FnOnce(Strike) -> Strike) -> Vec<Strike> {
        let mut strikes = std::mem::take(&mut self.strikes);
        let last = strikes.pop().map(change);
        strikes.extend(last);
        strikes
    }

    pub fn tested(self, tests: &'static [&'static str]) -> Row {
        Row { tests, ..self }
    }

    pub fn lacking(self, why: &'static str) -> Row {
        let lacking = Some(why);
        Row { lacking, ..self }
    }
}
