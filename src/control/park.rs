//! To the park pose, where torque may go without the arm falling: stop category 1.
//!
//! Owns the way there, leg by leg, each at a share of the joints' limits with a standstill at its
//! end. Gives targets and never a command: the limiter still decides how far a tick may go.
//!
//! Real time: no allocation, lock, log or clock.

use crate::arm::{JointLimits, Parking};
use crate::control::route::{Left, Router, Search, Way, between, is_free};
use crate::units::{JointVec, MonoTime, Rad};

/// Largest speed, acceleration and jerk of `x(s) = s³(10 − 15s + 6s²)` for s and x from 0 to 1
/// (Flash and Hogan, *J. Neurosci.* 5(7), 1985: the way of least jerk).
const PEAK_SPEED: f64 = 1.875;
const PEAK_ACCELERATION: f64 = 5.773_502_691_896_258;
const PEAK_JERK: f64 = 60.0;
/// A target this near is reached, radians.
const THERE: f64 = 1e-3;

/// What the arm is to do in a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Onward {
    /// Stand, or come to a standstill.
    Stand,
    /// Go there.
    Target(JointVec<Rad>),
    /// It is there: torque may go.
    Arrived,
    /// No free way was found.
    NoWay,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Coming to a standstill first.
    Braking,
    /// Looking for the farthest pose of the way that is in plain sight.
    Looking { candidate: usize },
    /// No straight way: looking for another.
    Searching,
    /// On the way to pose `to`.
    Moving {
        from: JointVec<Rad>,
        to: usize,
        began: MonoTime,
    },
}

/// The way to the park pose.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Park {
    config: Parking,
    limits: JointVec<JointLimits>,
    stage: Stage,
    way: Way,
    /// The pose of the way that was reached last.
    reached: usize,
    router: Router,
    searched: bool,
}

impl Park {
    pub(super) fn new(config: &Parking, limits: &JointVec<JointLimits>) -> Park {
        Park {
            config: *config,
            limits: *limits,
            stage: Stage::Braking,
            way: Way::new(),
            reached: 0,
            router: Router::default(),
            searched: false,
        }
    }

    /// Begins anew, from wherever the arm comes to a standstill.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Braking;
        self.searched = false;
    }

    /// The next target. `present` is the command, `at_rest` says that command and joints stand,
    /// and `left` how far from anything the arm is at given joint positions, metres.
    pub(super) fn next(
        &mut self,
        now: MonoTime,
        present: &JointVec<Rad>,
        at_rest: bool,
        left: &impl Left,
        reach: f64,
    ) -> Onward {
        match self.stage {
            Stage::Braking if at_rest => {
                let goal = self.goal(present);
                self.way.clear();
                // The way has room for many more.
                let _ = self.way.push(*present);
                let _ = self.way.push(goal);
                self.reached = 0;
                self.stage = Stage::Looking { candidate: 1 };
                Onward::Stand
            }
            Stage::Braking => Onward::Stand,
            Stage::Looking { candidate } => {
                self.look(candidate, now, present, left, reach);
                Onward::Stand
            }
            Stage::Searching => match self.router.step(&self.limits, left, reach) {
                Search::Going => Onward::Stand,
                Search::Found(way) => {
                    self.stage = Stage::Looking {
                        candidate: way.len() - 1,
                    };
                    self.way = way;
                    Onward::Stand
                }
                Search::Failed => Onward::NoWay,
            },
            Stage::Moving { from, to, began } => {
                let Some(goal) = self.way.get(to).copied() else {
                    return Onward::NoWay;
                };
                let share = (now.secs_from(began) / self.secs(&from, &goal)).min(1.0);
                let there = (present.iter().zip(&goal)).all(|(a, b)| (a.0 - b.0).abs() < THERE);
                if share >= 1.0 && at_rest && there {
                    self.reached = to;
                    let last = self.way.len().saturating_sub(1);
                    if to == last {
                        return Onward::Arrived;
                    }
                    self.stage = Stage::Looking { candidate: last };
                }
                let smooth = share.powi(3) * (10.0 + share * (6.0 * share - 15.0));
                Onward::Target(between(&from, &goal, smooth))
            }
        }
    }

    /// One look a tick, from the far end of the way: what is in plain sight is gone to straight.
    fn look(
        &mut self,
        candidate: usize,
        now: MonoTime,
        present: &JointVec<Rad>,
        left: &impl Left,
        reach: f64,
    ) {
        let Some(to) = self.way.get(candidate).copied() else {
            return;
        };
        let next_of_a_search = self.searched && candidate <= self.reached + 1;
        if next_of_a_search || is_free(present, &to, left, reach) {
            self.stage = Stage::Moving {
                from: *present,
                to: candidate,
                began: now,
            };
        } else if self.searched {
            self.stage = Stage::Looking {
                candidate: candidate - 1,
            };
        } else {
            self.searched = true;
            self.router.begin(present, &to);
            self.stage = Stage::Searching;
        }
    }

    /// The park pose; joints that it leaves out stay where they are.
    fn goal(&self, present: &JointVec<Rad>) -> JointVec<Rad> {
        present.zip_with(&self.config.pose, |present, pose| pose.unwrap_or(present))
    }

    /// How long a leg takes so that every joint stays within its share of every limit.
    fn secs(&self, from: &JointVec<Rad>, to: &JointVec<Rad>) -> f64 {
        let share = self.config.speed;
        let ways = from.zip_with(to, |from, to| (to.0 - from.0).abs());
        ways.iter()
            .zip(&self.limits)
            .fold(1e-3, |secs, (way, limits)| {
                let speed = PEAK_SPEED * way / (share * limits.velocity.0);
                let acceleration =
                    (PEAK_ACCELERATION * way / (share * limits.acceleration.0)).sqrt();
                let jerk = (PEAK_JERK * way / (share * limits.jerk.0)).cbrt();
                secs.max(speed).max(acceleration).max(jerk)
            })
    }
}
