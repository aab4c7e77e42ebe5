//! What operators may ask for, and when: each request is granted or refused in the tick it comes.
//!
//! A stop is never refused. Real time: no allocation, lock, log or clock.

use super::Core;
use crate::control::io::{Inputs, Link, Relay, TorqueAct};
use crate::control::mode::{self, Event, Torque};
use crate::control::resort::Resort;
use crate::control::safety::Run;
use crate::messages::{Cause, Mode, Refusal, Request};

impl Core {
    /// The answer to each request of this tick, in order.
    pub(super) fn answer(&mut self, inputs: &Inputs<'_>) -> [Option<Result<Request, Refusal>>; 8] {
        let mut answers = [None; 8];
        for (slot, request) in answers.iter_mut().zip(&inputs.signals.requests) {
            *slot = Some(self.request(*request, inputs).map(|()| *request));
        }
        answers
    }

    fn request(&mut self, request: Request, inputs: &Inputs<'_>) -> Result<(), Refusal> {
        match request {
            Request::Stop => self.latch(Event::Stop, Cause::OperatorStop),
            Request::Shutdown => {
                // A second one changes nothing about an end that is under way.
                if !std::mem::replace(&mut self.ending, true) {
                    self.latch(Event::Stop, Cause::Shutdown);
                }
            }
            Request::Reset
            | Request::Enable
            | Request::Start
            | Request::StartHeld
            | Request::Park
                if self.ending =>
            {
                return Err(Refusal::WrongMode);
            }
            Request::Park => {
                if self.park.is_none() {
                    return Err(Refusal::NoParkPose);
                }
                // Out of a latch nothing moves on anybody's word but a reset and a start.
                if self.mode == Mode::Stopped {
                    return Err(Refusal::WrongMode);
                }
                let after = mode::next(self.mode, Event::Park, self.torque)?;
                self.safety.may_park(inputs, &self.config)?;
                if self.mode != after {
                    self.cause = Some(Cause::Parked);
                    self.go_park();
                }
            }
            Request::Reset => {
                let after = mode::next(self.mode, Event::Reset, self.torque)?;
                inputs.safety.may_reset()?;
                let relay = self.safety.reset();
                if relay == Relay::Drop {
                    // The ladder begins anew with the power.
                    self.resort = Resort::default();
                }
                if !self.monitor.healthy() || self.found.is_some() || self.runner_missing(inputs) {
                    return Err(match relay {
                        Relay::Drop => Refusal::PowerReturns,
                        Relay::Hold => Refusal::CausePresent,
                    });
                }
                self.cause = None;
                self.enter(after);
            }
            Request::Enable => {
                let after = mode::next(self.mode, Event::Enable, self.torque)?;
                inputs.safety.may_move()?;
                if inputs.restarted.is_some() || inputs.watchdog.is_some() {
                    return Err(Refusal::CausePresent);
                }
                if self.torque == Torque::Off {
                    self.enable()?;
                }
                self.enter(after);
            }
            Request::Start => self.start(Run::Free, inputs)?,
            Request::StartHeld => self.start(Run::Held, inputs)?,
            Request::Pause => {
                let after = mode::next(self.mode, Event::Pause, self.torque)?;
                self.enter(after);
            }
            Request::Release => {
                let after = mode::next(self.mode, Event::Release, self.torque)?;
                if self.limiter.as_ref().is_some_and(|l| !l.at_rest()) {
                    return Err(Refusal::WrongMode);
                }
                self.torque = Torque::Off;
                self.act = TorqueAct::Release;
                self.enter(after);
            }
        }
        Ok(())
    }

    fn start(&mut self, run: Run, inputs: &Inputs<'_>) -> Result<(), Refusal> {
        let after = mode::next(self.mode, Event::Start, self.torque)?;
        if self.runner_lost(inputs).is_some() {
            return Err(Refusal::NoRunner);
        }
        self.safety.may_run(run, inputs, &self.config)?;
        self.enter(after);
        self.safety.set_run(run);
        self.running_since = inputs.now;
        self.follower.start(inputs.now);
        Ok(())
    }

    /// Torque on where the joints are; the goal of this step is what was just measured.
    fn enable(&mut self) -> Result<(), Refusal> {
        let measured = self.monitor.measured().ok_or(Refusal::Unhealthy)?;
        if !self.monitor.healthy() {
            return Err(Refusal::Unhealthy);
        }
        if let Some(limiter) = &mut self.limiter {
            limiter.resynchronise(&measured);
        }
        self.torque = Torque::On;
        self.act = TorqueAct::Enable;
        Ok(())
    }

    /// A runner that was lost must be back, or have left in order, before a reset.
    fn runner_missing(&self, inputs: &Inputs<'_>) -> bool {
        inputs.link != Link::Absent && self.runner_lost(inputs).is_some()
    }
}
