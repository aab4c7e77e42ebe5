//! How the controller comes to a stop and what follows: standing, taking the push off a blocked
//! joint, going to the park pose, and letting go of an arm that does not stop.
//!
//! Real time: no allocation, lock, log or clock.

use super::Core;
use crate::arm::{AfterStop, JointLimits};
use crate::control::io::{Inputs, TorqueAct};
use crate::control::limiter::Limiter;
use crate::control::mode::{self, Event, Torque};
use crate::control::monitor::Heat;
use crate::control::park::Onward;
use crate::control::resort::Seen;
use crate::control::safety::Run;
use crate::messages::{Cause, Mode};
use crate::units::{JointVec, MonoTime, Rad};

/// Taking the push off what blocked a joint.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) enum Retreat {
    /// Nothing is pushed.
    #[default]
    Done,
    /// As soon as the command stands.
    Wanted,
    /// The goals of the blocked joints go to where they are.
    To(JointVec<Rad>),
}

impl Core {
    /// Hot as it is, an arm that is being put away for it is let go soonest by going on.
    pub(super) fn heat(&self) -> Heat {
        match (self.mode, self.cause) {
            (Mode::Parking, Some(Cause::Overheat { .. })) => Heat::Known,
            _ => Heat::Stops,
        }
    }

    /// A joint that its motor drives on, long after it should stand, costs the arm its torque.
    pub(super) fn escalate(&mut self, now: MonoTime) {
        if !matches!(self.mode, Mode::Stopping | Mode::Stopped) {
            self.stopping_since = None;
            return;
        }
        let since = *self.stopping_since.get_or_insert(now);
        let limits = self.config.model.limits().iter();
        let longest = limits.map(JointLimits::stopping_secs).fold(0.0, f64::max);
        let stopped_by = since.offset_secs(longest);
        let seen = Seen {
            driven: self.driven,
            holding: self.torque == Torque::On,
        };
        if self.resort.look(&seen, now, stopped_by) {
            self.retreat = Retreat::Done;
            self.torque = Torque::Off;
            self.act = TorqueAct::Release;
            self.mode = Mode::Stopped;
        }
    }

    /// Where the goals go to take the push off what blocked a joint, once the arm stands.
    pub(super) fn withdraw(&mut self) -> Option<JointVec<Rad>> {
        let (limiter, measured) = (self.limiter.as_ref()?, self.monitor.measured()?);
        match (self.retreat, limiter.at_rest()) {
            (Retreat::Done, _) | (Retreat::Wanted, false) => None,
            (Retreat::Wanted, true) => {
                let mut target = limiter.command().positions();
                for (joint, at) in target.iter_mut().enumerate() {
                    if let Some(measured) = measured.get(joint)
                        && self.blocked.contains(joint)
                    {
                        *at = measured.position;
                    }
                }
                self.retreat = Retreat::To(target);
                Some(target)
            }
            (Retreat::To(target), false) => Some(target),
            // There, or as near as limits and clearance let it.
            (Retreat::To(_), true) => {
                self.retreat = Retreat::Done;
                None
            }
        }
    }

    /// Where the way to the park pose wants the joints. Torque goes when the arm is there.
    pub(super) fn towards_park(&mut self, now: MonoTime) -> Option<JointVec<Rad>> {
        let (park, limiter) = (self.park.as_mut()?, self.limiter.as_ref()?);
        let (model, clearance) = (&self.config.model, &self.config.clearance);
        let present = limiter.command().positions();
        let here = clearance.of(model, &present);
        let left = |joints: &JointVec<Rad>| {
            let room = clearance.of(model, joints);
            // An arm that stands without room may go where it has no less.
            if room.no_worse_than(&here) {
                room.least().max(0.0)
            } else {
                room.least()
            }
        };
        let at_rest = limiter.at_rest() && self.monitor.standing();
        match park.next(now, &present, at_rest, &left, clearance.reach()) {
            Onward::Stand => None,
            Onward::Target(target) => Some(target),
            Onward::NoWay => {
                self.latch(Event::Trip, Cause::NoWayToPark);
                None
            }
            Onward::Arrived => {
                if let Ok(after) = mode::next(self.mode, Event::Parked, self.torque) {
                    self.torque = Torque::Off;
                    self.act = TorqueAct::Release;
                    self.enter(after);
                }
                None
            }
        }
    }

    pub(super) fn go_park(&mut self) {
        if let Ok(after) = mode::next(self.mode, Event::Park, self.torque)
            && let Some(park) = &mut self.park
        {
            park.begin();
            self.was_put_away = true;
            self.enter(after);
            self.safety.set_run(Run::of_parking(&self.config));
        }
    }

    /// Whether this stop is one after which the arm is to be put away.
    fn park_wanted(&self) -> bool {
        let after = self.config.parking.as_ref().map(|it| match self.cause {
            Some(Cause::Shutdown | Cause::Signal) => it.at_exit,
            Some(Cause::Overheat { .. }) => it.when_hot,
            _ => AfterStop::Hold,
        });
        after == Some(AfterStop::Park) && self.torque == Torque::On && !self.was_put_away
    }

    /// Whether this stop, now that the arm stands, goes on to the park pose.
    fn parks_after_stop(&self) -> bool {
        let hot = |cause: &Cause| matches!(cause, Cause::Overheat { .. });
        let expected = self.cause.as_ref().is_some_and(hot);
        let nothing_else = (self.found.as_ref()).is_none_or(|found| expected && hot(found));
        self.park_wanted() && nothing_else && self.monitor.movable()
    }

    /// A plan that leads into something, and does not lead away again, is a stop.
    pub(super) fn hemmed_in(&mut self, now: MonoTime) {
        let hemmed = matches!(self.mode, Mode::Running | Mode::Parking)
            && (self.limiter.as_ref()).is_some_and(|limiter| limiter.hemmed() && limiter.at_rest());
        if !hemmed {
            self.hemmed_since = None;
            return;
        }
        let since = *self.hemmed_since.get_or_insert(now);
        if now.secs_from(since) >= self.config.monitors.hemmed_time.as_secs_f64() {
            self.latch(Event::Trip, Cause::NoClearance);
        }
    }

    /// `Stopping` ends when command and joints stand.
    pub(super) fn settle(&mut self, inputs: &Inputs<'_>) {
        let now = inputs.now;
        let at_rest = self.limiter.as_ref().is_none_or(Limiter::at_rest);
        if !at_rest || self.retreat != Retreat::Done {
            self.at_rest_since = None;
            return;
        }
        let since = *self.at_rest_since.get_or_insert(now);
        let waited = now.secs_from(since) >= self.config.monitors.settle.as_secs_f64();
        // One reply lost in this very tick must not keep an arm from being put away.
        let ready = self.monitor.standing() && (!self.park_wanted() || self.parks_after_stop());
        if (waited || ready)
            && let Ok(after) = mode::next(self.mode, Event::AtRest, self.torque)
            && self.mode != after
        {
            self.mode = after;
            if self.parks_after_stop() && self.safety.may_park_by_itself(inputs, &self.config) {
                self.go_park();
            }
        }
    }
}
