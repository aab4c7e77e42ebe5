//! Emergency stops, enabling switches, and the operator who holds the arm running.
//!
//! Owns what each says and when. Never looks beyond the mode.

use surehand::control::{SafetyInputs, Signals};
use surehand::messages::{Mode, Request};
use surehand::units::MonoTime;

use crate::fault::Fault;
use crate::rng::Rng;

/// How often a holder says so, nanoseconds.
const HOLD_EVERY: u64 = 25_000_000;

/// Everything that a hand is on.
#[derive(Debug)]
pub(crate) struct Buttons {
    rng: Rng,
    /// Jobs are started as held ones.
    held: bool,
    /// The cell takes no others.
    hold_to_run: bool,
    pressed_until: u64,
    broken_until: u64,
    let_go_until: u64,
    /// The holder, when they were last heard, and until when they are frozen.
    holder: Option<(MonoTime, u64)>,
}

impl Buttons {
    /// Nothing is pressed.
    pub(crate) fn new(mut rng: Rng) -> Buttons {
        let held = rng.chance(0.3);
        Buttons {
            held,
            hold_to_run: held && rng.chance(0.5),
            rng,
            pressed_until: 0,
            broken_until: 0,
            let_go_until: 0,
            holder: None,
        }
    }

    /// Whether the cell moves only while it is held.
    pub(crate) fn hold_to_run(&self) -> bool {
        self.hold_to_run
    }

    /// A fault strikes at `now`; those that are nobody's hand pass by.
    pub(crate) fn strike(&mut self, fault: Fault, now: u64) {
        match fault {
            Fault::Pressed { span } => self.pressed_until = now + span,
            Fault::WireBroken { span } => self.broken_until = now + span,
            Fault::LetGo { span } => self.let_go_until = now + span,
            // The guard's death ends its connections.
            Fault::HolderDies | Fault::GuardDies { .. } => self.holder = None,
            Fault::HolderFreezes { span } => {
                if let Some((_, frozen_until)) = &mut self.holder {
                    *frozen_until = now + span;
                }
            }
            _ => {}
        }
    }

    /// What the contacts say at `now`.
    pub(crate) fn read(&self, now: MonoTime) -> SafetyInputs {
        SafetyInputs {
            pressed: (now.0 < self.pressed_until).then_some(0),
            broken: (now.0 < self.broken_until).then_some(1),
            not_enabled: (now.0 < self.let_go_until).then_some(2),
        }
    }

    /// When the holder was last heard at `now`. Where jobs are held, who starts one holds it.
    pub(crate) fn hold(
        &mut self,
        now: MonoTime,
        mode: Mode,
        signals: &mut Signals,
    ) -> Option<MonoTime> {
        let moving = matches!(mode, Mode::Running | Mode::Parking);
        for request in &mut signals.requests {
            if self.held && matches!(request, Request::Start | Request::Park) {
                if *request == Request::Start {
                    *request = Request::StartHeld;
                }
                if !moving {
                    // Sometimes nobody is there.
                    self.holder = self.rng.chance(0.9).then_some((now, 0));
                }
            }
        }
        if let Some((heard_at, frozen_until)) = &mut self.holder
            && now.0 >= *frozen_until
            && now.since(*heard_at) >= HOLD_EVERY
        {
            *heard_at = now;
        }
        self.holder.map(|(heard_at, _)| heard_at)
    }
}
