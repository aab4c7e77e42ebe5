//! Counts the use of joints by what the guard tells.
//!
//! A guard tells its mode and not its torque. Torque is on in every mode but `Idle` and `Stopped`; a
//! stopped arm has it as before, but for one that was put away or released. One whose torque was
//! taken because a joint drove on counts as holding until its reset.

use super::Usage;
use crate::messages::{Answer, Asked, Mode, Request, Telemetry};
use crate::units::{JointVec, MonoTime};

/// Less than this is no motion, rad: three counts of a servo.
const DEAD: f64 = 0.005;
/// A joint that has not moved by that for this long stands, seconds.
const STILL: f64 = 0.25;
/// A longer silence than this of the guard counts for nothing, seconds.
const HEARD: f64 = 1.0;

/// Whether the servos hold, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Torque {
    /// A guard that has just started may have found it on.
    #[default]
    Unknown,
    Off,
    On,
}

/// One joint.
#[derive(Debug, Clone, Copy, Default)]
struct Joint {
    used: Usage,
    /// Where it was when it last moved.
    at: Option<f64>,
    moved: Option<MonoTime>,
}

/// What has been counted since it was last taken.
#[derive(Debug)]
pub struct Count {
    torque: Torque,
    mode: Option<Mode>,
    heard: Option<MonoTime>,
    joints: JointVec<Joint>,
}

impl Count {
    /// Of an arm with so many joints.
    #[must_use]
    pub fn new(joints: usize) -> Count {
        Count {
            torque: Torque::default(),
            mode: None,
            heard: None,
            joints: JointVec::repeat(Joint::default(), joints),
        }
    }

    /// Takes in a tick.
    pub fn tick(&mut self, telemetry: &Telemetry) {
        let now = telemetry.at;
        let since = self.heard.replace(now).map_or(0.0, |it| now.secs_from(it));
        let since = Some(since).filter(|since| (0.0..=HEARD).contains(since));
        let held = if self.torque == Torque::On {
            since.unwrap_or(0.0)
        } else {
            0.0
        };
        let was = self.torque;
        self.torque = torque(was, self.mode.replace(telemetry.mode), telemetry.mode);
        let started = was == Torque::Off && self.torque == Torque::On;
        for (joint, measured) in self.joints.iter_mut().zip(&telemetry.measured) {
            joint.used.torque_s += held;
            joint.used.starts += u64::from(started);
            joint.move_to(measured.0, now);
        }
    }

    /// Takes in what somebody asked for and was answered.
    pub fn asked(&mut self, asked: &Asked) {
        if asked.request == Request::Release && asked.answer == Answer::Done {
            self.torque = Torque::Off;
        }
    }

    /// What was counted since this was last called, a joint each.
    pub fn take(&mut self) -> JointVec<Usage> {
        let used = self.joints.map(|joint| joint.used);
        self.joints
            .iter_mut()
            .for_each(|joint| joint.used = Usage::default());
        used
    }

    /// Puts back what was taken and could not be written down.
    pub fn put_back(&mut self, used: &JointVec<Usage>) {
        for (joint, used) in self.joints.iter_mut().zip(used) {
            joint.used.add(used);
        }
    }
}

impl Joint {
    fn move_to(&mut self, position: f64, now: MonoTime) {
        if !position.is_finite() {
            return;
        }
        let way = (position - *self.at.get_or_insert(position)).abs();
        if way < DEAD {
            return;
        }
        self.at = Some(position);
        self.used.travelled_rad += way;
        if let Some(moved) = self.moved.replace(now) {
            let since = now.secs_from(moved);
            if (0.0..=STILL).contains(&since) {
                self.used.motion_s += since;
            }
        }
    }
}

