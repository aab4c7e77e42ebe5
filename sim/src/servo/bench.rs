//! Which servos hang on the line and have power, and when that power fails.
//! Owns the plugs and the switch; never a servo.

/// Plugs and switch.
#[derive(Debug, Clone)]
pub(super) struct Bench {
    /// In servo order.
    connected: Vec<bool>,
    powered: bool,
    cut: Option<Cut>,
}

/// A power failure that is to come.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// Writes to EEPROM until then, that one included.
    writes: u32,
    kept: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The servos obey.
    Obeyed,
    /// They obey with their last power.
    Last,
    /// The power has gone.
    Lost,
}

impl Bench {
    /// All powered; each plugged in or not.
    pub(super) fn new(connected: Vec<bool>) -> Bench {
        Bench {
            connected,
            powered: true,
            cut: None,
        }
    }

    /// Which servos have line and power, in servo order.
    pub(super) fn live(&self) -> impl Iterator<Item = bool> + '_ {
        self.connected
            .iter()
            .map(|plugged| *plugged && self.powered)
    }

    /// Which are plugged in.
    pub(super) fn connected(&self) -> &[bool] {
        &self.connected
    }

    pub(super) fn connect(&mut self, connected: Vec<bool>) {
        self.connected = connected;
    }

    pub(super) fn power(&mut self, on: bool) {
        self.powered = on;
        self.cut = None;
    }

    /// The power is to fail at the `writes`th write to EEPROM.
    pub(super) fn cut_at(&mut self, writes: u32, kept: bool) {
        self.cut = Some(Cut { writes, kept });
    }

    /// Takes note of a request, and says what becomes of it.
    pub(super) fn fate(&mut self, writes_eeprom: bool) -> Fate {
        let Some(cut) = &mut self.cut else {
            return Fate::Obeyed;
        };
        if !writes_eeprom {
            return Fate::Obeyed;
        }
        cut.writes = cut.writes.saturating_sub(1);
        if cut.writes > 0 {
            return Fate::Obeyed;
        }
        if cut.kept { Fate::Last } else { Fate::Lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_fails_at_the_write_that_was_named_and_no_other() {
        let mut bench = Bench::new(vec![true, false]);
        bench.cut_at(2, true);
        assert_eq!(bench.fate(false), Fate::Obeyed);
        assert_eq!(bench.fate(true), Fate::Obeyed);
        assert_eq!(bench.fate(true), Fate::Last);
        bench.power(false);
        assert_eq!(bench.live().collect::<Vec<_>>(), [false, false]);
        bench.power(true);
        assert_eq!(bench.fate(true), Fate::Obeyed);
        assert_eq!(bench.live().collect::<Vec<_>>(), [true, false]);
    }
}
