//! Which servo is asked next whether it still holds what it was told, and which did not.
//!
//! A servo that restarted has lost its limits and its torque without a word. One servo is asked
//! every few ticks in turn, and one that answers again after a silence at once. Owns the turn;
//! never touches the bus.
//!
//! Real time: no allocation, lock, log or clock.

use crate::control::JointReading;
use crate::units::{JointSet, JointVec};

/// Ticks between two servos: six are asked in 120 ms at 200 Hz.
const EVERY: u32 = 4;

/// What one servo answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Everything is as it was told.
    Same,
    /// But for the goal, which is not the one it was sent last.
    OtherGoal,
    /// It holds something else.
    Differs,
    /// It gave no answer: it is asked again.
    Unknown,
}

/// The turn.
#[derive(Debug, Default)]
pub(super) struct Audit {
    ticks: u32,
    turn: usize,
    joints: JointVec<Watch>,
    confirmed: JointSet,
}

#[derive(Debug, Clone, Copy, Default)]
struct Watch {
    /// Silent in the last reading.
    silent: bool,
    /// To be asked before its turn.
    urgent: bool,
    differs: bool,
}

impl Audit {
    /// Of `joints` servos.
    pub(super) fn new(joints: usize) -> Audit {
        Audit {
            joints: JointVec::repeat(Watch::default(), joints),
            ..Audit::default()
        }
    }

    /// Takes in a tick's `readings`; every tick's, or one that was silent for a moment is missed.
    pub(super) fn observe(&mut self, readings: &JointVec<JointReading>) {
        for (watch, reading) in self.joints.iter_mut().zip(readings) {
            let silent = matches!(reading, JointReading::Missing(_));
            watch.urgent |= watch.silent && !silent;
            watch.silent = silent;
        }
    }

    /// The servo to ask in this tick.
    pub(super) fn next(&mut self) -> Option<usize> {
        self.ticks = self.ticks.wrapping_add(1);
        let answering = |watch: &Watch| !watch.silent;
        let urgent = |watch: &Watch| (watch.urgent || watch.differs) && answering(watch);
        // In turn, too: one that never answers keeps no other from being asked.
        let joints = self.joints.len().max(1);
        let in_turn = (1..=joints).map(|ahead| (self.turn + ahead) % joints);
        let mut waiting =
            in_turn.filter(|joint| self.joints.get(*joint).is_some_and(|w| urgent(&w)));
        if let Some(joint) = waiting.next() {
            self.turn = joint;
            return Some(joint);
        }
        if !self.ticks.is_multiple_of(EVERY) {
            return None;
        }
        self.turn = (self.turn + 1) % self.joints.len().max(1);
        let turn = self.joints.iter().nth(self.turn);
        turn.is_some_and(answering).then_some(self.turn)
    }

    /// Takes note of what `joint` answered.
    pub(super) fn note(&mut self, joint: usize, finding: Finding) {
        if let Some(watch) = self.joints.as_mut_slice().get_mut(joint) {
            match finding {
                Finding::Same | Finding::OtherGoal => {
                    (watch.urgent, watch.differs) = (false, false);
                }
                Finding::Differs => watch.differs = true,
                Finding::Unknown => watch.urgent = true,
            }
            match finding {
                Finding::Same => self.confirmed.insert(joint),
                Finding::OtherGoal | Finding::Differs => self.confirmed.remove(joint),
                // It may be all right: what it said before stands until it is asked again.
                Finding::Unknown => {}
            }
        }
    }

    /// Every servo has to confirm anew what it holds.
    pub(super) fn begin_to_confirm(&mut self) {
        self.confirmed = JointSet::default();
    }

    /// Those that have not confirmed since.
    pub(super) fn not_confirmed(&self) -> JointSet {
        let mut open = JointSet::all(self.joints.len());
        self.confirmed.iter().for_each(|joint| open.remove(joint));
        open
    }

    /// A servo that does not hold what it was told.
    pub(super) fn restarted(&self) -> Option<u8> {
        let joint = self.joints.iter().position(|watch| watch.differs)?;
        u8::try_from(joint).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ReadFault;
    use crate::units::{Celsius, Rad, RadPerSec, Volts};

    fn fresh() -> JointReading {
        JointReading::Fresh {
            position: Rad(0.0),
            velocity: RadPerSec(0.0),
            load: 0.0,
            voltage: Volts(7.4),
            temperature: Celsius(30.0),
            errors: 0,
        }
    }

    fn next(audit: &mut Audit, readings: &JointVec<JointReading>) -> Option<usize> {
        audit.observe(readings);
        audit.next()
    }

    #[test]
    fn every_servo_has_its_turn() {
        let mut audit = Audit::new(3);
        let readings = JointVec::repeat(fresh(), 3);
        let asked: Vec<_> = (0..12)
            .filter_map(|_| next(&mut audit, &readings))
            .collect();
        assert_eq!(asked, [1, 2, 0]);
    }

    #[test]
    fn a_silence_in_ticks_without_time_for_a_question_is_not_forgotten() {
        let mut audit = Audit::new(3);
        let mut readings = JointVec::repeat(fresh(), 3);
        for silent in [true, false] {
            readings.as_mut_slice()[1] = if silent {
                JointReading::Missing(ReadFault::Timeout)
            } else {
                fresh()
            };
            audit.observe(&readings);
        }
        assert_eq!(next(&mut audit, &readings), Some(1));
    }

    #[test]
    fn one_that_never_answers_keeps_no_other_from_being_asked() {
        let mut audit = Audit::new(3);
        let readings = JointVec::repeat(fresh(), 3);
        audit.note(0, Finding::Unknown);
        audit.note(2, Finding::Unknown);
        let asked: Vec<_> = (0..4).filter_map(|_| next(&mut audit, &readings)).collect();
        assert_eq!(asked, [2, 0, 2, 0]);
    }

    #[test]
    fn a_servo_confirms_by_holding_all_it_was_told_its_goal_too() {
        let mut audit = Audit::new(3);
        audit.begin_to_confirm();
        audit.note(0, Finding::Same);
        audit.note(1, Finding::OtherGoal);
        audit.note(2, Finding::Unknown);
        assert_eq!(audit.not_confirmed().iter().collect::<Vec<_>>(), [1, 2]);
        audit.note(1, Finding::Same);
        audit.note(2, Finding::Same);
        assert!(audit.not_confirmed().is_empty());
        audit.note(0, Finding::Differs);
        assert!(audit.not_confirmed().contains(0));
    }

    #[test]
    fn a_servo_that_answers_again_is_asked_at_once_and_until_it_is_right() {
        let mut audit = Audit::new(3);
        let mut readings = JointVec::repeat(fresh(), 3);
        readings.as_mut_slice()[2] = JointReading::Missing(ReadFault::Timeout);
        next(&mut audit, &readings);
        readings.as_mut_slice()[2] = fresh();
        assert_eq!(next(&mut audit, &readings), Some(2));
        audit.note(2, Finding::Unknown);
        assert_eq!(next(&mut audit, &readings), Some(2));
        audit.note(2, Finding::Differs);
        assert_eq!(audit.restarted(), Some(2));
        assert_eq!(next(&mut audit, &readings), Some(2));
        audit.note(2, Finding::Same);
        assert_eq!(audit.restarted(), None);
    }
}