fn torque(was: Torque, before: Option<Mode>, mode: Mode) -> Torque {
    match (before, mode) {
        // Put away: let go where it lies.
        (_, Mode::Idle) | (Some(Mode::Parking), Mode::Stopped) => Torque::Off,
        (_, Mode::Holding | Mode::Running | Mode::Parking) => Torque::On,
        // A limp arm has nothing to brake.
        (_, Mode::Stopping | Mode::Stopped) => was,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Asker, Role};
    use crate::units::Rad;

    /// A guard of one joint, 200 ticks a second.
    struct Guard {
        count: Count,
        ms: u64,
        at: f64,
    }

    impl Guard {
        fn new() -> Guard {
            Guard {
                count: Count::new(1),
                ms: 0,
                at: 0.0,
            }
        }

        /// In `mode` for so many seconds, turning at `speed`, rad/s.
        fn spend(&mut self, mode: Mode, secs: f64, speed: f64) {
            for _ in 0..(secs * 200.0).round() as u64 {
                self.ms += 5;
                self.at += speed * 5e-3;
                self.count.tick(&Telemetry {
                    tick: self.ms / 5,
                    at: MonoTime(self.ms * 1_000_000),
                    mode,
                    cause: None,
                    measured: JointVec::repeat(Rad(self.at), 1),
                    command: JointVec::repeat(Rad(self.at), 1),
                    plan_id: 0,
                    plan_end: MonoTime(0),
                    plan_lag: 0.0,
                    refused: None,
                });
            }
        }

        fn used(&mut self) -> Usage {
            self.count.take().get(0).unwrap()
        }
    }

    fn close(value: f64, wanted: f64, within: f64) {
        assert!((value - wanted).abs() <= within, "{value}, not {wanted}");
    }

    #[test]
    fn an_hour_of_work_is_counted_by_torque_motion_way_and_starts() {
        let mut guard = Guard::new();
        guard.spend(Mode::Stopped, 60.0, 0.0);
        guard.spend(Mode::Idle, 10.0, 0.0);
        guard.spend(Mode::Holding, 600.0, 0.0);
        for _ in 0..15 {
            guard.spend(Mode::Running, 60.0, 0.5);
            guard.spend(Mode::Running, 60.0, -0.5);
            guard.spend(Mode::Running, 80.0, 0.0);
        }
        guard.spend(Mode::Stopped, 1.0, 0.0);
        let used = guard.used();
        close(used.torque_s, 3601.0, 0.01);
        close(used.motion_s, 1800.0, 1.0);
        close(used.travelled_rad, 900.0, 1.0);
        assert_eq!(used.starts, 1);
        assert_eq!(guard.used(), Usage::default(), "it was taken");
    }

    #[test]
    fn a_servo_that_trembles_by_a_count_does_not_move() {
        let mut guard = Guard::new();
        for _ in 0..1000 {
            guard.spend(Mode::Holding, 0.005, 0.3);
            guard.spend(Mode::Holding, 0.005, -0.3);
        }
        let used = guard.used();
        assert_eq!((used.motion_s, used.travelled_rad), (0.0, 0.0));
    }

    #[test]
    fn a_stopped_arm_holds_until_it_is_released_or_put_away() {
        let mut guard = Guard::new();
        guard.spend(Mode::Idle, 1.0, 0.0);
        guard.spend(Mode::Running, 1.0, 0.0);
        guard.spend(Mode::Stopping, 1.0, 0.0);
        guard.spend(Mode::Stopped, 1.0, 0.0);
        close(guard.used().torque_s, 3.0, 0.01);
        guard.count.asked(&Asked {
            number: 1,
            asker: Asker {
                role: Some(Role::Operator),
                ..Asker::default()
            },
            request: Request::Release,
            answer: Answer::Done,
        });
        guard.spend(Mode::Stopped, 5.0, 0.0);
        assert_eq!(guard.used().torque_s, 0.0);
        // Reset and enabled anew.
        guard.spend(Mode::Idle, 1.0, 0.0);
        guard.spend(Mode::Holding, 1.0, 0.0);
        assert_eq!(guard.used().starts, 1);
        guard.spend(Mode::Parking, 2.0, 0.0);
        guard.spend(Mode::Stopped, 5.0, 0.0);
        close(guard.used().torque_s, 2.0, 0.01);
    }

    #[test]
    fn an_arm_that_was_found_holding_was_not_started_and_silence_counts_for_nothing() {
        let mut guard = Guard::new();
        guard.spend(Mode::Stopped, 1.0, 0.0);
        guard.spend(Mode::Holding, 1.0, 0.0);
        guard.ms += 3_600_000;
        guard.spend(Mode::Holding, 1.0, 0.0);
        let used = guard.used();
        assert_eq!(used.starts, 0);
        close(used.torque_s, 2.0, 0.02);
    }

    #[test]
    fn what_could_not_be_written_is_not_lost() {
        let mut guard = Guard::new();
        guard.spend(Mode::Holding, 1.0, 0.0);
        let taken = guard.count.take();
        guard.spend(Mode::Holding, 1.0, 0.0);
        guard.count.put_back(&taken);
        close(guard.used().torque_s, 2.0, 0.02);
    }
}
